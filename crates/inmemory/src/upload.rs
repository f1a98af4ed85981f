//! [`Upload`]: an upload in progress, and [`Session`], one opening of it.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Error, ErrorKind, Metadata, Path, Precondition, Result, Version, WriteSession,
};

use crate::{
    Usage,
    budget::Charge,
    draft::Draft,
    store::Store,
    sync::{AtomicI64, AtomicU64, Mutex, MutexGuard, Ordering::Relaxed, Ordering::SeqCst, lock},
    time::Timestamp,
    uploads::key,
    waste::Waste,
    work::yield_now,
};

/// An upload in progress, shared by the store and by the sessions that were opened for it, of which
/// the latest owns it.
///
/// The lock on `slot` is held while data is copied, and taken before the store's, never while the
/// store's is held: nobody waits in line behind somebody else's `memcpy`.
#[derive(Debug)]
pub(crate) struct Upload {
    pub(crate) path: Path,
    /// Its place in the table of uploads.
    pub(crate) key: Box<str>,
    pub(crate) started: Timestamp,
    /// When data was accepted last, and how much there is: outside of the slot, so that uploads can
    /// be listed without waiting for it.
    written: AtomicI64,
    size: AtomicU64,
    slot: Mutex<Slot>,
    _charge: Charge,
}

#[derive(Debug)]
struct Slot {
    /// The session that owns the upload; another's is fenced.
    owner: u64,
    /// How many removals there were when the upload was last seen in the store's table.
    seen: u64,
    draft: Option<Draft>,
    /// The version that an append started from.
    appends_to: Option<Version>,
}

impl Upload {
    pub(crate) fn written(&self) -> Timestamp {
        Timestamp(self.written.load(SeqCst))
    }

    pub(crate) fn describe(&self) -> storage_driver::UploadInfo {
        let (started, written) = (self.started.into(), self.written().into());
        let size = Some(self.size.load(Relaxed));
        storage_driver::UploadInfo::new(self.path.clone(), started, written, size)
    }

    /// Takes out what an upload holds that is in no table any more, even if a fenced session is still
    /// around. Not under the store's lock.
    pub(crate) fn empty(&self, waste: &mut Waste) {
        let draft = lock(&self.slot).draft.take();
        draft.into_iter().for_each(|mut draft| waste.add_draft(&mut draft));
    }

    /// Makes a new session the owner, if the upload stands where the caller believes. `None` if the
    /// upload has died meanwhile.
    pub(crate) fn open(
        self: &Arc<Self>,
        store: &Arc<Store>,
        at: Option<u64>,
        vouched: bool,
    ) -> Result<Option<Session>> {
        let mut slot = lock(&self.slot);
        let has = store.has(self, &mut slot.seen);
        let Some(draft) = slot.draft.as_ref().filter(|_| has) else { return Ok(None) };
        let size = draft.len();
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        slot.owner = store.next_session();
        let (upload, store) = (Arc::clone(self), Arc::clone(store));
        Ok(Some(Session::new(store, upload, slot.owner, size, vouched)))
    }
}

/// One opening of an upload: what stands behind a writer.
pub(crate) struct Session {
    store: Arc<Store>,
    upload: Arc<Upload>,
    token: u64,
    /// Where the upload stood at the opening.
    start: u64,
    vouched: bool,
    /// How many bytes may still be accepted before other tasks get a turn.
    until_yield: usize,
}

/// No count of removals: the upload was not seen yet.
const NEVER: u64 = u64::MAX;

/// A writer never waits for the store, so it would never let its thread go; it does so each time it
/// has accepted 1 MiB.
pub(crate) const YIELD_EVERY: usize = 1 << 20;

