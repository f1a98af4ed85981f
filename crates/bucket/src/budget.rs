//! [`Budget`]: the memory that all writers and readers of a driver hold.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::turns::Turns;

/// A bound on the bytes that writers hold until the store has them, and readers until their callers have dropped them.
///
/// Readers wait for no one: what one has to hold is counted, whatever the others hold, and it reads ahead only where
/// there is room.
///
/// Each writer may hold [`FREE`](Self::FREE) bytes whatever the others hold, so that none waits for another
/// that waits for its client. If half of the budget is used, those that hold more fill their parts in [turn](Turn).
#[derive(Debug)]
pub(crate) struct Budget {
    limit: u64,
    used: AtomicU64,
    in_flight: AtomicU64,
    senders: AtomicUsize,
    waiting: AtomicUsize,
    turns: Turns,
    /// Told when memory was released or a turn has ended.
    pub(crate) released: Notify,
}

/// The smallest part that may be followed by another one, in bytes.
pub(crate) const MIN_PART: u64 = 5 << 20;
/// The largest first part of an extent: sending begins early.
const FIRST_PART: u64 = 8 << 20;
/// The largest part. With four in flight, larger ones are no faster.
const MAX_PART: u64 = 32 << 20;
/// How many requests for content are under way at once before readers stop to read ahead.
const READS: u64 = 8;

impl Budget {
    pub(crate) const FREE: u64 = 64 << 10;

    pub(crate) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            senders: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            turns: Turns::default(),
            released: Notify::new(),
        })
    }

    /// The size of the next part of an extent that has `length` bytes: larger parts are fewer requests. The parts that
    /// all senders fill take half of the budget. The other half is for parts in flight.
    pub(crate) fn part(&self, length: u64) -> usize {
        let senders = self.senders.load(Ordering::Relaxed).max(2) as u64;
        let part = (self.limit / (2 * senders)).clamp(MIN_PART, MAX_PART);
        let most = if length == 0 { FIRST_PART } else { MAX_PART };
        part.min(most) as usize
    }

    /// A new writer.
    pub(crate) fn writer(self: &Arc<Self>) -> Turn {
        Turn { budget: Arc::clone(self), writer: self.turns.register() }
    }

    /// Whether so much is used that only some of the writers can fill a part.
    pub(crate) fn is_short(&self) -> bool {
        self.used() >= self.limit / 2
    }

    /// Counts an extent that is sent in parts, until the result is dropped.
    pub(crate) fn sender(self: &Arc<Self>) -> Counted {
        Counted::new(self, |budget| &budget.senders)
    }

    /// Counts a reader that waits for content, until the result is dropped.
    pub(crate) fn waiting(self: &Arc<Self>) -> Counted {
        Counted::new(self, |budget| &budget.waiting)
    }

    /// How many requests for ranges of `length` bytes one of the readers that wait may have under way. Many readers are
    /// parallel anyway: more requests would take memory, and time from each other.
    pub(crate) fn reads(&self, length: u64) -> usize {
        let most = (self.limit / 2 / length).min(READS) as usize;
        most / self.waiting.load(Ordering::Relaxed).max(1)
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

    /// Whether so much is in flight that waiting for it makes room.
    pub(crate) fn is_moving(&self) -> bool {
        let in_flight = self.in_flight.load(Ordering::Acquire);
        in_flight > 0 && in_flight >= self.limit / 4
    }
}

/// The turn of a writer to fill a part while memory is short.
#[derive(Debug)]
pub(crate) struct Turn {
    budget: Arc<Budget>,
    writer: u64,
}

impl Turn {
    /// Takes the turn or keeps it, if the parts that are filled then, each of `part` bytes, have room in half of the budget.
    /// Returns whether this writer has one.
    pub(crate) fn take(&self, part: usize) -> bool {
        let most = self.budget.limit / 2 / part.max(1) as u64;
        self.budget.turns.take(self.writer, most.max(1) as usize)
    }

    pub(crate) fn end(&self) {
        if self.budget.turns.end(self.writer) {
            self.budget.released.notify_waiters();
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.end();
    }
}

/// One more in a count, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    budget: Arc<Budget>,
    count: fn(&Budget) -> &AtomicUsize,
}

impl Counted {
    fn new(budget: &Arc<Budget>, count: fn(&Budget) -> &AtomicUsize) -> Self {
        count(budget).fetch_add(1, Ordering::Relaxed);
        Self { budget: Arc::clone(budget), count }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.count)(&self.budget).fetch_sub(1, Ordering::Relaxed);
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

    /// Takes back what was launched and not stored.
    pub(crate) fn land(&mut self, launched: Self) {
        self.add(launched.bytes);
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

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn parts_that_are_filled_take_half_of_the_budget_at_most() {
        let budget = Budget::new(64 * MIB);
        let part = |length| budget.part(length) as u64 / MIB;
        assert_eq!((part(0), part(MIB)), (8, 16));
        let mut senders: Vec<_> = (0..4).map(|_| budget.sender()).collect();
        assert_eq!((part(0), part(MIB)), (8, 8));
        senders.extend((0..60).map(|_| budget.sender()));
        assert_eq!((part(0), part(MIB)), (5, 5));
        drop(senders);
        assert_eq!(part(MIB), 16);
        assert_eq!(Budget::new(1024 * MIB).part(MIB) as u64, MAX_PART);
    }

    #[test]
    fn readers_that_wait_share_a_number_of_requests() {
        let budget = Budget::new(64 * MIB);
        let _one = budget.waiting();
        assert_eq!(budget.reads(8 * MIB), 4);
        let two = budget.waiting();
        assert_eq!(budget.reads(8 * MIB), 2);
        let _three = budget.waiting();
        assert_eq!(budget.reads(8 * MIB), 1);
        drop(two);
        assert_eq!(budget.reads(8 * MIB), 2);
        assert_eq!(Budget::new(1024 * MIB).reads(8 * MIB) as u64, READS);
    }
}
