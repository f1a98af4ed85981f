//! [`Writer`], the handle on an upload in progress, and [`WriteSession`], which a driver implements.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_sink::Sink;
use tokio::io::AsyncWrite;

use crate::{Error, ErrorKind, Metadata, Operation, Path, Precondition, Result};

/// How [`writer`](crate::StorageDriver::writer) starts. Exhaustive on purpose: a driver has to handle every mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteMode {
    /// Starts empty. Discards an earlier upload in progress at the path, not the committed content.
    Create,
    /// Continues the upload in progress at the path, any number of times.
    Resume {
        /// The size that the caller expects the upload to have, in bytes. Checked if given.
        at: Option<u64>,
    },
    /// Extends the committed content: the upload starts as that content, which stays visible until
    /// commit. A commit to the path itself then implies
    /// [`IfVersion`](crate::Precondition::IfVersion) of the version that it started from.
    Append {
        /// The size that the caller expects the content to have, in bytes. Checked if given.
        at: Option<u64>,
    },
}

/// How to open a [`Writer`]: the mode, and hints that change no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// How it starts.
    pub mode: WriteMode,
    /// A hint: the expected size of the content at commit, in bytes.
    pub size_hint: Option<u64>,
    /// A hint: each `Bytes` that the caller writes is the only user of its buffer and fills it, that is, it is
    /// not a small slice of a large buffer. A driver that holds content in memory may then keep the buffer
    /// instead of copying it.
    pub exclusive_buffers: bool,
}

impl WriterOptions {
    /// Opens in `mode`, without hints.
    pub const fn new(mode: WriteMode) -> Self {
        Self { mode, size_hint: None, exclusive_buffers: false }
    }

    /// [`WriteMode::Create`].
    pub const fn create() -> Self {
        Self::new(WriteMode::Create)
    }

    /// [`WriteMode::Resume`] at any size.
    pub const fn resume() -> Self {
        Self::new(WriteMode::Resume { at: None })
    }

    /// [`WriteMode::Resume`], if the upload has `size` bytes.
    pub const fn resume_at(size: u64) -> Self {
        Self::new(WriteMode::Resume { at: Some(size) })
    }

    /// [`WriteMode::Append`] at any size.
    pub const fn append() -> Self {
        Self::new(WriteMode::Append { at: None })
    }

    /// [`WriteMode::Append`], if the content has `size` bytes.
    pub const fn append_at(size: u64) -> Self {
        Self::new(WriteMode::Append { at: Some(size) })
    }

    /// Sets the [`size_hint`](Self::size_hint), in bytes.
    #[must_use]
    pub fn size_hint(mut self, size: u64) -> Self {
        self.size_hint = Some(size);
        self
    }

    /// Sets [`exclusive_buffers`](Self::exclusive_buffers).
    #[must_use]
    pub fn exclusive_buffers(mut self) -> Self {
        self.exclusive_buffers = true;
        self
    }
}

impl From<WriteMode> for WriterOptions {
    fn from(mode: WriteMode) -> Self {
        Self::new(mode)
    }
}

