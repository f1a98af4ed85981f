//! [`Ordered`]: the paths of flat keys in the order of the contract, by listings of a thousand keys.
//!
//! The contract orders paths component by component: `a`, `a/z`, `a-b`. Most servers order keys by bytes: `a`, `a-b`,
//! `a/z`. So a key like `a-b` is held back until the listing has passed all keys below `a/`. If too many are held back,
//! a request asks whether there is anything below `a/`, and if so that is listed first. Both orders give the same paths.
//! The journal of the upload at `a` has the key `a/!` below `!uploads/`, so it is found with those below `a/`.

use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Path, Result};

use crate::{
    backend::Backend,
    journal,
    objects::{Item, Listing},
    pages::Pages,
};

/// The most keys that are asked for in one page.
pub(crate) const PAGE: usize = 1000;
/// How many paths one listing holds back at most, and those of a page.
const HELD: usize = 4000;
/// How many objects are looked at at once, whether they are tombstones.
const PARALLEL: usize = 16;

/// Which keys there are paths for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Space {
    Files,
    Uploads,
}

impl Space {
    /// The beginning of its keys.
    fn base(self) -> &'static str {
        match self {
            Self::Files => "",
            Self::Uploads => "!uploads/",
        }
    }

    /// The path whose file or journal has this key.
    fn path(self, key: &str) -> Option<Path> {
        match self {
            Self::Files => Path::parse(format!("/{key}")).ok(),
            Self::Uploads => journal::path_of(key),
        }
    }

    /// The path whose directory has this key.
    fn dir(self, key: &str) -> Option<Path> {
        Path::parse(format!("/{}", key.strip_prefix(self.base())?)).ok()
    }
}

/// The paths of files or of uploads below a path, in order.
pub(crate) struct Ordered {
    backend: Arc<Backend>,
    space: Space,
    /// The listings under way, the innermost last.
    scans: Vec<Scan>,
    last: Option<Path>,
}

impl Ordered {
    /// The paths below `path` that order after `after`. The first pages have `page` keys, if that is known.
    pub(crate) fn new(
        backend: &Arc<Backend>,
        space: Space,
        path: &Path,
        after: Option<&Path>,
        page: Option<usize>,
    ) -> Self {
        let mut scans = Vec::new();
        match after {
            Some(after) if after.starts_with(path) && after != path => {
                // In each directory from `path` down to `after`, what comes behind the way to it.
                let depth = after.components().count() - path.components().count();
                let dirs = std::iter::successors(Some(after.clone()), Path::parent);
                let dirs: Vec<Path> = dirs.take(depth + 1).collect();
                scans.push(Scan::new(space, after, None, page));
                for pair in dirs.windows(2) {
                    scans.push(Scan::new(space, &pair[1], pair[0].name(), page));
                }
                scans.reverse();
            }
            // Behind all of it.
            Some(after) if after > path && after != path => {}
            _ => scans.push(Scan::new(space, path, None, page)),
        }
        Self { backend: Arc::clone(backend), space, scans, last: after.cloned() }
    }

    /// The next path; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Path>> {
        while let Some(scan) = self.scans.last_mut() {
            match scan.step(&self.backend).await? {
                Step::Path(path) => {
                    // Some directories are listed again, after they were listed in their place.
                    if self.last.as_ref().is_none_or(|last| path > *last) {
                        self.last = Some(path.clone());
                        return Ok(Some(path));
                    }
                }
                Step::At(path) => {
                    let mut scan = Scan::new(self.space, &path, None, None);
                    scan.has_own = true;
                    self.scans.push(scan);
                }
                Step::End => drop(self.scans.pop()),
            }
        }
        Ok(None)
    }
}

enum Step {
    Path(Path),
    /// What is at this path and below it comes first.
    At(Path),
    End,
}

/// A listing of all keys below a directory.
struct Scan {
    space: Space,
    /// The beginning of its keys: empty, or with a slash at its end.
    prefix: String,
    pages: Pages,
    /// The name of a child; only what orders after it and all below it is wanted.
    after: Option<String>,
    /// Whether the journal of the directory itself is wanted. Its key is among those below the directory.
    has_own: bool,
    jumped: bool,
    /// Paths that were listed and not returned.
    held: BTreeSet<Path>,
    /// The greatest key that was listed.
    passed: String,
    /// Directories below which nothing comes any more, although the listing has not passed them.
    done: HashSet<String>,
}

