//! [`Source`]: chunks of bytes, made and hashed on a thread of their own.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::{
    sync::mpsc,
    task::{JoinHandle, spawn_blocking},
};

use crate::failure::Failure;

/// Where the bytes come from.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Generated { size: u64 },
    Stdin,
    File { path: PathBuf, size: Option<u64> },
}

impl Input {
    /// How many bytes it has, where that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        match self {
            Self::Generated { size } => Some(*size),
            Self::Stdin => None,
            Self::File { size, .. } => *size,
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        Ok(match self {
            Self::Generated { size } => Box::new(Generated { at: 0, size: *size }),
            Self::Stdin => Box::new(io::stdin()),
            Self::File { path, .. } => Box::new(File::open(path)?),
        })
    }

    fn name(&self) -> String {
        match self {
            Self::Generated { .. } => "the generated stream".into(),
            Self::Stdin => "standard input".into(),
            Self::File { path, .. } => format!("{path:?}"),
        }
    }
}

/// The SHA-256 of a stream.
pub(crate) type Sum = [u8; 32];

/// Chunks on their way from the thread that makes them. They come in batches, so that tiny ones do
/// not cost a hand-over each; one batch waits while the next is made.
pub(crate) struct Source {
    batches: mpsc::Receiver<Vec<Bytes>>,
    thread: JoinHandle<Result<Sum, Failure>>,
}

/// A batch ends at so many bytes, or so many chunks.
const BATCH_BYTES: usize = 1 << 20;
const BATCH_CHUNKS: usize = 1024;

impl Source {
    /// Starts to read `input` in chunks of `chunk` bytes, after the first `kept` bytes, which are
    /// hashed and not given.
    pub(crate) fn start(input: Input, chunk: usize, kept: u64) -> Self {
        let (sender, batches) = mpsc::channel(1);
        let thread = spawn_blocking(move || {
            produce(&input, chunk, kept, &sender)
                .map_err(|error| Failure::run(format!("cannot read {}: {error}", input.name())))
        });
        Self { batches, thread }
    }

    /// The next chunks; none at the end, and none after a failure, which [`sum`](Self::sum) tells.
    pub(crate) async fn next(&mut self) -> Option<Vec<Bytes>> {
        self.batches.recv().await
    }

    /// The checksum of everything that was read.
    pub(crate) async fn sum(self) -> Result<Sum, Failure> {
        drop(self.batches);
        self.thread.await?
    }
}

fn produce(
    input: &Input,
    chunk: usize,
    kept: u64,
    batches: &mpsc::Sender<Vec<Bytes>>,
) -> io::Result<Sum> {
    let mut input = input.open()?;
    let mut hasher = Sha256::new();
    skip(&mut input, kept, &mut hasher, batches)?;
    let mut more = true;
    while more {
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while more && bytes < BATCH_BYTES && batch.len() < BATCH_CHUNKS {
            // Each chunk is a buffer of its own, which the driver can take over as it is.
            let mut data = Vec::with_capacity(chunk);
            input.by_ref().take(chunk as u64).read_to_end(&mut data)?;
            hasher.update(&data);
            data.shrink_to_fit(); // The last may be short.
            more = data.len() == chunk;
            bytes += data.len();
            batch.push(Bytes::from(data));
        }
        if batches.blocking_send(batch).is_err() {
            break; // The upload has failed, and says why.
        }
    }
    Ok(hasher.finalize().into())
}

/// Hashes what an earlier run has uploaded.
fn skip(
    input: &mut dyn Read,
    kept: u64,
    hasher: &mut Sha256,
    batches: &mpsc::Sender<Vec<Bytes>>,
) -> io::Result<()> {
    let (mut at, mut data) = (0, Vec::new());
    while at < kept && !batches.is_closed() {
        data.clear();
        let piece = (kept - at).min(BATCH_BYTES as u64);
        let read = input.take(piece).read_to_end(&mut data)?;
        hasher.update(&data);
        at += read as u64;
        if (read as u64) < piece {
            return Err(io::Error::other(format!(
                "it ends at {at}, and {kept} bytes are kept of the upload: it is another source"
            )));
        }
    }
    Ok(())
}

/// A stream that looks random, so that nothing can be saved on it: word `n` is `n`, well mixed. The
/// same for every chunk size, and several times faster than its checksum.
struct Generated {
    at: u64,
    size: u64,
}

impl Generated {
    /// SplitMix64 of the word's number.
    fn word(number: u64) -> [u8; 8] {
        let mut word = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    }
}

impl Read for Generated {
    /// Fills whole words; a part of one only where that is all there is room for.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.size - self.at).unwrap_or(usize::MAX);
        let room = buffer.len().min(left);
        let (number, skip) = (self.at / 8, (self.at % 8) as usize);
        let (words, rest) = buffer[..room].as_chunks_mut();
        let filled = if skip == 0 && !words.is_empty() {
            for (word, number) in words.iter_mut().zip(number..) {
                *word = Self::word(number);
            }
            room - rest.len()
        } else {
            let part = room.min(8 - skip);
            buffer[..part].copy_from_slice(&Self::word(number)[skip..skip + part]);
            part
        };
        self.at += filled as u64;
        Ok(filled)
    }
}
