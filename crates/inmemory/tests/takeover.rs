//! Which buffers are taken over as they are, which are copied, and that nothing is ever moved.

#[path = "support/store.rs"]
mod support;

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use bytes::{BufMut, Bytes, BytesMut};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt, WriterOptions};
use support::{KIB, MIB, append, content, kind, path, pattern, places, put, segments, upload};

/// From this many bytes on, buffers are taken over.
const TAKE_OVER: usize = 16 * KIB;

/// A buffer that tells when it is freed.
struct Watched {
    data: Vec<u8>,
    freed: Arc<AtomicBool>,
}

impl AsRef<[u8]> for Watched {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.freed.store(true, Relaxed);
    }
}

fn watched(data: Vec<u8>) -> (Bytes, Arc<AtomicBool>) {
    let freed = Arc::new(AtomicBool::new(false));
    (Bytes::from_owner(Watched { data, freed: Arc::clone(&freed) }), freed)
}

/// Uploads `data` and says whether the file is the very buffer.
fn is_taken_over(data: Bytes) -> bool {
    let (place, expected) = (data.as_ptr(), data.to_vec());
    block_on(async {
        let store = InMemory::new();
        upload(&store, "/a", data).await;
        assert_eq!(content(&store, "/a").await, expected);
        places(&store, "/a").await == [place]
    })
}

/// Uploads `data`, and returns how many bytes of memory the file has.
fn memory_of(data: impl Into<Bytes>) -> usize {
    block_on(async {
        let store = InMemory::new();
        let data = data.into();
        let expected = data.to_vec();
        upload(&store, "/a", data).await;
        assert_eq!(content(&store, "/a").await, expected);
        store.usage().committed as usize
    })
}

/// A buffer of `length` bytes in an allocation of `capacity`.
fn with_capacity(length: usize, capacity: usize) -> Bytes {
    let mut buffer = Vec::with_capacity(capacity);
    buffer.extend_from_slice(&pattern(1, length));
    assert_eq!(buffer.capacity(), capacity);
    buffer.into()
}

/// The only slice there is of a buffer of `length` bytes.
fn slice(length: usize, range: Range<usize>) -> Bytes {
    Bytes::from(pattern(1, length)).slice(range)
}

#[test]
fn a_buffer_of_one_owner_is_taken_over() {
    assert!(is_taken_over(Bytes::from(pattern(1, TAKE_OVER))));
    assert!(is_taken_over(Bytes::from(pattern(1, 5 * MIB))));
}

#[test]
fn a_boxed_slice_is_taken_over() {
    assert!(is_taken_over(Bytes::from(pattern(1, TAKE_OVER).into_boxed_slice())));
}

#[test]
fn a_frozen_bytes_mut_is_taken_over() {
    let mut buffer = BytesMut::with_capacity(TAKE_OVER);
    buffer.put(&pattern(1, TAKE_OVER)[..]);
    assert!(is_taken_over(buffer.freeze()));
}

#[test]
fn one_byte_less_than_16_kib_is_copied() {
    assert!(!is_taken_over(Bytes::from(pattern(1, TAKE_OVER - 1))));
    assert_eq!(memory_of(pattern(1, TAKE_OVER - 1)), TAKE_OVER - 1);
}

#[test]
fn what_is_put_is_taken_over_too() {
    block_on(async {
        let store = InMemory::new();
        let data = Bytes::from(pattern(1, TAKE_OVER));
        let place = data.as_ptr();
        put(&store, "/a", data).await;
        assert_eq!(places(&store, "/a").await, [place]);
    });
}

#[test]
fn each_part_of_a_payload_is_taken_over() {
    block_on(async {
        let store = InMemory::new();
        let parts: Vec<_> = (0..300).map(|n| Bytes::from(pattern(n, TAKE_OVER))).collect();
        let expected: Vec<_> = parts.iter().map(|part| part.as_ptr()).collect();
        let payload = storage_driver::Payload::from_iter(parts);
        store.put(&path("/a"), payload).await.unwrap();
        assert_eq!(places(&store, "/a").await, expected);
    });
}

