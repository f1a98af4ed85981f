//! The system's allocator, that can say what the largest request was.

#![expect(unsafe_code, reason = "an allocator cannot be written without")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

/// While it is not set, all that the watching costs is to look at it.
static WATCHING: AtomicBool = AtomicBool::new(false);
static LARGEST: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// What any thread asked the allocator for. Memory that is mapped past the allocator is not seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch(());

/// What a [`Watch`] has seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requests {
    /// The size of the largest request.
    pub(crate) largest: usize,
    /// The sum of all requests.
    pub(crate) bytes: usize,
}

impl Watch {
    /// Begins to watch. There is one at a time.
    pub(crate) fn begin() -> Self {
        LARGEST.store(0, Relaxed);
        BYTES.store(0, Relaxed);
        WATCHING.store(true, Relaxed);
        Self(())
    }

    /// Ends it.
    pub(crate) fn end(self) -> Requests {
        WATCHING.store(false, Relaxed);
        Requests { largest: LARGEST.load(Relaxed), bytes: BYTES.load(Relaxed) }
    }
}

/// Runs `work`, and returns the size of the largest allocation that any thread asked for meanwhile.
pub(crate) fn largest_in(work: impl FnOnce()) -> usize {
    let watch = Watch::begin();
    work();
    watch.end().largest
}

fn note(size: usize) {
    if WATCHING.load(Relaxed) {
        LARGEST.fetch_max(size, Relaxed);
        BYTES.fetch_add(size, Relaxed);
    }
}

// SAFETY: every call goes to the system's allocator unchanged; noting its size has no part in
// what is returned.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
