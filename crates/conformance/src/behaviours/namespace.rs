//! 2. The namespace.

use std::collections::HashSet;

use storage_driver::{ErrorKind, Precondition, ReadRange, Stat, StorageDriver, StorageDriverExt};

use crate::{
    Subject,
    check::{
        LIMIT, create, everything, exists, fails, finish, is_dir, list, path, put, read, remove,
        resume, stat, upload, uploads, walk,
    },
};

pub(crate) async fn a_file_has_a_path_and_a_size(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "12345").await;
    let file = stat(&driver, "/a/b").await;
    assert_eq!((file.path, file.size), (path("/a/b"), 5));
}

pub(crate) async fn a_file_of_no_bytes_is_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "").await;
    assert_eq!(stat(&driver, "/a").await.size, 0);
    assert_eq!(list(&driver, "/").await, ["/a"]);
    assert_eq!(read(&driver, "/a").await, "");
}

pub(crate) async fn other_content_has_another_version(subject: Subject) {
    let driver = subject.driver().await;
    let one = put(&driver, "/a", "one").await;
    // Of the same length, and perhaps within one tick of the clock.
    let two = put(&driver, "/a", "two").await;
    assert_ne!(one.version, two.version);
    assert_eq!(stat(&driver, "/a").await.version, two.version);
}

pub(crate) async fn unchanged_content_keeps_its_version(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a", "x").await;
    put(&driver, "/b", "y").await;
    upload(&driver, "/a", "z").await;
    read(&driver, "/a").await;
    assert_eq!(stat(&driver, "/a").await, stored);
    assert_eq!(stat(&driver, "/a").await, stored);
}

pub(crate) async fn equal_content_that_is_put_twice_has_two_versions(subject: Subject) {
    let driver = subject.driver().await;
    let first = put(&driver, "/a", "same").await;
    let again = put(&driver, "/a", "same").await;
    let elsewhere = put(&driver, "/b", "same").await;
    assert_ne!(first.version, again.version);
    assert_ne!(again.version, elsewhere.version);
}

pub(crate) async fn no_two_commits_share_a_version(subject: Subject) {
    let driver = subject.driver().await;
    let mut versions = HashSet::new();
    for round in 0..50 {
        let one = put(&driver, "/a", "same").await;
        let mut writer = create(&driver, "/b").await;
        writer.write_bytes("same").await.unwrap();
        let other = writer.commit().await.unwrap();
        assert!(versions.insert(one.version), "round {round}");
        assert!(versions.insert(other.version), "round {round}");
        remove(&driver, "/a").await;
    }
}

pub(crate) async fn a_version_that_returns_means_the_same_content(subject: Subject) {
    let driver = subject.driver().await;
    let mut seen: Vec<(storage_driver::Version, usize)> = Vec::new();
    for round in 0..30 {
        let content = ["one", "two", "six"][round % 3];
        let version = put(&driver, "/a", content).await.version;
        for (old, of) in &seen {
            assert!(*old != version || of % 3 == round % 3, "rounds {of} and {round}");
        }
        seen.push((version, round));
    }
}

pub(crate) async fn a_directory_exists_while_a_file_lies_under_it(subject: Subject) {
    let driver = subject.driver().await;
    assert!(!exists(&driver, "/a").await);
    put(&driver, "/a/b/c", "x").await;
    for dir in ["/a", "/a/b"] {
        assert_eq!(driver.stat(&path(dir)).await.unwrap(), Stat::Directory(path(dir)));
    }
}

pub(crate) async fn the_last_deletion_removes_all_directories_above(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c/d", "x").await;
    put(&driver, "/e", "x").await;
    remove(&driver, "/a/b/c/d").await;
    for dir in ["/a", "/a/b", "/a/b/c"] {
        fails(driver.stat(&path(dir)).await, ErrorKind::PathNotFound);
    }
    assert_eq!(walk(&driver, "/").await, ["/e"]);
}

pub(crate) async fn a_directory_stays_while_one_of_its_files_does(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    put(&driver, "/a/d", "x").await;
    remove(&driver, "/a/b/c").await;
    assert!(is_dir(&driver, "/a").await);
    assert!(!exists(&driver, "/a/b").await);
    assert_eq!(list(&driver, "/a").await, ["/a/d"]);
}

/// Checks that `/d` is a directory with these children.
async fn is_directory_of(driver: &dyn StorageDriver, children: &[&str]) {
    assert_eq!(driver.stat(&path("/d")).await.unwrap(), Stat::Directory(path("/d")));
    assert_eq!(list(driver, "/d").await, children);
    assert_eq!(list(driver, "/").await, ["/d"]);
}

pub(crate) async fn a_directory_stays_when_its_first_child_goes(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/d/a", "/d/b/x", "/d/c"] {
        put(&driver, at, "x").await;
    }
    remove(&driver, "/d/a").await;
    is_directory_of(&driver, &["/d/b", "/d/c"]).await;
    remove(&driver, "/d/b").await;
    is_directory_of(&driver, &["/d/c"]).await;
}

pub(crate) async fn a_directory_stays_when_its_last_child_goes(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/d/a", "/d/b/x", "/d/c"] {
        put(&driver, at, "x").await;
    }
    remove(&driver, "/d/c").await;
    is_directory_of(&driver, &["/d/a", "/d/b"]).await;
    remove(&driver, "/d/b/x").await;
    is_directory_of(&driver, &["/d/a"]).await;
}

