//! [`Content`]: the content of extents as a stream that reads ahead where the network is slow.
//!
//! It begins with one request for all that is left of an extent, which is the fastest where the server is near. Only
//! if the reader mostly waits for it, and it is slow, the rest is read in ranges, several at once: the fewer, the more
//! readers wait at the same time. Many readers have many requests under way anyway. If one that is slow is then not
//! slow because of the distance, but because all of them share what the server can do, ranges would make it slower.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream::BoxStream};
use storage_driver::{Error, ErrorKind, Path, Result};
use tokio::{task::JoinSet, time::Instant};

use crate::{
    backend::Backend,
    budget::Held,
    error::{corrupted, explain},
    namespace::At,
    record::Extent,
};

/// The size of a range that is read ahead, in bytes.
const WINDOW: u64 = 8 << 20;
/// How many ranges are read at once.
const AHEAD: usize = 4;
/// So many bytes of the first request are timed, and twice as many of each that follows because ranges were no longer
/// read: a request that is given up costs the server what it has read.
const TRIAL: u64 = 4 << 20;
/// One request that takes no longer for them is fast enough: 100 MiB/s.
const FAST: Duration = Duration::from_millis(40);

/// A range of an extent.
type Piece = (Extent, Range<u64>);

/// The content of extents that was not read yet.
pub(super) struct Content {
    backend: Arc<Backend>,
    /// The path of the file.
    path: Path,
    pieces: VecDeque<Piece>,
    /// The response to a request for the first piece.
    open: Option<BoxStream<'static, Result<Bytes>>>,
    trial: Trial,
    /// The ranges before the first piece, in order.
    ahead: VecDeque<Fetch>,
    /// Chunks of a range that was read whole.
    ready: VecDeque<Bytes>,
}

/// How long one request has taken so far.
struct Trial {
    begun: Instant,
    length: u64,
    bytes: u64,
    waited: Duration,
}

impl Trial {
    fn new(length: u64) -> Self {
        Self { begun: Instant::now(), length, bytes: 0, waited: Duration::ZERO }
    }

    /// Whether the reader has waited for the network most of the time, and long.
    fn is_slow(&self) -> bool {
        let time = self.begun.elapsed();
        let fast = FAST * u32::try_from(self.length / TRIAL).unwrap_or(u32::MAX);
        self.bytes >= self.length && self.waited * 2 > time && time > fast
    }

    /// The trial of the next request.
    fn next(&self) -> Self {
        Self::new(self.length.saturating_mul(2))
    }
}

/// A range that is being read. Dropping it ends its request.
type Fetch = JoinSet<Result<Vec<Bytes>>>;

