//! [`Upload`]: an upload in progress, and the thread that writes it.
//!
//! Accepted data enters a queue. A thread writes the queue to the upload's file until it is empty, so an idle writer has
//! no unwritten data, and a dropped writer has nothing to do. The file is open while the thread works, not while the
//! writer is open.
//!
//! An upload that was never kept has no record, and a crash removes it.

pub(crate) mod copied;
mod data;
mod queue;
pub(crate) mod record;
pub(crate) mod session;
mod state;
pub(crate) mod uploads;

use std::{
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use rustix::io::Errno;
use storage_driver::{ErrorKind, Path, Result, Version};

use self::{
    queue::Queue,
    record::{Header, Kept, Record},
    state::{Done, Failure, Mark, State, Step},
};
use crate::{
    Durability, clock,
    store::Store,
    sys::{FileStat, Kind, write::write_all},
};

/// An upload in progress.
#[derive(Debug)]
pub(crate) struct Upload {
    header: Header,
    /// The directory of its files.
    dir: Arc<OwnedFd>,
    /// The name of its files, without `.data` and `.record`.
    name: String,
    state: Mutex<State>,
}

impl Upload {
    /// A new upload. Its file will hold `size` bytes before anything is written.
    fn new(store: &Store, path: &Path, base: Option<Version>, size: u64) -> Result<Self> {
        let started = clock::now();
        let header = Header { path: path.clone(), started, base };
        let state = State { written: size, accepted: size, touched: started, ..State::default() };
        let dir = Arc::clone(store.uploads_dir()?);
        Ok(Self { header, dir, name: store.new_name(), state: Mutex::new(state) })
    }

    /// An upload whose record and data were found under this name. `is_cut` if another program has cut its data to less
    /// than the record states.
    pub(crate) fn recovered(
        dir: Arc<OwnedFd>,
        name: String,
        record: Record,
        data: FileStat,
        is_cut: bool,
    ) -> Self {
        let Record { header, kept: Kept { size, written, note }, number } = record;
        let state = State {
            accepted: size,
            written: size,
            note: note.clone(),
            kept: Mark { size, note },
            touched: written,
            has_record: true,
            slot: number.wrapping_add(1),
            record_is_wrong: is_cut,
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
        let size = Some(state.accepted);
        storage_driver::UploadInfo::new(self.path().clone(), started, touched, size)
            .with_note(state.note.clone())
    }

    /// When data was accepted last, in nanoseconds since 1970.
    pub(crate) fn touched(&self) -> i64 {
        self.state().touched
    }

    /// Fences every session, and removes the files. The upload must no longer be in the map.
    pub(crate) fn remove(&self, store: &Store) {
        let mut state = self.state();
        state.gone = true;
        state.queue = Queue::default();
        let size = state.written;
        state.wake();
        drop(state);
        self.remove_files(store, size);
    }

    /// Removes the record first: data without a record belongs to no upload.
    fn remove_files(&self, store: &Store, size: u64) {
        self.remove_record(store);
        if let Ok(reserved) = self.reserved(store) {
            store.discard(reserved, (&self.dir, &self.data_name()), size);
        }
    }

    /// If that fails, the record is removed when the store is opened next.
    fn remove_record(&self, store: &Store) {
        let (record, name) = (self.record_name(), store.new_name());
        if let Ok(reserved) = self.reserved(store) {
            let _ = reserved.remove(&store.root.sys, (&self.dir, &*record), &name);
        }
    }

    /// Keeps all accepted data on a thread, and does not wait for it.
    pub(crate) fn keep_in_background(self: &Arc<Self>, store: &Arc<Store>) {
        let mut state = self.state();
        let is_kept = state.has_record && state.kept == state.mark();
        if !state.gone && state.lost.is_none() && !is_kept {
            state.want_kept();
            self.start(store, &mut state);
        }
    }

    /// Starts a thread, if there is work and none is running.
    fn start(self: &Arc<Self>, store: &Arc<Store>, state: &mut State) {
        if state.running || (state.queue.len == 0 && state.wanted <= state.done) {
            return;
        }
        state.running = true;
        state.failure = None;
        let job = WriterJob { upload: Arc::clone(self), store: Arc::clone(store), started: false };
        drop(store.work.start(move || job.run()));
    }

    /// Writes the queue to the file and keeps where that was asked for, until there is nothing to do. Each
    /// round takes the lock once, to note the last result and to choose the next step.
    fn run(&self, store: &Store) {
        let mut file = None;
        let mut result = None;
        loop {
            let Some(step) = self.state().advance(result.take()) else { break };
            result = Some(match step {
                Step::Write { parts, offset } => self.write(store, &mut file, parts, offset),
                Step::Keep { until, mark, written, time, slot } => self
                    .keep(store, &mut file, written, mark, time, slot)
                    .map(|(mark, next_slot)| Done::Kept { until, mark, next_slot }),
            });
        }
        let state = self.state();
        let (gone, size) = (state.gone, state.written);
        drop(state);
        if gone {
            // Files that were made after the upload was removed.
            self.remove_files(store, size);
        }
    }

    /// Writes parts to the file. Unwritten parts go back into the queue.
    fn write(
        &self,
        store: &Store,
        file: &mut Option<OwnedFd>,
        parts: Vec<Bytes>,
        offset: u64,
    ) -> Result<Done, Failure> {
        let result = match self.open(store, file, offset) {
            Ok(file) => write_all(&store.root.sys, file, &parts, offset)
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

    /// Makes the data durable, of which `written` bytes are in the file, and then `mark` in the record: in
    /// its next slot, or in a new record. Returns what is kept and the number of the slot that follows.
    fn keep(
        &self,
        store: &Store,
        file: &mut Option<OwnedFd>,
        written: u64,
        mark: Mark,
        time: i64,
        slot: Option<u64>,
    ) -> Result<(Mark, u64), Failure> {
        let file = self.open(store, file, written)?;
        store.sync_content(file).map_err(Failure::not_durable)?;
        let header = self.header.to_text();
        let kept = Kept { size: mark.size, written: time, note: mark.note.clone() };
        let record = match slot {
            Some(_) => self.open_record(store, header.len() + Kept::LINE)?,
            None => None,
        };
        let next_slot = match (record, slot) {
            (Some(record), Some(slot)) => {
                let offset = Kept::offset(header.len(), slot);
                write_all(&store.root.sys, &record, &kept.to_slot(slot), offset)
                    .map_err(|(_, errno)| store.explain(errno))?;
                store.sync_content(&record)?;
                slot.wrapping_add(1)
            }
            _ => self.create_record(store, header, &kept)?,
        };
        Ok((mark, next_slot))
    }

    /// Creates the record, in the place of any file that has its name. Returns the number of the next slot.
    fn create_record(&self, store: &Store, header: String, kept: &Kept) -> Result<u64> {
        let (sys, dir, name) = (&store.root.sys, &self.dir, self.record_name());
        let _ = self.reserved(store)?.remove(sys, (dir, &*name), &store.new_name());
        let created = sys.create(dir, &name, store.root.settings.file_mode);
        let written = created.map_err(|errno| store.explain(errno)).and_then(|record| {
            let [line, note] = kept.to_slot(0);
            write_all(sys, &record, &[Bytes::from(header), line, note], 0)
                .map_err(|(_, errno)| store.explain(errno))?;
            store.sync_content(&record)?;
            if store.root.settings.durability == Durability::Full {
                store.syncs.sync(sys, dir).map_err(|errno| store.explain(errno))?;
            }
            Ok(1)
        });
        written.inspect_err(|_| {
            let _ = sys.unlink(dir, &*name);
        })
    }

    /// Opens the record. `None` if another program has removed or replaced it, or cut it to less than
    /// `least` bytes: then it is written anew.
    fn open_record(&self, store: &Store, least: usize) -> Result<Option<OwnedFd>> {
        let opened = match store.root.sys.open_write(&self.dir, &self.record_name()) {
            Err(Errno::NOENT | Errno::ISDIR | Errno::LOOP) => return Ok(None),
            opened => opened.and_then(|record| Ok((store.root.sys.stat(&record)?, record))),
        };
        let (facts, record) = opened.map_err(|errno| store.explain(errno))?;
        Ok((facts.kind == Kind::File && facts.size >= least as u64).then_some(record))
    }
}

/// The work of a thread for an upload. A runtime that is shut down drops it unstarted.
struct WriterJob {
    upload: Arc<Upload>,
    store: Arc<Store>,
    started: bool,
}

impl WriterJob {
    fn run(mut self) {
        self.started = true;
        self.upload.run(&self.store);
    }
}

impl Drop for WriterJob {
    fn drop(&mut self) {
        if !self.started {
            let mut state = self.upload.state();
            state.running = false;
            state.failure = Some(ErrorKind::Unavailable.into());
            state.wake();
        }
    }
}
