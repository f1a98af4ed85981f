//! 7.6, 7.7: copy and touch.

use std::time::{Duration, Instant};

use storage_driver::{ErrorKind, Metadata, Precondition, StorageDriver, StorageDriverExt};

use crate::{
    Pattern, Subject,
    check::{everything, exists, fails, finish, path, put, read, stat, upload, uploads, walk},
};

async fn copy(
    driver: &dyn StorageDriver,
    from: &str,
    to: &str,
) -> storage_driver::Result<Metadata> {
    driver.copy(&path(from), &path(to), Precondition::None).await
}

/// Checks that a copy fails in this way and changes nothing.
async fn refused(driver: &dyn StorageDriver, from: &str, to: &str, kind: ErrorKind) {
    let before = everything(driver).await;
    fails(copy(driver, from, to).await, kind);
    assert_eq!(everything(driver).await, before, "{from} to {to}");
}

pub(crate) async fn copy_makes_a_second_file(subject: Subject) {
    let driver = subject.driver().await;
    let source = put(&driver, "/a", "content").await;
    let copied = copy(&driver, "/a", "/b/c").await.unwrap();
    assert_eq!((copied.path.as_str(), copied.size), ("/b/c", 7));
    assert_eq!(stat(&driver, "/b/c").await, copied);
    assert_eq!(read(&driver, "/b/c").await, "content");
    assert_eq!(stat(&driver, "/a").await, source);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn copy_makes_a_new_version(subject: Subject) {
    let driver = subject.driver().await;
    let source = put(&driver, "/a", "content").await;
    let first = copy(&driver, "/a", "/b").await.unwrap();
    let second = copy(&driver, "/a", "/b").await.unwrap();
    assert_ne!(first.version, source.version);
    assert_ne!(second.version, first.version);
    assert_ne!(second.version, source.version);
}

pub(crate) async fn copy_replaces_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "new").await;
    put(&driver, "/b", "the old content, which is longer").await;
    copy(&driver, "/a", "/b").await.unwrap();
    assert_eq!(read(&driver, "/b").await, "new");
}