/// Writes an upload, of which nothing is visible until it is committed.
///
/// ```text
/// writer(path, Create | Resume | Append) ── write* ─┬─ commit ──────────────▶ visible at path
///         ▲                                         ├─ commit_to(dest, if) ─▶ visible at dest
///         └── Resume ◀── kept ◀── suspend, drop ────┤
///                                                   └─ cancel ──────────────▶ gone
/// ```
///
/// The methods that end an upload take the writer by value, so that code that uses it afterwards does not compile.
/// Old content at the path stays readable until a commit replaces it in one step.
///
/// **A path has one writer.** Opening another fences the first: its next operation that reaches the backend, at
/// the latest `sync`, `suspend`, `commit`, `commit_to` or `cancel`, fails with
/// [`WriterFenced`](crate::ErrorKind::WriterFenced). Nothing that it sends joins the upload, and its cancel or drop
/// does not affect its successor. (A client that reconnects must not wait for its dead connection.)
/// `cancel_upload`, `delete` and `delete_dir` fence too.
///
/// **Kept data.** `sync` and `suspend` keep everything accepted so far, as durably as the driver keeps committed
/// content. A drop keeps at least what the last `sync` kept, and everything under
/// [`keeps_on_drop`](crate::Capabilities::keeps_on_drop). The [note](Self::set_note) is kept with the data.
///
/// **`AsyncWrite` and `Sink<Bytes>`.** A flush hands data to the driver and promises no durability, because
/// callers flush often. Shutdown and close keep everything, as [`suspend`](Self::suspend) does, and refuse
/// further writes. The writer can still be committed or cancelled, so that `stream.forward(&mut writer)` can be
/// followed by `writer.commit()`. Neither commits. A pending `poll_write` has accepted nothing.
///
/// ```
/// # use storage_driver::{Result, StorageDriver, Path, WriterOptions};
/// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
/// let path = Path::parse("/uploads/one")?;
/// let mut writer = driver.writer(&path, WriterOptions::create()).await?;
/// writer.write_bytes("first half, ").await?;
/// drop(writer); // the connection broke
///
/// let mut writer = driver.writer(&path, WriterOptions::resume_at(12)).await?;
/// writer.write_bytes("second half").await?;
/// let file = writer.commit().await?;
/// assert_eq!(file.size, 23);
/// # Ok(())
/// # }
/// ```
///
/// ```compile_fail,E0382
/// # async fn example(mut writer: storage_driver::Writer) -> storage_driver::Result<()> {
/// writer.commit().await?;
/// writer.write_bytes("too late").await?; // the writer is gone
/// # Ok(())
/// # }
/// ```
#[must_use = "a writer that is dropped publishes nothing"]
pub struct Writer {
    driver: &'static str,
    path: Path,
    /// The number of accepted bytes, counted here so that no driver can be wrong about it.
    size: u64,
    note: Bytes,
    session: Box<dyn WriteSession>,
    /// Set when the `AsyncWrite` or `Sink` side was closed.
    closed: bool,
}

/// The maximum that one `poll_write` accepts: 1 MiB.
const MAX_POLL_WRITE: usize = 1 << 20;

impl Writer {
    /// The longest note of an upload, in bytes: 4 KiB.
    pub const MAX_NOTE: usize = 4096;

    /// A writer of the upload at `path`, which has `size` bytes. For implementers: it counts what `session`
    /// accepts, adds context to its errors, and implements `AsyncWrite` and `Sink`.
    pub fn new(
        driver: &'static str,
        path: Path,
        size: u64,
        session: impl WriteSession + 'static,
    ) -> Self {
        Self { driver, path, size, note: Bytes::new(), session: Box::new(session), closed: false }
    }

    /// The same writer, which starts with the `note` that was kept with the upload. For implementers.
    pub fn with_note(mut self, note: Bytes) -> Self {
        self.note = note;
        self
    }

    /// The path of the upload.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The number of accepted bytes, those resumed or appended to included, exactly and at all times.
    ///
    /// Clauses: [5.8](crate::contract#5.8).
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Accepts all of `data`, waiting while the driver cannot take more.
    ///
    /// It takes an owned buffer, which the driver may keep instead of copying it. For borrowed data use
    /// [`AsyncWriteExt::write_all`](tokio::io::AsyncWrite), which copies.
    ///
    /// Clauses: [5.14](crate::contract#5.14), [5.8](crate::contract#5.8).
    ///
    /// # Errors
    ///
    /// [`StorageFull`](crate::ErrorKind::StorageFull): nothing of `data` was accepted and nothing
    /// is lost; the writer continues when there is room again.
    /// [`WriterFenced`](crate::ErrorKind::WriterFenced).
    ///
    /// # Cancel safety
    ///
    /// A dropped `write_bytes` has accepted all of `data` or none; [`size`](Self::size) tells.
    pub async fn write_bytes(&mut self, data: impl Into<Bytes>) -> Result<()> {
        let data = data.into();
        poll_fn(|cx| self.poll_ready_for_data(cx)).await?;
        self.accept(data)
    }

