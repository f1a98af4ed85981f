//! The layers [`Faulty`] and [`Yielding`].

use std::task::Poll;

use futures::{FutureExt, StreamExt, TryStreamExt, executor::block_on, poll};
use storage_driver::{
    Error, ErrorKind, Operation, Path, Precondition, ReadRange, Result, StorageDriver,
    StorageDriverExt, WalkOptions, WriterOptions,
};
use storage_driver_conformance::{
    layers::{Fault, Faulty, Yielding},
    reference::Reference,
};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Some calls of every kind. Each step needs the one before.
async fn scene(driver: &dyn StorageDriver) -> Result<()> {
    let (upload, blob, copy) = (path("/uploads/1"), path("/blobs/1"), path("/blobs/2"));
    let mut writer = driver.create(&upload).await?;
    writer.write_bytes("some ").await?;
    writer.set_note("5 bytes")?;
    driver.upload(&upload).await?;
    writer.suspend().await?;
    let mut writer = driver.writer(&upload, WriterOptions::resume_at(5)).await?;
    writer.write_bytes("content").await?;
    writer.sync().await?;
    writer.commit_to(&blob, Precondition::IfAbsent).await?;
    driver.copy(&blob, &copy, Precondition::None).await?;
    driver.rename(&copy, &path("/blobs/3"), Precondition::None).await?;
    driver.rename_dir(&path("/blobs"), &path("/content")).await?;
    let reader = driver.reader(&path("/content/1"), ReadRange::Offset(5)).await?;
    let read: Vec<_> = reader.try_collect().await?;
    assert_eq!(read.concat(), b"content");
    let walked: Vec<_> = driver.walk(&Path::root(), WalkOptions::new()).try_collect().await?;
    assert_eq!(walked.len(), 3);
    driver.create(&upload).await?.cancel().await?;
    driver.delete(&path("/content/1"), Precondition::None).await?;
    driver.delete_dir(&path("/content")).await
}

/// The error of the scene with its `n`th call failed, or `None` if it has fewer.
fn with_fault(n: u64, fault: Fault) -> Option<(Reference, Error)> {
    let driver = Faulty::new(Reference::new());
    driver.fail_nth(n, fault);
    let result = block_on(scene(&driver));
    assert_eq!(driver.struck(), u64::from(result.is_err()), "call {n}: {result:?}");
    result.err().map(|error| (driver.inner().clone(), error))
}

#[test]
fn every_call_can_be_failed_and_says_where() {
    let fault = Fault::Before(ErrorKind::PermissionDenied);
    let errors: Vec<Error> = (0..).map_while(|n| with_fault(n, fault)).map(|it| it.1).collect();
    let failed: Vec<_> = errors.iter().filter_map(Error::operation).collect();
    for operation in [
        Operation::Writer,
        Operation::Write,
        Operation::Sync,
        Operation::CommitTo,
        Operation::Copy,
        Operation::Rename,
        Operation::RenameDir,
        Operation::Reader,
        Operation::Read,
        Operation::Walk,
        Operation::Cancel,
        Operation::Delete,
        Operation::DeleteDir,
        Operation::SetNote,
        Operation::Upload,
    ] {
        assert!(failed.contains(&operation), "{operation} was never failed: {failed:?}");
    }
    for error in &errors {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert!(error.path().is_some() && error.driver() == Some("reference"), "{error:?}");
    }
}

#[test]
fn a_failed_commit_keeps_the_upload() {
    for n in 0.. {
        let Some((store, error)) = with_fault(n, Fault::Before(ErrorKind::Timeout)) else {
            panic!("no commit was failed");
        };
        if error.operation() == Some(Operation::CommitTo) {
            let upload = block_on(store.resume(&path("/uploads/1"))).unwrap();
            assert_eq!(upload.size(), 12);
            return;
        }
    }
}

#[test]
fn a_lost_response_is_of_a_call_that_took_effect() {
    for n in 0.. {
        let Some((store, error)) = with_fault(n, Fault::LostAnswer(ErrorKind::Timeout)) else {
            panic!("no response of a commit was lost");
        };
        if error.operation() == Some(Operation::CommitTo) {
            assert_eq!(block_on(store.get_bytes(&path("/blobs/1"), 100)).unwrap(), "some content");
            assert!(block_on(store.resume(&path("/uploads/1"))).unwrap_err().is_not_found());
            return;
        }
    }
}

/// Which of 200 calls fail, each with a probability of 1 / `one_in`.
fn failed_calls(seed: u64, one_in: usize) -> Vec<bool> {
    let driver = Faulty::new(Reference::new());
    driver.fail_at_random(seed, one_in, Fault::Before(ErrorKind::Unavailable));
    let root = Path::root();
    (0..200).map(|_| block_on(driver.stat(&root)).is_err()).collect()
}

#[test]
fn a_seed_fails_the_same_calls_each_time() {
    assert_eq!(failed_calls(1, 2), failed_calls(1, 2));
    assert_ne!(failed_calls(1, 2), failed_calls(2, 2));
}

#[test]
fn a_probability_is_the_share_of_calls_that_fail() {
    let share = |one_in| failed_calls(1, one_in).iter().filter(|it| **it).count();
    assert_eq!(share(1), 200);
    assert!((20..60).contains(&share(5)), "{} of 200", share(5));
}

#[test]
fn without_a_plan_nothing_fails_and_all_is_counted() {
    let driver = Faulty::new(Reference::new());
    block_on(scene(&driver)).unwrap();
    assert_eq!((driver.calls() > 15, driver.struck()), (true, 0));
}

#[test]
fn a_yielding_driver_waits_before_and_after_each_call() {
    block_on(async {
        let store = Reference::new();
        let driver = Yielding::new(store.clone());
        scene(&driver).await.unwrap();

        let (at, mut polls) = (path("/a"), Vec::new());
        let mut put = driver.put(&at, "content").boxed();
        while poll!(&mut put).is_pending() {
            polls.push(store.exists(&at).await.unwrap());
        }
        assert_eq!(polls, [false, true]);

        let mut reader = driver.reader(&at, ReadRange::Full).await.unwrap();
        assert!(poll!(reader.next()).is_pending());
        assert!(poll!(reader.next()).is_pending());
        assert!(matches!(poll!(reader.next()), Poll::Ready(Some(Ok(bytes))) if bytes == "content"));

        let mut writer = driver.create(&at).await.unwrap();
        let (mut write, mut pending) = (writer.write_bytes("more").boxed(), 0);
        while poll!(&mut write).is_pending() {
            pending += 1;
        }
        drop(write);
        assert_eq!((pending, writer.size()), (2, 4));
    });
}
