//! [`Tasks`]: operations run to their end, also if their callers do not wait for it.
//!
//! A request that was sent may take effect after its future was dropped. So every operation that changes
//! something runs as a task of its own, and the next operation on its paths waits for it if it was abandoned.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use storage_driver::{Error, ErrorKind, Path, Result};
use tokio::{sync::watch, task::JoinHandle};

/// The operations of a driver that are under way.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    running: Mutex<Vec<Arc<Task>>>,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Task {
    paths: Vec<Path>,
    abandoned: AtomicBool,
    ended: watch::Sender<bool>,
}

impl Task {
    fn touches(&self, path: &Path) -> bool {
        self.paths.iter().any(|other| other.starts_with(path) || path.starts_with(other))
    }
}

impl Tasks {
    /// Fails after a shutdown.
    pub(crate) fn check_open(&self) -> Result<()> {
        match self.closed.load(Ordering::Acquire) {
            true => Err(Error::new(ErrorKind::Unavailable).with_source("the driver is shut down")),
            false => Ok(()),
        }
    }

    /// Starts an operation that changes nothing.
    pub(crate) async fn enter(&self, paths: &[&Path]) -> Result<()> {
        self.check_open()?;
        self.wait(|task| {
            task.abandoned.load(Ordering::Acquire) && paths.iter().any(|path| task.touches(path))
        })
        .await;
        self.check_open()
    }

    /// Runs an operation that changes something.
    pub(crate) async fn run<T: Send + 'static>(
        self: &Arc<Self>,
        paths: &[&Path],
        operation: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        self.enter(paths).await?;
        self.spawn(paths.iter().map(|path| (*path).clone()).collect(), operation).await?
    }

    /// Starts a task without waiting for others.
    pub(crate) fn spawn<T: Send + 'static>(
        self: &Arc<Self>,
        paths: Vec<Path>,
        operation: impl Future<Output = T> + Send + 'static,
    ) -> Running<T> {
        let abandoned = AtomicBool::new(false);
        let task = Arc::new(Task { paths, abandoned, ended: watch::Sender::new(false) });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(&task));
        let end = End { tasks: Arc::clone(self), task: Arc::clone(&task) };
        let handle = tokio::spawn(async move {
            let _end = end;
            operation.await
        });
        Running { handle, task }
    }

    /// Refuses further operations and waits for those that are under way.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wait(|_| true).await;
    }

    async fn wait(&self, which: impl Fn(&Task) -> bool) {
        loop {
            let found = {
                let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
                running.iter().find(|task| which(task)).map(|task| task.ended.subscribe())
            };
            let Some(mut ended) = found else { return };
            // An error is the end as well.
            let _ = ended.wait_for(|ended| *ended).await;
        }
    }
}

/// Ends a task, also when it panics.
struct End {
    tasks: Arc<Tasks>,
    task: Arc<Task>,
}

impl Drop for End {
    fn drop(&mut self) {
        let mut running = self.tasks.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|task| !Arc::ptr_eq(task, &self.task));
        drop(running);
        self.task.ended.send_replace(true);
    }
}

/// A task that is under way. Dropping it abandons the task, which continues.
pub(crate) struct Running<T> {
    handle: JoinHandle<T>,
    task: Arc<Task>,
}

impl<T> Future for Running<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(Pin::new(&mut self.handle).poll(cx));
        Poll::Ready(result.map_err(|error| {
            // The runtime shuts down, or a bug.
            Error::new(ErrorKind::Unavailable).with_source(error)
        }))
    }
}

impl<T> Drop for Running<T> {
    fn drop(&mut self) {
        self.task.abandoned.store(true, Ordering::Release);
    }
}
