//! Changes of many paths: each takes effect at one moment, whatever other operations are under way.

use shuttle::future::block_on;

use super::*;

/// Deletes several paths, more than one critical section does here.
fn delete_many(store: &InMemory, at: &'static [&'static str]) -> thread::JoinHandle<()> {
    let store = store.clone();
    run(move || {
        let paths: Vec<Path> = at.iter().map(|at| path(at)).collect();
        block_on(store.delete_many(&paths)).unwrap();
    })
}

#[test]
fn a_deletion_of_many_paths_is_atomic() {
    check(|| {
        let store = InMemory::new();
        ["/a", "/b", "/c"].iter().for_each(|at| drop(put(&store, at, "x")));
        let delete = delete_many(&store, &["/a", "/b", "/c"]);
        let other = store.clone();
        let seen = run(move || walk(&other).len());
        join(delete);
        let seen = join(seen);
        assert!(seen == 3 || seen == 0, "{seen} of three files");
        nothing_is_held(store);
    });
}

#[test]
fn a_deletion_of_many_paths_with_a_directory_changes_nothing() {
    check(|| {
        let store = InMemory::new();
        ["/a", "/b", "/dir/x"].iter().for_each(|at| drop(put(&store, at, "x")));
        drop(uploading(&store, "/a", "upload"));
        let deleter = store.clone();
        let delete = run(move || {
            let paths = ["/a", "/dir", "/b"].map(path);
            error_kind(&block_on(deleter.delete_many(&paths)))
        });
        let (other, putter) = (store.clone(), store.clone());
        let seen = run(move || (walk(&other).len(), uploads(&other).len()));
        let put = run(move || drop(block_on(putter.put(&path("/b"), "new")).unwrap()));
        assert_eq!(join(delete), Some(ErrorKind::IsADirectory));
        assert_eq!(join(seen), (4, 1));
        join(put);
        assert_eq!((walk(&store).len(), uploads(&store).len()), (4, 1));
        nothing_is_held(store);
    });
}

#[test]
fn a_deletion_of_many_paths_and_a_file_that_becomes_a_directory() {
    check(|| {
        let store = InMemory::new();
        ["/a", "/b"].iter().for_each(|at| drop(put(&store, at, "x")));
        let (deleter, other) = (store.clone(), store.clone());
        let delete =
            run(move || error_kind(&block_on(deleter.delete_many(&["/a", "/b"].map(path)))));
        let change = run(move || {
            let _ = block_on(other.delete(&path("/b"), NONE));
            drop(block_on(other.put(&path("/b/c"), "x")).unwrap());
        });
        let deleted = join(delete);
        join(change);
        match deleted {
            None => assert_eq!(walk(&store), ["/b", "/b/c"]),
            Some(ErrorKind::IsADirectory) => assert_eq!(walk(&store), ["/a", "/b", "/b/c"]),
            other => panic!("{other:?}"),
        }
        nothing_is_held(store);
    });
}

#[test]
fn two_deletions_of_many_paths_and_a_put() {
    check(|| {
        let store = InMemory::new();
        ["/a", "/b"].iter().for_each(|at| drop(put(&store, at, "x")));
        let one = delete_many(&store, &["/a", "/b"]);
        let two = delete_many(&store, &["/b", "/a"]);
        let other = store.clone();
        let put = run(move || {
            let metadata = block_on(other.put(&path("/b"), "y")).unwrap();
            assert!(metadata.size == 1);
        });
        [one, two, put].into_iter().for_each(join);
        assert!(walk(&store).len() <= 1);
        nothing_is_held(store);
    });
}

#[test]
fn a_commit_and_a_deletion_of_many_paths() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/b", "x");
        let writer = uploading(&store, "/a", "new");
        let delete = delete_many(&store, &["/b", "/a"]);
        let commit = run(move || block_on(writer.commit()));
        join(delete);
        let commit = join(commit);
        assert!(matches!(error_kind(&commit), None | Some(ErrorKind::WriterFenced)));
        // Deleted after the commit, or with the upload.
        assert!(walk(&store).is_empty() && uploads(&store).is_empty());
        nothing_is_held(store);
    });
}

#[test]
fn an_upload_that_was_written_is_not_cancelled_for_its_age() {
    check(|| {
        let hour = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let clock = hour.clone();
        let hours = move |hours| std::time::Duration::from_secs(3600 * hours);
        let now_is =
            move || std::time::UNIX_EPOCH + hours(clock.load(std::sync::atomic::Ordering::Relaxed));
        let store = InMemory::builder().clock(now_is).build();
        let mut writer = uploading(&store, "/a", "1");
        hour.store(1, std::sync::atomic::Ordering::Relaxed);
        let other = store.clone();
        let cancel = run(move || block_on(other.cancel_uploads(&Path::root(), hours(1))).unwrap());
        let write = run(move || now(writer.write_bytes("2")));
        let (cancelled, written) = (join(cancel), join(write));
        assert_eq!(cancelled == 1, written.is_err(), "{cancelled} cancelled");
        assert_eq!(cancelled == 1, uploads(&store).is_empty());
        nothing_is_held(store);
    });
}

#[test]
fn a_write_and_a_cancellation_of_old_uploads() {
    check(|| {
        // Each call of the clock is a second after the last.
        let ticks = std::sync::atomic::AtomicU64::new(0);
        let now_is = move || {
            let tick = ticks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::time::UNIX_EPOCH + std::time::Duration::from_secs(tick)
        };
        let store = InMemory::builder().clock(now_is).build();
        let mut writer = uploading(&store, "/a", "1");
        let other = store.clone();
        let age = std::time::Duration::from_secs(1);
        let cancel = run(move || block_on(other.cancel_uploads(&Path::root(), age)).unwrap());
        let write = run(move || (now(writer.write_bytes("2")), block_on(writer.commit())));
        let cancelled = join(cancel);
        let (_, committed) = join(write);
        assert_eq!(cancelled == 1, committed.is_err(), "{cancelled} cancelled");
        assert!(committed.is_err() || read(&store, "/a").as_deref() == Some("12"));
        nothing_is_held(store);
    });
}
