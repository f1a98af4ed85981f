//! [`Faulty`]: a driver whose calls fail as planned.

use std::{
    fmt,
    pin::{Pin, pin},
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Sink, Stream};
use storage_driver::{
    Entry, Error, ErrorKind, Layer, Metadata, Operation, Path, Precondition, Reader, Result,
    StorageDriver, Walk, WalkSource, WriteSession, Writer,
};

use crate::dice::Dice;

/// A driver that forwards to the driver inside, except for the calls that its plan fails.
///
/// Every call is counted, including the calls of its readers, writers and walks: one for
/// each method of the driver, each chunk of a reader, each entry of a walk, each write, sync,
/// commit and cancel of a writer. The plan decides for each call whether it fails. A clone shares inner
/// driver, plan and count.
///
/// ```
/// # use storage_driver_conformance::reference::Reference;
/// use storage_driver_conformance::layers::{Fault, Faulty};
/// use storage_driver::{ErrorKind, Operation, Path, StorageDriver, StorageDriverExt};
///
/// # futures::executor::block_on(async {
/// let driver = Faulty::new(Reference::new());
/// let path = Path::parse("/a")?;
///
/// // The response of the next call is lost: its effect stays.
/// driver.fail_nth(0, Fault::LostAnswer(ErrorKind::Timeout));
/// let error = driver.put(&path, "content").await.unwrap_err();
/// assert_eq!(error.to_string(), "reference: put_content /a: timed out");
/// assert_eq!(driver.get_bytes(&path, 100).await?, "content");
///
/// // Every stat fails.
/// driver.plan(|call| {
///     (call.operation == Operation::Stat).then_some(Fault::Before(ErrorKind::Unavailable))
/// });
/// assert!(driver.stat(&path).await.unwrap_err().is_retryable());
/// # Ok::<(), storage_driver::Error>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Faulty<D> {
    inner: D,
    faults: Faults,
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It does not reach the driver, and has no effect.
    Before(ErrorKind),
    /// It takes effect, and its response is lost. A write has no effect, as with [`Before`](Self::Before), because the
    /// writer's size shows at once what it accepted.
    LostAnswer(ErrorKind),
}

/// A call, as a plan sees it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Call<'a> {
    /// The number of calls before it since the plan was made.
    pub index: u64,
    /// The operation.
    pub operation: Operation,
    /// The path, or the first of two.
    pub path: &'a Path,
}

type Plan = Box<dyn FnMut(Call<'_>) -> Option<Fault> + Send>;

/// Plan and count, shared by the driver and its readers, writers and walks.
#[derive(Clone)]
struct Faults(Arc<Mutex<Planned>>);

struct Planned {
    plan: Plan,
    calls: u64,
    struck: u64,
}

impl<D: StorageDriver> Faulty<D> {
    /// `inner`, without faults.
    pub fn new(inner: D) -> Self {
        let planned = Planned { plan: Box::new(|_| None), calls: 0, struck: 0 };
        Self { inner, faults: Faults(Arc::new(Mutex::new(planned))) }
    }

    /// Uses `plan` from now on, and counts calls from 0.
    pub fn plan(&self, plan: impl FnMut(Call<'_>) -> Option<Fault> + Send + 'static) {
        self.faults.with(|it| *it = Planned { plan: Box::new(plan), calls: 0, struck: 0 });
    }

    /// Fails one call: the one that follows `n` others from now on.
    pub fn fail_nth(&self, n: u64, fault: Fault) {
        self.plan(move |call| (call.index == n).then_some(fault));
    }

    /// Fails calls at random, each with a probability of 1 / `one_in`, by numbers from `seed`.
    ///
    /// The same seed fails the same calls. Use it rather than a plan that fails every n-th call: a client that
    /// retries an operation of n calls would fail for ever under such a plan.
    ///
    /// ```
    /// # use storage_driver_conformance::reference::Reference;
    /// use storage_driver_conformance::layers::{Fault, Faulty};
    /// use storage_driver::{ErrorKind, Path, StorageDriverExt};
    ///
    /// # futures::executor::block_on(async {
    /// let driver = Faulty::new(Reference::new());
    /// driver.fail_at_random(7, 10, Fault::Before(ErrorKind::Unavailable));
    /// let path = Path::parse("/a")?;
    /// // A client that retries gets through.
    /// while let Err(error) = driver.put(&path, "content").await {
    ///     assert!(error.is_retryable());
    /// }
    /// # Ok::<(), storage_driver::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn fail_at_random(&self, seed: u64, one_in: usize, fault: Fault) {
        let mut dice = Dice::new(seed);
        self.plan(move |_| (dice.roll(one_in.max(1)) == 0).then_some(fault));
    }

    /// The number of calls since the plan was made.
    pub fn calls(&self) -> u64 {
        self.faults.with(|it| it.calls)
    }

    /// The number of calls that the plan failed.
    pub fn struck(&self) -> u64 {
        self.faults.with(|it| it.struck)
    }

    /// The driver inside, which does not fail.
    pub fn inner(&self) -> &D {
        &self.inner
    }
}

impl<D: StorageDriver> Layer for Faulty<D> {
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
        let strike = self.faults.next(operation, path);
        let result = strike.around(call).await;
        result.map_err(|error| error.context(self.inner.name(), operation, path))
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        Reader::new(
            self.inner.name(),
            metadata,
            range,
            Chunks { inner: reader, faults: self.faults.clone() },
        )
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let (path, size, note) = (writer.path().clone(), writer.size(), writer.note().clone());
        let session = Session { inner: writer, faults: self.faults.clone(), sync: None };
        Writer::new(self.inner.name(), path, size, session).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        let entries = Entries { inner: walk, faults: self.faults.clone(), path: path.clone() };
        Walk::new(self.inner.name(), path.clone(), entries)
    }
}

