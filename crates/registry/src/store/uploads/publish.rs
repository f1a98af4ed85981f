//! The end of an upload: its digest is known, or found out, and it becomes a blob.

use futures::TryStreamExt;
use storage_driver::{Precondition, ReadRange, StorageDriverExt};

use super::{Upload, turn::Turn};
use crate::{
    digest::{Digest, Hasher},
    error::{Code, Error, Result},
    layout,
    store::Store,
};

impl Turn<'_> {
    /// Publishes the upload, if it is what `expected` says.
    pub(super) async fn finish(self, expected: &Digest) -> Result<()> {
        let known = {
            let progress = self.entered.session.progress();
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
        let Self { store, upload, entered, writer, .. } = self;
        let has_saved = entered.session.progress().saved.is_some();
        let blob = layout::blob(digest);
        // The link first: what is published is then never without, and an upload that fails to be
        // published can be finished again. Of a link to nothing nobody notices.
        store.put_link(&layout::layer(&upload.name, digest), digest).await?;
        let mut writer = writer;
        loop {
            let precondition = match store.capabilities.conditional_commit {
                true => Precondition::IfAbsent,
                false => Precondition::None,
            };
            match writer.commit_to(&blob, precondition).await {
                Ok(_) => break,
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
            // The same content is there: it stays as it is, and this copy is not needed.
            match store.file(&blob).await? {
                Some(file) if store.hold(&file).await? => {
                    let _ = store.driver.cancel_upload(&upload.path()).await;
                    break;
                }
                // Collected in between.
                _ => writer = store.driver.resume(&upload.path()).await?,
            }
        }
        if has_saved {
            // What is left behind here is swept with the stale uploads.
            let _ = store.cancel(upload).await;
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
    /// Publishes what was committed at the upload's own path, if it is what `expected` says; if it is
    /// not, it is gone.
    pub(super) async fn publish_staged(&self, upload: &Upload, expected: &Digest) -> Result<()> {
        let path = upload.path();
        let mut reader = self.driver.reader(&path, ReadRange::default()).await?;
        let mut hasher = Hasher::new(expected.algorithm());
        while let Some(bytes) = reader.try_next().await? {
            hasher.update(&bytes);
        }
        let digest = hasher.digest();
        if digest != *expected {
            self.cancel(upload).await?;
            let text = format!("what was uploaded is {digest}, not {expected}; it is gone");
            return Err(Error::new(Code::DigestInvalid, text));
        }
        self.put_link(&layout::layer(&upload.name, expected), expected).await?;
        let blob = layout::blob(expected);
        loop {
            let moved = match self.capabilities.rename_file {
                true => self.driver.rename(&path, &blob, Precondition::IfAbsent).await,
                false => self.driver.copy(&path, &blob, Precondition::IfAbsent).await,
            };
            match moved {
                Ok(_) => break,
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(there) = self.file(&blob).await?
                && self.hold(&there).await?
            {
                break;
            }
        }
        // What is left behind here is swept with the stale uploads.
        let _ = self.cancel(upload).await;
        Ok(())
    }
}
