//! [`Naive`]: the peer.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What one writes first: a sorted map of vectors under one lock.
///
/// A vector is contiguous and moves as it grows; what is read is copied out under the lock.
#[derive(Debug, Default)]
pub struct Naive(Mutex<BTreeMap<String, Vec<u8>>>);

impl Naive {
    fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file whole.
    pub fn put(&self, path: &str, content: Vec<u8>) {
        self.files().insert(path.to_owned(), content);
    }

    /// Extends the file, which need not exist.
    pub fn append(&self, path: &str, data: &[u8]) {
        let mut files = self.files();
        match files.get_mut(path) {
            Some(content) => content.extend_from_slice(data),
            None => drop(files.insert(path.to_owned(), data.to_vec())),
        }
    }

    /// Moves the file, which is what a commit is here. Returns whether it was there.
    pub fn rename(&self, from: &str, to: &str) -> bool {
        let mut files = self.files();
        let content = files.remove(from);
        content.map(|content| files.insert(to.to_owned(), content)).is_some()
    }

    /// A copy of the file.
    pub fn get(&self, path: &str) -> Option<Vec<u8>> {
        self.files().get(path).cloned()
    }

    /// A copy of a part of the file.
    pub fn range(&self, path: &str, range: Range<usize>) -> Option<Vec<u8>> {
        Some(self.files().get(path)?.get(range)?.to_vec())
    }

    /// The size of the file.
    pub fn stat(&self, path: &str) -> Option<usize> {
        self.files().get(path).map(Vec::len)
    }

    /// Removes the file. Returns whether it was there.
    pub fn delete(&self, path: &str) -> bool {
        self.files().remove(path).is_some()
    }

    /// The names of the first `limit` direct children of `dir`, which ends with `/`. It looks at
    /// every file below.
    pub fn list(&self, dir: &str, limit: usize) -> Vec<String> {
        let files = self.files();
        let mut children = Vec::<String>::new();
        let below = files.range(dir.to_owned()..).map_while(|(path, _)| path.strip_prefix(dir));
        for child in below.map(|path| path.split('/').next().unwrap_or_default()) {
            if children.last().is_some_and(|last| last == child) {
                continue;
            }
            if children.len() == limit {
                break;
            }
            children.push(child.to_owned());
        }
        children
    }
}
