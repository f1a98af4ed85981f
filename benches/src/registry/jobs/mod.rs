//! What is measured, a file each.
//!
//! Each says how much of the processor time of both the client took, as `client`, and if a phase was
//! not over within [`DEADLINE`], that as `late`, in seconds; what else it would have said is left out.

mod lists;
mod requests;
mod streams;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::timeout;

pub use self::{lists::Lists, requests::Requests, streams::Streams};
use super::{
    limit,
    server::{Server, Target},
};
use crate::{Figures, Who, figures::LATE, process, runtime};

/// How long one phase may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see what each holds")]
pub enum Job {
    Streams(Streams),
    Requests(Requests),
    Lists(Lists),
}

impl Job {
    /// Measures here.
    pub(crate) fn run(&self, who: Who) -> Figures {
        runtime::client().block_on(async {
            match (self, who) {
                (Self::Streams(job), Who::Loopback) => limit::loopback(job.count),
                (Self::Streams(job), Who::Sha2) => limit::hash(job.count),
                (_, Who::Ours | Who::Distribution) => self.on(who).await,
                _ => Figures::default(),
            }
        })
    }

    async fn on(&self, who: Who) -> Figures {
        match self {
            Self::Streams(job) => job.run(who).await,
            Self::Requests(job) => job.run(who).await,
            Self::Lists(job) => job.run(who).await,
        }
    }
}

/// A registry, and the figures that it has brought.
struct Measured {
    server: Server,
    figures: Figures,
    late: bool,
}

impl Measured {
    fn new(who: Who, target: &Target) -> Self {
        Self { server: Server::start(who, target), figures: Figures::default(), late: false }
    }

    /// Does `phase`, if all before it were over in time; then has `figures` of what it returns.
    async fn phase<T>(
        &mut self,
        phase: impl Future<Output = T>,
        figures: impl FnOnce(Figures, T) -> Figures,
    ) {
        if self.late {
            return;
        }
        match timeout(DEADLINE, phase).await {
            Ok(done) => self.figures = figures(std::mem::take(&mut self.figures), done),
            Err(_) => {
                self.late = true;
                self.add(LATE, DEADLINE.as_secs_f64());
            }
        }
    }

    fn add(&mut self, name: &str, number: f64) {
        self.figures = std::mem::take(&mut self.figures).with(name, number);
    }

    fn end(mut self) -> Figures {
        let client = process::worked();
        self.add("client", client / (client + self.server.worked()));
        self.figures
    }
}
