//! [`ListOptions`] and [`Page`], and helpers for drivers over flat keys.

use crate::{Entry, Metadata, Path};

/// Options of [`list`](crate::StorageDriver::list) and [`uploads`](crate::StorageDriver::uploads).
///
/// ```
/// use storage_driver::{ListOptions, Path};
///
/// let second_page = ListOptions::new().start_after(Path::parse("/tags/v1")?).limit(100).names_only();
/// assert!(second_page.admits(&Path::parse("/tags/v2")?));
/// # Ok::<(), storage_driver::ParsePathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Return only items that order after this path, which need not exist.
    pub start_after: Option<Path>,
    /// The maximum number of items, [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) by default. A limit of 0 returns an
    /// empty page that still reports whether there are items.
    pub limit: usize,
    /// The caller needs names only. `list` may then return entries without metadata, and directories that turn
    /// out to be empty. It has no effect on `uploads`.
    pub names_only: bool,
}

impl ListOptions {
    /// The default limit: 1,000 items.
    pub const DEFAULT_LIMIT: usize = 1000;

    /// The first page, with [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) items.
    pub const fn new() -> Self {
        Self { start_after: None, limit: Self::DEFAULT_LIMIT, names_only: false }
    }

    /// Returns only items that order after `path`.
    #[must_use]
    pub fn start_after(mut self, path: Path) -> Self {
        self.start_after = Some(path);
        self
    }

    /// Returns at most `limit` items.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Returns names only; see [`names_only`](Self::names_only).
    #[must_use]
    pub fn names_only(mut self) -> Self {
        self.names_only = true;
        self
    }

    /// Whether `path` orders after the start.
    pub fn admits(&self, path: &Path) -> bool {
        self.start_after.as_ref().is_none_or(|start| path > start)
    }
}

impl Default for ListOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// A part of a listing, in the order of [`Path`].
///
/// ```
/// use storage_driver::{Entry, Page, Path};
///
/// let only = Page::new(vec![Entry::directory(Path::parse("/tags")?)], None);
/// assert!(only.next.is_none());
/// # Ok::<(), storage_driver::ParsePathError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items: as many as the limit allows, fewer only on the last page.
    pub items: Vec<T>,
    /// The path that the next page [starts after](ListOptions::start_after); `None` on the last page.
    pub next: Option<Path>,
}

impl<T> Page<T> {
    /// A page of these items, and the path that the next one starts after; `None` if it is the last.
    pub const fn new(items: Vec<T>, next: Option<Path>) -> Self {
        Self { items, next }
    }
}

impl<T: AsRef<Path>> Page<T> {
    /// The page of `items`, which are in order, that `options` describe. For implementers.
    ///
    /// `of` is the listed path. It takes one more item than it returns, so an iterator that starts where
    /// `options` start costs as much as the page.
    pub fn from_sorted(
        of: &Path,
        options: &ListOptions,
        items: impl IntoIterator<Item = T>,
    ) -> Self {
        let mut rest = items.into_iter().skip_while(|item| !options.admits(item.as_ref()));
        let items: Vec<T> = rest.by_ref().take(options.limit).collect();
        let next = rest.next().map(|_| match (items.last(), &options.start_after) {
            (Some(last), _) => last.as_ref().clone(),
            (None, Some(start)) => start.clone(),
            // Before `of`, which may be an item itself: an upload is listed at its own path.
            (None, None) => of.parent().unwrap_or_else(|| of.clone()),
        });
        Self { items, next }
    }
}

impl Entry {
    /// The direct children of `dir`, in order, from the files at and below it, in order. For drivers whose
    /// backend is a flat, sorted list of keys.
    pub fn children(
        dir: &Path,
        files: impl IntoIterator<Item = Metadata>,
    ) -> impl Iterator<Item = Self> {
        let mut last: Option<Path> = None;
        files.into_iter().filter_map(move |file| {
            let (name, below) = match file.path.strip_prefix(dir)? {
                "" => return None,
                rest => rest.split_once('/').map_or((rest, false), |(name, _)| (name, true)),
            };
            let child = dir.join(name).ok()?;
            if last.as_ref() == Some(&child) {
                return None;
            }
            last = Some(child.clone());
            Some(if below { Self::directory(child) } else { Self::file(file) })
        })
    }
}
