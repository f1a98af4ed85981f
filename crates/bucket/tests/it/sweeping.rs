//! The sweeper: what it takes, and when.

use std::time::Duration;

use storage_driver::{
    ErrorKind, Path, Precondition, ReadRange, StorageDriver, SweepOptions, WriterOptions,
};
use storage_driver_bucket::{
    Builder,
    double::{Double, Ways},
    http::{Fault, FaultPlan, RequestKind},
};

use crate::support::{LARGE, bytes, open, path, put, read, server, upload, uploads};

const HOUR: Duration = Duration::from_secs(3600);

fn data(server: &Double) -> usize {
    server.keys().iter().filter(|key| key.starts_with("!data/")).count()
}

#[tokio::test]
async fn deleted_data_goes_when_the_grace_has_passed() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    let report = store.sweep(SweepOptions::new()).await.unwrap();
    assert_eq!((report.objects, report.waiting), (0, 1));
    server.advance(HOUR + HOUR);
    let report = store.sweep(SweepOptions::new()).await.unwrap();
    // A file whose data was written in one piece, and its hint.
    assert_eq!((report.objects, report.bytes), (1, LARGE as u64));
    // The second pass finds nothing.
    assert_eq!(store.sweep(SweepOptions::new()).await.unwrap().examined, 0);
    assert_eq!(data(&server), 0);
}

#[tokio::test]
async fn data_that_is_named_stays_whatever_its_age() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    upload(&store, "/u", bytes(2, LARGE)).await.unwrap();
    server.advance(100 * HOUR);
    store.sweep(SweepOptions::new().deep()).await.unwrap();
    server.advance(100 * HOUR);
    store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!(read(&store, "/b").await, bytes(1, LARGE));
    let writer = store.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&store, "/u").await, bytes(2, LARGE));
}

#[tokio::test]
async fn a_reader_whose_data_was_swept_fails_with_content_changed() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    let reader = store.reader(&path("/a"), ReadRange::Full).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    server.advance(2 * HOUR);
    store.sweep(SweepOptions::new()).await.unwrap();
    let error = reader.into_content(u64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentChanged);
}

#[tokio::test]
async fn extents_of_a_fenced_writer_go_after_the_commit() {
    let server = server();
    let store = open(&server).await;
    upload(&store, "/u", bytes(1, LARGE)).await.unwrap();
    let mut fenced = store.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    fenced.write_bytes(bytes(2, LARGE)).await.unwrap();
    let writer = store.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    assert_eq!(fenced.sync().await.unwrap_err().kind(), ErrorKind::WriterFenced);
    writer.commit().await.unwrap();
    assert_eq!(data(&server), 2);
    server.advance(2 * HOUR);
    store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!(data(&server), 1);
    assert_eq!(read(&store, "/u").await, bytes(1, LARGE));
}

#[tokio::test]
async fn tombstones_stay_where_a_deletion_cannot_be_conditional() {
    let server = Double::new(Ways::ceph());
    let store = Builder::double(&server).open().await.unwrap();
    put(&store, "/a", bytes(1, 10)).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    upload(&store, "/u", bytes(1, 10)).await.unwrap();
    store.cancel_upload(&path("/u")).await.unwrap();
    server.advance(100 * HOUR);
    let report = store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!((report.tombstones, report.tombstones_left), (0, 2));
    assert!(uploads(&store).await.is_empty());
}

#[tokio::test]
async fn two_sweeps_at_once_remove_the_same_data_once_or_twice_and_nothing_else() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/kept", bytes(1, LARGE)).await.unwrap();
    for number in 0..8 {
        let at = format!("/{number}");
        put(&store, &at, bytes(2, LARGE)).await.unwrap();
        store.delete(&path(&at), Precondition::None).await.unwrap();
    }
    server.advance(2 * HOUR);
    let other = open(&server).await;
    let (one, two) = tokio::join!(
        store.sweep(SweepOptions::new().deep()),
        other.sweep(SweepOptions::new().deep())
    );
    one.unwrap();
    two.unwrap();
    assert_eq!(data(&server), 1);
    assert_eq!(read(&store, "/kept").await, bytes(1, LARGE));
}

/// Starts an upload of two parts that is still open.
async fn open_multipart(store: &storage_driver_bucket::Bucket, at: &str) -> storage_driver::Writer {
    let mut writer = store.writer(&path(at), WriterOptions::create()).await.unwrap();
    writer.write_bytes(bytes(1, 9 << 20)).await.unwrap();
    writer.write_bytes(bytes(2, 1)).await.unwrap();
    writer
}

