//! [`Upload`]: an upload in progress, and [`Session`], one opening of it.
//!
//! What a writer accepts goes into a queue, which a thread writes to the upload's file for as long as
//! there is something in it; so nothing lies about when the writer is idle, and a writer that is
//! dropped has nothing to do. The file is open while the thread works, not while the writer is.
//!
//! An upload that was never kept has no record, and a crash forgets it.

use std::{
    collections::VecDeque,
    future::poll_fn,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use bytes::{Buf, Bytes, BytesMut};
use rustix::io::Errno;
use storage_driver::{
    Error, ErrorKind, Metadata, Path, Precondition, Result, Version, WriteSession,
};

use crate::{
    Durability, clock,
    record::{Header, Kept, Record},
    store::{Source, Store},
    write::write_all,
};

/// What a writer may have accepted and not yet handed over, apart from the piece accepted last:
/// 1 MiB. As much again may be on its way to the file.
const QUEUE: usize = 1 << 20;

/// Pieces smaller than this are copied together.
const PIECE: usize = 8 << 10;

/// How much is copied together at most.
const TAIL: usize = 64 << 10;

/// An upload of more than this is synced before it takes the locks to be published.
const SMALL: u64 = 1 << 20;

/// An upload in progress.
#[derive(Debug)]
pub(crate) struct Upload {
    header: Header,
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

/// What was accepted and is not yet on its way.
#[derive(Debug, Default)]
struct Queue {
    parts: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Queue {
    fn push(&mut self, data: Bytes) {
        if data.len() < PIECE {
            return self.push_slice(&data);
        }
        self.end_tail();
        self.len += data.len();
        self.parts.push_back(data);
    }

    fn push_slice(&mut self, data: &[u8]) {
        if self.tail.len() + data.len() > TAIL {
            self.end_tail();
        }
        self.len += data.len();
        self.tail.extend_from_slice(data);
    }

    fn end_tail(&mut self) {
        if !self.tail.is_empty() {
            self.parts.push_back(std::mem::take(&mut self.tail).freeze());
        }
    }

    fn take(&mut self) -> Vec<Bytes> {
        self.end_tail();
        self.len = 0;
        std::mem::take(&mut self.parts).into()
    }

    /// Puts back what could not be written, before what came after it.
    fn put_back(&mut self, parts: Vec<Bytes>, mut written: u64) {
        self.end_tail();
        let mut rest = VecDeque::new();
        for mut part in parts {
            let skip = written.min(part.len() as u64);
            written -= skip;
            part.advance(skip as usize);
            if !part.is_empty() {
                self.len += part.len();
                rest.push_back(part);
            }
        }
        rest.append(&mut self.parts);
        self.parts = rest;
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
    /// One that is new, and has nothing on the disk yet but what `content` says is in its file.
    fn new(name: String, path: &Path, base: Option<Version>, size: u64) -> Self {
        let started = clock::now();
        let header = Header { path: path.clone(), started, base };
        let state = State { written: size, accepted: size, touched: started, ..State::default() };
        Self { header, name, state: Mutex::new(state) }
    }

    /// One of which a record was found, in the file of this name.
    pub(crate) fn recovered(name: String, record: Record) -> Self {
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
        Self { header, name, state: Mutex::new(state) }
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
        let _ = store.sys.unlink(&store.uploads_dir, &*self.record_name());
        store.discard((&store.uploads_dir, &self.data_name()), size);
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
                match store.sys.open_write(&store.uploads_dir, &name) {
                    Err(Errno::NOENT) => {
                        store.sys.create(&store.uploads_dir, &name, store.settings.file_mode)?
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
        let (sys, dir, name) = (&store.sys, &store.uploads_dir, self.record_name());
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
        if let Ok(file) = store.sys.open_write(&store.uploads_dir, &self.data_name()) {
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

/// One opening of an upload: what stands behind a writer.
pub(crate) struct Session {
    store: Arc<Store>,
    upload: Arc<Upload>,
    token: i64,
    /// The time of keeping that a `sync` waits for.
    ticket: Option<u64>,
    /// Whether the caller knows of the failure, and whether it is being tried again.
    told: bool,
    retrying: bool,
    /// Whether the upload was published or cancelled.
    ended: bool,
}

impl Session {
    /// Opens an upload that is new, in the place of any that is there. Under the upload's lock.
    pub(crate) fn create(store: &Arc<Store>, path: &Path) -> Self {
        Self::insert(store, Upload::new(store.new_name(), path, None, 0))
    }

    /// Opens an upload that starts as the content at its path. Under the locks of both.
    pub(crate) fn append(store: &Arc<Store>, path: &Path, at: Option<u64>) -> Result<Self> {
        if store.uploads().contains_key(path) {
            return Err(ErrorKind::UploadInProgress.into());
        }
        let (source, facts) = store
            .open_file(path, crate::sys::Resolve::Fully)
            .map_err(|errno| store.explain_open(path, errno))?;
        let size = facts.size;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        let base = Some(crate::store::version(&facts));
        let upload = Upload::new(store.new_name(), path, base, size);
        let mut file = None;
        let copied = upload
            .open(store, &mut file)
            .map_err(|errno| store.explain(errno))
            .and_then(|file| store.copy_file(&source, &facts, file));
        if let Err(error) = copied {
            upload.remove(store);
            return Err(error);
        }
        Ok(Self::insert(store, upload))
    }

    /// Opens the upload in progress at a path. Under the upload's lock.
    pub(crate) fn resume(store: &Arc<Store>, path: &Path, at: Option<u64>) -> Result<Self> {
        let upload = store.uploads().get(path).cloned();
        let upload = upload.ok_or_else(|| Error::from(ErrorKind::PathNotFound))?;
        let size = upload.state().accepted;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        Ok(Self::open(store, upload))
    }

    fn insert(store: &Arc<Store>, upload: Upload) -> Self {
        let upload = Arc::new(upload);
        let replaced = store.uploads().insert(upload.path().clone(), Arc::clone(&upload));
        if let Some(replaced) = replaced {
            replaced.remove(store);
        }
        Self::open(store, upload)
    }

    fn open(store: &Arc<Store>, upload: Arc<Upload>) -> Self {
        let token = store.clock.next();
        let mut state = upload.state();
        state.owner = token;
        state.lost = None;
        // What could not be written for another may be written now.
        if !state.running {
            state.failure = None;
            upload.start(store, &mut state);
        }
        state.wake();
        drop(state);
        let store = Arc::clone(store);
        Self { store, upload, token, ticket: None, told: false, retrying: false, ended: false }
    }

    /// How many bytes were accepted so far, by this session and those before.
    pub(crate) fn size(&self) -> u64 {
        self.upload.state().accepted
    }

    /// The upload's state, if it belongs to this session.
    fn own(&self) -> Result<MutexGuard<'_, State>> {
        own(&self.store, &self.upload, self.token)
    }

    fn accept(&mut self, length: usize, push: impl FnOnce(&mut Queue)) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        self.ticket = None;
        let mut state = self.own()?;
        push(&mut state.queue);
        state.accepted += length as u64;
        state.touched = clock::now().max(state.touched);
        if state.failure.is_none() {
            self.upload.start(&self.store, &mut state);
        }
        Ok(())
    }

    /// Waits until the queue is short enough. A failure is answered once; the next call tries again
    /// what failed, and waits for that.
    fn poll_queue(
        &mut self,
        cx: &Context<'_>,
        enough: impl Fn(&State) -> bool,
    ) -> Poll<Result<()>> {
        let upload = Arc::clone(&self.upload);
        let mut state = own(&self.store, &upload, self.token)?;
        if !state.running {
            if let Some(error) = &state.failure {
                if !self.told {
                    self.told = true;
                    return Poll::Ready(Err(error.clone()));
                }
                self.retrying = true;
            }
            self.told = false;
            upload.start(&self.store, &mut state);
        }
        if state.running && (self.retrying || !enough(&state)) {
            return state.wait(cx);
        }
        self.retrying = false;
        Poll::Ready(Ok(()))
    }

    /// Waits until all that was accepted is in the file.
    fn poll_drained(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.poll_queue(cx, |state| !state.running)
    }

    /// Publishes the upload, all of which is in its file. Under the locks of the upload and of
    /// `dest`.
    fn publish(&mut self, dest: &Path, precondition: &Precondition) -> Result<Metadata> {
        drop(self.own()?);
        let (store, upload) = (Arc::clone(&self.store), Arc::clone(&self.upload));
        let mut file = None;
        let file = upload.open(&store, &mut file).map_err(|errno| store.explain(errno))?;
        let facts = store.stamp(file)?;
        store.sync_whole(file).inspect_err(|error| upload.lose(&store, error))?;
        let base = upload.header.base.clone().filter(|_| dest == upload.path());
        let base = base.map(Precondition::IfVersion);
        let name = upload.data_name();
        let source = Source::Reserved(&store.uploads_dir, &name);
        store.place(source, dest, &|current| {
            base.as_ref().map_or(Ok(()), |base| base.check(current))?;
            precondition.check(current)
        })?;
        store.uploads().remove(upload.path());
        let mut state = upload.state();
        state.gone = true;
        state.wake();
        let has_record = state.has_record;
        drop(state);
        self.ended = true;
        if has_record {
            let _ = store.sys.unlink(&store.uploads_dir, &*upload.record_name());
        }
        Ok(store.metadata(dest, &facts))
    }

    /// Keeps what was accepted, on this thread.
    fn keep(&self) {
        let Ok(mut state) = self.own() else { return };
        state.wanted += 1;
        if !state.running {
            state.running = true;
            state.failure = None;
            drop(state);
            self.upload.run(&self.store);
        }
    }
}

fn own<'a>(store: &Store, upload: &'a Upload, token: i64) -> Result<MutexGuard<'a, State>> {
    store.require_open()?;
    let state = upload.state();
    if state.gone || state.owner != token {
        return Err(ErrorKind::WriterFenced.into());
    }
    match &state.lost {
        Some(error) => Err(error.clone()),
        None => Ok(state),
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_queue(cx, |state| state.queue.len < QUEUE)
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.accept(data.len(), |queue| queue.push(data))
    }

    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        if data.len() < TAIL {
            self.accept(data.len(), |queue| queue.push_slice(data))
        } else {
            self.start_write(Bytes::copy_from_slice(data))
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_drained(cx)
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let upload = Arc::clone(&self.upload);
        let mut state = own(&self.store, &upload, self.token)?;
        let asked = self.ticket.is_some();
        let ticket = *self.ticket.get_or_insert_with(|| {
            state.wanted += 1;
            state.wanted
        });
        if state.done >= ticket {
            self.ticket = None;
            return Poll::Ready(Ok(()));
        }
        if !state.running {
            if let Some(error) = state.failure.clone().filter(|_| asked) {
                self.ticket = None;
                self.told = true;
                return Poll::Ready(Err(error));
            }
            upload.start(&self.store, &mut state);
        }
        state.wait(cx)
    }

    async fn commit_to(
        mut self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        poll_fn(|cx| self.poll_drained(cx)).await?;
        let store = Arc::clone(&self.store);
        let (path, dest) = (self.upload.path().clone(), dest.clone());
        if self.size() > SMALL && store.settings.durability != Durability::None {
            // Where nobody waits for it.
            let (upload, of) = (Arc::clone(&self.upload), Arc::clone(&store));
            let synced = store.work.run(&[], move || {
                let mut file = None;
                let file = upload.open(&of, &mut file).map_err(|errno| of.explain(errno))?;
                of.sync_content(file).inspect_err(|error| upload.lose(&of, error))
            });
            synced.await?;
        }
        let held = store.locks.paths(Some(&path), &[&dest]).await;
        let target = dest.clone();
        let mut session = self;
        let publish = move || {
            let result = session.publish(&target, &precondition);
            if result.is_err() {
                // A commit keeps first and publishes then.
                session.keep();
            }
            session.store.empty_trash();
            drop(session);
            drop(held);
            result
        };
        store.work.run(&[&path, &dest], publish).await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let store = Arc::clone(&self.store);
        let path = self.upload.path().clone();
        let held = store.locks.paths(Some(&path), &[]).await;
        let mut session = self;
        let cancel = move || {
            drop(session.own()?);
            session.store.uploads().remove(session.upload.path());
            session.upload.remove(&session.store);
            session.ended = true;
            session.store.empty_trash();
            drop(session);
            drop(held);
            Ok(())
        };
        store.work.run(&[&path], cancel).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.ended && self.own().is_ok() {
            self.upload.keep_in_background(&self.store);
        }
    }
}
