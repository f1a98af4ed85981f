//! A write takes effect once or never, also if its response is lost and other processes change the file meanwhile.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use storage_driver::{ErrorKind, Metadata, Precondition, StorageDriver, SweepOptions};
use storage_driver_bucket::{
    Bucket, Builder,
    double::{Double, Ways},
    http::{Fault, FaultPlan, RequestKind},
};

use crate::support::{LARGE, bytes, ceph, files, open, path, put, read, server};

const SECOND: Duration = Duration::from_secs(1);

/// Sets the faults of the first requests of a kind for a key, one after the other.
fn on(store: &Bucket, kind: RequestKind, key: &'static str, faults: impl Into<Vec<Fault>>) {
    let (sent, faults) = (AtomicU64::new(0), faults.into());
    store.meter().set_faults(Some(FaultPlan::new(move |it, path| {
        if it != kind || path != format!("/memory{key}") {
            return Fault::None;
        }
        let number = sent.fetch_add(1, Ordering::Relaxed) as usize;
        faults.get(number).copied().unwrap_or(Fault::None)
    })));
}

/// The response to the put of `/a` is lost, and it is found out about three seconds later.
fn lose_response(store: &Bucket) {
    lose(store, Fault::After);
}

/// The same, with its effect or without it.
fn lose(store: &Bucket, fault: Fault) {
    let put_sent = AtomicU64::new(0);
    store.meter().set_faults(Some(FaultPlan::new(move |kind, path| {
        match (kind, path == "/memory/a", put_sent.load(Ordering::Relaxed)) {
            (RequestKind::Put, true, 0) => {
                put_sent.store(1, Ordering::Relaxed);
                fault
            }
            (RequestKind::Get, true, 1) => {
                put_sent.store(2, Ordering::Relaxed);
                Fault::Late(3 * SECOND)
            }
            _ => Fault::None,
        }
    })));
}

