//! The runtimes that measurements run on, and how long their tasks' turns take.

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

/// The longest turn of any task that is in [`turns`], in nanoseconds.
static LONGEST: AtomicU64 = AtomicU64::new(0);

/// The longest turn so far, in nanoseconds.
pub(crate) fn longest_turn() -> f64 {
    LONGEST.load(Relaxed) as f64
}

/// Forgets the turns so far.
pub(crate) fn forget_turns() {
    LONGEST.store(0, Relaxed);
}

/// Measures every turn, which is one poll, of `task`.
pub(crate) fn turns<F: Future>(task: F) -> impl Future<Output = F::Output> {
    Turns(Box::pin(task))
}

struct Turns<F>(Pin<Box<F>>);

impl<F: Future> Future for Turns<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let start = Instant::now();
        let poll = self.0.as_mut().poll(cx);
        LONGEST.fetch_max(start.elapsed().as_nanos() as u64, Relaxed);
        poll
    }
}
