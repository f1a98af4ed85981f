//! [`Mapping`]: memory that is mapped from the system and unmapped when dropped.

use memmap2::{Advice, MmapMut, MmapOptions, RemapOptions};

/// Anonymous memory, the first bytes of which are filled.
#[derive(Debug)]
pub(crate) struct Mapping {
    map: MmapMut,
    filled: usize,
}

/// The size of a page. Where pages are larger, the last page of a buffer that was shrunk counts with less
/// than its size.
const PAGE: usize = 4 << 10;

impl Mapping {
    /// `None` where the system refuses: the number of mappings of a process is limited.
    pub(crate) fn new(capacity: usize, huge_pages: bool) -> Option<Self> {
        let map = MmapOptions::new().len(capacity).map_anon().ok()?;
        // Both are hints.
        if huge_pages {
            let _ = map.advise(Advice::HugePage);
        }
        // All pages at once instead of one fault for each: the memory is about to be written, and is
        // counted as held already.
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

    /// Unmaps the pages that are not filled; false if the system refuses.
    pub(crate) fn shrink_to_fit(&mut self) -> bool {
        let needed = self.filled.next_multiple_of(PAGE);
        if needed >= self.map.len() {
            return true;
        }
        // SAFETY: the mapping is anonymous, so that there is no file whose end it could pass; it
        // shrinks, so that no filled page is unmapped; and there is no reference into it, because `self`
        // is borrowed mutably.
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
