//! The end of an upload: its digest is known, or found out, and it becomes a blob.

use futures::TryStreamExt;
use storage_driver::{Path, Precondition, ReadRange, StorageDriverExt};

use super::{Upload, turn::Turn};
use crate::{
    digest::{Digest, Hasher},
    error::{Code, Error, Result},
    layout,
    store::{Hold, Store, retry},
};

impl Turn<'_> {
    /// Publishes the upload, if it is what `expected` says.
    pub(super) async fn finish(self, expected: &Digest) -> Result<()> {
        let known = {
            let progress = self.entered.progress();
            progress.check(self.number)?;
            progress.hasher.as_ref().map(Hasher::digest)
        };
        match known {
            Some(digest) if digest == *expected => self.publish(expected).await,
            Some(digest) if digest.algorithm() == expected.algorithm() => {
                let error = Error::new(
                    Code::DigestInvalid,
                    format_args!("what was uploaded is {digest}, not {expected}"),
                );
                self.keep(Err(error)).await.map(drop)
            }
            _ => self.publish_by_reading(expected).await,
        }
    }

    async fn publish(self, digest: &Digest) -> Result<()> {
        let Self { store, upload, entered, writer, is_reopened, .. } = self;
        let leaves_files = is_reopened || entered.progress().saved.is_some();
        let (blob, size) = (layout::blob(digest), writer.size());
        // The link first: what is published is then never without, and an upload that fails to be
        // published can be finished again. Of a link to nothing nobody notices.
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
        if leaves_files {
            // What is left behind here is swept with the stale uploads.
            let _ = store.remove(upload).await;
        }
        Ok(())
    }

    /// Publishes an upload of which the digest is not known yet: at its own path, to be read.
    async fn publish_by_reading(self, expected: &Digest) -> Result<()> {
        let Self { store, upload, writer, .. } = self;
        let file = writer.commit().await?;
        tracing::info!(upload = %upload.id, bytes = file.size, "read again to know its digest");
        store.publish_staged(upload, expected).await
    }
}

impl Store {
    /// What has to hold of a blob's path for an upload of `size` bytes to be published there, when
    /// something was there at the first attempt. `None` if that is the content: it stays as it is, and
    /// the upload is not needed.
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

    /// Publishes what was committed at the upload's own path, if it is what `expected` says; if it is
    /// not, it is gone.
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
            let text = format!("what was uploaded is {digest}, not {expected}; it is gone");
            return Err(Error::new(Code::DigestInvalid, text));
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
        // What is left behind here is swept with the stale uploads.
        let _ = self.remove(upload).await;
        Ok(())
    }
}
