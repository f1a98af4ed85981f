//! [`Buffer`]: memory that content is copied into.

/// Memory with a capacity, the first bytes of which are filled.
///
/// A small buffer is a `Vec`. On Linux, a buffer of [`MAPPED`] bytes or more is mapped from the system: it
/// goes back to the system as soon as it is dropped, whereas an allocator may keep blocks of such sizes, and
/// the system makes all of its pages at once, which takes less time than one page at a time.
#[derive(Debug)]
pub(crate) enum Buffer {
    Heap(Vec<u8>),
    #[cfg(all(target_os = "linux", not(miri)))]
    Mapped(mapping::Mapping),
}

/// The capacity from which on memory is mapped.
pub(crate) const MAPPED: usize = 256 << 10;

impl Buffer {
    pub(crate) fn new() -> Self {
        Self::Heap(Vec::new())
    }

    /// An empty buffer for `capacity` bytes, in huge pages if they are wanted and available.
    pub(crate) fn with_capacity(capacity: usize, huge_pages: bool) -> Self {
        #[cfg(not(all(target_os = "linux", not(miri))))]
        let _ = huge_pages;
        #[cfg(all(target_os = "linux", not(miri)))]
        if capacity >= MAPPED
            && let Some(mapping) = mapping::Mapping::new(capacity, huge_pages)
        {
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
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.extend_from_slice(data),
        }
    }

    /// Removes the content, and leaves the capacity.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Heap(data) => data.clear(),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => mapping.clear(),
        }
    }

    /// Frees the memory that is not filled, except for the rest of a page.
    pub(crate) fn shrink_to_fit(&mut self) {
        match self {
            Self::Heap(data) => data.shrink_to_fit(),
            #[cfg(all(target_os = "linux", not(miri)))]
            Self::Mapped(mapping) => {
                // A little content is moved to the heap, so that no mapping is too small to be worth it.
                if mapping.as_ref().len() < MAPPED / 4 || !mapping.shrink_to_fit() {
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
