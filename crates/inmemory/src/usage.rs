//! [`Usage`]: what a store holds.

/// The memory that a store and its [forks](crate::InMemory::fork) hold, in bytes, by what holds it.
///
/// Content counts with its slack: the whole of every segment, not only what is used of it. What
/// several files, uploads, forks or readers share counts once, under the first of the fields that
/// applies. Once everything is deleted and dropped, all but [`pooled`](Self::pooled) are zero.
///
/// Each figure is exact when no operation is in progress; while some are, one may be caught between
/// two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Segments of committed files.
    pub committed: u64,
    /// Segments of uploads in progress.
    pub uploads: u64,
    /// Segments that only readers, or `Bytes` that they gave, keep alive.
    pub pinned: u64,
    /// Buffers that wait to be used again; see [`Builder::pool`](crate::Builder::pool).
    pub pooled: u64,
    /// Names, directories, and what points to segments. An estimate: [`Self::FILE`] a file,
    /// [`Self::BLOB`] one whose content does not stand with its name, [`Self::DIRECTORY`] a
    /// directory with more than one thing in it, [`Self::UPLOAD`] an upload, [`Self::SEGMENT`] a
    /// segment.
    pub index: u64,
}

impl Usage {
    /// The estimate for a file, beside its content and the part of its path that no directory has:
    /// its name, and those of the directories that have only it.
    pub const FILE: usize = 80;
    /// The estimate for content of more than 4 KiB, or of an upload, beside its segments.
    pub const BLOB: usize = 256;
    /// The estimate for a directory with more than one thing in it.
    pub const DIRECTORY: usize = 256;
    /// The estimate for an upload in progress, beside its segments.
    pub const UPLOAD: usize = 512;
    /// The estimate for a segment, beside its bytes.
    pub const SEGMENT: usize = 128;

    /// All of it: what the [capacity](crate::Builder::capacity) bounds.
    pub fn held(&self) -> u64 {
        self.committed + self.uploads + self.pinned + self.pooled + self.index
    }
}
