//! [`BlockingUpload`], which a driver implements, and [`OpenedUpload`].

use bytes::Bytes;

use crate::{Metadata, Path, Payload, Precondition, Result};

/// One upload of a backend whose calls block. [`BlockingUploads`](super::BlockingUploads) makes a
/// [`Writer`](crate::Writer) of it.
///
/// Every method runs on a blocking thread, in the order of [`BlockingTasks`](super::BlockingTasks) for the
/// path of the upload: no two run at once, and no other task on the path runs meanwhile. Errors need no context.
///
/// A drop releases the handle and leaves the upload. It runs on a blocking thread, except after a shutdown.
pub trait BlockingUpload: Send + 'static {
    /// Stores `data` at the end of the upload and advances it past the bytes that were stored
    /// ([`Buf::advance`](bytes::Buf::advance); `std::mem::take(data)` for all of them).
    ///
    /// What it was not advanced past was not stored: it stays in the buffer and is passed again, before later
    /// data. So an error such as `StorageFull` after half of the data loses nothing and repeats nothing. It is
    /// called again until `data` is empty, and has to advance in each call that returns `Ok`.
    fn append(&mut self, data: &mut Payload) -> Result<()>;

    /// Keeps everything appended so far with `note`, as one, as durably as the driver keeps committed content.
    /// After a crash, the upload has the bytes and the note of the last `keep`.
    fn keep(&mut self, note: &Bytes) -> Result<()>;

    /// Publishes the upload at `dest`, which may be the path of the upload. Everything has been appended and
    /// kept before. If it fails, the upload stays.
    fn commit_to(&mut self, dest: &Path, precondition: Precondition) -> Result<Metadata>;

    /// Removes the upload and its data. If it fails, the upload stays.
    fn cancel(&mut self) -> Result<()>;
}

/// What [`BlockingUploads::open`](super::BlockingUploads::open) opened.
#[derive(Debug)]
#[non_exhaustive]
pub struct OpenedUpload<U> {
    /// The upload.
    pub upload: U,
    /// How many bytes of it the backend has.
    pub size: u64,
    /// The note that the backend has, empty if there is none.
    pub note: Bytes,
}

impl<U> OpenedUpload<U> {
    /// An upload of which the backend has `size` bytes and this note.
    pub const fn new(upload: U, size: u64, note: Bytes) -> Self {
        Self { upload, size, note }
    }
}
