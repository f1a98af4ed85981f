//! Readers, writers and walks of a [`Metered`](super::metered::Metered) driver, whose bytes and waits are counted.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, Stream};
use storage_driver::{
    Entry, Metadata, Operation, Path, Precondition, Reader, Result, Walk, WalkSource, WriteSession,
    Writer,
};

use super::storage::{Running, StorageMetrics};

pub(super) struct Chunks {
    inner: Reader,
    metrics: Arc<StorageMetrics>,
    running: Running,
}

impl Chunks {
    pub(super) fn new(inner: Reader, metrics: &Arc<StorageMetrics>) -> Self {
        let mut running = metrics.begin(Operation::Read);
        if inner.remaining() == 0 {
            // It will not be polled.
            running.outcome(Ok(()));
        }
        Self { inner, metrics: Arc::clone(metrics), running }
    }
}

impl Stream for Chunks {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        this.running.wait();
        let next = ready!(Pin::new(&mut this.inner).poll_next(cx));
        this.running.pause();
        match &next {
            Some(Ok(chunk)) => {
                this.metrics.read.inc_by(chunk.len() as u64);
                if this.inner.remaining() == 0 {
                    this.running.outcome(Ok(()));
                }
            }
            Some(Err(error)) => this.running.outcome(Err(error)),
            None => {}
        }
        Poll::Ready(next)
    }
}

pub(super) struct Entries<'a> {
    inner: Walk<'a>,
    running: Running,
}

impl<'a> Entries<'a> {
    pub(super) fn new(inner: Walk<'a>, metrics: &Arc<StorageMetrics>) -> Self {
        Self { inner, running: metrics.begin(Operation::Walk) }
    }
}

impl WalkSource for Entries<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        self.running.wait();
        let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
        self.running.pause();
        match &next {
            Some(Ok(_)) => {}
            Some(Err(error)) => self.running.outcome(Err(error)),
            None => self.running.outcome(Ok(())),
        }
        Poll::Ready(next)
    }

    fn skip_dir(&mut self) {
        self.inner.skip_dir();
    }
}

pub(super) struct Session {
    inner: Writer,
    metrics: Arc<StorageMetrics>,
    /// All writes, as one operation.
    write: Running,
    /// The running sync, which may take several polls.
    sync: Option<Running>,
}

impl Session {
    pub(super) fn new(inner: Writer, metrics: &Arc<StorageMetrics>) -> Self {
        let mut write = metrics.begin(Operation::Write);
        write.outcome(Ok(()));
        Self { inner, metrics: Arc::clone(metrics), write, sync: None }
    }

    fn wrote(&mut self, result: Result<()>) -> Result<()> {
        self.write.pause();
        result.inspect_err(|error| self.write.outcome(Err(error)))
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.write.wait();
        let result = ready!(Sink::poll_ready(Pin::new(&mut self.inner), cx));
        Poll::Ready(self.wrote(result))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let size = data.len() as u64;
        self.write.wait();
        let result = Sink::start_send(Pin::new(&mut self.inner), data);
        self.wrote(result)?;
        self.metrics.written.inc_by(size);
        Ok(())
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.inner.set_note(note)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.write.wait();
        let result = ready!(Sink::poll_flush(Pin::new(&mut self.inner), cx));
        Poll::Ready(self.wrote(result))
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let running = self.sync.get_or_insert_with(|| self.metrics.begin(Operation::Sync));
        running.wait();
        let result = ready!(pin!(self.inner.sync()).poll(cx));
        running.outcome(result.as_ref().map(drop));
        self.sync = None;
        Poll::Ready(result)
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let Self { inner, metrics, .. } = *self;
        let own = dest == inner.path() && precondition.is_none();
        let mut running = metrics.begin(if own { Operation::Commit } else { Operation::CommitTo });
        running.wait();
        let result = inner.commit_to(dest, precondition).await;
        running.outcome(result.as_ref().map(drop));
        result
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let Self { inner, metrics, .. } = *self;
        let mut running = metrics.begin(Operation::Cancel);
        running.wait();
        let result = inner.cancel().await;
        running.outcome(result.as_ref().map(drop));
        result
    }
}
