//! [`Upload`]: an upload in progress, and the thread that writes it.
//!
//! What a writer accepts goes into a queue, which a thread writes to the upload's file for as long as
//! there is something in it; so nothing lies about when the writer is idle, and a writer that is
//! dropped has nothing to do. The file is open while the thread works, not while the writer is.
//!
//! An upload that was never kept has no record, and a crash forgets it.

mod data;
mod queue;
mod session;

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use rustix::io::Errno;
use storage_driver::{Error, ErrorKind, Path, Result, Version};

pub(crate) use self::session::{Copied, Session};
use self::{data::Failure, queue::Queue};
use crate::{
    Durability, clock,
    record::{Header, Kept, Record},
    store::Store,
    sys::{Facts, Kind},
    write::write_all,
};

/// An upload in progress.
#[derive(Debug)]
pub(crate) struct Upload {
    header: Header,
    /// The directory of its files.
    dir: Arc<OwnedFd>,
    /// What its files are called: the same, with `.data` and `.record`.
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The session that it belongs to; another is fenced.
    owner: i64,
    /// Whether it was published, cancelled or discarded.
    gone: bool,
    queue: Queue,
    /// Every byte that was accepted; those of them that are in the file; those that are kept.
    accepted: u64,
    written: u64,
    kept: u64,
    /// When data was accepted last.
    touched: i64,
    has_record: bool,
    /// Which of the two lines of the record is written next, if that is taken modulo 2.
    turn: u64,
    /// The file with the data, as it was when it was made or found. `None` before.
    data: Option<Facts>,
    /// Whether a thread is at work.
    running: bool,
    /// The last time that keeping was asked for, and the last that it was done.
    wanted: u64,
    done: u64,
    /// Why the thread stopped. It is tried again.
    failure: Option<Error>,
    /// Why what was accepted since it was last kept is lost.
    lost: Option<Error>,
    wakers: Vec<Waker>,
}

impl State {
    fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// What an upload's thread does next.
enum Step {
    Write { parts: Vec<Bytes>, offset: u64 },
    Keep { until: u64, kept: Kept, has_record: bool, turn: u64 },
}

/// A step that was done.
enum Done {
    Written(u64),
    Kept { until: u64, size: u64, turn: u64 },
}

impl Upload {
    /// One that is new. Its file is to hold `size` bytes before anything is written.
    fn new(store: &Store, path: &Path, base: Option<Version>, size: u64) -> Result<Self> {
        let started = clock::now();
        let header = Header { path: path.clone(), started, base };
        let state = State { written: size, accepted: size, touched: started, ..State::default() };
        let dir = Arc::clone(store.uploads_dir()?);
        Ok(Self { header, dir, name: store.new_name(), state: Mutex::new(state) })
    }

