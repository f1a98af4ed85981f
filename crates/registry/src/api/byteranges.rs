//! [`ByteRanges`]: several ranges of a blob in one response.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::ReadRange;
use uuid::Uuid;

use crate::{
    digest::Digest,
    store::{Error, Result, Store},
};

/// A body of the type `multipart/byteranges` (RFC 9110, section 14.6).
pub(super) struct ByteRanges {
    boundary: Uuid,
    /// The size of the blob, in bytes.
    size: u64,
    ranges: Vec<Range<u64>>,
}

impl ByteRanges {
    pub(super) fn new(size: u64, ranges: Vec<Range<u64>>) -> Self {
        Self { boundary: Uuid::new_v4(), size, ranges }
    }

    pub(super) fn content_type(&self) -> String {
        format!("multipart/byteranges; boundary={}", self.boundary.simple())
    }

    /// The length of the body, in bytes.
    pub(super) fn length(&self) -> u64 {
        let part = |range| self.head(range).len() as u64 + range.end - range.start;
        self.ranges.iter().map(part).sum::<u64>() + self.tail().len() as u64
    }

    /// Opens the first part and returns the body. One reader is open at a time: a part is opened when the
    /// part before it has been sent.
    pub(super) async fn read(
        self,
        store: Arc<Store>,
        digest: Digest,
    ) -> Result<impl Stream<Item = storage_driver::Result<Bytes>> + Send + 'static> {
        let tail = stream::once(ready(Ok(Bytes::from(self.tail()))));
        let parts = stream::iter(self.ranges.clone()).then(move |range| {
            let (head, store) = (Bytes::from(self.head(&range)), Arc::clone(&store));
            async move {
                let reader = store.read_content(&digest, ReadRange::from(range)).await?;
                Ok::<_, Error>(stream::once(ready(Ok(head))).chain(reader))
            }
        });
        let mut parts = Box::pin(parts);
        let first = stream::iter(parts.try_next().await?).flatten();
        let others = parts.map_err(Error::into_driver).try_flatten();
        Ok(first.chain(others).chain(tail))
    }

    fn head(&self, range: &Range<u64>) -> String {
        let (boundary, size) = (self.boundary.simple(), self.size);
        let (first, last) = (range.start, range.end - 1);
        format!(
            "\r\n--{boundary}\r\nContent-Type: application/octet-stream\r\n\
             Content-Range: bytes {first}-{last}/{size}\r\n\r\n"
        )
    }

    fn tail(&self) -> String {
        format!("\r\n--{}--\r\n", self.boundary.simple())
    }
}
