//! [`OpenUploads`]: how many uploads are in progress, and the bound on them.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt};
use storage_driver::{StorageDriverExt, UploadInfo};
use tokio::time::Instant;

use crate::{
    error::{Code, Error, Result},
    layout,
    store::Store,
};

/// How long a count stands before uploads are counted again because of it.
const RECOUNT: Duration = Duration::from_secs(10);

/// When a client may try again.
const RETRY: Duration = Duration::from_secs(60);

/// How many uploads are in progress in the store, as far as this process knows: as many as were there
/// when they were last counted, with those that it began and without those that it ended since.
///
/// They are counted with each sweep of stale uploads, and before one is refused. To begin an upload
/// costs no listing.
#[derive(Debug, Default)]
pub(in crate::store) struct OpenUploads {
    open: Mutex<usize>,
    counted: tokio::sync::Mutex<Option<Instant>>,
}

/// Room for one upload, which is given back on drop.
pub(super) struct Reservation<'a>(&'a OpenUploads);

impl OpenUploads {
    fn open(&self) -> MutexGuard<'_, usize> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_reserve(&self, limit: usize) -> Option<Reservation<'_>> {
        let mut open = self.open();
        (*open < limit).then(|| {
            *open += 1;
            Reservation(self)
        })
    }

    /// An upload was published or cancelled.
    pub(super) fn ended(&self) {
        let mut open = self.open();
        *open = open.saturating_sub(1);
    }
}

impl Reservation<'_> {
    /// The upload has begun.
    pub(super) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.0.ended();
    }
}

/// Whether nothing was written to an upload for `ttl`.
pub(in crate::store) fn is_stale(upload: &UploadInfo, ttl: Duration) -> bool {
    std::time::SystemTime::now().duration_since(upload.modified).unwrap_or_default() >= ttl
}

impl Store {
    /// Room for one more upload.
    ///
    /// # Errors
    ///
    /// 429 if there are as many as may be.
    pub(super) async fn reserve_upload(&self) -> Result<Reservation<'_>> {
        let limit = self.options.max_open_uploads;
        if let Some(reservation) = self.open_uploads.try_reserve(limit) {
            return Ok(reservation);
        }
        // Other processes, and clients of theirs, may have ended some.
        self.count_uploads(RECOUNT).await?;
        self.open_uploads.try_reserve(limit).ok_or_else(|| {
            let text =
                format_args!("{limit} uploads are in progress, as many as may be").to_string();
            Error::new(Code::TooManyRequests, text).retry_after(RETRY)
        })
    }

    /// Counts the uploads in progress, if they were not counted for `interval`.
    async fn count_uploads(&self, interval: Duration) -> storage_driver::Result<()> {
        let mut counted = self.open_uploads.counted.lock().await;
        if counted.is_some_and(|counted| counted.elapsed() < interval) {
            return Ok(());
        }
        // More than the limit makes no difference.
        let uploads = self.driver.uploads_all(&layout::repositories());
        let uploads = uploads.take(self.options.max_open_uploads);
        let open = uploads.try_fold(0, async |open, _| Ok(open + 1)).await?;
        *self.open_uploads.open() = open;
        *counted = Some(Instant::now());
        Ok(())
    }

    /// Cancels the uploads to which nothing was written for `ttl`; says how many.
    pub(crate) async fn cancel_stale(&self, ttl: Duration) -> storage_driver::Result<u64> {
        let cancelled = match self.driver.cancel_uploads(&layout::repositories(), ttl).await {
            Err(error) if !error.is_retryable() => {
                tracing::warn!(%error, "uploads are cancelled one by one");
                self.cancel_stale_singly(ttl).await?
            }
            cancelled => cancelled?,
        };
        self.count_uploads(Duration::ZERO).await?;
        Ok(cancelled)
    }

    /// As [`cancel_stale`](Self::cancel_stale). An upload that cannot be cancelled stops no other.
    async fn cancel_stale_singly(&self, ttl: Duration) -> storage_driver::Result<u64> {
        let mut uploads = self.driver.uploads_all(&layout::repositories());
        let mut cancelled = 0;
        while let Some(upload) = uploads.try_next().await? {
            if !is_stale(&upload, ttl) {
                continue;
            }
            match self.driver.cancel_upload(&upload.path).await {
                Ok(()) => cancelled += 1,
                Err(error) if error.is_not_found() => {}
                Err(error) if error.is_retryable() => return Err(error),
                Err(error) => {
                    tracing::warn!(path = %upload.path, %error, "this upload cannot be cancelled");
                }
            }
        }
        Ok(cancelled)
    }
}
