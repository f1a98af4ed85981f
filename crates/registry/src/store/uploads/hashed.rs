//! [`HashedBody`]: the chunks of a body, each with the state of the digest after it.

use std::{future::ready, sync::Arc, thread::available_parallelism, vec};

use bytes::Bytes;
use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinHandle, spawn_blocking},
};

use crate::{
    digest::Hasher,
    store::{
        error::{Error, Result},
        source::{Source, SourceError},
    },
};

/// A smaller batch is hashed at once: handing it to a thread takes about as long as hashing it.
const WORTHWHILE: usize = 64 << 10;

/// How much is received while a batch is hashed, apart from the last chunk: so much that a hand-over costs little
/// compared with the hashing. An upload has at most two batches in memory.
const BATCH: usize = 512 << 10;

/// The threads that may hash for uploads at the same time: one for each core of the machine but one. If all are at work, an
/// upload is hashed where it is received, because no core is idle.
#[derive(Debug, Clone)]
pub(in crate::store) struct HashThreads(Arc<Semaphore>);

impl HashThreads {
    fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }
}

impl Default for HashThreads {
    fn default() -> Self {
        Self::new(available_parallelism().map_or(0, |cores| cores.get() - 1))
    }
}

/// A chunk, and the note of an upload that ends with it.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) bytes: Bytes,
    /// Empty if the digest is not computed.
    pub(super) note: Bytes,
}

/// The chunks of a body in their order, each with the state of the digest after it.
///
/// Chunks are hashed in batches of what the client has sent so far. While a thread hashes a large batch, the next one is
/// received: hashing, receiving and storing then take the time of the slowest of the three. Without a large batch,
/// nothing waits: what a slow client sends is passed on at once.
#[derive(Debug)]
pub(super) struct HashedBody<S> {
    body: S,
    threads: HashThreads,
    /// Why no more is received, once that is so.
    end: Option<Result<(), SourceError>>,
    batch: Batch,
    thread: Option<JoinHandle<(Digesting, Vec<Hashed>)>>,
    /// The state after the last chunk of `hashed`.
    digesting: Digesting,
    hashed: vec::IntoIter<Hashed>,
}

/// Received chunks that are hashed together.
#[derive(Debug, Default)]
struct Batch {
    chunks: Vec<Bytes>,
    bytes: usize,
}

/// The digest of the first `size` bytes of an upload, if it is computed.
#[derive(Debug, Clone)]
struct Digesting {
    hasher: Option<Hasher>,
    size: u64,
}

impl Digesting {
    fn add(&mut self, bytes: Bytes) -> Hashed {
        self.size += bytes.len() as u64;
        let note = self.hasher.as_mut().map(|hasher| {
            hasher.update(&bytes);
            hasher.note(self.size)
        });
        Hashed { bytes, note: note.unwrap_or_default().into() }
    }

    fn add_all(&mut self, batch: Batch) -> Vec<Hashed> {
        batch.chunks.into_iter().map(|bytes| self.add(bytes)).collect()
    }
}

impl<S: Source> HashedBody<S> {
    /// The chunks of `body`, which continue an upload of `size` bytes. `hasher` has the state after these, if that is
    /// known.
    pub(super) fn new(body: S, hasher: Option<Hasher>, size: u64, threads: HashThreads) -> Self {
        Self {
            body,
            threads,
            end: None,
            batch: Batch::default(),
            thread: None,
            digesting: Digesting { hasher, size },
            hashed: Vec::new().into_iter(),
        }
    }

    /// The state after the last chunk that was returned. Called at the end.
    pub(super) fn into_hasher(self) -> Option<Hasher> {
        self.digesting.hasher
    }

    /// The next chunk; `None` at the end. If the body ends with an error, all that was received before comes first.
    ///
    /// # Cancel safety
    ///
    /// A dropped call has consumed nothing.
    pub(super) async fn chunk(&mut self) -> Result<Option<Hashed>> {
        loop {
            if let Some(chunk) = self.hashed.next() {
                return Ok(Some(chunk));
            }
            let has_room = self.end.is_none() && self.batch.bytes < BATCH;
            let (is_idle, has_batch) = (self.thread.is_none(), !self.batch.chunks.is_empty());
            tokio::select! {
                biased;
                done = joined(&mut self.thread), if !is_idle => self.take_back(done)?,
                chunk = self.body.chunk(), if has_room => self.received(chunk),
                () = ready(()), if is_idle && has_batch => self.hash(),
                else => {
                    let end = self.end.replace(Ok(()));
                    return end.transpose().map(|_| None).map_err(Error::from);
                }
            }
        }
    }

