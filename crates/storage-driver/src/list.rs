//! [`ListOptions`] and [`Page`], and what a driver over flat keys needs to answer with them.

use crate::{Entry, Metadata, Path};

/// Which part of a listing to give: of [`list`](crate::StorageDriver::list) and
/// [`uploads`](crate::StorageDriver::uploads).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListOptions {
    /// Give only what orders after this path. It need not exist.
    pub start_after: Option<Path>,
    /// Give at most so many entries; [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) unless set. Of 0, an
    /// empty page that still says whether there is more.
    pub limit: usize,
    /// The caller needs names only. `list` may then give entries without metadata, and a directory that
    /// turns out to hold nothing. `uploads` ignores it: its items are what it gives.
    pub names_only: bool,
}

impl ListOptions {
    /// The limit unless one is set: 1,000 entries.
    pub const DEFAULT_LIMIT: usize = 1000;

    /// The first page, of [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) entries.
    pub const fn new() -> Self {
        Self { start_after: None, limit: Self::DEFAULT_LIMIT, names_only: false }
    }

    /// Gives only what orders after `path`.
    #[must_use]
    pub fn start_after(mut self, path: Path) -> Self {
        self.start_after = Some(path);
        self
    }

    /// Gives at most `limit` entries.
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Gives names only; see [`names_only`](Self::names_only).
    #[must_use]
    pub fn names_only(mut self) -> Self {
        self.names_only = true;
        self
    }

    /// Whether `path` comes after the start.
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found: as many as the limit says, fewer only at the end.
    pub items: Vec<T>,
    /// Where the next page [starts after](ListOptions::start_after); `None` at the end.
    pub next: Option<Path>,
}

impl<T: AsRef<Path>> Page<T> {
    /// The page that `options` asks for, out of everything in order. For implementers.
    ///
    /// `of` is the path that is listed. It takes from `items` one more than it gives, so an
    /// iterator that starts where `options` starts costs what the page costs.
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
    /// The direct children of `dir`, in order, out of the files at and under it, in order. For
    /// implementers whose backend is a flat, sorted list of keys.
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
