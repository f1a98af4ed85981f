//! [`Job`]: one measurement of a store in memory.

use serde::{Deserialize, Serialize};

use super::{
    jobs,
    subject::Subject,
    subjects::{Naive, ObjectStore, Opendal, Ours},
};
use crate::harness::{Figures, Measure, Who};

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub enum Job {
    Upload(jobs::Upload),
    WriteOwned(jobs::WriteOwned),
    Publish(jobs::Publish),
    Range(jobs::Range),
    Allocation(jobs::Allocation),
    Churn(jobs::Churn),
    Emptying(jobs::Emptying),
    Growing(jobs::Growing),
    Objects(jobs::Objects),
    Listing(jobs::Listing),
    Mixed(jobs::Mixed),
    UnderLoad(jobs::UnderLoad),
    Fork(jobs::Fork),
    Timeline(jobs::Timeline),
}

impl Measure for Job {
    fn run(&self, who: Who) -> Figures {
        match (self, who) {
            (Self::Publish(job), Who::Ours) => job.ours(),
            (Self::Growing(job), Who::Ours) => job.ours(),
            (Self::Growing(job), _) => job.vec(),
            (_, Who::Ours) => self.on::<Ours>(),
            (_, Who::ObjectStore) => self.on::<ObjectStore>(),
            (_, Who::Opendal) => self.on::<Opendal>(),
            (_, Who::Naive) => self.on::<Naive>(),
            (Self::Upload(job), Who::Tmpfs) => job.tmpfs(),
            (Self::Upload(job), limit) => job.limit(limit),
            (Self::Range(job), Who::Slice) => job.limit(),
            _ => Figures::default(),
        }
    }
}

impl Job {
    fn on<S: Subject>(&self) -> Figures {
        match self {
            Self::Upload(job) => job.run::<S>(),
            Self::WriteOwned(job) => job.run::<S>(),
            Self::Publish(job) => job.run::<S>(),
            Self::Range(job) => job.run::<S>(),
            Self::Allocation(job) => job.run::<S>(),
            Self::Churn(job) => job.run::<S>(),
            Self::Emptying(job) => job.run::<S>(),
            // It has no store but ours.
            Self::Growing(job) => job.vec(),
            Self::Objects(job) => job.run::<S>(),
            Self::Listing(job) => job.run::<S>(),
            Self::Mixed(job) => job.run::<S>(),
            Self::UnderLoad(job) => job.run::<S>(),
            Self::Fork(job) => job.run::<S>(),
            Self::Timeline(job) => job.run::<S>(),
        }
    }
}
