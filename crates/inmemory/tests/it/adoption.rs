//! Which buffers are adopted as they are, and which are copied and packed.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use crate::support::{KIB, MIB, content, path, pattern, places, put, segments, upload};
use bytes::{BufMut, Bytes, BytesMut};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{Precondition, StorageDriver, StorageDriverExt, WriterOptions};

/// The length from which on buffers are adopted.
const MIN_ADOPTED: usize = 16 * KIB;

/// A buffer that records when it is freed.
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

/// Uploads `data`; returns whether the file is the same buffer.
fn is_adopted(data: Bytes) -> bool {
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
fn a_buffer_of_one_owner_is_adopted() {
    assert!(is_adopted(Bytes::from(pattern(1, MIN_ADOPTED))));
    assert!(is_adopted(Bytes::from(pattern(1, 5 * MIB))));
}

#[test]
fn a_boxed_slice_is_adopted() {
    assert!(is_adopted(Bytes::from(pattern(1, MIN_ADOPTED).into_boxed_slice())));
}

#[test]
fn a_frozen_bytes_mut_is_adopted() {
    let mut buffer = BytesMut::with_capacity(MIN_ADOPTED);
    buffer.put(&pattern(1, MIN_ADOPTED)[..]);
    assert!(is_adopted(buffer.freeze()));
}

#[test]
fn one_byte_less_than_16_kib_is_copied() {
    assert!(!is_adopted(Bytes::from(pattern(1, MIN_ADOPTED - 1))));
    assert_eq!(memory_of(pattern(1, MIN_ADOPTED - 1)), MIN_ADOPTED - 1);
}

#[test]
fn a_buffer_that_is_put_is_adopted_too() {
    block_on(async {
        let store = InMemory::new();
        let data = Bytes::from(pattern(1, MIN_ADOPTED));
        let place = data.as_ptr();
        put(&store, "/a", data).await;
        assert_eq!(places(&store, "/a").await, [place]);
    });
}

#[test]
fn each_part_of_a_payload_is_adopted() {
    block_on(async {
        let store = InMemory::new();
        let parts: Vec<_> = (0..300).map(|n| Bytes::from(pattern(n, MIN_ADOPTED))).collect();
        let expected: Vec<_> = parts.iter().map(|part| part.as_ptr()).collect();
        let payload = storage_driver::Payload::from_iter(parts);
        store.put(&path("/a"), payload).await.unwrap();
        assert_eq!(places(&store, "/a").await, expected);
    });
}

#[test]
fn an_adopted_buffer_counts_with_its_capacity() {
    assert_eq!(memory_of(with_capacity(64 * KIB, 64 * KIB + 500)), 64 * KIB + 500);
}

#[test]
fn waste_of_one_part_in_64_is_adopted() {
    assert!(is_adopted(with_capacity(64 * KIB, 65 * KIB)));
}

#[test]
fn waste_of_more_than_one_part_in_64_is_copied() {
    assert!(!is_adopted(with_capacity(64 * KIB, 65 * KIB + 1)));
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
    // As hyper does: it fills a buffer and splits pieces off, and the last piece is the only reference.
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
                writer.write_bytes(buffer.split_to(length).freeze()).await.unwrap();
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
            writer.write_bytes(data.slice(range.clone())).await.unwrap();
            assert!(!freed.load(Relaxed));
            drop(data);
            assert!(freed.load(Relaxed), "{range:?} pins the buffer");
            writer.commit().await.unwrap();
            assert_eq!(content(&store, "/a").await, pattern(1, MIB)[range]);
        }
    });
}

#[test]
fn a_shared_buffer_is_copied() {
    let data = Bytes::from(pattern(1, MIN_ADOPTED));
    let clone = data.clone();
    assert!(!is_adopted(data));
    assert_eq!(clone, pattern(1, MIN_ADOPTED));
}

#[test]
fn static_bytes_are_copied() {
    static DATA: [u8; MIN_ADOPTED] = [7; MIN_ADOPTED];
    assert!(!is_adopted(Bytes::from_static(&DATA)));
}

#[test]
fn a_segment_of_another_file_is_copied() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", pattern(1, MIN_ADOPTED)).await;
        let segment = segments(&store, "/a").await.remove(0);
        upload(&store, "/b", segment).await;
        assert_ne!(places(&store, "/a").await, places(&store, "/b").await);
        assert_eq!(store.usage().committed, 2 * MIN_ADOPTED as u64);
    });
}

#[test]
fn a_slice_that_is_written_through_async_write_is_copied() {
    block_on(async {
        use tokio::io::AsyncWriteExt;
        let store = InMemory::new();
        let data = pattern(1, MIN_ADOPTED);
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write_all(&data).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, data);
        assert_ne!(places(&store, "/a").await, [data.as_ptr()]);
    });
}

#[test]
fn an_exclusive_buffer_is_adopted_although_it_is_shared() {
    block_on(async {
        let store = InMemory::new();
        let (data, freed) = watched(pattern(1, MIN_ADOPTED));
        let options = WriterOptions::create().exclusive_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        writer.write_bytes(data.clone()).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(places(&store, "/a").await, [data.as_ptr()]);
        assert_eq!(store.usage().committed, MIN_ADOPTED as u64);
        drop(data);
        assert!(!freed.load(Relaxed));
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        assert!(freed.load(Relaxed));
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn an_exclusive_piece_of_less_than_16_kib_is_packed() {
    block_on(async {
        let store = InMemory::new();
        let options = WriterOptions::create().exclusive_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        let (data, freed) = watched(pattern(1, MIN_ADOPTED - 1));
        writer.write_bytes(data).await.unwrap();
        assert!(freed.load(Relaxed));
        writer.commit().await.unwrap();
        assert_eq!(store.usage().committed, MIN_ADOPTED as u64 - 1);
    });
}

#[test]
fn exclusive_buffers_apply_to_one_writer() {
    block_on(async {
        let store = InMemory::new();
        store.create(&path("/a")).await.unwrap().suspend().await.unwrap();
        let options = WriterOptions::resume().exclusive_buffers();
        let mut writer = store.writer(&path("/a"), options).await.unwrap();
        let exclusive = Bytes::from_owner(pattern(1, MIN_ADOPTED));
        writer.write_bytes(exclusive.clone()).await.unwrap();
        writer.suspend().await.unwrap();
        let mut writer = store.resume(&path("/a")).await.unwrap();
        let copied = Bytes::from_owner(pattern(2, MIN_ADOPTED));
        writer.write_bytes(copied.clone()).await.unwrap();
        writer.commit().await.unwrap();
        let places = places(&store, "/a").await;
        assert_eq!(places[0], exclusive.as_ptr());
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
            writer.write_bytes(Bytes::copy_from_slice(piece)).await.unwrap();
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
            writer.write_bytes(Bytes::from_owner(pattern(seed, 30_000))).await.unwrap();
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
fn packed_and_adopted_pieces_keep_their_order() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        let mut expected = Vec::new();
        let mut taken_over = Vec::new();
        for seed in 0..20 {
            let length = if seed % 3 == 0 { MIN_ADOPTED } else { 100 };
            let data = pattern(seed, length);
            expected.extend_from_slice(&data);
            let data = Bytes::from(data);
            taken_over.extend((length == MIN_ADOPTED).then_some(data.as_ptr()));
            writer.write_bytes(data).await.unwrap();
        }
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, expected);
        let places = places(&store, "/a").await;
        assert!(taken_over.iter().all(|place| places.contains(place)));
        assert_eq!(places.len(), 14, "two tiny pieces between two large ones share a segment");
    });
}