async fn on_each_kind_of_server(test: impl AsyncFn(Double)) {
    test(Double::new(Ways::default())).await;
    test(Double::new(Ways::ceph())).await;
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_response_is_lost_and_whose_file_is_deleted_takes_effect_once() {
    on_each_kind_of_server(async |server| {
        let (one, two) = (open(&server).await, open(&server).await);
        lose_response(&one);
        let created = tokio::spawn(async move {
            one.put_content(&path("/a"), bytes(1, 10).into(), Precondition::IfAbsent).await
        });
        tokio::time::sleep(SECOND).await;
        two.delete(&path("/a"), Precondition::None).await.unwrap();
        created.await.unwrap().unwrap();
        assert!(files(&two).await.is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_create_whose_response_is_lost_and_whose_file_is_recreated_takes_effect_once() {
    on_each_kind_of_server(async |server| {
        let (one, two) = (open(&server).await, open(&server).await);
        lose_response(&one);
        let created = tokio::spawn(async move {
            one.put_content(&path("/a"), bytes(1, 10).into(), Precondition::IfAbsent).await
        });
        tokio::time::sleep(SECOND).await;
        two.delete(&path("/a"), Precondition::None).await.unwrap();
        put(&two, "/a", bytes(2, 10)).await.unwrap();
        created.await.unwrap().unwrap();
        assert_eq!(read(&two, "/a").await, bytes(2, 10));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_swap_whose_response_is_lost_and_whose_file_is_deleted_is_not_repeated() {
    on_each_kind_of_server(async |server| {
        let (one, two) = (open(&server).await, open(&server).await);
        put(&one, "/a", bytes(1, 10)).await.unwrap();
        let before = one.stat(&path("/a")).await.unwrap().into_file().unwrap().version;
        lose_response(&one);
        let touched = tokio::spawn(async move {
            one.put_content(&path("/a"), bytes(2, 10).into(), Precondition::IfVersion(before)).await
        });
        tokio::time::sleep(SECOND).await;
        two.delete(&path("/a"), Precondition::None).await.unwrap();
        // It took effect, or that is unknown; it is not done again.
        let touched = touched.await.unwrap();
        assert!(touched.is_ok() || touched.unwrap_err().kind() == ErrorKind::Unavailable);
        assert!(files(&two).await.is_empty());
    })
    .await;
}

/// Puts over a file. The response is lost, and before that is found out another process deletes the file twice.
async fn swap_behind_deletions(fault: Fault) -> (storage_driver::Result<Metadata>, Bucket) {
    let server = ceph();
    let (one, two) = (open(&server).await, open(&server).await);
    put(&one, "/a", bytes(1, 10)).await.unwrap();
    let before = one.stat(&path("/a")).await.unwrap().into_file().unwrap().version;
    lose(&one, fault);
    let swapped = tokio::spawn(async move {
        one.put_content(&path("/a"), bytes(2, 10).into(), Precondition::IfVersion(before)).await
    });
    tokio::time::sleep(SECOND).await;
    two.delete(&path("/a"), Precondition::None).await.unwrap();
    put(&two, "/a", bytes(3, 10)).await.unwrap();
    two.delete(&path("/a"), Precondition::None).await.unwrap();
    (swapped.await.unwrap(), two)
}

#[tokio::test(start_paused = true)]
async fn where_tombstones_stay_a_swap_that_took_effect_is_found_behind_deletions() {
    let (swapped, store) = swap_behind_deletions(Fault::After).await;
    assert_eq!(swapped.unwrap().size, 10);
    assert!(files(&store).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_tombstones_stay_a_swap_that_took_no_effect_is_known_behind_deletions() {
    let (swapped, store) = swap_behind_deletions(Fault::Before).await;
    assert_eq!(swapped.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    assert!(files(&store).await.is_empty());
}

/// The first state of a file is remembered for good, and those between it and the latest ones are not.
#[tokio::test(start_paused = true)]
async fn a_swap_of_the_first_state_that_was_followed_by_many_others_takes_effect_once() {
    on_each_kind_of_server(async |server| {
        let (one, two) = (open(&server).await, open(&server).await);
        put(&one, "/a", bytes(1, 10)).await.unwrap();
        let before = one.stat(&path("/a")).await.unwrap().into_file().unwrap().version;
        lose_response(&one);
        let swapped = tokio::spawn(async move {
            one.put_content(&path("/a"), bytes(2, 10).into(), Precondition::IfVersion(before)).await
        });
        tokio::time::sleep(SECOND).await;
        for number in 0..40 {
            put(&two, "/a", bytes(10 + number, 10)).await.unwrap();
        }
        // It took effect, and too much has happened since to find that out.
        assert_eq!(swapped.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(read(&two, "/a").await, bytes(49, 10));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_create_that_arrives_after_its_file_was_deleted_takes_no_effect() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    on(&one, RequestKind::Put, "/a", [Fault::Delayed(Duration::from_secs(60))]);
    put(&one, "/a", bytes(1, 10)).await.unwrap();
    two.delete(&path("/a"), Precondition::None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(files(&two).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_create_that_was_defeated_and_arrives_late_takes_no_effect() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    on(&one, RequestKind::Put, "/a", [Fault::Delayed(Duration::from_secs(60))]);
    put(&two, "/a", bytes(2, 10)).await.unwrap();
    let defeated = one.put_content(&path("/a"), bytes(1, 10).into(), Precondition::IfAbsent).await;
    assert_eq!(defeated.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    two.delete(&path("/a"), Precondition::None).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(files(&two).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_deletion_whose_response_is_lost_does_not_delete_the_next_file() {
    on_each_kind_of_server(async |server| {
        let (one, two) = (open(&server).await, open(&server).await);
        put(&one, "/a", bytes(1, 10)).await.unwrap();
        let kind = match one.deletes_conditionally() {
            true => RequestKind::Delete,
            false => RequestKind::Put,
        };
        let sent = AtomicU64::new(0);
        one.meter().set_faults(Some(FaultPlan::new(move |it, path| {
            let number = sent.load(Ordering::Relaxed);
            match path == "/memory/a" {
                true if it == kind && number == 0 => {
                    sent.store(1, Ordering::Relaxed);
                    Fault::After
                }
                true if it == RequestKind::Get && number == 1 => {
                    sent.store(2, Ordering::Relaxed);
                    Fault::Late(3 * SECOND)
                }
                _ => Fault::None,
            }
        })));
        let deleted =
            tokio::spawn(async move { one.delete(&path("/a"), Precondition::None).await });
        tokio::time::sleep(SECOND).await;
        two.put_content(&path("/a"), bytes(2, 10).into(), Precondition::IfAbsent).await.unwrap();
        deleted.await.unwrap().unwrap();
        assert_eq!(read(&two, "/a").await, bytes(2, 10));
    })
    .await;
}

/// Deletes everything that nothing names, long after.
async fn sweep_long_after(server: &Double, store: &Bucket) {
    for _ in 0..3 {
        server.advance(Builder::GRACE * 2);
        store.sweep(SweepOptions::new().deep()).await.unwrap();
    }
}

fn data(server: &Double) -> usize {
    server.keys().iter().filter(|key| key.starts_with("!data/")).count()
}

/// The process stops for hours between the data of a put of `/a` and its record.
async fn put_with_a_pause(store: Bucket) -> storage_driver::Result<storage_driver::Metadata> {
    let version = store.stat(&path("/a")).await.unwrap().into_file().unwrap().version;
    on(&store, RequestKind::Get, "/a", [Fault::None, Fault::Late(Duration::from_secs(7200))]);
    store.put_content(&path("/a"), bytes(1, LARGE).into(), Precondition::IfVersion(version)).await
}

#[tokio::test(start_paused = true)]
async fn a_put_that_pauses_while_its_data_is_swept_fails() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    put(&one, "/a", bytes(2, 10)).await.unwrap();
    let paused = tokio::spawn(put_with_a_pause(one));
    tokio::time::sleep(SECOND).await;
    sweep_long_after(&server, &two).await;
    assert_eq!(data(&server), 0);
    assert_eq!(paused.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(read(&two, "/a").await, bytes(2, 10));
}

#[tokio::test(start_paused = true)]
async fn a_put_that_pauses_and_was_not_swept_renews_its_hold() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    put(&one, "/a", bytes(2, 10)).await.unwrap();
    one.meter().reset();
    put_with_a_pause(one.clone()).await.unwrap();
    // Owner, data, owner again, record.
    assert_eq!(one.meter().count(RequestKind::Put), 4);
    sweep_long_after(&server, &two).await;
    assert_eq!(read(&two, "/a").await, bytes(1, LARGE));
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_pauses_while_its_data_is_swept_fails() {
    for rename in [false, true] {
        let server = server();
        let (one, two) = (open(&server).await, open(&server).await);
        put(&one, "/from", bytes(1, LARGE)).await.unwrap();
        put(&one, "/to", bytes(2, 10)).await.unwrap();
        let version = one.stat(&path("/to")).await.unwrap().into_file().unwrap().version;
        on(&one, RequestKind::Get, "/to", [Fault::Late(Duration::from_secs(7200))]);
        let paused = tokio::spawn(async move {
            let (from, to) = (path("/from"), path("/to"));
            match rename {
                false => one.copy(&from, &to, Precondition::IfVersion(version)).await,
                true => one.rename(&from, &to, Precondition::IfVersion(version)).await,
            }
        });
        tokio::time::sleep(SECOND).await;
        two.delete(&path("/from"), Precondition::None).await.unwrap();
        sweep_long_after(&server, &two).await;
        assert_eq!(paused.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(read(&two, "/to").await, bytes(2, 10));
    }
}