#[tokio::test]
async fn multipart_uploads_of_an_open_upload_stay_and_those_of_a_fenced_writer_go() {
    for page in [1000, 1] {
        let server = server();
        server.set_ways(|ways| ways.page = page);
        let (one, two) = (open(&server).await, open(&server).await);
        let mut kept = open_multipart(&one, "/kept").await;
        let fenced = [open_multipart(&one, "/a").await, open_multipart(&one, "/b").await];
        for at in ["/a", "/b"] {
            two.cancel_upload(&path(at)).await.unwrap();
        }
        assert_eq!(server.open_multiparts(), 3);
        // Young ones stay.
        let report = two.sweep(SweepOptions::new().deep()).await.unwrap();
        assert_eq!(report.multiparts, 0);
        server.advance(2 * HOUR);
        let report = two.sweep(SweepOptions::new().deep()).await.unwrap();
        assert_eq!((report.multiparts, server.open_multiparts()), (2, 1));
        kept.write_bytes(bytes(3, 9 << 20)).await.unwrap();
        kept.commit().await.unwrap();
        assert_eq!(read(&two, "/kept").await.len(), (18 << 20) + 1);
        drop(fenced);
    }
}

#[tokio::test]
async fn multipart_uploads_outside_of_the_prefix_of_a_store_are_left_alone() {
    let server = server();
    let store = Builder::double(&server).prefix("one").open().await.unwrap();
    let other = Builder::double(&server).prefix("two").open().await.unwrap();
    let writer = open_multipart(&other, "/a").await;
    store.cancel_upload(&path("/a")).await.unwrap_err();
    server.advance(2 * HOUR);
    store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!(server.open_multiparts(), 1);
    drop(writer);
}

#[tokio::test]
async fn data_without_an_owner_goes_when_the_grace_has_passed() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    server.put("!data/AAAAAAAAAAAAAAAAAAAAAA/late", "application/octet-stream", bytes(1, 10));
    store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!(data(&server), 2);
    server.advance(2 * HOUR);
    let report = store.sweep(SweepOptions::new().deep()).await.unwrap();
    assert_eq!((report.objects, report.bytes, data(&server)), (1, 10, 1));
    assert_eq!(read(&store, "/a").await, bytes(1, LARGE));
}

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn of_processes_that_sweep_under_a_lease_one_does() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    one.meter().set_faults(Some(FaultPlan::new(|kind, _| match kind {
        RequestKind::List => Fault::Late(10 * MINUTE),
        _ => Fault::None,
    })));
    let options = || SweepOptions::new().lease(MINUTE);
    let first = tokio::spawn(async move { one.sweep(options()).await });
    for _ in 0..5 {
        tokio::time::sleep(MINUTE).await;
        // It is renewed, so that it never looks as before.
        assert!(two.sweep(options()).await.unwrap().skipped);
    }
    assert!(!first.await.unwrap().unwrap().skipped);
    assert!(!two.sweep(options()).await.unwrap().skipped);
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_process_that_has_stopped_is_taken_over() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    let options = || SweepOptions::new().lease(MINUTE);
    // It cannot give the lease back.
    one.meter().set_faults(Some(FaultPlan::new(|kind, path| {
        match kind == RequestKind::Delete && path.contains("leases/") {
            true => Fault::Before,
            false => Fault::None,
        }
    })));
    assert!(!one.sweep(options()).await.unwrap().skipped);
    assert!(two.sweep(options()).await.unwrap().skipped);
    tokio::time::sleep(MINUTE / 2).await;
    assert!(two.sweep(options()).await.unwrap().skipped);
    tokio::time::sleep(MINUTE / 2).await;
    assert!(!two.sweep(options()).await.unwrap().skipped);
}

/// The sweeper looks at the destination before the commit has put its record, and at the upload after the commit has
/// ended it.
#[tokio::test(start_paused = true)]
async fn a_commit_while_its_holders_are_looked_at_keeps_its_data() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    put(&one, "/d", bytes(1, LARGE)).await.unwrap();
    // The destination is a holder before the upload is.
    one.copy(&path("/d"), &path("/e"), Precondition::None).await.unwrap();
    one.delete(&path("/e"), Precondition::None).await.unwrap();
    let writer = one.writer(&path("/d"), WriterOptions::append()).await.unwrap();
    let late = |of: RequestKind, key: &'static str, time: u64| {
        FaultPlan::new(move |kind, path| match kind == of && path == key {
            true => Fault::Late(Duration::from_secs(time)),
            false => Fault::None,
        })
    };
    one.meter().set_faults(Some(late(RequestKind::Put, "/memory/e", 10)));
    let commit =
        tokio::spawn(async move { writer.commit_to(&path("/e"), Precondition::None).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.put("d", "text/plain", "put by another program");
    server.advance(2 * HOUR);
    two.meter().set_faults(Some(late(RequestKind::Get, "/memory/%21uploads/d", 20)));
    two.sweep(SweepOptions::new()).await.unwrap();
    commit.await.unwrap().unwrap();
    assert_eq!(read(&two, "/e").await, bytes(1, LARGE));
}

#[tokio::test]
async fn data_whose_last_file_was_deleted_a_moment_ago_waits_also_if_an_older_hint_points_at_it() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    server.advance(2 * HOUR);
    let reader = store.reader(&path("/b"), ReadRange::Full).await.unwrap();
    store.delete(&path("/b"), Precondition::None).await.unwrap();
    let report = store.sweep(SweepOptions::new()).await.unwrap();
    assert_eq!((report.objects, report.waiting), (0, 1));
    assert_eq!(reader.into_content(u64::MAX).await.unwrap().into_bytes(), bytes(1, LARGE));
    // It goes when the grace of the last reader is over, without a deep sweep.
    server.advance(2 * HOUR);
    store.sweep(SweepOptions::new()).await.unwrap();
    assert_eq!(data(&server), 0);
    assert!(!server.keys().iter().any(|key| key.starts_with("!trash/")));
}

