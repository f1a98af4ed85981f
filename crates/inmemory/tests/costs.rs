//! The costs of operations, counted and not timed: how often they allocate, and how much. A change that
//! makes one more expensive fails here on any machine.
//!
//! The bounds are the counted figures, which are the same at every run. A comment names the purpose of each
//! allocation.

use bytes::Bytes;
use counting_alloc::{Counting, OfThread};
use futures::{StreamExt, executor::block_on};
use inmemory::InMemory;
use storage_driver::{
    ListOptions, Path, Payload, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    WalkOptions,
};

#[path = "support/files.rs"]
mod files;

use files::{now, path};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The number of files of the store.
const FILES: usize = 10_000;

/// A store with files of 1 KiB, and the paths of them and of as many more.
fn store() -> (InMemory, Vec<Path>) {
    let store = InMemory::new();
    let paths: Vec<Path> = (0..2 * FILES).map(path).collect();
    for path in &paths[..FILES] {
        now(store.put(path, vec![7; 1 << 10])).unwrap();
    }
    (store, paths)
}

/// Allocations an operation, and bytes that are alive after it, on average over these paths.
fn cost<T>(paths: &[Path], operation: impl Fn(&Path) -> T) -> (f64, f64) {
    // Allocations that are made once and kept are made now.
    drop(operation(&paths[0]));
    let measurement = OfThread::begin();
    paths[1..].iter().for_each(|path| drop(operation(path)));
    let each = |total: f64| total / (paths.len() - 1) as f64;
    (each(measurement.count() as f64), each(measurement.live() as f64))
}

fn assert_at_most(what: &str, counted: f64, bound: f64) {
    assert!(counted <= bound, "{what}: {counted}, at most {bound} are allowed");
    // A bound far above the count guards nothing.
    assert!(counted >= bound * 0.8, "{what}: {counted}, lower the bound of {bound}");
}

#[test]
fn a_stat_allocates_its_future() {
    let (store, paths) = store();
    let (allocations, _) = cost(&paths[..FILES], |path| now(store.stat(path)).unwrap());
    assert_at_most("allocations", allocations, 1.0);
}

#[test]
fn a_get_allocates_its_future_and_a_handle_on_the_content() {
    let (store, paths) = store();
    let (allocations, _) =
        cost(&paths[..FILES], |path| now(store.get_content(path, 4096)).unwrap());
    assert_at_most("allocations", allocations, 2.0);
}

#[test]
fn a_put_allocates_its_future_and_seldom_a_leaf() {
    let (store, paths) = store();
    let content = Bytes::from(vec![7; 1 << 10]);
    let put = |path: &Path| {
        now(store.put_content(path, Payload::from(content.clone()), Precondition::None)).unwrap();
    };
    // The handle of the shared content is made once.
    drop(content.clone());
    let (allocations, bytes) = cost(&paths[FILES..], put);
    assert_at_most("allocations", allocations, 1.2);
    // Inner nodes. Leaves and files are in slabs.
    assert_at_most("bytes of the allocator", bytes, 7.0);
}

#[test]
fn a_put_over_a_file_allocates_no_leaf() {
    let (store, paths) = store();
    let content = Bytes::from(vec![7; 1 << 10]);
    let put = |path: &Path| {
        now(store.put_content(path, Payload::from(content.clone()), Precondition::None)).unwrap();
    };
    let (allocations, bytes) = cost(&paths[..FILES], put);
    assert_at_most("allocations", allocations, 1.0);
    assert!(bytes.abs() < 0.1, "{bytes} bytes more for each");
}

#[test]
fn a_delete_allocates_its_future_and_seldom_a_leaf() {
    let (store, paths) = store();
    let (allocations, _) =
        cost(&paths[..FILES], |path| now(store.delete(path, Precondition::None)).unwrap());
    assert_at_most("allocations", allocations, 1.3);
}

#[test]
fn emptying_a_store_allocates_a_leaf_for_several_deletions() {
    let store = InMemory::new();
    let paths: Vec<Path> = (0..FILES).map(path).collect();
    paths.iter().for_each(|path| drop(now(store.put(path, "")).unwrap()));
    let (allocations, _) =
        cost(&paths, |path| now(store.delete(path, Precondition::None)).unwrap());
    assert_at_most("allocations", allocations, 1.3);
}

#[test]
fn a_chunk_that_is_copied_allocates_nothing_of_its_own() {
    const CHUNK: usize = 64 << 10;
    let store = InMemory::new();
    let chunk = Bytes::from(vec![7; CHUNK]);
    drop(chunk.clone());
    let mut writer = block_on(store.create(&path(0))).unwrap();
    block_on(writer.write_bytes(chunk.clone())).unwrap();
    let measurement = OfThread::begin();
    for _ in 0..4096 {
        block_on(writer.write_bytes(chunk.clone())).unwrap();
    }
    // Sixteen chunks a segment, for which there is a handle and a part of the table.
    assert_at_most("allocations", measurement.count() as f64 / 4096.0, 0.08);
}

