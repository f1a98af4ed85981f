//! [`OpenUploads`]: how many uploads are in progress.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The number of uploads in progress in the store, as far as this process knows: the last count, plus the uploads that
/// this process began since, minus those that it ended.
///
/// Each of several nodes has its own. An upload that another node began or ended is noticed with the next count.
///
/// They are counted with each sweep of stale uploads, and before an upload is refused, so that the beginning of an
/// upload needs no listing.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenUploads {
    open: Mutex<usize>,
    pub(super) counted: tokio::sync::Mutex<Option<Instant>>,
}

/// One counted upload. Dropping it takes it back.
pub(super) struct OpenUpload<'a>(&'a OpenUploads);

impl OpenUploads {
    pub(super) fn open(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn try_reserve(&self, limit: usize) -> Option<OpenUpload<'_>> {
        let mut open = self.open();
        (*open < limit).then(|| {
            *open += 1;
            OpenUpload(self)
        })
    }

    /// An upload was published or cancelled.
    pub(super) fn ended(&self) {
        let mut open = self.open();
        *open = open.saturating_sub(1);
    }
}

impl OpenUpload<'_> {
    /// Counts the upload until it ends.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for OpenUpload<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}
