//! [`Segments`]: the bytes of a range, a segment at a time.

use std::{
    ops::Range,
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use storage_driver::Result;

use crate::{
    rope::{Pieces, Rope},
    waste::{Garbage, Waste},
};

/// Gives the bytes of a range of a rope, sharing its segments. It holds those that it has not given
/// yet, and so is a snapshot.
pub(crate) struct Segments {
    pieces: Option<Pieces>,
    /// Where they go if the reader is dropped and was the last to hold them. One segment goes at
    /// once.
    garbage: Weak<Garbage>,
}

impl Segments {
    pub(crate) fn new(rope: &Rope, range: Range<u64>, garbage: &Arc<Garbage>) -> Self {
        let pieces = rope.pieces(range);
        let garbage = if pieces.is_short() { Weak::new() } else { Arc::downgrade(garbage) };
        Self { pieces: Some(pieces), garbage }
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
        if let (Some(pieces), Some(garbage)) = (self.pieces.take(), self.garbage.upgrade()) {
            let mut waste = Waste::default();
            waste.add_pieces(pieces);
            garbage.add(waste);
        }
    }
}
