//! [`Segments`]: the bytes of a range, a segment at a time.

use std::{
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use storage_driver::Result;

use crate::{deferred_drop::DeferredDrop, reclaimer::Reclaimer, rope::Pieces};

/// The stream of several pieces of a rope, which shares the segments. It holds those that it has not returned
/// yet, and so is a snapshot.
pub(crate) struct Segments {
    pieces: Option<Pieces>,
    /// Where they go if the reader is dropped and was the last to hold them.
    reclaimer: Weak<Reclaimer>,
}

impl Segments {
    pub(crate) fn new(pieces: Pieces, reclaimer: &Arc<Reclaimer>) -> Self {
        Self { pieces: Some(pieces), reclaimer: Arc::downgrade(reclaimer) }
    }
}

impl Stream for Segments {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.pieces.as_mut().and_then(Iterator::next).map(Ok))
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        // Without a store there is no later operation that could free them.
        if let (Some(pieces), Some(reclaimer)) = (self.pieces.take(), self.reclaimer.upgrade()) {
            let mut deferred = DeferredDrop::default();
            deferred.add_pieces(pieces);
            reclaimer.add(deferred);
        }
    }
}
