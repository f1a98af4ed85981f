//! The runtimes that measurements run on, and the longest poll of their tasks.

use std::{
    pin::Pin,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    task::{Context, Poll},
    time::Instant,
};

use tokio::runtime::{Builder, Runtime};

/// All on the calling thread.
pub(crate) fn single() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime can be made")
}

/// All on the calling thread, with sockets.
pub(crate) fn client() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

/// So many worker threads.
pub(crate) fn workers(count: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).enable_time().build().expect("a runtime can be made")
}

/// So many worker threads, with sockets.
pub(crate) fn clients(count: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(count).enable_all().build().expect("a runtime can be made")
}

/// The longest poll of any [`timed`] task, in nanoseconds.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// The longest poll so far, in nanoseconds.
pub(crate) fn longest_poll() -> f64 {
    LONGEST.load(Relaxed) as f64
}

/// Forgets the polls so far.
pub(crate) fn forget_polls() {
    LONGEST.store(0, Relaxed);
}

/// Measures every poll of `task`.
pub(crate) fn timed<F: Future>(task: F) -> impl Future<Output = F::Output> {
    Timed(Box::pin(task))
}

struct Timed<F>(Pin<Box<F>>);

impl<F: Future> Future for Timed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let start = Instant::now();
        let poll = self.0.as_mut().poll(cx);
        LONGEST.fetch_max(start.elapsed().as_nanos() as u64, Relaxed);
        poll
    }
}
