//! [`Segments`]: the bytes of a range, a segment at a time.

use std::{
    ops::Range,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_core::Stream;
use storage_driver::Result;

use crate::rope::Rope;

/// Gives the bytes of a range of a rope, sharing its segments. It holds the rope, and so is a
/// snapshot.
pub(crate) struct Segments {
    pub(crate) rope: Rope,
    pub(crate) range: Range<u64>,
}

impl Stream for Segments {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let chunk = self.rope.chunk(self.range.clone());
        self.range.start += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Poll::Ready(chunk.map(Ok))
    }
}
