//! [`RequestBody`]: the body of a request, with its limits.

use std::{pin::Pin, time::Duration};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::future::poll_fn;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::error::{Code, Error, Result};
use crate::store::{Reservation, Source, SourceError};

/// How many bytes have to be received within a [time-out](RequestBody::new) for it to start again. The rest at
/// the end of a body may be shorter, and has the same time.
const PROGRESS: usize = 4096;

/// A body, chunk by chunk, as its client sends it. A client may be slow, but not stall.
#[derive(Debug)]
pub(crate) struct RequestBody {
    body: Body,
    timeout: Duration,
    deadline: Instant,
    /// Bytes received since the deadline was set.
    received: usize,
    interrupt: CancellationToken,
}

impl RequestBody {
    /// `body`, until less than [`PROGRESS`] bytes are received within `timeout`, or `interrupt` is cancelled
    /// because the server is shutting down.
    pub(crate) fn new(body: Body, timeout: Duration, interrupt: CancellationToken) -> Self {
        Self { body, timeout, deadline: Instant::now() + timeout, received: 0, interrupt }
    }

    /// The whole body, if it has at most `limit` bytes. `reservation` grows with the received bytes, to twice the
    /// length.
    pub(crate) async fn whole(
        mut self,
        limit: u64,
        reservation: &mut Reservation,
    ) -> Result<Bytes> {
        let too_large = || {
            let text = format!("more than {limit} bytes");
            Error::new(Code::SizeInvalid, text).status(StatusCode::PAYLOAD_TOO_LARGE)
        };
        if self.length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        // A copy, because each chunk keeps the whole buffer of its connection alive.
        let mut whole = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            let length = (whole.len() + chunk.len()) as u64;
            if length > limit {
                return Err(too_large());
            }
            reservation.resize(length.saturating_mul(2))?;
            whole.extend_from_slice(&chunk);
        }
        whole.shrink_to_fit();
        Ok(whole.into())
    }
}

impl Source for RequestBody {
    fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
        loop {
            let body = &mut self.body;
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let frame = tokio::select! {
                biased;
                frame = timeout_at(self.deadline, frame) => frame,
                () = self.interrupt.cancelled() => return Err(SourceError::Interrupted),
            };
            let frame = match frame {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(SourceError::Broken(error.to_string()));
                }
                Err(_) => return Err(SourceError::Stalled),
            };
            let Ok(chunk) = frame.into_data() else { continue };
            self.received += chunk.len();
            if self.received >= PROGRESS {
                (self.received, self.deadline) = (0, Instant::now() + self.timeout);
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }
}
