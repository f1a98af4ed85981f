//! [`ResponseBody`]: the body of a response, whose bytes are counted until they are written.

use std::{
    fmt,
    io::IoSlice,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use axum::{
    body::{Body, HttpBody},
    response::Response,
};
use bytes::{Buf, Bytes};
use hyper::body::{Frame, SizeHint};

use super::{activity::InFlight, progress::Progress};

/// The body of a response. Its request is in flight until all of it is written or discarded.
pub(super) struct ResponseBody {
    body: Body,
    progress: Arc<Progress>,
    in_flight: Arc<InFlight>,
    /// Whether the body ends only after all of it is written. The task of an HTTP/2 stream then lives as long
    /// as the stream has something to send, so that dropping the task resets a stream that stalls.
    ends_drained: bool,
    state: BodyState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyState {
    /// No frame was read.
    Untouched,
    Started,
    Ended,
}

impl ResponseBody {
    pub(super) fn response(
        response: Response,
        progress: Arc<Progress>,
        in_flight: Arc<InFlight>,
        ends_drained: bool,
    ) -> hyper::Response<Self> {
        let state = BodyState::Untouched;
        response.map(|body| Self { body, progress, in_flight, ends_drained, state })
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("state", &self.state).finish_non_exhaustive()
    }
}

impl HttpBody for ResponseBody {
    type Data = Chunk;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, axum::Error>>> {
        if self.state != BodyState::Ended {
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(frame) => {
                    self.state = BodyState::Started;
                    let chunk = |bytes| Chunk::new(bytes, &self.progress, &self.in_flight);
                    return Poll::Ready(Some(frame.map(|frame| frame.map_data(chunk))));
                }
                None => self.state = BodyState::Ended,
            }
        }
        if self.ends_drained {
            ready!(self.progress.poll_drained(context));
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        let may_be_pending = self.ends_drained && self.state != BodyState::Untouched;
        !may_be_pending && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Bytes that are not yet written to the socket.
pub(super) struct Chunk {
    bytes: Bytes,
    progress: Arc<Progress>,
    _in_flight: Arc<InFlight>,
}

impl Chunk {
    fn new(bytes: Bytes, progress: &Arc<Progress>, in_flight: &Arc<InFlight>) -> Self {
        progress.add(bytes.len());
        Self { bytes, progress: progress.clone(), _in_flight: in_flight.clone() }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // A reset stream or a closed connection discards the rest.
        if !self.bytes.is_empty() {
            self.progress.remove(self.bytes.len());
        }
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.bytes.chunks_vectored(slices)
    }

    fn advance(&mut self, bytes: usize) {
        self.bytes.advance(bytes);
        self.progress.remove(bytes);
    }
}
