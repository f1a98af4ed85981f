//! The jobs, a file each. Each reports the peak of resident memory of its process, in bytes, as `peak`.

mod download;
mod listing;
mod puts;
mod range;
mod upload;

use std::{
    fs,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use serde::{Deserialize, Serialize};

pub use self::{download::Download, listing::Listing, puts::Puts, range::Range, upload::Upload};
use super::{
    fixture,
    subject::Subject,
    subjects::{ObjectStore, Opendal, Ours, Plain, Tokio},
};
use crate::harness::{Figures, Measure, Who};

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is documented where it is defined")]
pub enum Job {
    Upload(Upload),
    Download(Download),
    Range(Range),
    Puts(Puts),
    Listing(Listing),
}

impl Measure for Job {
    fn run(&self, who: Who) -> Figures {
        match who {
            Who::Plain => self.on::<Plain>(),
            Who::Tokio => self.on::<Tokio>(),
            Who::ObjectStore => self.on::<ObjectStore>(),
            Who::Opendal => self.on::<Opendal>(),
            Who::Ours => self.on::<Ours>(),
            _ => Figures::default(),
        }
    }
}

impl Job {
    /// Makes the files that are read, if they are missing.
    pub fn prepare(&self) {
        match self {
            Self::Upload(_) | Self::Puts(_) => {}
            Self::Download(job) => drop(fixture::blob(&job.dir, job.size)),
            Self::Range(job) => drop(fixture::blob(&job.dir, job.size)),
            Self::Listing(job) => drop(fixture::files(&job.dir, job.count)),
        }
    }

    fn on<S: Subject>(&self) -> Figures {
        match self {
            Self::Upload(job) => job.run::<S>(),
            Self::Download(job) => job.run::<S>(),
            Self::Range(job) => job.run::<S>(),
            Self::Puts(job) => job.run::<S>(),
            Self::Listing(job) => job.run::<S>(),
        }
    }
}

/// A root with one empty directory in it.
struct Root {
    path: PathBuf,
    /// Whether it is removed when it is dropped, and not with the place where it is.
    removed: bool,
}

impl Root {
    /// A new one below `above`.
    fn new(above: &Path, dir: &str, removed: bool) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("root-{}-{}", process::id(), NEXT.fetch_add(1, Relaxed));
        let path = above.join(name);
        fs::create_dir_all(path.join(dir)).expect("it can be created");
        Self { path, removed }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if !self.removed {
            return;
        }
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} could not be removed: {error}", self.path.display());
        }
    }
}
