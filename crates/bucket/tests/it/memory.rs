//! The budget: all writers and readers together hold no more than it, and a small upload holds what it was given.

use std::{sync::Mutex, time::Duration};

use futures::TryStreamExt;
use storage_driver::{Precondition, ReadRange, StorageDriver, WriterOptions};
use storage_driver_bucket::{
    Bucket, Builder,
    http::{Fault, FaultPlan, RequestKind},
};
use tokio::time::Instant;

use crate::support::{bytes, open, path, server};

const MIB: usize = 1 << 20;

/// Uploads at once, each of `pieces` pieces of 256 KiB, and what they held at most.
async fn upload_at_once(count: u8, pieces: u64, budget: u64) -> u64 {
    let server = server();
    server.set_ways(|ways| ways.sparse = true);
    let store = Builder::double(&server).memory(budget).open().await.unwrap();
    let tasks: Vec<_> = (0..count)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move {
                let at = path(&format!("/u/{number}"));
                let mut writer = store.writer(&at, WriterOptions::create()).await.unwrap();
                let piece = bytes(number, PIECE as usize);
                let mut most = 0;
                for _ in 0..pieces {
                    writer.write_bytes(piece.clone()).await.unwrap();
                    most = most.max(store.memory_in_use());
                }
                assert_eq!(writer.commit().await.unwrap().size, pieces * PIECE);
                most
            })
        })
        .collect();
    let mut most = 0;
    for task in tasks {
        most = most.max(task.await.unwrap());
    }
    assert_eq!(store.memory_in_use(), 0);
    most
}

