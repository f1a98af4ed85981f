//! [`UploadSession`]: the state that concurrent requests on the same upload share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use storage_driver::Path;

use crate::store::{
    error::{Error, Result},
    keyed::{InUse, Keyed},
};

/// The uploads that requests are working on, by their paths.
#[derive(Debug, Default)]
pub(in crate::store) struct UploadSessions(Keyed<Path, UploadSession>);

/// A session that is in the table until this is dropped.
pub(super) type SessionGuard<'a> = InUse<'a, Path, UploadSession>;

/// The state that requests on the same upload share.
#[derive(Debug, Default)]
pub(in crate::store) struct UploadSession {
    progress: Mutex<Progress>,
    /// Held while a writer is opened, so that a request that is superseded opens none.
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The lease of the request that may add data: the latest. The driver fences the writers of the others,
    /// but may notice as late as their next sync.
    pub(super) lease: u64,
    /// How much the driver has accepted; unknown until a writer was opened.
    pub(super) size: Option<u64>,
}

impl UploadSessions {
    pub(super) fn enter(&self, path: Path) -> SessionGuard<'_> {
        self.0.enter(path)
    }

    /// Ends the current lease of an upload.
    pub(super) fn supersede(&self, path: &Path) {
        if let Some(session) = self.0.get(path) {
            let mut progress = session.progress();
            *progress = Progress { lease: progress.lease + 1, size: None };
        }
    }

    /// The size of an upload that requests are working on.
    pub(super) fn size(&self, path: &Path) -> Option<u64> {
        self.0.get(path)?.progress().size
    }
}

impl UploadSession {
    pub(super) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress {
    /// # Errors
    ///
    /// [`Error::Superseded`] if another request has a later lease.
    pub(super) fn check(&self, lease: u64) -> Result<()> {
        if self.lease == lease { Ok(()) } else { Err(Error::Superseded) }
    }
}
