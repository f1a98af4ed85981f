//! [`Mapping`]: memory that is mapped from the system and goes straight back to it.

use memmap2::{Advice, MmapMut, MmapOptions, RemapOptions};

/// Anonymous memory, of which the first bytes are filled.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapMut,
    filled: usize,
}

/// What the system gives and takes back at least. Where its pages are larger, the last one of a
/// buffer that was cut short counts with less than it is.
const PAGE: usize = 4 << 10;

impl Mapping {
    /// `None` where the system refuses: a process may have so many mappings and no more.
    pub(crate) fn new(capacity: usize, huge_pages: bool) -> Option<Self> {
        let map = MmapOptions::new().len(capacity).map_anon().ok()?;
        // Neither is more than a hint.
        if huge_pages {
            let _ = map.advise(Advice::HugePage);
        }
        // All at once instead of by a fault a page: the memory is about to be written, and counts
        // as held already.
        let _ = map.advise(Advice::PopulateWrite);
        Some(Self { map, filled: 0 })
    }

    pub(crate) fn capacity(&self) -> usize {
        self.map.len()
    }

    pub(crate) fn extend_from_slice(&mut self, data: &[u8]) {
        let end = self.filled + data.len();
        self.map[self.filled..end].copy_from_slice(data);
        self.filled = end;
    }

    pub(crate) fn clear(&mut self) {
        self.filled = 0;
    }

    /// Unmaps the pages that nothing is in; false if the system refuses.
    pub(crate) fn shrink_to_fit(&mut self) -> bool {
        let needed = self.filled.next_multiple_of(PAGE);
        if needed >= self.map.len() {
            return true;
        }
        // SAFETY: the mapping is anonymous, so that there is no file whose end it could pass; it
        // shrinks, so that nothing it may reach is unmapped; and nobody holds a reference into it,
        // for `self` is borrowed mutably.
        //
        // Copying into a buffer of the right size instead takes 150 µs on average, which a commit
        // would pay.
        #[expect(unsafe_code, reason = "there is no safe way to unmap a part")]
        unsafe { self.map.remap(needed, RemapOptions::new()) }.is_ok()
    }
}

impl AsRef<[u8]> for Mapping {
    fn as_ref(&self) -> &[u8] {
        &self.map[..self.filled]
    }
}
