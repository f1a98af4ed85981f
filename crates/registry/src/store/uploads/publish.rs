//! The end of an upload: its digest is checked, and it becomes a blob.

use futures::TryStreamExt;
use storage_driver::{Path, Precondition, ReadRange, StorageDriverExt};

use super::{
    lease::UploadLease,
    upload::{Upload, UploadError},
};
use crate::{
    digest::{Digest, Hasher},
    layout,
    store::{
        base::{Hold, Store},
        error::{DigestMismatch, Error, Result},
        files::retry,
    },
};

impl UploadLease<'_> {
    /// Publishes the upload if its digest is `expected`.
    pub(super) async fn finish(self, expected: &Digest) -> Result<(), UploadError> {
        self.check()?;
        match self.hasher().map(Hasher::digest) {
            Some(digest) if digest == *expected => Ok(self.publish(expected).await?),
            Some(found) if found.algorithm() == expected.algorithm() => {
                let expected = *expected;
                let error = DigestMismatch { found, expected, is_deleted: false }.into();
                self.keep(Err(error)).await.map(drop)
            }
            _ => Ok(self.publish_by_reading(expected).await?),
        }
    }

    async fn publish(self, digest: &Digest) -> Result<()> {
        let Self { store, upload, writer, is_reopened, .. } = self;
        let (blob, size) = (layout::blob(digest), writer.size());
        // The link first: a published blob is then never without one, and an upload that fails to be
        // published can be finished again. A link to nothing is invisible.
        let link = layout::layer(&upload.name, digest);
        retry(|| store.put_link(&link, digest)).await?;
        let mut writer = writer;
        let mut may_retry = true;
        let mut precondition = match store.capabilities.conditional_commit {
            true => Precondition::IfAbsent,
            false => Precondition::None,
        };
        loop {
            match writer.commit_to(&blob, precondition.clone()).await {
                Ok(_) => break,
                Err(error) if error.is_precondition_failed() => {
                    precondition = match store.obstacle(&blob, size).await? {
                        Some(precondition) => precondition,
                        None => {
                            let _ = store.driver.cancel_upload(&upload.path()).await;
                            break;
                        }
                    };
                }
                // The upload is kept, so that it can be published once more.
                Err(error) if error.is_retryable() && may_retry => may_retry = false,
                Err(error) => return Err(error.into()),
            }
            let path = upload.path();
            writer = match retry(|| store.driver.resume(&path)).await {
                Err(error) if error.is_not_found() => {
                    store.published(upload, digest).await?;
                    break;
                }
                writer => writer?,
            };
        }
        if is_reopened {
            // A file that is left behind is deleted with the stale uploads.
            let _ = store.remove(upload).await;
        }
        Ok(())
    }

    /// Publishes an upload whose digest is unknown, at its own path, and reads it.
    async fn publish_by_reading(self, expected: &Digest) -> Result<()> {
        let Self { store, upload, writer, .. } = self;
        let file = writer.commit().await?;
        tracing::info!(upload = %upload.id, bytes = file.size, "read again to know its digest");
        store.publish_staged(upload, expected).await
    }
}

impl Store {
    /// Finds the blob of an upload that does not exist any more: an earlier request may have published it, and
    /// its response was lost.
    pub(super) async fn published(&self, upload: &Upload, digest: &Digest) -> Result<()> {
        match self.blob(&upload.name, digest).await {
            Err(Error::BlobUnknown(_)) => Err(Error::UploadUnknown),
            found => found.map(drop),
        }
    }

    /// The precondition under which an upload of `size` bytes can be published at a blob's path, when
    /// something was there at the first attempt. `None` if that is the same content: it stays, and the
    /// upload is not needed.
    async fn obstacle(&self, blob: &Path, size: u64) -> Result<Option<Precondition>> {
        match self.file(blob).await? {
            Some(file) if file.size != size => {
                let found = file.size;
                tracing::warn!(path = %blob, found, size, "this blob is damaged and is replaced");
                Ok(Some(Precondition::IfVersion(file.version)))
            }
            Some(file) if self.hold(&file, Hold::IfPossible).await? => Ok(None),
            // Collected in between.
            _ => Ok(Some(Precondition::IfAbsent)),
        }
    }

    /// Publishes the file of a staged upload if its digest is `expected`, and deletes it otherwise.
    pub(super) async fn publish_staged(&self, upload: &Upload, expected: &Digest) -> Result<()> {
        let path = upload.path();
        let read = || async {
            let mut reader = self.driver.reader(&path, ReadRange::default()).await?;
            let mut hasher = Hasher::new(expected.algorithm());
            while let Some(bytes) = reader.try_next().await? {
                hasher.update(&bytes);
            }
            Ok((hasher.digest(), reader.metadata().size))
        };
        let (digest, size) = match retry(read).await {
            Err(error) if error.is_not_found() => return self.published(upload, expected).await,
            read => read?,
        };
        if digest != *expected {
            self.remove(upload).await?;
            let (found, expected) = (digest, *expected);
            return Err(DigestMismatch { found, expected, is_deleted: true }.into());
        }
        let link = layout::layer(&upload.name, expected);
        retry(|| self.put_link(&link, expected)).await?;
        let blob = layout::blob(expected);
        let mut precondition = Precondition::IfAbsent;
        loop {
            let publish = || match self.capabilities.rename_file {
                true => self.driver.rename(&path, &blob, precondition.clone()),
                false => self.driver.copy(&path, &blob, precondition.clone()),
            };
            match retry(publish).await {
                Ok(_) => break,
                Err(error) if error.is_precondition_failed() => {}
                // A request at the same time has done it.
                Err(error) if error.is_not_found() => {
                    return self.published(upload, expected).await;
                }
                Err(error) => return Err(error.into()),
            }
            match self.obstacle(&blob, size).await? {
                Some(other) => precondition = other,
                None => break,
            }
        }
        // A file that is left behind is deleted with the stale uploads.
        let _ = self.remove(upload).await;
        Ok(())
    }
}
