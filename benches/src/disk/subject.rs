//! [`Subject`]: a store in a directory that is measured.

use std::{
    ops::Range,
    path::{Path, PathBuf},
};

use bytes::Bytes;

/// A store in a directory, by its own fastest way.
///
/// A path is written without a slash before it. What is stored becomes visible at once or never: by
/// a rename, where the store leaves that to its user. An operation that fails ends the measurement.
pub(crate) trait Subject: Sized + Send + Sync + 'static {
    /// An upload in progress.
    type Upload: Send + 'static;

    /// Opens the store in the directory `root`, inside of the runtime that it is used in. If it is
    /// `durable`, a put and a commit return when the disk has the content and its name; otherwise
    /// nothing is synced, as far as it can be told so.
    fn open(root: PathBuf, durable: bool) -> impl Future<Output = Self> + Send;

    /// Stores a small file, and makes its directory if it is missing.
    fn put(&self, path: &str, content: &Bytes) -> impl Future<Output = ()> + Send;

    /// Begins an upload that is to become `path`, in a directory that is there.
    fn begin(&self, path: &str) -> impl Future<Output = Self::Upload> + Send;

    /// Continues it with what the caller keeps.
    fn write(&self, to: &mut Self::Upload, chunk: &[u8]) -> impl Future<Output = ()> + Send;

    /// Continues it with a chunk that may be kept.
    fn write_owned(&self, to: &mut Self::Upload, chunk: Bytes) -> impl Future<Output = ()> + Send;

    /// Makes it visible.
    fn commit(&self, upload: Self::Upload) -> impl Future<Output = ()> + Send;

    /// Reads the whole content piece by piece, and returns its size.
    fn read(&self, path: &str) -> impl Future<Output = u64> + Send;

    /// Reads a range, and returns its size.
    fn range(&self, path: &str, range: Range<u64>) -> impl Future<Output = usize> + Send;

    /// Lists the children of a directory, files with their metadata; returns how many there
    /// are.
    fn list(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Lists the names of the children of a directory, and returns how many there are. Those that cannot leave out
    /// metadata read it too.
    fn names(&self, dir: &str) -> impl Future<Output = usize> + Send {
        self.list(dir)
    }

    /// Lists the first `count` children of a directory by name, all of them files, with what
    /// `stat` says; returns how many there are.
    fn first(&self, dir: &str, count: usize) -> impl Future<Output = usize> + Send;

    /// Lists all files below a directory with their metadata; returns how many there are.
    fn walk(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Ends its use.
    fn close(self) -> impl Future<Output = ()> + Send {
        async {}
    }
}

/// How long a buffer is that a file is read into by hand.
pub(crate) const BUFFER: usize = 128 << 10;

/// The directories whose entries change if a file comes to be at `path` and its directory too, if
/// that is `fresh`.
pub(crate) fn changed(path: &Path, fresh: bool) -> impl Iterator<Item = &Path> {
    path.ancestors().skip(1).take(if fresh { 2 } else { 1 })
}

/// Keeps the first `count` by name of what is pushed, in memory for twice as many.
#[derive(Debug)]
pub(crate) struct First<T> {
    count: usize,
    items: Vec<T>,
}

impl<T: Ord> First<T> {
    pub(crate) fn new(count: usize) -> Self {
        Self { count, items: Vec::with_capacity(2 * count) }
    }

    pub(crate) fn push(&mut self, item: T) {
        self.items.push(item);
        if self.items.len() == 2 * self.count {
            self.items.select_nth_unstable(self.count);
            self.items.truncate(self.count);
        }
    }

    pub(crate) fn into_vec(mut self) -> Vec<T> {
        self.items.sort_unstable();
        self.items.truncate(self.count);
        self.items
    }
}

#[test]
fn the_first_are_kept() {
    let mut first = First::new(3);
    (0..100).rev().for_each(|number| first.push(number));
    assert_eq!(first.into_vec(), [0, 1, 2]);
}
