//! [`Content`]: the bytes of a file with its metadata.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::{Metadata, Payload};

/// The bytes of a file, or of a range of it, with the file's metadata, both from the same moment.
///
/// It is a [`Buf`] over the bytes, in the parts in which the driver holds them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    metadata: Metadata,
    payload: Payload,
}

impl Content {
    /// The bytes of the file that `metadata` describes, or of a range of it.
    pub fn new(metadata: Metadata, payload: Payload) -> Self {
        Self { metadata, payload }
    }

    /// The metadata of the whole file, also if the bytes are a range of it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The bytes.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The bytes, by value.
    pub fn into_payload(self) -> Payload {
        self.payload
    }

    /// The metadata and the bytes.
    pub fn into_parts(self) -> (Metadata, Payload) {
        (self.metadata, self.payload)
    }

    /// The bytes in one contiguous part: without a copy if there is one part, with one otherwise.
    pub fn into_bytes(self) -> Bytes {
        self.payload.into_bytes()
    }
}

impl Buf for Content {
    fn remaining(&self) -> usize {
        self.payload.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.payload.chunk()
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        self.payload.chunks_vectored(slices)
    }

    fn advance(&mut self, count: usize) {
        self.payload.advance(count);
    }

    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        self.payload.copy_to_bytes(count)
    }
}
