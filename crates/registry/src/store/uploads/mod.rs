//! Uploads in progress: begin, receive, finish, ask, cancel.
//!
//! A driver does not show what is uploaded before it is committed, so the digest is computed as the
//! bytes pass. It is at hand in one of three ways when a request goes on with an upload:
//!
//! 1. A request on the same upload is still under way (most likely on a dead connection). The two
//!    share a [`Session`], and the later one goes on from the digest of the earlier.
//! 2. The request before it has ended, and saved the digest so far beside the upload.
//! 3. Neither, as after a crash in mid-request: the driver has kept more, or less, than was saved. The
//!    upload is then finished by publishing it at its own path, where nobody looks, and reading it.
//!
//! In the third case the upload is *staged*: it is a file, and no longer in progress for the driver. A
//! client does not notice. It is told where the upload stands, may finish it, and may even send more,
//! until the file is renamed to the blob's path.

mod open;
mod publish;
mod session;
mod turn;

use http::header;
use storage_driver::{ListOptions, Metadata, Path, Precondition, StorageDriverExt, WriteMode};
use uuid::Uuid;

pub(super) use self::{
    open::{OpenUploads, is_stale},
    session::Uploads,
};
use super::Store;
use crate::{
    digest::{Algorithm, Digest},
    error::{Code, Error, Result},
    incoming::Incoming,
    layout,
    name::Name,
};

/// Which upload, and the algorithm that its digest will be of.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) name: Name,
    pub(crate) id: Uuid,
    pub(crate) algorithm: Algorithm,
}

/// How far an upload has come.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) upload: Upload,
    pub(crate) size: u64,
}

impl Upload {
    pub(crate) fn new(name: Name, algorithm: Algorithm) -> Self {
        Self { name, id: Uuid::new_v4(), algorithm }
    }

    pub(super) fn path(&self) -> Path {
        layout::upload_data(&self.name, self.id)
    }

    pub(crate) fn location(&self) -> String {
        let Self { name, id, algorithm } = self;
        match algorithm {
            Algorithm::Sha256 => format!("/v2/{name}/blobs/uploads/{id}"),
            other => format!("/v2/{name}/blobs/uploads/{id}?digest-algorithm={}", other.as_str()),
        }
    }

    pub(super) fn unknown(&self) -> Error {
        Error::new(Code::BlobUploadUnknown, "no such upload is in progress")
    }
}

impl Standing {
    /// `0-` and the position of the last byte; of an empty upload `0-0`, as in distribution.
    pub(crate) fn range(&self) -> String {
        format!("0-{}", self.size.saturating_sub(1))
    }

    pub(super) fn tell(&self, error: Error) -> Error {
        error.header(header::LOCATION, self.upload.location()).header(header::RANGE, self.range())
    }
}

/// Where a chunk says that it belongs: its first byte, and the one behind its last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl Store {
    /// Begins an empty upload.
    pub(crate) async fn begin(&self, upload: Upload) -> Result<Standing> {
        let reservation = self.reserve_upload().await?;
        self.driver.create(&upload.path()).await?.close().await?;
        reservation.keep();
        Ok(Standing { upload, size: 0 })
    }

    /// Streams `body` behind what an upload has. Whatever fails, all that was accepted is kept, and
    /// the error says how far it has come.
    pub(crate) async fn append(
        &self,
        upload: &Upload,
        chunk: Option<Chunk>,
        body: Incoming,
    ) -> Result<Standing> {
        let at = chunk.map(|chunk| chunk.first);
        let mut turn = match self.resume(upload, at).await {
            Err(error)
                if error.code() == Code::BlobUploadUnknown
                    && self.staged(upload).await?.is_some() =>
            {
                self.reopen(upload, at).await?
            }
            turn => turn?,
        };
        let received = turn.receive(chunk, body).await;
        turn.keep(received).await
    }

    /// Streams `body` behind what an upload has, and publishes the whole as the blob `digest`.
    pub(crate) async fn finish(
        &self,
        upload: &Upload,
        chunk: Option<Chunk>,
        body: Incoming,
        digest: &Digest,
    ) -> Result<()> {
        let at = chunk.map(|chunk| chunk.first);
        let mut turn = match self.resume(upload, at).await {
            Err(error) if error.code() == Code::BlobUploadUnknown => {
                let has_more = chunk.is_some() || body.length() != Some(0);
                match self.staged(upload).await? {
                    // A request before this one was cut off while it read what it had committed.
                    Some(_) if !has_more => {
                        self.publish_staged(upload, digest).await?;
                        self.open_uploads.ended();
                        return Ok(());
                    }
                    Some(_) => self.reopen(upload, at).await?,
                    // It ended with a request before this one, and is not counted any more.
                    None => return self.published(upload, digest).await,
                }
            }
            turn => turn?,
        };
        match turn.receive(chunk, body).await {
            Ok(()) => turn.finish(digest).await?,
            Err(error) => return turn.keep(Err(error)).await.map(drop),
        }
        self.open_uploads.ended();
        Ok(())
    }

    /// The file of an upload that was committed at its own path, to be read.
    async fn staged(&self, upload: &Upload) -> Result<Option<Metadata>> {
        self.file(&upload.path()).await
    }

    /// Finds the blob of an upload that is not there any more: a request before this one may have
    /// published it, and its response was lost on the way.
    async fn published(&self, upload: &Upload, digest: &Digest) -> Result<()> {
        match self.blob(&upload.name, digest).await {
            Err(error) if error.code() == Code::BlobUnknown => Err(upload.unknown()),
            found => found.map(drop),
        }
    }

    /// A whole upload in one request. One that fails leaves nothing: its client does not know it.
    pub(crate) async fn push(
        &self,
        upload: &Upload,
        body: Incoming,
        digest: &Digest,
    ) -> Result<()> {
        let mut turn = self.turn(upload, WriteMode::Create).await?;
        let finished = match turn.receive(None, body).await {
            Ok(()) => turn.finish(digest).await,
            Err(error) => turn.writer.cancel().await.map_err(Error::from).and(Err(error)),
        };
        if finished.is_err() {
            let _ = self.remove(upload).await;
        }
        finished
    }

    /// How far an upload has come. A request that writes to it is not disturbed.
    pub(crate) async fn standing(&self, upload: Upload) -> Result<Standing> {
        if let Some(size) = self.uploads.size(&upload.path()) {
            return Ok(Standing { upload, size });
        }
        let path = upload.path();
        let listed = self.driver.uploads(&path, ListOptions::new().limit(1)).await?;
        let Some(listed) = listed.items.into_iter().next() else {
            let Some(staged) = self.staged(&upload).await? else { return Err(upload.unknown()) };
            return Ok(Standing { upload, size: staged.size });
        };
        let size = match listed.size {
            Some(size) => size,
            None => match self.driver.resume(&path).await {
                Ok(writer) => writer.size(),
                Err(error) if error.is_not_found() => return Err(upload.unknown()),
                Err(error) => return Err(error.into()),
            },
        };
        Ok(Standing { upload, size })
    }

    /// Cancels an upload: removes it and all it held.
    pub(crate) async fn cancel(&self, upload: &Upload) -> Result<()> {
        self.remove(upload).await?;
        self.open_uploads.ended();
        Ok(())
    }

    /// Removes what is there of an upload.
    pub(super) async fn remove(&self, upload: &Upload) -> Result<()> {
        self.uploads.overtake(&upload.path());
        let dir = layout::upload(&upload.name, upload.id);
        match self.driver.delete(&dir, Precondition::None).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Err(upload.unknown()),
            Err(error) => Err(error.into()),
        }
    }
}
