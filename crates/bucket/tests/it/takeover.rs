//! One process takes over what another has begun.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use storage_driver::{ErrorKind, Precondition, StorageDriver, SweepOptions, WriterOptions};
use storage_driver_bucket::{
    Bucket,
    http::{Fault, FaultPlan, RequestKind},
};

use crate::support::{LARGE, bytes, files, open, path, put, read, server, upload, uploads};

#[tokio::test]
async fn another_process_resumes_an_upload_and_fences_the_first() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    let mut first = one.writer(&path("/u"), WriterOptions::create()).await.unwrap();
    first.write_bytes(bytes(1, LARGE)).await.unwrap();
    first.sync().await.unwrap();
    first.write_bytes(bytes(2, LARGE)).await.unwrap();
    let second = two.writer(&path("/u"), WriterOptions::resume_at(LARGE as u64)).await.unwrap();
    let error = first.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriterFenced);
    second.commit().await.unwrap();
    assert_eq!(read(&two, "/u").await, bytes(1, LARGE));
}

/// The record of a commit is still on its way when another process takes the upload over.
#[tokio::test(start_paused = true)]
async fn a_commit_that_was_taken_over_takes_no_effect_later() {
    for present in [false, true] {
        let server = server();
        let (one, two) = (open(&server).await, open(&server).await);
        if present {
            put(&two, "/dest", bytes(9, 100)).await.unwrap();
        }
        upload(&one, "/u", bytes(1, LARGE)).await.unwrap();
        let writer = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
        let late = Fault::Late(Duration::from_secs(5));
        one.meter().set_faults(Some(FaultPlan::new(move |kind, path| {
            match kind == RequestKind::Put && path.ends_with("/dest") {
                true => late,
                false => Fault::None,
            }
        })));
        let commit =
            tokio::spawn(async move { writer.commit_to(&path("/dest"), Precondition::None).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        let second = two.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
        let error = commit.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriterFenced);
        assert_eq!(files(&two).await.contains_key("/dest"), present);
        second.commit_to(&path("/other"), Precondition::None).await.unwrap();
        assert_eq!(read(&two, "/other").await, bytes(1, LARGE));
    }
}

/// The commit has taken effect, but its process ended before it removed the journal.
#[tokio::test(start_paused = true)]
async fn a_commit_that_took_effect_ends_its_upload() {
    let server = server();
    let one = open(&server).await;
    upload(&one, "/u", bytes(1, LARGE)).await.unwrap();
    let writer = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    one.meter().set_faults(Some(FaultPlan::new(|kind, _| match kind {
        RequestKind::Delete => Fault::Before,
        _ => Fault::None,
    })));
    writer.commit_to(&path("/dest"), Precondition::None).await.unwrap();
    let two = open(&server).await;
    assert!(server.keys().contains(&"!uploads/u/!".to_owned()));
    assert!(uploads(&two).await.is_empty());
    // The record that proves it is replaced; the upload stays ended all the same.
    put(&two, "/dest", bytes(2, 10)).await.unwrap();
    assert!(uploads(&two).await.is_empty());
    let error = two.writer(&path("/u"), WriterOptions::resume()).await.unwrap_err();
    assert!(error.is_not_found());
}

/// The first writer has stored data and ends before it keeps that.
#[tokio::test]
async fn an_upload_is_resumed_after_a_writer_that_stored_data_and_kept_none() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    upload(&one, "/u", bytes(1, 10)).await.unwrap();
    let mut first = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    first.write_bytes(bytes(2, 9 << 20)).await.unwrap();
    first.write_bytes(bytes(2, 10)).await.unwrap();
    assert!(server.keys().iter().any(|key| key.starts_with("!owners/")));
    drop(first);
    let mut second = two.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    second.write_bytes(bytes(3, LARGE)).await.unwrap();
    second.commit().await.unwrap();
    assert_eq!(read(&two, "/u").await, [bytes(1, 10), bytes(3, LARGE)].concat());
}

/// A commit reads its destination after another process has taken the upload over and finds the version that it wants.
#[tokio::test(start_paused = true)]
async fn a_commit_that_reads_its_destination_after_a_takeover_takes_no_effect() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    let dest = path("/dest");
    let file = two.put_content(&dest, bytes(9, 100).into(), Precondition::None).await.unwrap();
    upload(&one, "/u", bytes(1, LARGE)).await.unwrap();
    let writer = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    let late = Fault::Late(Duration::from_secs(5));
    one.meter().set_faults(Some(FaultPlan::new(move |kind, path| {
        match kind == RequestKind::Get && path.ends_with("/dest") {
            true => late,
            false => Fault::None,
        }
    })));
    let condition = Precondition::IfVersion(file.version);
    let commit = tokio::spawn(async move { writer.commit_to(&dest, condition).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let _second = two.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    let error = commit.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriterFenced);
    assert_eq!(read(&two, "/dest").await, bytes(9, 100));
}