    /// The note of the upload: the one that was set last through this writer, or else the one that was
    /// kept with the data it resumed. Empty if there is none.
    ///
    /// Clauses: [5.17](crate::contract#5.17).
    pub fn note(&self) -> &Bytes {
        &self.note
    }

    /// Sets the note of the upload: up to [`MAX_NOTE`](Self::MAX_NOTE) bytes that belong to the data accepted
    /// so far, the state of a checksum for example. It is kept when the data is kept, both as one:
    /// a later [`Resume`](WriteMode::Resume) finds the note that was set for exactly the bytes that it finds,
    /// provided that every call of `write_bytes` is followed by a `set_note` before anything is awaited.
    /// An empty note removes it.
    ///
    /// It does not wait: it changes the writer, and the next `sync`, `suspend` or drop keeps it.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/uploads/one")?;
    /// let mut writer = driver.create(&path).await?;
    /// writer.write_bytes("some bytes").await?;
    /// writer.set_note("the state of a digest after ten bytes")?;
    /// writer.suspend().await?;
    ///
    /// let writer = driver.resume(&path).await?;
    /// assert_eq!(writer.size(), 10);
    /// assert_eq!(writer.note(), "the state of a digest after ten bytes");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.17](crate::contract#5.17).
    ///
    /// # Errors
    ///
    /// [`ContentTooLarge`](crate::ErrorKind::ContentTooLarge) for a longer note, and what the session
    /// returns; the old note stays then.
    pub fn set_note(&mut self, note: impl Into<Bytes>) -> Result<()> {
        let note = note.into();
        let explain = |error: Error| {
            error.during(Operation::SetNote).context(self.driver, Operation::SetNote, &self.path)
        };
        if note.len() > Self::MAX_NOTE {
            let (size, limit) = (note.len() as u64, Self::MAX_NOTE as u64);
            return Err(explain(Error::new(ErrorKind::ContentTooLarge { size, limit })));
        }
        self.session.set_note(note.clone()).map_err(explain)?;
        self.note = note;
        Ok(())
    }

    /// Keeps everything accepted so far, as durably as the driver keeps committed content.
    ///
    /// Clauses: [5.9](crate::contract#5.9).
    ///
    /// # Errors
    ///
    /// [`WriterFenced`](crate::ErrorKind::WriterFenced), or the error of the backend. Data that was kept before
    /// stays kept.
    ///
    /// # Cancel safety
    ///
    /// A dropped `sync` may have kept the data or not; call it again.
    pub async fn sync(&mut self) -> Result<()> {
        poll_fn(|cx| self.session.poll_sync(cx)).await.map_err(|e| self.explain(Operation::Sync, e))
    }