impl Session {
    /// Opens an upload that is new; the caller puts it into the store.
    pub(crate) fn create(
        store: &Arc<Store>,
        path: &Path,
        draft: Draft,
        appends_to: Option<Version>,
        vouched: bool,
    ) -> Result<Self> {
        let charge = Charge::new(store.budget(), Usage::UPLOAD + path.as_str().len())?;
        let (started, size, owner) = (store.now(), draft.len(), store.next_session());
        let upload = Upload {
            path: path.clone(),
            key: key(path),
            started,
            written: AtomicI64::new(started.0),
            size: AtomicU64::new(size),
            slot: Mutex::new(Slot { owner, seen: NEVER, draft: Some(draft), appends_to }),
            _charge: charge,
        };
        Ok(Self::new(Arc::clone(store), Arc::new(upload), owner, size, vouched))
    }

    fn new(store: Arc<Store>, upload: Arc<Upload>, token: u64, start: u64, vouched: bool) -> Self {
        Self { store, upload, token, start, vouched, until_yield: YIELD_EVERY }
    }

    pub(crate) fn upload(&self) -> &Arc<Upload> {
        &self.upload
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The slot, if this session owns it.
    fn own(&self) -> Result<MutexGuard<'_, Slot>> {
        let mut slot = lock(&self.upload.slot);
        self.check_owner(&mut slot)?;
        Ok(slot)
    }

    fn check_owner(&self, slot: &mut Slot) -> Result<()> {
        // Looked at in this order: a store is closed before its uploads are taken out.
        let owned = slot.owner == self.token && self.store.has(&self.upload, &mut slot.seen);
        if self.store.is_closed() {
            return Err(Error::new(ErrorKind::Unavailable));
        }
        if owned { Ok(()) } else { Err(Error::new(ErrorKind::WriterFenced)) }
    }

    /// `None` if the store is busy with a job.
    fn try_publish(
        &self,
        dest: &Path,
        precondition: &Precondition,
    ) -> Result<Option<(Metadata, Waste)>> {
        let mut slot = self.own()?;
        let Slot { draft, appends_to, .. } = &mut *slot;
        let Some(draft) = draft else { return Err(ErrorKind::WriterFenced.into()) };
        draft.seal_tail();
        let appends_to = appends_to.as_ref().filter(|_| *dest == self.upload.path);
        self.store.try_publish(dest, precondition, appends_to, &self.upload, draft)
    }

    /// `None` if the store is busy with a job.
    fn try_forget(&self) -> Result<Option<Waste>> {
        let slot = self.own()?;
        if !self.store.try_forget(&self.upload)? {
            return Ok(None);
        }
        drop(slot);
        let mut waste = Waste::default();
        self.upload.empty(&mut waste);
        Ok(Some(waste))
    }

    fn write_with(
        &mut self,
        length: usize,
        write: impl FnOnce(&mut Draft) -> Result<()>,
    ) -> Result<()> {
        if length == 0 {
            return Ok(());
        }
        self.store.make_room(length);
        let mut slot = self.own()?;
        let Some(draft) = &mut slot.draft else { return Err(ErrorKind::WriterFenced.into()) };
        write(draft)?;
        self.upload.size.store(draft.len(), Relaxed);
        self.upload.written.store(self.store.now().0, SeqCst);
        self.store.keep(&self.upload);
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
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let vouched = self.vouched;
        self.write_with(data.len(), |draft| draft.write(data, vouched))
    }

    fn start_write_slice(&mut self, data: &[u8]) -> Result<()> {
        self.write_with(data.len(), |draft| draft.pack(data))
    }

    /// What was accepted is kept already.
    fn poll_sync(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.own().map(drop))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let (metadata, waste) = loop {
            if let Some(published) = self.try_publish(dest, &precondition)? {
                break published;
            }
            yield_now().await;
        };
        self.store.garbage().free(waste).await;
        Ok(metadata)
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let waste = loop {
            if let Some(waste) = self.try_forget()? {
                break waste;
            }
            yield_now().await;
        };
        self.store.garbage().free(waste).await;
        Ok(())
    }
}
