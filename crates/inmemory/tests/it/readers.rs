//! Readers and walks are snapshots: no change of the file, the store or the handle affects them.

use crate::support::{KIB, MIB, append, content, kind, path, pattern, put, segments, upload};
use bytes::{Buf, Bytes};
use futures::{StreamExt, TryStreamExt, executor::block_on};
use inmemory::InMemory;
use storage_driver::{
    ErrorKind, Path, Precondition, ReadRange, Reader, StorageDriver, StorageDriverExt, WalkOptions,
};

const LENGTH: usize = 50 * KIB;

/// A store with a file of 50 KiB in 4 KiB segments, and a reader of it that has begun.
async fn begun() -> (InMemory, Reader, Vec<u8>) {
    let store = InMemory::builder().segment_size(4 * KIB).build();
    upload(&store, "/dir/a", Bytes::from_owner(pattern(1, LENGTH))).await;
    let mut reader = store.reader(&path("/dir/a"), ReadRange::Full).await.unwrap();
    let first = reader.next().await.unwrap().unwrap().to_vec();
    assert_eq!(first, pattern(1, 4 * KIB));
    (store, reader, first)
}

/// Continues to read after `change`, which must not be visible.
fn holds(change: impl AsyncFn(&InMemory)) {
    block_on(async {
        let (store, reader, mut read) = begun().await;
        let metadata = reader.metadata().clone();
        change(&store).await;
        assert_eq!(reader.metadata(), &metadata);
        assert_eq!(reader.remaining(), (LENGTH - 4 * KIB) as u64);
        read.extend(reader.try_collect::<Vec<_>>().await.unwrap().concat());
        assert_eq!(read, pattern(1, LENGTH));
    });
}

#[test]
fn a_reader_holds_when_the_file_is_replaced() {
    holds(async |store| put(store, "/dir/a", "new").await);
}

#[test]
fn a_reader_holds_when_the_file_is_deleted() {
    holds(async |store| store.delete_dir(&path("/dir")).await.unwrap());
}

#[test]
fn a_reader_holds_when_the_file_is_renamed() {
    holds(async |store| {
        store.rename_dir(&path("/dir"), &path("/other")).await.unwrap();
        store.rename(&path("/other/a"), &path("/b"), Precondition::None).await.unwrap();
        put(store, "/b", "new").await;
    });
}

#[test]
fn a_reader_holds_when_the_file_is_renamed_over() {
    holds(async |store| {
        put(store, "/b", "new").await;
        store.rename(&path("/b"), &path("/dir/a"), Precondition::None).await.unwrap();
    });
}

#[test]
fn a_reader_holds_when_the_file_is_appended_to() {
    holds(async |store| {
        append(store, "/dir/a", "more").await;
        append(store, "/dir/a", pattern(2, 100_000)).await;
    });
}

#[test]
fn a_reader_holds_when_the_file_is_touched_and_copied_over() {
    holds(async |store| {
        store.touch(&path("/dir/a"), Precondition::None).await.unwrap();
        put(store, "/b", "new").await;
        store.copy(&path("/b"), &path("/dir/a"), Precondition::None).await.unwrap();
    });
}

#[test]
fn a_reader_holds_when_the_store_is_shut_down() {
    holds(async |store| store.shutdown().await.unwrap());
}

#[test]
fn a_reader_holds_when_every_handle_is_dropped() {
    block_on(async {
        let (store, reader, mut read) = begun().await;
        drop(store);
        read.extend(reader.try_collect::<Vec<_>>().await.unwrap().concat());
        assert_eq!(read, pattern(1, LENGTH));
    });
}

#[test]
fn a_writer_works_when_every_handle_is_dropped() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        drop(store);
        writer.write_bytes("x").await.unwrap();
        assert_eq!(writer.commit().await.unwrap().size, 1);
    });
}

#[test]
fn bytes_outlive_reader_file_and_store() {
    block_on(async {
        let (store, reader, _) = begun().await;
        let bytes: Vec<Bytes> = reader.try_collect().await.unwrap();
        store.delete(&path("/dir/a"), Precondition::None).await.unwrap();
        drop(store);
        assert_eq!(bytes.concat(), pattern(1, LENGTH)[4 * KIB..]);
    });
}

#[test]
fn content_outlives_file_and_store() {
    block_on(async {
        let (store, _, _) = begun().await;
        let content = store.get_content(&path("/dir/a"), u64::MAX).await.unwrap();
        drop(store);
        assert_eq!(content.remaining(), LENGTH);
        assert_eq!(content.into_bytes(), pattern(1, LENGTH));
    });
}

#[test]
fn a_reader_that_has_ended_pins_nothing() {
    block_on(async {
        let (store, mut reader, _) = begun().await;
        store.delete_dir(&path("/dir")).await.unwrap();
        while reader.next().await.transpose().unwrap().is_some() {}
        assert_eq!(store.usage().held(), 0);
        drop(reader);
    });
}

#[test]
fn a_read_copies_nothing() {
    block_on(async {
        let store = InMemory::new();
        let data = Bytes::from(pattern(1, LENGTH));
        let place = data.as_ptr();
        put(&store, "/a", data).await;
        assert_eq!(content(&store, "/a").await.as_ptr(), place);
        let range = store.get_range(&path("/a"), ReadRange::Offset(1000), u64::MAX).await.unwrap();
        assert_eq!(range.into_bytes().as_ptr(), place.wrapping_add(1000));
    });
}

