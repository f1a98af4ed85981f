//! [`Skipped`]: the files that a collection passed over.

use std::collections::HashSet;

use storage_driver::{ErrorKind, Path};

use crate::{digest::Digest, name::Name, store::files::warn_unreadable};

pub(super) type Result<T, E = storage_driver::Error> = std::result::Result<T, E>;

/// The manifests that a dry run treats as deleted.
pub(super) type Gone = HashSet<(Name, Digest)>;

/// The files that a collection could not read or delete.
#[derive(Default)]
pub(super) struct Skipped(HashSet<Path>);

impl Skipped {
    /// The number of files.
    pub(super) fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// Adds a file, and logs it once.
    pub(super) fn add(&mut self, path: &Path, error: &storage_driver::Error) {
        if self.0.insert(path.clone()) {
            warn_unreadable(path, error);
        }
    }

    /// The outcome for one file, if the collection can continue.
    pub(super) fn pass<T>(&mut self, path: &Path, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Err(error) if !error.is_retryable() => {
                self.add(path, &error);
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }
}

pub(super) fn corrupted(cause: &'static str) -> storage_driver::Error {
    storage_driver::Error::new(ErrorKind::Corrupted).with_source(cause)
}
