//! [`Counted`]: a body whose bytes are counted as they pass.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;

/// A body that counts the bytes of its data frames, and keeps `held` until it has ended.
///
/// Its size hint is that of the inner body, so that no response becomes chunked.
struct Counted<T> {
    inner: Body,
    bytes: Counter,
    held: Option<T>,
}

/// `body`, whose bytes are added to `bytes`. `held` is dropped at the end of the body, or with it.
pub(super) fn counted<T: Send + Unpin + 'static>(body: Body, bytes: &Counter, held: T) -> Body {
    // Most requests have an empty body, which has nothing to count.
    if hyper::body::Body::is_end_stream(&body) {
        return body;
    }
    Body::new(Counted { inner: body, bytes: bytes.clone(), held: Some(held) })
}

impl<T: Unpin> hyper::body::Body for Counted<T> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.bytes.inc_by(data.len() as u64);
                }
            }
            Some(Err(_)) | None => self.held = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt, executor::block_on, stream};
    use http::HeaderMap;
    use http_body_util::{BodyExt, StreamBody};
    use hyper::body::Body as _;

    use super::*;

    #[test]
    fn data_is_counted_and_trailers_are_not() {
        let trailers = HeaderMap::from_iter([(http::header::ETAG, "x".parse().unwrap())]);
        let frames = [Frame::data(Bytes::from("12345")), Frame::trailers(trailers)];
        let body = Body::new(StreamBody::new(stream::iter(frames.map(Ok::<_, axum::Error>))));
        let bytes = Counter::default();
        let collected = block_on(counted(body, &bytes, ()).collect()).unwrap();
        assert_eq!(bytes.get(), 5);
        assert!(collected.trailers().is_some_and(|it| it.contains_key(http::header::ETAG)));
    }

    #[test]
    fn the_size_is_still_known() {
        let body = counted(Body::from("12345"), &Counter::default(), ());
        assert_eq!(body.size_hint().exact(), Some(5));
        assert!(!body.is_end_stream());
    }

    #[test]
    fn read_bytes_are_in_the_same_buffer() {
        let content = Bytes::from(vec![7; 100]);
        let mut body = counted(Body::from(content.clone()), &Counter::default(), ());
        let frame = block_on(body.frame()).unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap().as_ptr(), content.as_ptr());
        assert!(body.is_end_stream());
    }

    #[test]
    fn a_held_value_is_dropped_at_the_end() {
        let held = std::sync::Arc::new(());
        let body = counted(Body::from("1"), &Counter::default(), held.clone());
        let mut stream = body.into_data_stream();
        assert!(block_on(stream.next()).is_some());
        assert_eq!(std::sync::Arc::strong_count(&held), 2);
        assert!(block_on(stream.next()).is_none());
        assert_eq!(std::sync::Arc::strong_count(&held), 1);
    }
}
