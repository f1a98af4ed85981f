//! [`Envelope`]: the frame of every object that decides something.
//!
//! ```text
//! ┌───────┬──────┬───────┬───────────────┬─────────────┬──────┐
//! │ magic │ kind │ nonce │ header length │ header      │ body │
//! │ 8     │ 1    │ 22    │ 4, big endian │ JSON        │ rest │
//! └───────┴──────┴───────┴───────────────┴─────────────┴──────┘
//! ```
//!
//! The nonce is different in every object that was ever written, and so is the ETag.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};

use crate::nonce;

/// The content type of all of them.
pub(crate) const CONTENT_TYPE: &str = "application/vnd.storage-driver.bucket";
const MAGIC: [u8; 8] = *b"\x89SDrv1\r\n";
const FIXED: usize = MAGIC.len() + 1 + nonce::LENGTH + 4;
/// The length of a tombstone, which nothing else in an envelope has: a listing tells it without a GET. Enough for the
/// nonces of the states before it.
pub(crate) const TOMBSTONE_LENGTH: usize = 256;

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file.
    Record,
    /// An upload.
    Journal,
    /// Which paths may name extents.
    Owner,
    /// Nothing: a path that is to be taken for absent.
    Tombstone,
    /// Who does a job that one process should do.
    Lease,
}

impl Kind {
    fn letter(self) -> u8 {
        match self {
            Self::Record => b'R',
            Self::Journal => b'J',
            Self::Owner => b'O',
            Self::Tombstone => b'T',
            Self::Lease => b'L',
        }
    }

    fn of(letter: u8) -> Option<Self> {
        [Self::Record, Self::Journal, Self::Owner, Self::Tombstone, Self::Lease]
            .into_iter()
            .find(|kind| kind.letter() == letter)
    }
}

/// A decoded envelope; the header is not parsed yet.
#[derive(Debug, Clone)]
pub(crate) struct Envelope {
    pub(crate) kind: Kind,
    pub(crate) nonce: String,
    header: Bytes,
    /// As much of the body as was read.
    pub(crate) body: Bytes,
}

/// The bytes of an envelope with a fresh nonce, and the nonce.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Bytes,
    pub(crate) nonce: String,
}

/// Seals a header and a body.
pub(crate) fn seal(kind: Kind, header: &impl Serialize, body: &[&[u8]]) -> Sealed {
    let nonce = nonce::fresh();
    // Types of this crate serialize without errors: strings, numbers, lists.
    let mut header = serde_json::to_vec(header).unwrap_or_default();
    let body_length: usize = body.iter().map(|part| part.len()).sum();
    if FIXED + header.len() + body_length == TOMBSTONE_LENGTH && kind != Kind::Tombstone {
        header.push(b' ');
    }
    let mut bytes = BytesMut::with_capacity(FIXED + header.len() + body_length);
    bytes.put_slice(&MAGIC);
    bytes.put_u8(kind.letter());
    bytes.put_slice(nonce.as_bytes());
    bytes.put_u32(header.len() as u32);
    bytes.put_slice(&header);
    for part in body {
        bytes.put_slice(part);
    }
    Sealed { bytes: bytes.freeze(), nonce }
}

/// A tombstone that says nothing. Hints and scratch objects are tombstones too.
pub(crate) fn tombstone() -> Sealed {
    tombstone_with(&())
}

/// A tombstone with a header of at most 221 bytes.
pub(crate) fn tombstone_with(header: &impl Serialize) -> Sealed {
    let length = serde_json::to_vec(header).map_or(0, |header| header.len());
    let padding = [b' '; TOMBSTONE_LENGTH - FIXED];
    seal(Kind::Tombstone, header, &[&padding[length.min(padding.len())..]])
}

impl Envelope {
    /// Opens what was read of an object; `None` if it is no envelope, `Err` with the number of bytes needed if
    /// its header was not read whole.
    pub(crate) fn open(bytes: &Bytes) -> Option<Result<Self, usize>> {
        if bytes.len() < FIXED || bytes[..MAGIC.len()] != MAGIC {
            return None;
        }
        let kind = Kind::of(bytes[MAGIC.len()])?;
        let nonce = std::str::from_utf8(&bytes[MAGIC.len() + 1..FIXED - 4]).ok()?.to_owned();
        let length =
            bytes[FIXED - 4..FIXED].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if bytes.len() < FIXED + length {
            return Some(Err(FIXED + length));
        }
        let header = bytes.slice(FIXED..FIXED + length);
        Some(Ok(Self { kind, nonce, header, body: bytes.slice(FIXED + length..) }))
    }

    /// Parses the header.
    pub(crate) fn header<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tombstone_has_its_length_and_nothing_else_has_it() {
        assert_eq!(tombstone().bytes.len(), TOMBSTONE_LENGTH);
        assert_eq!(tombstone_with(&"header").bytes.len(), TOMBSTONE_LENGTH);
        for length in 0..TOMBSTONE_LENGTH {
            let sealed = seal(Kind::Record, &(), &[&vec![0; length]]);
            assert_ne!(sealed.bytes.len(), TOMBSTONE_LENGTH);
        }
    }

    #[test]
    fn a_sealed_header_and_body_are_found_again() {
        let sealed = seal(Kind::Journal, &[1, 2, 3], &[b"one", b"two"]);
        let envelope = Envelope::open(&sealed.bytes).unwrap().unwrap();
        assert_eq!(envelope.kind, Kind::Journal);
        assert_eq!(envelope.nonce, sealed.nonce);
        assert_eq!(envelope.header::<Vec<u8>>().unwrap(), [1, 2, 3]);
        assert_eq!(envelope.body, "onetwo");
        assert!(Envelope::open(&sealed.bytes.slice(..40)).unwrap().is_err());
        assert!(Envelope::open(&Bytes::from("something else that is long enough")).is_none());
    }
}
