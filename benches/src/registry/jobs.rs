//! The jobs, a file each.
//!
//! Each reports the client's share of the processor time of both as `client`, and, if a phase did not end within
//! [`DEADLINE`], that time limit in seconds as `late`; its other figures are left out then.

mod chunks;
mod costs;
mod deletion;
mod lists;
mod requests;
mod streams;
mod zb;

use std::time::Duration;

use futures::future::join_all;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

pub use self::{
    chunks::Chunks,
    costs::Costs,
    deletion::Deletion,
    lists::Lists,
    requests::Requests,
    streams::Streams,
    zb::{Act, Zb},
};
use super::{
    client::Client,
    limit,
    server::{Server, Spent, Target},
};
use crate::harness::{Figures, LATE, Measure, Who, process, runtime};

/// How long one phase may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub enum Job {
    Streams(Streams),
    Requests(Requests),
    Lists(Lists),
    Deletion(Deletion),
    Chunks(Chunks),
    Costs(Costs),
    Zb(Zb),
}

impl Measure for Job {
    fn run(&self, who: Who) -> Figures {
        runtime::client().block_on(async {
            match (self, who) {
                (Self::Streams(job), Who::Loopback) => limit::loopback(job.count),
                (Self::Streams(job), Who::Sha2) => limit::hash(job.count),
                (_, Who::Ours | Who::Distribution) => self.on(who).await,
                _ => Figures::default(),
            }
        })
    }
}

impl Job {
    async fn on(&self, who: Who) -> Figures {
        match self {
            Self::Streams(job) => job.run(who).await,
            Self::Requests(job) => job.run(who).await,
            Self::Lists(job) => job.run(who).await,
            Self::Deletion(job) => job.run(who).await,
            Self::Chunks(job) => job.run(who).await,
            Self::Costs(job) => job.run(who).await,
            Self::Zb(job) => job.run(who).await,
        }
    }
}

/// A registry, and its figures so far.
struct Measured {
    server: Server,
    figures: Figures,
    late: bool,
}

impl Measured {
    fn new(who: Who, target: &Target) -> Self {
        Self { server: Server::start(who, target), figures: Figures::default(), late: false }
    }

    /// Runs `phase`, if all phases before it ended in time, and makes `figures` of its result.
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

    /// Runs `work`, and adds how many requests the registry sent to its bucket meanwhile.
    async fn counted(&mut self, name: &str, work: impl Future<Output = ()>) {
        let before = self.server.requests();
        self.phase(work, |figures, ()| figures).await;
        if !self.late {
            self.add(name, self.server.requests() - before);
        }
    }

    /// Adds what the registry has taken since `before`, for each of so many units: seconds of processor time as
    /// `NAME cpu`, context switches as `NAME switches`.
    fn add_spent(&mut self, name: &str, before: Spent, units: f64) {
        if !self.late {
            let now = self.server.spent();
            self.add(&format!("{name} cpu"), (now.seconds - before.seconds) / units);
            self.add(&format!("{name} switches"), (now.switches - before.switches) / units);
        }
    }

    fn add(&mut self, name: &str, number: f64) {
        self.figures = std::mem::take(&mut self.figures).with(name, number);
    }

    fn end(mut self) -> Figures {
        let client = process::worked();
        self.add("client", client / (client + self.server.spent().seconds));
        self.figures
    }
}

/// Calls `push` for each number below `count`, by all clients at once.
async fn fill(clients: &mut [Client], count: usize, push: impl AsyncFn(&mut Client, usize)) {
    let (push, step) = (&push, clients.len());
    join_all(clients.iter_mut().enumerate().map(async |(at, client)| {
        for number in (at..count).step_by(step) {
            push(client, number).await;
        }
    }))
    .await;
}
