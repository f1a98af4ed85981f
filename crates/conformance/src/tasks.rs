//! Tasks that race each other, and tasks in the background.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use futures::{
    StreamExt,
    future::{BoxFuture, join_all},
    stream,
};
use storage_driver::{Error, ErrorKind};
use tokio::{
    sync::Barrier,
    task::{JoinHandle, spawn, yield_now},
};

/// The number of tasks in a race.
pub(crate) const TASKS: u64 = 8;

/// How many sequences of the model test, or rounds of a history, are played at once on a driver
/// whose calls take long.
pub(crate) const AT_ONCE_WHEN_SLOW: usize = 128;

/// Runs futures on one task, up to 32 at a time, so that slow calls overlap. Returns their results in order.
pub(crate) async fn at_once<T>(parts: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    stream::iter(parts).buffered(32).collect().await
}

/// Runs [`TASKS`] tasks that start at the same moment, and returns their results.
pub(crate) async fn race<T, F>(act: impl Fn(u64) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let barrier = Arc::new(Barrier::new(TASKS as usize));
    let tasks = (0..TASKS).map(|i| {
        let (barrier, act) = (Arc::clone(&barrier), act(i));
        spawn(async move {
            barrier.wait().await;
            act.await
        })
    });
    join_all(tasks).await.into_iter().map(joined).collect()
}

/// The result of a task; its panic is resumed here.
pub(crate) fn joined<T>(result: Result<T, tokio::task::JoinError>) -> T {
    result.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

/// Checks that exactly one succeeded and that the others failed with `others`; returns the winner's value.
#[track_caller]
pub(crate) fn one_winner<T: std::fmt::Debug>(
    results: Vec<Result<T, Error>>,
    others: ErrorKind,
) -> T {
    let mut winners = Vec::new();
    for result in results {
        match result {
            Ok(won) => winners.push(won),
            Err(error) => assert!(error.kind() == others, "{error:?}"),
        }
    }
    assert!(winners.len() == 1, "exactly one should succeed: {winners:?}");
    winners.remove(0)
}

/// A task that repeats some work until it is stopped.
pub(crate) struct Background {
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Background {
    pub(crate) fn start<F>(act: impl Fn(u64) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = spawn(async move {
            let mut round = 0;
            while !stopped.load(Ordering::Relaxed) {
                act(round).await;
                round += 1;
                yield_now().await;
            }
        });
        Self { stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        joined(self.task.await);
    }
}
