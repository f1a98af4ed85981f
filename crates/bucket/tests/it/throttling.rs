//! A server that is slow, or that asks for fewer requests.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use storage_driver::{ErrorKind, Precondition, StorageDriver, WriterOptions};
use storage_driver_bucket::{
    Bucket,
    http::{Fault, FaultPlan, RequestKind},
};
use tokio::time::Instant;

use crate::support::{LARGE, bytes, files, open, path, put, read, server};

/// The server refuses the first requests of each kind.
fn throttle(store: &Bucket, status: u16, count: u64) {
    let sent = AtomicU64::new(0);
    store.meter().set_faults(Some(FaultPlan::new(move |_, _| {
        match sent.fetch_add(1, Ordering::Relaxed) < count {
            true => Fault::Refused(status),
            false => Fault::None,
        }
    })));
}

#[tokio::test(start_paused = true)]
async fn a_few_refusals_are_waited_out_with_growing_pauses() {
    for status in [429, 503] {
        let store = open(&server()).await;
        let begun = Instant::now();
        throttle(&store, status, 3);
        put(&store, "/a", bytes(1, 10)).await.unwrap();
        throttle(&store, status, 3);
        assert_eq!(read(&store, "/a").await, bytes(1, 10));
        throttle(&store, status, 3);
        put(&store, "/a", bytes(1, LARGE)).await.unwrap();
        throttle(&store, status, 3);
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        assert!(begun.elapsed() >= Duration::from_millis(500), "{:?}", begun.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_for_long_is_unavailable_and_nothing_is_lost() {
    for status in [429, 503] {
        let store = open(&server()).await;
        put(&store, "/a", bytes(1, 10)).await.unwrap();
        let mut writer = store.writer(&path("/u"), WriterOptions::create()).await.unwrap();
        writer.write_bytes(bytes(2, 9 << 20)).await.unwrap();
        throttle(&store, status, u64::MAX);
        let begun = Instant::now();
        let errors = [
            writer.sync().await.unwrap_err(),
            put(&store, "/a", bytes(3, 10)).await.unwrap_err(),
            put(&store, "/b", bytes(3, LARGE)).await.unwrap_err(),
            store.delete(&path("/a"), Precondition::None).await.unwrap_err(),
            store.stat(&path("/a")).await.unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.kind() == ErrorKind::Unavailable), "{errors:?}");
        assert!(begun.elapsed() >= Duration::from_secs(30), "{:?}", begun.elapsed());
        store.meter().set_faults(None);
        writer.write_bytes(bytes(4, 10)).await.unwrap();
        writer.commit().await.unwrap();
        let content = read(&store, "/u").await;
        assert!(content.starts_with(&bytes(2, 9 << 20)) && content.ends_with(&bytes(4, 10)));
        assert_eq!(read(&store, "/a").await, bytes(1, 10));
        assert_eq!(files(&store).await.len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_decides_waits_long_for_a_server_that_throttles() {
    let store = open(&server()).await;
    let begun = Instant::now();
    store.meter().set_faults(Some(FaultPlan::new(|kind, _| match kind {
        RequestKind::Put => Fault::Refused(503),
        _ => Fault::None,
    })));
    let error = put(&store, "/a", bytes(1, 10)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(begun.elapsed() >= Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_part_has_time_for_its_size_and_is_then_sent_again() {
    let store = open(&server()).await;
    // 8 MiB at 64 KiB/s, and half a minute.
    for (late, parts) in [(157, 1), (159, 2)] {
        let sent = AtomicU64::new(0);
        store.meter().set_faults(Some(FaultPlan::new(move |kind, _| match kind {
            RequestKind::Part if sent.fetch_add(1, Ordering::Relaxed) == 0 => {
                Fault::Late(Duration::from_secs(late))
            }
            _ => Fault::None,
        })));
        store.meter().reset();
        let mut writer = store.writer(&path("/u"), WriterOptions::create()).await.unwrap();
        writer.write_bytes(bytes(1, 8 << 20)).await.unwrap();
        writer.write_bytes(bytes(1, 1)).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(store.meter().count(RequestKind::Part), 1 + parts, "{late} s late");
    }
}