    fn received(&mut self, chunk: Result<Option<Bytes>, SourceError>) {
        match chunk {
            Ok(Some(bytes)) => {
                self.batch.bytes += bytes.len();
                self.batch.chunks.push(bytes);
            }
            Ok(None) => self.end = Some(Ok(())),
            Err(error) => self.end = Some(Err(error)),
        }
    }

    /// Hashes the batch: on a thread if that is worthwhile and one is idle, or else here. No thread may be at work.
    fn hash(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let is_worthwhile = batch.bytes >= WORTHWHILE && self.digesting.hasher.is_some();
        let permit = is_worthwhile.then(|| Arc::clone(&self.threads.0).try_acquire_owned());
        let Some(Ok(permit)) = permit else {
            self.hashed = self.digesting.add_all(batch).into_iter();
            return;
        };
        let mut digesting = self.digesting.clone();
        self.thread = Some(spawn_blocking(move || {
            let hashed = digesting.add_all(batch);
            drop(permit);
            (digesting, hashed)
        }));
    }

    /// Takes what the thread has hashed, and gives it the next batch if that is large.
    fn take_back(&mut self, done: Result<(Digesting, Vec<Hashed>), JoinError>) -> Result<()> {
        self.thread = None;
        let (digesting, mut hashed) = done.map_err(Error::internal)?;
        self.digesting = digesting;
        if self.batch.bytes >= WORTHWHILE {
            self.hash();
            // If no thread was idle, it is hashed already.
            hashed.extend(&mut self.hashed);
        }
        self.hashed = hashed.into_iter();
        Ok(())
    }
}

