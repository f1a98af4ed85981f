//! [`Content`]: the content of an object or of a part.

use std::ops::Range;

use bytes::{Bytes, BytesMut};

/// The size of a piece of a response, in bytes.
const PIECE: usize = 1 << 20;

static ZEROS: [u8; PIECE] = [0; PIECE];

/// Bytes, or only how many they were.
#[derive(Debug, Clone)]
pub(super) enum Content {
    Bytes(Bytes),
    /// So many zeros, which take no memory.
    Zeros(usize),
}

impl Content {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Zeros(length) => *length,
        }
    }

    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(range)),
            Self::Zeros(_) => Self::Zeros(range.len()),
        }
    }

    /// One after the other. They are zeros if one of them is.
    pub(super) fn joined(parts: &[&Self]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        let mut joined = BytesMut::new();
        for part in parts {
            match part {
                Self::Bytes(bytes) => joined.extend_from_slice(bytes),
                Self::Zeros(_) => return Self::Zeros(length),
            }
        }
        Self::Bytes(joined.freeze())
    }

    pub(super) fn to_bytes(&self) -> Bytes {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Zeros(length) => vec![0; *length].into(),
        }
    }

    /// In pieces, as it arrives over a network.
    pub(super) fn pieces(mut self) -> impl Iterator<Item = Bytes> {
        std::iter::from_fn(move || {
            let count = self.len().min(PIECE);
            let piece = match &mut self {
                Self::Bytes(bytes) => bytes.split_to(count),
                Self::Zeros(length) => {
                    *length -= count;
                    Bytes::from_static(&ZEROS[..count])
                }
            };
            (!piece.is_empty()).then_some(piece)
        })
    }

    /// A hash that is fast without optimization too.
    pub(super) fn hash(&self) -> u64 {
        let Self::Bytes(bytes) = self else { return 0 };
        bytes.chunks(8).fold(0_u64, |hash, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x517c_c1b7_2722_0a95)
        })
    }
}
