//! [`Measurements`]: the figures of many jobs.

use std::collections::BTreeMap;

use super::{
    child::Measure,
    clock::middle,
    figures::{Figures, LATE},
    who::Who,
};

/// Figures of jobs and subjects.
#[derive(Debug, Default)]
pub struct Measurements(BTreeMap<(String, Who), Vec<Figures>>);

impl Measurements {
    /// Measures each of `wanted` so many times, each in a separate process. All are measured once before any is
    /// measured again, and the subjects of a job one after the other, so that noise affects all alike. A
    /// subject that exceeded its time limit is not measured again.
    pub fn take<J: Measure>(wanted: Vec<(J, Who)>, runs: usize) -> Self {
        let mut jobs: Vec<(String, Vec<(J, Who)>)> = Vec::new();
        for (job, who) in wanted {
            let name = name(&job);
            match jobs.iter_mut().find(|(of, _)| *of == name) {
                Some((_, all)) if all.iter().any(|&(_, there)| there == who) => {}
                Some((_, all)) => all.push((job, who)),
                None => jobs.push((name, vec![(job, who)])),
            }
        }
        let total = jobs.iter().map(|(_, all)| all.len()).sum::<usize>() * runs;
        let mut done = 0;
        let mut taken = Self::default();
        for _ in 0..runs {
            for (job, who) in jobs.iter().flat_map(|(_, all)| all) {
                done += 1;
                if taken.number(job, *who, LATE).is_some() {
                    continue;
                }
                eprintln!("{done}/{total}: {} {}", who.name(), name(job));
                let figures = job.measure(*who);
                taken.0.entry((name(job), *who)).or_default().push(figures);
            }
        }
        taken
    }

    /// The median of a number.
    pub fn number(&self, job: &impl Measure, who: Who, number: &str) -> Option<f64> {
        let runs = self.0.get(&(name(job), who))?;
        let mut numbers: Vec<f64> =
            runs.iter().filter_map(|figures| figures.numbers.get(number).copied()).collect();
        (!numbers.is_empty()).then(|| middle(&mut numbers))
    }

    /// A series, of the last run.
    pub fn series(&self, job: &impl Measure, who: Who, series: &str) -> Option<&[f64]> {
        let figures = self.0.get(&(name(job), who))?.last()?;
        figures.series.get(series).map(Vec::as_slice)
    }
}

fn name(job: &impl Measure) -> String {
    serde_json::to_string(job).expect("it can be written")
}
