//! [`Session`]: what requests on the same upload share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use storage_driver::{ErrorKind, Path};

use crate::{
    digest::Hasher,
    error::Result,
    store::keyed::{self, Keyed},
};

/// The uploads on which requests are under way, by their paths.
#[derive(Debug, Default)]
pub(in crate::store) struct Uploads(Keyed<Path, Session>);

/// A request on an upload.
pub(super) type Entered<'a> = keyed::Entered<'a, Path, Session>;

/// What requests on the same upload share.
#[derive(Debug, Default)]
pub(in crate::store) struct Session {
    pub(super) progress: Mutex<Progress>,
    /// Held while a writer is opened, so that a request that was overtaken opens none.
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The request that may add to it: the latest. The driver fences the writers of the others, but
    /// may notice as late as their next sync.
    pub(super) turn: u64,
    /// How much the driver has accepted; unknown until it was opened.
    pub(super) size: Option<u64>,
    /// The digest of that, where it is known.
    pub(super) hasher: Option<Hasher>,
    /// At which size the digest was saved.
    pub(super) saved: Option<u64>,
}

impl Uploads {
    pub(super) fn enter(&self, path: Path) -> Entered<'_> {
        self.0.enter(path)
    }

    /// Ends the turn of whoever is at it.
    pub(super) fn overtake(&self, path: &Path) {
        if let Some(session) = self.0.get(path) {
            let mut progress = session.progress();
            *progress = Progress { turn: progress.turn + 1, ..Progress::default() };
        }
    }

    /// The size of an upload that requests are under way on.
    pub(super) fn size(&self, path: &Path) -> Option<u64> {
        self.0.get(path)?.progress().size
    }
}

impl Session {
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    pub(super) fn check(&self, turn: u64) -> Result<()> {
        if self.turn == turn {
            return Ok(());
        }
        Err(storage_driver::Error::new(ErrorKind::WriterFenced).into())
    }
}
