//! [`Pieces`]: the bytes of an open file, one piece at a time.

use std::{
    ops::Range,
    os::fd::OwnedFd,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures::FutureExt;
use futures_core::Stream;
use rustix::io::Errno;
use storage_driver::Result;
use tokio::task::JoinHandle;

use crate::{
    error::explain,
    store::{Store, blocking::broken, buffers::Buffers},
};

/// After this many cached pieces, 1 MiB, the reader yields to other tasks.
const TURN: u32 = 16;

/// Reads a range of an open file.
///
/// Bytes that the kernel has cached are read where the stream is polled, without a thread, and so are all bytes of a
/// file system in memory. From the first piece that is not cached, a thread reads one piece ahead of the consumer. So a
/// reader holds two pieces at most.
pub(crate) struct Pieces {
    store: Arc<Store>,
    file: Arc<OwnedFd>,
    /// The range that is not read yet, and that no thread is reading.
    rest: Range<u64>,
    mode: Mode,
}

enum Mode {
    /// The number of pieces that were read in a row.
    Here(u32),
    Thread(Option<JoinHandle<Result<Bytes>>>),
}

impl Pieces {
    pub(crate) fn new(store: Arc<Store>, file: OwnedFd, range: Range<u64>) -> Self {
        Self { store, file: Arc::new(file), rest: range, mode: Mode::Here(0) }
    }

    /// The length of the next piece, at most `most`.
    fn length(&self, most: usize) -> usize {
        (self.rest.end - self.rest.start).min(most as u64) as usize
    }

    /// Reads cached bytes; `None` if there are none.
    fn read_here(&mut self) -> Option<Result<Bytes>> {
        let (length, offset) = (self.length(Buffers::SMALL), self.rest.start);
        let mut buffer = self.store.buffers.get(length);
        let place = &mut buffer.as_mut()[..length];
        let sys = &self.store.root.sys;
        let read = if self.store.in_memory {
            sys.read(&*self.file, place, offset)
        } else {
            sys.read_cached(&*self.file, place, offset)
        };
        match read {
            Ok(length) => {
                self.rest.start += length as u64;
                Some(Ok(buffer.into_bytes(length)))
            }
            Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => None,
            Err(errno) => Some(Err(explain(errno))),
        }
    }

    /// Starts to read the next piece on a thread.
    fn read_ahead(&mut self) -> Option<JoinHandle<Result<Bytes>>> {
        let (length, offset) = (self.length(Buffers::LARGE), self.rest.start);
        if length == 0 {
            return None;
        }
        self.rest.start += length as u64;
        let (store, file) = (Arc::clone(&self.store), Arc::clone(&self.file));
        Some(self.store.work.start(move || {
            let mut buffer = store.buffers.get(length);
            let mut filled = 0;
            while filled < length {
                let place = &mut buffer.as_mut()[filled..length];
                match store.root.sys.read(&*file, place, offset + filled as u64).map_err(explain)? {
                    0 => break,
                    read => filled += read,
                }
            }
            Ok(buffer.into_bytes(filled))
        }))
    }
}

impl Stream for Pieces {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match &mut this.mode {
                Mode::Here(_) if this.rest.is_empty() => return Poll::Ready(None),
                Mode::Here(TURN) => {
                    this.mode = Mode::Here(0);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Mode::Here(count) => {
                    *count += 1;
                    match this.read_here() {
                        // The file ends before its size.
                        Some(Ok(piece)) if piece.is_empty() => return Poll::Ready(None),
                        Some(piece) => return Poll::Ready(Some(piece)),
                        None => this.mode = Mode::Thread(this.read_ahead()),
                    }
                }
                Mode::Thread(None) => return Poll::Ready(None),
                Mode::Thread(Some(reading)) => {
                    let piece = ready!(reading.poll_unpin(cx));
                    let piece = piece.unwrap_or_else(|error| Err(broken(error)));
                    let ended = piece.as_ref().map_or(true, |piece| piece.is_empty());
                    this.mode = Mode::Thread(if ended { None } else { this.read_ahead() });
                    return Poll::Ready(
                        Some(piece).filter(|p| !matches!(p, Ok(p) if p.is_empty())),
                    );
                }
            }
        }
    }
}