    /// Keeps everything accepted so far and releases the upload, which [`Resume`](WriteMode::Resume) can
    /// continue.
    ///
    /// Clauses: [5.9](crate::contract#5.9), [5.2](crate::contract#5.2).
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync).
    ///
    /// # Cancel safety
    ///
    /// A dropped `suspend` has kept at least as much as dropping the writer keeps.
    pub async fn suspend(mut self) -> Result<()> {
        poll_fn(|cx| self.session.poll_sync(cx))
            .await
            .map_err(|e| self.explain(Operation::Suspend, e))
    }

    /// Publishes the upload at the writer's path, all at once, and replaces the file there.
    ///
    /// Clauses: [5.1](crate::contract#5.1), [5.2](crate::contract#5.2), [5.10](crate::contract#5.10).
    ///
    /// # Errors
    ///
    /// [`PathConflict`](crate::ErrorKind::PathConflict) where the path is a directory or under a
    /// file; [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed) if it was opened to append
    /// and the content has changed since; [`WriterFenced`](crate::ErrorKind::WriterFenced);
    /// [`StorageFull`](crate::ErrorKind::StorageFull). A failed commit leaves the upload resumable with
    /// everything accepted, except for a fenced writer.
    ///
    /// # Cancel safety
    ///
    /// A dropped `commit` takes effect or leaves the upload resumable, which is decided at the latest by the next
    /// operation on the path through the same driver.
    pub async fn commit(self) -> Result<Metadata> {
        let Self { driver, path, session, .. } = self;
        session.commit_to(&path, Precondition::None).await.map_err(|error| {
            error.during(Operation::Commit).context(driver, Operation::Commit, &path)
        })
    }

    /// Publishes the upload at `dest` instead, if the file there fulfils `precondition`.
    ///
    /// An upload in progress at `dest` and the content at the writer's path are not affected. It is one step under
    /// [`atomic_commit_to`](crate::Capabilities::atomic_commit_to).
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, Writer};
    /// # async fn example(writer: Writer) -> Result<()> {
    /// // An upload whose name is known only at its end.
    /// let blob = Path::parse("/blobs/sha256/aa/data")?;
    /// writer.commit_to(&blob, Precondition::IfAbsent).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.12](crate::contract#5.12), [5.10](crate::contract#5.10).
    ///
    /// # Errors
    ///
    /// As [`commit`](Self::commit), about `dest`; [`InvalidPath`](crate::ErrorKind::InvalidPath) if
    /// that is the root; [`Unsupported`](crate::ErrorKind::Unsupported) for a precondition without
    /// [`conditional_commit`](crate::Capabilities::conditional_commit).
    ///
    /// # Cancel safety
    ///
    /// As [`commit`](Self::commit).
    pub async fn commit_to(mut self, dest: &Path, precondition: Precondition) -> Result<Metadata> {
        let driver = self.driver;
        let explain = |error: Error| {
            error.during(Operation::CommitTo).context(driver, Operation::CommitTo, dest)
        };
        if let Err(error) = dest.require_not_root() {
            // A commit keeps the data before it fails, this one included.
            poll_fn(|cx| self.session.poll_sync(cx)).await.map_err(explain)?;
            return Err(explain(error));
        }
        self.session.commit_to(dest, precondition).await.map_err(explain)
    }

    /// Removes the upload and its data. The committed content at the path is not affected.
    ///
    /// Clauses: [5.11](crate::contract#5.11).
    ///
    /// # Errors
    ///
    /// [`WriterFenced`](crate::ErrorKind::WriterFenced): the upload belongs to another writer, or is gone.
    ///
    /// # Cancel safety
    ///
    /// A dropped `cancel` removes the upload or leaves it resumable.
    pub async fn cancel(self) -> Result<()> {
        let Self { driver, path, session, .. } = self;
        session.cancel().await.map_err(|error| {
            error.during(Operation::Cancel).context(driver, Operation::Cancel, &path)
        })
    }

    fn explain(&self, operation: Operation, error: Error) -> Error {
        // The session of a layer is a writer itself, and was called for another operation.
        error.during(operation).context(self.driver, operation, &self.path)
    }

    pub(crate) fn poll_ready_for_data(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.closed {
            let error = Error::other("the writer was closed and takes no more");
            return Poll::Ready(Err(self.explain(Operation::Write, error)));
        }
        let ready = ready!(self.session.poll_ready(cx));
        Poll::Ready(ready.map_err(|error| self.explain(Operation::Write, error)))
    }

    pub(crate) fn accept(&mut self, data: Bytes) -> Result<()> {
        let length = data.len();
        let accepted = self.session.start_write(data);
        self.count(length, accepted)
    }

    pub(crate) fn accept_slice(&mut self, data: &[u8]) -> Result<()> {
        let accepted = self.session.start_write_slice(data);
        self.count(data.len(), accepted)
    }

    fn count(&mut self, length: usize, accepted: Result<()>) -> Result<()> {
        accepted.map_err(|error| self.explain(Operation::Write, error))?;
        self.size += length as u64;
        Ok(())
    }

    fn poll_hand_over(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let flushed = ready!(self.session.poll_flush(cx));
        Poll::Ready(flushed.map_err(|error| self.explain(Operation::Write, error)))
    }

    fn poll_keep(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let kept = ready!(self.session.poll_sync(cx));
        self.closed |= kept.is_ok();
        Poll::Ready(kept.map_err(|error| self.explain(Operation::Suspend, error)))
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_ready_for_data(cx))?;
        let data = &data[..data.len().min(MAX_POLL_WRITE)];
        self.accept_slice(data)?;
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_hand_over(cx).map_err(io::Error::from)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_keep(cx).map_err(io::Error::from)
    }
}

