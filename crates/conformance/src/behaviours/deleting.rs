//! 7.4, 7.5: delete, delete_dir and delete_many.

mod many;

use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};

pub(crate) use self::many::*;
use crate::{
    Subject,
    check::{
        create, everything, exists, fails, finish, path, put, put_all, read, stat, upload, uploads,
        walk,
    },
};

async fn delete(driver: &dyn StorageDriver, at: &str) -> storage_driver::Result<()> {
    driver.delete(&path(at), Precondition::None).await
}

async fn delete_dir(driver: &dyn StorageDriver, at: &str) -> storage_driver::Result<()> {
    driver.delete_dir(&path(at)).await
}

/// Checks that a deletion failed in this way and changed nothing.
async fn refused(
    driver: &dyn StorageDriver,
    deletion: impl Future<Output = storage_driver::Result<()>>,
    kind: ErrorKind,
) {
    let before = everything(driver).await;
    fails(deletion.await, kind);
    assert_eq!(everything(driver).await, before);
}

pub(crate) async fn delete_removes_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    put(&driver, "/a/c", "x").await;
    delete(&driver, "/a/b").await.unwrap();
    fails(driver.stat(&path("/a/b")).await, ErrorKind::PathNotFound);
    fails(driver.get_content(&path("/a/b"), 9).await, ErrorKind::PathNotFound);
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/c"]);
}

pub(crate) async fn delete_dir_removes_everything_below(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a/b", "/a/c/d", "/a/c/e/f", "/g"] {
        put(&driver, at, at).await;
    }
    delete_dir(&driver, "/a").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/g"]);
}

pub(crate) async fn delete_dir_removes_many_files(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (0..1100).map(|i| format!("/a/{}/{i}", i % 3))).await;
    delete_dir(&driver, "/a").await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_dir_removes_uploads_at_and_below_the_path(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    for at in ["/a", "/a/b", "/a/c/d", "/e"] {
        upload(&driver, at, at).await;
    }
    delete_dir(&driver, "/a").await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/e"]);
    fails(driver.resume(&path("/a/c/d")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn delete_of_a_file_removes_the_upload_at_its_path(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    upload(&driver, "/a", "upload").await;
    delete(&driver, "/a").await.unwrap();
    assert!(!exists(&driver, "/a").await);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_of_an_upload_alone_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    upload(&driver, "/a/b", "x").await;
    delete(&driver, "/a").await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a/b"]);
}

pub(crate) async fn delete_dir_of_uploads_alone_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/b/c/d", "x").await;
    upload(&driver, "/b/e", "x").await;
    delete_dir(&driver, "/b").await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    upload(&driver, "/a", "x").await;
    upload(&driver, "/a/b/d", "x").await;
    for at in ["/a", "/a/b"] {
        refused(&driver, delete(&driver, at), ErrorKind::IsADirectory).await;
    }
}

pub(crate) async fn delete_of_a_file_leaves_uploads_below_it(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    upload(&driver, "/a/b", "upload").await;
    delete(&driver, "/a").await.unwrap();
    assert_eq!(finish(&driver, "/a/b").await, "upload");
}

pub(crate) async fn delete_of_nothing_above_uploads_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a/b", "x").await;
    refused(&driver, delete(&driver, "/a"), ErrorKind::PathNotFound).await;
}

pub(crate) async fn delete_dir_of_a_file_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    upload(&driver, "/a/b", "x").await;
    upload(&driver, "/a/b/c", "x").await;
    refused(&driver, delete_dir(&driver, "/a/b"), ErrorKind::NotADirectory).await;
}

pub(crate) async fn delete_dir_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/ab/c", "x").await;
    upload(&driver, "/ab/d", "x").await;
    for at in ["/a", "/ab/cc", "/ab/c/d", "/ab/d/e", "/b"] {
        refused(&driver, delete_dir(&driver, at), ErrorKind::PathNotFound).await;
    }
}

pub(crate) async fn delete_dir_a_second_time_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    delete_dir(&driver, "/a/b").await.unwrap();
    for at in ["/a/b", "/a"] {
        fails(delete_dir(&driver, at).await, ErrorKind::PathNotFound);
    }
}

pub(crate) async fn delete_dir_of_the_root_is_an_invalid_path(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    upload(&driver, "/u", "x").await;
    refused(&driver, delete_dir(&driver, "/"), ErrorKind::InvalidPath).await;
}

pub(crate) async fn delete_dir_fences_writers_at_and_below_it(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d/file", "x").await;
    let mut writers = Vec::new();
    for at in ["/d", "/d/a", "/d/b/c"] {
        let mut writer = create(&driver, at).await;
        writer.write_bytes("x").await.unwrap();
        writers.push(writer);
    }
    delete_dir(&driver, "/d").await.unwrap();
    for writer in writers {
        fails(writer.commit().await, ErrorKind::WriterFenced);
    }
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_dir_of_a_leaves_ab(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a/x", "/ab", "/a-b/x", "/a.b", "/abc/x"] {
        put(&driver, at, at).await;
        upload(&driver, at, at).await;
    }
    delete_dir(&driver, "/a").await.unwrap();
    let tree = ["/a-b", "/a-b/x", "/a.b", "/ab", "/abc", "/abc/x"];
    assert_eq!(walk(&driver, "/").await, tree);
    assert_eq!(uploads(&driver, "/").await, ["/a-b/x", "/a.b", "/ab", "/abc/x"]);
    assert_eq!(finish(&driver, "/ab").await, "/ab");
}

