//! The accounting of memory, and the pool.

use super::*;

#[test]
fn owners_of_shared_content_change_at_once() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 70_000]);
        now(appending(&store, "/a", vec![7; 20_000]).commit()).unwrap();
        now(store.copy(&path("/a"), &path("/b"), NONE)).unwrap();
        let writer = appending(&store, "/b", vec![7; 30_000]);
        let (first, second, watcher) = (store.clone(), store.clone(), store.clone());
        let threads = [
            run(move || delete(&first, "/a").unwrap()),
            run(move || {
                // The upload continues elsewhere: only `/b` is deleted.
                now(second.rename(&path("/b"), &path("/d"), NONE)).unwrap();
                delete(&second, "/d").unwrap();
            }),
            run(move || drop(now(writer.commit_to(&path("/c"), NONE)).unwrap())),
        ];
        for _ in 0..3 {
            let usage = watcher.usage();
            assert!(usage.held() < 500_000, "{usage:?}");
        }
        threads.into_iter().for_each(join);
        let usage = store.usage();
        assert_eq!((usage.committed, usage.uploads, usage.pinned), (120_000, 0, 0));
        drop(watcher);
        nothing_is_held(store);
    });
}

#[test]
fn an_append_is_opened_while_the_file_is_replaced() {
    check(|| {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 70_000]);
        let (appender, putter) = (store.clone(), store.clone());
        let append = run(move || {
            let writer = appending(&appender, "/a", vec![7; 20_000]);
            now(writer.commit_to(&path("/b"), NONE)).unwrap().size
        });
        let replace = run(move || drop(put(&putter, "/a", vec![8; 30_000])));
        let size = join(append);
        join(replace);
        let committed = match size {
            90_000 => 120_000,
            // The append extends the new file, and shares it.
            50_000 => 50_000,
            size => panic!("{size} bytes"),
        };
        let usage = store.usage();
        assert_eq!((usage.committed, usage.uploads, usage.pinned), (committed, 0, 0));
        nothing_is_held(store);
    });
}

#[test]
fn two_puts_and_room_for_one() {
    check(|| {
        let store = InMemory::builder().capacity(20_000 + 1000).build();
        let put = |at: &'static str| {
            let store = store.clone();
            run(move || now(store.put(&path(at), vec![7; 20_000])))
        };
        let results = [put("/a"), put("/b")].map(join);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        for result in results.iter().filter(|result| result.is_err()) {
            assert!(matches!(error_kind(result), Some(ErrorKind::StorageFull { .. })));
        }
        nothing_is_held(store);
    });
}

#[test]
fn the_pool_is_emptied_and_filled_at_once() {
    check(|| {
        let builder = InMemory::builder().segment_size(4096).pool(3 * 4096);
        let store = builder.capacity(100_000).build();
        let write = |at: &'static str| {
            let store = store.clone();
            run(move || {
                for _ in 0..2 {
                    put(&store, at, Bytes::from_static(&[7; 3 * 4096]));
                    delete(&store, at).unwrap();
                }
            })
        };
        let threads = [write("/a"), write("/b")];
        threads.into_iter().for_each(join);
        let usage = store.usage();
        assert!(usage.pooled <= 3 * 4096 && usage.pooled.is_multiple_of(4096), "{usage:?}");
        assert_eq!(usage.held(), usage.pooled);
        // All pooled buffers are freed for it.
        put(&store, "/a", vec![7; 99_000]);
        assert_eq!(store.usage().pooled, 0);
        nothing_is_held(store);
    });
}
