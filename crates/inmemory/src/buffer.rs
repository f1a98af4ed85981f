//! [`Buffer`]: memory that content is copied into.

use std::sync::Arc;

use crate::{
    budget::Budget,
    slab::{LARGEST, space::Space},
};

/// Memory with a capacity, the first bytes of which are filled.
///
/// A small buffer is in the [slabs](crate::slab::Slabs) of its store. On Linux, a buffer of more than that is mapped
/// from the system: the memory of either goes back to the system, whereas an allocator may keep blocks of such
/// sizes. And the system makes all pages of a mapping at once, which takes less time than one page at a time.
#[derive(Debug)]
pub(crate) enum Buffer {
    /// Adopted from the caller, or large where it cannot be mapped.
    Heap(Vec<u8>),
    Slot(Space),
    #[cfg(all(target_os = "linux", not(miri)))]
    Mapped(mapping::Mapping),
}

/// The capacity from which on memory is mapped.
pub(crate) const MAPPED: usize = LARGEST;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self::Heap(Vec::new())
    }

    /// An empty buffer for `capacity` bytes, in huge pages if they are wanted and available.
    pub(crate) fn with_capacity(budget: &Arc<Budget>, capacity: usize, huge_pages: bool) -> Self {
        #[cfg(not(all(target_os = "linux", not(miri))))]
        let _ = huge_pages;
        if capacity < MAPPED {
            return Self::Slot(Space::new(budget, capacity));
        }
        #[cfg(all(target_os = "linux", not(miri)))]
        if let Some(mapping) = mapping::Mapping::new(capacity, huge_pages) {
            return Self::Mapped(mapping);
        }
        Self::Heap(Vec::with_capacity(capacity))
    }

    pub(crate) fn len(&self) -> usize {
        self.as_ref().len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn capacity(&self) -> usize {
        match self {
            Self::Heap(data) => data.capacity(),
            Self::Slot(space) => space.capacity(),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.capacity(),
        }
    }

    /// How many bytes still fit.
    pub(crate) fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    /// Appends `data`, for which there is [room](Self::room).
    pub(crate) fn extend_from_slice(&mut self, data: &[u8]) {
        debug_assert!(data.len() <= self.room());
        match self {
            Self::Heap(filled) => filled.extend_from_slice(data),
            Self::Slot(space) => space.extend_from_slice(data),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.extend_from_slice(data),
        }
    }

    /// Removes the content, and leaves the capacity.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Heap(data) => data.clear(),
            Self::Slot(space) => space.clear(),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.clear(),
        }
    }

    /// Frees the memory that is not filled, except for the rest of a page.
    pub(crate) fn shrink_to_fit(&mut self, budget: &Arc<Budget>) {
        match self {
            Self::Heap(data) => data.shrink_to_fit(),
            Self::Slot(space) => space.shrink_to_fit(budget),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => {
                // A little content is moved to a slot, so that no mapping is too small to be worth it.
                let content = mapping.as_ref();
                if content.len() < MAPPED / 4 {
                    let mut space = Space::new(budget, content.len());
                    space.extend_from_slice(content);
                    *self = Self::Slot(space);
                } else if !mapping.shrink_to_fit() {
                    *self = Self::Heap(mapping.as_ref().to_vec());
                }
            }
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Heap(data) => data,
            Self::Slot(space) => space.as_ref(),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.as_ref(),
        }
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(data: Vec<u8>) -> Self {
        Self::Heap(data)
    }
}

#[cfg(all(target_os = "linux", not(miri)))]
mod mapping;

#[cfg(test)]
mod tests;
