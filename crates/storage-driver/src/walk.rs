//! [`Walk`]: everything below a directory, as a stream.

mod owned;

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use futures_core::Stream;

use crate::{Entry, ErrorKind, Operation, Pages, Path, Result, StorageDriver};

/// Options of a walk.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct WalkOptions {
    /// Return only entries that order after this path, including those below it. The path need not exist.
    pub start_after: Option<Path>,
    /// The caller needs names only. The walk may then return entries without metadata, and directories that turn
    /// out to be empty.
    pub names_only: bool,
}

impl WalkOptions {
    /// The whole walk, with metadata.
    pub const fn new() -> Self {
        Self { start_after: None, names_only: false }
    }

    /// Returns only entries that order after `path`.
    #[must_use]
    pub fn start_after(mut self, path: Path) -> Self {
        self.start_after = Some(path);
        self
    }

    /// Returns names only; see [`names_only`](Self::names_only).
    #[must_use]
    pub fn names_only(mut self) -> Self {
        self.names_only = true;
        self
    }
}

/// A stream of every file and directory below a path, depth first, each subtree together, without the path
/// itself.
///
/// It ends after an error. [`skip_dir`](Self::skip_dir) skips the contents of the directory that it just
/// returned, as in `walkdir`.
///
/// ```
/// # use storage_driver::{Path, Result, StorageDriver, WalkOptions};
/// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
/// use futures::TryStreamExt;
///
/// let mut walk = driver.walk(&Path::parse("/blobs")?, WalkOptions::new());
/// let mut bytes = 0;
/// while let Some(entry) = walk.try_next().await? {
///     bytes += entry.metadata().map_or(0, |file| file.size);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Cancel safety
///
/// A dropped `next` has skipped nothing.
#[must_use = "a walk does nothing unless it is polled"]
pub struct Walk<'a> {
    driver: &'static str,
    path: Path,
    source: Option<Box<dyn WalkSource + 'a>>,
}

/// The source of a [`Walk`], which a driver implements.
pub trait WalkSource: Send {
    /// The next entry. Not called again after an error or the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>>;

    /// Skips the contents of the directory that was returned last. It has no effect after a file.
    fn skip_dir(&mut self);
}

impl<'a> Walk<'a> {
    /// A walk below `path`, which adds context to the errors of `source`. For implementers.
    pub fn new(driver: &'static str, path: Path, source: impl WalkSource + 'a) -> Self {
        Self { driver, path, source: Some(Box::new(source)) }
    }

    /// A walk by [`list`](StorageDriver::list), one directory at a time: the default of
    /// [`walk`](StorageDriver::walk). It holds a page of entries for each level, has the order of [`Path`], and
    /// skips entries that vanish meanwhile.
    pub fn by_list<D>(driver: &'a D, path: &Path, options: WalkOptions) -> Self
    where
        D: StorageDriver + ?Sized,
    {
        Self::new(driver.name(), path.clone(), ByList::new(driver, path, options))
    }

    /// A walk that owns its driver: see [`StorageDriverExt::into_walk`](crate::StorageDriverExt::into_walk).
    pub(crate) fn owned<D>(driver: D, path: Path, options: WalkOptions) -> Walk<'static>
    where
        D: StorageDriver + 'static,
    {
        Walk::new(driver.name(), path.clone(), owned::OwnedWalk::new(driver, path, options))
    }

    /// Skips the contents of the directory that was just returned. It has no effect after a file.
    pub fn skip_dir(&mut self) {
        if let Some(source) = &mut self.source {
            source.skip_dir();
        }
    }
}

impl Stream for Walk<'_> {
    type Item = Result<Entry>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(source) = &mut this.source else { return Poll::Ready(None) };
        let next = match ready!(source.poll_next(cx)) {
            Some(Ok(entry)) => return Poll::Ready(Some(Ok(entry))),
            Some(Err(error)) => Some(Err(error.context(this.driver, Operation::Walk, &this.path))),
            None => None,
        };
        this.source = None;
        Poll::Ready(next)
    }
}

impl fmt::Debug for Walk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walk")
            .field("driver", &self.driver)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

struct ByList<'a, D: ?Sized> {
    driver: &'a D,
    /// The open listings, from the path of the walk down to the current directory.
    open: Vec<Pages<'a, Entry>>,
    /// The directory that was returned last and is opened next.
    below: Option<Path>,
    names_only: bool,
}

impl<'a, D: StorageDriver + ?Sized> ByList<'a, D> {
    fn new(driver: &'a D, path: &Path, options: WalkOptions) -> Self {
        let names_only = options.names_only;
        let mut walk = Self { driver, open: Vec::new(), below: None, names_only };
        walk.push(path.clone(), options.start_after.clone());
        // If the start is below `path`, the walk resumes in the middle: every directory from `path` down to
        // the start is open, and returns what orders after the start.
        if let Some(start) = options.start_after.filter(|start| start.starts_with(path)) {
            let below = start.components().count() - path.components().count();
            let mut ancestors: Vec<Path> =
                std::iter::successors(Some(start.clone()), Path::parent).take(below).collect();
            while let Some(dir) = ancestors.pop() {
                walk.push(dir, Some(start.clone()));
            }
        }
        walk
    }

    fn push(&mut self, dir: Path, start_after: Option<Path>) {
        let pages = Pages::of_list(self.driver, dir).starting(start_after, self.names_only);
        self.open.push(pages);
    }
}

impl<D: StorageDriver + ?Sized> WalkSource for ByList<'_, D> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        if let Some(dir) = self.below.take() {
            self.push(dir, None);
        }
        loop {
            let depth = self.open.len();
            let Some(pages) = self.open.last_mut() else { return Poll::Ready(None) };
            match ready!(Pin::new(pages).poll_next(cx)) {
                Some(Ok(entry)) => {
                    self.below = entry.is_dir().then(|| entry.path().clone());
                    return Poll::Ready(Some(Ok(entry)));
                }
                Some(Err(error)) if depth == 1 || !vanished(error.kind()) => {
                    return Poll::Ready(Some(Err(error)));
                }
                // The end of a directory, or a directory that has vanished.
                Some(Err(_)) | None => self.open.pop(),
            };
        }
    }

    fn skip_dir(&mut self) {
        self.below = None;
    }
}

fn vanished(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::PathNotFound | ErrorKind::NotADirectory)
}
