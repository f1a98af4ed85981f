//! The memory that `usage` reports, by owner.

use std::thread;

use crate::support::{KIB, append, in_use, path, put};
use bytes::Bytes;
use futures::executor::block_on;
use inmemory::{InMemory, Usage};
use storage_driver::{
    Path, Precondition, ReadRange, Reader, StorageDriver, StorageDriverExt, WalkOptions,
};

const SEGMENT_SIZE: usize = 4 * KIB;

/// Content by owner: files, uploads, readers.
fn counted(store: &InMemory) -> (u64, u64, u64) {
    let usage = store.usage();
    (usage.committed, usage.uploads, usage.pinned)
}

async fn delete(store: &InMemory, at: &str) {
    store.delete(&path(at), Precondition::None).await.unwrap();
}

#[test]
fn a_new_store_holds_nothing() {
    assert_eq!(InMemory::new().usage(), Usage::default());
    assert_eq!(Usage::default().held(), 0);
}

#[test]
fn a_file_counts_with_its_index() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/name", vec![7; 1000]).await;
        let usage = store.usage();
        assert_eq!(counted(&store), (1000, 0, 0));
        let index = Usage::FILE + 4;
        assert_eq!((usage.index, usage.held()), (index as u64, 1000 + index as u64));
    });
}

#[test]
fn an_empty_file_has_no_segment() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/name", "").await;
        assert_eq!(counted(&store), (0, 0, 0));
        assert_eq!(store.usage().index, (Usage::FILE + 4) as u64);
    });
}

#[test]
fn an_upload_counts_with_its_open_tail() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/name")).await.unwrap();
        assert_eq!(store.usage().index, (Usage::UPLOAD + 5) as u64);
        writer.write_bytes("x").await.unwrap();
        assert_eq!(counted(&store), (0, 4096, 0));
        assert_eq!(store.usage().index, (Usage::UPLOAD + 5 + Usage::SEGMENT) as u64);
        writer.commit().await.unwrap();
        assert_eq!(counted(&store), (1, 0, 0));
    });
}

#[test]
fn a_cancelled_upload_releases_everything() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write_bytes(vec![7; 100_000]).await.unwrap();
        writer.write_bytes("x").await.unwrap();
        writer.cancel().await.unwrap();
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_fenced_writer_holds_no_content() {
    block_on(async {
        let store = InMemory::new();
        let mut fenced = store.create(&path("/a")).await.unwrap();
        fenced.write_bytes(vec![7; 100_000]).await.unwrap();
        let _writer = store.create(&path("/a")).await.unwrap();
        assert_eq!(counted(&store), (0, 0, 0));
        drop(fenced);
        assert_eq!(store.usage().held(), (Usage::UPLOAD + 2) as u64);
    });
}

#[test]
fn a_refused_write_releases_everything() {
    block_on(async {
        let store = InMemory::builder().capacity(10_000).build();
        assert!(store.put(&path("/a/b/c"), vec![7; 9600]).await.is_err());
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_failed_put_releases_everything() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", "x").await;
        let before = in_use(&store);
        assert!(store.put(&path("/a/b"), vec![7; 100_000]).await.is_err());
        let absent = Precondition::IfAbsent;
        assert!(store.put_content(&path("/a"), "more".into(), absent).await.is_err());
        assert_eq!(in_use(&store), before);
    });
}

#[test]
fn a_reader_pins_deleted_content() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let reader = store.reader(&path("/a"), ReadRange::Suffix(1)).await.unwrap();
        assert_eq!(counted(&store), (1000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (0, 0, 1000));
        drop(reader);
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn bytes_pin_the_segment_that_they_are_of() {
    block_on(async {
        let store = InMemory::builder().segment_size(SEGMENT_SIZE).build();
        put(&store, "/a", Bytes::from_owner(vec![7; 5 * SEGMENT_SIZE])).await;
        let range = ReadRange::Bounded(2 * 4096 + 7..2 * 4096 + 9);
        let two = store.get_range(&path("/a"), range, 2).await.unwrap().into_bytes();
        put(&store, "/a", "").await;
        assert_eq!(counted(&store), (0, 0, SEGMENT_SIZE as u64));
        assert_eq!(two.len(), 2);
        drop(two);
        assert_eq!(counted(&store), (0, 0, 0));
    });
}

#[test]
fn content_shared_by_a_copy_counts_once() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 10_000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        assert_eq!(counted(&store), (10_000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (10_000, 0, 0));
        delete(&store, "/b").await;
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn small_content_is_copied_and_counts_twice() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 4 << 10]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        assert_eq!(counted(&store), (8 << 10, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (4 << 10, 0, 0));
    });
}