#[tokio::test]
async fn a_hint_that_is_young_stays_when_an_older_one_has_been_followed() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    for to in ["/b", "/c"] {
        store.copy(&path("/a"), &path(to), Precondition::None).await.unwrap();
    }
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    server.advance(2 * HOUR);
    store.delete(&path("/b"), Precondition::None).await.unwrap();
    store.sweep(SweepOptions::new()).await.unwrap();
    let hints = || server.keys().iter().filter(|key| key.starts_with("!trash/")).count();
    // That of the second deletion, and its trace.
    assert_eq!(hints(), 2);
    server.advance(2 * HOUR);
    store.sweep(SweepOptions::new()).await.unwrap();
    assert_eq!(hints(), 0);
    assert_eq!(read(&store, "/c").await, bytes(1, LARGE));
}

/// A writer that was fenced by a create stores more data after all of its earlier data was swept.
#[tokio::test]
async fn data_that_a_fenced_writer_stores_after_its_owner_was_swept_goes() {
    for kept in [false, true] {
        let server = server();
        let (one, two) = (open(&server).await, open(&server).await);
        let mut fenced = one.writer(&path("/u"), WriterOptions::create()).await.unwrap();
        fenced.write_bytes(bytes(1, 9 << 20)).await.unwrap();
        fenced.write_bytes(bytes(1, 1)).await.unwrap();
        if kept {
            fenced.sync().await.unwrap();
        }
        upload(&two, "/u", bytes(2, LARGE)).await.unwrap();
        for _ in 0..3 {
            server.advance(2 * HOUR);
            two.sweep(SweepOptions::new().deep()).await.unwrap();
        }
        assert_eq!((data(&server), server.open_multiparts()), (1, 0), "kept: {kept}");
        // Its connection still works.
        fenced.write_bytes(bytes(3, 17 << 20)).await.unwrap();
        let error = fenced.suspend().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriterFenced, "kept: {kept}");
        for _ in 0..3 {
            server.advance(2 * HOUR);
            two.sweep(SweepOptions::new().deep()).await.unwrap();
        }
        assert_eq!((data(&server), server.open_multiparts()), (1, 0), "kept: {kept}");
        let owners = server.keys().iter().filter(|key| key.starts_with("!owners/")).count();
        assert_eq!(owners, 1);
        let writer = two.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(read(&two, "/u").await, bytes(2, LARGE));
    }
}

#[tokio::test]
async fn the_age_of_an_upload_is_told_by_the_clock_of_the_server() {
    let server = server();
    server.advance(HOUR);
    let (one, two) = (open(&server).await, open(&server).await);
    upload(&one, "/u", bytes(1, 10)).await.unwrap();
    let found = two.upload(&path("/u")).await.unwrap().unwrap();
    let age = server.now().duration_since(found.modified).unwrap_or_default();
    assert!(age < Duration::from_secs(60), "{age:?}");
    let root = Path::root();
    let older_than = |age| two.cancel_uploads(&root, age);
    server.advance(HOUR / 2);
    assert_eq!(older_than(HOUR).await.unwrap(), 0);
    server.advance(HOUR);
    assert_eq!(older_than(HOUR).await.unwrap(), 1);
}

/// So that a sweep holds no more of them, however many there are.
#[tokio::test]
async fn of_many_hints_at_one_owner_a_sweep_removes_a_thousand() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    let owner = server.keys().into_iter().find(|key| key.starts_with("!owners/")).unwrap();
    for number in 0..1500 {
        let key = owner.replace("!owners/", "!trash/");
        server.put(&format!("{key}/{number}"), "application/octet-stream", bytes(1, 10));
    }
    server.advance(2 * HOUR);
    for left in [500, 0] {
        let report = store.sweep(SweepOptions::new()).await.unwrap();
        assert_eq!(report.examined, 1);
        let hints = server.keys().iter().filter(|key| key.starts_with("!trash/")).count();
        assert_eq!(hints, left);
    }
    assert_eq!(read(&store, "/a").await, bytes(1, LARGE));
}
