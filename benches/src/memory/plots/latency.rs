//! The latency of small reads during uploads, as a histogram.

use std::{error::Error, path::Path};

use plotters::prelude::*;

use super::{
    Extent,
    style::{FONT, SUBJECTS, mark, stroke},
};
use crate::{
    harness::{Measurements, table::Unit},
    memory::{
        Job,
        jobs::{HISTOGRAM_PER_OCTAVE, Load, UnderLoad},
    },
};

/// The range of times that is drawn, in nanoseconds.
const TIMES: std::ops::Range<f64> = 50.0..5e8;
/// The least part that is drawn: one read in a million.
const LEAST: f64 = 1e-6;

pub(super) fn job(extent: &Extent) -> Job {
    Job::UnderLoad(UnderLoad { load: Load::Uploads(extent.load) })
}

pub(super) fn draw(
    file: &Path,
    extent: &Extent,
    measured: &Measurements,
) -> Result<(), Box<dyn Error>> {
    let job = job(extent);
    let root = SVGBackend::new(file, (900, 460)).into_drawing_area();
    root.fill(&WHITE)?;
    let load = Load::Uploads(extent.load).name();
    let mut chart = ChartBuilder::on(&root)
        .caption(format!("gets of 4 KiB during {load}: how many take how long"), (FONT, 16))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(TIMES.log_scale(), (LEAST..1.0).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("time of a get")
        .y_desc("part of all gets")
        .label_style((FONT, 12))
        .x_label_formatter(&|&time| duration(time))
        .y_label_formatter(&|part| format!("10^{}", part.log10().round()))
        .draw()?;
    for who in SUBJECTS {
        let counts = measured.series(&job, who, "histogram").unwrap_or_default();
        let p99 = measured.number(&job, who, "p99").map(|time| Unit::Microseconds.show(time));
        let name = format!("{}: p99 {}", who.name(), p99.unwrap_or_default());
        let series = chart.draw_series(LineSeries::new(steps(counts), stroke(who)))?;
        series.label(name).legend(move |at| mark(who, at));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .label_font((FONT, 12))
        .draw()?;
    root.present()?;
    Ok(())
}

/// The outline of the histogram's bars; what is empty lies at the bottom.
fn steps(counts: &[f64]) -> Vec<(f64, f64)> {
    let total: f64 = counts.iter().sum::<f64>().max(1.0);
    let edge = |bucket: usize| 2_f64.powf(bucket as f64 / HISTOGRAM_PER_OCTAVE as f64);
    let bars = counts.iter().enumerate().flat_map(|(bucket, count)| {
        let part = (count / total).max(LEAST);
        [(edge(bucket), part), (edge(bucket + 1), part)]
    });
    bars.filter(|(time, _)| TIMES.contains(time)).collect()
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.0} µs", ns / 1e3),
        ns => format!("{:.0} ms", ns / 1e6),
    }
}
