//! The jobs, a file each.
//!
//! Each reports, next to its own figures, `peak`: the most that the process of the subject had in memory, in bytes.

mod listing;
mod small;
mod streams;

use serde::{Deserialize, Serialize};

pub use self::{listing::Listing, small::Small, streams::Streams};
use super::{
    subject::Subject,
    subjects::{ObjectStore, Opendal, Ours},
};
use crate::harness::{Figures, Measure, Who, process, runtime, script::Script};

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub enum Job {
    Streams(Streams),
    Small(Small),
    Listing(Listing),
}

impl Measure for Job {
    fn run(&self, who: Who) -> Figures {
        match who {
            Who::ObjectStore => self.on::<ObjectStore>(),
            Who::Opendal => self.on::<Opendal>(),
            Who::Ours => self.on::<Ours>(),
            _ => Figures::default(),
        }
    }
}

impl Job {
    fn on<S: Subject>(&self) -> Figures {
        // What is replaced is kept for a while, so there has to be room for more than is stored.
        let server = Script::start("ceph", &[("MEGABYTES", "10240")]);
        runtime::clients(2).block_on(async {
            let store = S::open(&server).await;
            process::forget_peak();
            let figures = match self {
                Self::Streams(job) => job.run(store).await,
                Self::Small(job) => job.run(store).await,
                Self::Listing(job) => job.run(store).await,
            };
            figures.with("peak", process::peak() as f64)
        })
    }
}