impl<D: fmt::Debug> fmt::Debug for Faulty<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl Faults {
    fn with<T>(&self, act: impl FnOnce(&mut Planned) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a call and returns its fault, if it has one.
    fn next(&self, operation: Operation, path: &Path) -> Strike {
        Strike(self.with(|it| {
            let call = Call { index: it.calls, operation, path };
            it.calls += 1;
            let fault = (it.plan)(call);
            it.struck += u64::from(fault.is_some());
            fault
        }))
    }
}

/// The fault of one call, if it has one.
struct Strike(Option<Fault>);

impl Strike {
    /// The result of a call that has no effect if it is to fail.
    fn before(self) -> Result<()> {
        match self.0 {
            Some(Fault::Before(kind) | Fault::LostAnswer(kind)) => Err(injected(kind)),
            None => Ok(()),
        }
    }

    async fn around<T>(self, call: impl Future<Output = Result<T>>) -> Result<T> {
        match self.0 {
            None => call.await,
            Some(Fault::Before(kind)) => Err(injected(kind)),
            Some(Fault::LostAnswer(kind)) => {
                call.await?;
                Err(injected(kind))
            }
        }
    }
}

fn injected(kind: ErrorKind) -> Error {
    Error::new(kind).with_source("an injected fault")
}

struct Chunks {
    inner: Reader,
    faults: Faults,
}

impl Stream for Chunks {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
        let path = &self.inner.metadata().path;
        let struck = self.faults.next(Operation::Read, path).before();
        Poll::Ready(struck.map_or_else(|error| Some(Err(error)), |()| next))
    }
}

struct Entries<'a> {
    inner: Walk<'a>,
    faults: Faults,
    path: Path,
}

impl WalkSource for Entries<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        let next = ready!(Pin::new(&mut self.inner).poll_next(cx));
        let struck = self.faults.next(Operation::Walk, &self.path).before();
        Poll::Ready(struck.map_or_else(|error| Some(Err(error)), |()| next))
    }

    fn skip_dir(&mut self) {
        self.inner.skip_dir();
    }
}

struct Session {
    inner: Writer,
    faults: Faults,
    /// The fault of the sync in progress, which is one call and may take many polls.
    sync: Option<Strike>,
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Sink::poll_ready(Pin::new(&mut self.inner), cx)
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.faults.next(Operation::Write, self.inner.path()).before()?;
        Sink::start_send(Pin::new(&mut self.inner), data)
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.faults.next(Operation::SetNote, self.inner.path()).before()?;
        self.inner.set_note(note)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Sink::poll_flush(Pin::new(&mut self.inner), cx)
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.sync.is_none() {
            self.sync = Some(self.faults.next(Operation::Sync, self.inner.path()));
        }
        if let Some(Strike(Some(Fault::Before(kind)))) = self.sync {
            self.sync = None;
            return Poll::Ready(Err(injected(kind)));
        }
        let result = ready!(pin!(self.inner.sync()).poll(cx));
        Poll::Ready(result.and(self.sync.take().map_or(Ok(()), Strike::before)))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let Self { mut inner, faults, .. } = *self;
        let own = dest == inner.path() && precondition.is_none();
        let operation = if own { Operation::Commit } else { Operation::CommitTo };
        let strike = faults.next(operation, dest);
        if let Strike(Some(Fault::Before(kind))) = strike {
            // A failed commit has kept the accepted data.
            inner.sync().await?;
            return Err(injected(kind));
        }
        strike.around(super::commit(inner, dest, precondition)).await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let Self { inner, faults, .. } = *self;
        let strike = faults.next(Operation::Cancel, inner.path());
        strike.around(inner.cancel()).await
    }
}
