//! Doing things at the same time: on threads, or in turns by the dice.

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

/// Runs each on a thread of its own, from the same moment on.
pub(super) async fn on_threads<T: Send + 'static>(parts: Vec<BoxFuture<'static, T>>) -> Vec<T> {
    let waiting = Arc::new(AtomicUsize::new(parts.len()));
    let start = |part| {
        let (waiting, runtime) = (Arc::clone(&waiting), Handle::current());
        spawn_blocking(move || {
            // What is to be tested takes microseconds, less than it takes to wake a thread.
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

/// Runs all on this thread. Each time, the dice say which of them get on, and in which order.
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
        // Those that were not chosen may be able to continue.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    results
}