impl Scan {
    fn new(space: Space, dir: &Path, after: Option<&str>, page: Option<usize>) -> Self {
        let rest = dir.as_str().trim_start_matches('/');
        let prefix = match rest.is_empty() {
            true => space.base().to_owned(),
            false => format!("{}{rest}/", space.base()),
        };
        let offset = match after {
            Some(name) => Some(format!("{prefix}{name}")),
            // The driver's own keys come first, and `~` is behind all of them.
            None => prefix.is_empty().then(|| "!~".to_owned()),
        };
        let done = after.map(|name| format!("{prefix}{name}")).into_iter().collect();
        let listing = Listing { prefix: prefix.clone(), offset, by_directory: false, limit: page };
        Self {
            space,
            prefix,
            // A page of uploads is seldom more than one of its listing.
            pages: Pages::new(listing, space == Space::Files),
            after: after.map(str::to_owned),
            has_own: false,
            jumped: false,
            held: BTreeSet::new(),
            passed: String::new(),
            done,
        }
    }

    async fn step(&mut self, backend: &Arc<Backend>) -> Result<Step> {
        loop {
            let ended = self.pages.is_ended();
            let Some(first) = self.held.first() else {
                match ended {
                    true => return Ok(Step::End),
                    false => self.read_page(backend).await?,
                }
                continue;
            };
            let pending = if ended { None } else { self.pending(first) };
            match pending {
                None => {
                    if let Some(first) = self.held.pop_first() {
                        return Ok(Step::Path(first));
                    }
                }
                Some(_) if self.held.len() < HELD => self.read_page(backend).await?,
                Some(dir) => {
                    let listing =
                        Listing { prefix: format!("{dir}/"), limit: Some(1), ..Listing::default() };
                    let is_empty = backend.objects.list(&listing, None).await?.items.is_empty();
                    let passed = &self.passed;
                    self.done.retain(|dir| *passed < after_all_below(dir));
                    self.done.insert(dir.clone());
                    if !is_empty && let Some(path) = self.space.dir(&dir) {
                        return Ok(Step::At(path));
                    }
                }
            }
        }
    }

    /// The first directory that may still come and orders before `path`.
    fn pending(&self, path: &Path) -> Option<String> {
        let key = format!("{}{}", self.space.base(), path.as_str().trim_start_matches('/'));
        let names = &key[self.prefix.len()..];
        let stems = names.match_indices(['-', '.']).map(|(end, _)| end + self.prefix.len());
        let stems = stems.map(|end| &key[..end]).filter(|stem| !stem.ends_with('/'));
        let mut pending =
            stems.filter(|stem| self.passed < after_all_below(stem) && !self.done.contains(*stem));
        pending.next().filter(|stem| !stem.is_empty()).map(str::to_owned)
    }

    async fn read_page(&mut self, backend: &Arc<Backend>) -> Result<()> {
        let Some(items) = self.pages.next(backend).await? else { return Ok(()) };
        let Some(last) = items.iter().map(|item| &item.key).max().cloned() else {
            return Ok(());
        };
        if last > self.passed {
            self.passed = last;
        }
        let unwanted = self.after.as_ref().map(|name| format!("{}{name}/", self.prefix));
        let ends_unwanted = items.last().zip(unwanted.as_ref());
        if ends_unwanted.is_some_and(|(item, dir)| item.key.starts_with(dir.as_str()))
            && !self.pages.is_ended()
            && !self.jumped
            && let Some(dir) = &unwanted
        {
            // `~` is behind everything below it.
            self.pages.skip_to(format!("{dir}~"));
            self.jumped = true;
        }
        let space = self.space;
        let wanted = items.into_iter().filter(|item| self.wants(item, unwanted.as_deref()));
        let paths = wanted.map(|item| async move {
            let is_item = match space {
                Space::Files => backend.is_file(&item).await?,
                Space::Uploads => !item.may_be_tombstone(),
            };
            Ok::<_, storage_driver::Error>(space.path(&item.key).filter(|_| is_item))
        });
        let paths: Vec<Option<Path>> =
            stream::iter(paths.collect::<Vec<_>>()).buffered(PARALLEL).try_collect().await?;
        self.held.extend(paths.into_iter().flatten());
        Ok(())
    }

    fn wants(&self, item: &Item, unwanted: Option<&str>) -> bool {
        let Some(name) = item.key.strip_prefix(&self.prefix) else { return false };
        let name = name.split('/').next().unwrap_or_default();
        (self.has_own || name != "!")
            && unwanted.is_none_or(|dir| !item.key.starts_with(dir))
            && self.after.as_deref().is_none_or(|after| name > after)
    }
}

/// The first key behind all that is below a directory: `0` follows `/`.
fn after_all_below(dir: &str) -> String {
    format!("{dir}0")
}
