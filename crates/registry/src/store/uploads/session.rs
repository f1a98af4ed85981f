//! [`Session`]: what requests on the same upload share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage_driver::ErrorKind;
use uuid::Uuid;

use crate::{digest::Hasher, error::Result};

/// The uploads on which requests are under way.
#[derive(Debug, Default)]
pub(in crate::store) struct Uploads(Mutex<HashMap<Uuid, Arc<Session>>>);

/// What requests on the same upload share.
#[derive(Debug, Default)]
pub(super) struct Session {
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

/// A request on an upload, which is in the table as long as this is.
pub(super) struct Entered<'a> {
    uploads: &'a Uploads,
    id: Uuid,
    pub(super) session: Arc<Session>,
}

impl Uploads {
    fn table(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Session>>> {
        // Each entry stands by itself: a panic cannot have left the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, id: Uuid) -> Entered<'_> {
        let session = Arc::clone(self.table().entry(id).or_default());
        Entered { uploads: self, id, session }
    }

    /// Ends the turn of whoever is at it.
    pub(super) fn overtake(&self, id: Uuid) {
        let session = self.table().get(&id).cloned();
        if let Some(session) = session {
            let mut progress = session.progress();
            *progress = Progress { turn: progress.turn + 1, ..Progress::default() };
        }
    }

    /// The size of an upload that requests are under way on.
    pub(super) fn size(&self, id: Uuid) -> Option<u64> {
        let session = self.table().get(&id).cloned()?;
        session.progress().size
    }
}

impl Session {
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        let mut table = self.uploads.table();
        // Clones are made under this lock: the table's and this one are the last.
        if Arc::strong_count(&self.session) == 2 {
            table.remove(&self.id);
        }
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
