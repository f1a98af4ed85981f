//! The promises about memory: no allocation is larger than a segment, and the peak is little more than the
//! content.
//!
//! An allocator counts everything but the large buffers of segments, which are mapped from the system
//! on Linux: those are measured by the lengths that readers return, and by `usage()`, which `resident.rs`
//! compares with the system's figures.

use bytes::Bytes;
use counting_alloc::{Counting, OfThread};
use futures::{StreamExt, executor::block_on};
use inmemory::{InMemory, InMemoryBuilder};
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt, Writer, WriterOptions};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;
const SEGMENT: usize = InMemoryBuilder::DEFAULT_SEGMENT_SIZE;
/// How much larger than a segment an allocation may be: nothing, because the buffer of a segment and its
/// reference count are allocated separately.
const HEADER: usize = 0;
/// What may be alive in addition to 1.02 × the content: an open tail, and a store.
const CONSTANT: usize = SEGMENT + MIB;

fn path() -> Path {
    Path::parse("/blobs/large").unwrap()
}

/// Commits what `writer` wrote, of which everything was written since `measurement` began.
fn assert_lean(measurement: &OfThread, store: &InMemory, writer: Writer) {
    let payload = writer.size() as usize;
    // What is held only grew until now.
    let held = if cfg!(target_os = "linux") { store.usage().held() as usize } else { 0 };
    block_on(writer.commit()).unwrap();
    let (largest, peak) = (measurement.largest(), measurement.peak() + held);
    assert!(largest <= SEGMENT + HEADER, "one allocation of {largest} bytes");
    let bound = payload + payload / 50 + CONSTANT;
    assert!(peak <= bound, "{peak} bytes alive at the peak, for {payload} bytes of content");
    let largest = block_on(async {
        let reader = store.reader(&path(), ReadRange::Full).await.unwrap();
        let lengths = reader.map(|segment| segment.unwrap().len());
        lengths.fold(0, |most, length| async move { most.max(length) }).await
    });
    assert!(largest <= SEGMENT, "one segment of {largest} bytes");
}

/// Deterministic lengths, evenly spread over `1..=most`.
fn lengths(most: usize) -> impl Iterator<Item = usize> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        1 + (state % most as u64) as usize
    })
}

/// Uploads slices of `source`, whose lengths `lengths` gives, up to `size` bytes in all.
fn upload(
    store: &InMemory,
    source: &Bytes,
    size: usize,
    lengths: impl IntoIterator<Item = usize>,
) -> Writer {
    block_on(async {
        let mut writer = store.create(&path()).await.unwrap();
        let mut left = size;
        for length in lengths {
            let length = length.min(left).min(source.len());
            writer.write_bytes(source.slice(..length)).await.unwrap();
            left -= length;
            if left == 0 {
                break;
            }
        }
        assert_eq!(writer.size(), size as u64);
        writer
    })
}

#[test]
fn an_upload_of_1_gib_in_32_kib_chunks_is_lean() {
    let source = Bytes::from(vec![7; 32 * KIB]);
    let measurement = OfThread::begin();
    let store = InMemory::new();
    let writer = upload(&store, &source, GIB, std::iter::repeat(32 * KIB));
    assert_lean(&measurement, &store, writer);
}

#[test]
fn an_upload_of_1_gib_in_random_chunks_is_lean() {
    let source = Bytes::from(vec![7; 3 * MIB]);
    let measurement = OfThread::begin();
    let store = InMemory::new();
    let writer = upload(&store, &source, GIB, lengths(3 * MIB));
    assert_lean(&measurement, &store, writer);
}

#[test]
fn twenty_million_writes_of_one_byte_are_lean() {
    const WRITES: usize = 20_000_000;
    let source = Bytes::from_static(&[7]);
    let measurement = OfThread::begin();
    let store = InMemory::new();
    let writer = upload(&store, &source, WRITES, std::iter::repeat(1));
    assert_lean(&measurement, &store, writer);
}

