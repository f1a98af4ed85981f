//! Helpers of the behaviours.
//!
//! Paths are given as text. A helper panics if its operation fails.

use std::{collections::BTreeMap, fmt::Debug};

use bytes::Bytes;
use futures::{FutureExt, TryStreamExt, future::join};
use storage_driver::{
    Error, ErrorKind, Metadata, Operation, Path, Payload, Precondition, Reader, Stat,
    StorageDriver, StorageDriverExt, Version, WalkOptions, Writer,
};

use crate::{Subject, tasks::at_once};

/// A limit above the size of any content in a quick behaviour.
pub(crate) const LIMIT: u64 = 64 << 20;

/// Parses a path.
#[track_caller]
pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A path of exactly `length` bytes, in components of up to 255.
pub(crate) fn long_path(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        let left = length - text.len();
        // The last component must not be empty.
        let component = if left == 257 { 254 } else { (left - 1).min(255) };
        text.push('/');
        text.extend(std::iter::repeat_n('c', component));
    }
    text
}

/// The error of an operation that must fail.
#[track_caller]
pub(crate) fn error<T: Debug>(result: Result<T, Error>) -> Error {
    match result {
        Ok(value) => panic!("it should fail, and returned {value:?}"),
        Err(error) => error,
    }
}

/// Checks that an operation fails with `kind`, and returns the error.
#[track_caller]
pub(crate) fn fails<T: Debug>(result: Result<T, Error>, kind: ErrorKind) -> Error {
    let error = error(result);
    assert!(error.kind() == kind, "it should fail with {kind:?}, and failed with {error:?}");
    error
}

/// Checks that an error names the driver, one of the operations and the path, in one line of text. The operation
/// may be that of a method which the called one is made of.
#[track_caller]
pub(crate) fn explains(
    driver: &dyn StorageDriver,
    error: &Error,
    operations: &[Operation],
    at: &str,
) {
    assert_eq!(error.driver(), Some(driver.name()), "{error:?}");
    let operation = error.operation().expect("an operation");
    assert!(operations.contains(&operation), "{operation} is none of {operations:?}");
    assert_eq!(error.path(), Some(&path(at)), "{error:?}");
    let text = error.to_string();
    let kind = error.kind();
    assert_eq!(text, format!("{}: {operation} {at}: {kind}", driver.name()));
    assert_eq!(text.lines().count(), 1, "{text}");
}

/// Puts a file.
pub(crate) async fn put(
    driver: &dyn StorageDriver,
    at: &str,
    content: impl Into<Payload> + Send,
) -> Metadata {
    let stored = driver.put(&path(at), content).await;
    stored.unwrap_or_else(|error| panic!("{at} should accept content: {error:?}"))
}

/// Puts empty files, many at a time.
pub(crate) async fn put_all(driver: &dyn StorageDriver, paths: impl IntoIterator<Item = String>) {
    let puts = paths.into_iter().map(|at| async move { drop(put(driver, &at, "").await) }.boxed());
    at_once(puts.collect()).await;
}

/// The uploads that share `writes` writes, with the number of writes of each: one upload, or eight if the calls of the
/// driver are slow, so that they can be written at once.
pub(crate) async fn split_if_slow(
    subject: &Subject,
    driver: &dyn StorageDriver,
    writes: u64,
) -> impl Iterator<Item = (String, u64)> {
    // Measures how long a call takes.
    exists(driver, "/").await;
    let uploads = if subject.is_slow() { 8 } else { 1 };
    (0..uploads).map(move |i| (format!("/{i}"), writes / uploads))
}

/// The content of a file.
pub(crate) async fn read(driver: &dyn StorageDriver, at: &str) -> Bytes {
    let content = driver.get_bytes(&path(at), LIMIT).await;
    content.unwrap_or_else(|error| panic!("{at} should be a file: {error:?}"))
}

/// The metadata of a file.
pub(crate) async fn stat(driver: &dyn StorageDriver, at: &str) -> Metadata {
    let file = driver.stat(&path(at)).await.and_then(Stat::into_file);
    file.unwrap_or_else(|error| panic!("{at} should be a file: {error:?}"))
}

/// Whether there is a file or a directory.
pub(crate) async fn exists(driver: &dyn StorageDriver, at: &str) -> bool {
    let exists = driver.exists(&path(at)).await;
    exists.unwrap_or_else(|error| panic!("{at} should exist or not: {error:?}"))
}

/// Whether there is a directory.
pub(crate) async fn is_dir(driver: &dyn StorageDriver, at: &str) -> bool {
    driver.stat(&path(at)).await.is_ok_and(|stat| stat.is_dir())
}