#[test]
fn a_chunk_that_is_adopted_allocates_a_handle() {
    const CHUNK: usize = 64 << 10;
    let store = InMemory::new();
    let chunks: Vec<Bytes> = (0..1024).map(|_| Bytes::from(vec![7; CHUNK])).collect();
    let mut writer = block_on(store.create(&path(0))).unwrap();
    let measurement = OfThread::begin();
    for chunk in chunks {
        block_on(writer.write_bytes(chunk)).unwrap();
    }
    assert_at_most("allocations", measurement.count() as f64 / 1024.0, 1.25);
}

#[test]
fn a_range_allocates_its_future() {
    let (store, path) = (InMemory::new(), path(0));
    let mut writer = block_on(store.create(&path)).unwrap();
    for _ in 0..64 {
        block_on(writer.write_bytes(vec![7; 1 << 20])).unwrap();
    }
    block_on(writer.commit()).unwrap();
    let measurement = OfThread::begin();
    for offset in 0..1000 {
        let range = ReadRange::from(offset * 65_537..offset * 65_537 + 4096);
        now(store.get_range(&path, range, 4096)).unwrap();
    }
    assert_at_most("allocations", measurement.count() as f64 / 1000.0, 1.0);
}

#[test]
fn a_reader_of_one_segment_allocates_its_future_alone() {
    let (store, path) = (InMemory::new(), path(0));
    let mut writer = block_on(store.create(&path)).unwrap();
    for _ in 0..200 {
        block_on(writer.write_bytes(vec![7; 1 << 20])).unwrap();
    }
    block_on(writer.commit()).unwrap();
    let cost = |range: ReadRange| {
        drop(now(store.reader(&path, range.clone())).unwrap());
        let measurement = OfThread::begin();
        for _ in 0..1000 {
            drop(now(store.reader(&path, range.clone())).unwrap());
        }
        measurement.count() as f64 / 1000.0
    };
    assert_at_most("allocations of the whole", cost(ReadRange::Full), 2.0);
    assert_at_most("allocations of a tail", cost(ReadRange::Suffix(4096)), 1.0);
    // And a list for the segments at either end, one for the nodes between, one of these three, and
    // one for the deferred drop.
    let range = ReadRange::from((10 << 20) + 1..(190 << 20) + 1);
    assert_at_most("allocations of a range of many segments", cost(range), 7.0);
}

#[test]
fn an_entry_of_a_listing_allocates_its_path() {
    let store = InMemory::new();
    for number in 0..1000 {
        now(store.put(&Path::parse(format!("/dir/{number}")).unwrap(), "")).unwrap();
    }
    let dir = Path::parse("/dir").unwrap();
    let measurement = OfThread::begin();
    let page = now(store.list(&dir, ListOptions::new())).unwrap();
    assert_at_most("allocations of a list", measurement.count() as f64 / 1000.0, 1.1);
    assert_eq!(page.items.len(), 1000);
    let measurement = OfThread::begin();
    let entries = block_on(store.walk(&dir, WalkOptions::new()).count());
    assert_at_most("allocations of a walk", measurement.count() as f64 / 1000.0, 1.1);
    assert_eq!(entries, 1000);
}

#[test]
fn an_entry_of_a_listing_of_names_allocates_its_path() {
    let store = InMemory::new();
    for number in 0..1000 {
        now(store.put(&Path::parse(format!("/dir/{number}")).unwrap(), "")).unwrap();
    }
    let dir = Path::parse("/dir").unwrap();
    let measurement = OfThread::begin();
    let page = now(store.list(&dir, ListOptions::new().names_only())).unwrap();
    assert_at_most("allocations of a list", measurement.count() as f64 / 1000.0, 1.1);
    assert_eq!(page.items.len(), 1000);
}

#[test]
fn a_note_of_the_same_length_allocates_nothing() {
    let store = InMemory::new();
    let mut writer = block_on(store.create(&path(0))).unwrap();
    let note = Bytes::from(vec![7; 100]);
    writer.set_note(note.clone()).unwrap();
    let measurement = OfThread::begin();
    for _ in 0..1000 {
        writer.set_note(note.clone()).unwrap();
    }
    assert_eq!(measurement.count(), 0);
}

#[test]
fn the_state_of_an_upload_allocates_its_future_a_key_and_the_note() {
    let (store, path) = (InMemory::new(), path(0));
    let mut writer = block_on(store.create(&path)).unwrap();
    writer.set_note("note").unwrap();
    let measurement = OfThread::begin();
    for _ in 0..1000 {
        drop(now(store.upload(&path)).unwrap());
    }
    assert_at_most("allocations", measurement.count() as f64 / 1000.0, 3.0);
}
