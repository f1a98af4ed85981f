//! [`Activity`]: whether a connection is idle, and since when.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Counts the requests in flight on a connection.
///
/// A request is in flight from its headers until the client has received the whole response. Other bytes,
/// such as the control frames of HTTP/2 or half a request, do not make a connection less idle.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    in_flight: usize,
    /// When the connection was opened, or when the last request ended.
    last: Instant,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { in_flight: 0, last: Instant::now() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock, and the counts would still be right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the last request ended; `None` while one is in flight.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let State { in_flight, last } = *self.state();
        (in_flight == 0).then_some(last)
    }

    /// A request is in flight until the last clone of the result is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Arc<InFlight> {
        self.state().in_flight += 1;
        Arc::new(InFlight(self.clone()))
    }
}

/// A request in flight.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Activity>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.last = Instant::now();
    }
}
