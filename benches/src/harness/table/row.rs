//! [`Row`]: one line of the table.

use super::{
    Unit,
    goal::{Against, Goal, Verdict},
};
use crate::harness::{LATE, Measure, Measurements, Who};

/// One line: a number of a job, for ours, the limits and the peers.
#[derive(Debug, Clone)]
pub struct Row<J> {
    /// The group for `--only`: the lines of one job or of similar ones.
    pub group: &'static str,
    /// The measurement in words.
    pub label: String,
    /// The job that has the number.
    pub job: J,
    /// The name of the number in the figures of the job.
    pub number: &'static str,
    /// The unit of the number.
    pub unit: Unit,
    /// The job whose number it is divided by, if it is a ratio of two.
    pub per: Option<J>,
    /// The limits of the machine, the best of which counts.
    pub limits: Vec<Who>,
    /// The peers.
    pub peers: Vec<Who>,
    /// The goal.
    pub goal: Goal,
    /// A second goal.
    pub also: Option<Goal>,
}

impl<J: Measure> Row<J> {
    /// A line without a limit, with all peers that are stores.
    pub fn new(
        group: &'static str,
        label: impl Into<String>,
        job: J,
        (number, unit): (&'static str, Unit),
        goal: Goal,
    ) -> Self {
        let (label, peers) = (label.into(), Who::PEERS.to_vec());
        let (per, limits, also) = (None, Vec::new(), None);
        Self { group, label, job, number, unit, per, limits, peers, goal, also }
    }

    /// With these limits.
    #[must_use]
    pub fn limits(mut self, limits: &[Who]) -> Self {
        self.limits = limits.to_vec();
        self
    }

    /// UnderLoad these, and no others.
    #[must_use]
    pub fn peers(mut self, peers: &[Who]) -> Self {
        self.peers = peers.to_vec();
        self
    }

    /// Divided by the same number of `job`.
    #[must_use]
    pub fn per(mut self, job: J) -> Self {
        self.per = Some(job);
        self
    }

    /// With a second goal.
    #[must_use]
    pub fn also(mut self, goal: Goal) -> Self {
        self.also = Some(goal);
        self
    }

    /// All subjects in it.
    pub fn subjects(&self) -> impl Iterator<Item = Who> {
        self.limits.iter().chain(&self.peers).copied().chain([Who::Ours])
    }

    /// The measurements that it needs.
    pub fn wanted(&self) -> impl Iterator<Item = (J, Who)> {
        let jobs = [Some(&self.job), self.per.as_ref()].into_iter().flatten();
        jobs.flat_map(|job| self.subjects().map(|who| (job.clone(), who)))
    }

    /// The number of `who`.
    pub fn of(&self, who: Who, measured: &Measurements) -> Option<f64> {
        let number = measured.number(&self.job, who, self.number)?;
        match &self.per {
            None => Some(number),
            Some(per) => Some(number / measured.number(per, who, self.number)?),
        }
    }

    /// The time limit in seconds that `who` exceeded.
    pub fn late(&self, who: Who, measured: &Measurements) -> Option<f64> {
        measured.number(&self.job, who, LATE)
    }

    /// The best limit, and which it is.
    pub fn limit(&self, measured: &Measurements) -> Option<(Who, f64)> {
        let limits = self.limits.iter().filter_map(|&who| Some((who, self.of(who, measured)?)));
        limits.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// The goals.
    pub fn goals(&self) -> impl Iterator<Item = Goal> {
        [Some(self.goal), self.also].into_iter().flatten()
    }

    /// For each goal, ours as a multiple of its reference, and whether the goal is met.
    pub fn verdicts(&self, measured: &Measurements) -> Vec<(Option<f64>, Verdict)> {
        // A file system is no peer of stores in memory: it is shown only.
        let peers = || {
            let stores = self.peers.iter().filter(|&&who| who != Who::Tmpfs);
            stores.filter_map(|&who| self.of(who, measured))
        };
        let against = Against {
            limit: self.limit(measured).map(|(_, number)| number),
            least: peers().min_by(f64::total_cmp),
            most: peers().max_by(f64::total_cmp),
            store: self.of(Who::ObjectStore, measured),
        };
        let ours = self.of(Who::Ours, measured);
        let verdict = |goal: Goal| {
            let ratio = ours.zip(goal.reference(&against)).map(|(ours, of)| ours / of);
            (ratio.filter(|ratio| ratio.is_finite()), goal.verdict(ours, &against))
        };
        self.goals().map(verdict).collect()
    }
}