#[test]
fn adopted_buffers_cost_no_more_than_themselves() {
    const CHUNK: usize = 64 * KIB;
    let measurement = OfThread::begin();
    let store = InMemory::new();
    block_on(async {
        let mut writer = store.create(&path()).await.unwrap();
        for _ in 0..GIB / 4 / CHUNK {
            writer.write_bytes(vec![7; CHUNK]).await.unwrap();
        }
        writer.commit().await.unwrap();
    });
    let (largest, peak) = (measurement.largest(), measurement.peak());
    assert!(largest <= CHUNK, "one allocation of {largest} bytes");
    let bound = GIB / 4 + GIB / 4 / 50 + CONSTANT;
    assert!(peak <= bound, "{peak} bytes alive at the peak");
}

#[test]
fn the_smallest_segments_have_a_table_of_small_pieces() {
    const SMALLEST: usize = InMemoryBuilder::MIN_SEGMENT_SIZE;
    let source = Bytes::from(vec![7; 8 * KIB]);
    let measurement = OfThread::begin();
    let store = InMemory::builder().segment_size(SMALLEST).build();
    let writer = upload(&store, &source, GIB / 4, std::iter::repeat(8 * KIB));
    block_on(writer.commit()).unwrap();
    let largest = measurement.largest();
    assert!(largest <= SMALLEST, "one allocation of {largest} bytes");
}

#[test]
fn a_read_of_it_all_allocates_no_content() {
    let source = Bytes::from(vec![7; MIB]);
    let store = InMemory::new();
    block_on(upload(&store, &source, GIB / 4, std::iter::repeat(MIB)).commit()).unwrap();
    let measurement = OfThread::begin();
    let read: usize = block_on(async {
        let reader = store.reader(&path(), ReadRange::Full).await.unwrap();
        reader
            .map(|chunk| chunk.unwrap().len())
            .fold(0, |sum, length| async move { sum + length })
            .await
    });
    assert_eq!(read, GIB / 4);
    assert!(measurement.peak() < 4 * KIB, "{} bytes", measurement.peak());
}

#[test]
fn whole_content_comes_in_parts_without_a_large_list_of_them() {
    let source = Bytes::from(vec![7; MIB]);
    let store = InMemory::builder().segment_size(InMemoryBuilder::MIN_SEGMENT_SIZE).build();
    block_on(upload(&store, &source, GIB / 4, std::iter::repeat(MIB)).commit()).unwrap();
    let measurement = OfThread::begin();
    let content = block_on(store.get_content(&path(), u64::MAX)).unwrap();
    assert_eq!(content.payload().len(), GIB / 4);
    assert!(measurement.largest() <= 4 * KIB, "{} bytes", measurement.largest());
}

#[test]
fn a_commit_an_append_and_a_copy_allocate_the_same_at_any_size() {
    let cost = |size: usize| {
        let source = Bytes::from(vec![7; MIB]);
        // Without a pool no thread gives memory back later: the operation that starts it would pay for it.
        let store = InMemory::builder().pool(0).build();
        let writer = upload(&store, &source, size, std::iter::repeat(MIB));
        let measurement = OfThread::begin();
        block_on(async {
            writer.commit().await.unwrap();
            store.copy(&path(), &Path::parse("/copy").unwrap(), Default::default()).await.unwrap();
            store.append(&path()).await.unwrap().commit().await.unwrap();
        });
        assert!(measurement.peak() < 8 * KIB, "{} bytes", measurement.peak());
        measurement.peak()
    };

    assert_eq!(cost(4 * MIB), cost(256 * MIB));
}

#[test]
fn everything_is_given_back() {
    // Cloned once, so that what counts its owners is there already.
    let source = Bytes::from(vec![7; 100 * KIB]);
    let _clone = source.clone();
    // What the executor and the store make once and keep is made now.
    let store = || InMemory::builder().pool(0).build();
    block_on(async { drop(store()) });
    let path = path();
    let measurement = OfThread::begin();
    {
        let store = store();
        let writer = upload(&store, &source, 10 * MIB, lengths(100 * KIB));
        block_on(async {
            writer.commit().await.unwrap();
            let fork = store.fork();
            let mut writer = store.writer(&path, WriterOptions::append()).await.unwrap();
            writer.write_bytes(source.clone()).await.unwrap();
            writer.commit().await.unwrap();
            fork.delete(&path, Default::default()).await.unwrap();
            store.delete(&path, Default::default()).await.unwrap();
            assert_eq!(store.usage().held(), 0);
        });
    }
    assert_eq!(measurement.live(), 0);
}
