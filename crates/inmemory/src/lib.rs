//! A storage driver in memory that never lies.
//!
//! Content is a sequence of segments, so that no blob, however large, needs one contiguous
//! allocation or is copied when it grows. Reads copy nothing. Readers, copies, appends and forks
//! share segments. Memory has a [capacity](Builder::capacity), and [`InMemory::usage`] says what
//! holds it.
//!
//! ```
//! # tokio_test::block_on(async {
//! use inmemory::InMemory;
//! use storage_driver::{Path, StorageDriver, StorageDriverExt};
//!
//! let store = InMemory::new();
//! let path = Path::new("/blobs/one")?;
//!
//! let mut writer = store.create(&path).await?;
//! writer.write("nobody sees this ").await?;
//! writer.write("before the commit").await?;
//! assert!(!store.exists(&path).await?);
//! writer.commit().await?;
//!
//! assert_eq!(store.get_bytes(&path, 1024).await?.len(), 34);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # Memory
//!
//! No allocation, for content or for any index over it, is larger than one
//! [segment](Builder::segment_size), whatever the size of a blob. Content of up to 4 KiB that is put
//! whole takes no more than its file: one allocation for name, metadata and content.
//!
//! A `Bytes` of at least 16 KiB that is written is **taken over**, without a copy, if it keeps no
//! more memory alive than it shows: if nobody else holds its buffer and at most one part in 64 of
//! that is unused, or if the caller [vouches](storage_driver::WriterOptions::owned_buffers) for it.
//! Anything else is **copied** into segments: a small slice of a big buffer never pins the buffer,
//! and tiny pieces are packed. What is held is never touched again.
//!
//! A commit moves references: its time does not depend on the size. An append shares what the file
//! has, but for a last commit of up to 64 KiB, which the first write copies so that many small
//! appends stay compact.
//!
//! # Concurrency
//!
//! All operations are linearizable. Each is one short critical section, in which references move,
//! and at most 4 KiB of content, of a small file that is renamed, copied or touched; no lock is held
//! across an await, or while memory is freed. A writer never waits for room: a full store is an
//! error, and writing goes on when room was made. It holds nothing back: what one `write` accepted
//! is in the store's count. No runtime is needed.
//!
//! What takes long gives other tasks a turn in between: a writer each time it has accepted 1 MiB, a
//! walk each thousand entries, and whatever frees much (a deletion, a commit that replaces a large
//! file) about each half a millisecond. Only the last reader of a deleted file frees it at once.
//!
//! Content is kept as long as the store: it is not `durable`.

mod blob;
mod budget;
mod buffer;
mod builder;
mod draft;
mod driver;
mod file;
mod job;
mod map;
mod reader;
mod rope;
mod segment;
mod store;
mod sync;
mod time;
mod tree;
mod upload;
mod uploads;
mod usage;
mod walk;
mod waste;
mod work;

use std::{fmt, sync::Arc};

use crate::store::Store;

pub use builder::Builder;
pub use usage::Usage;

/// A store in memory. A clone is a handle to the same store.
#[derive(Clone)]
pub struct InMemory {
    store: Arc<Store>,
}

impl InMemory {
    /// An empty store without a capacity.
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Sets up a store.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A twin of the store as it is at this moment, in constant time: what is changed in one later
    /// is not seen in the other, and what is not is shared.
    ///
    /// The twin has the committed files. Uploads in progress stay with the original, and each is
    /// shut down on its own; the budget, the clock and the source of versions are common to both.
    pub fn fork(&self) -> Self {
        Self { store: Arc::new(self.store.fork()) }
    }

    /// The memory that the store and its forks hold.
    pub fn usage(&self) -> Usage {
        self.store.garbage().collect();
        self.store.budget().usage()
    }

    /// How many bytes of memory the store and its forks may hold; `None` if there is no bound.
    pub fn capacity(&self) -> Option<u64> {
        self.store.budget().capacity()
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("usage", &self.usage())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
