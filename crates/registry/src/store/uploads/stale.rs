//! Uploads that were abandoned, and the bound on the number of uploads.

use std::time::{Duration, SystemTime};

use futures::{StreamExt, TryStreamExt};
use storage_driver::{StorageDriverExt, UploadInfo};
use tokio::time::Instant;

use super::open_uploads::OpenUpload;
use crate::{
    layout,
    store::{
        base::Store,
        error::{Error, Result},
    },
};

/// How long a count is valid before uploads are counted again because of it.
const RECOUNT: Duration = Duration::from_secs(10);

/// Whether nothing was written to an upload for `ttl`. `now` is by the clock of the store.
pub(in crate::store) fn is_stale(upload: &UploadInfo, ttl: Duration, now: SystemTime) -> bool {
    now.duration_since(upload.modified).unwrap_or_default() >= ttl
}

impl Store {
    /// Room for one more upload.
    ///
    /// # Errors
    ///
    /// [`Error::TooManyUploads`].
    pub(super) async fn reserve_upload(&self) -> Result<OpenUpload<'_>> {
        let limit = self.options.max_open_uploads;
        if let Some(reservation) = self.open_uploads.try_reserve(limit) {
            return Ok(reservation);
        }
        // Other processes may have ended some.
        self.count_uploads(RECOUNT).await?;
        self.open_uploads.try_reserve(limit).ok_or(Error::TooManyUploads { limit })
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

    /// Cancels the uploads to which nothing was written for `ttl`. Returns how many.
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
            if !is_stale(&upload, ttl, self.clock.now()) {
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
