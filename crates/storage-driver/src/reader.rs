//! [`Reader`]: a stream of a file's bytes.

use std::{
    fmt, io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use futures_core::Stream;
use tokio::io::{AsyncBufRead, AsyncRead, ReadBuf};

use crate::{Content, Error, ErrorKind, Metadata, Operation, Payload, Result};

/// A snapshot of a file's bytes, taken when the reader was opened.
///
/// Puts, renames, appends and deletions do not affect it. A driver that cannot hold a snapshot fails the read
/// with [`ContentChanged`](ErrorKind::ContentChanged) and never returns a mix. Readers of one file are
/// independent of each other.
///
/// It is a [`Stream`] of non-empty [`Bytes`], an [`AsyncRead`] and an [`AsyncBufRead`]; they can be
/// mixed, and each continues where the other stopped. After the end it stays ended. After an error the
/// stream stays ended and reads repeat the error. Content that is shorter than its stated length is an error
/// ([`Corrupted`](ErrorKind::Corrupted)), never an early end.
///
/// # Cancel safety
///
/// A dropped read has consumed no bytes. Dropping the reader releases its snapshot.
///
/// ```
/// # tokio_test::block_on(async {
/// use bytes::Bytes;
/// use futures::{TryStreamExt, stream};
/// use std::time::SystemTime;
/// use storage_driver::{Metadata, Path, Reader, Version};
///
/// // In a driver:
/// let metadata = Metadata::new(Path::parse("/a")?, 6, SystemTime::now(), Version::from(1));
/// let parts = stream::iter([Ok(Bytes::from("abc")), Ok(Bytes::from("def"))]);
/// let reader = Reader::new("example", metadata, 0..6, parts);
///
/// // In its caller:
/// assert_eq!(reader.remaining(), 6);
/// let parts: Vec<Bytes> = reader.try_collect().await?;
/// assert_eq!(parts.concat(), b"abcdef");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[must_use = "a reader does nothing unless it is polled"]
pub struct Reader {
    driver: &'static str,
    metadata: Metadata,
    range: Range<u64>,
    /// Bytes of the range that the source has not returned yet.
    awaited: u64,
    /// Bytes that the source returned and the caller has not consumed.
    chunk: Bytes,
    source: Source,
}

enum Source {
    Open(Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>),
    Ended,
    Failed(Error),
}

impl Reader {
    /// A reader of the bytes `range` of the file that `metadata` describes. For implementers.
    ///
    /// `source` returns exactly those bytes in chunks of any size. The reader adds context to its errors, drops
    /// empty chunks, detects an end that is early or late, and drops `source` after the last byte. If `range` is empty, it drops `source` at once, inside of this call:
    /// do not hold a lock here that the drop of `source` takes.
    pub fn new(
        driver: &'static str,
        metadata: Metadata,
        range: Range<u64>,
        source: impl Stream<Item = Result<Bytes>> + Send + 'static,
    ) -> Self {
        let awaited = range.end.saturating_sub(range.start);
        let source = if awaited == 0 { Source::Ended } else { Source::Open(Box::pin(source)) };
        Self { driver, metadata, range, awaited, chunk: Bytes::new(), source }
    }

    /// A reader of bytes that are in memory. For implementers. One part takes no allocation.
    pub fn from_payload(
        driver: &'static str,
        metadata: Metadata,
        range: Range<u64>,
        payload: Payload,
    ) -> Self {
        struct Parts(<Payload as IntoIterator>::IntoIter);

        impl Stream for Parts {
            type Item = Result<Bytes>;

            fn poll_next(
                mut self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<Self::Item>> {
                Poll::Ready(self.0.next().map(Ok))
            }
        }

        let is_whole = payload.len() as u64 == range.end.saturating_sub(range.start);
        if is_whole && payload.parts().nth(1).is_none() {
            let (chunk, source) = (payload.into_bytes(), Source::Ended);
            return Self { driver, metadata, range, awaited: 0, chunk, source };
        }
        Self::new(driver, metadata, range, Parts(payload.into_iter()))
    }

    /// The file that it reads: the size and version are those of the snapshot.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The range of the file that it was opened for, with its end clipped to the content.
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The number of bytes that are left to read.
    pub fn remaining(&self) -> u64 {
        self.awaited + self.chunk.len() as u64
    }

    /// Reads the rest of the range.
    ///
    /// # Errors
    ///
    /// [`ContentTooLarge`](ErrorKind::ContentTooLarge) if that is more than `limit` bytes, before
    /// any of them is read; otherwise the error of the read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed. The bytes that were read are lost with the reader.
    pub async fn into_content(mut self, limit: u64) -> Result<Content> {
        let size = self.remaining();
        if size > limit {
            let error = Error::new(ErrorKind::ContentTooLarge { size, limit });
            return Err(self.in_context(error));
        }
        let mut payload = Payload::new();
        while let Some(chunk) =
            std::future::poll_fn(|cx| Pin::new(&mut self).poll_next(cx)).await.transpose()?
        {
            payload.push(chunk);
        }
        Ok(Content::new(self.metadata, payload))
    }

    pub(crate) fn in_context(&self, error: Error) -> Error {
        error.context(self.driver, Operation::Read, &self.metadata.path)
    }

    fn fail(&mut self, error: Error) -> Error {
        let error = self.in_context(error);
        self.source = Source::Failed(error.clone());
        error
    }

    /// Makes `chunk` non-empty, unless this is the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while self.chunk.is_empty() {
            let next = match &mut self.source {
                Source::Ended => return Poll::Ready(Ok(())),
                Source::Failed(error) => return Poll::Ready(Err(error.clone())),
                Source::Open(source) => ready!(source.as_mut().poll_next(cx)),
            };
            let missing = self.awaited;
            let chunk = match next {
                Some(Ok(chunk)) if chunk.len() as u64 <= missing => chunk,
                Some(Ok(_)) => {
                    let cause = "the backend returned more bytes than it announced";
                    let error = Error::new(ErrorKind::Corrupted).with_source(cause);
                    return Poll::Ready(Err(self.fail(error)));
                }
                Some(Err(error)) => return Poll::Ready(Err(self.fail(error))),
                None => {
                    let text = format!("the content ended {missing} bytes early");
                    let cause = io::Error::new(io::ErrorKind::UnexpectedEof, text);
                    let error = Error::new(ErrorKind::Corrupted).with_source(cause);
                    return Poll::Ready(Err(self.fail(error)));
                }
            };
            self.awaited -= chunk.len() as u64;
            self.chunk = chunk;
            if self.awaited == 0 {
                self.source = Source::Ended;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl Stream for Reader {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.chunk.is_empty() && matches!(self.source, Source::Failed(_)) {
            return Poll::Ready(None);
        }
        ready!(self.poll_fill(cx))?;
        let chunk = std::mem::take(&mut self.chunk);
        Poll::Ready(if chunk.is_empty() { None } else { Some(Ok(chunk)) })
    }
}

impl AsyncBufRead for Reader {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_fill(cx))?;
        Poll::Ready(Ok(&this.chunk))
    }

    fn consume(mut self: Pin<&mut Self>, amount: usize) {
        // A caller may not consume more than it was given; if it does, no byte is lost.
        let amount = amount.min(self.chunk.len());
        self.chunk.advance(amount);
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let available = ready!(self.as_mut().poll_fill_buf(cx))?;
        let amount = available.len().min(buf.remaining());
        buf.put_slice(&available[..amount]);
        self.consume(amount);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("driver", &self.driver)
            .field("metadata", &self.metadata)
            .field("range", &self.range)
            .field("remaining", &self.remaining())
            .finish_non_exhaustive()
    }
}
