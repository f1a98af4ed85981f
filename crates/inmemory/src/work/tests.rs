//! The work of one poll, or of one drop, is bounded, however much there is to do.

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::Waker,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use futures::{StreamExt, executor::block_on};
use storage_driver::{
    Payload, Precondition, ReadRange, StorageDriver, StorageDriverExt, WalkOptions,
};

use super::*;
use crate::{InMemory, Usage};

/// How much there is to do, and how much of it one poll may do.
const MANY: usize = 15_000;
const MOST: usize = 3 * STEPS;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Runs a future to its end, no poll of which may do too much; returns the number of polls.
fn polls<T>(what: &str, future: impl Future<Output = T>) -> (usize, T) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    let mut polls = 0;
    loop {
        polls += 1;
        let polled = bounded(what, || future.as_mut().poll(&mut cx));
        if let Poll::Ready(result) = polled {
            return (polls, result);
        }
    }
}

/// Runs a future whose work has to be spread over several polls.
fn spread<T>(what: &str, future: impl Future<Output = T>) -> T {
    let (polls, result) = polls(what, future);
    assert!(polls > 1, "{what} did everything in one poll");
    result
}

fn bounded<T>(what: &str, work: impl FnOnce() -> T) -> T {
    take_count();
    let before = freed_bytes();
    let result = work();
    let count = take_count() + freed_bytes().wrapping_sub(before) / BYTES_A_STEP;
    assert!(count <= MOST, "{what}: {count} steps at once");
    result
}

fn poll_once<T>(future: impl Future<Output = T>) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut cx).is_pending());
    // It is dropped here.
    take_count();
}

/// Later operations reclaim the memory that others have left.
fn nothing_is_held(store: &InMemory) {
    for _ in 0..1000 {
        if bounded("usage", || store.in_use()) == Usage::default() {
            return;
        }
    }
    panic!("{:?} is held", store.in_use());
}

async fn put_many(store: &InMemory) -> Vec<Path> {
    let paths: Vec<Path> = (0..MANY).map(|n| path(&format!("/dir/{}/{n}", n % 3))).collect();
    for at in &paths {
        store.put(at, "x").await.unwrap();
    }
    paths
}

fn files() -> (InMemory, Vec<Path>) {
    let store = InMemory::new();
    let paths = block_on(put_many(&store));
    (store, paths)
}

/// A store with many uploads, and the hour of its clock.
fn uploads() -> (InMemory, std::sync::Arc<AtomicU64>) {
    let hour = std::sync::Arc::new(AtomicU64::new(0));
    let clock = hour.clone();
    let now = move || UNIX_EPOCH + Duration::from_secs(3600 * clock.load(Ordering::Relaxed));
    let store = InMemory::builder().clock(now).build();
    for number in 0..MANY {
        drop(block_on(store.create(&path(&format!("/dir/{number}")))).unwrap());
    }
    (store, hour)
}

/// A file of many segments.
fn large() -> InMemory {
    let store = InMemory::builder().segment_size(4096).build();
    let mut writer = block_on(store.create(&path("/large"))).unwrap();
    let data = Bytes::from(vec![7; 4096]);
    (0..MANY).for_each(|_| block_on(writer.write_bytes(data.clone())).unwrap());
    block_on(writer.commit()).unwrap();
    store
}

