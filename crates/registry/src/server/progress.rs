//! [`Progress`]: how fast a client receives a response.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use tokio::time::{Instant, sleep, sleep_until};

/// How many bytes of a response a client has to receive within the write time-out, if there are that many. A
/// client that receives single bytes could otherwise hold a response open for days.
const MIN_BYTES: usize = 4096;

/// How fast a client receives the responses of one HTTP/2 stream, or of one HTTP/1 connection.
///
/// It counts the bytes of bodies alone, from when hyper reads them from the body until they are
/// written to the socket. HTTP/2 writes them only if the client has granted a window for that stream, so that
/// neither control frames nor other streams count.
#[derive(Debug)]
pub(super) struct Progress(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Bytes that hyper has and the socket has not.
    pending: usize,
    /// Bytes written since `since`.
    written: usize,
    /// When the client last made progress, or when there was something to receive again.
    since: Instant,
    drained: Option<Waker>,
}

impl Progress {
    pub(super) fn new() -> Arc<Self> {
        let state = State { pending: 0, written: 0, since: Instant::now(), drained: None };
        Arc::new(Self(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counts would still be right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There are `bytes` more to write.
    pub(super) fn add(&self, bytes: usize) {
        let mut state = self.state();
        if state.pending == 0 {
            (state.written, state.since) = (0, Instant::now());
        }
        state.pending += bytes;
    }

    /// `bytes` were written, or discarded.
    pub(super) fn remove(&self, bytes: usize) {
        let mut state = self.state();
        state.pending -= bytes;
        state.written += bytes;
        if state.written >= MIN_BYTES {
            (state.written, state.since) = (0, Instant::now());
        }
        if state.pending == 0
            && let Some(waker) = state.drained.take()
        {
            drop(state);
            waker.wake();
        }
    }

    /// Waits until everything is written.
    pub(super) fn poll_drained(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state();
        if state.pending == 0 {
            return Poll::Ready(());
        }
        state.drained = Some(context.waker().clone());
        Poll::Pending
    }

    /// When the client will have stalled for `timeout`; `None` if there is nothing to receive.
    pub(super) fn deadline(&self, timeout: Duration) -> Option<Instant> {
        let state = self.state();
        (state.pending > 0).then_some(state.since + timeout)
    }

    /// Waits until the client has stalled for `timeout`.
    pub(super) async fn stalled(&self, timeout: Duration) {
        loop {
            match self.deadline(timeout) {
                Some(deadline) if deadline <= Instant::now() => return,
                Some(deadline) => sleep_until(deadline).await,
                // A client that has nothing to receive now cannot have stalled before then.
                None => sleep(timeout).await,
            }
        }
    }
}
