//! [`Session`]: one opening of an upload.

use std::{
    future::poll_fn,
    sync::{Arc, MutexGuard},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result, WriteSession};

use super::{
    Mark, State, Upload, Uploads,
    data::Failure,
    queue::{Queue, TAIL},
};
use crate::{
    Durability, clock,
    root::version,
    staging::{Source, Staged},
    store::{SMALL, Store},
    sys::{FileStat, Resolve},
};

/// How many bytes a writer may have accepted and not handed over, apart from the piece accepted last:
/// 1 MiB. As many again may be on their way to the file. In tests, a few pages fill the queue.
const QUEUE: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

/// One opening of an upload: what stands behind a writer.
pub(crate) struct Session {
    store: Arc<Uploads>,
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
    pub(crate) fn create(store: &Arc<Uploads>, path: &Path) -> Result<Self> {
        Ok(Self::insert(store, Upload::new(store, path, None, 0)?))
    }

    /// Opens an upload that is to start as the content at its path, which was copied. Under the
    /// upload's lock.
    pub(crate) fn append(store: &Arc<Uploads>, path: &Path, mut copied: Copied) -> Result<Self> {
        require_none(store, path)?;
        let upload = copied.upload.take().ok_or_else(|| Error::from(ErrorKind::WriterFenced))?;
        Ok(Self::insert(store, upload))
    }

    /// Opens the upload in progress at a path. Under the upload's lock.
    pub(crate) fn resume(store: &Arc<Uploads>, path: &Path, at: Option<u64>) -> Result<Self> {
        let upload = store.map().get(path).cloned();
        let upload = upload.ok_or_else(|| Error::from(ErrorKind::PathNotFound))?;
        upload.inspect(store);
        let size = upload.state().accepted;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        Ok(Self::open(store, upload))
    }

    fn insert(store: &Arc<Uploads>, upload: Upload) -> Self {
        let upload = Arc::new(upload);
        let replaced = store.map().insert(upload.path().clone(), Arc::clone(&upload));
        if let Some(replaced) = replaced {
            replaced.remove(store);
        }
        Self::open(store, upload)
    }

