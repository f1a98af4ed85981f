//! One process: its store, its open writers, and what it has seen.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU16, Ordering},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use storage_driver::{
    Error, ErrorKind, Precondition, Result, StorageDriver, SweepOptions, Version, Writer,
    WriterOptions,
};
use storage_driver_bucket::Bucket;

use super::spec::{Call, Op, Outcome, Pieces, When, length};
use crate::support::path;

/// A condition, before the version at the path is known.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    Always,
    IfAbsent,
    /// If the version is there that the process has seen last.
    IfSeen,
}

/// What a process does next. What needs a writer that is not open is left out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Put(&'static str, Want),
    Get(&'static str),
    Delete(&'static str, Want),
    Create(&'static str),
    Resume(&'static str),
    /// Writes a piece and keeps it.
    Write(&'static str),
    Commit(&'static str, &'static str, Want),
    CancelWriter(&'static str),
    Cancel(&'static str),
    Look(&'static str),
    Sweep,
}

#[derive(Debug, Default)]
struct Record {
    clock: u64,
    ops: Vec<Op>,
    versions: HashMap<Version, Pieces>,
}

/// The history of all processes.
#[derive(Debug, Clone, Default)]
pub(super) struct Recorder {
    record: Arc<Mutex<Record>>,
    pieces: Arc<AtomicU16>,
}

impl Recorder {
    pub(super) fn ops(&self) -> Vec<Op> {
        self.locked(|record| record.ops.clone())
    }

    pub(super) fn panic_text(&self, error: tokio::task::JoinError) -> String {
        match error.into_panic().downcast::<String>() {
            Ok(text) => *text,
            Err(_) => "a process panicked".to_owned(),
        }
    }

    fn locked<T>(&self, body: impl FnOnce(&mut Record) -> T) -> T {
        // A panic of a process is the failure that is reported.
        body(&mut self.record.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// A piece that no one has written before.
    fn piece(&self) -> u16 {
        self.pieces.fetch_add(1, Ordering::Relaxed)
    }

    fn begin(&self, process: usize, call: Call) -> usize {
        self.locked(|record| {
            record.clock += 1;
            let (begun, ended) = (record.clock, u64::MAX);
            record.ops.push(Op { process, call, outcome: Outcome::Unknown, begun, ended });
            record.ops.len() - 1
        })
    }

    fn end(&self, index: usize, outcome: Outcome) {
        self.locked(|record| {
            record.clock += 1;
            let op = &mut record.ops[index];
            if outcome != Outcome::Unknown {
                op.ended = record.clock;
            }
            op.outcome = outcome;
        });
    }

    /// A version belongs to one content.
    fn know(&self, version: &Version, pieces: &Pieces) {
        self.locked(|record| {
            let known = record.versions.entry(version.clone()).or_insert_with(|| pieces.clone());
            assert_eq!(known, pieces, "two contents have the version {version:?}");
        });
    }
}

struct Open {
    writer: Writer,
    opening: usize,
    accepted: Pieces,
    base: Option<Pieces>,
}

/// A process.
pub(super) struct Process {
    store: Bucket,
    number: usize,
    recorder: Recorder,
    sweep: SweepOptions,
    writers: HashMap<&'static str, Open>,
    seen: HashMap<&'static str, (Version, Pieces)>,
}

impl Process {
    pub(super) fn new(
        store: Bucket,
        number: usize,
        recorder: Recorder,
        sweep: SweepOptions,
    ) -> Self {
        let (writers, seen) = (HashMap::new(), HashMap::new());
        Self { store, number, recorder, sweep, writers, seen }
    }

    pub(super) fn store(&self) -> &Bucket {
        &self.store
    }

    pub(super) fn into_store(self) -> Bucket {
        self.store
    }

    fn condition(&self, at: &str, want: Want) -> (Precondition, When) {
        match (want, self.seen.get(at)) {
            (Want::IfAbsent, _) => (Precondition::IfAbsent, When::IfAbsent),
            (Want::IfSeen, Some((version, pieces))) => {
                (Precondition::IfVersion(version.clone()), When::Is(pieces.clone()))
            }
            _ => (Precondition::None, When::Always),
        }
    }

    fn see(&mut self, at: &'static str, version: Version, pieces: Pieces) {
        self.recorder.know(&version, &pieces);
        self.seen.insert(at, (version, pieces));
    }

    fn begin(&self, call: Call) -> usize {
        self.recorder.begin(self.number, call)
    }

    pub(super) async fn take(&mut self, step: Step) {
        match step {
            Step::Put(at, want) => self.put(at, want).await,
            Step::Get(at) => self.get(at).await,
            Step::Delete(at, want) => {
                // A deletion needs a file.
                let want = if matches!(want, Want::IfAbsent) { Want::Always } else { want };
                let (condition, when) = self.condition(at, want);
                let index = self.begin(Call::Delete { at, when });
                let result = self.store.delete(&path(at), condition).await;
                self.recorder.end(index, done(result));
            }
            Step::Create(at) => self.open(at, Call::Create { at }, WriterOptions::create()).await,
            Step::Resume(at) => self.open(at, Call::Resume { at }, WriterOptions::resume()).await,
            Step::Write(at) => self.write(at).await,
            Step::Commit(at, to, want) => self.commit(at, to, want).await,
            Step::CancelWriter(at) => {
                let Some(open) = self.writers.remove(at) else { return };
                let index = self.begin(Call::CancelWriter { at, opening: open.opening });
                let result = open.writer.cancel().await;
                self.recorder.end(index, done(result));
            }
            Step::Cancel(at) => {
                let index = self.begin(Call::Cancel { at });
                let result = self.store.cancel_upload(&path(at)).await;
                self.recorder.end(index, done(result));
            }
            Step::Look(at) => {
                let index = self.begin(Call::Look { at });
                let outcome = match self.store.upload(&path(at)).await {
                    Ok(Some(upload)) => Outcome::Size(upload.size.unwrap()),
                    Ok(None) => Outcome::Nothing,
                    Err(error) => failed(&error),
                };
                self.recorder.end(index, outcome);
            }
            Step::Sweep => {
                // A failure is made good by the next one.
                let _ = self.store.sweep(self.sweep.clone()).await;
            }
        }
    }

    async fn put(&mut self, at: &'static str, want: Want) {
        let (condition, when) = self.condition(at, want);
        let pieces = vec![self.recorder.piece()];
        let content = content(&pieces);
        let index = self.begin(Call::Put { at, pieces: pieces.clone(), when });
        let result = self.store.put_content(&path(at), content.into(), condition).await;
        let outcome = match result {
            Ok(metadata) => {
                self.see(at, metadata.version, pieces);
                Outcome::Done
            }
            Err(error) => failed(&error),
        };
        self.recorder.end(index, outcome);
    }

    async fn get(&mut self, at: &'static str) {
        let index = self.begin(Call::Get { at });
        let outcome = match self.store.get_content(&path(at), u64::MAX).await {
            Ok(found) => {
                let version = found.metadata().version.clone();
                let pieces = pieces(&found.into_bytes());
                self.see(at, version, pieces.clone());
                Outcome::Content(pieces)
            }
            Err(error) if error.is_not_found() => Outcome::Nothing,
            Err(error) => failed(&error),
        };
        self.recorder.end(index, outcome);
    }

    async fn open(&mut self, at: &'static str, call: Call, options: WriterOptions) {
        self.writers.remove(at);
        let index = self.begin(call);
        let outcome = match self.store.writer(&path(at), options).await {
            Ok(writer) => {
                let size = writer.size();
                let base = (size == 0).then(Pieces::new);
                let open = Open { writer, opening: index, accepted: Pieces::new(), base };
                self.writers.insert(at, open);
                Outcome::Size(size)
            }
            Err(error) if error.is_not_found() => Outcome::Nothing,
            Err(error) => failed(&error),
        };
        self.recorder.end(index, outcome);
    }

    async fn write(&mut self, at: &'static str) {
        let piece = self.recorder.piece();
        let Some(open) = self.writers.get_mut(at) else { return };
        open.accepted.push(piece);
        let (opening, accepted) = (open.opening, open.accepted.clone());
        let index = self.recorder.begin(self.number, Call::Sync { at, opening, accepted });
        let result = async {
            open.writer.write_bytes(content(&[piece])).await?;
            open.writer.sync().await
        };
        let outcome = done(result.await);
        if outcome == Outcome::Failed(ErrorKind::WriterFenced) {
            self.writers.remove(at);
        }
        self.recorder.end(index, outcome);
    }

    async fn commit(&mut self, at: &'static str, to: &'static str, want: Want) {
        let Some(open) = self.writers.remove(at) else { return };
        let (condition, when) = self.condition(to, want);
        let Open { writer, opening, accepted, base } = open;
        let call = Call::Commit { at, opening, accepted: accepted.clone(), to, when };
        let index = self.begin(call);
        let outcome = match writer.commit_to(&path(to), condition).await {
            Ok(metadata) => {
                // What a resumed upload held is known to the store only.
                if let Some(base) = base {
                    self.see(to, metadata.version, [base, accepted].concat());
                }
                Outcome::Done
            }
            Err(error) => failed(&error),
        };
        self.recorder.end(index, outcome);
    }
}

fn done(result: Result<()>) -> Outcome {
    match result {
        Ok(()) => Outcome::Done,
        Err(error) => failed(&error),
    }
}

fn failed(error: &Error) -> Outcome {
    match error.is_retryable() {
        true => Outcome::Unknown,
        false => Outcome::Failed(error.kind()),
    }
}

/// The content of pieces.
fn content(pieces: &[u16]) -> Bytes {
    let mut content = BytesMut::new();
    for piece in pieces {
        content.put_u16(*piece);
        content.put_bytes(*piece as u8, length(*piece) - 2);
    }
    content.freeze()
}

/// The pieces of a content.
///
/// # Panics
///
/// If it does not consist of whole pieces.
fn pieces(content: &[u8]) -> Pieces {
    let mut pieces = Pieces::new();
    let mut rest = content;
    while let [high, low, ..] = rest {
        let piece = u16::from_be_bytes([*high, *low]);
        let whole = rest.get(2..length(piece)).expect("a content consists of whole pieces");
        assert!(whole.iter().all(|byte| *byte == piece as u8), "a piece is mixed with another");
        pieces.push(piece);
        rest = &rest[length(piece)..];
    }
    assert!(rest.is_empty(), "a content ends with a part of a piece");
    pieces
}
