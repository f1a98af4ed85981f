//! [`InMemory`]: the driver, and the contract on it.

use std::{
    fmt,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page,
    Path, Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Walk,
    WalkOptions, WalkSource, WriteMode, Writer, WriterOptions,
};

use crate::{
    deferred_drop::DeferredDrop,
    reader::Segments,
    reclaimer::{ReclaimGuard, Snapshot},
    rope::Rope,
    session::Session,
    store::Store,
    tree::{Found, Tree},
    usage::Usage,
    walk::{Children, Descent},
    work::{ENTRIES, collect, yield_now},
};

/// A driver that keeps its store in memory. A clone is a handle to the same store.
///
/// ```
/// # tokio_test::block_on(async {
/// use inmemory::InMemory;
/// use storage_driver::{Path, StorageDriverExt};
///
/// let driver = InMemory::new();
/// let handle = driver.clone();
/// driver.put(&Path::parse("/greeting")?, "hello").await?;
/// assert_eq!(handle.get_bytes(&Path::parse("/greeting")?, 100).await?, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct InMemory {
    name: &'static str,
    store: Arc<Store>,
}

impl InMemory {
    /// The driver of this store, known by this name in errors.
    pub(crate) fn of(name: &'static str, store: Store) -> Self {
        Self { name, store: Arc::new(store) }
    }

