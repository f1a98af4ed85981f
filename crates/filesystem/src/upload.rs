//! [`Upload`]: an upload in progress, and the thread that writes it.
//!
//! What a writer accepts goes into a queue, which a thread writes to the upload's file for as long as
//! there is something in it; so nothing lies about when the writer is idle, and a writer that is
//! dropped has nothing to do. The file is open while the thread works, not while the writer is.
//!
//! An upload that was never kept has no record, and a crash forgets it.

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

use self::queue::Queue;
pub(crate) use self::session::{Copied, Session};
use crate::{
    Durability, clock,
    record::{Header, Kept, Record},
    store::Store,
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
    /// How often it was kept.
    turn: u64,
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

/// Why an upload could not be kept.
enum NotKept {
    /// Its data could not be synced: what was not kept before is lost.
    Data(Error),
    Record(Error),
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
    pub(crate) fn recovered(dir: Arc<OwnedFd>, name: String, record: Record) -> Self {
        let Record { header, kept: Kept { size, written }, turn } = record;
        let state = State {
            accepted: size,
            written: size,
            kept: size,
            touched: written,
            has_record: true,
            turn: turn + 1,
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

    pub(crate) fn describe(&self) -> storage_driver::Upload {
        let state = self.state();
        let [started, touched] =
            [self.header.started, state.touched].map(|time| clock::to_system(time.into()));
        storage_driver::Upload::new(self.path().clone(), started, touched, Some(state.accepted))
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
        let Ok(reserved) = store.reserved_for(&Path::root()) else { return };
        let _ = store.sys.unlink(&self.dir, &*self.record_name());
        store.discard(reserved, (&self.dir, &self.data_name()), size);
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
        loop {
            let mut state = self.state();
            let step = if state.gone {
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
                state.running = false;
                state.wake();
                let (gone, size) = (state.gone, state.written);
                drop(state);
                if gone {
                    // What was made after it was removed.
                    self.remove_files(store, size);
                }
                return;
            };
            drop(state);
            let failed = match step {
                Step::Write { parts, offset } => {
                    let result = self
                        .open(store, &mut file)
                        .map_err(|errno| (0, errno))
                        .and_then(|file| write_all(&store.sys, file, &parts, offset));
                    let mut state = self.state();
                    match result {
                        Ok(()) => {
                            state.written +=
                                parts.iter().map(|part| part.len() as u64).sum::<u64>();
                            state.wake();
                            continue;
                        }
                        Err((written, errno)) => {
                            state.written += written;
                            state.queue.put_back(parts, written);
                            drop(state);
                            store.explain(errno)
                        }
                    }
                }
                Step::Keep { until, kept, has_record, turn } => {
                    let file = self.open(store, &mut file).map_err(|errno| store.explain(errno));
                    let result = file
                        .map_err(NotKept::Record)
                        .and_then(|file| self.keep(store, file, kept, has_record, turn));
                    let mut state = self.state();
                    match result {
                        Ok(()) => {
                            state.done = until;
                            state.kept = kept.size;
                            state.has_record = true;
                            state.turn += 1;
                            state.wake();
                            continue;
                        }
                        Err(NotKept::Record(error)) => error,
                        Err(NotKept::Data(error)) => {
                            drop(state);
                            self.lose(store, &error);
                            error
                        }
                    }
                }
            };
            let mut state = self.state();
            state.failure = Some(failed);
            state.running = false;
            state.wake();
            return;
        }
    }

    /// The file with the data, which is made if it is not there yet.
    fn open<'a>(&self, store: &Store, file: &'a mut Option<OwnedFd>) -> Result<&'a OwnedFd, Errno> {
        let open = match file.take() {
            Some(open) => open,
            None => {
                let name = self.data_name();
                match store.sys.open_write(&self.dir, &name) {
                    Err(Errno::NOENT) => {
                        store.sys.create(&self.dir, &name, store.settings.file_mode)?
                    }
                    result => result?,
                }
            }
        };
        Ok(file.insert(open))
    }

    fn keep(
        &self,
        store: &Store,
        file: &OwnedFd,
        kept: Kept,
        has_record: bool,
        turn: u64,
    ) -> Result<(), NotKept> {
        store.sync_content(file).map_err(NotKept::Data)?;
        let (sys, dir, name) = (&store.sys, &self.dir, self.record_name());
        let header = self.header.to_text();
        let line = kept.to_line();
        let written = if has_record {
            sys.open_write(dir, &name).and_then(|record| {
                let offset = header.len() as u64 + turn % 2 * Kept::LINE as u64;
                write_all(sys, &record, &[Bytes::from(line)], offset)
                    .map_err(|(_, errno)| errno)?;
                Ok(record)
            })
        } else {
            let _ = sys.unlink(dir, &*name);
            sys.create(dir, &name, store.settings.file_mode).and_then(|record| {
                let text = Bytes::from(header + &line);
                write_all(sys, &record, &[text], 0).map_err(|(_, errno)| errno)?;
                Ok(record)
            })
        };
        let synced = written.map_err(|errno| store.explain(errno)).and_then(|record| {
            store.sync_content(&record)?;
            if !has_record && store.settings.durability == Durability::Full {
                store.syncs.sync(sys, dir).map_err(|errno| store.explain(errno))?;
            }
            Ok(())
        });
        synced.map_err(|error| {
            if !has_record {
                let _ = sys.unlink(dir, &*name);
            }
            NotKept::Record(error)
        })
    }

    /// Goes back to what was kept: after a sync that failed, nobody knows what is on the disk of
    /// what came later.
    fn lose(&self, store: &Store, error: &Error) {
        let mut state = self.state();
        let kept = state.kept;
        state.queue = Queue::default();
        state.written = kept;
        state.accepted = kept;
        state.done = state.wanted;
        state.lost = Some(error.clone());
        drop(state);
        if let Ok(file) = store.sys.open_write(&self.dir, &self.data_name()) {
            let _ = store.sys.truncate(&file, kept);
        }
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
