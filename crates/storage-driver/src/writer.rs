//! [`Writer`], the handle on an upload in progress, and [`WriteSession`], what a driver puts
//! behind it.

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

/// How [`writer`](crate::StorageDriver::writer) begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WriteMode {
    /// Starts empty. Discards an earlier upload in progress at the path, not the committed content.
    Create,
    /// Goes on with the upload in progress at the path, any number of times.
    Resume {
        /// Where the caller believes the upload stands, in bytes; checked if given.
        at: Option<u64>,
    },
    /// Extends the committed content: the upload starts as that content, which stays visible until
    /// commit. A commit to the path itself then implies
    /// [`IfVersion`](crate::Precondition::IfVersion) of what it started from.
    Append {
        /// How long the caller believes the content is, in bytes; checked if given.
        at: Option<u64>,
    },
}

/// How to open a [`Writer`]: the mode, and hints that change no result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct WriterOptions {
    /// How it begins.
    pub mode: WriteMode,
    /// The size, in bytes, that the content is expected to have at commit. A hint.
    pub size_hint: Option<u64>,
    /// The caller vouches that each `Bytes` it writes keeps no more memory alive than it shows: it
    /// is no small slice of a big buffer. A hint: a driver that holds content in memory may then
    /// take a shared buffer over instead of copying it.
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

    /// [`WriteMode::Resume`], wherever the upload stands.
    pub const fn resume() -> Self {
        Self::new(WriteMode::Resume { at: None })
    }

    /// [`WriteMode::Resume`], if the upload stands at `size` bytes.
    pub const fn resume_at(size: u64) -> Self {
        Self::new(WriteMode::Resume { at: Some(size) })
    }

    /// [`WriteMode::Append`], however long the content is.
    pub const fn append() -> Self {
        Self::new(WriteMode::Append { at: None })
    }

    /// [`WriteMode::Append`], if the content has `size` bytes.
    pub const fn append_at(size: u64) -> Self {
        Self::new(WriteMode::Append { at: Some(size) })
    }

    /// Hints at the size, in bytes, that the content will have.
    #[must_use]
    pub fn size_hint(mut self, size: u64) -> Self {
        self.size_hint = Some(size);
        self
    }

    /// Vouches for the buffers; see [`exclusive_buffers`](Self::exclusive_buffers).
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
/// The calls that end it take it by value, so that use after them does not compile. Old content at
/// the path stays readable until a commit replaces it, in one step.
///
/// **One writer a path.** Opening another fences the first: its next operation that reaches the
/// backend, at latest `sync`, `suspend`, `commit`, `commit_to` or `cancel`, answers
/// [`WriterFenced`](crate::ErrorKind::WriterFenced), nothing that it sends joins the upload, and
/// its cancel or drop does not touch its successor's. (A client that reconnects must not wait for
/// its dead connection.) `cancel_upload` and `delete` fence too.
///
/// **What is kept.** `sync` and `suspend` keep everything accepted so far, as durably as the driver
/// keeps committed content. A drop keeps at least what the last `sync` kept, and everything under
/// [`keeps_on_drop`](crate::Capabilities::keeps_on_drop).
///
/// **As `AsyncWrite` and `Sink<Bytes>`**: flush hands over to the driver and promises no
/// durability, for callers flush often. Shutdown and close keep everything, as [`suspend`](Self::suspend)
/// does, and refuse further writes; the writer itself is still there to be committed or cancelled,
/// so that `stream.forward(&mut writer)` can be followed by `writer.commit()`. Neither commits. A
/// pending `poll_write` has accepted nothing.
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
    /// Every byte accepted, counted here so that no driver can be wrong about it.
    size: u64,
    note: Bytes,
    session: Box<dyn WriteSession>,
    /// Set once the `AsyncWrite` or `Sink` side was closed.
    closed: bool,
}

/// The most bytes that one `poll_write` accepts: 1 MiB.
const MAX_POLL_WRITE: usize = 1 << 20;

impl Writer {
    /// The longest note of an upload, in bytes: 4 KiB.
    pub const MAX_NOTE: usize = 4096;

    /// A writer of the upload at `path`, which stands at `size` bytes. For implementers: it counts
    /// what `session` accepts, adds the context to its errors and gives all the faces of a writer.
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

    /// Every byte accepted, what was resumed or appended to included, exactly and at all times.
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
    /// [`WriterFenced`](crate::ErrorKind::WriterFenced), or what the backend answers; what was kept
    /// before stays kept.
    ///
    /// # Cancel safety
    ///
    /// What a dropped `sync` would have kept may be kept or not; call it again.
    pub async fn sync(&mut self) -> Result<()> {
        poll_fn(|cx| self.session.poll_sync(cx)).await.map_err(|e| self.explain(Operation::Sync, e))
    }