pub(crate) async fn copy_copies_big_content(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(80);
    put(&driver, "/a", pattern.bytes(0..3_000_001)).await;
    copy(&driver, "/a", "/b").await.unwrap();
    let bytes = read(&driver, "/b").await;
    assert_eq!(bytes.len(), 3_000_001);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn a_copy_outlives_changes_of_its_source(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    copy(&driver, "/a", "/b").await.unwrap();
    put(&driver, "/a", "other").await;
    assert_eq!(read(&driver, "/b").await, "content");
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/b").await, "content");
}

pub(crate) async fn a_source_outlives_changes_of_its_copy(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    copy(&driver, "/a", "/b").await.unwrap();
    put(&driver, "/b", "other").await;
    assert_eq!(read(&driver, "/a").await, "content");
    driver.delete(&path("/b"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn copy_takes_if_absent(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    driver.copy(&path("/a"), &path("/b"), Precondition::IfAbsent).await.unwrap();
    put(&driver, "/a", "y").await;
    let before = everything(&driver).await;
    let result = driver.copy(&path("/a"), &path("/b"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn copy_takes_if_version_of_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    let from = put(&driver, "/a", "new").await.version;
    let to = put(&driver, "/b", "old").await.version;
    let before = everything(&driver).await;
    let wrong = Precondition::IfVersion(from);
    let result = driver.copy(&path("/a"), &path("/b"), wrong.clone()).await;
    fails(result, ErrorKind::PreconditionFailed);
    fails(driver.copy(&path("/a"), &path("/c"), wrong).await, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
    driver.copy(&path("/a"), &path("/b"), Precondition::IfVersion(to)).await.unwrap();
    assert_eq!(read(&driver, "/b").await, "new");
}

pub(crate) async fn copy_from_nothing_names_from_and_leaves_to(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/b", "untouched").await;
    let before = everything(&driver).await;
    for from in ["/a", "/b/below-a-file", "/c/d"] {
        let error = fails(copy(&driver, from, "/b").await, ErrorKind::PathNotFound);
        assert_eq!(error.path(), Some(&path(from)));
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn copy_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    refused(&driver, "/a", "/c", ErrorKind::IsADirectory).await;
}

pub(crate) async fn copy_onto_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b/c", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::PathConflict).await;
    refused(&driver, "/b/c", "/b", ErrorKind::PathConflict).await;
}

pub(crate) async fn copy_under_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b/c", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/b", ErrorKind::PathConflict).await;
}

pub(crate) async fn copy_onto_itself_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    assert_eq!(copy(&driver, "/a", "/a").await.unwrap(), old);
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn copy_onto_itself_checks_its_precondition(subject: Subject) {
    let driver = subject.driver().await;
    let stale = put(&driver, "/a", "old").await.version;
    let file = put(&driver, "/a", "content").await;
    for condition in [Precondition::IfAbsent, Precondition::IfVersion(stale)] {
        let result = driver.copy(&path("/a"), &path("/a"), condition).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    let current = Precondition::IfVersion(file.version.clone());
    assert_eq!(driver.copy(&path("/a"), &path("/a"), current).await.unwrap(), file);
    assert_eq!(stat(&driver, "/a").await, file);
}

pub(crate) async fn copy_leaves_uploads_at_both_ends(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    upload(&driver, "/a", "upload at a").await;
    upload(&driver, "/b", "upload at b").await;
    copy(&driver, "/a", "/b").await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a", "/b"]);
    assert_eq!(read(&driver, "/b").await, "content");
    assert_eq!(finish(&driver, "/b").await, "upload at b");
}

pub(crate) async fn copy_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::Unsupported).await;
    refused(&driver, "/a", "/c", ErrorKind::Unsupported).await;
}

pub(crate) async fn touch_makes_a_new_version_of_the_same_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a/b", "content").await;
    let touched = driver.touch(&path("/a/b"), Precondition::None).await.unwrap();
    assert_ne!(touched.version, old.version);
    assert_eq!((touched.path.as_str(), touched.size), ("/a/b", 7));
    assert_eq!(stat(&driver, "/a/b").await, touched);
    assert_eq!(read(&driver, "/a/b").await, "content");
    let again = driver.touch(&path("/a/b"), Precondition::None).await.unwrap();
    assert_ne!(again.version, touched.version);
}

pub(crate) async fn touch_sets_the_time(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let mut touched = driver.touch(&path("/a"), Precondition::None).await.unwrap();
    // The clock may not advance between two calls, but it does eventually.
    let begun = Instant::now();
    while touched.modified == old.modified {
        assert!(begun.elapsed() < Duration::from_secs(10), "{touched:?}");
        tokio::task::yield_now().await;
        touched = driver.touch(&path("/a"), Precondition::None).await.unwrap();
    }
    assert!(touched.modified > old.modified);
}

pub(crate) async fn touch_prevents_a_deletion_if_version(subject: Subject) {
    let driver = subject.driver().await;
    let seen = put(&driver, "/a", "content").await.version;
    driver.touch(&path("/a"), Precondition::None).await.unwrap();
    let result = driver.delete(&path("/a"), Precondition::IfVersion(seen)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn touch_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.touch(&path("/a"), Precondition::None).await, ErrorKind::PathNotFound);
    assert!(!exists(&driver, "/a").await);
    put(&driver, "/a", "x").await;
    fails(driver.touch(&path("/a/b"), Precondition::None).await, ErrorKind::PathNotFound);
    upload(&driver, "/u", "x").await;
    fails(driver.touch(&path("/u"), Precondition::None).await, ErrorKind::PathNotFound);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn touch_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    fails(driver.touch(&path("/a"), Precondition::None).await, ErrorKind::IsADirectory);
}

pub(crate) async fn touch_takes_if_version(subject: Subject) {
    let driver = subject.driver().await;
    let stale = put(&driver, "/a", "old").await.version;
    let current = put(&driver, "/a", "content").await;
    let result = driver.touch(&path("/a"), Precondition::IfVersion(stale)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(stat(&driver, "/a").await, current);
    let condition = Precondition::IfVersion(current.version.clone());
    let touched = driver.touch(&path("/a"), condition).await.unwrap();
    assert_ne!(touched.version, current.version);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn touch_if_absent_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/d/b", "x").await;
    let before = everything(&driver).await;
    for at in ["/a", "/d", "/nothing"] {
        fails(driver.touch(&path(at), Precondition::IfAbsent).await, ErrorKind::Unsupported);
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_conditional_touch_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "x").await;
    let condition = Precondition::IfVersion(old.version.clone());
    fails(driver.touch(&path("/a"), condition).await, ErrorKind::Unsupported);
    assert_eq!(stat(&driver, "/a").await, old);
}

pub(crate) async fn touch_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "x").await;
    fails(driver.touch(&path("/a"), Precondition::None).await, ErrorKind::Unsupported);
    assert_eq!(stat(&driver, "/a").await, old);
    assert!(driver.exists(&path("/a")).await.unwrap());
}
