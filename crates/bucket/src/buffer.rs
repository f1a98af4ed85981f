//! [`Buffer`]: what a writer has accepted and not yet sent.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use object_store::PutPayload;

use crate::chunk::Chunk;

/// Bytes in chunks. Small writes are joined, so that a chunk is worth its overhead.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    chunks: VecDeque<Bytes>,
    /// The last chunk, which still grows.
    open: Chunk,
    length: usize,
    /// The size of the last chunk.
    capacity: usize,
}

const SMALLEST: usize = 4 << 10;
const LARGEST: usize = 256 << 10;

impl Buffer {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Copies `data`, so that a small slice does not hold a large buffer.
    pub(crate) fn copy(&mut self, mut data: &[u8]) {
        self.length += data.len();
        while !data.is_empty() {
            if self.open.room() == 0 {
                self.seal();
                // What is empty of it is not counted: an eighth of what there is, or of what there was in a part before.
                self.capacity = self.capacity.max(self.length / 8).clamp(SMALLEST, LARGEST);
                self.open = Chunk::new(self.capacity);
            }
            let count = self.open.fill(data);
            data = &data[count..];
        }
    }

    /// Keeps `data` itself if it is large enough.
    pub(crate) fn push(&mut self, data: Bytes) {
        if data.len() < SMALLEST {
            return self.copy(&data);
        }
        self.seal();
        self.length += data.len();
        self.chunks.push_back(data);
    }

    fn seal(&mut self) {
        let open = std::mem::take(&mut self.open).freeze();
        if !open.is_empty() {
            self.chunks.push_back(open);
        }
    }

    /// Takes the first `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> PutPayload {
        self.seal();
        let mut left = count.min(self.length);
        self.length -= left;
        let mut taken = Vec::new();
        while left > 0 {
            let Some(chunk) = self.chunks.front_mut() else { break };
            let part = chunk.split_to(left.min(chunk.len()));
            left -= part.len();
            taken.push(part);
            if chunk.is_empty() {
                self.chunks.pop_front();
            }
        }
        taken.into_iter().collect()
    }

    /// Puts back what was [taken](Self::take) whole and could not be sent.
    pub(crate) fn restore(&mut self, payload: PutPayload) {
        self.seal();
        for chunk in payload.into_iter().collect::<Vec<_>>().into_iter().rev() {
            self.length += chunk.len();
            self.chunks.push_front(chunk);
        }
    }

    /// All of it in one piece, which stays.
    pub(crate) fn joined(&mut self) -> Bytes {
        self.seal();
        if self.chunks.len() > 1 {
            let mut joined = BytesMut::with_capacity(self.length);
            self.chunks.drain(..).for_each(|chunk| joined.extend_from_slice(&chunk));
            self.chunks.push_back(joined.freeze());
        }
        self.chunks.front().cloned().unwrap_or_default()
    }
}
