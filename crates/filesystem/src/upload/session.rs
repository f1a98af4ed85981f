//! [`Session`]: one opening of an upload.

use std::{
    future::poll_fn,
    sync::{Arc, MutexGuard},
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Error, ErrorKind, Metadata, Path, Precondition, Result, Version, WriteSession,
};

use super::{
    Upload,
    copied::{Copied, require_none},
    queue::{Queue, TAIL},
    state::{Failure, Mark, State},
    uploads::Uploads,
};
use crate::{
    Durability, clock,
    store::{
        SMALL, Store,
        staging::{Source, Staged},
    },
    sys::FileStat,
};

/// How many bytes may be in the queue of a writer, apart from the piece accepted last: 1 MiB. A thread may be writing as
/// many again. In tests, a few pages fill the queue.
const QUEUE: usize = if cfg!(test) { 16 << 10 } else { 1 << 20 };

/// One opening of an upload: the session of a writer.
pub(crate) struct Session {
    uploads: Arc<Uploads>,
    upload: Arc<Upload>,
    token: i64,
    /// The number of the request to keep that a `sync` waits for.
    ticket: Option<u64>,
    /// Whether the failure was returned to the caller, and whether the step is being tried again.
    told: bool,
    retrying: bool,
    /// Whether the upload was published or cancelled.
    ended: bool,
}

impl Session {
    /// Opens a new upload, which replaces an earlier one. Under the upload's lock.
    pub(crate) fn create(uploads: &Arc<Uploads>, path: &Path) -> Result<Self> {
        Ok(Self::insert(uploads, Upload::new(&uploads.store, path, None, 0)?))
    }

    /// Opens an upload that starts as the copied content at its path. Under the upload's lock.
    pub(crate) fn append(uploads: &Arc<Uploads>, path: &Path, copied: Copied) -> Result<Self> {
        require_none(uploads, path)?;
        let upload = copied.into_upload().ok_or_else(|| Error::from(ErrorKind::WriterFenced))?;
        Ok(Self::insert(uploads, upload))
    }

    /// Opens the upload in progress at a path. Under the upload's lock.
    pub(crate) fn resume(uploads: &Arc<Uploads>, path: &Path, at: Option<u64>) -> Result<Self> {
        let upload = uploads.map().get(path).cloned();
        let upload = upload.ok_or_else(|| Error::from(ErrorKind::PathNotFound))?;
        upload.inspect(&uploads.store);
        let size = upload.state().accepted;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        Ok(Self::open(uploads, upload))
    }

    fn insert(uploads: &Arc<Uploads>, upload: Upload) -> Self {
        let upload = Arc::new(upload);
        let replaced = uploads.map().insert(upload.path().clone(), Arc::clone(&upload));
        if let Some(replaced) = replaced {
            replaced.remove(&uploads.store);
        }
        Self::open(uploads, upload)
    }

    fn open(uploads: &Arc<Uploads>, upload: Arc<Upload>) -> Self {
        let token = uploads.store.clock.next();
        let mut state = upload.state();
        state.owner = token;
        state.lost = None;
        // A step that failed for an earlier session may succeed now.
        if !state.running {
            state.failure = None;
            upload.start(&uploads.store, &mut state);
        }
        state.wake();
        drop(state);
        let uploads = Arc::clone(uploads);
        Self { uploads, upload, token, ticket: None, told: false, retrying: false, ended: false }
    }

    /// How many bytes this and earlier sessions have accepted, and the note that was set for them.
    pub(crate) fn size_and_note(&self) -> (u64, Bytes) {
        let Mark { size, note } = self.upload.state().mark();
        (size, note)
    }

