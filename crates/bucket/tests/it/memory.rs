//! The budget: all writers together hold no more than it, and a small upload holds what it was given.

use storage_driver::{StorageDriver, WriterOptions};
use storage_driver_bucket::Builder;

use crate::support::{bytes, open, path, server};

const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_uploads_stay_under_the_budget() {
    const BUDGET: u64 = 16 << 20;
    let store = Builder::double(&server()).memory(BUDGET).open().await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let at = path(&format!("/u/{number}"));
                let mut writer = store.writer(&at, WriterOptions::create()).await.unwrap();
                let piece = bytes(number, 256 << 10);
                let mut most = 0;
                for _ in 0..64 {
                    writer.write_bytes(piece.clone()).await.unwrap();
                    most = most.max(store.memory_in_use());
                }
                assert_eq!(writer.commit().await.unwrap().size, 16 << 20);
                most
            })
        })
        .collect();
    for task in tasks {
        // Each writer may hold 64 KiB and the buffer that it accepted last.
        let most = task.await.unwrap();
        assert!(most <= BUDGET + 16 * (320 << 10), "{most} bytes were held");
    }
    assert_eq!(store.memory_in_use(), 0);
}

#[tokio::test]
async fn a_small_upload_holds_what_it_was_given() {
    let store = open(&server()).await;
    let mut writer = store.writer(&path("/a"), WriterOptions::create()).await.unwrap();
    writer.write_bytes(bytes(1, 1000)).await.unwrap();
    assert_eq!(store.memory_in_use(), 1000);
    drop(writer);
    assert_eq!(store.memory_in_use(), 0);
}

#[tokio::test]
async fn one_write_larger_than_a_part_is_sent_in_parts() {
    let store = open(&server()).await;
    let mut writer = store.writer(&path("/a"), WriterOptions::create()).await.unwrap();
    let content = bytes(1, 20 * MIB);
    writer.write_bytes(content.clone()).await.unwrap();
    writer.commit().await.unwrap();
    let read = store.get_content(&path("/a"), u64::MAX).await.unwrap().into_bytes();
    assert!(read == content);
}
