//! [`Blob`]s and manifests to push.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use sha2::{Digest, Sha256};

use crate::harness::{MIB, Random, oci};

const SEED: u64 = 11;
/// A blob repeats these bytes: they stay in the cache, and take no memory.
const PIECE: usize = MIB as usize;

/// Some content, and its digest.
#[derive(Debug, Clone)]
pub(super) struct Blob {
    pub(super) digest: String,
    piece: Bytes,
    /// The bytes that differ from other blobs.
    last: Bytes,
    pieces: usize,
}

impl Blob {
    /// So many blobs of `size` bytes, a multiple of a MiB, of which each differs in its last MiB.
    pub(super) fn many(count: usize, size: u64) -> Vec<Self> {
        let mut random = Random::new(SEED);
        let piece = Bytes::from(random.bytes(PIECE));
        let pieces = (size / PIECE as u64) as usize;
        let mut begun = Sha256::new();
        for _ in 1..pieces {
            begun.update(&piece);
        }
        let blob = |_| {
            let (piece, last) = (piece.clone(), Bytes::from(random.bytes(PIECE)));
            let digest = oci::digest(&begun.clone().chain_update(&last).finalize());
            Self { digest, piece, last, pieces }
        };
        (0..count).map(blob).collect()
    }

    /// How large it is, in bytes.
    pub(super) fn size(&self) -> u64 {
        (self.pieces * PIECE) as u64
    }

    /// The bodies of so many requests, of equal size but the last; of one, if `count` is zero.
    pub(super) fn chunks(&self, count: usize) -> impl Iterator<Item = Outgoing> {
        let each = self.pieces.div_ceil(count.max(1));
        (0..self.pieces).step_by(each).map(move |from| {
            let pieces = each.min(self.pieces - from);
            let is_last = from + pieces == self.pieces;
            let last = if is_last { &self.last } else { &self.piece };
            Outgoing { piece: self.piece.clone(), before: pieces - 1, last: last.clone() }
        })
    }
}

/// A body: a piece so many times, and then what is last.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    piece: Bytes,
    before: usize,
    last: Bytes,
}

impl From<Bytes> for Outgoing {
    fn from(last: Bytes) -> Self {
        Self { last, ..Self::default() }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let next = match this.before.checked_sub(1) {
            Some(before) => {
                this.before = before;
                this.piece.clone()
            }
            None => std::mem::take(&mut this.last),
        };
        Poll::Ready((!next.is_empty()).then(|| Ok(Frame::data(next))))
    }

    fn is_end_stream(&self) -> bool {
        self.before == 0 && self.last.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact((self.before * self.piece.len() + self.last.len()) as u64)
    }
}

/// The type of [`manifest`].
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An empty index, which needs no blobs; each number makes a different one.
pub(super) fn manifest(number: u64) -> Bytes {
    let text = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{INDEX}\",\"manifests\":[],\
         \"annotations\":{{\"number\":\"{number}\"}}}}"
    );
    text.into()
}

/// The digest of [`manifest`].
pub(super) fn digest_of_manifest(number: u64) -> String {
    oci::digest(&Sha256::digest(manifest(number)))
}

#[test]
fn chunks_are_the_whole_blob() {
    let blob = &Blob::many(1, 7 * MIB)[0];
    let size = |chunk: Outgoing| chunk.size_hint().exact().unwrap_or_default() / MIB;
    let sizes: Vec<u64> = blob.chunks(3).map(size).collect();
    assert_eq!(sizes, [3, 3, 1]);
    assert_eq!(blob.chunks(3).last().map(|chunk| chunk.last), Some(blob.last.clone()));
}

#[test]
fn a_blob_is_what_its_digest_says() {
    for mut blob in Blob::many(2, 3 * MIB) {
        let mut hash = Sha256::new();
        for _ in 1..blob.pieces {
            hash.update(&blob.piece);
        }
        hash.update(std::mem::take(&mut blob.last));
        assert_eq!(blob.digest, oci::digest(&hash.finalize()));
    }
}
