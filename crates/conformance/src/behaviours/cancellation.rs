//! 9.1: futures that are dropped before they end.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll},
};

use futures::task::noop_waker_ref;
use storage_driver::{Precondition, StorageDriver, StorageDriverExt};

use crate::{
    Pattern, Subject,
    check::{create, everything, exists, finish, path, put, read, resume, stat, uploads, walk},
};

/// Polls a future up to so many times and drops it; what it ended, if it did.
fn cut_off<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(noop_waker_ref());
    for _ in 0..polls {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
    }
    None
}

/// The numbers of polls after which a future is dropped.
const POLLS: std::ops::Range<usize> = 0..12;

pub(crate) async fn a_future_that_is_never_polled_does_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let (a, b) = (path("/a"), path("/b"));
    put(&driver, "/a", "content").await;
    let before = everything(&driver).await;
    drop(driver.put(&a, "other"));
    drop(driver.create(&a));
    drop(driver.delete(&a, Precondition::None));
    drop(driver.delete_many(std::slice::from_ref(&a)));
    drop(driver.rename(&a, &b, Precondition::None));
    drop(driver.copy(&a, &b, Precondition::None));
    drop(driver.touch(&a, Precondition::None));
    drop(driver.shutdown());
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_dropped_put_takes_effect_once_or_never(subject: Subject) {
    let driver = subject.driver().await;
    let (old, new) = (Pattern::new(90), Pattern::new(91));
    for polls in POLLS {
        put(&driver, "/a", old.bytes(0..100_000)).await;
        let at = path("/a");
        let ended = cut_off(polls, driver.put(&at, new.bytes(0..50_000)));
        // This is the next operation on the path. Its result is final.
        let size = stat(&driver, "/a").await.size;
        let bytes = read(&driver, "/a").await;
        assert_eq!(bytes.len() as u64, size);
        match ended {
            Some(result) => assert_eq!(result.unwrap().size, size),
            None => assert!([50_000, 100_000].contains(&size), "{size}"),
        }
        let pattern = if size == 50_000 { new } else { old };
        pattern.check(0, &bytes).unwrap();
    }
}

pub(crate) async fn a_dropped_deletion_takes_effect_once_or_never(subject: Subject) {
    let driver = subject.driver().await;
    for polls in POLLS {
        put(&driver, "/a", "content").await;
        let at = path("/a");
        let ended = cut_off(polls, driver.delete(&at, Precondition::None));
        let there = exists(&driver, "/a").await;
        assert!(!(there && ended.is_some()));
        if there {
            assert_eq!(read(&driver, "/a").await, "content");
        }
        // The deletion does not take effect later, on the next file.
        put(&driver, "/a", "other").await;
        assert_eq!(read(&driver, "/a").await, "other");
    }
}

pub(crate) async fn a_dropped_commit_takes_effect_or_leaves_the_upload(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(92);
    for polls in POLLS {
        let at = format!("/d/{polls}");
        let mut writer = create(&driver, &at).await;
        writer.write_bytes(pattern.bytes(0..70_000)).await.unwrap();
        writer.sync().await.unwrap();
        let ended = cut_off(polls, writer.commit());
        if exists(&driver, &at).await {
            assert_eq!(stat(&driver, &at).await.size, 70_000);
            assert!(driver.resume(&path(&at)).await.is_err());
        } else {
            assert!(ended.is_none());
            assert_eq!(finish(&driver, &at).await.len(), 70_000);
        }
        pattern.check(0, &read(&driver, &at).await).unwrap();
    }
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn a_dropped_commit_to_leaves_no_part_at_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(93);
    for polls in POLLS {
        let (from, to) = (format!("/u/{polls}"), format!("/d/{polls}"));
        let mut writer = create(&driver, &from).await;
        writer.write_bytes(pattern.bytes(0..70_000)).await.unwrap();
        writer.sync().await.unwrap();
        let dest = path(&to);
        let ended = cut_off(polls, writer.commit_to(&dest, Precondition::None));
        assert!(!exists(&driver, &from).await);
        if exists(&driver, &to).await {
            let bytes = read(&driver, &to).await;
            assert_eq!(bytes.len(), 70_000);
            pattern.check(0, &bytes).unwrap();
        } else {
            assert!(ended.is_none());
            assert_eq!(resume(&driver, &from).await.size(), 70_000);
        }
    }
}

pub(crate) async fn a_dropped_cancel_removes_the_upload_or_leaves_it(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    for polls in POLLS {
        let mut writer = create(&driver, "/a").await;
        writer.write_bytes("upload").await.unwrap();
        writer.sync().await.unwrap();
        let ended = cut_off(polls, writer.cancel());
        match driver.resume(&path("/a")).await {
            Ok(writer) => assert!(ended.is_none() && writer.size() == 6),
            Err(error) => assert!(error.is_not_found(), "{error:?}"),
        }
        assert_eq!(read(&driver, "/a").await, "content");
    }
}

pub(crate) async fn a_dropped_rename_leaves_the_file_at_one_end(subject: Subject) {
    let driver = subject.driver().await;
    for polls in POLLS {
        let (from, to) = (format!("/from/{polls}"), format!("/to/{polls}"));
        let version = put(&driver, &from, "content").await.version;
        let (a, b) = (path(&from), path(&to));
        let ended = cut_off(polls, driver.rename(&a, &b, Precondition::None));
        let moved = exists(&driver, &to).await;
        assert_ne!(exists(&driver, &from).await, moved);
        assert!(moved || ended.is_none());
        let at = if moved { &to } else { &from };
        assert_eq!(stat(&driver, at).await.version, version);
        assert_eq!(read(&driver, at).await, "content");
    }
}

pub(crate) async fn a_dropped_rename_of_a_directory_leaves_it_whole(subject: Subject) {
    let driver = subject.driver().await;
    for polls in POLLS {
        let (from, to) = (format!("/from{polls}"), format!("/to{polls}"));
        for i in 0..5 {
            put(&driver, &format!("{from}/{i}"), "content").await;
        }
        let (a, b) = (path(&from), path(&to));
        let ended = cut_off(polls, driver.rename_dir(&a, &b));
        let moved = exists(&driver, &to).await;
        assert_ne!(exists(&driver, &from).await, moved);
        assert!(moved || ended.is_none());
        let at = if moved { &to } else { &from };
        assert_eq!(walk(&driver, at).await.len(), 5);
    }
}

pub(crate) async fn a_dropped_opening_leaves_what_can_be_found(subject: Subject) {
    let driver = subject.driver().await;
    for polls in POLLS {
        let at = format!("/u/{polls}");
        let opened = path(&at);
        drop(cut_off(polls, driver.create(&opened)));
        let listed = !uploads(&driver, &at).await.is_empty();
        assert_eq!(driver.cancel_upload(&opened).await.is_ok(), listed);
    }
    assert!(uploads(&driver, "/").await.is_empty());
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn dropped_uploads_can_be_listed_and_cancelled(subject: Subject) {
    let driver = subject.driver().await;
    for i in 0..20 {
        let mut writer = create(&driver, &format!("/u/{i}")).await;
        writer.write_bytes("left behind").await.unwrap();
        writer.sync().await.unwrap();
    }
    let left = uploads(&driver, "/").await;
    assert_eq!(left.len(), 20);
    for at in left {
        driver.cancel_upload(&path(&at)).await.unwrap();
    }
    assert!(everything(&driver).await == everything(&subject.driver().await).await);
}
