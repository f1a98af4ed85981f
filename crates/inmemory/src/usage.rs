//! [`Usage`]: the memory of a store.

/// The memory that a store and its [forks](crate::InMemory::fork) hold, in bytes, by its owner.
///
/// Content counts with its slack: the whole of each segment, used or not. A segment that several files,
/// uploads, forks or readers share counts once, under the first field that applies. Once everything is
/// deleted and dropped, all fields but [`pooled`](Self::pooled) and [`slack`](Self::slack) are zero, and these
/// about a second later.
///
/// Each figure is exact when no operation is in progress. During an operation, memory that changes its owner
/// may be missing from both or count in both.
///
/// ```
/// # tokio_test::block_on(async {
/// use inmemory::{InMemory, Usage};
/// use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};
///
/// let (driver, path) = (InMemory::new(), Path::parse("/a")?);
/// driver.put(&path, "content").await?;
/// assert_eq!(driver.usage().committed, 7);
/// driver.delete(&path, Precondition::None).await?;
/// driver.trim();
/// assert_eq!(driver.usage(), Usage::default());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Usage {
    /// Segments of committed files.
    pub committed: u64,
    /// Segments and notes of uploads.
    pub uploads: u64,
    /// Segments that only readers, or `Bytes` that they returned, keep alive.
    pub pinned: u64,
    /// Buffers that wait to be used again; see [`InMemoryBuilder::pool`](crate::InMemoryBuilder::pool).
    pub pooled: u64,
    /// Names, directories, and pointers to segments. An estimate: [`Self::FILE`] for each file,
    /// [`Self::BLOB`] more for content of more than 4 KiB, [`Self::DIRECTORY`] for each directory with
    /// several children, [`Self::UPLOAD`] for each upload, [`Self::SEGMENT`] for each segment.
    pub index: u64,
    /// Memory of slabs that the system has provided and that holds nothing: free slots, and what sizes are rounded
    /// up by. It is used again, or goes back to the system as [`InMemoryBuilder::pool`](crate::InMemoryBuilder::pool)
    /// says, except for pages on which something is stored. The capacity does not bound it.
    pub slack: u64,
}

impl Usage {
    /// The estimate for a file, without its content and without the part of its path that no directory
    /// stores: its name, and the names of directories that contain only this file.
    pub const FILE: usize = 80;
    /// The estimate for content of more than 4 KiB, or of an upload, without its segments.
    pub const BLOB: usize = 256;
    /// The estimate for a directory with several children.
    pub const DIRECTORY: usize = 256;
    /// The estimate for an upload, without its segments.
    pub const UPLOAD: usize = 512;
    /// The estimate for a segment, without its bytes.
    pub const SEGMENT: usize = 128;

    /// The sum of all fields but [`slack`](Self::slack), which the [capacity](crate::InMemoryBuilder::capacity) bounds.
    ///
    /// ```
    /// assert_eq!(inmemory::InMemory::new().usage().held(), 0);
    /// ```
    pub fn held(&self) -> u64 {
        self.committed + self.uploads + self.pinned + self.pooled + self.index
    }
}
