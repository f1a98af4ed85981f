//! [`Budget`]: the memory that a store and its forks hold, counted and bounded.

use std::{mem, sync::Arc};

use storage_driver::{Error, ErrorKind};

use crate::{
    buffer::{Buffer, MAPPED},
    slab::Slabs,
    sync::{AtomicBool, AtomicU64, Mutex, Ordering::Relaxed, lock},
    usage::Usage,
    watcher,
};

/// The memory that a store holds, by owner, and its bound.
///
/// Content is counted in two ways: in `held` when memory is reserved and released, and in `committed` or
/// `uploads` when its owner changes. Memory that is held but counts as neither of these, nor as index or pool, is
/// kept alive by readers only.
///
/// The counters are independent atomics: no operation waits for the accounting of another. Each is exact
/// whenever no operation is in progress.
#[derive(Debug)]
pub(crate) struct Budget {
    capacity: Option<u64>,
    /// Everything that the capacity bounds.
    held: AtomicU64,
    committed: AtomicU64,
    uploads: AtomicU64,
    index: AtomicU64,
    pool: Pool,
    slabs: Slabs,
    /// Whether the [watcher](crate::watcher) looks after idle memory.
    pub(crate) watched: AtomicBool,
}

/// The owner of content. The first that applies counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A file of the store or of a fork.
    Committed,
    /// An upload in progress.
    Upload,
    /// At most readers.
    Unowned,
}

/// The source of large buffers: buffers of one segment each that wait to be used again, or else the system.
#[derive(Debug)]
pub(crate) struct Pool {
    /// Whether nothing may wait, slots included.
    is_off: bool,
    limit: u64,
    size: usize,
    huge_pages: bool,
    bytes: AtomicU64,
    /// Locked for a push or a pop. A buffer is freed outside.
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    buffers: Vec<Buffer>,
    /// The least number of them since the last tick.
    least: usize,
}

impl Idle {
    fn pop(&mut self) -> Option<Buffer> {
        let buffer = self.buffers.pop();
        self.least = self.least.min(self.buffers.len());
        buffer
    }
}

impl Pool {
    /// Keeps up to `limit` bytes in buffers of `size` bytes each. Unless there is a limit, it keeps all that are
    /// mapped: smaller ones are slots.
    pub(crate) fn new(limit: Option<u64>, size: usize, huge_pages: bool) -> Self {
        let is_off = limit == Some(0);
        let limit = limit.unwrap_or(if size < MAPPED { 0 } else { u64::MAX });
        let (bytes, idle) = (AtomicU64::new(0), Mutex::default());
        Self { is_off, limit, size, huge_pages, bytes, idle }
    }
}

impl Budget {
    pub(crate) fn new(capacity: Option<u64>, pool: Pool) -> Self {
        Self {
            capacity,
            held: AtomicU64::new(0),
            committed: AtomicU64::new(0),
            uploads: AtomicU64::new(0),
            index: AtomicU64::new(0),
            pool,
            slabs: Slabs::new(),
            watched: AtomicBool::new(false),
        }
    }

    pub(crate) fn slabs(&self) -> &Slabs {
        &self.slabs
    }

    pub(crate) fn capacity(&self) -> Option<u64> {
        self.capacity
    }

