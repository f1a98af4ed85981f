//! [`Session`]: one opening of an upload.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Error, ErrorKind, Metadata, Path, Precondition, Result, WriteSession, Writer, WriterOptions,
};

use crate::{
    budget::Charge,
    deferred_drop::DeferredDrop,
    segment_builder::SegmentBuilder,
    store::Store,
    sync::MutexGuard,
    upload::{Slot, Upload},
    uploads::RemovedUploads,
    usage::Usage,
    work::{self, YIELD_EVERY, yield_now},
};

/// One opening of an upload: the session behind a [`Writer`].
pub(crate) struct Session {
    store: Arc<Store>,
    upload: Arc<Upload>,
    /// What the slot names as owner while this session is the latest.
    token: u64,
    /// The size of the upload when it was opened.
    start: u64,
    /// The note of the upload when it was opened.
    note: Bytes,
    exclusive_buffers: bool,
    /// How many bytes are accepted before the session yields to other tasks.
    until_yield: usize,
}

impl Session {
    /// Starts an upload that replaces the one at its path. Returns the memory of that to be reclaimed.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) async fn create(
        store: &Arc<Store>,
        path: &Path,
        options: &WriterOptions,
    ) -> Result<(Self, DeferredDrop)> {
        let content = store.segment_builder(options.size_hint);
        let session = Self::new_upload(store, path, content, None, options)?;
        let mut state = store.write().await?;
        let replaced = state.insert_upload(Arc::clone(&session.upload));
        drop(state);
        let mut deferred = DeferredDrop::default();
        replaced.into_iter().for_each(|upload| deferred.add_cancelled(RemovedUploads::One(upload)));
        Ok((session, deferred))
    }

    /// Starts an upload as the content of the file at its path.
    ///
    /// # Errors
    ///
    /// In this order: `PathNotFound`, `IsADirectory`, `UploadInProgress`, `OffsetMismatch`, `StorageFull`.
    pub(crate) async fn append(
        store: &Arc<Store>,
        path: &Path,
        at: Option<u64>,
        options: &WriterOptions,
    ) -> Result<Self> {
        let mut state = store.write().await?;
        let file = state.tree().file(path)?;
        if state.uploads().get(path).is_some() {
            return Err(Error::new(ErrorKind::UploadInProgress));
        }
        if let Some(given) = at.filter(|&at| at != file.size()) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size: file.size() }));
        }
        let mut content = store.segment_builder(options.size_hint);
        match file.blob() {
            Some(blob) => content = content.extending(blob.for_upload()),
            None => content.pack(file.content())?,
        }
        let appends_to = Some(Precondition::IfVersion(file.version()));
        let session = Self::new_upload(store, path, content, appends_to, options)?;
        state.insert_upload(Arc::clone(&session.upload));
        Ok(session)
    }

    /// Continues the upload at a path, and fences the session that was open.
    ///
    /// # Errors
    ///
    /// `PathNotFound`, `OffsetMismatch`.
    pub(crate) fn resume(
        store: &Arc<Store>,
        path: &Path,
        at: Option<u64>,
        options: &WriterOptions,
    ) -> Result<Self> {
        let opened = store.with_upload(path, |upload, slot| {
            let size = slot.content.as_ref().map_or(0, SegmentBuilder::len);
            if let Some(given) = at.filter(|&at| at != size) {
                return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
            }
            slot.owner = store.next_session();
            let (upload, note) = (Arc::clone(upload), slot.note.to_bytes());
            Ok(Self::new(store, upload, slot.owner, size, note, options))
        })?;
        opened.unwrap_or_else(|| Err(Error::new(ErrorKind::PathNotFound)))
    }

    /// Opens a new upload; the caller puts it into the store.
    fn new_upload(
        store: &Arc<Store>,
        path: &Path,
        content: SegmentBuilder,
        appends_to: Option<Precondition>,
        options: &WriterOptions,
    ) -> Result<Self> {
        let charge = Charge::new(store.budget(), Usage::UPLOAD + path.as_str().len())?;
        let (size, owner) = (content.len(), store.next_session());
        let upload = Upload::new(path, owner, store.now(), content, appends_to, charge);
        Ok(Self::new(store, Arc::new(upload), owner, size, Bytes::new(), options))
    }

    fn new(
        store: &Arc<Store>,
        upload: Arc<Upload>,
        token: u64,
        start: u64,
        note: Bytes,
        options: &WriterOptions,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            upload,
            token,
            start,
            note,
            exclusive_buffers: options.exclusive_buffers,
            until_yield: YIELD_EVERY,
        }
    }

    /// The writer of this session, for a driver of this name.
    pub(crate) fn into_writer(mut self, driver: &'static str) -> Writer {
        let (path, start) = (self.upload.path().clone(), self.start);
        let note = std::mem::take(&mut self.note);
        Writer::new(driver, path, start, self).with_note(note)
    }

    /// The slot, if this session owns it.
    fn own(&self) -> Result<MutexGuard<'_, Slot>> {
        let mut slot = self.upload.lock();
        self.check_owner(&mut slot)?;
        Ok(slot)
    }

    fn check_owner(&self, slot: &mut Slot) -> Result<()> {
        // In this order: a store is closed before its uploads are taken out.
        let owned = slot.owner == self.token && self.store.has_upload(&self.upload, &mut slot.seen);
        self.store.require_open()?;
        if owned { Ok(()) } else { Err(Error::new(ErrorKind::WriterFenced)) }
    }

    /// `None` if the store is busy with a job.
    fn try_publish(
        &self,
        dest: &Path,
        precondition: &Precondition,
    ) -> Result<Option<(Metadata, DeferredDrop)>> {
        let mut slot = self.own()?;
        let Slot { content, note, appends_to, .. } = &mut *slot;
        let builder = content.as_mut().ok_or(ErrorKind::WriterFenced)?;
        builder.seal_tail();
        let Some(mut state) = self.store.try_write()? else { return Ok(None) };
        if !state.uploads().contains(&self.upload) {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        let place = match appends_to {
            Some(version) if dest == self.upload.path() => {
                state.place(dest, &[precondition, version])?
            }
            _ => state.place(dest, &[precondition])?,
        };
        let file = self.store.file_of(place.text(), builder)?;
        let (metadata, replaced) = state.publish(place, file);
        state.remove_upload(&self.upload);
        drop(state);
        *content = None;
        note.clear();
        Ok(Some((metadata, replaced.into())))
    }

    /// `None` if the store is busy with a job.
    fn try_cancel(&self) -> Result<Option<DeferredDrop>> {
        let slot = self.own()?;
        let Some(mut state) = self.store.try_write()? else { return Ok(None) };
        if !state.remove_upload(&self.upload) {
            return Err(Error::new(ErrorKind::WriterFenced));
        }
        drop(state);
        drop(slot);
        let mut deferred = DeferredDrop::default();
        deferred.add_content_of(&self.upload);
        Ok(Some(deferred))
    }

    fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut SegmentBuilder) -> Result<()>,
    ) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        self.store.make_room(length);
        let mut slot = self.own()?;
        let content = slot.content.as_mut().ok_or(ErrorKind::WriterFenced)?;
        write(content)?;
        self.upload.accepted(content.len(), self.store.now());
        self.store.spare(&self.upload);
        // A cancellation of old uploads that has not seen this write must not let it succeed.
        self.check_owner(&mut slot)?;
        drop(slot);
        self.until_yield = self.until_yield.saturating_sub(length);
        Ok(())
    }
}

#[async_trait]
impl WriteSession for Session {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.until_yield == 0 {
            self.until_yield = YIELD_EVERY;
            return work::pending(cx);
        }
        Poll::Ready(Ok(()))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let exclusive = self.exclusive_buffers;
        self.write_with(data.len(), |content| content.write(data, exclusive))
    }

    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        self.write_with(data.len(), |content| content.pack(data))
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.store.make_room(note.len());
        self.own()?.note.set(&note)
    }

    /// Accepted data and the note are kept already.
    fn poll_sync(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.own().map(drop))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let (metadata, deferred) = loop {
            if let Some(published) = self.try_publish(dest, &precondition)? {
                break published;
            }
            yield_now().await;
        };
        self.store.reclaimer().reclaim(deferred).await;
        Ok(metadata)
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let deferred = loop {
            if let Some(deferred) = self.try_cancel()? {
                break deferred;
            }
            yield_now().await;
        };
        self.store.reclaimer().reclaim(deferred).await;
        Ok(())
    }
}
