//! [`Shared`]: one open upload, which its writer, its tasks and [`Open`] share.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::{Buf, Bytes};

use super::{BlockingUpload, buffer::Buffer};
use crate::{Error, ErrorKind, Metadata, Path, Payload, Precondition, Result};

/// The open uploads, and those whose writer is gone and whose data the backend has not taken yet.
pub(super) type Open<U> = Mutex<BTreeMap<Path, Arc<Shared<U>>>>;

/// The locks are held for moments, and `upload` only by a task that has its turn on the path.
pub(super) struct Shared<U> {
    pub(super) path: Path,
    buffer: Mutex<Buffer>,
    /// `None` once this writer has ended.
    upload: Mutex<Option<U>>,
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<U> Shared<U> {
    pub(super) fn new(path: Path, upload: U, buffer: Buffer) -> Self {
        Self { path, buffer: Mutex::new(buffer), upload: Mutex::new(Some(upload)) }
    }

    pub(super) fn buffer(&self) -> MutexGuard<'_, Buffer> {
        lock(&self.buffer)
    }

    /// Ends the writer. Returns the data that it had sealed and the backend has not stored.
    pub(super) fn end(&self) -> Payload {
        let upload = lock(&self.upload).take();
        let sealed = self.buffer().end();
        drop(upload);
        sealed
    }

    /// Removes it from `open`, if it is still there.
    pub(super) fn forget(self: &Arc<Self>, open: &Open<U>) {
        let mut open = lock(open);
        if open.get(&self.path).is_some_and(|found| Arc::ptr_eq(found, self)) {
            open.remove(&self.path);
        }
    }
}

/// For tasks that have their turn on the path.
impl<U: BlockingUpload> Shared<U> {
    /// Stores the sealed data. What the upload does not take stays in the buffer.
    pub(super) fn store(&self) -> Result<()> {
        self.with_upload(|upload| self.append(upload))
    }

    /// Stores the sealed data, and keeps it with its note.
    pub(super) fn keep(&self) -> Result<()> {
        self.with_upload(|upload| self.append_and_keep(upload))
    }

    /// Keeps everything that the writer has accepted and ends it, unless it has ended. If the upload does not
    /// take everything, the rest stays.
    pub(super) fn keep_and_end(self: &Arc<Self>, open: &Open<U>) -> Result<()> {
        loop {
            {
                let mut buffer = self.buffer();
                if buffer.has_ended() {
                    return Ok(());
                }
                if buffer.is_kept() {
                    buffer.end();
                    break;
                }
                buffer.seal();
            }
            self.keep()?;
        }
        self.end();
        self.forget(open);
        Ok(())
    }

    /// Keeps what a writer has accepted, for a task that looks at the upload or opens it. What the backend does not
    /// take stays in the buffer. A writer that the backend itself has fenced loses it: it belongs to no upload.
    pub(super) fn keep_now(&self) {
        {
            let mut buffer = self.buffer();
            buffer.seal();
            if buffer.is_kept() {
                return;
            }
        }
        if let Err(error) = self.keep()
            && error.kind() == ErrorKind::WriterFenced
        {
            self.end();
        }
    }

    pub(super) fn commit_to(
        self: &Arc<Self>,
        open: &Open<U>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let file = self.with_upload(|upload| {
            self.append_and_keep(upload)?;
            upload.commit_to(dest, precondition)
        })?;
        self.end();
        self.forget(open);
        Ok(file)
    }

    pub(super) fn cancel(self: &Arc<Self>, open: &Open<U>) -> Result<()> {
        self.with_upload(BlockingUpload::cancel)?;
        self.end();
        self.forget(open);
        Ok(())
    }

    fn with_upload<T>(&self, call: impl FnOnce(&mut U) -> Result<T>) -> Result<T> {
        call(lock(&self.upload).as_mut().ok_or(ErrorKind::WriterFenced)?)
    }

    fn append(&self, upload: &mut U) -> Result<()> {
        let mut taken = Taken { data: self.buffer().take_sealed(), buffer: &self.buffer };
        while taken.data.has_remaining() {
            let before = taken.data.remaining();
            upload.append(&mut taken.data)?;
            if taken.data.remaining() == before {
                return Err(Error::other("append stored nothing and returned no error"));
            }
        }
        Ok(())
    }

    fn append_and_keep(&self, upload: &mut U) -> Result<()> {
        let (note, changes): (Bytes, u64) = self.buffer().sealed_note();
        self.append(upload)?;
        upload.keep(&note)?;
        self.buffer().set_kept(changes);
        Ok(())
    }
}

/// Data that is being stored. The rest goes back into the buffer, also after an error or a panic.
struct Taken<'a> {
    data: Payload,
    buffer: &'a Mutex<Buffer>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        lock(self.buffer).put_back(std::mem::take(&mut self.data));
    }
}

impl<U> fmt::Debug for Shared<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("path", &self.path).finish_non_exhaustive()
    }
}
