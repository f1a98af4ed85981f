//! Running futures concurrently: on threads, or in a random order on one thread.

use std::{
    future::poll_fn,
    hint::spin_loop,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    thread::yield_now,
};

use futures::future::BoxFuture;
use tokio::{runtime::Handle, task::spawn_blocking};

use crate::dice::Dice;

/// Runs each part on a separate thread; all start at the same moment.
pub(super) async fn on_threads<T: Send + 'static>(parts: Vec<BoxFuture<'static, T>>) -> Vec<T> {
    let waiting = Arc::new(AtomicUsize::new(parts.len()));
    let start = |part| {
        let (waiting, runtime) = (Arc::clone(&waiting), Handle::current());
        spawn_blocking(move || {
            // The operations take microseconds, less than it takes to wake a thread.
            waiting.fetch_sub(1, Ordering::SeqCst);
            while waiting.load(Ordering::SeqCst) > 0 {
                spin_loop();
                yield_now();
            }
            runtime.block_on(part)
        })
    };
    let threads: Vec<_> = parts.into_iter().map(start).collect();
    let mut results = Vec::new();
    for thread in threads {
        results.push(thread.await.expect("no operation panics"));
    }
    results
}

/// Runs all parts on this thread. The dice choose which part is polled next.
pub(super) async fn in_turns<T>(parts: Vec<BoxFuture<'static, T>>, dice: &mut Dice) -> Vec<T> {
    let mut parts: Vec<_> = parts.into_iter().map(Some).collect();
    let mut results = Vec::new();
    poll_fn(|cx| {
        for _ in 0..parts.len() {
            let chosen = dice.roll(parts.len());
            let Some(part) = &mut parts[chosen] else { continue };
            if let Poll::Ready(result) = part.as_mut().poll(cx) {
                results.push(result);
                parts[chosen] = None;
            }
        }
        if parts.iter().all(Option::is_none) {
            return Poll::Ready(());
        }
        // Parts that were not chosen may be ready.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    results
}