    /// One of which a record was found, in the file of this name.
    pub(crate) fn recovered(dir: Arc<OwnedFd>, name: String, record: Record, data: Facts) -> Self {
        let Record { header, kept: Kept { size, written }, turn } = record;
        let state = State {
            accepted: size,
            written: size,
            kept: size,
            touched: written,
            has_record: true,
            turn: turn + 1,
            data: Some(data),
            ..State::default()
        };
        Self { header, dir, name, state: Mutex::new(state) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.header.path
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn data_name(&self) -> String {
        format!("{}.data", self.name)
    }

    pub(crate) fn record_name(&self) -> String {
        format!("{}.record", self.name)
    }

    pub(crate) fn describe(&self) -> storage_driver::UploadInfo {
        let state = self.state();
        let [started, touched] =
            [self.header.started, state.touched].map(|time| clock::to_system(time.into()));
        storage_driver::UploadInfo::new(self.path().clone(), started, touched, Some(state.accepted))
    }

    /// When data was accepted last, in nanoseconds since 1970.
    pub(crate) fn touched(&self) -> i64 {
        self.state().touched
    }

    /// Fences every session, and removes what is on the disk. It must no longer be in the map.
    pub(crate) fn remove(&self, store: &Store) {
        let mut state = self.state();
        state.gone = true;
        state.queue = Queue::default();
        let size = state.written;
        state.wake();
        drop(state);
        self.remove_files(store, size);
    }

    /// Removes the record first: without it, the data is nobody's.
    fn remove_files(&self, store: &Store, size: u64) {
        self.remove_record(store);
        if let Ok(reserved) = self.reserved(store) {
            store.discard(reserved, (&self.dir, &self.data_name()), size);
        }
    }

    /// What is left of it is removed when the store is opened next.
    fn remove_record(&self, store: &Store) {
        let (record, name) = (self.record_name(), store.new_name());
        if let Ok(reserved) = self.reserved(store) {
            let _ = reserved.remove(&store.sys, (&self.dir, &*record), &name);
        }
    }

    /// Keeps all that was accepted, without anybody who waits for it.
    pub(crate) fn keep_in_background(self: &Arc<Self>, store: &Arc<Store>) {
        let mut state = self.state();
        let unkept = !state.has_record || state.kept < state.accepted;
        if !state.gone && state.lost.is_none() && unkept {
            state.wanted += 1;
            self.start(store, &mut state);
        }
    }

    /// Lets a thread begin, if there is something to do and none is at it.
    fn start(self: &Arc<Self>, store: &Arc<Store>, state: &mut State) {
        if state.running || (state.queue.len == 0 && state.wanted <= state.done) {
            return;
        }
        state.running = true;
        state.failure = None;
        let turn = Turn { upload: Arc::clone(self), store: Arc::clone(store), taken: false };
        drop(store.work.start(move || turn.take()));
    }

    /// Writes what is in the queue, and keeps if that is asked for, until there is nothing to do.
    fn run(&self, store: &Store) {
        let mut file = None;
        let (mut done, mut failed) = (None, None);
        loop {
            let mut state = self.state();
            // Who sees that it is done sees that no thread is at work, if that is so.
            match done.take() {
                Some(Done::Written(bytes)) => state.written += bytes,
                Some(Done::Kept { until, size, turn }) => {
                    (state.done, state.kept, state.turn) = (until, size, turn);
                    state.has_record = true;
                }
                None => {}
            }
            state.wake();
            let step = if state.gone || failed.is_some() {
                None
            } else if state.queue.len > 0 {
                Some(Step::Write { parts: state.queue.take(), offset: state.written })
            } else if state.wanted > state.done {
                let kept = Kept { size: state.written, written: state.touched };
                let (until, turn) = (state.wanted, state.turn);
                Some(Step::Keep { until, kept, has_record: state.has_record, turn })
            } else {
                None
            };
            let Some(step) = step else {
                state.failure = failed;
                state.running = false;
                let (gone, size) = (state.gone, state.written);
                drop(state);
                if gone {
                    // What was made after it was removed.
                    self.remove_files(store, size);
                }
                return;
            };
            drop(state);
            let result = match step {
                Step::Write { parts, offset } => self.write(store, &mut file, parts, offset),
                Step::Keep { until, kept, has_record, turn } => self
                    .open(store, &mut file, kept.size)
                    .and_then(|file| self.keep(store, file, kept, has_record.then_some(turn)))
                    .map(|turn| Done::Kept { until, size: kept.size, turn }),
            };
            match result {
                Ok(step) => done = Some(step),
                Err(failure) => failed = Some(self.settle(store, failure)),
            }
        }
    }

    /// Writes parts to the file. What could not be written goes back into the queue.
    fn write(
        &self,
        store: &Store,
        file: &mut Option<OwnedFd>,
        parts: Vec<Bytes>,
        offset: u64,
    ) -> Result<Done, Failure> {
        let result = match self.open(store, file, offset) {
            Ok(file) => write_all(&store.sys, file, &parts, offset)
                .map_err(|(written, errno)| (written, self.explain(store, errno).into())),
            Err(failure) => Err((0, failure)),
        };
        match result {
            Ok(()) => Ok(Done::Written(parts.iter().map(|part| part.len() as u64).sum())),
            Err((written, failure)) => {
                let mut state = self.state();
                state.written += written;
                state.queue.put_back(parts, written);
                Err(failure)
            }
        }
    }

    /// Makes the data durable, and then writes down how much of it there is: into the line of the
    /// record whose turn it is, or into a new record. Says whose turn comes next.
    fn keep(
        &self,
        store: &Store,
        file: &OwnedFd,
        kept: Kept,
        turn: Option<u64>,
    ) -> Result<u64, Failure> {
        let lost = |error| Failure::Lost { found: u64::MAX, error };
        store.sync_content(file).map_err(lost)?;
        let (sys, dir, name) = (&store.sys, &self.dir, self.record_name());
        let header = self.header.to_text();
        let line = kept.to_line();
        let record = match turn {
            Some(_) => self.open_record(store, header.len() + line.len())?,
            None => None,
        };
        if let (Some(record), Some(turn)) = (record, turn) {
            let offset = header.len() as u64 + turn % 2 * Kept::LINE as u64;
            write_all(sys, &record, &[Bytes::from(line)], offset)
                .map_err(|(_, errno)| store.explain(errno))?;
            store.sync_content(&record)?;
            return Ok(turn + 1);
        }
        let _ = self.reserved(store)?.remove(sys, (dir, &*name), &store.new_name());
        let created = sys.create(dir, &name, store.settings.file_mode);
        let written = created.map_err(|errno| store.explain(errno)).and_then(|record| {
            write_all(sys, &record, &[Bytes::from(header + &line)], 0)
                .map_err(|(_, errno)| store.explain(errno))?;
            store.sync_content(&record)?;
            if store.settings.durability == Durability::Full {
                store.syncs.sync(sys, dir).map_err(|errno| store.explain(errno))?;
            }
            Ok(1)
        });
        written.map_err(|error| {
            let _ = sys.unlink(dir, &*name);
            error.into()
        })
    }

    /// Opens the record. `None` if another program has removed or replaced it, or cut it to less than
    /// `least` bytes: then it is written anew.
    fn open_record(&self, store: &Store, least: usize) -> Result<Option<OwnedFd>> {
        let opened = match store.sys.open_write(&self.dir, &self.record_name()) {
            Err(Errno::NOENT | Errno::ISDIR | Errno::LOOP) => return Ok(None),
            opened => opened.and_then(|record| Ok((store.sys.stat(&record)?, record))),
        };
        let (facts, record) = opened.map_err(|errno| store.explain(errno))?;
        Ok((facts.kind == Kind::File && facts.size >= least as u64).then_some(record))
    }
}

/// The work that a thread was asked to do for an upload. A runtime that is shut down drops it.
struct Turn {
    upload: Arc<Upload>,
    store: Arc<Store>,
    taken: bool,
}

impl Turn {
    fn take(mut self) {
        self.taken = true;
        self.upload.run(&self.store);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.taken {
            let mut state = self.upload.state();
            state.running = false;
            state.failure = Some(ErrorKind::Unavailable.into());
            state.wake();
        }
    }
}