#[test]
fn content_shared_by_an_append_counts_once() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        append(&store, "/b", vec![7; 20_000]).await;
        assert_eq!(counted(&store), (120_000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (120_000, 0, 0));
        delete(&store, "/b").await;
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn an_append_holds_the_file_that_was_deleted_under_it() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        append(&store, "/a", vec![7; 100_000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        let mut writer = store.append(&path("/b")).await.unwrap();
        writer.write_bytes(vec![7; 20_000]).await.unwrap();
        assert_eq!(counted(&store), (200_000, 20_000, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (200_000, 20_000, 0));
        put(&store, "/b", "").await;
        assert_eq!(counted(&store), (0, 220_000, 0));
        writer.commit_to(&path("/c"), Precondition::None).await.unwrap();
        assert_eq!(counted(&store), (220_000, 0, 0));
        store.delete_many(&[path("/b"), path("/c")]).await.unwrap();
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn an_append_that_is_cancelled_leaves_the_file_alone() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        let before = in_use(&store);
        let mut writer = store.append(&path("/a")).await.unwrap();
        writer.write_bytes(vec![7; 20_000]).await.unwrap();
        writer.cancel().await.unwrap();
        assert_eq!(in_use(&store), before);
    });
}

#[test]
fn a_small_file_that_an_append_copies_counts_twice_until_the_commit() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let mut writer = store.append(&path("/a")).await.unwrap();
        writer.write_bytes("x").await.unwrap();
        assert_eq!(counted(&store), (1000, 4096, 0));
        writer.commit().await.unwrap();
        assert_eq!(counted(&store), (1001, 0, 0));
    });
}

#[test]
fn entries_that_a_walk_has_not_returned_are_held() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let walk = store.walk(&Path::root(), WalkOptions::new());
        delete(&store, "/a").await;
        assert!(store.usage().held() >= 1000);
        drop(walk);
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_shutdown_releases_everything() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a/b", vec![7; 1000]).await;
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write_bytes(vec![7; 100_000]).await.unwrap();
        let reader = store.reader(&path("/a/b"), ReadRange::Full).await.unwrap();
        store.shutdown().await.unwrap();
        assert_eq!(counted(&store), (0, 0, 1000));
        drop((reader, writer));
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn every_name_and_directory_is_given_back() {
    block_on(async {
        let store = InMemory::new();
        for number in 0..3000 {
            put(&store, &format!("/{}/{}/{number}", number % 7, number % 70), "").await;
        }
        assert!(store.usage().index >= 3000 * Usage::FILE as u64);
        for number in (0..3000).rev() {
            delete(&store, &format!("/{}/{}/{number}", number % 7, number % 70)).await;
        }
        assert_eq!(store.usage().held(), 0);
    });
}

const APPENDS: u64 = 10_000;
/// More than an append copies, with segments of 4 KiB.
const APPENDED: u64 = 4097;

/// A store with a file that was appended to ten thousand times, a copy of its state after half
/// of them, and a reader of that copy.
async fn appended() -> (InMemory, Reader) {
    let store = InMemory::builder().segment_size(SEGMENT_SIZE).build();
    put(&store, "/a", vec![7; APPENDED as usize]).await;
    let mut reader = None;
    for number in 1..APPENDS {
        if number == APPENDS / 2 {
            store.copy(&path("/a"), &path("/half"), Precondition::None).await.unwrap();
            reader = Some(store.reader(&path("/half"), ReadRange::Full).await.unwrap());
        }
        append(&store, "/a", vec![7; APPENDED as usize]).await;
    }
    (store, reader.unwrap())
}

#[test]
fn ten_thousand_appends_count_right_and_drop_without_recursion() {
    let body = || {
        block_on(async {
            let (store, reader) = appended().await;
            assert_eq!(counted(&store), (APPENDS * APPENDED, 0, 0));
            let upload = store.append(&path("/a")).await.unwrap();
            delete(&store, "/half").await;
            assert_eq!(counted(&store), (APPENDS * APPENDED, 0, 0));
            put(&store, "/a", "").await;
            assert_eq!(counted(&store), (0, APPENDS * APPENDED, 0));
            upload.cancel().await.unwrap();
            assert_eq!(counted(&store), (0, 0, APPENDS / 2 * APPENDED));
            drop(reader);
            delete(&store, "/a").await;
            // The drop frees a part of what the reader held, and the shutdown the rest.
            store.shutdown().await.unwrap();
            assert_eq!(store.usage().held(), 0);
        });
    };
    thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}
