//! [`Subject`]: a store that is measured.

use std::ops::Range;

use bytes::Bytes;

/// A store, by its own fastest way. What is prepared outside of what is measured is a type.
///
/// A path is written without a slash before it. An operation that fails ends the measurement.
pub trait Subject: Sized + Send + Sync + 'static {
    /// A path, parsed.
    type Key: Send + Sync + 'static;
    /// An upload in progress.
    type Upload: Send + 'static;

    /// An empty store; `pool` is how much freed memory it may keep, if it can be told.
    fn new(pool: Option<u64>) -> Self;

    /// Parses a path.
    fn key(path: &str) -> Self::Key;

    /// Stores a copy of `content`, of which the caller keeps a reference.
    fn put(&self, key: &Self::Key, content: &Bytes) -> impl Future<Output = ()> + Send;

    /// Gives the whole content, and returns its size.
    fn get(&self, key: &Self::Key) -> impl Future<Output = usize> + Send;

    /// Gives a range, and returns its size.
    fn range(&self, key: &Self::Key, range: Range<u64>) -> impl Future<Output = usize> + Send;

    /// Gives the content piece by piece, and returns its size.
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

    /// Lists the children of a directory, and returns how many there are. Gives other tasks a turn
    /// after a thousand of them, where it gets them one by one.
    fn list(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Lists everything below a directory, in the same way.
    fn walk(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Begins an upload that is to become `key`. The caller vouches for what it hands over, if that
    /// means something here.
    fn begin(&self, key: &Self::Key, vouched: bool) -> impl Future<Output = Self::Upload> + Send;

    /// Continues it with a copy of `chunk`.
    fn write(&self, to: &mut Self::Upload, chunk: &[u8]) -> impl Future<Output = ()> + Send;

    /// Continues it with `chunk` itself.
    fn hand_over(&self, to: &mut Self::Upload, chunk: Bytes) -> impl Future<Output = ()> + Send;

    /// Makes it visible.
    fn commit(&self, upload: Self::Upload) -> impl Future<Output = ()> + Send;

    /// A twin that changes on its own, where there is such a thing.
    fn fork(&self) -> Option<Self> {
        None
    }

    /// How much memory the store says that it holds, where it does.
    fn held(&self) -> Option<u64> {
        None
    }
}

/// How many entries a task takes before it lets others have a turn.
pub(crate) const PAGE: usize = 1000;

/// Counts the items of a stream in the way of [`Subject::list`].
pub(crate) async fn count<T>(items: impl futures::Stream<Item = T>) -> usize {
    let mut items = std::pin::pin!(items);
    let mut count = 0;
    while let Some(item) = futures::StreamExt::next(&mut items).await {
        drop(item);
        count += 1;
        if count % PAGE == 0 {
            tokio::task::yield_now().await;
        }
    }
    count
}