    fn open(store: &Arc<Uploads>, upload: Arc<Upload>) -> Self {
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

    /// How many bytes were accepted so far, by this session and those before, and the note that was set
    /// for them.
    pub(crate) fn size_and_note(&self) -> (u64, Bytes) {
        let Mark { size, note } = self.upload.state().mark();
        (size, note)
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

    /// Publishes the upload, all of which is in its file, or its copy on the file system of `dest`.
    /// Under the locks of the upload and of `dest`.
    fn publish(
        &mut self,
        dest: &Path,
        precondition: &Precondition,
        mut copy: Option<Staged>,
    ) -> Result<Metadata> {
        let written = self.own()?.written;
        let (store, upload) = (Arc::clone(&self.store), Arc::clone(&self.upload));
        let mut file = None;
        let file = upload.open(&store, &mut file, written);
        let file = file.map_err(|failure| upload.settle(&store, failure))?;
        let facts = store.stamp(copy.as_ref().map_or(file, |copy| &copy.file))?;
        if facts.size != written {
            let cause = "another program has changed the data while it was copied";
            return Err(Error::new(ErrorKind::Unavailable).with_source(cause));
        }
        match &copy {
            // The data itself is still there.
            Some(copy) => store.sync_whole(&copy.file)?,
            None => {
                let lost = |error| Failure::Lost { found: u64::MAX, error };
                store.sync_whole(file).map_err(|error| upload.settle(&store, lost(error)))?;
            }
        }
        let base = upload.header.base.clone().filter(|_| dest == upload.path());
        let base = base.map(Precondition::IfVersion);
        let name = upload.data_name();
        let own = Source::Reserved(&upload.dir, &name);
        let source = copy.as_ref().map_or(own, Staged::source);
        store.install(source, dest, &|current| {
            base.as_ref().map_or(Ok(()), |base| base.check(current))?;
            precondition.check(current)
        })?;
        store.map().remove(upload.path());
        let mut state = upload.state();
        state.gone = true;
        state.wake();
        let has_record = state.has_record;
        drop(state);
        self.ended = true;
        if let Some(copy) = &mut copy {
            copy.published = true;
            upload.remove_files(&store, written);
            // A power cut may bring the upload back if this fails; it is published all the same.
            let _ = store.sync_dir(&upload.dir);
        } else if has_record {
            upload.remove_record(&store);
        }
        Ok(store.metadata(dest, &facts))
    }

    /// Keeps what was accepted, on this thread.
    fn keep(&self) {
        let Ok(mut state) = self.own() else { return };
        state.want_kept();
        if !state.running {
            state.running = true;
            state.failure = None;
            drop(state);
            self.upload.run(&self.store);
        }
    }
}

/// The content of a file, copied for an upload that is to extend it. It is removed if there comes to
/// be none.
pub(crate) struct Copied {
    store: Arc<Store>,
    upload: Option<Upload>,
}

impl Copied {
    /// Copies the content at a path. Without a lock, for that may take long: a commit to the path will
    /// ask whether it is still the same.
    pub(crate) fn new(store: &Arc<Uploads>, path: &Path, at: Option<u64>) -> Result<Self> {
        let (source, facts) = store
            .open_file(path, Resolve::Fully)
            .map_err(|errno| store.explain_open(path, errno))?;
        require_none(store, path)?;
        let size = facts.size;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        let upload = Upload::new(store, path, Some(version(&facts)), size)?;
        let copied = Self { store: Arc::clone(store.store()), upload: Some(upload) };
        if let Some(upload) = &copied.upload {
            let mut file = None;
            let file = upload.open(store, &mut file, 0);
            let file = file.map_err(|failure| upload.settle(store, failure))?;
            store.copy_file(&source, &facts, file)?;
        }
        Ok(copied)
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.remove(&self.store);
        }
    }
}

/// An upload in progress is not extended.
fn require_none(store: &Uploads, path: &Path) -> Result<()> {
    if store.map().contains_key(path) {
        return Err(ErrorKind::UploadInProgress.into());
    }
    Ok(())
}

impl Upload {
    /// Does what takes long before the upload is published, without a lock: makes its data durable,
    /// or copies it, if it is to be published on another file system, at `dest`.
    fn prepare(
        &self,
        store: &Arc<Store>,
        token: i64,
        dest: Option<&Path>,
    ) -> Result<Option<Staged>> {
        let file = match self.open_existing(store) {
            // It was fenced and removed, or another program has damaged it.
            Err(error) => {
                self.inspect(store);
                let written = own(store, self, token)?.written;
                // Nothing was written, so that there is no file yet.
                return if written > 0 {
                    Err(error)
                } else {
                    dest.map(|dest| store.stage(dest)).transpose()
                };
            }
            Ok(file) => file,
        };
        let Some(dest) = dest else {
            let synced = store.sync_content(&file);
            let lost = |error| Failure::Lost { found: u64::MAX, error };
            synced.map_err(|error| self.settle(store, lost(error)))?;
            return Ok(None);
        };
        let size = own(store, self, token)?.written;
        let facts = FileStat { size, ..store.sys.stat(&file).map_err(|e| self.explain(store, e))? };
        let copy = store.stage(dest)?;
        store.copy_file(&file, &facts, &copy.file)?;
        store.sync_if_large(&copy, size)?;
        Ok(Some(copy))
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

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.ticket = None;
        self.own()?.note = note;
        Ok(())
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_drained(cx)
    }

    fn poll_sync(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let upload = Arc::clone(&self.upload);
        let mut state = own(&self.store, &upload, self.token)?;
        let asked = self.ticket.is_some();
        let ticket = *self.ticket.get_or_insert_with(|| state.want_kept());
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
        let elsewhere = store.is_elsewhere(&dest);
        let large = self.size_and_note().0 > SMALL && store.settings.durability != Durability::None;
        let mut copy = None;
        if elsewhere || large {
            // In the background.
            let (upload, of, token) = (Arc::clone(&self.upload), Arc::clone(&store), self.token);
            let to = elsewhere.then(|| dest.clone());
            let prepared = store.work.run(&[], move || upload.prepare(&of, token, to.as_ref()));
            copy = prepared.await?;
        }
        let held = store.locks.paths(Some(&path), &[&dest]).await;
        let target = dest.clone();
        let mut session = self;
        let publish = move || {
            let result = session.publish(&target, &precondition, copy);
            let result = session.store.check_root(&target, result);
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
            session.store.map().remove(session.upload.path());
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
