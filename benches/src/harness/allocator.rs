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

/// Runs `work`, and returns the size of the largest allocation that any thread asked for meanwhile.
/// Memory that is mapped past the allocator is not seen.
pub(crate) fn largest_in(work: impl FnOnce()) -> usize {
    LARGEST.store(0, Relaxed);
    WATCHING.store(true, Relaxed);
    work();
    WATCHING.store(false, Relaxed);
    LARGEST.load(Relaxed)
}

fn note(size: usize) {
    if WATCHING.load(Relaxed) {
        LARGEST.fetch_max(size, Relaxed);
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