/// The response to a cancellation is lost, and another process creates an upload before the first one looks.
#[tokio::test(start_paused = true)]
async fn a_cancellation_ends_one_upload_and_not_the_one_that_was_created_after_it() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    upload(&one, "/u", bytes(1, 10)).await.unwrap();
    let is_cancelled = Arc::new(AtomicBool::new(false));
    one.meter().set_faults(Some(FaultPlan::new(move |kind, _| match kind {
        RequestKind::Put if !is_cancelled.swap(true, Ordering::Relaxed) => Fault::After,
        RequestKind::Get if is_cancelled.load(Ordering::Relaxed) => {
            Fault::Late(Duration::from_secs(5))
        }
        _ => Fault::None,
    })));
    let cancel = tokio::spawn(async move { one.cancel_upload(&path("/u")).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    upload(&two, "/u", bytes(2, 20)).await.unwrap();
    // The outcome is not known, and the new upload stays.
    assert_eq!(cancel.await.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(uploads(&two).await, [("/u".to_owned(), 20)]);
}

/// Two processes find a commit that was cut off, and each takes its time.
#[tokio::test(start_paused = true)]
async fn two_processes_that_settle_one_commit_do_not_keep_each_other_from_it() {
    let server = server();
    let (one, two) = (open(&server).await, open(&server).await);
    upload(&one, "/u", bytes(1, LARGE)).await.unwrap();
    let writer = one.writer(&path("/u"), WriterOptions::resume()).await.unwrap();
    one.meter().set_faults(Some(FaultPlan::new(|kind, path| {
        match kind == RequestKind::Put && path.ends_with("/dest") {
            true => Fault::Before,
            false => Fault::None,
        }
    })));
    writer.commit_to(&path("/dest"), Precondition::None).await.unwrap_err();
    let slow =
        FaultPlan::new(|kind, path| match kind == RequestKind::Get && path.ends_with("/dest") {
            true => Fault::Late(Duration::from_secs(5)),
            false => Fault::None,
        });
    one.meter().set_faults(Some(slow.clone()));
    two.meter().set_faults(Some(slow));
    let resume = async |store: &Bucket, after| {
        tokio::time::sleep(Duration::from_secs(after)).await;
        store.writer(&path("/u"), WriterOptions::resume()).await
    };
    let both = async { tokio::join!(resume(&one, 0), resume(&two, 1)) };
    let (first, second) = tokio::time::timeout(Duration::from_secs(60), both).await.unwrap();
    drop((first.unwrap(), second.unwrap()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_commits_of_many_processes_to_one_path_one_succeeds() {
    let server = server();
    let mut tasks = Vec::new();
    for number in 0..8 {
        let store = open(&server).await;
        tasks.push(tokio::spawn(async move {
            let at = path(&format!("/u/{number}"));
            let mut writer = store.writer(&at, WriterOptions::create()).await.unwrap();
            writer.write_bytes(bytes(number, 100)).await.unwrap();
            writer.commit_to(&path("/dest"), Precondition::IfAbsent).await.is_ok()
        }));
    }
    let mut won = 0;
    for task in tasks {
        won += u32::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
    let store = Arc::new(open(&server).await);
    assert_eq!(uploads(&store).await.len(), 7);
}

/// The request that opens an upload fails at once, and arrives when the upload has ended.
#[tokio::test(start_paused = true)]
async fn an_upload_that_has_ended_does_not_come_back() {
    for (append, cancel) in [(false, false), (false, true), (true, false), (true, true)] {
        let server = server();
        let one = open(&server).await;
        put(&one, "/u", bytes(9, 10)).await.unwrap();
        let is_sent = AtomicBool::new(false);
        one.meter().set_faults(Some(FaultPlan::new(move |kind, path| {
            let opens = kind == RequestKind::Put && path.ends_with("/%21uploads/u/%21");
            match opens && !is_sent.swap(true, Ordering::Relaxed) {
                true => Fault::Delayed(Duration::from_secs(60)),
                false => Fault::None,
            }
        })));
        let options = if append { WriterOptions::append() } else { WriterOptions::create() };
        let mut writer = one.writer(&path("/u"), options).await.unwrap();
        writer.write_bytes(bytes(1, 10)).await.unwrap();
        match cancel {
            true => writer.cancel().await.unwrap(),
            false => drop(writer.commit().await.unwrap()),
        }
        tokio::time::sleep(Duration::from_secs(120)).await;
        assert!(uploads(&one).await.is_empty(), "append: {append}, cancel: {cancel}");
        let resumed = one.writer(&path("/u"), WriterOptions::resume()).await;
        assert!(resumed.unwrap_err().is_not_found());
        // Nothing is under way any more, and nothing stays.
        one.sweep(SweepOptions::new().deep().grace(Duration::ZERO)).await.unwrap();
        assert!(!server.keys().iter().any(|key| key.starts_with("!uploads/")));
    }
}

/// The response to the opening of an upload is lost. The upload is open, and no tombstone is needed.
#[tokio::test(start_paused = true)]
async fn an_opening_whose_response_is_lost_is_found_by_one_request() {
    let server = server();
    let one = open(&server).await;
    let is_sent = AtomicBool::new(false);
    one.meter().set_faults(Some(FaultPlan::new(move |kind, _| {
        match kind == RequestKind::Put && !is_sent.swap(true, Ordering::Relaxed) {
            true => Fault::After,
            false => Fault::None,
        }
    })));
    one.meter().reset();
    let writer = one.writer(&path("/u"), WriterOptions::create()).await.unwrap();
    assert_eq!(one.meter().total(), 2);
    writer.cancel().await.unwrap();
    assert!(!server.keys().iter().any(|key| key.starts_with("!uploads/")));
}
