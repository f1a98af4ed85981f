//! [`Uploads`]: the uploads, by path.

use std::sync::Arc;

use storage_driver::Path;

use crate::{
    map::{Map, Named, drain::Drain, iter::Iter},
    upload::{Upload, key},
};

/// The table of uploads in progress, in the order of their paths.
///
/// Clones share everything that is not changed since, and the uploads at and under a path are taken
/// out in a few steps a level, however many there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uploads {
    map: Map<Entry>,
}

#[derive(Debug, Clone)]
pub(crate) struct Entry(Arc<Upload>);

impl Entry {
    pub(crate) fn upload(&self) -> &Upload {
        &self.0
    }
}

impl Named for Entry {
    fn name(&self) -> &str {
        self.0.key()
    }
}

/// Orders after the slash of a [`key`], and before every byte of a name.
const AFTER_SLASH: &str = "\u{2}";

/// The key that orders right after those at and below `path`; `None` for the root, which has no such key.
fn end_of(path: &Path) -> Option<String> {
    (!path.is_root()).then(|| key(path).into_string() + AFTER_SLASH)
}

impl Uploads {
    pub(crate) fn get(&self, path: &Path) -> Option<&Arc<Upload>> {
        self.map.get(&key(path)).map(|Entry(upload)| upload)
    }

    /// Whether this very upload is in the table.
    pub(crate) fn contains(&self, upload: &Arc<Upload>) -> bool {
        self.map.get(upload.key()).is_some_and(|Entry(found)| Arc::ptr_eq(found, upload))
    }

    /// Puts in an upload; returns the one that was at its path.
    pub(crate) fn insert(&mut self, upload: Arc<Upload>) -> Option<Arc<Upload>> {
        let budget = Arc::clone(upload.budget());
        self.map.insert(&budget, Entry(upload)).map(|Entry(old)| old)
    }

    /// Takes out this very upload; false if it is not in the table.
    pub(crate) fn remove(&mut self, upload: &Arc<Upload>) -> bool {
        self.contains(upload) && self.map.remove(upload.key()).is_some()
    }

    /// Takes out the uploads at and below `path`; `None` if there are none.
    pub(crate) fn take(&mut self, path: &Path) -> Option<RemovedUploads> {
        if self.is_empty() {
            return None;
        }
        let (key, end) = (key(path), end_of(path));
        let inside = |entry: &&Entry| end.as_deref().is_none_or(|end| entry.0.key() < end);
        let first = self.map.get(&key).or_else(|| self.map.next_after(&key).filter(inside))?;
        if self.map.next_after(first.name()).filter(inside).is_some() {
            let map = self.map.take_range(&key, end.as_deref());
            return Some(RemovedUploads::Many(Self { map }));
        }
        let Entry(first) = first.clone();
        self.map.remove(first.key()).map(|Entry(upload)| RemovedUploads::One(upload))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Whether there is an upload at or under `path`.
    pub(crate) fn has_any(&self, path: &Path) -> bool {
        !self.is_empty() && self.below(path, None).next().is_some()
    }

    /// The uploads at and below `path` as they are now, those that order after `start` if it is
    /// given.
    pub(crate) fn below(&self, path: &Path, start: Option<&Path>) -> Below {
        let start = start.filter(|&start| start >= path);
        let first = if start.is_none() { self.get(path).cloned() } else { None };
        let iter = self.map.iter_after(Some(&key(start.unwrap_or(path))));
        Below { first, iter, end: end_of(path), table: self.clone() }
    }

    /// Takes out the entries of nodes that have no other owner, to free them.
    pub(crate) fn drain(mut self) -> Drain<Entry> {
        self.map.drain()
    }

    /// Takes out all entries.
    pub(crate) fn drain_all(mut self) -> Drain<Entry> {
        self.map.drain_all()
    }
}

/// Uploads that were taken out of a table.
#[derive(Debug)]
pub(crate) enum RemovedUploads {
    One(Arc<Upload>),
    Many(Uploads),
}

/// Uploads in order, as the table was.
#[derive(Debug)]
pub(crate) struct Below {
    first: Option<Arc<Upload>>,
    iter: Iter<Entry>,
    end: Option<String>,
    table: Uploads,
}

impl Below {
    /// The whole table as it was. This may be the last reference to it.
    pub(crate) fn into_table(self) -> Uploads {
        let Self { table, .. } = self;
        table
    }

    /// The next upload of the table itself.
    fn peek(&mut self) -> Option<&Arc<Upload>> {
        let Entry(upload) = self.iter.peek()?;
        let ended = self.end.as_ref().is_some_and(|end| upload.key() >= end.as_str());
        (!ended).then_some(upload)
    }

    pub(crate) fn is_at_end(&mut self) -> bool {
        self.first.is_none() && self.peek().is_none()
    }
}

impl Iterator for Below {
    type Item = Arc<Upload>;

    fn next(&mut self) -> Option<Arc<Upload>> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        let upload = Arc::clone(self.peek()?);
        self.iter.advance();
        Some(upload)
    }
}

#[cfg(test)]
mod tests;
