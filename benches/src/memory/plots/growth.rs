//! Time an operation, and memory an object, by how many objects there are.

use std::{error::Error, path::Path};

use plotters::{coord::Shift, prelude::*};

use super::{
    Extent,
    style::{FONT, SUBJECTS, mark, stroke},
};
use crate::{
    harness::{Measurements, Who},
    memory::{Job, jobs::Objects},
};

/// How large each object is, so that ten million fit.
const CONTENT: usize = 16;
/// The smallest population, as a power of ten.
const LEAST: u32 = 3;
/// Below this, as a power of ten, what is resident says nothing about an object.
const LEAST_RESIDENT: u32 = 5;

/// A panel: a number of the job, its caption, and where it begins.
const PANELS: [(&str, &str, u32); 6] = [
    ("put", "put, ns", LEAST),
    ("get", "get, ns", LEAST),
    ("stat", "stat, ns", LEAST),
    ("delete", "delete, ns", LEAST),
    ("list", "list 256 directories above, µs", LEAST),
    ("extra", "memory of an object without its content, bytes", LEAST_RESIDENT),
];

fn job(power: u32) -> Job {
    Job::Objects(Objects { count: 10_usize.pow(power), content: CONTENT })
}

fn powers(extent: &Extent, who: Who) -> std::ops::RangeInclusive<u32> {
    let (most, of_all) = extent.population;
    LEAST..=if matches!(who, Who::Ours | Who::Naive) { most } else { of_all }
}

pub(super) fn wanted(extent: &Extent) -> Vec<(Job, Who)> {
    let subjects = SUBJECTS.into_iter();
    subjects.flat_map(|who| powers(extent, who).map(move |power| (job(power), who))).collect()
}

pub(super) fn draw(
    file: &Path,
    extent: &Extent,
    measured: &Measurements,
) -> Result<(), Box<dyn Error>> {
    let root = SVGBackend::new(file, (1200, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    for (area, panel) in root.split_evenly((2, 3)).iter().zip(PANELS) {
        draw_panel(area, panel, extent, measured)?;
    }
    root.present()?;
    Ok(())
}

fn draw_panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    (number, caption, least): (&str, &str, u32),
    extent: &Extent,
    measured: &Measurements,
) -> Result<(), Box<dyn Error>> {
    let line = |who: Who| -> Vec<(f64, f64)> {
        let from_least = powers(extent, who).filter(|&power| power >= least);
        from_least
            .filter_map(|power| {
                let number = measured.number(&job(power), who, number)?;
                // A logarithm has no place for less.
                Some((10_f64.powi(power as i32), number.max(1.0)))
            })
            .collect()
    };
    let lines: Vec<(Who, Vec<(f64, f64)>)> = SUBJECTS.map(|who| (who, line(who))).into();
    let all = || lines.iter().flat_map(|(_, line)| line).map(|&(_, y)| y);
    let bottom = all().fold(f64::MAX, f64::min) / 1.5;
    // Above it is room for the legend.
    let top = all().fold(0.0, f64::max) * 8.0;
    if bottom > top {
        return Ok(());
    }
    let xs = 10_f64.powi(least as i32)..10_f64.powi(extent.population.0 as i32) * 1.01;
    let mut chart = ChartBuilder::on(area)
        .caption(caption, (FONT, 16))
        .margin(10)
        .x_label_area_size(36)
        .y_label_area_size(58)
        .build_cartesian_2d(xs.log_scale(), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("objects")
        .label_style((FONT, 12))
        .x_label_formatter(&|x| format!("10^{}", x.log10().round()))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .draw()?;
    for (who, line) in lines {
        let points: Vec<_> =
            line.iter().map(|&at| Circle::new(at, 3, stroke(who).filled())).collect();
        let series = chart.draw_series(LineSeries::new(line, stroke(who)))?;
        series.label(who.name()).legend(move |at| mark(who, at));
        chart.draw_series(points)?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    Ok(())
}