    /// The upload's state, if this session owns it.
    fn own(&self) -> Result<MutexGuard<'_, State>> {
        own(&self.uploads.store, &self.upload, self.token)
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
            self.upload.start(&self.uploads.store, &mut state);
        }
        Ok(())
    }

    /// Waits until the queue is short enough. Returns a failure once; the next call tries the failed step again, and
    /// waits for it.
    fn poll_queue(
        &mut self,
        cx: &Context<'_>,
        enough: impl Fn(&State) -> bool,
    ) -> Poll<Result<()>> {
        let upload = Arc::clone(&self.upload);
        let mut state = own(&self.uploads.store, &upload, self.token)?;
        if !state.running {
            if let Some(error) = &state.failure {
                if !self.told {
                    self.told = true;
                    return Poll::Ready(Err(error.clone()));
                }
                self.retrying = true;
            }
            self.told = false;
            upload.start(&self.uploads.store, &mut state);
        }
        if state.running && (self.retrying || !enough(&state)) {
            return state.wait(cx);
        }
        self.retrying = false;
        Poll::Ready(Ok(()))
    }

    /// Waits until all accepted data is in the file.
    fn poll_drained(&mut self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.poll_queue(cx, |state| !state.running)
    }

    async fn commit(mut self: Box<Self>, dest: &Path, conditions: Conditions) -> Result<Metadata> {
        poll_fn(|cx| self.poll_drained(cx)).await?;
        let store = Arc::clone(&self.uploads.store);
        let (path, dest) = (self.upload.path().clone(), dest.clone());
        let elsewhere = store.root.is_elsewhere(&dest);
        let large =
            self.size_and_note().0 > SMALL && store.root.settings.durability != Durability::None;
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
            let result = session.publish(&target, &conditions, copy);
            let result = session.uploads.store.root.check_root(&target, result);
            if result.is_err() {
                // A commit keeps first and publishes second.
                session.keep();
            }
            session.uploads.store.empty_trash();
            drop(session);
            drop(held);
            result
        };
        store.work.run(&[&path, &dest], publish).await
    }

    /// Publishes the upload, all of which is in its file, or its copy on the file system of `dest`.
    /// Under the locks of the upload and of `dest`.
    fn publish(
        &mut self,
        dest: &Path,
        conditions: &Conditions,
        mut copy: Option<Staged>,
    ) -> Result<Metadata> {
        let written = self.own()?.written;
        let (uploads, upload) = (Arc::clone(&self.uploads), Arc::clone(&self.upload));
        let store = &uploads.store;
        let mut file = None;
        let file = upload.open(store, &mut file, written);
        let file = file.map_err(|failure| upload.settle(failure))?;
        let facts = store.stamp(copy.as_ref().map_or(file, |copy| &copy.file))?;
        if facts.size != written {
            let cause = "another program has changed the data while it was copied";
            return Err(Error::new(ErrorKind::Unavailable).with_source(cause));
        }
        match &copy {
            // The data itself is still there.
            Some(copy) => store.sync_whole(&copy.file)?,
            None => store
                .sync_whole(file)
                .map_err(|error| upload.settle(Failure::not_durable(error)))?,
        }
        let name = upload.data_name();
        let own = Source::Reserved(&upload.dir, &name);
        let source = copy.as_ref().map_or(own, Staged::source);
        store.install(source, dest, &|current| conditions.check(current))?;
        uploads.map().remove(upload.path());
        let mut state = upload.state();
        state.gone = true;
        state.wake();
        let has_record = state.has_record;
        drop(state);
        self.ended = true;
        if let Some(copy) = &mut copy {
            copy.published = true;
            upload.remove_files(store, written);
            // A power cut may bring the upload back if this fails; it is published all the same.
            let _ = store.sync_dir(&upload.dir);
        } else if has_record {
            upload.remove_record(store);
        }
        Ok(store.root.metadata(dest, &facts))
    }

    /// Keeps all accepted data, on this thread.
    fn keep(&self) {
        let Ok(mut state) = self.own() else { return };
        state.want_kept();
        if !state.running {
            state.running = true;
            state.failure = None;
            drop(state);
            self.upload.run(&self.uploads.store);
        }
    }
}

/// The conditions on the file at the destination of a commit: the caller's, and that the file at the upload's own
/// path is the one that the upload started from.
#[derive(Clone)]
struct Conditions([Precondition; 2]);

impl Conditions {
    fn new(upload: &Upload, dest: &Path, precondition: Precondition) -> Self {
        let base = upload.header.base.clone().filter(|_| dest == upload.path());
        Self([base.map_or(Precondition::None, Precondition::IfVersion), precondition])
    }

    fn check(&self, current: Option<&Version>) -> Result<()> {
        self.0.iter().try_for_each(|condition| condition.check(current))
    }
}

impl Upload {
    /// Does the slow part of a commit before locks are taken: makes the data durable, or copies it to the file system of
    /// `dest`, if that is another one.
    fn prepare(
        &self,
        store: &Arc<Store>,
        token: i64,
        dest: Option<&Path>,
    ) -> Result<Option<Staged>> {
        let file = match self.open_existing(store) {
            // The upload was fenced and removed, or another program has damaged it.
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
            synced.map_err(|error| self.settle(Failure::not_durable(error)))?;
            return Ok(None);
        };
        let size = own(store, self, token)?.written;
        let facts =
            FileStat { size, ..store.root.sys.stat(&file).map_err(|e| self.explain(store, e))? };
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
        let mut state = own(&self.uploads.store, &upload, self.token)?;
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
            upload.start(&self.uploads.store, &mut state);
        }
        state.wait(cx)
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let store = Arc::clone(&self.uploads.store);
        let conditions = Conditions::new(&self.upload, dest, precondition);
        let result = self.commit(dest, conditions.clone()).await;
        store.order_errors(result, dest, move |current| conditions.check(current)).await
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let store = Arc::clone(&self.uploads.store);
        let path = self.upload.path().clone();
        let held = store.locks.paths(Some(&path), &[]).await;
        let mut session = self;
        let cancel = move || {
            drop(session.own()?);
            session.uploads.map().remove(session.upload.path());
            session.upload.remove(&session.uploads.store);
            session.ended = true;
            session.uploads.store.empty_trash();
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
            self.upload.keep_in_background(&self.uploads.store);
        }
    }
}
