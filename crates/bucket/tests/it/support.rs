//! Helpers of the tests.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{
    ListOptions, Path, Precondition, Result, StorageDriver, WalkOptions, WriterOptions,
};
use storage_driver_bucket::{
    Bucket, Builder,
    double::{Double, Ways},
};

/// One MiB and a bit: too long for a record.
pub(crate) const LARGE: usize = (1 << 20) + 10;

pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

pub(crate) fn bytes(seed: u8, length: usize) -> Bytes {
    let period: Vec<u8> = (0..251).map(|at| seed.wrapping_add(at)).collect();
    let mut bytes = period.repeat(length.div_ceil(period.len()));
    bytes.truncate(length);
    bytes.into()
}

pub(crate) fn server() -> Double {
    Double::new(Ways::default())
}

/// A server that ignores the condition of a DELETE, so that tombstones stand for deleted files.
pub(crate) fn ceph() -> Double {
    Double::new(Ways::ceph())
}

pub(crate) async fn open(server: &Double) -> Bucket {
    Builder::double(server).open().await.unwrap()
}

pub(crate) async fn put(store: &Bucket, at: &str, content: Bytes) -> Result<()> {
    store.put_content(&path(at), content.into(), Precondition::None).await.map(drop)
}

pub(crate) async fn read(store: &Bucket, at: &str) -> Bytes {
    store.get_content(&path(at), u64::MAX).await.unwrap().into_bytes()
}

/// Starts an upload and suspends it.
pub(crate) async fn upload(store: &Bucket, at: &str, content: Bytes) -> Result<()> {
    let mut writer = store.writer(&path(at), WriterOptions::create()).await?;
    writer.write_bytes(content).await?;
    writer.suspend().await
}

/// Every file with its content.
pub(crate) async fn files(store: &Bucket) -> BTreeMap<String, Bytes> {
    let entries: Vec<_> =
        store.walk(&Path::root(), WalkOptions::new()).try_collect().await.unwrap();
    let mut files = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.is_file()) {
        let name = entry.path().as_str();
        files.insert(name.to_owned(), read(store, name).await);
    }
    files
}

/// The paths and sizes of all uploads.
pub(crate) async fn uploads(store: &Bucket) -> Vec<(String, u64)> {
    let page = store.uploads(&Path::root(), ListOptions::new()).await.unwrap();
    let uploads = page.items.into_iter();
    uploads.map(|upload| (upload.path.to_string(), upload.size.unwrap())).collect()
}

/// The keys of all objects that are no tombstones.
pub(crate) fn leftovers(server: &Double) -> Vec<String> {
    let is_tombstone = |key: &String| {
        server.get(key).is_some_and(|content| content.len() == 256 && content[8] == b'T')
    };
    server.keys().into_iter().filter(|key| !is_tombstone(key)).collect()
}
