//! [`Delayed`]: a driver whose every call is slow.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, Stream};
use storage_driver::{
    Entry, Layer, Metadata, Operation, Path, Precondition, Reader, Result, StorageDriver, Walk,
    WalkSource, WriteSession, Writer,
};
use tokio::time::{Sleep, sleep};

/// A driver that sleeps before each call to the driver inside, like a store behind a network.
///
/// It sleeps before each method of the driver, each chunk of a reader, each write, flush, sync,
/// commit and cancel of a writer, and in a walk before the first entry and after each directory. It
/// sleeps by tokio's clock, which a test can pause.
#[derive(Debug, Clone)]
pub struct Delayed<D> {
    inner: D,
    delay: Duration,
}

impl<D: StorageDriver> Delayed<D> {
    /// `inner`, with a sleep of `delay` before each call.
    pub fn new(inner: D, delay: Duration) -> Self {
        Self { inner, delay }
    }
}

impl<D: StorageDriver> Layer for Delayed<D> {
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
        sleep(self.delay).await;
        call.await
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let chunks = Chunks { inner: reader, nap: Nap::new(self.delay) };
        Reader::new(self.inner.name(), metadata, range, chunks)
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let (path, size, note) = (writer.path().clone(), writer.size(), writer.note().clone());
        let session = Session { inner: writer, nap: Nap::new(self.delay) };
        Writer::new(self.inner.name(), path, size, session).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        let entries = Entries { inner: walk, nap: Nap::new(self.delay), asks: true };
        Walk::new(self.inner.name(), path.clone(), entries)
    }
}

/// One sleep after the other.
struct Nap {
    delay: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Nap {
    fn new(delay: Duration) -> Self {
        Self { delay, sleep: None }
    }

    /// Sleeps, and then polls until that is ready.
    fn poll_then<T>(
        &mut self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(&mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        let delay = self.delay;
        let slept = self.sleep.get_or_insert_with(|| Box::pin(sleep(delay)));
        ready!(slept.as_mut().poll(cx));
        let result = ready!(poll(cx));
        self.sleep = None;
        Poll::Ready(result)
    }
}

struct Chunks {
    inner: Reader,
    nap: Nap,
}

impl Stream for Chunks {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, nap } = &mut *self;
        nap.poll_then(cx, |cx| Pin::new(inner).poll_next(cx))
    }
}

struct Entries<'a> {
    inner: Walk<'a>,
    nap: Nap,
    /// Whether the next entry needs a request.
    asks: bool,
}

impl WalkSource for Entries<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        let Self { inner, nap, asks } = self;
        let next = if *asks {
            ready!(nap.poll_then(cx, |cx| Pin::new(inner).poll_next(cx)))
        } else {
            ready!(Pin::new(inner).poll_next(cx))
        };
        *asks = matches!(&next, Some(Ok(entry)) if entry.is_dir());
        Poll::Ready(next)
    }

    fn skip_dir(&mut self) {
        self.inner.skip_dir();
    }
}

struct Session {
    inner: Writer,
    nap: Nap,
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { inner, nap } = self;
        nap.poll_then(cx, |cx| Sink::poll_ready(Pin::new(inner), cx))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        Sink::start_send(Pin::new(&mut self.inner), data)
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.inner.set_note(note)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { inner, nap } = self;
        nap.poll_then(cx, |cx| Sink::poll_flush(Pin::new(inner), cx))
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { inner, nap } = self;
        // A sync that is dropped and called again continues.
        nap.poll_then(cx, |cx| pin!(inner.sync()).poll(cx))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        sleep(self.nap.delay).await;
        super::commit(self.inner, dest, precondition).await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        sleep(self.nap.delay).await;
        self.inner.cancel().await
    }
}
