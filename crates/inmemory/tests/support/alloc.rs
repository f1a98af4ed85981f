//! An allocator that counts for each thread: bytes alive, their peak, the largest single request, and the
//! number of requests.

#![allow(unsafe_code, reason = "an allocator cannot be written without")]
#![allow(dead_code, reason = "each test uses its part")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// Install it with `#[global_allocator]`.
pub(crate) struct Counting;

/// The bytes that the thread has allocated so far. Signed: it may free memory of another thread.
#[derive(Clone, Copy)]
struct Counters {
    live: isize,
    peak: isize,
    largest: usize,
    count: usize,
}

thread_local! {
    // No destructor and no allocation, so that the allocator may use it at any time.
    static COUNTERS: Cell<Counters> = const { Cell::new(Counters { live: 0, peak: 0, largest: 0, count: 0 }) };
}

fn grow(size: usize) {
    let mut counters = COUNTERS.get();
    counters.live += size as isize;
    counters.peak = counters.peak.max(counters.live);
    counters.largest = counters.largest.max(size);
    counters.count += 1;
    COUNTERS.set(counters);
}

fn shrink(size: usize) {
    let mut counters = COUNTERS.get();
    counters.live -= size as isize;
    COUNTERS.set(counters);
}

// SAFETY: every call goes to the system's allocator unchanged; counting has no part in what is
// returned.
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

/// The allocations of this thread since a moment.
pub(crate) struct Measurement {
    base: isize,
}

impl Measurement {
    /// Counts from here on, without the bytes that are alive now.
    pub(crate) fn begin() -> Self {
        let base = COUNTERS.get().live;
        COUNTERS.set(Counters { live: base, peak: base, largest: 0, count: 0 });
        Self { base }
    }

    /// The most bytes that were alive.
    pub(crate) fn peak(&self) -> usize {
        usize::try_from(COUNTERS.get().peak - self.base).unwrap_or_default()
    }

    /// The bytes that are alive now; negative if more was freed than allocated.
    pub(crate) fn live(&self) -> isize {
        COUNTERS.get().live - self.base
    }

    /// The largest single allocation in bytes.
    pub(crate) fn largest(&self) -> usize {
        COUNTERS.get().largest
    }

    /// How many allocations and reallocations there were.
    pub(crate) fn count(&self) -> usize {
        COUNTERS.get().count
    }
}
