//! [`Queue`]: data that a writer has accepted and no thread has taken yet.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};

/// Pieces smaller than this are copied together.
const PIECE: usize = 8 << 10;

/// How many bytes are copied together at most.
pub(super) const TAIL: usize = 64 << 10;

/// Accepted data that no thread has taken yet.
#[derive(Debug, Default)]
pub(super) struct Queue {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    pub(super) len: usize,
}

impl Queue {
    pub(super) fn push(&mut self, data: Bytes) {
        if data.len() < PIECE {
            return self.push_slice(&data);
        }
        self.end_tail();
        self.len += data.len();
        self.parts.push_back(data);
    }

    pub(super) fn push_slice(&mut self, data: &[u8]) {
        if self.tail.len() + data.len() > TAIL {
            self.end_tail();
        }
        self.len += data.len();
        self.tail.extend_from_slice(data);
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }

    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.end_tail();
        self.len = 0;
        std::mem::take(&mut self.parts).into()
    }

    /// Puts back unwritten parts, before the data that was accepted after them.
    pub(super) fn put_back(&mut self, parts: Vec<Bytes>, mut written: u64) {
        self.end_tail();
        let mut rest = VecDeque::new();
        for mut part in parts {
            let skip = written.min(part.len() as u64);
            written -= skip;
            part.advance(skip as usize);
            if !part.is_empty() {
                self.len += part.len();
                rest.push_back(part);
            }
        }
        rest.append(&mut self.parts);
        self.parts = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(parts: &[Bytes]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn large_pieces_are_not_copied() {
        let mut queue = Queue::default();
        let piece = Bytes::from(vec![1; PIECE]);
        queue.push(piece.clone());
        assert_eq!(queue.take()[0].as_ptr(), piece.as_ptr());
    }

    #[test]
    fn small_pieces_are_copied_together_in_their_order() {
        let mut queue = Queue::default();
        for number in 0..200_000_u32 {
            queue.push_slice(&number.to_le_bytes());
        }
        queue.push(vec![7; PIECE].into());
        queue.push_slice(b"end");
        assert_eq!(queue.len, 800_000 + PIECE + 3);
        let parts = queue.take();
        assert!(parts.len() < 20, "{} parts", parts.len());
        let expected: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        let content = content(&parts);
        assert!(content[..800_000] == expected && content.ends_with(b"end"));
    }

    #[test]
    fn unwritten_parts_are_put_back_before_later_data() {
        for written in 0..=10 {
            let mut queue = Queue::default();
            let taken = vec![Bytes::from("abcde"), Bytes::from("fghij")];
            queue.push_slice(b"klm");
            queue.put_back(taken, written);
            assert_eq!(queue.len, 13 - written as usize);
            assert_eq!(content(&queue.take()), b"abcdefghijklm"[written as usize..]);
        }
    }
}