/// Waits for a thread.
async fn joined<T>(thread: &mut Option<JoinHandle<T>>) -> Result<T, JoinError> {
    match thread {
        Some(thread) => thread.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, sync::mpsc};

    use futures::FutureExt;

    use super::*;
    use crate::digest::{Algorithm, Digest};

    /// A client that has sent all of these chunks. Then it sends no more, or breaks off.
    struct Sent {
        chunks: VecDeque<Bytes>,
        broken: bool,
    }

    impl Source for Sent {
        fn length(&self) -> Option<u64> {
            None
        }

        async fn chunk(&mut self) -> Result<Option<Bytes>, SourceError> {
            match self.chunks.pop_front() {
                None if self.broken => Err(SourceError::Stalled),
                chunk => Ok(chunk),
            }
        }
    }

    fn sent(sizes: impl IntoIterator<Item = usize>) -> Sent {
        let byte = |number: usize| u8::try_from(number % 251).unwrap();
        let chunks = sizes.into_iter().enumerate().map(|(n, size)| vec![byte(n); size].into());
        Sent { chunks: chunks.collect(), broken: false }
    }

    fn hashed(body: Sent) -> HashedBody<Sent> {
        HashedBody::new(body, Some(Hasher::new(Algorithm::Sha256)), 0, HashThreads::new(1))
    }

    /// Runs a test while the runtime's only thread for blocking work waits for the sender.
    fn without_thread(test: impl AsyncFnOnce(mpsc::Sender<()>)) {
        let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
        runtime.unwrap().block_on(async {
            let (go, wait) = mpsc::channel();
            spawn_blocking(move || wait.recv());
            test(go).await;
        });
    }

    #[tokio::test]
    async fn chunks_keep_their_order_and_each_has_the_note_of_what_precedes_it() {
        for (algorithm, threads) in
            [0, 1].into_iter().flat_map(|n| Algorithm::ALL.map(|it| (it, n)))
        {
            let sizes = [1, WORTHWHILE, 1, BATCH, 70_000, 70_000, BATCH + 1, 9, 2 * BATCH, 5];
            let (sent, mut so_far) = (sent(sizes), Vec::new());
            let expected: Vec<Bytes> = sent.chunks.iter().cloned().collect();
            let hasher = Some(Hasher::new(algorithm));
            let mut body = HashedBody::new(sent, hasher, 0, HashThreads::new(threads));
            for chunk in expected {
                let got = body.chunk().await.unwrap().unwrap();
                assert!(got.bytes == chunk);
                so_far.extend_from_slice(&chunk);
                let hasher = Hasher::from_note(&got.note, algorithm, so_far.len() as u64).unwrap();
                assert_eq!(hasher.digest(), Digest::of(algorithm, &so_far));
            }
            assert!(body.chunk().await.unwrap().is_none());
            let digest = body.into_hasher().unwrap().digest();
            assert_eq!(digest, Digest::of(algorithm, &so_far));
        }
    }

    #[test]
    fn a_small_chunk_needs_no_thread() {
        without_thread(async |_go| {
            let mut body = hashed(sent([1, WORTHWHILE - 2]));
            assert_eq!(body.chunk().now_or_never().unwrap().unwrap().unwrap().bytes.len(), 1);
            body.chunk().now_or_never().unwrap().unwrap().unwrap();
            assert!(body.chunk().now_or_never().unwrap().unwrap().is_none());
        });
    }

    #[test]
    fn while_a_thread_hashes_one_batch_is_received_and_no_more() {
        without_thread(async |go| {
            let chunk = BATCH / 4;
            let mut body = hashed(sent([chunk; 100]));
            assert!(body.chunk().now_or_never().is_none());
            // One batch is hashed, and the next one is full.
            assert_eq!(body.body.chunks.len(), 100 - 8);
            assert!(body.chunk().now_or_never().is_none());
            assert_eq!(body.body.chunks.len(), 100 - 8);
            drop(go);
            let mut bytes = 0;
            while let Some(chunk) = body.chunk().await.unwrap() {
                bytes += chunk.bytes.len();
            }
            assert_eq!(bytes, 100 * chunk);
        });
    }

    #[test]
    fn an_upload_is_hashed_where_it_is_received_if_no_thread_is_idle() {
        without_thread(async |_go| {
            let threads = HashThreads::new(1);
            let hasher = || Some(Hasher::new(Algorithm::Sha256));
            let mut first = HashedBody::new(sent([BATCH]), hasher(), 0, threads.clone());
            let mut second = HashedBody::new(sent([BATCH]), hasher(), 0, threads);
            assert!(first.chunk().now_or_never().is_none());
            assert!(second.chunk().now_or_never().unwrap().unwrap().is_some());
        });
    }

    #[test]
    fn no_chunk_is_lost_if_another_upload_takes_the_thread_meanwhile() {
        without_thread(async |go| {
            let mut body = hashed(sent([BATCH; 3]));
            assert!(body.chunk().now_or_never().is_none());
            drop(go);
            let threads = body.threads.clone();
            let _taken = threads.0.acquire().await.unwrap();
            for received in 0..3 {
                let note = body.chunk().await.unwrap().unwrap().note;
                let size = (received + 1) * BATCH as u64;
                assert!(Hasher::from_note(&note, Algorithm::Sha256, size).is_some());
            }
        });
    }

    #[tokio::test]
    async fn what_was_received_comes_before_the_error() {
        let mut body = hashed(Sent { broken: true, ..sent([1, BATCH, BATCH, 1]) });
        for size in [1, BATCH, BATCH, 1] {
            assert_eq!(body.chunk().await.unwrap().unwrap().bytes.len(), size);
        }
        assert!(matches!(body.chunk().await, Err(Error::Source(SourceError::Stalled))));
    }

    #[test]
    fn without_a_digest_nothing_is_handed_to_a_thread() {
        without_thread(async |_go| {
            let mut body = HashedBody::new(sent([BATCH]), None, 7, HashThreads::new(1));
            let chunk = body.chunk().now_or_never().unwrap().unwrap().unwrap();
            assert_eq!((chunk.bytes.len(), chunk.note.len()), (BATCH, 0));
        });
    }
}