/// Starts an upload.
pub(crate) async fn create(driver: &dyn StorageDriver, at: &str) -> Writer {
    let writer = driver.create(&path(at)).await;
    writer.unwrap_or_else(|error| panic!("{at} should accept an upload: {error:?}"))
}

/// Resumes an upload.
pub(crate) async fn resume(driver: &dyn StorageDriver, at: &str) -> Writer {
    let writer = driver.resume(&path(at)).await;
    writer.unwrap_or_else(|error| panic!("the upload at {at} should be resumable: {error:?}"))
}

/// Opens a writer that appends to a file.
pub(crate) async fn append(driver: &dyn StorageDriver, at: &str) -> Writer {
    let writer = driver.append(&path(at)).await;
    writer.unwrap_or_else(|error| panic!("{at} should accept an append: {error:?}"))
}

/// Starts an upload, writes to it and suspends it.
pub(crate) async fn upload(driver: &dyn StorageDriver, at: &str, data: impl Into<Bytes>) {
    let mut writer = create(driver, at).await;
    writer.write_bytes(data).await.unwrap();
    writer.suspend().await.unwrap();
}

/// Resumes an upload, commits it, and returns its content.
pub(crate) async fn finish(driver: &dyn StorageDriver, at: &str) -> Bytes {
    let file = resume(driver, at).await.commit().await;
    file.unwrap_or_else(|error| panic!("the upload at {at} should be committable: {error:?}"));
    read(driver, at).await
}

/// The rest of a reader.
pub(crate) async fn drain(reader: &mut Reader) -> Result<Bytes, Error> {
    let parts: Vec<Bytes> = reader.try_collect().await?;
    Ok(parts.concat().into())
}

/// Deletes a file, or a directory and everything below it.
pub(crate) async fn remove(driver: &dyn StorageDriver, at: &str) {
    let deleted = match is_dir(driver, at).await {
        true => driver.delete_dir(&path(at)).await,
        false => driver.delete(&path(at), Precondition::None).await,
    };
    deleted.unwrap_or_else(|error| panic!("{at} should be deletable: {error:?}"));
}

/// The paths of the children of a directory.
pub(crate) async fn list(driver: &dyn StorageDriver, at: &str) -> Vec<String> {
    let dir = path(at);
    let entries = driver.list_all(&dir).map_ok(|entry| entry.path().to_string());
    let entries = entries.try_collect().await;
    entries.unwrap_or_else(|error| panic!("{at} should be listed: {error:?}"))
}

/// The paths of everything below a directory, sorted as text.
pub(crate) async fn walk(driver: &dyn StorageDriver, at: &str) -> Vec<String> {
    let mut walked = walk_with(driver, at, WalkOptions::new()).await;
    walked.sort();
    walked
}

/// The paths of a walk, in its order.
pub(crate) async fn walk_with(
    driver: &dyn StorageDriver,
    at: &str,
    options: WalkOptions,
) -> Vec<String> {
    let entries = driver.walk(&path(at), options).map_ok(|entry| entry.path().to_string());
    let entries = entries.try_collect().await;
    entries.unwrap_or_else(|error| panic!("{at} should be walked: {error:?}"))
}

/// The paths of the uploads at and under a path.
pub(crate) async fn uploads(driver: &dyn StorageDriver, at: &str) -> Vec<String> {
    let dir = path(at);
    let uploads = driver.uploads_all(&dir).map_ok(|upload| upload.path.to_string());
    let uploads = uploads.try_collect().await;
    uploads.unwrap_or_else(|error| panic!("the uploads in {at} should be listed: {error:?}"))
}

/// Everything that can be read from a store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Store {
    files: BTreeMap<String, (Bytes, Version)>,
    directories: Vec<String>,
    uploads: Vec<String>,
}

/// Everything in the store, to be compared before and after an operation that must change nothing.
pub(crate) async fn everything(driver: &dyn StorageDriver) -> Store {
    let (uploads, walked) = join(uploads(driver, "/"), walk(driver, "/")).await;
    let mut store = Store { files: BTreeMap::new(), directories: Vec::new(), uploads };
    let read = |at: String| async move {
        if is_dir(driver, &at).await {
            return (at, None);
        }
        let (content, metadata) = join(read(driver, &at), stat(driver, &at)).await;
        (at, Some((content, metadata.version)))
    };
    for (at, file) in at_once(walked.into_iter().map(|at| read(at).boxed()).collect()).await {
        match file {
            Some(file) => drop(store.files.insert(at, file)),
            None => store.directories.push(at),
        }
    }
    store
}
