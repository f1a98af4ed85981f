//! The driver's own synchronisation, under schedules that shuttle chooses:
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p inmemory --release --test shuttle --target-dir target/shuttle
//! ```
//!
//! Each test runs its threads from the same start under thousands of schedules, checks the
//! results of each thread and the state of the store, and then that no memory is held.
#![cfg(shuttle)]

#[path = "../support/store.rs"]
mod support;

mod files;
mod jobs;
mod memory;
mod uploads;

use std::{fmt::Debug, future::Future};

use bytes::Bytes;
use futures::FutureExt;
use inmemory::InMemory;
use shuttle::thread;
use storage_driver::{
    Content, Entry, ErrorKind, ListOptions, Metadata, Path, Precondition, ReadRange, Result,
    StorageDriver, StorageDriverExt, Version, WalkOptions, Writer,
};
use support::path;

/// Runs `test` under schedules of three kinds.
fn check(test: fn()) {
    shuttle::check_random(test, 5000);
    shuttle::check_pct(test, 3000, 3);
    shuttle::check_dfs(test, Some(2000));
}

/// The result of a future that never waits.
fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("the driver never waits")
}

fn run<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> thread::JoinHandle<T> {
    thread::spawn(body)
}

fn join<T>(thread: thread::JoinHandle<T>) -> T {
    thread.join().unwrap()
}

/// The kind of error, if it is one.
fn error_kind<T: Debug>(result: &Result<T>) -> Option<ErrorKind> {
    result.as_ref().err().map(|error| error.kind())
}

const NONE: Precondition = Precondition::None;

fn put(store: &InMemory, at: &str, data: impl Into<Bytes>) -> Metadata {
    now(store.put(&path(at), data.into())).unwrap()
}

/// A copy of the file's text.
fn read(store: &InMemory, at: &str) -> Option<String> {
    match now(store.get_content(&path(at), u64::MAX)).map(Content::into_bytes) {
        Ok(bytes) => Some(String::from_utf8(bytes.to_vec()).unwrap()),
        Err(error) if error.is_not_found() => None,
        Err(error) => panic!("{error}"),
    }
}

/// An upload that holds `data`.
fn uploading(store: &InMemory, at: &str, data: impl Into<Bytes>) -> Writer {
    let mut writer = now(store.create(&path(at))).unwrap();
    now(writer.write_bytes(data)).unwrap();
    writer
}

/// An upload that extends the file by `data`.
fn appending(store: &InMemory, at: &str, data: impl Into<Bytes>) -> Writer {
    let mut writer = now(store.append(&path(at))).unwrap();
    now(writer.write_bytes(data)).unwrap();
    writer
}

fn delete(store: &InMemory, at: &str) -> Result<()> {
    now(store.delete(&path(at), NONE))
}

fn delete_dir(store: &InMemory, at: &str) -> Result<()> {
    now(store.delete_dir(&path(at)))
}

fn uploads(store: &InMemory) -> Vec<String> {
    let page = now(store.uploads(&Path::root(), ListOptions::new())).unwrap();
    page.items.iter().map(|upload| upload.path.to_string()).collect()
}

/// Every file and directory.
fn walk(store: &InMemory) -> Vec<String> {
    use futures::TryStreamExt;
    let walk = store.walk(&Path::root(), WalkOptions::new());
    let entries: Vec<Entry> = now(walk.try_collect()).unwrap();
    entries.iter().map(|entry| entry.path().to_string()).collect()
}

/// Deletes everything; then no memory may be held.
fn nothing_is_held(store: InMemory) {
    let uploads = uploads(&store);
    for at in walk(&store).iter().chain(&uploads) {
        let deleted = match delete(&store, at) {
            Err(error) if error.kind() == ErrorKind::IsADirectory => delete_dir(&store, at),
            deleted => deleted,
        };
        match deleted {
            Err(error) if error.is_not_found() => {}
            deleted => deleted.unwrap(),
        }
    }
    assert_eq!(store.usage().held(), 0);
}
