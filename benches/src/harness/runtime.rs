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

/// How many polls took how long: eight buckets for each doubling of the nanoseconds.
static POLLS: [AtomicU64; BUCKETS] = [const { AtomicU64::new(0) }; BUCKETS];
const BUCKETS: usize = 32 * PER_OCTAVE;
const PER_OCTAVE: usize = 8;

/// The time that a share of `part` of all polls stays below, in nanoseconds, to a tenth.
pub(crate) fn poll_quantile(part: f64) -> f64 {
    let counts: Vec<u64> = POLLS.iter().map(|count| count.load(Relaxed)).collect();
    let wanted = (counts.iter().sum::<u64>() as f64 * part).ceil() as u64;
    let mut sum = 0;
    let bucket = counts.iter().position(|count| {
        sum += count;
        sum >= wanted
    });
    bucket.map_or(f64::NAN, |bucket| 2_f64.powf((bucket + 1) as f64 / PER_OCTAVE as f64))
}

/// The longest poll so far, in nanoseconds.
pub(crate) fn longest_poll() -> f64 {
    LONGEST.load(Relaxed) as f64
}

/// Forgets the polls so far.
pub(crate) fn forget_polls() {
    LONGEST.store(0, Relaxed);
    POLLS.iter().for_each(|count| count.store(0, Relaxed));
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
        let nanoseconds = start.elapsed().as_nanos() as u64;
        LONGEST.fetch_max(nanoseconds, Relaxed);
        let bucket = (nanoseconds.max(1) as f64).log2() * PER_OCTAVE as f64;
        POLLS[(bucket as usize).min(BUCKETS - 1)].fetch_add(1, Relaxed);
        poll
    }
}
