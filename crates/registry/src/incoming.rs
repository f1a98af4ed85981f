//! [`Incoming`]: the body of a request, with its limits.

use std::{pin::Pin, time::Duration};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use futures::future::poll_fn;
use http::StatusCode;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::{
    error::{Code, Error, Result},
    store::Held,
};

/// How much has to come within a [time-out](Incoming::new) for it to begin anew. What is left at the
/// end of a body may be less and is given the same time.
const PROGRESS: usize = 4096;

/// A body, chunk by chunk, as its client sends it. A client may be slow, but not stand still.
#[derive(Debug)]
pub(crate) struct Incoming {
    body: Body,
    timeout: Duration,
    deadline: Instant,
    /// What came since the deadline was set.
    came: usize,
    interrupt: CancellationToken,
}

impl Incoming {
    /// `body`, until for `timeout` less than [`PROGRESS`] bytes came of it, or `interrupt` says that
    /// the server is about to end.
    pub(crate) fn new(body: Body, timeout: Duration, interrupt: CancellationToken) -> Self {
        Self { body, timeout, deadline: Instant::now() + timeout, came: 0, interrupt }
    }

    /// How many bytes it has, where the client said so.
    pub(crate) fn length(&self) -> Option<u64> {
        self.body.size_hint().exact()
    }

    /// The next chunk; `None` at the end. Nothing is lost when it is dropped.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let body = &mut self.body;
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
            let frame = tokio::select! {
                biased;
                frame = timeout_at(self.deadline, frame) => frame,
                () = self.interrupt.cancelled() => return Err(interrupted()),
            };
            let frame = match frame {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => {
                    return Err(Error::new(
                        Code::BlobUploadInvalid,
                        format_args!("the body broke off: {error}"),
                    ));
                }
                Err(_) => {
                    let text = "the body has not come on for too long";
                    return Err(Error::new(Code::BlobUploadInvalid, text)
                        .status(StatusCode::REQUEST_TIMEOUT));
                }
            };
            let Ok(chunk) = frame.into_data() else { continue };
            self.came += chunk.len();
            if self.came >= PROGRESS {
                (self.came, self.deadline) = (0, Instant::now() + self.timeout);
            }
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    /// The whole, if that is at most `limit` bytes. `held` grows with what is received, to twice the
    /// length.
    pub(crate) async fn whole(mut self, limit: u64, held: &mut Held) -> Result<Bytes> {
        let too_large = || {
            let text = format_args!("more than {limit} bytes").to_string();
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
            held.resize(length.saturating_mul(2))?;
            whole.extend_from_slice(&chunk);
        }
        whole.shrink_to_fit();
        Ok(whole.into())
    }
}

fn interrupted() -> Error {
    Error::new(Code::Unknown, "the registry is about to end; what came is kept")
        .status(StatusCode::SERVICE_UNAVAILABLE)
        .retry_after(Duration::from_secs(5))
}
