//! [`UploadLease`]: the right of one request to work on an upload.

use std::future::poll_fn;

use futures::SinkExt;
use storage_driver::{ErrorKind, WriteMode, Writer, WriterOptions};

use super::{
    hashed::{Hashed, HashedBody},
    sessions::SessionGuard,
    upload::{Chunk, Upload, UploadError, UploadStatus},
};
use crate::{
    digest::Hasher,
    store::{
        base::Store,
        error::{Error, Result},
        files::retry,
        source::Source,
    },
};

/// The right of one request to work on an upload, with the writer and the digest that belong to it. A later
/// request on the same upload supersedes it, at any node: the driver fences its writer, and nothing that it sends joins
/// the upload. If both are on this node, the earlier request learns of it with its next bytes.
pub(super) struct UploadLease<'a> {
    pub(super) store: &'a Store,
    pub(super) upload: &'a Upload,
    session: SessionGuard<'a>,
    number: u64,
    pub(super) writer: Writer,
    /// The digest of all data; `None` if the first part of it was received without one, and while data is received.
    hasher: Option<Hasher>,
    /// Whether the upload continues a file at its path, which stays there when the upload is published.
    pub(super) is_reopened: bool,
}

impl Store {
    pub(super) async fn resume<'a>(
        &'a self,
        upload: &'a Upload,
        at: Option<u64>,
    ) -> Result<UploadLease<'a>> {
        self.lease(upload, WriteMode::Resume { at }).await
    }

    /// As [`resume`](Self::resume), of an upload that is staged.
    pub(super) async fn reopen<'a>(
        &'a self,
        upload: &'a Upload,
        at: Option<u64>,
    ) -> Result<UploadLease<'a>> {
        self.lease(upload, WriteMode::Append { at }).await
    }

    pub(super) async fn lease<'a>(
        &'a self,
        upload: &'a Upload,
        mode: WriteMode,
    ) -> Result<UploadLease<'a>> {
        let session = self.sessions.enter(upload.path());
        let opening = session.opening.lock().await;
        let path = upload.path();
        let open = || self.driver.writer(&path, WriterOptions::new(mode));
        let opened = match mode {
            WriteMode::Resume { .. } => retry(open).await,
            _ => open().await,
        };
        let writer = opened.map_err(|error| match error.kind() {
            ErrorKind::OffsetMismatch { size, .. } => Error::OutOfOrder { size },
            ErrorKind::PathNotFound => Error::UploadUnknown,
            // Another request has reopened it.
            ErrorKind::UploadInProgress => Error::Superseded,
            ErrorKind::Unsupported => Error::UploadComplete,
            _ => error.into(),
        })?;
        let number = session.supersede();
        drop(opening);
        let hasher = match writer.size() {
            0 => Some(Hasher::new(upload.algorithm)),
            size => Hasher::from_note(writer.note(), upload.algorithm, size),
        };
        let is_reopened = matches!(mode, WriteMode::Append { .. });
        Ok(UploadLease { store: self, upload, session, number, writer, hasher, is_reopened })
    }
}

impl UploadLease<'_> {
    /// # Errors
    ///
    /// [`Error::Superseded`].
    pub(super) fn check(&self) -> Result<()> {
        self.session.check(self.number)
    }

    pub(super) fn hasher(&self) -> Option<&Hasher> {
        self.hasher.as_ref()
    }

    /// Receives all of `body`, as fast as the driver accepts it.
    pub(super) async fn receive(&mut self, chunk: Option<Chunk>, body: impl Source) -> Result<()> {
        let declared = body.length();
        if let (Some(chunk), Some(length)) = (chunk, declared)
            && chunk.end - chunk.first != length
        {
            return Err(Error::LengthMismatch);
        }
        let limit = self.store.options.max_blob_size;
        if let Some(size) = declared.and_then(|length| self.writer.size().checked_add(length))
            && size > limit
        {
            return Err(Error::TooLarge { size, limit });
        }
        let (hasher, size) = (self.hasher.take(), self.writer.size());
        let mut body = HashedBody::new(body, hasher, size, self.store.hash_threads.clone());
        loop {
            // Wait for room first: a client that sends faster than the driver accepts has to wait.
            let writer = &mut self.writer;
            poll_fn(|cx| writer.poll_ready_unpin(cx)).await?;
            let Some(hashed) = body.chunk().await? else { break };
            let size = self.writer.size() + hashed.bytes.len() as u64;
            if size > limit {
                return Err(Error::TooLarge { size, limit });
            }
            if chunk.is_some_and(|chunk| size > chunk.end) {
                return Err(Error::LengthMismatch);
            }
            self.add(hashed)?;
        }
        self.hasher = body.into_hasher();
        match chunk {
            Some(chunk) if self.writer.size() != chunk.end => Err(Error::LengthMismatch),
            _ => Ok(()),
        }
    }

    /// Hands a chunk to the writer, and the state of the digest with it. Nothing is awaited in between, so that the
    /// driver keeps the two together.
    fn add(&mut self, Hashed { bytes, note }: Hashed) -> Result<()> {
        self.check()?;
        self.writer.start_send_unpin(bytes)?;
        // Without a digest, the upload may have a note of another algorithm, and of the data before these bytes.
        if *self.writer.note() != note {
            self.writer.set_note(note)?;
        }
        Ok(())
    }

    /// Ends the lease and keeps all data that was accepted.
    pub(super) async fn keep(self, outcome: Result<()>) -> Result<UploadStatus, UploadError> {
        let Self { upload, session, number, writer, .. } = self;
        let size = writer.size();
        let kept = writer.suspend().await.map_err(Error::from);
        let kept = kept.and_then(|()| session.check(number));
        match outcome.and(kept) {
            Ok(()) => Ok(UploadStatus { upload: upload.clone(), size }),
            // By now the upload may have more.
            Err(error @ Error::Superseded) => Err(UploadError { error, size: None }),
            Err(error) => Err(UploadError { error, size: Some(size) }),
        }
    }
}
