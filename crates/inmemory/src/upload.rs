//! [`Upload`]: content that is being written.

use std::sync::Arc;

use storage_driver::{Path, Precondition, UploadInfo};

use crate::{
    budget::{Budget, Charge},
    note::Note,
    segment_builder::SegmentBuilder,
    sync::{AtomicI64, AtomicU64, Mutex, MutexGuard, Ordering::Relaxed, Ordering::SeqCst, lock},
    time::Timestamp,
};

/// An upload, shared by the store and by the sessions that were opened for it. The latest session owns it.
///
/// The lock on the slot is held while data is copied. It is taken before the store's lock, never while
/// the store's lock is held, so that no operation on the store waits for a `memcpy`.
#[derive(Debug)]
pub(crate) struct Upload {
    path: Path,
    /// Its place in the table of uploads.
    key: Box<str>,
    created: Timestamp,
    /// When data was accepted last, and the size: outside of the slot, so that uploads are listed without
    /// waiting for it.
    modified: AtomicI64,
    size: AtomicU64,
    slot: Mutex<Slot>,
    charge: Charge,
}

/// What the owner of an upload changes.
#[derive(Debug)]
pub(crate) struct Slot {
    /// The session that owns the upload; all others are fenced.
    pub(crate) owner: u64,
    /// The count of removals at which the upload was last seen in the store's table.
    pub(crate) seen: u64,
    /// `None` once the upload was cancelled and its memory reclaimed.
    pub(crate) content: Option<SegmentBuilder>,
    pub(crate) note: Note,
    /// For an append: the version that it started from.
    pub(crate) appends_to: Option<Precondition>,
}

/// No count of removals: the upload was not seen yet.
const NEVER: u64 = u64::MAX;

impl Upload {
    /// A new upload, for whose index entry `charge` was taken.
    pub(crate) fn new(
        path: &Path,
        owner: u64,
        created: Timestamp,
        content: SegmentBuilder,
        appends_to: Option<Precondition>,
        charge: Charge,
    ) -> Self {
        let (size, note) = (content.len(), Note::none(charge.budget()));
        Self {
            path: path.clone(),
            key: key(path),
            created,
            modified: AtomicI64::new(created.0),
            size: AtomicU64::new(size),
            slot: Mutex::new(Slot { owner, seen: NEVER, content: Some(content), note, appends_to }),
            charge,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        self.charge.budget()
    }

    /// Not under the store's lock.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Slot> {
        lock(&self.slot)
    }

    /// When data was accepted last.
    pub(crate) fn modified(&self) -> Timestamp {
        Timestamp(self.modified.load(SeqCst))
    }

    /// Records that data was accepted, by the owner of the slot.
    pub(crate) fn accepted(&self, size: u64, now: Timestamp) {
        self.size.store(size, Relaxed);
        self.modified.store(now.0, SeqCst);
    }

    /// Its state, without the note, for which the slot would be needed.
    pub(crate) fn info(&self) -> UploadInfo {
        let size = Some(self.size.load(Relaxed));
        UploadInfo::new(self.path.clone(), self.created.into(), self.modified().into(), size)
    }

    /// Takes the content out of an upload that is in no table any more, even if a fenced session still
    /// holds the upload. Not under the store's lock.
    pub(crate) fn take_content(&self) -> Option<SegmentBuilder> {
        let mut slot = self.lock();
        slot.note.clear();
        slot.content.take()
    }
}

/// Stands for a slash, so that keys order as paths do: `/a/z` before `/a-z`.
const SLASH: &str = "\u{1}";

/// A text that orders among other keys as `path` does among paths.
pub(crate) fn key(path: &Path) -> Box<str> {
    path.as_str()[1..].replace('/', SLASH).into()
}
