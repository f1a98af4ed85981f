//! Content that is held is never moved: not by later writes, and not by a commit, rename or copy.

use crate::support::{KIB, append, content, kind, path, pattern, places, put, segments, upload};
use bytes::Bytes;
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};

/// A store with a file of packed segments and of an adopted one.
async fn mixed() -> (InMemory, Vec<*const u8>) {
    let store = InMemory::new();
    let mut writer = store.create(&path("/a")).await.unwrap();
    for seed in 0..30 {
        writer.write_bytes(Bytes::from_owner(pattern(seed, 10 * KIB))).await.unwrap();
    }
    writer.write_bytes(pattern(1, 40 * KIB)).await.unwrap();
    writer.commit().await.unwrap();
    let places = places(&store, "/a").await;
    assert!(places.len() > 3);
    (store, places)
}

#[test]
fn an_append_moves_nothing() {
    block_on(async {
        let (store, before) = mixed().await;
        for seed in 0..50 {
            append(&store, "/a", pattern(seed, 70 * KIB)).await;
            assert_eq!(places(&store, "/a").await[..before.len()], before);
        }
    });
}

#[test]
fn an_append_of_tiny_pieces_moves_nothing() {
    block_on(async {
        let (store, before) = mixed().await;
        let mut writer = store.append(&path("/a")).await.unwrap();
        for piece in pattern(1, 200 * KIB).chunks(100) {
            writer.write_bytes(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        writer.commit().await.unwrap();
        assert_eq!(places(&store, "/a").await[..before.len()], before);
    });
}

#[test]
fn a_copy_shares_every_segment() {
    block_on(async {
        let (store, before) = mixed().await;
        let memory = store.usage().committed;
        store.copy(&path("/a"), &path("/b/c"), Precondition::None).await.unwrap();
        assert_eq!(places(&store, "/b/c").await, before);
        assert_eq!(store.usage().committed, memory);
    });
}

#[test]
fn a_rename_moves_no_byte() {
    block_on(async {
        let (store, before) = mixed().await;
        store.rename(&path("/a"), &path("/b/c"), Precondition::None).await.unwrap();
        assert_eq!(places(&store, "/b/c").await, before);
        store.rename_dir(&path("/b"), &path("/d")).await.unwrap();
        assert_eq!(places(&store, "/d/c").await, before);
    });
}

#[test]
fn a_touch_moves_no_byte() {
    block_on(async {
        let (store, before) = mixed().await;
        store.touch(&path("/a"), Precondition::None).await.unwrap();
        assert_eq!(places(&store, "/a").await, before);
    });
}

#[test]
fn a_resumed_upload_keeps_its_segments_where_they_are() {
    block_on(async {
        let store = InMemory::new();
        store.create(&path("/a")).await.unwrap().suspend().await.unwrap();
        let mut expected = Vec::new();
        for seed in 0..100 {
            let mut writer = store.resume(&path("/a")).await.unwrap();
            let data = Bytes::from(pattern(seed, 16 * KIB));
            expected.push(data.as_ptr());
            writer.write_bytes(data).await.unwrap();
        }
        store.resume(&path("/a")).await.unwrap().commit().await.unwrap();
        assert_eq!(places(&store, "/a").await, expected);
    });
}

#[test]
fn a_commit_that_failed_moves_nothing() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/dir/file", "x").await;
        let data = Bytes::from(pattern(1, 16 * KIB));
        let place = data.as_ptr();
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write_bytes(data).await.unwrap();
        let failed = writer.commit_to(&path("/dir"), Precondition::None).await;
        assert_eq!(kind(failed), ErrorKind::PathConflict);
        let mut writer = store.resume(&path("/a")).await.unwrap();
        writer.write_bytes("more").await.unwrap();
        writer.commit_to(&path("/b"), Precondition::IfAbsent).await.unwrap();
        assert_eq!(places(&store, "/b").await[0], place);
        assert_eq!(store.stat(&path("/b")).await.unwrap().into_file().unwrap().size, 16_388);
    });
}

#[test]
fn a_small_last_commit_is_packed_with_the_append() {
    block_on(async {
        let store = InMemory::new();
        let digits: String = (0..500).map(|n| char::from(b'0' + (n % 7) as u8)).collect();
        put(&store, "/a", "").await;
        for at in 0..500 {
            append(&store, "/a", digits[at..=at].to_owned()).await;
        }
        assert_eq!(content(&store, "/a").await, digits);
        assert_eq!(segments(&store, "/a").await.len(), 1);
        assert_eq!(store.usage().committed, 500);
    });
}

#[test]
fn a_last_commit_of_64_kib_is_copied_and_a_byte_more_is_shared() {
    block_on(async {
        for (length, shared) in [(64 * KIB, false), (64 * KIB + 1, true)] {
            let store = InMemory::new();
            put(&store, "/a", pattern(1, length)).await;
            let before = places(&store, "/a").await;
            append(&store, "/a", "more").await;
            let after = places(&store, "/a").await;
            assert_eq!(after[..1] == before, shared, "{length} bytes");
            let expected = [pattern(1, length), b"more".to_vec()].concat();
            assert_eq!(content(&store, "/a").await, expected);
            assert_eq!(store.usage().committed, expected.len() as u64);
        }
    });
}

#[test]
fn a_small_last_commit_is_copied_without_earlier_content() {
    block_on(async {
        let (store, before) = mixed().await;
        append(&store, "/a", "one ").await;
        append(&store, "/a", "two ").await;
        append(&store, "/a", "three").await;
        let after = segments(&store, "/a").await;
        assert_eq!(after.len(), before.len() + 1);
        assert_eq!(after[before.len()], "one two three");
        assert_eq!(places(&store, "/a").await[..before.len()], before);
    });
}

#[test]
fn an_append_that_takes_a_buffer_over_shares_even_a_little() {
    block_on(async {
        let store = InMemory::new();
        upload(&store, "/a", pattern(2, 5000)).await;
        let before = places(&store, "/a").await;
        append(&store, "/a", pattern(1, 16 * KIB)).await;
        assert_eq!(places(&store, "/a").await[..1], before);
        assert_eq!(store.usage().committed, 5000 + 16 * KIB as u64);
    });
}
