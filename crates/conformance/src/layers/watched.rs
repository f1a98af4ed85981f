//! [`Watched`]: a driver whose calls are recorded while they are in progress.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, Stream};
use storage_driver::{
    Entry, Layer, Metadata, Operation, Path, Precondition, Reader, Result, StorageDriver, Walk,
    WalkSource, WriteSession, Writer,
};

use crate::watch::{Call, Watch};

/// More calls than a behaviour makes on one store. It ends a loop over a listing whose pages have no end.
const MOST_CALLS: u64 = 2_000_000;

/// A driver that records every call in a [`Watch`].
#[derive(Debug)]
pub(crate) struct Watched<D> {
    inner: D,
    calls: Calls,
}

/// The calls on one store.
#[derive(Debug, Clone)]
struct Calls {
    watch: Arc<Watch>,
    count: Arc<AtomicU64>,
}

impl Calls {
    fn begin(&self, operation: Operation, path: &Path) -> Call {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        assert!(
            count < MOST_CALLS,
            "{MOST_CALLS} calls were made, the last `{operation}` of {path}: it does not end"
        );
        self.watch.begin(operation, path)
    }

    /// Polls, and holds the call in `call` until the poll is ready.
    fn poll<T>(
        &self,
        call: &mut Option<Call>,
        operation: Operation,
        path: &Path,
        poll: impl FnOnce() -> Poll<T>,
    ) -> Poll<T> {
        call.get_or_insert_with(|| self.begin(operation, path));
        let polled = poll();
        if polled.is_ready() {
            *call = None;
        }
        polled
    }
}

impl<D: StorageDriver> Watched<D> {
    pub(crate) fn new(inner: D, watch: Arc<Watch>) -> Self {
        Self { inner, calls: Calls { watch, count: Arc::default() } }
    }
}

impl<D: StorageDriver> Layer for Watched<D> {
    type Inner = D;

    fn inner(&self) -> &D {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        path: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        let _call = self.calls.begin(operation, path);
        call.await
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let chunks = Chunks { inner: reader, calls: self.calls.clone(), call: None };
        Reader::new(self.inner.name(), metadata, range, chunks)
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let (path, size, note) = (writer.path().clone(), writer.size(), writer.note().clone());
        let session = Session { inner: writer, calls: self.calls.clone(), call: None };
        Writer::new(self.inner.name(), path, size, session).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        let entries =
            Entries { inner: walk, path: path.clone(), calls: self.calls.clone(), call: None };
        Walk::new(self.inner.name(), path.clone(), entries)
    }
}

struct Chunks {
    inner: Reader,
    calls: Calls,
    call: Option<Call>,
}

impl Stream for Chunks {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Self { inner, calls, call } = &mut *self;
        let path = inner.metadata().path.clone();
        calls.poll(call, Operation::Read, &path, || Pin::new(inner).poll_next(cx))
    }
}

struct Entries<'a> {
    inner: Walk<'a>,
    path: Path,
    calls: Calls,
    call: Option<Call>,
}

impl WalkSource for Entries<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        let Self { inner, path, calls, call } = self;
        calls.poll(call, Operation::Walk, path, || Pin::new(inner).poll_next(cx))
    }

    fn skip_dir(&mut self) {
        self.inner.skip_dir();
    }
}

struct Session {
    inner: Writer,
    calls: Calls,
    call: Option<Call>,
}

impl Session {
    fn poll<T>(
        &mut self,
        operation: Operation,
        poll: impl FnOnce(&mut Writer) -> Poll<T>,
    ) -> Poll<T> {
        let Self { inner, calls, call } = self;
        let path = inner.path().clone();
        calls.poll(call, operation, &path, || poll(inner))
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(Operation::Write, |inner| Sink::poll_ready(Pin::new(inner), cx))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        Sink::start_send(Pin::new(&mut self.inner), data)
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.inner.set_note(note)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll(Operation::Write, |inner| Sink::poll_flush(Pin::new(inner), cx))
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // A sync that is dropped and called again continues.
        self.poll(Operation::Sync, |inner| pin!(inner.sync()).poll(cx))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let Self { inner, calls, .. } = *self;
        let _call = calls.begin(Operation::CommitTo, dest);
        super::commit(inner, dest, precondition).await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let Self { inner, calls, .. } = *self;
        let _call = calls.begin(Operation::Cancel, inner.path());
        inner.cancel().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[tokio::test]
    #[should_panic(expected = "it does not end")]
    async fn calls_without_an_end_are_stopped() {
        let driver = Watched::new(Reference::new(), Arc::new(Watch::new()));
        driver.calls.count.store(MOST_CALLS, Ordering::Relaxed);
        drop(StorageDriver::stat(&driver, &Path::root()).await);
    }
}
