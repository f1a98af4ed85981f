//! Helpers of the driver's tests.
#![allow(dead_code, reason = "each test uses its part")]

use bytes::Bytes;
use futures::TryStreamExt;
use inmemory::{InMemory, Usage};
use storage_driver::{ErrorKind, Path, ReadRange, Result, StorageDriver, StorageDriverExt};

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;

pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Bytes in which a shift or an exchange is visible.
pub(crate) fn pattern(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| (seed * 101 + at * 7 + at / 251) as u8).collect()
}

/// The segments of a file.
pub(crate) async fn segments(store: &InMemory, at: &str) -> Vec<Bytes> {
    let reader = store.reader(&path(at), ReadRange::Full).await.unwrap();
    reader.try_collect().await.unwrap()
}

/// The addresses of the segments of a file.
pub(crate) async fn places(store: &InMemory, at: &str) -> Vec<*const u8> {
    segments(store, at).await.iter().map(|segment| segment.as_ptr()).collect()
}

pub(crate) async fn content(store: &InMemory, at: &str) -> Bytes {
    store.get_bytes(&path(at), u64::MAX).await.unwrap()
}

/// The memory that is held, without the slack of slabs, which depends on what they held before.
pub(crate) fn in_use(store: &InMemory) -> Usage {
    let mut usage = store.usage();
    usage.slack = 0;
    usage
}

pub(crate) async fn put(store: &InMemory, at: &str, data: impl Into<Bytes>) {
    store.put(&path(at), data.into()).await.unwrap();
}

/// Uploads `data` in one piece.
pub(crate) async fn upload(store: &InMemory, at: &str, data: impl Into<Bytes>) {
    let mut writer = store.create(&path(at)).await.unwrap();
    writer.write_bytes(data).await.unwrap();
    writer.commit().await.unwrap();
}

/// Appends `data` in one piece.
pub(crate) async fn append(store: &InMemory, at: &str, data: impl Into<Bytes>) {
    let mut writer = store.append(&path(at)).await.unwrap();
    writer.write_bytes(data).await.unwrap();
    writer.commit().await.unwrap();
}

pub(crate) fn kind<T>(result: Result<T>) -> ErrorKind {
    result.err().expect("an error").kind()
}
