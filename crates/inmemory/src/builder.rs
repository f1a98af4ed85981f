//! [`Builder`]: how a store is set up.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    InMemory,
    budget::{Budget, Pool},
    draft::MIN_TAIL,
    store::{Shared, Store},
    sync::AtomicU64,
    tree::Tree,
};

/// Sets up an [`InMemory`] store.
///
/// ```
/// use inmemory::InMemory;
///
/// let store = InMemory::builder().capacity(64 << 20).build();
/// assert_eq!(store.capacity(), Some(64 << 20));
/// ```
#[must_use]
pub struct Builder {
    capacity: Option<u64>,
    pool: u64,
    segment_size: usize,
    huge_pages: bool,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl Builder {
    /// The size of a segment unless one is set: 1 MiB.
    pub const DEFAULT_SEGMENT_SIZE: usize = 1 << 20;
    /// The smallest size of a segment: 4 KiB. The table over segments is made of pieces that are
    /// smaller than this.
    pub const MIN_SEGMENT_SIZE: usize = MIN_TAIL;

    pub(crate) fn new() -> Self {
        Self {
            capacity: None,
            pool: 0,
            segment_size: Self::DEFAULT_SEGMENT_SIZE,
            huge_pages: false,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// How many bytes of memory the store and its forks may hold, as
    /// [`Usage::held`](crate::Usage::held) counts them. Past it, what would need more answers
    /// `StorageFull`. Unless set, there is no bound.
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// How many bytes of freed segments may wait to be used again, instead of going back to the
    /// allocator: memory that is warm is written several times faster. They count against the
    /// capacity, and give way when it is reached. Unless set, none.
    pub fn pool(mut self, bytes: u64) -> Self {
        self.pool = bytes;
        self
    }

    /// The size of a segment in bytes: the largest allocation that the store ever makes. Unless
    /// set, [`DEFAULT_SEGMENT_SIZE`](Self::DEFAULT_SEGMENT_SIZE); at least
    /// [`MIN_SEGMENT_SIZE`](Self::MIN_SEGMENT_SIZE), to which less is raised.
    pub fn segment_size(mut self, bytes: usize) -> Self {
        self.segment_size = bytes.max(Self::MIN_SEGMENT_SIZE);
        self
    }

    /// Whether to ask Linux for huge pages under the segments. They are used where a segment is as
    /// large as one, so set a [`segment_size`](Self::segment_size) of 2 MiB too. Unless set, no.
    ///
    /// Memory of a machine of one's own is then filled several times faster. In a virtual machine
    /// that returns free memory to its host, each huge page may have to be fetched from there
    /// first, which takes several times as long, and stalls: measure.
    pub fn huge_pages(mut self, yes: bool) -> Self {
        self.huge_pages = yes;
        self
    }

    /// Where modification times come from. Unless set, [`SystemTime::now`].
    ///
    /// It is called under the store's lock: keep it quick, and do not call the store from it.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// An empty store.
    pub fn build(self) -> InMemory {
        let pool = Pool::new(self.pool, self.segment_size, self.huge_pages);
        let shared = Shared {
            budget: Arc::new(Budget::new(self.capacity, pool)),
            versions: Arc::new(AtomicU64::new(1)),
            clock: self.clock,
            segment_size: self.segment_size,
            garbage: Arc::default(),
        };
        InMemory { store: Arc::new(Store::new(shared, Tree::default())) }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("capacity", &self.capacity)
            .field("pool", &self.pool)
            .field("segment_size", &self.segment_size)
            .field("huge_pages", &self.huge_pages)
            .finish_non_exhaustive()
    }
}
