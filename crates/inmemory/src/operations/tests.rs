//! Changes of many paths take effect at one moment, or not at all.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    time::{Duration, UNIX_EPOCH},
};

use futures::{FutureExt, executor::block_on};
use storage_driver::{
    Error, ErrorKind, ListOptions, Path, Precondition, StorageDriver, StorageDriverExt, WalkOptions,
};

use crate::{
    InMemory, Usage,
    work::{ENTRIES, PATHS},
};

const MANY: usize = 3 * ENTRIES;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn poll<T>(future: &mut Pin<Box<impl Future<Output = T> + ?Sized>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A store with many files, and an upload for each.
fn store() -> (InMemory, Vec<Path>) {
    let store = InMemory::new();
    let paths: Vec<Path> = (0..MANY).map(|n| path(&format!("/dir/{n}"))).collect();
    for at in &paths {
        block_on(store.put(at, "x")).unwrap();
        drop(block_on(store.create(at)).unwrap());
    }
    (store, paths)
}

fn counts(store: &InMemory) -> (usize, usize) {
    use futures::StreamExt;
    let files = block_on(
        store.walk(&path("/dir"), WalkOptions::new()).filter_map(async |e| e.ok()).count(),
    );
    let options = ListOptions::new().limit(usize::MAX);
    (files, block_on(store.uploads(&Path::root(), options)).unwrap().items.len())
}

/// Polls until about half of the job is done, which is not visible: first each poll copies a part of the
/// paths, and later each deletes a part.
fn begin<T>(store: &InMemory, future: &mut Pin<Box<impl Future<Output = T> + ?Sized>>) {
    let before = counts(store);
    for _ in 0..MANY / PATHS * 3 / 2 {
        assert!(poll(future).is_pending());
        assert_eq!(counts(store), before, "half of it is seen");
    }
}

#[test]
fn a_deletion_of_many_paths_takes_effect_at_one_moment() {
    let (store, paths) = store();
    let before = counts(&store);
    assert_eq!(before, (MANY, MANY));
    let mut delete = Box::pin(store.delete_many(&paths));
    while poll(&mut delete).is_pending() {
        let now = counts(&store);
        assert!(now == before || now == (0, 0), "{now:?}");
    }
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_dropped_deletion_of_many_paths_deletes_nothing_before_its_moment() {
    let (store, paths) = store();
    let usage = store.in_use();
    let mut delete = Box::pin(store.delete_many(&paths));
    begin(&store, &mut delete);
    drop(delete);
    assert_eq!(counts(&store), (MANY, MANY));
    while store.in_use() != usage {
        assert!(block_on(store.exists(&paths[0])).unwrap());
    }
    // The uploads are still in progress.
    drop(block_on(store.resume(&paths[0])).unwrap());
    block_on(store.put(&paths[0], "y")).unwrap();
}

#[test]
fn another_change_does_the_rest_of_the_work_first() {
    let (store, paths) = store();
    let mut delete = Box::pin(store.delete_many(&paths));
    begin(&store, &mut delete);
    // It does not depend on the deletion being polled.
    block_on(store.put(&path("/dir/0"), "new")).unwrap();
    assert_eq!(counts(&store), (1, 0));
    while poll(&mut delete).is_pending() {}
    assert_eq!(counts(&store), (1, 0));
}

#[test]
fn a_commit_does_the_rest_of_the_work_first() {
    let (store, paths) = store();
    let writer = block_on(store.create(&path("/other"))).unwrap();
    let fenced = block_on(store.resume(&paths[MANY - 1])).unwrap();
    let mut delete = Box::pin(store.delete_many(&paths));
    begin(&store, &mut delete);
    block_on(writer.commit()).unwrap();
    assert_eq!(counts(&store), (0, 0));
    assert_eq!(block_on(fenced.commit()).unwrap_err().kind(), ErrorKind::WriterFenced);
    while poll(&mut delete).is_pending() {}
}

#[test]
fn a_shutdown_ends_a_job() {
    let (store, paths) = store();
    let mut delete = Box::pin(store.delete_many(&paths));
    begin(&store, &mut delete);
    block_on(store.shutdown()).unwrap();
    let Poll::Ready(result) = poll(&mut delete) else { panic!("it waits") };
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Unavailable);
    drop(delete);
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn a_path_that_is_the_root_deletes_nothing() {
    let (store, mut paths) = store();
    paths.push(Path::root());
    let failed = block_on(store.delete_many(&paths)).unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::InvalidPath);
    assert_eq!(counts(&store), (MANY, MANY));
}

/// The error, once the future is done, that names a directory.
fn is_a_directory(result: Result<(), Error>, at: &Path) {
    let error = result.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::IsADirectory, Some(at)));
}

