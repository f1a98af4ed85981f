//! One process takes over what another has begun.

use std::{sync::Arc, time::Duration};

use storage_driver::{ErrorKind, Precondition, StorageDriver, WriterOptions};
use storage_driver_bucket::http::{Fault, FaultPlan, RequestKind};

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
