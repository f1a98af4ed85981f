//! [`Subject`]: a store that is measured.

use std::ops::Range;

use bytes::Bytes;

/// A store, used in its own fastest way. Values that are prepared before the measurement have types.
///
/// A path is written without a slash before it. An operation that fails ends the measurement.
pub trait Subject: Sized + Send + Sync + 'static {
    /// A path, parsed.
    type Key: Send + Sync + 'static;
    /// An upload in progress.
    type Upload: Send + 'static;

    /// An empty store; `pool` is how much freed memory it may keep, where that can be set.
    fn new(pool: Option<u64>) -> Self;

    /// Parses a path.
    fn key(path: &str) -> Self::Key;

    /// Stores a copy of `content`, to which the caller keeps a reference.
    fn put(&self, key: &Self::Key, content: &Bytes) -> impl Future<Output = ()> + Send;

    /// Reads the whole content, and returns its size.
    fn get(&self, key: &Self::Key) -> impl Future<Output = usize> + Send;

    /// Reads a range, and returns its size.
    fn range(&self, key: &Self::Key, range: Range<u64>) -> impl Future<Output = usize> + Send;

    /// Reads a range by opening it as a stream, and returns its size; a store without streams of ranges reads it whole.
    fn read_range(&self, key: &Self::Key, range: Range<u64>) -> impl Future<Output = usize> + Send {
        self.range(key, range)
    }

    /// Reads the content piece by piece, and returns its size.
    fn read(&self, key: &Self::Key) -> impl Future<Output = u64> + Send;

    /// Returns the size.
    fn stat(&self, key: &Self::Key) -> impl Future<Output = u64> + Send;

    /// Removes a file.
    fn delete(&self, key: &Self::Key) -> impl Future<Output = ()> + Send;

    /// Removes all below a directory.
    fn delete_all(&self, dir: &str) -> impl Future<Output = ()> + Send;

    /// Moves all below a directory. Returns whether it can.
    fn rename_all(&self, _from: &str, _to: &str) -> impl Future<Output = bool> + Send {
        async { false }
    }

    /// Lists the children of a directory, and returns how many there are. Yields to other tasks after each
    /// thousand of them, where it receives them one by one.
    fn list(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Lists everything below a directory, in the same way.
    fn walk(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Begins an upload at `key`. If `exclusive`, the buffers that are written are not shared, which a store may
    /// ignore.
    fn begin(&self, key: &Self::Key, exclusive: bool) -> impl Future<Output = Self::Upload> + Send;

    /// Continues it with a copy of `chunk`.
    fn write(&self, to: &mut Self::Upload, chunk: &[u8]) -> impl Future<Output = ()> + Send;

    /// Continues it with `chunk` itself.
    fn write_owned(&self, to: &mut Self::Upload, chunk: Bytes) -> impl Future<Output = ()> + Send;

    /// Makes it visible.
    fn commit(&self, upload: Self::Upload) -> impl Future<Output = ()> + Send;

    /// A copy that changes independently, where the store supports it.
    fn fork(&self) -> Option<Self> {
        None
    }

    /// The memory that the store reports to hold, where it does.
    fn held(&self) -> Option<u64> {
        None
    }
}