const PIECE: u64 = 256 << 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_uploads_stay_under_the_budget() {
    const BUDGET: u64 = 64 << 20;
    let most = upload_at_once(64, 64, BUDGET).await;
    // Each writer may hold 64 KiB and the buffer that it accepted last.
    assert!(most <= BUDGET + 64 * (PIECE + (64 << 10)), "{most} bytes were held");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: 64 GiB"]
async fn sixty_four_uploads_of_1_gib_stay_under_the_budget() {
    let most = upload_at_once(64, 4096, Builder::MEMORY).await;
    assert!(most <= Builder::MEMORY + 64 * (PIECE + (64 << 10)), "{most} bytes were held");
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

/// A store whose data arrives a second after it was asked for, with a file of 64 MiB.
async fn slow(memory: u64) -> Bucket {
    let server = server();
    let writing = open(&server).await;
    let mut writer = writing.writer(&path("/a"), WriterOptions::create()).await.unwrap();
    for number in 0..64 {
        writer.write_bytes(bytes(number, MIB)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let store = Builder::double(&server).memory(memory).open().await.unwrap();
    store.meter().reset();
    store.meter().set_faults(Some(FaultPlan::new(|kind, path| {
        match kind == RequestKind::Get && path.contains("data/") {
            true => Fault::Late(Duration::from_secs(1)),
            false => Fault::None,
        }
    })));
    store
}

/// Reads the file of a [`slow`] store. Returns how long it took and how much was held at most.
async fn read_slowly(store: &Bucket) -> (Duration, u64) {
    let begun = Instant::now();
    let mut reader = store.reader(&path("/a"), ReadRange::Full).await.unwrap();
    let (mut length, mut most) = (0, 0);
    while let Some(chunk) = reader.try_next().await.unwrap() {
        for byte in [0, chunk.len() - 1] {
            let (piece, at) = ((length + byte) / MIB, (length + byte) % MIB);
            assert_eq!(chunk[byte], (piece as u8).wrapping_add((at % 251) as u8));
        }
        length += chunk.len();
        most = most.max(store.memory_in_use());
    }
    assert_eq!(length, 64 * MIB);
    (begun.elapsed(), most)
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_waits_for_the_network_reads_ahead_in_parallel() {
    let store = slow(Builder::MEMORY).await;
    let (time, most) = read_slowly(&store).await;
    assert!(time <= Duration::from_secs(4), "{time:?}");
    // One request for all of it, and eight ranges of 8 MiB.
    assert_eq!(store.meter().count(RequestKind::Get), 2 + 8);
    assert!(most <= 40 << 20, "{most} bytes were held");
    assert_eq!(store.memory_in_use(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_reads_ahead_only_where_there_is_room() {
    let store = slow(40 << 20).await;
    let (time, most) = read_slowly(&store).await;
    assert!(time <= Duration::from_secs(6), "{time:?}");
    assert!(most <= 20 << 20, "{most} bytes were held");
    let store = slow(4 << 20).await;
    let (_, most) = read_slowly(&store).await;
    assert_eq!(store.meter().count(RequestKind::Get), 2);
    // The chunk that it has just given.
    assert!(most <= 1 << 20, "{most} bytes were held");
}

/// Reads the file of a [`slow`] store so many times at once. Returns how many requests that took.
async fn read_at_once(count: usize) -> u64 {
    let store = slow(Builder::MEMORY).await;
    let readers = (0..count).map(|_| read_slowly(&store));
    futures::future::join_all(readers).await;
    assert_eq!(store.memory_in_use(), 0);
    store.meter().count(RequestKind::Get)
}

#[tokio::test(start_paused = true)]
async fn many_readers_at_once_do_not_read_ahead() {
    assert!(read_at_once(1).await >= 2 + 8);
    // The last two may, when the others have what they wait for.
    let requests = read_at_once(16).await;
    assert!(requests <= 16 * 2 + 2 * 8, "{requests} requests");
}

#[tokio::test]
async fn what_readers_of_small_files_hold_is_counted() {
    let store = open(&server()).await;
    store.put_content(&path("/a"), bytes(1, 1000).into(), Precondition::None).await.unwrap();
    let reader = store.reader(&path("/a"), ReadRange::Full).await.unwrap();
    assert_eq!(store.memory_in_use(), 1000);
    drop(reader);
    assert_eq!(store.memory_in_use(), 0);
}

/// Uploads of 32 MiB that are written at the same time, in pieces of 64 KiB, to a store that takes 25 ms for each part, one
/// after the other, and `begin` before the first of an extent. So many others have sent 2 MiB each and wait for their clients. Returns the requests and the time that
/// this took.
async fn upload_beside(idle: u8, count: u8, begin: Duration) -> (u64, Duration) {
    let server = server();
    server.set_ways(|ways| ways.sparse = true);
    let store = open(&server).await;
    let mut waiting = Vec::new();
    for number in 0..idle {
        let at = path(&format!("/idle/{number}"));
        let mut writer = store.writer(&at, WriterOptions::create()).await.unwrap();
        writer.write_bytes(bytes(number, 2 * MIB)).await.unwrap();
        waiting.push(writer);
    }
    let free = Mutex::new(Instant::now());
    store.meter().reset();
    store.meter().set_faults(Some(FaultPlan::new(move |kind, path| match kind {
        RequestKind::Put | RequestKind::Part if path.contains("data/") => {
            let (mut free, now) = (free.lock().unwrap(), Instant::now());
            *free = now.max(*free) + Duration::from_millis(25);
            Fault::Late(*free - now)
        }
        RequestKind::CreateMultipart => Fault::Late(begin),
        _ => Fault::None,
    })));
    let begun = Instant::now();
    let uploads = (0..count).map(async |number| {
        let at = path(&format!("/u/{number}"));
        let mut writer = store.writer(&at, WriterOptions::create()).await.unwrap();
        let piece = bytes(number, 64 << 10);
        for _ in 0..512 {
            writer.write_bytes(piece.clone()).await.unwrap();
            // Others write their pieces.
            tokio::task::yield_now().await;
        }
        writer.commit().await.unwrap();
    });
    futures::future::join_all(uploads).await;
    (store.meter().total(), begun.elapsed())
}

#[tokio::test(start_paused = true)]
async fn uploads_that_share_little_memory_send_whole_parts() {
    // Of 5 MiB each, seven parts or eight, and four or five other requests.
    let (requests, time) = upload_beside(0, 64, Duration::ZERO).await;
    assert!(requests <= 64 * 16, "{requests} requests");
    assert!(time <= Duration::from_secs(14), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn uploads_send_whole_parts_where_the_first_one_takes_long() {
    let (requests, time) = upload_beside(0, 16, Duration::from_secs(1)).await;
    assert!(requests <= 16 * 15, "{requests} requests");
    assert!(time <= Duration::from_secs(9), "{time:?}");
}

#[tokio::test(start_paused = true)]
async fn uploads_go_on_beside_others_that_wait_for_their_clients() {
    let (requests, time) = upload_beside(16, 16, Duration::ZERO).await;
    assert!(requests <= 16 * 20, "{requests} requests");
    assert!(time <= Duration::from_secs(4), "{time:?}");
    // 62 of the 64 MiB are held by others.
    let (requests, time) = upload_beside(31, 1, Duration::ZERO).await;
    assert!(requests <= 60, "{requests} requests");
    assert!(time <= Duration::from_secs(1), "{time:?}");
}