pub(crate) async fn delete_of_the_file_a_leaves_ab(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/ab", "/a-b/x", "/a.b"] {
        put(&driver, at, at).await;
    }
    delete(&driver, "/a").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a-b", "/a-b/x", "/a.b", "/ab"]);
}

pub(crate) async fn delete_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    fails(delete(&driver, "/a").await, ErrorKind::PathNotFound);
    put(&driver, "/ab/c", "x").await;
    upload(&driver, "/ab/d", "x").await;
    let before = everything(&driver).await;
    for at in ["/a", "/ab/cc", "/ab/c/d", "/ab/d/e", "/b"] {
        fails(delete(&driver, at).await, ErrorKind::PathNotFound);
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn delete_a_second_time_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    delete(&driver, "/a/b").await.unwrap();
    fails(delete(&driver, "/a/b").await, ErrorKind::PathNotFound);
    fails(delete(&driver, "/a").await, ErrorKind::PathNotFound);
}

pub(crate) async fn a_deleted_file_can_be_put_again(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..10 {
        put(&driver, "/a/b", round.to_string()).await;
        assert_eq!(read(&driver, "/a/b").await, round.to_string());
        delete(&driver, "/a/b").await.unwrap();
        assert!(!exists(&driver, "/a/b").await);
    }
}

pub(crate) async fn delete_takes_if_version(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/a", "x").await.version;
    driver.delete(&path("/a"), Precondition::IfVersion(version)).await.unwrap();
    assert!(!exists(&driver, "/a").await);
}

pub(crate) async fn delete_if_version_fails_where_another_is(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await.version;
    put(&driver, "/a", "new").await;
    upload(&driver, "/a", "upload").await;
    let before = everything(&driver).await;
    let result = driver.delete(&path("/a"), Precondition::IfVersion(old)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
    assert_eq!(finish(&driver, "/a").await, "upload");
}

pub(crate) async fn delete_if_version_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/a/b", "x").await.version;
    let result = driver.delete(&path("/a"), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::IsADirectory);
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/b"]);
}

pub(crate) async fn delete_if_version_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/a/b", "x").await.version;
    let before = everything(&driver).await;
    for at in ["/b", "/a/c", "/a/b/c", "/a/bb"] {
        let condition = Precondition::IfVersion(version.clone());
        fails(driver.delete(&path(at), condition).await, ErrorKind::PathNotFound);
    }
    driver.delete(&path("/a/b"), Precondition::IfVersion(version.clone())).await.unwrap();
    for at in ["/a/b", "/a"] {
        let condition = Precondition::IfVersion(version.clone());
        fails(driver.delete(&path(at), condition).await, ErrorKind::PathNotFound);
    }
    assert_ne!(everything(&driver).await, before);
}

pub(crate) async fn delete_if_version_removes_the_upload_at_the_path(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/a", "content").await.version;
    upload(&driver, "/a", "upload").await;
    driver.delete(&path("/a"), Precondition::IfVersion(version)).await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
    fails(driver.resume(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn delete_if_version_of_an_upload_alone_fails(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/b", "x").await.version;
    upload(&driver, "/a", "upload").await;
    let result = driver.delete(&path("/a"), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(finish(&driver, "/a").await, "upload");
}

pub(crate) async fn delete_if_absent_is_unsupported_whatever_is_there(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/file", "x").await;
    put(&driver, "/dir/file", "x").await;
    upload(&driver, "/upload", "x").await;
    upload(&driver, "/file", "y").await;
    let before = everything(&driver).await;
    for at in ["/file", "/dir", "/dir/file", "/upload", "/nothing", "/file/below"] {
        let result = driver.delete(&path(at), Precondition::IfAbsent).await;
        fails(result, ErrorKind::Unsupported);
    }
    assert_eq!(everything(&driver).await, before);
    assert_eq!(finish(&driver, "/upload").await, "x");
}

pub(crate) async fn delete_of_the_root_if_absent_is_an_invalid_path(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let result = driver.delete(&storage_driver::Path::root(), Precondition::IfAbsent).await;
    fails(result, ErrorKind::InvalidPath);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn a_conditional_put_or_delete_that_is_not_claimed_is_unsupported(
    subject: Subject,
) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await;
    for precondition in [Precondition::IfAbsent, Precondition::IfVersion(old.version.clone())] {
        for at in ["/a", "/b"].map(path) {
            let result = driver.put_content(&at, "new".into(), precondition.clone()).await;
            fails(result, ErrorKind::Unsupported);
        }
    }
    let result = driver.delete(&path("/a"), Precondition::IfVersion(old.version.clone())).await;
    fails(result, ErrorKind::Unsupported);
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn delete_of_an_upload_alone_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut writers = Vec::new();
    for at in ["/a", "/d/b"] {
        let mut writer = create(&driver, at).await;
        writer.write_bytes("x").await.unwrap();
        writers.push(writer);
    }
    delete(&driver, "/a").await.unwrap();
    delete(&driver, "/d/b").await.unwrap();
    for writer in writers {
        fails(writer.commit().await, ErrorKind::WriterFenced);
    }
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn a_deletion_that_fails_fences_no_writer(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await.version;
    put(&driver, "/a", "new").await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("up").await.unwrap();
    for condition in [Precondition::IfVersion(old), Precondition::IfAbsent] {
        assert!(driver.delete(&path("/a"), condition).await.is_err());
    }
    writer.write_bytes("load").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "upload");
}
