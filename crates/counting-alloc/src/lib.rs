//! An allocator that counts, for the tests of memory in this workspace. A test's program installs it:
//!
//! ```
//! use counting_alloc::Counting;
//!
//! #[global_allocator]
//! static ALLOCATOR: Counting = Counting;
//! ```
//!
//! [`OfThread`] sees the allocations of one thread, [`OfProcess`] those of all. Memory that is mapped past the allocator is
//! not seen.

#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

/// The system's allocator, which counts.
#[derive(Debug)]
pub struct Counting;

/// What a thread has allocated so far. Signed: it may free memory of another thread.
#[derive(Clone, Copy)]
struct Counters {
    live: isize,
    peak: isize,
    largest: usize,
    count: usize,
}

thread_local! {
    // No destructor and no allocation, so that the allocator may use it at any time.
    static COUNTERS: Cell<Counters> =
        const { Cell::new(Counters { live: 0, peak: 0, largest: 0, count: 0 }) };
}

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static LARGEST: AtomicUsize = AtomicUsize::new(0);

fn grow(size: usize) {
    let mut counters = COUNTERS.get();
    counters.live += size as isize;
    counters.peak = counters.peak.max(counters.live);
    counters.largest = counters.largest.max(size);
    counters.count += 1;
    COUNTERS.set(counters);
    PEAK.fetch_max(LIVE.fetch_add(size, Relaxed) + size, Relaxed);
    LARGEST.fetch_max(size, Relaxed);
}

fn shrink(size: usize) {
    let mut counters = COUNTERS.get();
    counters.live -= size as isize;
    COUNTERS.set(counters);
    LIVE.fetch_sub(size, Relaxed);
}

// SAFETY: every call goes to the system's allocator unchanged; counting has no part in what is returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrink(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are counted alive: a reallocation may have to move.
        grow(size);
        shrink(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The allocations of this thread since a moment. A thread has one at a time.
#[derive(Debug)]
pub struct OfThread {
    base: isize,
}

impl OfThread {
    /// Counts from here on, without the bytes that are alive now.
    #[must_use]
    pub fn begin() -> Self {
        let base = COUNTERS.get().live;
        COUNTERS.set(Counters { live: base, peak: base, largest: 0, count: 0 });
        Self { base }
    }

    /// The most bytes that were alive.
    #[must_use]
    pub fn peak(&self) -> usize {
        usize::try_from(COUNTERS.get().peak - self.base).unwrap_or_default()
    }

    /// The bytes that are alive now; negative if more was freed than allocated.
    #[must_use]
    pub fn live(&self) -> isize {
        COUNTERS.get().live - self.base
    }

    /// The largest single allocation in bytes.
    #[must_use]
    pub fn largest(&self) -> usize {
        COUNTERS.get().largest
    }

    /// How many allocations and reallocations there were.
    #[must_use]
    pub fn count(&self) -> usize {
        COUNTERS.get().count
    }
}

/// The allocations of all threads since a moment. A process has one at a time.
#[derive(Debug)]
pub struct OfProcess {
    base: usize,
}

impl OfProcess {
    /// Counts from here on, without the bytes that are alive now.
    #[must_use]
    pub fn begin() -> Self {
        let base = LIVE.load(Relaxed);
        PEAK.store(base, Relaxed);
        LARGEST.store(0, Relaxed);
        Self { base }
    }

    /// The most bytes that were alive.
    #[must_use]
    pub fn peak(&self) -> usize {
        PEAK.load(Relaxed).saturating_sub(self.base)
    }

    /// The largest single allocation in bytes.
    #[must_use]
    pub fn largest(&self) -> usize {
        LARGEST.load(Relaxed)
    }
}
