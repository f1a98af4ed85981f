//! How much is freed at a time, and that nothing is left.

use futures::{FutureExt, executor::block_on};
use storage_driver::{Path, StorageDriver, StorageDriverExt};
use tokio_test::{assert_pending, assert_ready, task};

use crate::{InMemory, Usage};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A store with `count` files in directories, and one with a large one.
fn stores(count: usize) -> [InMemory; 2] {
    let (many, large) = (InMemory::new(), InMemory::builder().segment_size(4096).build());
    block_on(async {
        for number in 0..count {
            let at = path(&format!("/dir/{}/{number}/file", number % 7));
            many.put(&at, "content").await.unwrap();
        }
        let mut writer = large.create(&path("/dir/large")).await.unwrap();
        for _ in 0..count {
            writer.write_bytes(vec![7; 4096]).await.unwrap();
        }
        writer.commit().await.unwrap();
    });
    [many, large]
}

#[test]
fn a_large_deletion_yields_to_other_tasks() {
    for store in stores(20_000) {
        let dir = path("/dir");
        let mut delete = task::spawn(store.delete_dir(&dir));
        assert_pending!(delete.poll());
        // It has taken effect, and its memory is reclaimed bit by bit.
        assert!(store.stat(&dir).now_or_never().unwrap().is_err());
        assert!(store.in_use().held() > 0);
        let mut polls = 1;
        while delete.poll().is_pending() {
            assert!(delete.is_woken());
            polls += 1;
        }
        assert!((2..100).contains(&polls), "{polls} polls");
        assert_eq!(store.in_use(), Usage::default());
    }
}

#[test]
fn memory_of_a_dropped_deletion_is_reclaimed() {
    for store in stores(20_000) {
        let dir = path("/dir");
        let mut delete = task::spawn(store.delete_dir(&dir));
        assert_pending!(delete.poll());
        drop(delete);
        assert_ne!(store.in_use(), Usage::default());
        // Each operation frees a part of it.
        let mut operations = 0;
        while store.in_use() != Usage::default() {
            operations += 1;
            assert!(operations < 100);
            let _ = block_on(store.delete_dir(&dir));
        }
    }
}

#[test]
fn a_small_deletion_takes_one_poll() {
    for store in stores(3) {
        let dir = path("/dir");
        assert_ready!(task::spawn(store.delete_dir(&dir)).poll()).unwrap();
        assert_eq!(store.in_use(), Usage::default());
    }
}

#[test]
fn replacing_and_cancelling_yield_to_other_tasks() {
    let [_, store] = stores(20_000);
    let (large, upload) = (path("/dir/large"), path("/upload"));
    drop(block_on(store.append(&large)).unwrap());
    let mut put = task::spawn(store.put(&large, "small"));
    assert_ready!(put.poll()).unwrap();
    let mut cancel = task::spawn(store.cancel_upload(&large));
    while cancel.poll().is_pending() {}
    let mut writer = block_on(store.create(&upload)).unwrap();
    (0..20_000).for_each(|_| block_on(writer.write_bytes(vec![7; 4096])).unwrap());
    let mut again = task::spawn(store.create(&upload));
    assert_pending!(again.poll());
    assert_eq!(block_on(store.resume(&upload)).unwrap().size(), 0);
    drop((again, writer));
    block_on(store.shutdown()).unwrap();
    assert_eq!(store.in_use(), Usage::default());
}

#[test]
fn memory_that_a_fork_shares_is_left_to_the_fork() {
    for store in stores(5000) {
        let fork = store.fork();
        let before = store.in_use();
        block_on(store.delete_dir(&path("/dir"))).unwrap();
        assert_eq!(fork.in_use(), before);
        block_on(fork.delete_dir(&path("/dir"))).unwrap();
        assert_eq!(fork.in_use(), Usage::default());
    }
}

#[test]
fn large_segments_count_with_their_size() {
    let store = InMemory::new();
    let segment = bytes::Bytes::from(vec![7; 1 << 20]);
    let dir = path("/dir");
    block_on(async {
        let options = storage_driver::WriterOptions::create().exclusive_buffers();
        let mut writer = store.writer(&path("/dir/large"), options).await.unwrap();
        for _ in 0..64 {
            writer.write_bytes(segment.clone()).await.unwrap();
        }
        writer.commit().await.unwrap();
    });
    let mut delete = task::spawn(store.delete_dir(&dir));
    assert_pending!(delete.poll());
}