    /// Keeps everything accepted so far and lets go of the upload, which
    /// [`Resume`](WriteMode::Resume) finds again.
    ///
    /// Clauses: [5.9](crate::contract#5.9), [5.2](crate::contract#5.2).
    ///
    /// # Errors
    ///
    /// As [`sync`](Self::sync).
    ///
    /// # Cancel safety
    ///
    /// A dropped `suspend` has kept at least what dropping the writer keeps.
    pub async fn suspend(mut self) -> Result<()> {
        poll_fn(|cx| self.session.poll_sync(cx))
            .await
            .map_err(|e| self.explain(Operation::Suspend, e))
    }

    /// Makes what was written visible at the writer's path, all at once, replacing what is there.
    ///
    /// Clauses: [5.1](crate::contract#5.1), [5.2](crate::contract#5.2), [5.10](crate::contract#5.10).
    ///
    /// # Errors
    ///
    /// [`PathConflict`](crate::ErrorKind::PathConflict) where the path is a directory or under a
    /// file; [`PreconditionFailed`](crate::ErrorKind::PreconditionFailed) if it was opened to append
    /// and the content has changed since; [`WriterFenced`](crate::ErrorKind::WriterFenced);
    /// [`StorageFull`](crate::ErrorKind::StorageFull). But for a fenced writer, a commit that fails
    /// leaves the upload resumable with all that was accepted.
    ///
    /// # Cancel safety
    ///
    /// A dropped `commit` takes effect or leaves the upload resumable, decided at latest by the
    /// path's next operation on the same driver.
    pub async fn commit(self) -> Result<Metadata> {
        let Self { driver, path, session, .. } = self;
        session.commit_to(&path, Precondition::None).await.map_err(|error| {
            error.during(Operation::Commit).context(driver, Operation::Commit, &path)
        })
    }

    /// Makes what was written visible at `dest` instead, if the file there fulfils `precondition`.
    ///
    /// An upload in progress at `dest` and the content at the writer's own path are left alone. It
    /// is one step under [`atomic_commit_to`](crate::Capabilities::atomic_commit_to).
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
            // A commit keeps first and fails then, also this one.
            poll_fn(|cx| self.session.poll_sync(cx)).await.map_err(explain)?;
            return Err(explain(error));
        }
        self.session.commit_to(dest, precondition).await.map_err(explain)
    }

    /// Removes the upload and all it held. The committed content at the path is untouched.
    ///
    /// Clauses: [5.11](crate::contract#5.11).
    ///
    /// # Errors
    ///
    /// [`WriterFenced`](crate::ErrorKind::WriterFenced): the upload is its successor's, or gone.
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
        // The session may be a writer itself, of a driver inside, which was asked for something else.
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

/// What a driver puts behind a [`Writer`]: one opening of one upload.
///
/// Data goes in by two calls, as into a [`Sink`]: [`poll_ready`](Self::poll_ready) waits until there
/// is room, [`start_write`](Self::start_write) then accepts at once. That is what makes a dropped
/// write all or nothing, and the adapters are built on it once, in [`Writer`]. Errors need no
/// context; the writer adds it.
///
/// Dropping the session keeps what the clauses on [`Writer`] promise of a drop.
#[async_trait]
pub trait WriteSession: Send {
    /// Waits until data can be accepted. What a session holds without having handed it over to the
    /// backend is bounded, and documented, apart from the one piece of data accepted last.
    ///
    /// The default never waits: it is for a session whose `start_write` hands everything over.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Accepts all of `data`, or fails and accepts nothing. Called only after `poll_ready` said
    /// `Ready(Ok(()))`, once each time.
    fn start_write(&mut self, data: Bytes) -> Result<()>;

    /// [`start_write`](Self::start_write) of borrowed data. The default copies it into a `Bytes`;
    /// override it where data is copied anyway.
    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        self.start_write(Bytes::copy_from_slice(data))
    }

    /// Hands what was accepted over to the backend, which promises nothing. The default does
    /// nothing; override it where data waits in a buffer.
    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Sets the note that is kept with the data accepted so far, at the next `poll_sync` and, under
    /// [`keeps_on_drop`](crate::Capabilities::keeps_on_drop), at a drop. At most
    /// [`Writer::MAX_NOTE`] bytes; empty for none.
    fn set_note(&mut self, note: Bytes) -> Result<()> {
        let _ = note;
        Err(Error::new(ErrorKind::Unsupported))
    }

    /// Keeps everything accepted so far, and the note with it, as durably as committed content is kept.
    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>>;

    /// Keeps everything, then publishes it at `dest`, which may be the upload's own path and is
    /// never the root. If publishing fails, the upload stays resumable.
    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata>;

    /// Removes the upload and all it held.
    async fn cancel(self: Box<Self>) -> Result<()>;
}