    /// How many bytes are left; `u64::MAX` without a capacity.
    pub(crate) fn available(&self) -> u64 {
        let pooled = self.pool.bytes.load(Relaxed);
        let used = self.held.load(Relaxed).saturating_sub(pooled);
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(used))
    }

    pub(crate) fn usage(&self) -> Usage {
        let (index, pooled) = (self.index.load(Relaxed), self.pool.bytes.load(Relaxed));
        let content = self.held.load(Relaxed).saturating_sub(index).saturating_sub(pooled);
        // Where content changes its owner twice at once, it may be subtracted from an owner before it is
        // added: for that moment the count is below zero.
        let owned = |count: &AtomicU64| count.load(Relaxed).cast_signed().max(0).cast_unsigned();
        let (committed, uploads) = (owned(&self.committed), owned(&self.uploads));
        Usage {
            committed,
            uploads,
            pinned: content.saturating_sub(committed).saturating_sub(uploads),
            pooled,
            index,
            slack: self.slabs.slack(),
        }
    }

    /// Reserves `content` bytes for segments and `index` bytes for the pointers to them, or nothing.
    pub(crate) fn reserve(&self, content: u64, index: u64) -> Result<(), Error> {
        let needed = content.saturating_add(index);
        // A fork may have forced the store past its capacity: still allow what needs nothing.
        while needed > 0 && !self.try_hold(needed) {
            // Pooled memory is freed first.
            if !self.shrink_pool() {
                let available = Some(self.available());
                let full = ErrorKind::StorageFull { needed: Some(needed), available };
                return Err(Error::new(full));
            }
        }
        self.index.fetch_add(index, Relaxed);
        Ok(())
    }

    fn try_hold(&self, bytes: u64) -> bool {
        let limit = self.capacity.unwrap_or(u64::MAX);
        let grow = |held: u64| held.checked_add(bytes).filter(|&held| held <= limit);
        self.held.fetch_update(Relaxed, Relaxed, grow).is_ok()
    }

    /// As [`reserve`](Self::reserve), even past the capacity: for copies that a fork makes necessary, and for a
    /// file that replaces another which is about to be freed.
    pub(crate) fn force(&self, content: u64, index: u64) {
        self.held.fetch_add(content + index, Relaxed);
        self.index.fetch_add(index, Relaxed);
    }

    /// Releases memory that [`reserve`](Self::reserve) took, or a part of it.
    pub(crate) fn release(&self, content: u64, index: u64) {
        self.index.fetch_sub(index, Relaxed);
        self.held.fetch_sub(content + index, Relaxed);
    }

    /// Moves `bytes` of content from one owner's count to another's.
    pub(crate) fn transfer(&self, bytes: u64, from: Owner, to: Owner) {
        if from == to {
            return;
        }
        if let Some(counter) = self.counter(to) {
            counter.fetch_add(bytes, Relaxed);
        }
        if let Some(counter) = self.counter(from) {
            counter.fetch_sub(bytes, Relaxed);
        }
    }

    fn counter(&self, owner: Owner) -> Option<&AtomicU64> {
        match owner {
            Owner::Committed => Some(&self.committed),
            Owner::Upload => Some(&self.uploads),
            Owner::Unowned => None,
        }
    }

    /// A buffer of `capacity` bytes, all of them already reserved as content. The bytes of a buffer from the
    /// pool count already, so that the reservation is released.
    pub(crate) fn buffer(self: &Arc<Self>, capacity: usize) -> Buffer {
        if capacity == self.pool.size
            && let Some(buffer) = lock(&self.pool.idle).pop()
        {
            self.pool.bytes.fetch_sub(capacity as u64, Relaxed);
            self.held.fetch_sub(capacity as u64, Relaxed);
            return buffer;
        }
        Buffer::with_capacity(self, capacity, self.pool.huge_pages)
    }

    /// Puts a buffer into the pool if there is room; otherwise frees it and releases its reservation.
    pub(crate) fn recycle(self: &Arc<Self>, buffer: impl Into<Buffer>, index: u64) {
        let mut buffer = buffer.into();
        let bytes = buffer.capacity() as u64;
        let room = |pooled: u64| pooled.checked_add(bytes).filter(|&p| p <= self.pool.limit);
        if buffer.capacity() == self.pool.size
            && self.pool.bytes.fetch_update(Relaxed, Relaxed, room).is_ok()
        {
            buffer.clear();
            self.index.fetch_sub(index, Relaxed);
            self.held.fetch_sub(index, Relaxed);
            lock(&self.pool.idle).buffers.push(buffer);
            self.freed(false);
        } else {
            drop(buffer);
            self.release(bytes, index);
        }
    }

    /// Frees one pooled buffer; false if there is none.
    fn shrink_pool(&self) -> bool {
        let Some(buffer) = lock(&self.pool.idle).pop() else { return false };
        let bytes = buffer.capacity() as u64;
        drop(buffer);
        self.pool.bytes.fetch_sub(bytes, Relaxed);
        self.held.fetch_sub(bytes, Relaxed);
        true
    }

    /// Called after memory was freed that may wait to be used again: a chunk, or only a slot.
    pub(crate) fn freed(self: &Arc<Self>, chunk: bool) {
        if self.pool.is_off {
            if chunk {
                self.slabs.give_back_idle();
            }
        } else if !self.watched.load(Relaxed) {
            watcher::watch(self);
        }
    }

    /// Gives back to the system what has waited since the last call without being used. Returns whether more waits.
    pub(crate) fn tick(&self) -> bool {
        let surplus = {
            let mut idle = lock(&self.pool.idle);
            let now = idle.buffers.len();
            mem::replace(&mut idle.least, now)
        };
        for _ in 0..surplus {
            self.shrink_pool();
        }
        self.slabs.tick() || self.pool.bytes.load(Relaxed) > 0
    }

    /// Gives back to the system all memory that waits to be used again.
    pub(crate) fn trim(&self) {
        while self.shrink_pool() {}
        self.slabs.trim();
    }
}

/// Bytes of the index that are released when this is dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: u32,
}

impl Charge {
    pub(crate) fn new(budget: &Arc<Budget>, bytes: usize) -> Result<Self, Error> {
        let bytes = bytes as u32;
        budget.reserve(0, u64::from(bytes))?;
        Ok(Self { budget: Arc::clone(budget), bytes })
    }

    /// For bytes that are reserved already.
    pub(crate) fn reserved(budget: &Arc<Budget>, bytes: usize) -> Self {
        Self { budget: Arc::clone(budget), bytes: bytes as u32 }
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }
}

impl Clone for Charge {
    fn clone(&self) -> Self {
        self.budget.force(0, u64::from(self.bytes));
        Self { budget: Arc::clone(&self.budget), bytes: self.bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.release(0, u64::from(self.bytes));
    }
}

#[cfg(test)]
mod tests;