#[test]
fn a_directory_among_many_paths_deletes_nothing() {
    let (store, mut paths) = store();
    block_on(store.put(&path("/full/a"), "x")).unwrap();
    let usage = store.in_use();
    // The first part of the paths, the last, and one in between.
    for index in [0, MANY / 2, MANY] {
        paths.insert(index, path("/full"));
        let mut delete = Box::pin(store.delete_many(&paths));
        let deleted = loop {
            if let Poll::Ready(deleted) = poll(&mut delete) {
                break deleted;
            }
        };
        is_a_directory(deleted, &path("/full"));
        assert_eq!(counts(&store), (MANY, MANY));
        assert_eq!(store.in_use(), usage);
        drop(delete);
        paths.remove(index);
    }
    // The uploads are still in progress.
    drop(block_on(store.resume(&paths[0])).unwrap());
}

#[test]
fn a_directory_among_few_paths_deletes_nothing() {
    let store = InMemory::new();
    for at in ["/a", "/b/c", "/d"] {
        block_on(store.put(&path(at), "x")).unwrap();
    }
    is_a_directory(block_on(store.delete_many(&["/a", "/b", "/d"].map(path))), &path("/b"));
    assert!(block_on(store.exists(&path("/a"))).unwrap());
}

#[test]
fn a_directory_whose_last_file_was_deleted_before_is_no_directory() {
    for count in [0, PATHS] {
        let store = InMemory::new();
        block_on(store.put(&path("/a/b"), "x")).unwrap();
        let mut paths: Vec<_> = (0..count).map(|n| path(&format!("/none/{n}"))).collect();
        paths.extend(["/a/b", "/a"].map(path));
        block_on(store.delete_many(&paths)).unwrap();
        assert!(!block_on(store.exists(&path("/a/b"))).unwrap());
    }
}

#[test]
fn another_change_ends_a_deletion_that_fails() {
    let (store, mut paths) = store();
    block_on(store.put(&path("/full/a"), "x")).unwrap();
    let usage = store.in_use();
    paths.push(path("/full"));
    let mut delete = Box::pin(store.delete_many(&paths));
    begin(&store, &mut delete);
    let other = path("/other");
    block_on(store.put(&other, "x")).unwrap();
    block_on(store.delete(&other, Precondition::None)).unwrap();
    let deleted = loop {
        if let Poll::Ready(deleted) = poll(&mut delete) {
            break deleted;
        }
    };
    is_a_directory(deleted, &path("/full"));
    assert_eq!((counts(&store), store.in_use()), ((MANY, MANY), usage));
}

#[test]
fn an_upload_that_is_written_while_old_ones_are_cancelled_is_kept() {
    let hour = Arc::new(AtomicU64::new(0));
    let clock = Arc::clone(&hour);
    let now = move || UNIX_EPOCH + Duration::from_secs(3600 * clock.load(Ordering::Relaxed));
    let store = InMemory::builder().clock(now).build();
    let at = |number: usize| path(&format!("/dir/{number:04}"));
    let mut writers: Vec<_> =
        (0..MANY).map(|number| block_on(store.create(&at(number))).unwrap()).collect();
    hour.store(1, Ordering::Relaxed);
    let root = Path::root();
    let mut cancel = Box::pin(store.cancel_uploads(&root, Duration::from_secs(3600)));
    // One that was judged to be old by then, and one that was not looked at.
    assert!(poll(&mut cancel).is_pending());
    for number in [0, MANY - 1] {
        block_on(writers[number].write_bytes("x")).unwrap();
    }
    let cancelled = loop {
        if let Poll::Ready(cancelled) = poll(&mut cancel) {
            break cancelled.unwrap();
        }
    };
    assert_eq!(cancelled, MANY as u64 - 2);
    let left = block_on(store.uploads(&Path::root(), ListOptions::new())).unwrap().items;
    let left: Vec<_> = left.into_iter().map(|upload| upload.path).collect();
    assert_eq!(left, [at(0), at(MANY - 1)]);
    block_on(writers.swap_remove(0).commit()).unwrap();
    let fenced = block_on(writers[1].write_bytes("x")).unwrap_err();
    assert_eq!(fenced.kind(), ErrorKind::WriterFenced);
}

#[test]
fn a_writer_is_fenced_as_soon_as_its_directory_is_deleted() {
    let (store, paths) = store();
    let mut writer = block_on(store.resume(&paths[7])).unwrap();
    block_on(writer.write_bytes("x")).unwrap();
    let dir = path("/dir");
    let mut delete = Box::pin(store.delete_dir(&dir));
    assert!(poll(&mut delete).is_pending());
    // The upload is not freed yet.
    assert_eq!(block_on(writer.write_bytes("y")).unwrap_err().kind(), ErrorKind::WriterFenced);
    assert!(store.resume(&paths[7]).now_or_never().unwrap().is_err());
}

#[test]
fn a_rename_is_measured_while_nothing_else_changes_the_directory() {
    let (store, _) = store();
    let dir = path("/dir");
    let to = path(&"/b".repeat((Path::MAX_BYTES - 4) / 2));
    let mut rename = Box::pin(store.rename_dir(&dir, &to));
    assert!(poll(&mut rename).is_pending());
    block_on(store.put(&path("/dir/new"), "x")).unwrap();
    let Poll::Ready(renamed) = poll(&mut rename) else { panic!("the put has not ended the job") };
    assert_eq!(renamed.unwrap_err().kind(), ErrorKind::InvalidPath);
    assert_eq!(counts(&store), (MANY + 1, MANY));
}