#[test]
fn a_taken_over_buffer_counts_whole() {
    assert_eq!(memory_of(with_capacity(64 * KIB, 64 * KIB + 500)), 64 * KIB + 500);
}

#[test]
fn waste_of_one_part_in_64_is_taken_over() {
    assert!(is_taken_over(with_capacity(64 * KIB, 65 * KIB)));
}

#[test]
fn waste_of_more_than_one_part_in_64_is_copied() {
    assert!(!is_taken_over(with_capacity(64 * KIB, 65 * KIB + 1)));
    assert_eq!(memory_of(with_capacity(64 * KIB, 65 * KIB + 1)), 64 * KIB);
}

#[test]
fn waste_before_the_bytes_counts_as_waste_behind_them() {
    assert_eq!(memory_of(slice(65 * KIB, KIB..65 * KIB)), 65 * KIB);
    assert_eq!(memory_of(slice(65 * KIB, KIB + 1..65 * KIB)), 64 * KIB - 1);
}

#[test]
fn a_slice_at_the_front_of_a_big_buffer_is_copied() {
    assert_eq!(memory_of(slice(MIB, 0..20 * KIB)), 20 * KIB);
}

#[test]
fn a_slice_in_the_middle_of_a_big_buffer_is_copied() {
    assert_eq!(memory_of(slice(MIB, 300 * KIB..320 * KIB)), 20 * KIB);
}

#[test]
fn a_slice_at_the_end_of_a_big_buffer_is_copied() {
    assert_eq!(memory_of(slice(MIB, MIB - 20 * KIB..MIB)), 20 * KIB);
}

#[test]
fn the_last_piece_of_a_read_buffer_is_copied() {
    // What hyper does: a buffer is filled, pieces are split off, and the last has the buffer alone.
    let mut buffer = BytesMut::with_capacity(256 * KIB);
    buffer.put(&pattern(1, 256 * KIB)[..]);
    drop(buffer.split_to(236 * KIB));
    let last = buffer.split().freeze();
    drop(buffer);
    assert_eq!(last.len(), 20 * KIB);
    assert_eq!(memory_of(last), 20 * KIB);
}

#[test]
fn the_first_piece_of_a_read_buffer_is_copied() {
    let mut buffer = BytesMut::with_capacity(256 * KIB);
    buffer.put(&pattern(1, 256 * KIB)[..]);
    let first = buffer.split_to(20 * KIB).freeze();
    drop(buffer);
    assert_eq!(memory_of(first), 20 * KIB);
}

#[test]
fn a_read_buffer_is_free_again_after_each_piece() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        let mut buffer = BytesMut::with_capacity(64 * KIB);
        let place = buffer.as_ptr();
        let mut expected = Vec::new();
        for round in 0..20 {
            buffer.reserve(64 * KIB);
            assert_eq!(buffer.as_ptr(), place, "the buffer is pinned");
            let data = pattern(round, 64 * KIB);
            buffer.put(&data[..]);
            for length in [40 * KIB, 24 * KIB] {
                writer.write(buffer.split_to(length).freeze()).await.unwrap();
            }
            expected.extend(data);
        }
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, expected);
        assert_eq!(store.usage().committed, expected.len() as u64);
    });
}

#[test]
fn a_buffer_of_a_foreign_owner_is_copied_and_freed() {
    block_on(async {
        for range in [0..MIB, 0..20 * KIB, 300 * KIB..320 * KIB, MIB - 20 * KIB..MIB] {
            let store = InMemory::new();
            let (data, freed) = watched(pattern(1, MIB));
            let mut writer = store.create(&path("/a")).await.unwrap();
            writer.write(data.slice(range.clone())).await.unwrap();
            assert!(!freed.load(Relaxed));
            drop(data);
            assert!(freed.load(Relaxed), "{range:?} pins the buffer");
            writer.commit().await.unwrap();
            assert_eq!(content(&store, "/a").await, pattern(1, MIB)[range]);
        }
    });
}

