//! [`InMemoryBuilder`]: the settings of a driver.

use std::{fmt, sync::Arc, time::SystemTime};

use crate::{
    budget::{Budget, Pool},
    driver::InMemory,
    segment_builder::MIN_TAIL,
    store::{Shared, Store},
    sync::AtomicU64,
    tree::Tree,
};

/// The settings of an [`InMemory`] driver.
///
/// ```
/// use inmemory::InMemory;
///
/// let driver = InMemory::builder().name("cache").capacity(64 << 20).build();
/// assert_eq!(driver.capacity(), Some(64 << 20));
/// ```
#[must_use]
pub struct InMemoryBuilder {
    name: &'static str,
    capacity: Option<u64>,
    pool: Option<u64>,
    segment_size: usize,
    huge_pages: bool,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl InMemoryBuilder {
    /// The size of a segment unless one is set: 1 MiB.
    pub const DEFAULT_SEGMENT_SIZE: usize = 1 << 20;
    /// The smallest size of a segment: 4 KiB. The table over segments is made of pieces that are
    /// smaller than this.
    pub const MIN_SEGMENT_SIZE: usize = MIN_TAIL;

    fn new() -> Self {
        Self {
            name: "inmemory",
            capacity: None,
            pool: None,
            segment_size: Self::DEFAULT_SEGMENT_SIZE,
            huge_pages: false,
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The name of the driver in its errors, to tell several drivers in one program apart; `inmemory` unless
    /// set. It changes nothing else.
    ///
    /// It is `&'static str` because an error stores the name of its driver as such, and is made where
    /// nothing may be allocated or looked up. Names are literals in nearly all programs. A program that
    /// reads them from its configuration leaks each once, with [`String::leak`].
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use storage_driver::{Path, StorageDriver};
    ///
    /// let cache = InMemory::builder().name("cache").build();
    /// let error = cache.stat(&Path::parse("/a")?).await.unwrap_err();
    /// assert_eq!(error.to_string(), "cache: stat /a: path not found");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// How many bytes of memory the store and its forks may hold, as
    /// [`Usage::held`](crate::Usage::held) counts them. An operation that needs more fails with
    /// `StorageFull`. Unless set, there is no bound.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use storage_driver::{ErrorKind, Path, StorageDriverExt};
    ///
    /// let driver = InMemory::builder().capacity(64 << 10).build();
    /// let full = driver.put(&Path::parse("/a")?, vec![7; 100_000]).await.unwrap_err();
    /// assert!(matches!(full.kind(), ErrorKind::StorageFull { .. }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn capacity(mut self, bytes: u64) -> Self {
        self.capacity = Some(bytes);
        self
    }

    /// How many bytes of freed segments may wait to be used again: memory that is warm is written several times
    /// faster. Pooled segments count against the capacity, and are freed when it is reached.
    ///
    /// Unless set, any number may wait, if segments have at least 256 KiB; smaller ones are in slabs, where they
    /// are used again in any case. Segments and slabs that nothing needs for 0.4 s go back to the system within a
    /// second, so that the store never holds more than it used in the last second. A thread does this, one for all
    /// stores of the process, which runs only while memory waits.
    ///
    /// With 0 nothing waits: segments, and the parts of slabs that become empty as a whole, go back when they are
    /// freed, and no thread is started. [`InMemory::trim`] gives back what is left.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};
    ///
    /// let driver = InMemory::builder().segment_size(64 << 10).pool(1 << 20).build();
    /// let path = Path::parse("/a")?;
    /// let mut writer = driver.create(&path).await?;
    /// writer.write_bytes(&[7; 64 << 10][..]).await?;
    /// writer.commit().await?;
    /// driver.delete(&path, Precondition::None).await?;
    /// assert_eq!(driver.usage().pooled, 64 << 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn pool(mut self, bytes: u64) -> Self {
        self.pool = Some(bytes);
        self
    }

    /// The size of a segment in bytes: the largest allocation that the store ever makes. Unless
    /// set, [`DEFAULT_SEGMENT_SIZE`](Self::DEFAULT_SEGMENT_SIZE). Less than
    /// [`MIN_SEGMENT_SIZE`](Self::MIN_SEGMENT_SIZE) is raised to that.
    ///
    /// ```
    /// let driver = inmemory::InMemory::builder().segment_size(2 << 20).build();
    /// ```
    pub fn segment_size(mut self, bytes: usize) -> Self {
        self.segment_size = bytes.max(Self::MIN_SEGMENT_SIZE);
        self
    }

    /// Whether to ask Linux for huge pages for the segments. They are used where a segment is as
    /// large as a huge page, so set a [`segment_size`](Self::segment_size) of 2 MiB too. Unless set, no.
    ///
    /// On a physical machine, memory is then filled several times faster. In a virtual machine
    /// that returns free memory to its host, the host may have to provide each huge page
    /// first, which takes several times as long, and stalls: measure.
    ///
    /// ```
    /// let builder = inmemory::InMemory::builder();
    /// let driver = builder.segment_size(2 << 20).huge_pages(true).build();
    /// ```
    pub fn huge_pages(mut self, yes: bool) -> Self {
        self.huge_pages = yes;
        self
    }

    /// The source of creation and modification times. Unless set, [`SystemTime::now`].
    ///
    /// It is called under the store's lock: keep it quick, and do not call the store from it.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use std::time::UNIX_EPOCH;
    /// use storage_driver::{Path, StorageDriverExt};
    ///
    /// let driver = InMemory::builder().clock(|| UNIX_EPOCH).build();
    /// assert_eq!(driver.put(&Path::parse("/a")?, "x").await?.modified, UNIX_EPOCH);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// A driver with an empty store.
    ///
    /// ```
    /// use inmemory::{InMemory, Usage};
    ///
    /// let driver = InMemory::builder().build();
    /// assert_eq!(driver.usage(), Usage::default());
    /// ```
    pub fn build(self) -> InMemory {
        let pool = Pool::new(self.pool, self.segment_size, self.huge_pages);
        let shared = Shared {
            budget: Arc::new(Budget::new(self.capacity, pool)),
            versions: Arc::new(AtomicU64::new(1)),
            clock: self.clock,
            segment_size: self.segment_size,
            reclaimer: Arc::default(),
        };
        InMemory::of(self.name, Store::new(shared, Tree::default()))
    }
}

impl InMemory {
    /// A driver with an empty store without a capacity.
    ///
    /// ```
    /// let driver = inmemory::InMemory::new();
    /// assert_eq!(driver.capacity(), None);
    /// ```
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// The settings of a driver, to be changed.
    ///
    /// ```
    /// let driver = inmemory::InMemory::builder().capacity(1 << 30).build();
    /// ```
    pub fn builder() -> InMemoryBuilder {
        InMemoryBuilder::new()
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for InMemoryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemoryBuilder")
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("pool", &self.pool)
            .field("segment_size", &self.segment_size)
            .field("huge_pages", &self.huge_pages)
            .finish_non_exhaustive()
    }
}
