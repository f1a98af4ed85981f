//! Copying between writers, readers and other streams.
//!
//! None takes a progress callback: wrap the source with `TryStreamExt::inspect_ok` or
//! `tokio_util::io::InspectReader`, the destination with `tokio_util::io::InspectWriter`.

use std::{future::poll_fn, io, pin::Pin, pin::pin, task::ready};

use bytes::Bytes;
use futures_core::Stream;
use std::task::Poll;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::{Error, Reader, Result, Writer};

/// What [`Writer::write_from`] reads at a time: 128 KiB.
const BUFFER: usize = 128 << 10;

impl Writer {
    /// Writes every item of `stream` and returns the number of bytes. Each `Bytes` is handed over as it is.
    ///
    /// It does not commit, and may be called again for more. For progress, wrap the stream:
    ///
    /// ```
    /// # use bytes::Bytes;
    /// # use futures::{Stream, TryStreamExt};
    /// # use storage_driver::{Result, Writer};
    /// # async fn upload(writer: &mut Writer, body: impl Stream<Item = Result<Bytes>>) -> Result<()> {
    /// let mut received = 0;
    /// let body = body.inspect_ok(|part| {
    ///     received += part.len();
    ///     println!("{received} bytes");
    /// });
    /// writer.write_stream(body).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The stream's error, or that of [`write_bytes`](Self::write_bytes). Every item before the error is in the
    /// writer. An item that the driver refuses (a full store) is dropped; [`size`](Self::size) is the offset
    /// to continue at.
    ///
    /// # Cancel safety
    ///
    /// No item is lost: the stream is polled only once the driver can accept an item.
    pub async fn write_stream<S, E>(&mut self, stream: S) -> Result<u64>
    where
        S: Stream<Item = Result<Bytes, E>>,
        E: Into<Error>,
    {
        let mut stream = pin!(stream);
        let mut total = 0;
        loop {
            let next = poll_fn(|cx| {
                ready!(self.poll_ready_for_data(cx))?;
                stream.as_mut().poll_next(cx).map(|next| next.transpose().map_err(Into::into))
            });
            let Some(data) = next.await? else { return Ok(total) };
            let length = data.len() as u64;
            self.accept(data)?;
            total += length;
        }
    }

    /// Writes `source` until its end and returns the number of bytes. It reads up to 128 KiB at a time.
    ///
    /// It does not commit, and may be called again for more.
    ///
    /// ```
    /// # use storage_driver::{Result, Writer};
    /// # async fn example(mut writer: Writer) -> Result<()> {
    /// writer.write_from(&b"anything that implements AsyncRead"[..]).await?;
    /// writer.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The source's error as an [`Error`], or that of [`write_bytes`](Self::write_bytes). Everything read before
    /// the error is in the writer. Data that the driver refuses (a full store) is dropped;
    /// [`size`](Self::size) is the offset to continue at.
    ///
    /// # Cancel safety
    ///
    /// No data is lost: the source is read only once the driver can accept data.
    pub async fn write_from(&mut self, source: impl AsyncRead) -> Result<u64> {
        let mut source = pin!(source);
        let mut buffer = vec![0; BUFFER];
        let mut total = 0;
        loop {
            let read = poll_fn(|cx| -> Poll<Result<usize>> {
                ready!(self.poll_ready_for_data(cx))?;
                let mut buffer = ReadBuf::new(&mut buffer);
                ready!(source.as_mut().poll_read(cx, &mut buffer))?;
                Poll::Ready(Ok(buffer.filled().len()))
            });
            match read.await? {
                0 => return Ok(total),
                length => {
                    self.accept_slice(&buffer[..length])?;
                    total += length as u64;
                }
            }
        }
    }
}

impl Reader {
    /// Writes the rest of the range to `out`, flushes it, and returns the number of bytes.
    ///
    /// ```
    /// # use storage_driver::{Path, ReadRange, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/blob")?;
    /// let mut out = Vec::new();
    /// driver.reader(&path, ReadRange::Full).await?.copy_to(&mut out).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The error of the read, or that of `out` as an [`Error`] with the reader's context;
    /// [`remaining`](Self::remaining) is exactly what `out` has not accepted.
    ///
    /// # Cancel safety
    ///
    /// No byte is lost: what `out` did not accept is still in the reader.
    pub async fn copy_to(&mut self, out: impl AsyncWrite) -> Result<u64> {
        let mut out = pin!(out);
        let mut total = 0;
        loop {
            let step = poll_fn(|cx| -> Poll<io::Result<usize>> {
                let chunk = ready!(Pin::new(&mut *self).poll_fill_buf(cx))?;
                if chunk.is_empty() {
                    return Poll::Ready(Ok(0));
                }
                let length = ready!(out.as_mut().poll_write(cx, chunk))?;
                Pin::new(&mut *self).consume(length);
                Poll::Ready(if length == 0 {
                    Err(io::ErrorKind::WriteZero.into())
                } else {
                    Ok(length)
                })
            });
            match step.await.map_err(|error| self.in_context(error.into()))? {
                0 => break,
                length => {
                    total += length as u64;
                }
            }
        }
        poll_fn(|cx| out.as_mut().poll_flush(cx))
            .await
            .map_err(|error| self.in_context(error.into()))?;
        Ok(total)
    }
}