pub(crate) async fn an_upload_makes_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a/b/c", "x").await;
    for dir in ["/a", "/a/b", "/a/b/c"] {
        fails(driver.stat(&path(dir)).await, ErrorKind::PathNotFound);
    }
    fails(driver.list(&path("/a"), Default::default()).await, ErrorKind::PathNotFound);
    assert!(list(&driver, "/").await.is_empty());
}

pub(crate) async fn a_cancelled_upload_leaves_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a/b/c").await;
    writer.write_bytes("x").await.unwrap();
    writer.cancel().await.unwrap();
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn a_put_that_fails_leaves_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/v", "x").await.version;
    let at = path("/a/b");
    let result = driver.put_content(&at, "y".into(), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(walk(&driver, "/").await, ["/v"]);
}

pub(crate) async fn a_rename_that_fails_leaves_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/v", "x").await.version;
    let (from, to) = (path("/v"), path("/a/b/c"));
    let result = driver.rename(&from, &to, Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(walk(&driver, "/").await, ["/v"]);
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn a_copy_that_fails_leaves_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/v", "x").await.version;
    let (from, to) = (path("/v"), path("/a/b/c"));
    let result = driver.copy(&from, &to, Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(walk(&driver, "/").await, ["/v"]);
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn a_rename_of_the_last_file_removes_its_directory(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    driver.rename(&path("/a/b/c"), &path("/d"), Precondition::None).await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/d"]);
}

pub(crate) async fn a_put_at_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    let before = everything(&driver).await;
    fails(driver.put(&path("/a/b"), "y").await, ErrorKind::PathConflict);
    fails(driver.put(&path("/a"), "y").await, ErrorKind::PathConflict);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_put_under_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let before = everything(&driver).await;
    fails(driver.put(&path("/a/b"), "y").await, ErrorKind::PathConflict);
    fails(driver.put(&path("/a/b/c/d"), "y").await, ErrorKind::PathConflict);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_commit_at_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("y").await.unwrap();
    put(&driver, "/a/b", "x").await;
    fails(writer.commit().await, ErrorKind::PathConflict);
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/b"]);
    remove(&driver, "/a/b").await;
    assert_eq!(finish(&driver, "/a").await, "y");
}

pub(crate) async fn a_commit_under_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a/b").await;
    writer.write_bytes("y").await.unwrap();
    put(&driver, "/a", "x").await;
    fails(writer.commit().await, ErrorKind::PathConflict);
    assert_eq!(read(&driver, "/a").await, "x");
    // The upload still exists, and can be committed elsewhere.
    let writer = resume(&driver, "/a/b").await;
    writer.commit_to(&path("/c"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/c").await, "y");
}

pub(crate) async fn a_commit_to_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("y").await.unwrap();
    let result = writer.commit_to(&path("/a"), Precondition::None).await;
    fails(result, ErrorKind::PathConflict);
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/b"]);
    assert_eq!(finish(&driver, "/u").await, "y");
}

pub(crate) async fn a_commit_to_below_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("y").await.unwrap();
    let result = writer.commit_to(&path("/a/b/c"), Precondition::None).await;
    fails(result, ErrorKind::PathConflict);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
    assert_eq!(finish(&driver, "/u").await, "y");
}

pub(crate) async fn stat_prefers_the_file_to_the_directory(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    if let Err(error) = driver.put(&path("/a"), "y").await {
        assert_eq!(error.kind(), ErrorKind::PathConflict);
        assert!(is_dir(&driver, "/a").await);
    } else {
        assert_eq!(stat(&driver, "/a").await.size, 1);
        assert_eq!(read(&driver, "/a").await, "y");
    }
    assert_eq!(read(&driver, "/a/b").await, "x");
}

pub(crate) async fn a_deleted_file_makes_room_for_a_directory(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    remove(&driver, "/a").await;
    put(&driver, "/a/b", "y").await;
    assert!(is_dir(&driver, "/a").await);
}

pub(crate) async fn a_deleted_directory_makes_room_for_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    remove(&driver, "/a").await;
    put(&driver, "/a", "y").await;
    assert_eq!(read(&driver, "/a").await, "y");
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn an_upload_is_no_conflict(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "upload").await;
    put(&driver, "/a/b", "x").await;
    upload(&driver, "/c/d", "upload").await;
    put(&driver, "/c", "y").await;
    assert_eq!(uploads(&driver, "/").await, ["/a", "/c/d"]);
    assert_eq!(read(&driver, "/c").await, "y");
}

pub(crate) async fn an_upload_is_not_seen_by_stat(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
    writer.suspend().await.unwrap();
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn an_upload_is_not_seen_by_list(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/file", "x").await;
    let mut writer = create(&driver, "/a/upload").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(list(&driver, "/a").await, ["/a/file"]);
    writer.suspend().await.unwrap();
    assert_eq!(list(&driver, "/a").await, ["/a/file"]);
}

pub(crate) async fn an_upload_is_not_seen_by_walk(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/file", "x").await;
    upload(&driver, "/a/upload", "x").await;
    upload(&driver, "/b/upload", "x").await;
    let mut writer = create(&driver, "/c").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/file"]);
}

pub(crate) async fn an_upload_cannot_be_read(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    fails(driver.get_content(&path("/a"), LIMIT).await, ErrorKind::PathNotFound);
    fails(driver.get_range(&path("/a"), ReadRange::Full, 9).await, ErrorKind::PathNotFound);
    fails(driver.reader(&path("/a"), ReadRange::Full).await, ErrorKind::PathNotFound);
}
