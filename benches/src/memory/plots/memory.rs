//! What is resident, moment by moment, of an upload, a rest, and a deletion.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use super::{
    Extent,
    style::{FONT, SUBJECTS, mark, stroke},
};
use crate::{
    harness::{GIB, MIB, Measurements, table::size},
    memory::{Job, jobs::Timeline},
};

pub(super) fn job(extent: &Extent) -> Job {
    Job::Timeline(Timeline { size: extent.upload })
}

pub(super) fn draw(
    file: &Path,
    extent: &Extent,
    measured: &Measurements,
) -> Result<(), Box<dyn Error>> {
    let job = job(extent);
    let series = |who, name| measured.series(&job, who, name).unwrap_or_default().iter();
    let lines = SUBJECTS.map(|who| {
        let gibibytes = series(who, "resident").map(|mib| mib * MIB as f64 / GIB as f64);
        (who, series(who, "seconds").copied().zip(gibibytes).collect::<Vec<_>>())
    });
    let all = || lines.iter().flat_map(|(_, line)| line);
    let end = all().fold(0.1, |end: f64, &(x, _)| end.max(x));
    let top = all().fold(0.1, |top: f64, &(_, y)| top.max(y));

    let root = SVGBackend::new(file, (900, 460)).into_drawing_area();
    root.fill(&WHITE)?;
    let caption = format!(
        "resident memory: {} uploaded in copied chunks of 64 KiB, committed, deleted",
        size(extent.upload)
    );
    let mut chart = ChartBuilder::on(&root)
        .caption(caption, (FONT, 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..end, 0.0..top * 1.08)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("seconds")
        .y_desc("GiB")
        .label_style((FONT, 12))
        .draw()?;
    for (who, line) in lines {
        let series = chart.draw_series(LineSeries::new(line, stroke(who)))?;
        series.label(who.name()).legend(move |at| mark(who, at));
        // The moments from when on it should be gone.
        if let Some(deleted) = measured.number(&job, who, "deleted") {
            let foot = vec![(deleted, 0.0), (deleted, top * 0.03)];
            chart.draw_series([PathElement::new(foot, stroke(who))])?;
        }
    }
    // What there is to be stored.
    let payload = extent.upload as f64 / GIB as f64;
    let dashes = DashedLineSeries::new([(0.0, payload), (end, payload)], 4, 4, BLACK.into());
    let series = chart.draw_series(dashes)?;
    series.label("payload").legend(|(x, y)| PathElement::new([(x, y), (x + 18, y)], BLACK));
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    root.present()?;
    Ok(())
}
