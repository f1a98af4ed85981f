//! [`Subject`]: a store in a bucket that is measured.

use bytes::Bytes;

use crate::harness::script::Script;

/// A store in a bucket, by its own fastest way.
///
/// A path is written without a slash before it. An operation that fails ends the measurement.
pub(crate) trait Subject: Sized + Send + Sync + 'static {
    /// Opens the bucket of `server`, inside of the runtime that it is used in.
    fn open(server: &Script) -> impl Future<Output = Self> + Send;

    /// Stores `chunks` as a new object, as they come from a client.
    fn upload(
        &self,
        path: &str,
        chunks: impl Iterator<Item = Bytes> + Send,
    ) -> impl Future<Output = ()> + Send;

    /// Reads the whole content piece by piece, and returns its size.
    fn download(&self, path: &str) -> impl Future<Output = u64> + Send;

    /// Stores a small object.
    fn put(&self, path: &str, content: &Bytes) -> impl Future<Output = ()> + Send;

    /// Reads a small object, and returns its size.
    fn get(&self, path: &str) -> impl Future<Output = usize> + Send;

    /// Lists the children of a directory, and returns how many there are.
    fn list(&self, dir: &str) -> impl Future<Output = usize> + Send;

    /// Lists all objects below a directory, and returns how many there are.
    fn walk(&self, dir: &str) -> impl Future<Output = usize> + Send;
}
