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
use object_store::PutPayload;
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
    pub(crate) bytes: PutPayload,
    pub(crate) nonce: String,
}

/// Seals a header and a body, which is not copied.
pub(crate) fn seal(kind: Kind, header: &impl Serialize, body: &[Bytes]) -> Sealed {
    let nonce = nonce::fresh();
    // Types of this crate serialize without errors: strings, numbers, lists.
    let mut header = serde_json::to_vec(header).unwrap_or_default();
    let body_length: usize = body.iter().map(Bytes::len).sum();
    if FIXED + header.len() + body_length == TOMBSTONE_LENGTH && kind != Kind::Tombstone {
        header.push(b' ');
    }
    let mut bytes = BytesMut::with_capacity(FIXED + header.len());
    bytes.put_slice(&MAGIC);
    bytes.put_u8(kind.letter());
    bytes.put_slice(nonce.as_bytes());
    bytes.put_u32(header.len() as u32);
    bytes.put_slice(&header);
    let body = body.iter().filter(|part| !part.is_empty()).cloned();
    Sealed { bytes: std::iter::once(bytes.freeze()).chain(body).collect(), nonce }
}

/// A tombstone that says nothing. Hints and scratch objects are tombstones too.
pub(crate) fn tombstone() -> Sealed {
    tombstone_with(&())
}

/// A tombstone with a header of at most 221 bytes.
pub(crate) fn tombstone_with(header: &impl Serialize) -> Sealed {
    let length = serde_json::to_vec(header).map_or(0, |header| header.len());
    const PADDING: &[u8] = &[b' '; TOMBSTONE_LENGTH - FIXED];
    let padding = &PADDING[length.min(PADDING.len())..];
    seal(Kind::Tombstone, header, &[Bytes::from_static(padding)])
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
        assert_eq!(tombstone().bytes.content_length(), TOMBSTONE_LENGTH);
        assert_eq!(tombstone_with(&"header").bytes.content_length(), TOMBSTONE_LENGTH);
        for length in 0..TOMBSTONE_LENGTH {
            let sealed = seal(Kind::Record, &(), &[vec![0; length].into()]);
            assert_ne!(sealed.bytes.content_length(), TOMBSTONE_LENGTH);
        }
    }

    #[test]
    fn a_sealed_header_and_body_are_found_again() {
        let sealed = seal(Kind::Journal, &[1, 2, 3], &["one".into(), "two".into()]);
        let bytes = Bytes::from(sealed.bytes);
        let envelope = Envelope::open(&bytes).unwrap().unwrap();
        assert_eq!(envelope.kind, Kind::Journal);
        assert_eq!(envelope.nonce, sealed.nonce);
        assert_eq!(envelope.header::<Vec<u8>>().unwrap(), [1, 2, 3]);
        assert_eq!(envelope.body, "onetwo");
        assert!(Envelope::open(&bytes.slice(..40)).unwrap().is_err());
        assert!(Envelope::open(&Bytes::from("something else that is long enough")).is_none());
    }
}
