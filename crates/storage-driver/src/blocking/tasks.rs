//! [`BlockingTasks`]: closures on threads, in order for each path.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::{
    runtime::Handle,
    sync::Semaphore,
    task::{JoinError, JoinHandle},
};

use super::turns::{After, Turns};
use crate::{Error, ErrorKind, Path, Result};

/// Runs closures that block on the threads of a runtime, in order for each path.
///
/// A task of [`write`](Self::write) waits for every earlier one on a path that is equal, above or below. It keeps
/// its place in that order until its closure has returned, even if its future is dropped. A task of
/// [`read`](Self::read) waits only for the tasks whose future was dropped, so that no reader waits for a
/// writer ([4.5](crate::contract#4.5)) and clause [9.1](crate::contract#9.1) holds all the same.
///
/// A clone is a handle to the same tasks. A driver has one.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use storage_driver::{Path, Result, blocking::BlockingTasks};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let tasks = BlockingTasks::new(tokio::runtime::Handle::current(), 4);
/// let path = Path::parse("/a")?;
/// let library = Arc::new(Mutex::new(Vec::new()));
///
/// let handle = Arc::clone(&library);
/// tasks.write(&[&path], move || Ok(handle.lock().unwrap().push("put"))).await?;
/// let handle = Arc::clone(&library);
/// assert_eq!(tasks.read(&path, move || Ok(handle.lock().unwrap().len())).await?, 1);
///
/// tasks.shutdown().await;
/// assert!(tasks.read(&path, || Ok(())).await.is_err());
/// # Ok::<(), storage_driver::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct BlockingTasks {
    runtime: Handle,
    threads: Arc<Semaphore>,
    turns: Arc<Turns>,
}

impl BlockingTasks {
    /// Runs at most `threads` closures at once (at least one) on the blocking threads of `runtime`.
    pub fn new(runtime: Handle, threads: usize) -> Self {
        let threads = threads.clamp(1, Semaphore::MAX_PERMITS);
        Self { runtime, threads: Arc::new(Semaphore::new(threads)), turns: Arc::default() }
    }

    /// Runs `work`, which changes what is at or below `paths` and nothing else: one path for most operations, two
    /// for a rename, a directory for everything below it, the root for the whole store.
    ///
    /// # Errors
    ///
    /// That of `work`. `Other`, with the panic as its source, if `work` panics; the next task on the path
    /// runs all the same. `Unavailable` after [`shutdown`](Self::shutdown), or if the runtime has ended.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before `work` has started, `work` never runs, or runs in its place in the order.
    /// If `work` has started, it ends before the next task on its paths starts. Its result is then dropped. The
    /// future need not be polled for later tasks to proceed.
    pub async fn write<T: Send + 'static>(
        &self,
        paths: &[&Path],
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let paths = paths.iter().map(|&path| path.clone()).collect();
        self.start(paths, false, work)?.await
    }

    /// Runs `work`, which looks at what is at or below `path` and changes nothing. It can run at the same time
    /// as a task of [`write`](Self::write) whose future still exists.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing. `work` may run after the drop.
    pub async fn read<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue(Vec::new(), vec![path.clone()], After::Abandoned, false, work)?.await
    }

    /// Waits for every task that was started before this call, those whose future was dropped included.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    pub async fn wait(&self) {
        self.turns.all_ended().await;
    }

    /// Refuses every later task with `Unavailable` and waits for the earlier ones.
    ///
    /// # Cancel safety
    ///
    /// Later tasks are refused from the first poll. Call it again to wait.
    pub async fn shutdown(&self) {
        self.turns.close();
        self.wait().await;
    }

    pub(super) fn is_shut_down(&self) -> bool {
        self.turns.is_closed()
    }

    /// Runs `work` after a shutdown, when no task is left.
    pub(super) async fn last<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.runtime.spawn_blocking(work).await.unwrap_or_else(|error| Err(failed(error)))
    }

    /// Takes a place in the order at once, for `work` that changes `paths`.
    pub(super) fn start<T: Send + 'static>(
        &self,
        paths: Vec<Path>,
        abandoned: bool,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Task<T>> {
        self.queue(paths.clone(), paths, After::All, abandoned, work)
    }

    fn queue<T: Send + 'static>(
        &self,
        changes: Vec<Path>,
        paths: Vec<Path>,
        after: After,
        abandoned: bool,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Task<T>> {
        let turn = self.turns.take(changes, abandoned)?;
        let (id, turns) = (turn.id(), Arc::clone(&self.turns));
        let (runtime, threads) = (self.runtime.clone(), Arc::clone(&self.threads));
        // A task of its own: it proceeds although the caller's future is not polled, so that a future that
        // is held and not polled cannot block later tasks.
        let handle = self.runtime.spawn(async move {
            turn.wait(&paths, after).await;
            let permit = threads.acquire_owned().await.map_err(Error::other)?;
            let work = move || {
                // Dropped last, also by a panic. The turn ends before the result is available.
                let _held = (turn, permit);
                work()
            };
            runtime.spawn_blocking(work).await.unwrap_or_else(|error| Err(failed(error)))
        });
        Ok(Task { handle: Some(handle), id, turns })
    }
}

/// A task that did not return: it panicked, or its runtime has ended.
fn failed(error: JoinError) -> Error {
    let kind = if error.is_cancelled() { ErrorKind::Unavailable } else { ErrorKind::Other };
    Error::new(kind).with_source(error)
}

/// A task in its place in the order. A drop cancels it if its closure has not started.
#[derive(Debug)]
pub(super) struct Task<T> {
    handle: Option<JoinHandle<Result<T>>>,
    id: u64,
    turns: Arc<Turns>,
}

impl<T> Task<T> {
    pub(super) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let Some(handle) = &mut self.handle else { return Poll::Pending };
        let result = ready!(Pin::new(handle).poll(cx));
        self.handle = None;
        Poll::Ready(result.unwrap_or_else(|error| Err(failed(error))))
    }

    /// Lets the task run without a handle on it.
    pub(super) fn detach(mut self) {
        self.handle = None;
    }
}

impl<T: Send + 'static> IntoFuture for Task<T> {
    type Output = Result<T>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(poll_fn(move |cx| self.poll_end(cx)))
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            // First: from here on, a task of `read` waits for this one.
            self.turns.abandon(self.id);
            handle.abort();
        }
    }
}