    /// A copy of the store as it is at this moment, in constant time. The two share what neither has
    /// changed since, and a change of one is not seen in the other.
    ///
    /// The copy has the committed files. Uploads in progress stay with the original, and each store is
    /// shut down separately; the budget, the clock, the source of versions and the name are common to both.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use storage_driver::{Path, StorageDriver, StorageDriverExt};
    ///
    /// let (driver, path) = (InMemory::new(), Path::parse("/a")?);
    /// driver.put(&path, "old").await?;
    /// let fork = driver.fork();
    /// driver.put(&path, "new").await?;
    /// assert_eq!(fork.get_bytes(&path, 100).await?, "old");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn fork(&self) -> Self {
        Self::of(self.name, self.store.fork())
    }

    /// The memory that the store and its forks hold.
    ///
    /// Before that, it reclaims a part of the memory that dropped operations and readers have left, which is
    /// counted until it is freed.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::InMemory;
    /// use storage_driver::{Path, StorageDriverExt};
    ///
    /// let driver = InMemory::new();
    /// driver.put(&Path::parse("/a")?, vec![7; 10_000]).await?;
    /// assert_eq!(driver.usage().committed, 10_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn usage(&self) -> Usage {
        self.store.reclaimer().reclaim_some();
        self.store.budget().usage()
    }

    /// Gives back to the system, now, all memory of the store and its forks that waits to be used again. It would
    /// go back about a second after the last change. It takes up to a tenth of a millisecond for each MiB.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use inmemory::{InMemory, Usage};
    /// use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};
    ///
    /// let (driver, path) = (InMemory::new(), Path::parse("/a")?);
    /// driver.put(&path, vec![7; 10_000]).await?;
    /// driver.delete(&path, Precondition::None).await?;
    /// driver.trim();
    /// assert_eq!(driver.usage(), Usage::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn trim(&self) {
        self.store.budget().trim();
    }

    /// How many bytes of memory the store and its forks may hold; `None` if there is no bound.
    ///
    /// ```
    /// use inmemory::InMemory;
    ///
    /// assert_eq!(InMemory::new().capacity(), None);
    /// assert_eq!(InMemory::builder().capacity(1 << 20).build().capacity(), Some(1 << 20));
    /// ```
    pub fn capacity(&self) -> Option<u64> {
        self.store.budget().capacity()
    }

    /// The memory that is held, without the slack of slabs, which depends on what they held before.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> Usage {
        Usage { slack: 0, ..self.usage() }
    }

    /// The memory of slabs that the system has provided.
    #[cfg(test)]
    pub(crate) fn backed(&self) -> u64 {
        self.store.budget().slabs().used() + self.usage().slack
    }

    /// Whether memory waits to be reclaimed.
    #[cfg(test)]
    pub(crate) fn has_deferred(&self) -> bool {
        self.store.reclaimer().has_deferred()
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory")
            .field("name", &self.name)
            .field("usage", &self.usage())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl StorageDriver for InMemory {
    fn name(&self) -> &'static str {
        self.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            preconditions: true,
            conditional_commit: true,
            rename_file: true,
            rename_dir: true,
            copy: true,
            append: true,
            touch: true,
            keeps_on_drop: true,
            atomic_rename: true,
            atomic_commit_to: true,
            rejects_conflicts: true,
            snapshot_listing: true,
            linearizable: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        }
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        self.content(Operation::GetContent, path, &ReadRange::Full, limit).await
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        self.content(Operation::GetRange, path, &range, limit).await
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.change(Operation::PutContent, &[path], async {
            self.store.put(path, content, &precondition).await
        })
        .await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let reclaimer = self.store.reclaimer();
        self.explain(Operation::Reader, path, || {
            let (metadata, rope) = self.snapshot(path)?;
            let opened = range.resolve(metadata.size).map(|range| {
                let pieces = rope.pieces(range.clone());
                if pieces.is_short() {
                    return Reader::from_payload(self.name, metadata, range, pieces.collect());
                }
                Reader::new(self.name, metadata, range, Segments::new(pieces, reclaimer))
            });
            reclaimer.add_rope(rope);
            opened
        })
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let open = async {
            let store = &self.store;
            let (session, deferred) = match options.mode {
                WriteMode::Create => Session::create(store, path, &options).await?,
                WriteMode::Resume { at } => {
                    (Session::resume(store, path, at, &options)?, DeferredDrop::default())
                }
                WriteMode::Append { at } => {
                    (Session::append(store, path, at, &options).await?, DeferredDrop::default())
                }
            };
            Ok((session.into_writer(self.name), deferred))
        };
        self.change(Operation::Writer, &[path], open).await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.explain(Operation::Stat, path, || {
            self.view(|tree| match tree.get(path) {
                Some(Found::File(file)) => Ok(Stat::File(file.metadata(path))),
                Some(Found::Dir(_)) => Ok(Stat::Directory(path.clone())),
                None => Err(Error::new(ErrorKind::PathNotFound)),
            })
        })
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let dir = self.explain(Operation::List, path, || self.view(|tree| tree.dir(path)))?;
        let start = options.start_after.as_ref();
        let children = Children::after(&dir, path, start, options.names_only);
        let mut snapshot = Snapshot::new(dir, self.store.reclaimer());
        let page = collect(path, &options, Vec::new(), children.into_iter().flatten()).await;
        poll_fn(|cx| snapshot.poll_release(cx)).await;
        Ok(page)
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        match self.view(|tree| tree.dir(path)) {
            Ok(dir) => {
                let descent = Descent::new(dir, path, options, self.store.reclaimer());
                Walk::new(self.name, path.clone(), descent)
            }
            Err(error) => Walk::new(self.name, path.clone(), Failed(Some(error))),
        }
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        let page = self.store.uploads(path, &options).await;
        self.explain(Operation::Uploads, path, || page)
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.explain(Operation::Upload, path, || {
            path.require_not_root()?;
            self.store.upload(path)
        })
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        let cancel = async { Ok(((), self.store.cancel_upload(path).await?)) };
        self.change(Operation::CancelUpload, &[path], cancel).await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        let cancelled = self.store.cancel_uploads(path, older_than).await;
        self.reclaim(self.explain(Operation::CancelUploads, path, || cancelled)).await
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        let delete = async { Ok(((), self.store.delete(path, &precondition).await?)) };
        self.change(Operation::Delete, &[path], delete).await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        let delete = async { Ok(((), self.store.delete_dir(path).await?)) };
        self.change(Operation::DeleteDir, &[path], delete).await
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        let deleted = self.store.delete_many(paths).await.map(|deferred| ((), deferred));
        self.reclaim(self.explain(Operation::DeleteMany, &Path::root(), || deleted)).await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let rename = self.store.rename(from, to, &precondition);
        self.change(Operation::Rename, &[from, to], rename).await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        let rename = async { Ok(((), self.store.rename_dir(from, to).await?)) };
        self.change(Operation::RenameDir, &[from, to], rename).await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let copy = self.store.copy(from, to, &precondition);
        self.change(Operation::Copy, &[from, to], copy).await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        let touch =
            async { Ok((self.store.touch(path, &precondition).await?, DeferredDrop::default())) };
        self.change(Operation::Touch, &[path], touch).await
    }

    async fn health(&self) -> Health {
        let explain = |error: Error| error.context(self.name, Operation::Health, &Path::root());
        if let Err(error) = self.store.require_open() {
            return Health::unavailable(explain(error));
        }
        match self.store.budget().available() {
            0 => {
                let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
                Health::new(Ok(()), Err(explain(full.into())))
            }
            _ => Health::ok(),
        }
    }

    async fn shutdown(&self) -> Result<()> {
        let reclaimer = self.store.reclaimer();
        reclaimer.reclaim(self.store.shut_down()).await;
        reclaimer.reclaim_all().await;
        Ok(())
    }
}

