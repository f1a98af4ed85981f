//! How many requests an operation sends, with bounds in both directions.

use futures::TryStreamExt;
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt, WriterOptions};
use storage_driver_bucket::{Bucket, http::RequestKind};

use crate::support::{LARGE, bytes, open, path, put, read, server};

const MIB: usize = 1 << 20;

async fn write(writer: &mut storage_driver::Writer, length: usize) {
    let piece = bytes(7, MIB);
    for _ in 0..length / MIB {
        writer.write_bytes(piece.clone()).await.unwrap();
    }
}

fn dest() -> Path {
    path("/blobs/sha256/aa/data")
}

fn assert_cost(store: &Bucket, expected: u64) {
    let counts = RequestKind::ALL.map(|kind| (kind, store.meter().count(kind)));
    assert_eq!(store.meter().total(), expected, "{counts:?}");
    assert_eq!(store.meter().count(RequestKind::Copy), 0);
}

#[tokio::test]
async fn beginning_an_upload_costs_1_request() {
    let store = open(&server()).await;
    store.meter().reset();
    store.create_upload(&path("/uploads/1")).await.unwrap();
    assert_cost(&store, 1);
}

#[tokio::test]
async fn looking_for_a_file_costs_1_request_also_if_there_is_none() {
    let store = open(&server()).await;
    store.meter().reset();
    assert!(store.file(&path("/a")).await.unwrap().is_none());
    assert_cost(&store, 1);
}

#[tokio::test]
async fn a_listing_of_3000_children_costs_4_requests() {
    let store = open(&server()).await;
    for child in 0..3000 {
        put(&store, &format!("/d/{child:04}"), bytes(1, 1)).await.unwrap();
    }
    store.meter().reset();
    let children: Vec<_> = store.list_all(&path("/d")).try_collect().await.unwrap();
    assert_eq!(children.len(), 3000);
    assert_cost(&store, 4);
}

/// As a registry does it that gets POST, PATCH and PUT.
#[tokio::test]
async fn a_push_of_100_mb_that_is_begun_filled_and_finished_costs_19_requests() {
    let store = open(&server()).await;
    store.meter().reset();
    let upload = path("/uploads/1");
    store.create_upload(&upload).await.unwrap();
    let mut writer = store.writer(&upload, WriterOptions::resume()).await.unwrap();
    write(&mut writer, 100 * MIB).await;
    writer.suspend().await.unwrap();
    let writer = store.writer(&upload, WriterOptions::resume()).await.unwrap();
    writer.commit_to(&dest(), Precondition::IfAbsent).await.unwrap();
    assert_cost(&store, 19);
}

#[tokio::test]
async fn a_push_of_100_mb_in_one_request_costs_15_requests() {
    let store = open(&server()).await;
    store.meter().reset();
    let mut writer = store.writer(&path("/uploads/1"), WriterOptions::create()).await.unwrap();
    write(&mut writer, 96 * MIB).await;
    writer.commit_to(&dest(), Precondition::IfAbsent).await.unwrap();
    assert_cost(&store, 15);
}

#[tokio::test]
async fn a_push_of_100_mb_in_20_chunks_costs_67_requests() {
    let store = open(&server()).await;
    store.meter().reset();
    let upload = path("/uploads/1");
    store.writer(&upload, WriterOptions::create()).await.unwrap().suspend().await.unwrap();
    for chunk in 0..20_u64 {
        let at = WriterOptions::resume_at(chunk * 5 * MIB as u64);
        let mut writer = store.writer(&upload, at).await.unwrap();
        write(&mut writer, 5 * MIB).await;
        if chunk == 19 {
            writer.commit_to(&dest(), Precondition::IfAbsent).await.unwrap();
        } else {
            writer.suspend().await.unwrap();
        }
    }
    assert_cost(&store, 67);
}

#[tokio::test]
async fn a_push_of_1_mib_in_one_request_costs_4_requests() {
    let store = open(&server()).await;
    store.meter().reset();
    let mut writer = store.writer(&path("/uploads/1"), WriterOptions::create()).await.unwrap();
    write(&mut writer, MIB).await;
    writer.commit_to(&dest(), Precondition::IfAbsent).await.unwrap();
    assert_cost(&store, 4);
}

/// What an old client sends: many small chunks. At first most of them lie in the journal; then their extents are joined.
#[tokio::test]
async fn a_push_in_a_thousand_chunks_of_70_kib_is_cheap_to_read() {
    const CHUNK: usize = 70 << 10;
    let server = server();
    let store = open(&server).await;
    store.meter().reset();
    let upload = path("/uploads/1");
    store.writer(&upload, WriterOptions::create()).await.unwrap().suspend().await.unwrap();
    for chunk in 0..1000_u64 {
        let at = WriterOptions::resume_at(chunk * CHUNK as u64);
        let mut writer = store.writer(&upload, at).await.unwrap();
        writer.write_bytes(bytes(chunk as u8, CHUNK)).await.unwrap();
        writer.suspend().await.unwrap();
    }
    let writer = store.writer(&upload, WriterOptions::resume()).await.unwrap();
    writer.commit_to(&dest(), Precondition::IfAbsent).await.unwrap();
    let total = store.meter().total();
    assert!((3000..=3300).contains(&total), "{total} requests for a thousand chunks");
    assert_eq!(store.meter().count(RequestKind::Copy), 0);
    let extents = server.keys().iter().filter(|key| key.starts_with("!data/")).count();
    store.meter().reset();
    let content = read(&store, dest().as_str()).await;
    assert!((0..1000).all(|at| content.slice(at * CHUNK..).starts_with(&bytes(at as u8, CHUNK))));
    // 68 MiB: at most 16 requests, or 240 for each GiB.
    assert_cost(&store, 1 + extents as u64);
    assert!(extents <= 15, "{extents} extents");
}

#[tokio::test]
async fn a_new_small_file_costs_1_request() {
    let store = open(&server()).await;
    store.meter().reset();
    put(&store, "/a", bytes(1, 100)).await.unwrap();
    assert_cost(&store, 1);
}

#[tokio::test]
async fn reading_a_small_file_costs_1_request_and_a_large_one_2() {
    let store = open(&server()).await;
    put(&store, "/small", bytes(1, 100)).await.unwrap();
    put(&store, "/large", bytes(1, LARGE)).await.unwrap();
    store.meter().reset();
    read(&store, "/small").await;
    assert_cost(&store, 1);
    store.meter().reset();
    assert_eq!(read(&store, "/large").await, bytes(1, LARGE));
    assert_cost(&store, 2);
}

#[tokio::test]
async fn renaming_copying_and_touching_a_large_file_copies_no_bytes() {
    let store = open(&server()).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    store.meter().reset();
    store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    store.rename(&path("/b"), &path("/c"), Precondition::None).await.unwrap();
    store.touch(&path("/c"), Precondition::None).await.unwrap();
    assert_eq!(store.meter().count(RequestKind::Copy), 0);
    assert_eq!(read(&store, "/c").await, bytes(1, LARGE));
}

#[tokio::test]
async fn opening_costs_16_requests() {
    let store = open(&server()).await;
    assert_cost(&store, 16);
}
