//! [`UploadSession`]: what concurrent requests on the same upload of this node share.

use std::sync::atomic::{AtomicU64, Ordering};

use storage_driver::Path;

use crate::store::{
    error::{Error, Result},
    keyed::{InUse, Keyed},
};

/// The uploads that requests of this node are working on, by their paths.
///
/// It is an economy: a request whose client has reconnected to the same node ends at once. The driver decides who may
/// write to an upload, and how much it has.
#[derive(Debug, Default)]
pub(in crate::store) struct UploadSessions(Keyed<Path, UploadSession>);

/// A session that is in the table until this is dropped.
pub(super) type SessionGuard<'a> = InUse<'a, Path, UploadSession>;

/// The state that requests on the same upload share.
#[derive(Debug, Default)]
pub(in crate::store) struct UploadSession {
    /// The request that may add data: the latest. The driver fences the writers of the others, but may notice as late
    /// as their next sync.
    lease: AtomicU64,
    /// Held while a writer is opened, so that the latest writer and the latest lease belong to the same request.
    pub(super) opening: tokio::sync::Mutex<()>,
}

impl UploadSessions {
    pub(super) fn enter(&self, path: Path) -> SessionGuard<'_> {
        self.0.enter(path)
    }

    /// Ends the current lease of an upload.
    pub(super) fn supersede(&self, path: &Path) {
        if let Some(session) = self.0.get(path) {
            session.supersede();
        }
    }
}

impl UploadSession {
    /// Ends the current lease, and returns the next.
    pub(super) fn supersede(&self) -> u64 {
        self.lease.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// # Errors
    ///
    /// [`Error::Superseded`] if another request has a later lease.
    pub(super) fn check(&self, lease: u64) -> Result<()> {
        match self.lease.load(Ordering::Relaxed) {
            latest if latest == lease => Ok(()),
            _ => Err(Error::Superseded),
        }
    }
}
