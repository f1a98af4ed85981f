//! [`Session`]: what requests on the same upload share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage_driver::{ErrorKind, Path};

use crate::{digest::Hasher, error::Result};

/// The uploads on which requests are under way, by their paths, with how many requests there are on each.
#[derive(Debug, Default)]
pub(in crate::store) struct Uploads(Mutex<HashMap<Path, (Arc<Session>, usize)>>);

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
    path: Path,
    pub(super) session: Arc<Session>,
}

impl Uploads {
    fn table(&self) -> MutexGuard<'_, HashMap<Path, (Arc<Session>, usize)>> {
        // Each entry stands by itself: a panic cannot have left the map half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, path: Path) -> Entered<'_> {
        let mut table = self.table();
        let (session, requests) = table.entry(path.clone()).or_default();
        *requests += 1;
        Entered { uploads: self, path, session: Arc::clone(session) }
    }

    fn get(&self, path: &Path) -> Option<Arc<Session>> {
        self.table().get(path).map(|(session, _)| Arc::clone(session))
    }

    /// Ends the turn of whoever is at it.
    pub(super) fn overtake(&self, path: &Path) {
        if let Some(session) = self.get(path) {
            let mut progress = session.progress();
            *progress = Progress { turn: progress.turn + 1, ..Progress::default() };
        }
    }

    /// The size of an upload that requests are under way on.
    pub(super) fn size(&self, path: &Path) -> Option<u64> {
        self.get(path)?.progress().size
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
        if let Some((_, requests)) = table.get_mut(&self.path) {
            *requests -= 1;
            if *requests == 0 {
                table.remove(&self.path);
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_is_in_the_table_as_long_as_a_request_is_on_it() {
        let (uploads, path) = (Uploads::default(), Path::new("/upload").unwrap());
        let first = uploads.enter(path.clone());
        first.session.progress().size = Some(1);
        let second = uploads.enter(path.clone());
        // Somebody asks at the moment in which both go.
        let asked = uploads.get(&path);
        drop(first);
        assert_eq!(uploads.size(&path), Some(1));
        drop(second);
        assert!(asked.is_some() && uploads.size(&path).is_none() && uploads.table().is_empty());
    }
}