#[test]
fn a_buffer_that_somebody_else_holds_is_copied() {
    let data = Bytes::from(pattern(1, TAKE_OVER));
    let clone = data.clone();
    assert!(!is_taken_over(data));
    assert_eq!(clone, pattern(1, TAKE_OVER));
}

#[test]
fn static_bytes_are_copied() {
    static DATA: [u8; TAKE_OVER] = [7; TAKE_OVER];
    assert!(!is_taken_over(Bytes::from_static(&DATA)));
}

#[test]
fn what_another_file_holds_is_copied() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", pattern(1, TAKE_OVER)).await;
        let segment = segments(&store, "/a").await.remove(0);
        upload(&store, "/b", segment).await;
        assert_ne!(places(&store, "/a").await, places(&store, "/b").await);
        assert_eq!(store.usage().committed, 2 * TAKE_OVER as u64);
    });
}

#[test]
fn a_slice_that_is_written_through_async_write_is_copied() {
    block_on(async {
        use tokio::io::AsyncWriteExt;
        let store = InMemory::new();
        let data = pattern(1, TAKE_OVER);
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write_all(&data).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, data);
        assert_ne!(places(&store, "/a").await, [data.as_ptr()]);
    });
}

#[test]
fn a_vouched_buffer_is_taken_over_though_it_is_shared() {
    block_on(async {
        let store = InMemory::new();
        let (data, freed) = watched(pattern(1, TAKE_OVER));
        let options = WriterOptions::create().owned_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        writer.write(data.clone()).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(places(&store, "/a").await, [data.as_ptr()]);
        assert_eq!(store.usage().committed, TAKE_OVER as u64);
        drop(data);
        assert!(!freed.load(Relaxed));
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        assert!(freed.load(Relaxed));
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn a_vouched_piece_of_less_than_16_kib_is_packed() {
    block_on(async {
        let store = InMemory::new();
        let options = WriterOptions::create().owned_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        let (data, freed) = watched(pattern(1, TAKE_OVER - 1));
        writer.write(data).await.unwrap();
        assert!(freed.load(Relaxed));
        writer.commit().await.unwrap();
        assert_eq!(store.usage().committed, TAKE_OVER as u64 - 1);
    });
}

#[test]
fn vouching_holds_for_the_writer_that_was_opened_so() {
    block_on(async {
        let store = InMemory::new();
        store.create(&path("/a")).await.unwrap().close().await.unwrap();
        let options = WriterOptions::resume().owned_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        let vouched = Bytes::from_owner(pattern(1, TAKE_OVER));
        writer.write(vouched.clone()).await.unwrap();
        writer.close().await.unwrap();
        let mut writer = store.resume(&path("/a")).await.unwrap();
        let copied = Bytes::from_owner(pattern(2, TAKE_OVER));
        writer.write(copied.clone()).await.unwrap();
        writer.commit().await.unwrap();
        let places = places(&store, "/a").await;
        assert_eq!(places[0], vouched.as_ptr());
        assert!(!places.contains(&copied.as_ptr()));
    });
}

#[test]
fn tiny_pieces_are_packed() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        let data = pattern(1, 300_000);
        for piece in data.chunks(3) {
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        writer.commit().await.unwrap();
        let lengths: Vec<_> =
            segments(&store, "/a").await.iter().map(|segment| segment.len()).collect();
        let rest = 300_000 - 256 * KIB;
        let doubling = [4, 4, 8, 16, 32, 64, 128].map(|size| size * KIB);
        assert_eq!(lengths, [&doubling[..], &[rest]].concat());
        assert_eq!(content(&store, "/a").await, data);
    });
}

#[test]
fn no_packed_segment_is_larger_than_the_segment_size() {
    block_on(async {
        let store = InMemory::builder().segment_size(20_000).build();
        let mut writer = store.create(&path("/a")).await.unwrap();
        for seed in 0..50 {
            writer.write(Bytes::from_owner(pattern(seed, 30_000))).await.unwrap();
        }
        writer.commit().await.unwrap();
        let segments = segments(&store, "/a").await;
        assert_eq!(segments.len(), 75);
        assert!(segments.iter().all(|segment| segment.len() == 20_000));
    });
}

#[test]
fn a_segment_has_at_least_4_kib() {
    block_on(async {
        let store = InMemory::builder().segment_size(1).build();
        upload(&store, "/a", Bytes::from_owner(pattern(1, 10 * KIB))).await;
        let lengths: Vec<_> =
            segments(&store, "/a").await.iter().map(|segment| segment.len()).collect();
        assert_eq!(lengths, [4 * KIB, 4 * KIB, 2 * KIB]);
    });
}

#[test]
fn what_is_packed_and_what_is_taken_over_keep_their_order() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        let mut expected = Vec::new();
        let mut taken_over = Vec::new();
        for seed in 0..20 {
            let length = if seed % 3 == 0 { TAKE_OVER } else { 100 };
            let data = pattern(seed, length);
            expected.extend_from_slice(&data);
            let data = Bytes::from(data);
            taken_over.extend((length == TAKE_OVER).then_some(data.as_ptr()));
            writer.write(data).await.unwrap();
        }
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, expected);
        let places = places(&store, "/a").await;
        assert!(taken_over.iter().all(|place| places.contains(place)));
        assert_eq!(places.len(), 14, "two tiny pieces between two large ones share a segment");
    });
}

