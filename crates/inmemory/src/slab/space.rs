//! [`Space`]: a slot that is filled from its beginning.

use std::{ptr::NonNull, slice, sync::Arc};

use super::{free, slot_size};
use crate::budget::Budget;

/// Memory for a number of bytes, the first of which are filled.
#[derive(Debug)]
pub(crate) struct Space {
    start: NonNull<u8>,
    capacity: u32,
    filled: u32,
}

// SAFETY: it owns the slot.
#[expect(unsafe_code, reason = "a pointer to what it owns")]
unsafe impl Send for Space {}
// SAFETY: shared references only read.
#[expect(unsafe_code, reason = "a pointer to what it owns")]
unsafe impl Sync for Space {}

#[expect(unsafe_code, reason = "memory of the slabs is written and read")]
impl Space {
    /// Space for at most [`LARGEST`](super::LARGEST) bytes.
    pub(crate) fn new(budget: &Arc<Budget>, capacity: usize) -> Self {
        debug_assert!(capacity <= super::LARGEST);
        let start = budget.slabs().allocate(budget, capacity);
        Self { start, capacity: capacity as u32, filled: 0 }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity as usize
    }

    /// Appends `data`, for which there must be room.
    pub(crate) fn extend_from_slice(&mut self, data: &[u8]) {
        let filled = self.filled as usize;
        assert!(data.len() <= self.capacity() - filled, "there is no room");
        // SAFETY: the slot has the capacity, which was just checked, and belongs to `self` alone.
        unsafe {
            let end = self.start.add(filled);
            end.copy_from_nonoverlapping(NonNull::from(data).cast(), data.len());
        }
        self.filled += data.len() as u32;
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Frees the memory that is not filled, if that is enough for a slot of another size: the content is then
    /// copied.
    pub(crate) fn shrink_to_fit(&mut self, budget: &Arc<Budget>) {
        let filled = self.filled as usize;
        if slot_size(filled) < slot_size(self.capacity()) {
            let mut smaller = Self::new(budget, filled);
            smaller.extend_from_slice(self.as_ref());
            *self = smaller;
        }
        self.capacity = self.filled;
    }
}

impl AsRef<[u8]> for Space {
    #[expect(unsafe_code, reason = "memory of the slabs is read")]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: so many bytes of the slot were written, and it belongs to `self`.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.filled as usize) }
    }
}

impl Drop for Space {
    #[expect(unsafe_code, reason = "the slot is freed")]
    fn drop(&mut self) {
        // SAFETY: it was allocated for `self`, and is not used again.
        unsafe { free(self.start) };
    }
}