#[test]
fn a_deletion_of_many_files() {
    let (store, _) = files();
    spread("delete_dir", store.delete_dir(&path("/dir"))).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_deletion_of_many_uploads() {
    let (store, _) = uploads();
    spread("delete_dir", store.delete_dir(&path("/dir"))).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

/// Content that is copied into one segment.
const PIECE: Bytes = Bytes::from_static(&[7; 60 << 10]);

#[test]
fn a_deletion_of_uploads_with_large_tails() {
    let store = InMemory::new();
    for number in 0..500 {
        let mut writer = block_on(store.create(&path(&format!("/dir/{number}")))).unwrap();
        block_on(writer.write_bytes(PIECE)).unwrap();
    }
    spread("delete_dir", store.delete_dir(&path("/dir"))).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_deletion_of_files_of_one_segment() {
    let store = InMemory::new();
    for number in 0..500 {
        block_on(store.put(&path(&format!("/dir/{number}")), PIECE)).unwrap();
    }
    spread("delete_dir", store.delete_dir(&path("/dir"))).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_cancellation_of_an_append_to_a_file_that_was_deleted() {
    let (store, large) = (large(), path("/large"));
    let mut writer = block_on(store.append(&large)).unwrap();
    block_on(writer.write_bytes("x")).unwrap();
    drop(writer);
    let other = path("/other");
    block_on(store.rename(&large, &other, Precondition::None)).unwrap();
    block_on(store.delete(&other, Precondition::None)).unwrap();
    spread("cancel_upload", store.cancel_upload(&large)).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_deletion_of_a_large_file() {
    let store = large();
    spread("delete", store.delete(&path("/large"), Precondition::None)).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_deletion_of_many_paths() {
    let (store, paths) = files();
    spread("delete_many", store.delete_many(&paths)).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_deletion_of_many_paths_of_uploads() {
    let (store, _) = uploads();
    let paths: Vec<Path> = (0..MANY).map(|n| path(&format!("/dir/{n}"))).collect();
    spread("delete_many", store.delete_many(&paths)).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_cancellation_of_many_uploads() {
    let (store, hour) = uploads();
    hour.store(2, Ordering::Relaxed);
    let age = Duration::from_secs(3600);
    let (dir, other) = (path("/dir"), path("/other"));
    assert_eq!(spread("cancel_uploads", store.cancel_uploads(&dir, 3 * age)).unwrap(), 0);
    assert_eq!(spread("cancel_uploads", store.cancel_uploads(&dir, age)).unwrap(), MANY as u64);
    assert_eq!(polls("cancel_uploads", store.cancel_uploads(&other, age)).1.unwrap(), 0);
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_shutdown() {
    let (store, _) = uploads();
    block_on(put_many(&store));
    spread("shutdown", store.shutdown()).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_rename_to_a_path_that_is_too_long() {
    let (store, _) = files();
    let room = Path::MAX_BYTES - "/0/14999".len();
    let too_long = path(&"/b".repeat(room / 2 + 1));
    let error = spread("rename_dir", store.rename_dir(&path("/dir"), &too_long)).unwrap_err();
    assert_eq!(error.kind(), storage_driver::ErrorKind::InvalidPath);
}

#[test]
fn a_rename_whose_directory_is_deleted_meanwhile() {
    let (store, _) = files();
    let (dir, too_long) = (path("/dir"), path(&"/b".repeat(Path::MAX_BYTES / 2)));
    let mut rename = Box::pin(store.rename_dir(&dir, &too_long));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(rename.as_mut().poll(&mut cx).is_pending());
    spread("delete_dir", store.delete_dir(&dir)).unwrap();
    polls("rename_dir", rename).1.unwrap_err();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_rename_that_has_to_be_measured() {
    let (store, _) = files();
    let dir = path("/dir");
    let long = dir.join("b".repeat(200)).unwrap();
    block_on(store.put(&long, "x")).unwrap();
    block_on(store.delete(&long, Precondition::None)).unwrap();
    // The longest path that there was would not fit; what is there now does.
    let to = path(&"/c".repeat((Path::MAX_BYTES - 20) / 2));
    spread("rename_dir", store.rename_dir(&dir, &to)).unwrap();
    assert!(block_on(store.exists(&to.join("2/14999").unwrap())).unwrap());
}

#[test]
fn a_walk_that_is_the_last_to_hold_a_directory() {
    let (store, _) = files();
    let mut walk = store.walk(&path("/dir"), WalkOptions::new());
    block_on(walk.next()).unwrap().unwrap();
    block_on(store.delete_dir(&path("/dir"))).unwrap();
    assert_ne!(store.in_use(), Usage::default());
    let mut entries = 1;
    while let Some(entry) = polls("walk", walk.next()).1 {
        entry.unwrap();
        entries += 1;
    }
    assert_eq!(entries, MANY + 3);
    drop(walk);
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_drop_of_a_walk_that_is_the_last_to_hold_a_directory() {
    let (store, _) = files();
    let mut walk = store.walk(&path("/dir"), WalkOptions::new());
    block_on(walk.by_ref().take(MANY / 2).count());
    block_on(store.delete_dir(&path("/dir"))).unwrap();
    bounded("a drop of a walk", || drop(walk));
    nothing_is_held(&store);
}

#[test]
fn a_listing_of_many_entries() {
    let (store, _) = files();
    let options = ListOptions::new().limit(usize::MAX);
    let page = spread("list", store.list(&path("/dir/0"), options)).unwrap();
    assert_eq!((page.items.len(), page.next), (MANY.div_ceil(3), None));
}

#[test]
fn a_listing_that_is_the_last_to_hold_a_directory() {
    let (store, _) = files();
    let dir = path("/dir");
    {
        let options = ListOptions::new().limit(usize::MAX);
        let at = path("/dir/0");
        let mut list = pin!(store.list(&at, options));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(list.as_mut().poll(&mut cx).is_pending());
        block_on(store.delete_dir(&dir)).unwrap();
        spread("list", list).unwrap();
    }
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_listing_of_many_uploads() {
    let (store, _) = uploads();
    let options = ListOptions::new().limit(usize::MAX);
    let page = spread("uploads", store.uploads(&Path::root(), options)).unwrap();
    assert_eq!((page.items.len(), page.next), (MANY, None));
}

#[test]
fn a_listing_of_one_page_takes_one_poll() {
    let (store, _) = uploads();
    let (polls, page) = polls("uploads", store.uploads(&Path::root(), ListOptions::new()));
    assert_eq!(polls, 1);
    assert_eq!(page.unwrap().items.len(), ListOptions::DEFAULT_LIMIT);
}

#[test]
fn a_get_of_many_segments() {
    let store = large();
    let content = spread("get_content", store.get_content(&path("/large"), u64::MAX)).unwrap();
    assert_eq!(content.metadata().size, 4096 * MANY as u64);
}

#[test]
fn a_put_of_much_and_its_drop() {
    let store = InMemory::builder().segment_size(4096).build();
    let part = Bytes::from(vec![7; 4096]);
    let content: Payload = (0..MANY).map(|_| part.clone()).collect();
    let large = path("/large");
    poll_once(store.put_content(&large, content.clone(), Precondition::None));
    nothing_is_held(&store);
    spread("put_content", store.put_content(&large, content, Precondition::None)).unwrap();
}

#[test]
fn a_drop_of_a_reader_that_is_the_last_to_hold_its_segments() {
    let store = large();
    let mut reader = block_on(store.reader(&path("/large"), ReadRange::Full)).unwrap();
    block_on(reader.next()).unwrap().unwrap();
    block_on(store.delete(&path("/large"), Precondition::None)).unwrap();
    bounded("a drop of a reader", || drop(reader));
    nothing_is_held(&store);
}

#[test]
fn a_drop_of_a_reader_of_a_file_that_stays_leaves_nothing() {
    let store = InMemory::new();
    let chunk = Bytes::from(vec![7; 1 << 20]);
    let mut writer = block_on(store.create(&path("/large"))).unwrap();
    (0..200).for_each(|_| block_on(writer.write_bytes(chunk.clone())).unwrap());
    block_on(writer.commit()).unwrap();
    let range = ReadRange::from(1..199 << 20);
    drop(block_on(store.reader(&path("/large"), range)).unwrap());
    assert!(!store.has_deferred());
}

#[test]
fn a_drop_of_a_deletion() {
    let (store, paths) = files();
    let dir = path("/dir");
    let mut delete = Box::pin(store.delete_many(&paths));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MANY / PATHS * 3 / 2 {
        assert!(delete.as_mut().poll(&mut cx).is_pending());
    }
    bounded("a drop of delete_many", || drop(delete));
    let mut delete = Box::pin(store.delete_dir(&dir));
    let _ = delete.as_mut().poll(&mut cx);
    bounded("a drop of delete", || drop(delete));
    nothing_is_held(&store);
}

#[test]
fn a_drop_of_a_deletion_that_has_copied_its_paths_leaves_them_to_others() {
    let store = InMemory::new();
    let paths: Vec<Path> = (0..MANY).map(|n| path(&format!("/dir/{n}"))).collect();
    let mut delete = Box::pin(store.delete_many(&paths));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..MANY / PATHS {
        assert!(delete.as_mut().poll(&mut cx).is_pending());
    }
    drop(delete);
    assert!(store.has_deferred());
}

#[test]
fn a_deletion_of_many_paths_that_fails_at_the_last() {
    let (store, mut paths) = files();
    block_on(store.put(&path("/full/a"), "x")).unwrap();
    let usage = store.in_use();
    paths.push(path("/full"));
    let failed = spread("delete_many", store.delete_many(&paths)).unwrap_err();
    assert_eq!(failed.kind(), storage_driver::ErrorKind::IsADirectory);
    assert_eq!(store.in_use(), usage);
    // At the first: all other paths are left.
    paths.rotate_right(1);
    let failed = spread("delete_many", store.delete_many(&paths)).unwrap_err();
    assert_eq!(failed.kind(), storage_driver::ErrorKind::IsADirectory);
}

#[test]
fn a_change_that_ends_a_deletion_that_fails() {
    let (store, mut paths) = files();
    block_on(store.put(&path("/full/a"), "x")).unwrap();
    // In the second part: the rest of the paths is left.
    paths.insert(PATHS, path("/full"));
    let mut delete = Box::pin(store.delete_many(&paths));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..paths.len().div_ceil(PATHS) + 1 {
        assert!(delete.as_mut().poll(&mut cx).is_pending());
    }
    polls("put", store.put(&path("/other"), "x")).1.unwrap();
    // The job has ended, and its result is dropped: what it holds is reclaimed in parts.
    bounded("a drop of delete_many", || drop(delete));
    assert!(store.has_deferred());
    for _ in 0..1000 {
        bounded("usage", || store.in_use());
    }
    assert!(!store.has_deferred());
}

#[test]
fn a_listing_of_many_names() {
    let (store, _) = files();
    let options = ListOptions::new().limit(usize::MAX).names_only();
    let page = spread("list", store.list(&path("/dir/0"), options)).unwrap();
    assert_eq!(page.items.len(), MANY.div_ceil(3));
    assert!(page.items.iter().all(|entry| entry.is_file() && entry.metadata().is_none()));
}

#[test]
fn the_state_of_one_upload_among_many() {
    let (store, _) = uploads();
    let at = path("/dir/7");
    let (polls, upload) = polls("upload", store.upload(&at));
    assert_eq!((polls, upload.unwrap().unwrap().path), (1, at));
}

#[test]
fn a_note_among_many_uploads() {
    let (store, _) = uploads();
    let mut writer = block_on(store.resume(&path("/dir/7"))).unwrap();
    bounded("set_note", || writer.set_note(vec![7; 4096])).unwrap();
    bounded("set_note", || writer.set_note(vec![8; 4096])).unwrap();
}

#[test]
fn a_deletion_of_uploads_with_notes() {
    let store = InMemory::new();
    for number in 0..2000 {
        let mut writer = block_on(store.create(&path(&format!("/dir/{number}")))).unwrap();
        writer.set_note(vec![7; 4096]).unwrap();
    }
    spread("delete_dir", store.delete_dir(&path("/dir"))).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_drop_of_a_fork() {
    let (store, _) = files();
    let fork = store.fork();
    block_on(store.delete_dir(&path("/dir"))).unwrap();
    bounded("a drop of a fork", || drop(fork));
    nothing_is_held(&store);
}

#[test]
fn a_full_store_reclaims_deferred_memory_before_it_refuses() {
    let store = InMemory::builder().segment_size(4096).capacity(10 << 20).build();
    let (data, large) = (Bytes::from(vec![7; 9 << 20]), path("/large"));
    for _ in 0..3 {
        block_on(store.put(&large, data.clone())).unwrap();
        let mut delete = Box::pin(store.delete(&large, Precondition::None));
        let mut cx = Context::from_waker(Waker::noop());
        let _ = delete.as_mut().poll(&mut cx);
        drop(delete);
        assert!(block_on(store.exists(&large)).is_ok_and(|exists| !exists));
    }
    let mut writer = block_on(store.create(&large)).unwrap();
    block_on(writer.write_bytes(data)).unwrap();
}
