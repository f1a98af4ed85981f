//! 7.1, 7.3: rename of a file.

use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};

use crate::{
    Pattern, Subject,
    check::{
        everything, exists, fails, finish, list, path, put, read, stat, upload, uploads, walk,
    },
};

/// Renames, without a precondition.
async fn rename(
    driver: &dyn StorageDriver,
    from: &str,
    to: &str,
) -> storage_driver::Result<storage_driver::Metadata> {
    driver.rename(&path(from), &path(to), Precondition::None).await
}

/// Checks that a rename fails in this way and changes nothing.
async fn refused(driver: &dyn StorageDriver, from: &str, to: &str, kind: ErrorKind) {
    let before = everything(driver).await;
    fails(rename(driver, from, to).await, kind);
    assert_eq!(everything(driver).await, before, "{from} to {to}");
}

pub(crate) async fn rename_moves_a_file(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let moved = rename(&driver, "/a", "/b/c").await.unwrap();
    assert_eq!((moved.path.as_str(), moved.size), ("/b/c", 7));
    assert_eq!(moved.version, old.version);
    assert_eq!(stat(&driver, "/b/c").await, moved);
    assert_eq!(read(&driver, "/b/c").await, "content");
    assert_eq!(walk(&driver, "/").await, ["/b", "/b/c"]);
}

pub(crate) async fn rename_replaces_a_file(subject: Subject) {
    let driver = subject.driver().await;
    let new = put(&driver, "/a", "new").await;
    put(&driver, "/b", "the old content, which is longer").await;
    rename(&driver, "/a", "/b").await.unwrap();
    assert_eq!(read(&driver, "/b").await, "new");
    assert_eq!(stat(&driver, "/b").await.version, new.version);
    assert!(!exists(&driver, "/a").await);
}

pub(crate) async fn rename_keeps_the_version(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/a", "content").await.version;
    for (from, to) in [("/a", "/b"), ("/b", "/c/d/e"), ("/c/d/e", "/c/d/f"), ("/c/d/f", "/a")] {
        assert_eq!(rename(&driver, from, to).await.unwrap().version, version);
        assert_eq!(stat(&driver, to).await.version, version);
    }
}

pub(crate) async fn rename_keeps_the_time(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let moved = rename(&driver, "/a", "/b").await.unwrap();
    assert_eq!(moved.modified, old.modified);
    assert_eq!(stat(&driver, "/b").await.modified, old.modified);
}

pub(crate) async fn rename_moves_big_content(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(70);
    put(&driver, "/a", pattern.bytes(0..3_000_001)).await;
    rename(&driver, "/a", "/b").await.unwrap();
    let bytes = read(&driver, "/b").await;
    assert_eq!(bytes.len(), 3_000_001);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn rename_takes_if_absent(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    driver.rename(&path("/a"), &path("/b"), Precondition::IfAbsent).await.unwrap();
    put(&driver, "/a", "y").await;
    let before = everything(&driver).await;
    let result = driver.rename(&path("/a"), &path("/b"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn rename_takes_if_version_of_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    let from = put(&driver, "/a", "new").await.version;
    let to = put(&driver, "/b", "old").await.version;
    let before = everything(&driver).await;
    let wrong = Precondition::IfVersion(from);
    let result = driver.rename(&path("/a"), &path("/b"), wrong.clone()).await;
    fails(result, ErrorKind::PreconditionFailed);
    fails(driver.rename(&path("/a"), &path("/c"), wrong).await, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
    driver.rename(&path("/a"), &path("/b"), Precondition::IfVersion(to)).await.unwrap();
    assert_eq!(read(&driver, "/b").await, "new");
}

pub(crate) async fn rename_from_nothing_names_from_and_leaves_to(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/b", "untouched").await;
    let before = everything(&driver).await;
    for from in ["/a", "/b/below-a-file", "/c/d"] {
        let error = fails(rename(&driver, from, "/b").await, ErrorKind::PathNotFound);
        assert_eq!(error.path(), Some(&path(from)));
        let error = fails(rename(&driver, from, "/e").await, ErrorKind::PathNotFound);
        assert_eq!(error.path(), Some(&path(from)));
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn rename_from_an_upload_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    refused(&driver, "/a", "/b", ErrorKind::PathNotFound).await;
}

pub(crate) async fn rename_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    refused(&driver, "/a", "/c", ErrorKind::IsADirectory).await;
}

pub(crate) async fn rename_onto_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b/c/d", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/b/c", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_onto_its_own_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    refused(&driver, "/a/b/c", "/a/b", ErrorKind::PathConflict).await;
    refused(&driver, "/a/b/c", "/a", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_under_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b/c", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/b/c/d", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_under_itself_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    refused(&driver, "/a", "/a/b", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/b/c", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_onto_itself_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a/b", "content").await;
    assert_eq!(rename(&driver, "/a/b", "/a/b").await.unwrap(), old);
    assert_eq!(stat(&driver, "/a/b").await, old);
    assert_eq!(read(&driver, "/a/b").await, "content");
}

pub(crate) async fn rename_onto_itself_checks_its_precondition(subject: Subject) {
    let driver = subject.driver().await;
    let stale = put(&driver, "/a", "old").await.version;
    let file = put(&driver, "/a", "content").await;
    for condition in [Precondition::IfAbsent, Precondition::IfVersion(stale)] {
        let result = driver.rename(&path("/a"), &path("/a"), condition).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    let current = Precondition::IfVersion(file.version.clone());
    assert_eq!(driver.rename(&path("/a"), &path("/a"), current).await.unwrap(), file);
    assert_eq!(stat(&driver, "/a").await, file);
}

pub(crate) async fn rename_of_nothing_onto_itself_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    refused(&driver, "/a", "/a", ErrorKind::PathNotFound).await;
}

pub(crate) async fn rename_leaves_uploads_at_both_ends(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    upload(&driver, "/a", "upload at a").await;
    upload(&driver, "/b", "upload at b").await;
    rename(&driver, "/a", "/b").await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a", "/b"]);
    assert_eq!(read(&driver, "/b").await, "content");
    assert_eq!(finish(&driver, "/a").await, "upload at a");
    assert_eq!(finish(&driver, "/b").await, "upload at b");
}

pub(crate) async fn rename_leaves_siblings(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/ab", "/a.b", "/d/a"] {
        put(&driver, at, at).await;
    }
    rename(&driver, "/a", "/d/b").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a.b", "/ab", "/d", "/d/a", "/d/b"]);
    assert_eq!(list(&driver, "/d").await, ["/d/a", "/d/b"]);
}

pub(crate) async fn rename_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::Unsupported).await;
    refused(&driver, "/a", "/c", ErrorKind::Unsupported).await;
    assert!(driver.exists(&path("/a")).await.unwrap());
}
