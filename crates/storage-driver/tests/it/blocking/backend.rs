//! [`Backend`]: a store with blocking calls and a capacity, which a test can hold up.

use std::{
    collections::HashMap,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::SystemTime,
};

use bytes::{Buf, Bytes};
use storage_driver::{
    ErrorKind, Metadata, Path, Payload, Precondition, Result, WriteMode, Writer,
    blocking::{BlockingTasks, BlockingUpload, BlockingUploads, OpenedUpload},
};
use tokio::{runtime::Handle, sync::Notify};

pub(super) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A gate at which closures wait on their threads until a test opens it, or ends.
#[derive(Default)]
pub(super) struct Gate(Door);

/// The side of the closures.
#[derive(Clone, Default)]
pub(super) struct Door(Arc<(Mutex<bool>, Condvar, Notify)>);

impl Door {
    /// Blocks the thread until the gate is open.
    pub(super) fn pass(&self) {
        self.0.2.notify_one();
        let open = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(open, |open| !*open).unwrap());
    }
}

impl Gate {
    pub(super) fn door(&self) -> Door {
        self.0.clone()
    }

    /// Waits until a closure is at the gate.
    pub(super) async fn reached(&self) {
        self.0.0.2.notified().await;
    }

    pub(super) fn open(&self) {
        *self.0.0.0.lock().unwrap() = true;
        self.0.0.1.notify_all();
    }
}

impl Drop for Gate {
    /// A runtime waits for its threads, so a failed test must not leave one at the gate.
    fn drop(&mut self) {
        self.open();
    }
}

#[derive(Default)]
pub(super) struct State {
    pub(super) files: HashMap<Path, Vec<u8>>,
    /// What was appended, and what was kept: a length and a note.
    pub(super) uploads: HashMap<Path, (Vec<u8>, usize, Bytes)>,
    /// How many bytes can still be appended.
    pub(super) room: usize,
    /// The largest number of bytes in one append.
    pub(super) largest: usize,
    /// The calls that panic.
    pub(super) panics: Option<&'static str>,
    /// What an append waits for.
    pub(super) gate: Option<Door>,
}

#[derive(Clone)]
pub(super) struct Backend {
    pub(super) state: Arc<Mutex<State>>,
    pub(super) tasks: BlockingTasks,
    pub(super) uploads: BlockingUploads<Upload>,
}

pub(super) struct Upload {
    state: Arc<Mutex<State>>,
    path: Path,
}

impl Backend {
    /// A store with `room` bytes, whose writers hold `limit` bytes.
    pub(super) fn new(room: usize, limit: usize) -> Self {
        let tasks = BlockingTasks::new(Handle::current(), 2);
        let uploads = BlockingUploads::new(tasks.clone(), limit);
        let state = Arc::new(Mutex::new(State { room, ..State::default() }));
        Self { state, tasks, uploads }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(super) fn stored(&self, at: &str) -> String {
        String::from_utf8(self.state().uploads[&path(at)].0.clone()).unwrap()
    }

    pub(super) fn file(&self, at: &str) -> Option<String> {
        self.state().files.get(&path(at)).map(|file| String::from_utf8(file.clone()).unwrap())
    }

    pub(super) async fn writer(&self, at: &str, mode: WriteMode) -> Result<Writer> {
        let (state, at) = (Arc::clone(&self.state), path(at));
        let target = at.clone();
        let open = move |held| {
            let mut guard = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if mode == WriteMode::Create {
                guard.uploads.insert(target.clone(), Default::default());
            }
            let (data, _, note) = guard.uploads.get(&target).ok_or(ErrorKind::PathNotFound)?;
            let size = data.len() as u64;
            if let WriteMode::Resume { at: Some(given) } = mode
                && given != size + held
            {
                return Err(ErrorKind::OffsetMismatch { given, size: size + held }.into());
            }
            let note = note.clone();
            drop(guard);
            Ok(OpenedUpload::new(Upload { state, path: target }, size, note))
        };
        self.uploads.open("test", &at, mode, open).await
    }

    pub(super) async fn create(&self, at: &str) -> Writer {
        self.writer(at, WriteMode::Create).await.unwrap()
    }

    pub(super) async fn resume(&self, at: &str) -> Writer {
        self.writer(at, WriteMode::Resume { at: None }).await.unwrap()
    }

    /// What `BlockingUploads::held` returns in a task on the path.
    pub(super) async fn held(&self, at: &str) -> u64 {
        let (uploads, at) = (self.uploads.clone(), path(at));
        let target = at.clone();
        self.tasks.write(&[&at], move || Ok(uploads.held(&target))).await.unwrap()
    }
}

impl Upload {
    fn state(&self, call: &'static str) -> MutexGuard<'_, State> {
        let state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        assert!(state.panics != Some(call), "{call} panics on purpose");
        state
    }
}

const FULL: ErrorKind = ErrorKind::StorageFull { needed: None, available: None };

impl BlockingUpload for Upload {
    fn append(&mut self, data: &mut Payload) -> Result<()> {
        let gate = self.state("append").gate.clone();
        if let Some(gate) = gate {
            gate.pass();
        }
        let mut state = self.state("append");
        state.largest = state.largest.max(data.remaining());
        let step = data.remaining().min(state.room);
        let stored = data.copy_to_bytes(step);
        state.room -= step;
        state.uploads.get_mut(&self.path).ok_or(ErrorKind::PathNotFound)?.0.extend(stored);
        if data.has_remaining() { Err(FULL.into()) } else { Ok(()) }
    }

    fn keep(&mut self, note: &Bytes) -> Result<()> {
        let mut state = self.state("keep");
        let upload = state.uploads.get_mut(&self.path).ok_or(ErrorKind::PathNotFound)?;
        (upload.1, upload.2) = (upload.0.len(), note.clone());
        Ok(())
    }

    fn commit_to(&mut self, dest: &Path, condition: Precondition) -> Result<Metadata> {
        let mut state = self.state("commit_to");
        if condition == Precondition::IfAbsent && state.files.contains_key(dest) {
            return Err(ErrorKind::PreconditionFailed.into());
        }
        let (data, kept, _) = state.uploads.remove(&self.path).ok_or(ErrorKind::PathNotFound)?;
        assert_eq!(data.len(), kept, "a commit keeps first");
        let size = data.len() as u64;
        state.files.insert(dest.clone(), data);
        Ok(Metadata::new(dest.clone(), size, SystemTime::now(), 1.into()))
    }

    fn cancel(&mut self) -> Result<()> {
        self.state("cancel").uploads.remove(&self.path);
        Ok(())
    }
}
