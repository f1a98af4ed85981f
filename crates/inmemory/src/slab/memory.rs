//! [`Memory`]: an aligned piece of memory from the system.

use std::{
    alloc::{self, Layout},
    ptr::NonNull,
};

#[cfg(all(target_os = "linux", not(miri)))]
use memmap2::{Advice, MmapMut, MmapOptions, UncheckedAdvice};

/// The size of a piece, and its alignment.
pub(super) const CHUNK: usize = 1 << 20;
/// The size of a page. Where pages are larger, the system refuses advice on parts of them, which is harmless.
pub(super) const PAGE: usize = 4 << 10;

const LAYOUT: Layout = match Layout::from_size_align(CHUNK, CHUNK) {
    Ok(layout) => layout,
    Err(_) => panic!("it is a power of two"),
};

/// [`CHUNK`] bytes at an address that is a multiple of [`CHUNK`]. They go back to the system when this is dropped.
///
/// Twice as much is mapped on Linux, because that always has an aligned half. The other half is never touched, so that it
/// takes addresses and no memory.
#[derive(Debug)]
pub(super) struct Memory {
    start: NonNull<u8>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    #[cfg(all(target_os = "linux", not(miri)))]
    Mapped(MmapMut),
    Heap,
}

// SAFETY: it owns the memory that `start` points to.
#[expect(unsafe_code, reason = "a pointer into memory that it owns")]
unsafe impl Send for Memory {}

impl Memory {
    /// Memory of the system; of the allocator where the system refuses, or is not Linux.
    #[expect(unsafe_code, reason = "memory of the allocator")]
    pub(super) fn new() -> Self {
        #[cfg(all(target_os = "linux", not(miri)))]
        if let Ok(mut map) = MmapOptions::new().len(2 * CHUNK).no_reserve_swap().map_anon() {
            // A huge page would be backed as a whole for one small file.
            let _ = map.advise(Advice::NoHugePage);
            let start = map.as_mut_ptr().map_addr(|address| address.next_multiple_of(CHUNK));
            // It is inside of the mapping.
            let start = NonNull::new(start).unwrap_or(NonNull::dangling());
            return Self { start, source: Source::Mapped(map) };
        }
        // SAFETY: the size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc::alloc(LAYOUT) }) else {
            alloc::handle_alloc_error(LAYOUT)
        };
        Self { start, source: Source::Heap }
    }

    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// Makes the system provide the pages of this range at once, instead of one fault for each.
    pub(super) fn populate(&self, range: std::ops::Range<usize>) {
        match &self.source {
            #[cfg(all(target_os = "linux", not(miri)))]
            Source::Mapped(map) => {
                // A hint.
                let from = self.start.as_ptr().addr() - map.as_ptr().addr() + range.start;
                let _ = map.advise_range(Advice::PopulateWrite, from, range.len());
            }
            Source::Heap => {}
        }
    }

    /// Gives the pages of this range back to the system; false if it keeps them.
    ///
    /// # Safety
    ///
    /// Nothing in the range is read before it is written again.
    #[expect(unsafe_code, reason = "the content of the pages is lost")]
    pub(super) unsafe fn give_back(&self, range: std::ops::Range<usize>) -> bool {
        match &self.source {
            #[cfg(all(target_os = "linux", not(miri)))]
            Source::Mapped(map) => {
                let from = self.start.as_ptr().addr() - map.as_ptr().addr() + range.start;
                // SAFETY: the caller gives up the content; the mapping is private and anonymous.
                unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, range.len()) }
                    .is_ok()
            }
            Source::Heap => false,
        }
    }
}

impl Drop for Memory {
    #[expect(unsafe_code, reason = "memory of the allocator")]
    fn drop(&mut self) {
        if let Source::Heap = self.source {
            // SAFETY: it was allocated so, and belongs to `self`.
            unsafe { alloc::dealloc(self.start.as_ptr(), LAYOUT) };
        }
    }
}