/// A store with a file of packed segments and of one that was taken over.
async fn mixed() -> (InMemory, Vec<*const u8>) {
    let store = InMemory::new();
    let mut writer = store.create(&path("/a")).await.unwrap();
    for seed in 0..30 {
        writer.write(Bytes::from_owner(pattern(seed, 10 * KIB))).await.unwrap();
    }
    writer.write(pattern(1, 40 * KIB)).await.unwrap();
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
            writer.write(Bytes::copy_from_slice(piece)).await.unwrap();
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
        store.touch(&path("/a")).await.unwrap();
        assert_eq!(places(&store, "/a").await, before);
    });
}

#[test]
fn a_resumed_upload_keeps_its_segments_where_they_are() {
    block_on(async {
        let store = InMemory::new();
        store.create(&path("/a")).await.unwrap().close().await.unwrap();
        let mut expected = Vec::new();
        for seed in 0..100 {
            let mut writer = store.resume(&path("/a")).await.unwrap();
            let data = Bytes::from(pattern(seed, TAKE_OVER));
            expected.push(data.as_ptr());
            writer.write(data).await.unwrap();
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
        let data = Bytes::from(pattern(1, TAKE_OVER));
        let place = data.as_ptr();
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write(data).await.unwrap();
        let failed = writer.commit_to(&path("/dir"), Precondition::None).await;
        assert_eq!(kind(failed), ErrorKind::PathConflict);
        let mut writer = store.resume(&path("/a")).await.unwrap();
        writer.write("more").await.unwrap();
        writer.commit_to(&path("/b"), Precondition::IfAbsent).await.unwrap();
        assert_eq!(places(&store, "/b").await[0], place);
        assert_eq!(store.stat(&path("/b")).await.unwrap().into_file().unwrap().size, 16_388);
    });
}

#[test]
fn a_small_last_commit_is_packed_with_what_is_appended() {
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
fn a_small_last_commit_is_copied_without_what_was_before_it() {
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
        put(&store, "/a", "a little").await;
        let before = places(&store, "/a").await;
        append(&store, "/a", pattern(1, TAKE_OVER)).await;
        assert_eq!(places(&store, "/a").await[..1], before);
        assert_eq!(store.usage().committed, 8 + TAKE_OVER as u64);
    });
}
