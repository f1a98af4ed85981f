//! [`Budget`]: the memory that all writers and readers of a driver hold.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use tokio::sync::Notify;

/// A bound on the bytes that writers hold until the store has them, and readers until their callers have dropped them.
///
/// Readers wait for no one: what one has to hold is counted, whatever the others hold, and it reads ahead only where
/// there is room.
///
/// Each writer may hold [`FREE`](Self::FREE) bytes whatever the others hold, so that none waits for another
/// that waits for its client.
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
    in_flight: AtomicU64,
    pub(crate) released: Notify,
}

impl Budget {
    pub(crate) const FREE: u64 = 64 << 10;

    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            released: Notify::new(),
        })
    }

    /// Counts what a reader has to hold.
    pub(crate) fn take(self: &Arc<Self>, bytes: u64) -> Held {
        let mut held = Held::new(self);
        held.add(bytes);
        held
    }

    /// Takes so much of the budget if there is room, and half of it stays free: slow readers do not make writers
    /// send small parts.
    pub(crate) fn try_take(self: &Arc<Self>, bytes: u64) -> Option<Held> {
        let take = |used: u64| used.checked_add(bytes).filter(|used| *used <= self.limit / 2);
        self.used.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        Some(Held { budget: Arc::clone(self), bytes, flying: false })
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    pub(crate) fn is_exhausted(&self) -> bool {
        self.used() >= self.limit
    }

    /// Whether some of it is being sent, and so will be free soon.
    pub(crate) fn is_moving(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
    }
}

/// Bytes that are held.
#[derive(Debug)]
pub(crate) struct Held {
    budget: Arc<Budget>,
    bytes: u64,
    flying: bool,
}

impl Held {
    pub(crate) fn new(budget: &Arc<Budget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0, flying: false }
    }

    pub(crate) fn add(&mut self, bytes: u64) {
        self.bytes += bytes;
        self.budget.used.fetch_add(bytes, Ordering::AcqRel);
    }

    /// The same bytes, which are held until they are dropped.
    pub(crate) fn into_bytes(self, bytes: Bytes) -> Bytes {
        Self::keep(&Arc::new(self), bytes)
    }

    /// The same bytes. The last of those that share `held` releases it.
    pub(crate) fn keep(held: &Arc<Self>, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Kept { bytes, _held: Arc::clone(held) })
    }

    /// Takes so much of it to send it.
    pub(crate) fn launch(&mut self, bytes: u64) -> Self {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.budget.in_flight.fetch_add(bytes, Ordering::AcqRel);
        Self { budget: Arc::clone(&self.budget), bytes, flying: true }
    }
}

/// Bytes with their share of the budget.
struct Kept {
    bytes: Bytes,
    _held: Arc<Held>,
}

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::AcqRel);
        if self.flying {
            self.budget.in_flight.fetch_sub(self.bytes, Ordering::AcqRel);
        }
        self.budget.released.notify_waiters();
    }
}
