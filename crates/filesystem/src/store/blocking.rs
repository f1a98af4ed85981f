//! [`BlockingTasks`]: work that may wait for a disk, on the runtime's blocking threads.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared, poll_fn},
};
use storage_driver::{Error, ErrorKind, Path, Result};
use tokio::{runtime::Handle, task::JoinHandle};
use tokio_util::task::TaskTracker;

/// Runs work on the runtime's blocking threads, and keeps track of it.
///
/// A dropped future leaves its work running. The next operation on its paths waits for it (clause 9.1): a change by
/// the locks, which the work holds; a lookup by [`wait_abandoned`](Self::wait_abandoned).
#[derive(Debug)]
pub(crate) struct BlockingTasks {
    runtime: Handle,
    tracker: TaskTracker,
    abandoned: Mutex<Vec<Abandoned>>,
    /// The number of abandoned tasks, readable without the lock.
    count: AtomicUsize,
}

/// A task that continues although its future was dropped.
#[derive(Debug)]
struct Abandoned {
    paths: Vec<Path>,
    done: Shared<BoxFuture<'static, ()>>,
}

impl BlockingTasks {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self {
            runtime,
            tracker: TaskTracker::new(),
            abandoned: Mutex::default(),
            count: AtomicUsize::new(0),
        }
    }

    /// Starts `work`, which only [`finished`](Self::finished) waits for.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        self.tracker.spawn_blocking_on(work, &self.runtime)
    }

    /// Runs `work`, which changes `paths` if it changes anything.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        paths: &[&Path],
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let handle = Some(self.start(work));
        let mut running = Running { work: self, paths, handle };
        poll_fn(|cx| running.poll(cx)).await
    }

    /// Waits for the work that was abandoned at, above and below `path`.
    pub(crate) async fn wait_abandoned(&self, path: &Path) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let touches = |other: &Path| other.starts_with(path) || path.starts_with(other);
        let pending: Vec<_> = self
            .abandoned()
            .iter()
            .filter(|work| work.paths.iter().any(touches))
            .map(|work| work.done.clone())
            .collect();
        for done in pending {
            done.await;
        }
        let mut abandoned = self.abandoned();
        abandoned.retain(|work| work.done.peek().is_none());
        self.count.store(abandoned.len(), Ordering::Release);
    }

    /// Waits for all that was started.
    pub(crate) async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    fn abandoned(&self) -> MutexGuard<'_, Vec<Abandoned>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that a future waits for.
struct Running<'a, T: Send + 'static> {
    work: &'a BlockingTasks,
    paths: &'a [&'a Path],
    handle: Option<JoinHandle<Result<T>>>,
}

impl<T: Send + 'static> Running<'_, T> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let Some(handle) = &mut self.handle else { return Poll::Pending };
        let result = std::task::ready!(handle.poll_unpin(cx));
        self.handle = None;
        Poll::Ready(result.unwrap_or_else(|error| Err(broken(error))))
    }
}

/// The error of a task that did not end: its runtime was shut down, or it panicked.
pub(crate) fn broken(error: tokio::task::JoinError) -> Error {
    let kind = if error.is_cancelled() { ErrorKind::Unavailable } else { ErrorKind::Other };
    Error::new(kind).with_source(error)
}

impl<T: Send + 'static> Drop for Running<'_, T> {
    fn drop(&mut self) {
        let Some(handle) = self.handle.take().filter(|handle| !handle.is_finished()) else {
            return;
        };
        if self.paths.is_empty() {
            return;
        }
        let paths = self.paths.iter().map(|&path| path.clone()).collect();
        let done = handle.map(drop).boxed().shared();
        let mut abandoned = self.work.abandoned();
        abandoned.retain(|work| {
            work.done.peek().is_none() && work.done.clone().now_or_never().is_none()
        });
        abandoned.push(Abandoned { paths, done });
        self.work.count.store(abandoned.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use futures::poll;

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    /// A task at `/a/b` whose future was dropped half way, and the sender that lets it continue.
    async fn abandoned() -> (BlockingTasks, mpsc::Sender<()>) {
        let work = BlockingTasks::new(Handle::current());
        let (go, wait) = mpsc::channel();
        let at = path("/a/b");
        let paths = [&at];
        let mut running = Box::pin(work.run(&paths, move || {
            wait.recv().unwrap();
            Ok(())
        }));
        assert!(poll!(&mut running).is_pending());
        drop(running);
        (work, go)
    }

    #[tokio::test]
    async fn a_wait_for_abandoned_work_is_at_above_and_below_its_path() {
        for at in ["/a/b", "/a", "/", "/a/b/c"].map(path) {
            let (work, go) = abandoned().await;
            let mut settled = Box::pin(work.wait_abandoned(&at));
            assert!(poll!(&mut settled).is_pending(), "{at}");
            go.send(()).unwrap();
            settled.await;
            assert!(work.abandoned().is_empty());
        }
    }

    #[tokio::test]
    async fn at_other_paths_there_is_no_wait() {
        let (work, go) = abandoned().await;
        assert!(work.wait_abandoned(&path("/a/c")).now_or_never().is_some());
        assert!(work.wait_abandoned(&path("/a/bb")).now_or_never().is_some());
        go.send(()).unwrap();
        work.finished().await;
    }

    #[tokio::test]
    async fn finished_waits_for_abandoned_work_too() {
        let (work, go) = abandoned().await;
        let mut finished = Box::pin(work.finished());
        assert!(poll!(&mut finished).is_pending());
        go.send(()).unwrap();
        finished.await;
    }

    #[tokio::test]
    async fn a_panic_is_an_error() {
        let work = BlockingTasks::new(Handle::current());
        let result: Result<()> = work.run(&[], || panic!("on purpose")).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Other);
    }
}
