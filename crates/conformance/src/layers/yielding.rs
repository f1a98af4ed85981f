//! [`Yielding`]: a driver whose every call can be dropped half way.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, Stream, future::poll_fn};
use storage_driver::{
    Entry, Layer, Metadata, Operation, Path, Precondition, Reader, Result, StorageDriver, Walk,
    WalkSource, WriteSession, Writer,
};

/// A driver that is pending once before and once after each call to the driver inside, so that a call can be
/// dropped before it takes effect, and after it but before its caller receives the result.
///
/// Readers, writers and walks that it opens do the same at each poll. It wakes itself and needs no
/// runtime.
#[derive(Debug, Clone)]
pub struct Yielding<D> {
    inner: D,
}

impl<D: StorageDriver> Yielding<D> {
    /// `inner`, with a pause before and after each call.
    pub fn new(inner: D) -> Self {
        Self { inner }
    }
}

impl<D: StorageDriver> Layer for Yielding<D> {
    type Inner = D;

    fn inner(&self) -> &D {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        _: Operation,
        _: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        let mut pause = Pause::default();
        poll_fn(|cx| pause.poll(cx)).await;
        let result = call.await;
        poll_fn(|cx| pause.poll(cx)).await;
        result
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let chunks = Chunks { inner: reader, pause: Pause::default(), held: None };
        Reader::new(self.inner.name(), metadata, range, chunks)
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let (path, size, note) = (writer.path().clone(), writer.size(), writer.note().clone());
        let session = Session { inner: writer, pause: Pause::default(), done: false };
        Writer::new(self.inner.name(), path, size, session).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        Walk::new(self.inner.name(), path.clone(), Entries { inner: walk, pause: Pause::default() })
    }
}

/// Pending at every other poll.
#[derive(Debug, Default)]
struct Pause {
    paused: bool,
}

impl Pause {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.paused = !self.paused;
        if self.paused {
            cx.waker().wake_by_ref();
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }
}

struct Chunks {
    inner: Reader,
    pause: Pause,
    /// The inner reader's result, until the caller receives it.
    held: Option<Option<Result<Bytes>>>,
}

impl Stream for Chunks {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(self.pause.poll(cx));
        if self.held.is_none() {
            let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
            self.held = Some(next);
            ready!(self.pause.poll(cx));
        }
        Poll::Ready(self.held.take().flatten())
    }
}

/// It pauses only before an entry: an entry that was fetched too early could no longer be skipped.
struct Entries<'a> {
    inner: Walk<'a>,
    pause: Pause,
}

impl WalkSource for Entries<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        ready!(self.pause.poll(cx));
        Pin::new(&mut self.inner).poll_next(cx)
    }

    fn skip_dir(&mut self) {
        self.inner.skip_dir();
    }
}

struct Session {
    inner: Writer,
    pause: Pause,
    /// The inner writer was ready at the last poll, and the caller has not received that. The inner writer is
    /// polled again, which is free, so that the result is current if the caller did something else in between.
    done: bool,
}

impl Session {
    fn poll_around<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl Fn(&mut Writer, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        ready!(self.pause.poll(cx));
        let result = ready!(poll(&mut self.inner, cx));
        self.done = !self.done;
        if self.done {
            ready!(self.pause.poll(cx));
        }
        Poll::Ready(result)
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_around(cx, |inner, cx| Sink::poll_ready(Pin::new(inner), cx))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        Sink::start_send(Pin::new(&mut self.inner), data)
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.inner.set_note(note)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_around(cx, |inner, cx| Sink::poll_flush(Pin::new(inner), cx))
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A sync that is dropped and called again continues.
        self.poll_around(cx, |inner, cx| pin!(inner.sync()).poll(cx))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let Self { inner, mut pause, .. } = *self;
        poll_fn(|cx| pause.poll(cx)).await;
        let result = super::commit(inner, dest, precondition).await;
        poll_fn(|cx| pause.poll(cx)).await;
        result
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let Self { inner, mut pause, .. } = *self;
        poll_fn(|cx| pause.poll(cx)).await;
        let result = inner.cancel().await;
        poll_fn(|cx| pause.poll(cx)).await;
        result
    }
}
