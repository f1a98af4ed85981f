//! The cancellation of old uploads.

use std::{sync::Arc, time::Duration};

use storage_driver::{Path, Result};

use crate::{
    deferred_drop::DeferredDrop,
    job::Job,
    state::State,
    store::Store,
    time::Timestamp,
    upload::Upload,
    uploads::{Below, RemovedUploads, Uploads},
    work::ENTRIES,
};

impl Store {
    /// Cancels the uploads at and below a path to which nothing was written for some time; returns how many.
    pub(crate) async fn cancel_uploads(
        &self,
        path: &Path,
        older_than: Duration,
    ) -> Result<(u64, DeferredDrop)> {
        let now = self.now();
        self.run(|state| CancelUploads::new(path, older_than, now, state)).await
    }
}

/// Cancels the uploads to which nothing was written for some time.
struct CancelUploads {
    now: Timestamp,
    older_than: Duration,
    /// Those that were not looked at yet.
    rest: Below,
    /// The table without those that are cancelled. At the end, the table that the store had before.
    table: Uploads,
    cancelled: Uploads,
    count: u64,
    done: bool,
}

impl CancelUploads {
    fn new(path: &Path, older_than: Duration, now: Timestamp, state: &State) -> Self {
        let (rest, table) = (state.uploads().below(path, None), state.uploads().clone());
        let cancelled = Uploads::default();
        Self { now, older_than, rest, table, cancelled, count: 0, done: false }
    }
}

impl Job for CancelUploads {
    fn advance(&mut self, state: &mut State) -> Option<Result<u64>> {
        for upload in self.rest.by_ref().take(ENTRIES) {
            if self.now.since(upload.modified()) >= self.older_than && self.table.remove(&upload) {
                self.cancelled.insert(upload);
                self.count += 1;
            }
        }
        if !self.rest.is_at_end() {
            return None;
        }
        state.replace_uploads(&mut self.table);
        self.done = true;
        Some(Ok(self.count))
    }

    fn spare(&mut self, upload: &Arc<Upload>) {
        if self.cancelled.remove(upload) {
            self.table.insert(Arc::clone(upload));
            self.count -= 1;
        }
    }

    fn into_deferred(self: Box<Self>) -> DeferredDrop {
        let mut deferred = DeferredDrop::default();
        deferred.add_table(self.rest.into_table());
        deferred.add_table(self.table);
        if self.done {
            deferred.add_cancelled(RemovedUploads::Many(self.cancelled));
        } else {
            deferred.add_table(self.cancelled);
        }
        deferred
    }
}
