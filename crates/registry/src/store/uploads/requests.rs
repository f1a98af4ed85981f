//! Requests on uploads: begin, append, finish, push, look up, cancel.

use storage_driver::{Metadata, Precondition, WriteMode};

use super::upload::{Chunk, Upload, UploadError, UploadStatus};
use crate::{
    digest::Digest,
    store::{
        base::Store,
        error::{Error, Result},
        source::Source,
    },
};

impl Store {
    /// Begins an empty upload.
    pub(crate) async fn begin(&self, upload: Upload) -> Result<UploadStatus> {
        let reservation = self.reserve_upload().await?;
        self.driver.create_upload(&upload.path()).await?;
        reservation.keep();
        Ok(UploadStatus { upload, size: 0 })
    }

    /// Appends `body` to an upload. After any failure, the accepted bytes are kept, and the error has the size of the
    /// upload.
    pub(crate) async fn append(
        &self,
        upload: &Upload,
        chunk: Option<Chunk>,
        body: impl Source,
    ) -> Result<UploadStatus, UploadError> {
        let at = chunk.map(|chunk| chunk.first);
        let mut lease = match self.resume(upload, at).await {
            Err(error)
                if matches!(error, Error::UploadUnknown)
                    && self.staged(upload).await?.is_some() =>
            {
                self.reopen(upload, at).await?
            }
            lease => lease?,
        };
        let received = lease.receive(chunk, body).await;
        lease.keep(received).await
    }

    /// Appends `body` to an upload, and publishes it as the blob `digest`.
    pub(crate) async fn finish(
        &self,
        upload: &Upload,
        chunk: Option<Chunk>,
        body: impl Source,
        digest: &Digest,
    ) -> Result<(), UploadError> {
        let at = chunk.map(|chunk| chunk.first);
        let mut lease = match self.resume(upload, at).await {
            Err(Error::UploadUnknown) => {
                let has_more = chunk.is_some() || body.length() != Some(0);
                match self.staged(upload).await? {
                    // An earlier request was interrupted while it read the committed file.
                    Some(_) if !has_more => {
                        self.publish_staged(upload, digest).await?;
                        self.open_uploads.ended();
                        return Ok(());
                    }
                    Some(_) => self.reopen(upload, at).await?,
                    // It ended with an earlier request, and is not counted any more.
                    None => return Ok(self.published(upload, digest).await?),
                }
            }
            lease => lease?,
        };
        match lease.receive(chunk, body).await {
            Ok(()) => lease.finish(digest).await?,
            Err(error) => return lease.keep(Err(error)).await.map(drop),
        }
        self.open_uploads.ended();
        Ok(())
    }

    /// The file of a staged upload.
    async fn staged(&self, upload: &Upload) -> Result<Option<Metadata>> {
        self.file(&upload.path()).await
    }

    /// Uploads a blob in one request. A failed upload is removed: its client does not know its location.
    pub(crate) async fn push(
        &self,
        upload: &Upload,
        body: impl Source,
        digest: &Digest,
    ) -> Result<()> {
        let mut lease = self.lease(upload, WriteMode::Create).await?;
        let finished = match lease.receive(None, body).await {
            Ok(()) => lease.finish(digest).await.map_err(|failed| failed.error),
            Err(error) => lease.writer.cancel().await.map_err(Error::from).and(Err(error)),
        };
        if finished.is_err() {
            let _ = self.remove(upload).await;
        }
        finished
    }

    /// The size of an upload, as the driver has kept it: any node returns the same. A request that writes to it is not
    /// disturbed.
    pub(crate) async fn upload_status(&self, upload: Upload) -> Result<UploadStatus> {
        let path = upload.path();
        let size = match self.driver.upload(&path).await? {
            Some(found) => found.size,
            None => self.staged(&upload).await?.map(|staged| staged.size),
        };
        match size {
            Some(size) => Ok(UploadStatus { upload, size }),
            None => Err(Error::UploadUnknown),
        }
    }

    /// Cancels an upload, and deletes its data.
    pub(crate) async fn cancel(&self, upload: &Upload) -> Result<()> {
        self.remove(upload).await?;
        self.open_uploads.ended();
        Ok(())
    }

    /// Removes an upload, or the file of one that is staged.
    pub(super) async fn remove(&self, upload: &Upload) -> Result<()> {
        let path = upload.path();
        self.sessions.supersede(&path);
        match self.driver.delete(&path, Precondition::None).await {
            Err(error) if error.is_not_found() => Err(Error::UploadUnknown),
            deleted => Ok(deleted?),
        }
    }
}
