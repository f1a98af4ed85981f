//! [`Job`] and [`Who`]: one measurement of one subject, in a process of its own.

use std::{env, process::Command};

use serde::{Deserialize, Serialize};

use crate::{Figures, Naive, ObjectStore, Opendal, Ours, Subject, disk, jobs, registry};

/// The first argument of a process that is to measure.
const MEASURE: &str = "--measure";

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "see what each holds")]
pub enum Job {
    Upload(jobs::Upload),
    HandOver(jobs::HandOver),
    Publish(jobs::Publish),
    Range(jobs::Range),
    Allocation(jobs::Allocation),
    Objects(jobs::Objects),
    Listing(jobs::Listing),
    Mixed(jobs::Mixed),
    Beside(jobs::Beside),
    Fork(jobs::Fork),
    Timeline(jobs::Timeline),
    Disk(disk::Job),
    Registry(registry::Job),
}

/// Who is measured: a limit, a peer, or ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Who {
    /// `memcpy` into fresh memory of small pages.
    Small,
    /// `memcpy` into fresh memory, populated 2 MiB at a time.
    Populated,
    /// `memcpy` into fresh memory of huge pages.
    Huge,
    /// `memcpy` into memory that has been used.
    Touched,
    /// A slice of one contiguous buffer.
    Slice,
    /// A file in `/dev/shm`.
    Tmpfs,
    /// `std::fs` on a thread that waits.
    Plain,
    /// `tokio::fs`, by hand.
    Tokio,
    /// `object_store`.
    ObjectStore,
    /// `opendal`.
    Opendal,
    /// A map of vectors under a lock.
    Naive,
    /// TCP between two threads.
    Loopback,
    /// SHA-256 by `sha2`.
    Sha2,
    /// CNCF distribution's registry, as Debian has it.
    Distribution,
    /// The driver: in memory, or on a disk; or the registry.
    Ours,
}

impl Who {
    /// The peers that are stores.
    pub const PEERS: [Self; 3] = [Self::ObjectStore, Self::Opendal, Self::Naive];

    /// As it stands in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "small pages",
            Self::Populated => "populated",
            Self::Huge => "huge pages",
            Self::Touched => "touched",
            Self::Slice => "slice",
            Self::Tmpfs => "tmpfs",
            Self::Plain => "plain",
            Self::Tokio => "tokio::fs",
            Self::ObjectStore => "object_store",
            Self::Opendal => "opendal",
            Self::Naive => "naive",
            Self::Loopback => "loopback",
            Self::Sha2 => "sha2",
            Self::Distribution => "docker-registry",
            Self::Ours => "ours",
        }
    }
}

impl Job {
    /// Measures here. What `who` cannot do brings no figures.
    fn run(&self, who: Who) -> Figures {
        match (self, who) {
            (Self::Disk(job), who) => job.run(who),
            (Self::Registry(job), who) => job.run(who),
            (Self::Publish(job), Who::Ours) => job.ours(),
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

    fn on<S: Subject>(&self) -> Figures {
        match self {
            Self::Upload(job) => job.run::<S>(),
            Self::HandOver(job) => job.run::<S>(),
            Self::Publish(job) => job.run::<S>(),
            Self::Range(job) => job.run::<S>(),
            Self::Allocation(job) => job.run::<S>(),
            Self::Objects(job) => job.run::<S>(),
            Self::Listing(job) => job.run::<S>(),
            Self::Mixed(job) => job.run::<S>(),
            Self::Beside(job) => job.run::<S>(),
            Self::Fork(job) => job.run::<S>(),
            Self::Timeline(job) => job.run::<S>(),
            // Their subjects are others.
            Self::Disk(_) | Self::Registry(_) => Figures::default(),
        }
    }

    /// Measures in a process of its own, which is this program again. One that fails, because
    /// memory ran out for example, is told of and brings no figures.
    pub fn measure(&self, who: Who) -> Figures {
        let job = serde_json::to_string(&(self, who)).expect("it can be written");
        let program = env::current_exe().expect("this program is known");
        let output = Command::new(program).arg(MEASURE).arg(&job).output();
        let output = output.expect("this program can be run");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| {
            let why = String::from_utf8_lossy(&output.stderr);
            let why: Vec<&str> = why.lines().take(3).collect();
            eprintln!("{job} failed ({}): {}", output.status, why.join(" "));
            Figures::default()
        })
    }
}

/// To be called first by a program that measures: does it, and returns true, if this process was
/// made for that.
#[expect(clippy::print_stdout, reason = "that is how the figures get back")]
pub fn run_if_asked() -> bool {
    let mut arguments = env::args().skip(1);
    if arguments.next().as_deref() != Some(MEASURE) {
        return false;
    }
    let job = arguments.next().expect("there is a job");
    let (job, who): (Job, Who) = serde_json::from_str(&job).expect("it is a job");
    println!("{}", serde_json::to_string(&job.run(who)).expect("it can be written"));
    true
}
