//! [`Activity`]: whose turn it is on a connection, and since when.

use std::{
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

/// Whose turn it is on a connection.
///
/// It is ours while a handler runs, or while a body of a response has nothing to give. Else it is the
/// client's: to send a request, or to take what there is of a response.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Handlers that run and bodies that wait for their content.
    ours: usize,
    /// Responses that hyper has not taken whole.
    responses: usize,
    /// When something happened last.
    last: Instant,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    Ours,
    /// The client's, to take what there is of a response.
    ToTake {
        since: Instant,
    },
    /// The client's, to send a request.
    ToAsk {
        since: Instant,
    },
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { ours: 0, responses: 0, last: Instant::now() })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is locked; were it so, the counts would still be right.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something was sent.
    pub(super) fn moved(&self) {
        self.state().last = Instant::now();
    }

    pub(super) fn turn(&self) -> Turn {
        let State { ours, responses, last } = *self.state();
        match (ours, responses) {
            (0, 0) => Turn::ToAsk { since: last },
            (0, _) => Turn::ToTake { since: last },
            _ => Turn::Ours,
        }
    }

    /// It is our turn until this is dropped.
    pub(super) fn ours(self: &Arc<Self>) -> Ours {
        self.state().ours += 1;
        Ours(self.clone())
    }
}

/// A handler that runs, or a body that waits for its content.
#[derive(Debug)]
pub(super) struct Ours(Arc<Activity>);

impl Drop for Ours {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.ours -= 1;
        state.last = Instant::now();
    }
}

/// The body of a response, which tells an [`Activity`] when it waits and when it ends.
pub(super) struct Watched {
    body: Body,
    waiting: Option<Ours>,
    activity: Arc<Activity>,
}

impl Watched {
    pub(super) fn response(response: Response, activity: Arc<Activity>) -> hyper::Response<Self> {
        activity.state().responses += 1;
        response.map(|body| Self { body, waiting: None, activity })
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut state = self.activity.state();
        state.responses -= 1;
        state.last = Instant::now();
    }
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watched").field("waiting", &self.waiting.is_some()).finish_non_exhaustive()
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if polled.is_ready() {
            self.waiting = None;
            self.activity.moved();
        } else if self.waiting.is_none() {
            self.waiting = Some(self.activity.ours());
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
