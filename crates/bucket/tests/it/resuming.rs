//! An upload that its process continues: it does not read the journal again, and is never wrong about it.

use storage_driver::{ErrorKind, StorageDriver, WriterOptions};
use storage_driver_bucket::{Bucket, http::RequestKind};

use crate::support::{open, path, read, server};

/// Continues the upload, and returns how many requests the opening took.
async fn add(store: &Bucket, data: &'static str) -> u64 {
    store.meter().reset();
    let mut writer = store.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    let requests = store.meter().total();
    writer.write_bytes(data).await.unwrap();
    writer.suspend().await.unwrap();
    requests
}

#[tokio::test]
async fn a_process_that_continues_its_own_upload_does_not_read_the_journal() {
    let store = open(&server()).await;
    store.create_upload(&path("/u")).await.unwrap();
    // The first time it finds out that it is the only one.
    assert_eq!(add(&store, "a").await, 2);
    for _ in 0..3 {
        assert_eq!(add(&store, "b").await, 1);
        assert_eq!(store.meter().count(RequestKind::Get), 0);
    }
    let writer = store.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&store, "/u").await, "abbb");
}

#[tokio::test]
async fn processes_that_take_turns_send_no_request_more() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    one.create_upload(&path("/u")).await.unwrap();
    for _ in 0..4 {
        assert_eq!(add(&two, "a").await, 2);
        assert_eq!(add(&one, "b").await, 2);
    }
    let writer = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&one, "/u").await, "abababab");
}

#[tokio::test]
async fn what_another_process_has_added_is_found() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    one.create_upload(&path("/u")).await.unwrap();
    for _ in 0..2 {
        add(&one, "a").await;
    }
    add(&two, "b").await;
    // What this process remembers has two bytes.
    let refused = one.writer(&path("/u"), WriterOptions::resume_at(2)).await.unwrap_err();
    assert!(matches!(refused.kind(), ErrorKind::OffsetMismatch { size: 3, .. }), "{refused}");
    let writer = one.writer(&path("/u"), WriterOptions::resume_at(3)).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&one, "/u").await, "aab");
}

#[tokio::test]
async fn an_upload_that_another_process_has_ended_is_gone() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    one.create_upload(&path("/u")).await.unwrap();
    for _ in 0..2 {
        add(&one, "a").await;
    }
    two.cancel_upload(&path("/u")).await.unwrap();
    let gone = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::PathNotFound);
}
