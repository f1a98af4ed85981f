//! Copying between writers, readers and the rest of the async world, with progress.

use std::{future::poll_fn, io, pin::Pin, pin::pin, task::ready};

use bytes::Bytes;
use futures_core::Stream;
use std::task::Poll;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, ReadBuf};

use crate::{Error, Reader, Result, Writer};

/// What [`Writer::write_from`] reads at a time: 128 KiB.
const BUFFER: usize = 128 << 10;

impl Writer {
    /// Writes all that `stream` gives and returns how many bytes that was. Each `Bytes` is handed
    /// over as it is. `progress` is told the number of bytes so far after each.
    ///
    /// It does not commit, and may be called again for more.
    ///
    /// # Errors
    ///
    /// The stream's error, or what [`write_bytes`](Self::write_bytes) returns. All that the stream gave before
    /// its error is in the writer. A piece that the driver refuses (a full store) is dropped;
    /// [`size`](Self::size) tells from where to send again.
    ///
    /// # Cancel safety
    ///
    /// Nothing that was taken from the stream is lost: room is waited for before the stream is
    /// asked.
    pub async fn write_stream<S, E>(
        &mut self,
        stream: S,
        mut progress: impl FnMut(u64),
    ) -> Result<u64>
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
            progress(total);
        }
    }

    /// Writes all that `source` gives until its end and returns how many bytes that was.
    /// `progress` is told the number of bytes so far after each read, of at most 128 KiB.
    ///
    /// It does not commit, and may be called again for more.
    ///
    /// # Errors
    ///
    /// The source's error, or what [`write_bytes`](Self::write_bytes) returns, as an [`Error`]. All that was
    /// read before a source's error is in the writer. A piece that the driver refuses (a full
    /// store) is dropped; [`size`](Self::size) tells from where to send again.
    ///
    /// # Cancel safety
    ///
    /// Nothing that was read is lost: room is waited for before the source is asked.
    pub async fn write_from(
        &mut self,
        source: impl AsyncRead,
        mut progress: impl FnMut(u64),
    ) -> Result<u64> {
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
                    progress(total);
                }
            }
        }
    }
}

impl Reader {
    /// Writes all that is left into `out`, flushes it, and returns how many bytes that was.
    /// `progress` is told the number of bytes so far after each write.
    ///
    /// # Errors
    ///
    /// What the read answers, or `out`'s error as an [`Error`] with the reader's context;
    /// [`remaining`](Self::remaining) tells exactly what `out` has not taken.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost: a byte that `out` did not take is still in the reader.
    pub async fn copy_to(
        &mut self,
        out: impl AsyncWrite,
        mut progress: impl FnMut(u64),
    ) -> Result<u64> {
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
                    progress(total);
                }
            }
        }
        poll_fn(|cx| out.as_mut().poll_flush(cx))
            .await
            .map_err(|error| self.in_context(error.into()))?;
        Ok(total)
    }
}