#[test]
fn readers_share_the_segments() {
    block_on(async {
        let (store, _, _) = begun().await;
        let places = |segments: &[Bytes]| segments.iter().map(|s| s.as_ptr()).collect::<Vec<_>>();
        let (a, b) = (segments(&store, "/dir/a").await, segments(&store, "/dir/a").await);
        assert_eq!(places(&a), places(&b));
        assert_eq!(a.len(), 13);
    });
}

#[test]
fn every_range_is_cut_where_it_should_be() {
    block_on(async {
        let (store, _, _) = begun().await;
        let data = pattern(1, LENGTH);
        let cuts = [0, 1, 4095, 4096, 4097, 8192, 20_000, LENGTH - 1, LENGTH];
        for (start, end) in cuts.iter().flat_map(|&start| cuts.map(|end| (start, end))) {
            let range = ReadRange::Bounded(start as u64..end as u64);
            let reader = store.reader(&path("/dir/a"), range.clone()).await;
            if start > end {
                let size = LENGTH as u64;
                let invalid = ErrorKind::InvalidOffset { offset: start as u64, size };
                assert_eq!(kind(reader), invalid);
                continue;
            }
            let read: Vec<Bytes> = reader.unwrap().try_collect().await.unwrap();
            assert_eq!(read.concat(), data[start..end]);
            let got = store.get_range(&path("/dir/a"), range, LENGTH as u64).await.unwrap();
            assert_eq!(got.into_bytes(), data[start..end]);
        }
    });
}

#[test]
fn the_limit_is_on_the_range() {
    block_on(async {
        let (store, _, _) = begun().await;
        let at = path("/dir/a");
        let ten = store.get_range(&at, ReadRange::Suffix(10), 10).await.unwrap();
        assert_eq!(ten.remaining(), 10);
        let too_large = ErrorKind::ContentTooLarge { size: 10, limit: 9 };
        assert_eq!(kind(store.get_range(&at, ReadRange::Suffix(10), 9).await), too_large);
    });
}

#[test]
fn a_walk_holds_the_moment_when_it_began() {
    block_on(async {
        let store = InMemory::new();
        for number in 0..200 {
            put(&store, &format!("/{}/{number}", number % 10), "x").await;
        }
        let mut walk = store.walk(&Path::root(), WalkOptions::new());
        let first = walk.next().await.unwrap().unwrap();
        assert_eq!(first.path(), &path("/0"));
        for number in 0..200 {
            let at = path(&format!("/{}/{number}", number % 10));
            store.delete(&at, Precondition::None).await.unwrap();
            put(&store, &format!("/new/{number}"), "x").await;
        }
        let rest: Vec<_> = walk.try_collect().await.unwrap();
        assert_eq!(rest.len(), 9 + 200);
        assert!(rest.iter().all(|entry| !entry.path().starts_with(&path("/new"))));
    });
}

#[test]
fn a_walk_down_the_deepest_path_needs_no_recursion() {
    let body = || {
        block_on(async {
            let store = InMemory::new();
            let deepest = "/d".repeat(Path::MAX_BYTES / 2);
            put(&store, &deepest, "x").await;
            let walk = store.walk(&Path::root(), WalkOptions::new());
            let entries: Vec<_> = walk.try_collect().await.unwrap();
            assert_eq!(entries.len(), Path::MAX_BYTES / 2);
            let start = WalkOptions::new().start_after(path(&deepest));
            assert_eq!(store.walk(&Path::root(), start).count().await, 0);
            let walk = store.walk(&Path::root(), WalkOptions::new());
            store.delete_dir(&path("/d")).await.unwrap();
            drop(walk);
            assert_eq!(store.usage().held(), 0);
        });
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}

/// A store with a capacity of 4 MiB that holds a file of 3 MiB in segments of 4 KiB.
async fn nearly_full() -> InMemory {
    let store = InMemory::builder().segment_size(4 * KIB).capacity(4 * MIB as u64).build();
    upload(&store, "/a", Bytes::from_owner(pattern(1, 3 * MIB))).await;
    store
}

#[test]
fn a_reader_of_the_tail_of_a_deleted_file_pins_one_segment() {
    block_on(async {
        let store = nearly_full().await;
        let tail = store.reader(&path("/a"), ReadRange::Suffix(4 * KIB as u64)).await.unwrap();
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        assert_eq!(store.usage().pinned, 4 * KIB as u64);
        // There is room for another file of that size.
        upload(&store, "/b", Bytes::from_owner(pattern(2, 3 * MIB))).await;
        let read = tail.try_collect::<Vec<_>>().await.unwrap().concat();
        assert_eq!(read, pattern(1, 3 * MIB)[3 * MIB - 4 * KIB..]);
        assert_eq!(store.usage().pinned, 0);
    });
}

#[test]
fn a_reader_of_a_range_pins_the_segments_of_the_range() {
    block_on(async {
        let store = nearly_full().await;
        // It begins and ends in the middle of a segment, and spans several nodes of the rope.
        let range = (100 * KIB + 1) as u64..(1900 * KIB - 1) as u64;
        let reader = store.reader(&path("/a"), ReadRange::from(range)).await.unwrap();
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        assert_eq!(store.usage().pinned, 1800 * KIB as u64);
        drop(reader);
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_reader_of_a_deleted_file_releases_the_segments_that_it_returned() {
    block_on(async {
        let store = nearly_full().await;
        let mut reader = store.reader(&path("/a"), ReadRange::Full).await.unwrap();
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        let mut left = 3 * MIB as u64;
        while let Some(chunk) = reader.try_next().await.unwrap() {
            assert_eq!(store.usage().pinned, left);
            left -= chunk.len() as u64;
            drop(chunk);
            assert_eq!(store.usage().pinned, left);
        }
        assert_eq!(store.usage().held(), 0);
    });
}