impl Sink<Bytes> for Writer {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_ready_for_data(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, data: Bytes) -> Result<()> {
        self.accept(data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_hand_over(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_keep(cx)
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer")
            .field("driver", &self.driver)
            .field("path", &self.path)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// One opening of one upload, which a driver implements and a [`Writer`] wraps.
///
/// Data enters in two calls, as in a [`Sink`]: [`poll_ready`](Self::poll_ready) waits until there is room,
/// [`start_write`](Self::start_write) then accepts at once. This makes a dropped write all or nothing, and
/// [`Writer`] builds its adapters on it. Errors need no context; the writer adds it.
///
/// Dropping the session keeps data as documented on [`Writer`].
///
/// ```
/// use std::task::{Context, Poll};
///
/// use async_trait::async_trait;
/// use bytes::Bytes;
/// use storage_driver::{ErrorKind, Metadata, Path, Precondition, Result, WriteSession};
///
/// /// An upload that is held in memory and cannot be committed.
/// struct Discarded(Vec<Bytes>, Bytes);
///
/// #[async_trait]
/// impl WriteSession for Discarded {
///     fn start_write(&mut self, data: Bytes) -> Result<()> {
///         self.0.push(data);
///         Ok(())
///     }
///
///     fn set_note(&mut self, note: Bytes) -> Result<()> {
///         self.1 = note;
///         Ok(())
///     }
///
///     fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
///         Poll::Ready(Ok(()))
///     }
///
///     async fn commit_to(self: Box<Self>, _: &Path, _: Precondition) -> Result<Metadata> {
///         Err(ErrorKind::Unsupported.into())
///     }
///
///     async fn cancel(self: Box<Self>) -> Result<()> {
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait WriteSession: Send {
    /// Waits until data can be accepted. The data that a session holds before it hands it to the backend is
    /// bounded and documented, except for the buffer accepted last.
    ///
    /// The default never waits, for a session whose `start_write` hands everything over.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Accepts all of `data`, or fails and accepts none. Called once after each `poll_ready` that returned
    /// `Ready(Ok(()))`.
    fn start_write(&mut self, data: Bytes) -> Result<()>;

    /// [`start_write`](Self::start_write) of borrowed data. The default copies it into a `Bytes`;
    /// override it where data is copied anyway.
    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        self.start_write(Bytes::copy_from_slice(data))
    }

    /// Hands accepted data to the backend, without a promise. The default does nothing; override it if data
    /// waits in a buffer.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sets the note that is kept with the data accepted so far, at the next `poll_sync` and, under
    /// [`keeps_on_drop`](crate::Capabilities::keeps_on_drop), at a drop. At most
    /// [`Writer::MAX_NOTE`] bytes; empty for none.
    fn set_note(&mut self, note: Bytes) -> Result<()>;

    /// Keeps everything accepted so far, and the note with it, as durably as committed content is kept.
    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Keeps everything, then publishes it at `dest`, which may be the path of the upload and is never the
    /// root. If publishing fails, the upload stays resumable.
    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata>;

    /// Removes the upload and its data.
    async fn cancel(self: Box<Self>) -> Result<()>;
}
