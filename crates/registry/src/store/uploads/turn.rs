//! [`Turn`]: one request's turn at an upload, from opening its writer to keeping what came.

use std::future::poll_fn;

use bytes::Bytes;
use futures::SinkExt;
use http::StatusCode;
use storage_driver::{ErrorKind, Payload, Precondition, WriteMode, Writer, WriterOptions};

use super::{Chunk, Standing, Upload, session::Entered};
use crate::{
    digest::Hasher,
    error::{Code, Error, Result},
    incoming::Incoming,
    layout,
    store::{Store, is_damage, retry},
};

/// A request's turn at an upload, with the writer that goes with it.
pub(super) struct Turn<'a> {
    pub(super) store: &'a Store,
    pub(super) upload: &'a Upload,
    pub(super) entered: Entered<'a>,
    pub(super) number: u64,
    pub(super) writer: Writer,
    /// Whether it goes on from a file at the upload's path, which stays there when it is published.
    pub(super) is_reopened: bool,
}

impl Store {
    pub(super) async fn resume<'a>(
        &'a self,
        upload: &'a Upload,
        at: Option<u64>,
    ) -> Result<Turn<'a>> {
        self.turn(upload, WriteMode::Resume { at }).await
    }

    /// As [`resume`](Self::resume), of an upload that is staged.
    pub(super) async fn reopen<'a>(
        &'a self,
        upload: &'a Upload,
        at: Option<u64>,
    ) -> Result<Turn<'a>> {
        self.turn(upload, WriteMode::Append { at }).await
    }

    pub(super) async fn turn<'a>(
        &'a self,
        upload: &'a Upload,
        mut mode: WriteMode,
    ) -> Result<Turn<'a>> {
        let entered = self.uploads.enter(upload.path());
        let session = &*entered;
        let out_of_order = |size| {
            let error =
                Error::new(Code::BlobUploadInvalid, "the chunk does not follow what has come")
                    .status(StatusCode::RANGE_NOT_SATISFIABLE);
            Standing { upload: upload.clone(), size }.tell(error)
        };
        let number = {
            let mut progress = session.progress();
            if let (WriteMode::Resume { at: Some(at) }, Some(size)) = (mode, progress.size) {
                // Whoever writes is not disturbed by a request that could not go on anyway.
                if at != size {
                    return Err(out_of_order(size));
                }
                // The driver is asked where it stands, should it have lost some.
                mode = WriteMode::Resume { at: None };
            }
            progress.turn += 1;
            progress.turn
        };
        let opening = session.opening.lock().await;
        session.progress().check(number)?;
        let path = upload.path();
        let open = || self.driver.writer(&path, WriterOptions::new(mode));
        let opened = match mode {
            WriteMode::Resume { .. } => retry(open).await,
            _ => open().await,
        };
        let writer = match opened {
            Ok(writer) => writer,
            Err(error) => match error.kind() {
                ErrorKind::OffsetMismatch { size, .. } => return Err(out_of_order(size)),
                ErrorKind::PathNotFound => return Err(upload.unknown()),
                // Another request has reopened it.
                ErrorKind::UploadInProgress => {
                    return Err(storage_driver::Error::new(ErrorKind::WriterFenced).into());
                }
                ErrorKind::Unsupported => {
                    let text = "all of this upload has come; finish it";
                    return Err(Error::new(Code::BlobUploadInvalid, text));
                }
                _ => return Err(error.into()),
            },
        };
        let size = writer.size();
        let known = session.progress().size == Some(size);
        if !known || size == 0 {
            let hasher = self.saved_digest(upload, size).await?;
            let mut progress = session.progress();
            progress.saved = hasher.as_ref().map(|_| size).filter(|size| *size > 0);
            progress.hasher = hasher;
            progress.size = Some(size);
        }
        session.progress().check(number)?;
        drop(opening);
        let is_reopened = matches!(mode, WriteMode::Append { .. });
        Ok(Turn { store: self, upload, entered, number, writer, is_reopened })
    }

    /// The digest of the first `size` bytes, if it was saved there.
    async fn saved_digest(&self, upload: &Upload, size: u64) -> Result<Option<Hasher>> {
        let algorithm = upload.algorithm;
        if size == 0 {
            return Ok(Some(Hasher::new(algorithm)));
        }
        let path = layout::hash_state(&upload.name, upload.id, algorithm, size);
        match retry(|| self.driver.get_content(&path, 1024)).await {
            Ok(state) => Ok(Hasher::restore(algorithm, &state.into_bytes())),
            Err(error) if error.is_not_found() || is_damage(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

impl Turn<'_> {
    /// Takes all of `body`, as fast as the driver does.
    pub(super) async fn receive(&mut self, chunk: Option<Chunk>, mut body: Incoming) -> Result<()> {
        let declared = body.length();
        if let (Some(chunk), Some(length)) = (chunk, declared)
            && chunk.end - chunk.first != length
        {
            return Err(wrong_length());
        }
        let limit = self.store.options.max_blob_size;
        let too_large = |size: u64| {
            let text = format!("{size} bytes or more; this registry takes {limit}");
            Error::new(Code::SizeInvalid, text).status(StatusCode::PAYLOAD_TOO_LARGE)
        };
        if let Some(size) = declared.and_then(|length| self.writer.size().checked_add(length))
            && size > limit
        {
            return Err(too_large(size));
        }
        loop {
            // Room before bytes: a client that sends faster than the driver takes has to wait.
            let writer = &mut self.writer;
            poll_fn(|cx| writer.poll_ready_unpin(cx)).await?;
            let Some(bytes) = body.chunk().await? else { break };
            let size = self.writer.size() + bytes.len() as u64;
            if size > limit {
                return Err(too_large(size));
            }
            if chunk.is_some_and(|chunk| size > chunk.end) {
                return Err(wrong_length());
            }
            self.add(bytes)?;
        }
        match chunk {
            Some(chunk) if self.writer.size() != chunk.end => Err(wrong_length()),
            _ => Ok(()),
        }
    }

    /// Hands `bytes` to the writer. The digest follows in the same step, so that a request that is
    /// overtaken by another leaves the two together.
    fn add(&mut self, bytes: Bytes) -> Result<()> {
        let mut progress = self.entered.progress();
        progress.check(self.number)?;
        self.writer.start_send_unpin(bytes.clone())?;
        progress.size = Some(self.writer.size());
        if let Some(hasher) = &mut progress.hasher {
            hasher.update(&bytes);
        }
        Ok(())
    }

    /// Lets go of the upload with all that was accepted, and saves the digest so far.
    pub(super) async fn keep(self, outcome: Result<()>) -> Result<Standing> {
        let Self { store, upload, entered, number, writer, .. } = self;
        let standing = Standing { upload: upload.clone(), size: writer.size() };
        let kept = async {
            writer.suspend().await?;
            let (state, before) = {
                let progress = entered.progress();
                progress.check(number)?;
                let state = progress.hasher.as_ref().map(Hasher::save);
                (state, progress.saved)
            };
            let (Some(state), true) = (state, before != Some(standing.size)) else { return Ok(()) };
            let at = |size| layout::hash_state(&upload.name, upload.id, upload.algorithm, size);
            let content = Payload::from(state);
            store.driver.put_content(&at(standing.size), content, Precondition::None).await?;
            entered.progress().saved = Some(standing.size);
            if let Some(before) = before {
                store.driver.delete_many(&[at(before)]).await?;
            }
            Ok(())
        };
        let kept: Result<()> = kept.await;
        match outcome.and(kept) {
            Ok(()) => Ok(standing),
            // Whoever was overtaken does not know where it stands by now.
            Err(error) if error.is_conflict() => Err(error),
            Err(error) => Err(standing.tell(error)),
        }
    }
}

fn wrong_length() -> Error {
    Error::new(Code::SizeInvalid, "the body and Content-Range are of different lengths")
}