impl InMemory {
    /// Runs an operation on a path, and gives its error the context.
    fn explain<T>(
        &self,
        operation: Operation,
        path: &Path,
        body: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        body().map_err(|error| error.context(self.name, operation, path))
    }

    /// Runs an operation that changes something at `paths`, the first of which its errors name, and reclaims
    /// the memory that it leaves.
    async fn change<T>(
        &self,
        operation: Operation,
        paths: &[&Path],
        body: impl Future<Output = Result<(T, DeferredDrop)>>,
    ) -> Result<T> {
        let allowed = paths.iter().try_for_each(|path| path.require_not_root());
        let done = match allowed {
            Ok(()) => body.await,
            Err(error) => Err(error),
        };
        self.reclaim(self.explain(operation, paths[0], || done)).await
    }

    /// Reclaims the memory that an operation, which is done, has left, and a part of what others have left.
    async fn reclaim<T>(&self, done: Result<(T, DeferredDrop)>) -> Result<T> {
        let reclaimer = self.store.reclaimer();
        reclaimer.reclaim_some();
        let (result, deferred) = done?;
        reclaimer.reclaim(deferred).await;
        Ok(result)
    }

    /// Looks at the files of this moment.
    fn view<T>(&self, view: impl FnOnce(&Tree) -> Result<T>) -> Result<T> {
        self.store.view(|state| view(state.tree()))
    }

    async fn content(
        &self,
        operation: Operation,
        path: &Path,
        range: &ReadRange,
        limit: u64,
    ) -> Result<Content> {
        let (metadata, rope) = self.explain(operation, path, || self.snapshot(path))?;
        let found = self.explain(operation, path, || {
            let range = range.resolve(metadata.size)?;
            let size = range.end - range.start;
            if size > limit {
                return Err(Error::new(ErrorKind::ContentTooLarge { size, limit }));
            }
            Ok(rope.pieces(range))
        });
        let mut deferred = DeferredDrop::default();
        deferred.add_rope(rope);
        let guard = ReclaimGuard { deferred, reclaimer: self.store.reclaimer() };
        let pieces = found?;
        let mut payload = Payload::new();
        let mut until_yield = ENTRIES;
        for piece in pieces {
            if until_yield == 0 {
                yield_now().await;
                until_yield = ENTRIES;
            }
            until_yield -= 1;
            payload.push(piece);
        }
        guard.reclaim().await;
        Ok(Content::new(metadata, payload))
    }

    /// The file and its content as they are at this moment. The rope may become the last to hold it.
    fn snapshot(&self, path: &Path) -> Result<(Metadata, Rope)> {
        path.require_not_root()?;
        self.store.reclaimer().reclaim_some();
        self.view(|tree| {
            let file = tree.file(path)?;
            Ok((file.metadata(path), file.rope()))
        })
    }
}

/// A walk that fails at its start.
struct Failed(Option<Error>);

impl WalkSource for Failed {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        Poll::Ready(self.0.take().map(Err))
    }

    fn skip_dir(&mut self) {}
}
