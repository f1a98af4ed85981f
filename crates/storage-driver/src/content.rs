//! [`Content`]: what was read of a file, with what `stat` says of it.

use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::{Metadata, Payload};

/// A file, or a range of one, read whole: its metadata and its bytes, both of one moment.
///
/// It is a [`Buf`] over the bytes, in as many parts as the driver holds them in.
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

    /// What [`stat`](crate::StorageDriver::stat) says of the file: of the whole, also where the
    /// bytes are a range of it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The bytes, where they stay.
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The bytes, in as many parts as there are.
    pub fn into_payload(self) -> Payload {
        self.payload
    }

    /// The metadata and the bytes.
    pub fn into_parts(self) -> (Metadata, Payload) {
        (self.metadata, self.payload)
    }

    /// The bytes in one contiguous part: free where there is one, a copy where there are more.
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
