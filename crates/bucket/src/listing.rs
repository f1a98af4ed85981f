//! Listing a directory in the contract's order.
//!
//! The contract orders children by name, most servers by the bytes of their keys, where a directory has a slash
//! at its end: `a-b` and `a.b` come before `a/`. So a child is returned only when no smaller one can follow: for
//! each beginning of its name that ends before `-` or `.`, the listing has passed that directory, or a request
//! has shown that there is none. Servers with the contract's order pass them too.

use std::collections::{BTreeMap, BTreeSet};

use storage_driver::{Entry, ErrorKind, ListOptions, Page, Path, Result};

use crate::{
    backend::{Backend, file_key},
    namespace::At,
    objects::{Item, Listing},
};

/// The most items that are asked for in one page, and the fewest of all but the first.
const PAGE: usize = 1000;
const FEW: usize = 50;
/// So many pages are read before a request finds out about a directory.
const PATIENCE: usize = 2;

/// The children found so far.
#[derive(Debug, Default)]
struct Children {
    /// By name: whether it is a file. A path that is both is a file.
    found: BTreeMap<String, bool>,
    /// Names that are known to be no directories, although the listing has not passed them.
    absent: BTreeSet<String>,
    /// The greatest key that the listing has passed, below the directory.
    passed: String,
}

impl Children {
    /// The names of directories that may still come and order before `name`.
    fn pending<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        name.match_indices(['-', '.']).map(|(end, _)| &name[..end]).filter(|stem| {
            !stem.is_empty()
                && !self.found.contains_key(*stem)
                && !self.absent.contains(*stem)
                && *self.passed < *format!("{stem}/")
        })
    }

    /// How many of the first children are settled, `limit` at most.
    fn settled(&self, limit: usize) -> usize {
        let names = self.found.keys().take(limit);
        names.take_while(|name| self.pending(name).next().is_none()).count()
    }
}

impl Backend {
    pub(crate) async fn list(&self, path: &Path, options: &ListOptions) -> Result<Page<Entry>> {
        let prefix = match path.is_root() {
            true => String::new(),
            false => format!("{}/", file_key(path)),
        };
        let after = options.start_after.as_ref().and_then(|start| start.strip_prefix(path));
        let after = after.and_then(|rest| rest.split('/').next()).filter(|name| !name.is_empty());
        let wanted = options.limit.saturating_add(1);
        let mut listing = Listing {
            offset: after.map(|name| format!("{prefix}{name}")),
            by_directory: true,
            limit: Some(wanted.saturating_add(1).min(PAGE)),
            prefix,
        };
        let mut children = Children::default();
        let mut seen = false;
        let mut token = None;
        let mut pages = 0;
        let settled = loop {
            let page = self.objects.list(&listing, token).await?;
            for item in &page.items {
                seen |= self.add(&mut children, path, options, &listing, item).await?;
            }
            token = page.token;
            if token.is_none() {
                break children.found.len();
            }
            let missing = wanted.saturating_sub(children.found.len());
            listing.limit = Some(missing.clamp(FEW, PAGE));
            pages += 1;
            if children.found.len() >= wanted && pages >= PATIENCE {
                self.look_for_directories(&mut children, path, options, wanted).await?;
            }
            let settled = children.settled(wanted);
            if settled >= wanted {
                break settled;
            }
        };
        if !seen {
            self.require_directory(path).await?;
        }
        let found = children.found.into_iter().take(settled);
        let entries = found.filter_map(|(name, is_file)| {
            let child = path.join(&name).ok()?;
            Some(if is_file { Entry::bare_file(child) } else { Entry::directory(child) })
        });
        Ok(Page::from_sorted(path, options, entries))
    }

    /// Takes an item of the listing. Returns whether it shows that the directory exists.
    async fn add(
        &self,
        children: &mut Children,
        path: &Path,
        options: &ListOptions,
        listing: &Listing,
        item: &Item,
    ) -> Result<bool> {
        let Some(name) = item.key.strip_prefix(&listing.prefix) else { return Ok(false) };
        let is_file = item.size.is_some();
        let passed = if is_file { name.to_owned() } else { format!("{name}/") };
        if passed > children.passed {
            children.passed = passed;
        }
        let Ok(child) = path.join(name) else { return Ok(false) };
        if name.is_empty() || name.contains('/') {
            return Ok(false);
        }
        if !options.admits(&child) {
            // Whether it is a tombstone makes no difference to the page.
            return Ok(false);
        }
        if is_file {
            if !self.is_file(item).await? {
                return Ok(false);
            }
        } else if !options.names_only
            && self.objects.shows_empty_directories()
            && !self.exists_below(&child).await?
        {
            return Ok(false);
        }
        *children.found.entry(name.to_owned()).or_insert(is_file) |= is_file;
        Ok(true)
    }

    /// Finds out whether the directories exist that keep the first children from being settled.
    async fn look_for_directories(
        &self,
        children: &mut Children,
        path: &Path,
        options: &ListOptions,
        wanted: usize,
    ) -> Result<()> {
        loop {
            let settled = children.settled(wanted);
            let Some(name) = children.found.keys().nth(settled).cloned() else { return Ok(()) };
            if settled >= wanted {
                return Ok(());
            }
            let stems: Vec<String> = children.pending(&name).map(str::to_owned).collect();
            for stem in stems {
                let child = path.join(&stem)?;
                let admitted = options.admits(&child);
                if admitted && self.exists_below(&child).await? {
                    children.found.insert(stem, false);
                } else {
                    children.absent.insert(stem);
                }
            }
        }
    }

    /// Fails unless `path` is a directory.
    pub(crate) async fn require_directory(&self, path: &Path) -> Result<()> {
        if path.is_root() {
            return Ok(());
        }
        if let At::File(_) = self.at(path).await? {
            return Err(ErrorKind::NotADirectory.into());
        }
        match self.exists_below(path).await? {
            true => Ok(()),
            false => Err(ErrorKind::PathNotFound.into()),
        }
    }
}