impl Content {
    /// The bytes `range` of the content that `extents` hold, of the file at `path`.
    pub(super) fn new(
        backend: Arc<Backend>,
        path: Path,
        extents: &[Extent],
        range: Range<u64>,
    ) -> Self {
        let mut pieces = VecDeque::new();
        let mut start = 0;
        for extent in extents {
            let end = start + extent.length;
            let (from, to) = (range.start.max(start), range.end.min(end));
            if from < to {
                pieces.push_back((extent.clone(), from - start..to - start));
            }
            start = end;
        }
        let (ahead, ready) = (VecDeque::new(), VecDeque::new());
        Self { backend, path, pieces, open: None, trial: Trial::new(TRIAL), ahead, ready }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>> {
        let mut waiting = None;
        loop {
            if let Some(chunk) = self.ready.pop_front() {
                return Ok(Some(chunk));
            }
            waiting.get_or_insert_with(|| self.backend.budget.waiting());
            if !self.ahead.is_empty() || (self.trial.is_slow() && self.left() > WINDOW) {
                self.read_ahead();
                match self.ahead.is_empty() {
                    // There is no room: continue with one request, and see again later.
                    true => self.trial = self.trial.next(),
                    // What it still had is asked for again.
                    false => self.open = None,
                }
            }
            if let Some(mut fetch) = self.ahead.pop_front() {
                let chunks = fetch.join_next().await.and_then(std::result::Result::ok);
                // A task that was cut off by the end of its runtime.
                let chunks = chunks.unwrap_or_else(|| Err(ErrorKind::Unavailable.into()))?;
                self.ready.extend(chunks);
                // While the next ones wait for the network.
                self.read_ahead();
                if self.ahead.is_empty() {
                    self.trial = self.trial.next();
                }
                continue;
            }
            let Some((extent, range)) = self.pieces.front_mut() else { return Ok(None) };
            if range.is_empty() {
                self.pieces.pop_front();
                self.open = None;
                continue;
            }
            let before = Instant::now();
            let chunk = match &mut self.open {
                Some(open) => open.try_next().await?,
                None => {
                    self.open =
                        Some(request(&self.backend, &self.path, extent, range.clone()).await?);
                    self.trial.waited += before.elapsed();
                    continue;
                }
            };
            let chunk = chunk.filter(|chunk| chunk.len() as u64 <= range.end - range.start);
            let chunk = chunk.ok_or_else(|| wrong_length(extent))?;
            self.trial.waited += before.elapsed();
            self.trial.bytes += chunk.len() as u64;
            range.start += chunk.len() as u64;
            if !chunk.is_empty() {
                let held = self.backend.budget.take(chunk.len() as u64);
                return Ok(Some(held.into_bytes(chunk)));
            }
        }
    }

    fn left(&self) -> u64 {
        self.pieces.iter().map(|(_, range)| range.end - range.start).sum()
    }

    /// Starts to read the next ranges, as far as there is memory for them, and not too many readers wait.
    fn read_ahead(&mut self) {
        let most = AHEAD.min(self.backend.budget.reads(WINDOW));
        // One after the other is what one request is better at.
        while most > 1 && self.ahead.len() < most {
            let Some((extent, range)) = self.pieces.front_mut() else { return };
            let end = range.end.min(range.start + WINDOW);
            let Some(held) = self.backend.budget.try_take(end - range.start) else { return };
            let window = range.start..end;
            range.start = end;
            let (backend, path) = (Arc::clone(&self.backend), self.path.clone());
            let extent = extent.clone();
            let mut fetch = JoinSet::new();
            fetch.spawn(async move { read(&backend, &path, &extent, window, held).await });
            self.ahead.push_back(fetch);
            while self.pieces.front().is_some_and(|(_, range)| range.is_empty()) {
                self.pieces.pop_front();
            }
        }
    }
}

/// Reads a range whole. Its share of the budget is released with its bytes.
async fn read(
    backend: &Backend,
    path: &Path,
    extent: &Extent,
    range: Range<u64>,
    held: Held,
) -> Result<Vec<Bytes>> {
    let held = Arc::new(held);
    let mut left = range.end - range.start;
    let mut stream = request(backend, path, extent, range).await?;
    let mut chunks = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        left = left.checked_sub(chunk.len() as u64).ok_or_else(|| wrong_length(extent))?;
        if !chunk.is_empty() {
            chunks.push(Held::keep(&held, chunk));
        }
    }
    match left {
        0 => Ok(chunks),
        _ => Err(wrong_length(extent)),
    }
}

async fn request(
    backend: &Backend,
    path: &Path,
    extent: &Extent,
    range: Range<u64>,
) -> Result<BoxStream<'static, Result<Bytes>>> {
    let whole = range == (0..extent.length);
    let range = (!whole).then_some(range);
    match backend.objects.get(&extent.key(), range, None).await? {
        Some(got) => Ok(got.into_stream().map_err(explain).boxed()),
        None => Err(missing(backend, path, extent).await?),
    }
}

/// The error for an extent that is gone.
async fn missing(backend: &Backend, path: &Path, extent: &Extent) -> Result<Error> {
    let key = extent.key();
    Ok(match backend.at(path).await? {
        At::File(file) if file.record.extents().contains(extent) => {
            corrupted(&key, "the store has lost it, or another program has removed it")
        }
        // The file was replaced or removed so long ago that the sweeper has taken its data.
        _ => Error::new(ErrorKind::ContentChanged).with_source(format!("the extent {key} is gone")),
    })
}

fn wrong_length(extent: &Extent) -> Error {
    corrupted(&extent.key(), "the length of the response is not the one that was asked for")
}
