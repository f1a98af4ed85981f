//! 8.6: where several errors apply, the first of a fixed order; 11.2 and 6.6: names-only lists.

use storage_driver::{ErrorKind, Path, Precondition, StorageDriver, Version};

use crate::{
    Subject,
    check::{create, everything, fails, path, put, upload},
};

/// A store with a file, a directory and an upload, which no behaviour here changes.
async fn scene(subject: &Subject) -> std::sync::Arc<dyn StorageDriver> {
    let driver = subject.driver().await;
    put(&driver, "/file", "content").await;
    put(&driver, "/dir/file", "content").await;
    upload(&driver, "/upload", "upload").await;
    driver
}

/// A condition that no file meets.
fn stale() -> Precondition {
    Precondition::IfVersion(Version::new("no file has this version"))
}

pub(crate) async fn an_invalid_path_comes_before_all_other_errors(subject: Subject) {
    let driver = scene(&subject).await;
    let (root, nothing, before) = (Path::root(), path("/nothing"), everything(&driver).await);
    let invalid = ErrorKind::InvalidPath;
    fails(driver.delete(&root, Precondition::IfAbsent).await, invalid);
    fails(driver.touch(&root, Precondition::IfAbsent).await, invalid);
    fails(driver.rename(&nothing, &root, stale()).await, invalid);
    fails(driver.rename(&root, &path("/dir"), stale()).await, invalid);
    fails(driver.rename_dir(&nothing, &root).await, invalid);
    fails(driver.rename_dir(&root, &path("/file")).await, invalid);
    fails(driver.copy(&nothing, &root, stale()).await, invalid);
    fails(driver.copy(&root, &path("/dir"), stale()).await, invalid);
    fails(driver.put_content(&root, "x".into(), stale()).await, invalid);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn an_unsupported_condition_comes_before_a_missing_path(subject: Subject) {
    let driver = scene(&subject).await;
    for at in ["/nothing", "/dir", "/file/below"] {
        fails(driver.delete(&path(at), Precondition::IfAbsent).await, ErrorKind::Unsupported);
        fails(driver.touch(&path(at), Precondition::IfAbsent).await, ErrorKind::Unsupported);
    }
}

pub(crate) async fn a_missing_source_comes_before_a_conflict(subject: Subject) {
    let driver = scene(&subject).await;
    let before = everything(&driver).await;
    for to in ["/dir", "/file/below", "/nothing/below", "/file"].map(path) {
        let result = driver.rename(&path("/nothing"), &to, stale()).await;
        let error = fails(result, ErrorKind::PathNotFound);
        assert_eq!(error.path(), Some(&path("/nothing")));
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_missing_directory_comes_before_a_conflict(subject: Subject) {
    let driver = scene(&subject).await;
    for to in ["/dir", "/file", "/file/below", "/nothing/below"].map(path) {
        fails(driver.rename_dir(&path("/nothing"), &to).await, ErrorKind::PathNotFound);
        fails(driver.rename_dir(&path("/file"), &to).await, ErrorKind::NotADirectory);
    }
}

pub(crate) async fn a_source_that_is_a_directory_comes_before_a_conflict(subject: Subject) {
    let driver = scene(&subject).await;
    for to in ["/dir", "/file/below", "/file"].map(path) {
        fails(driver.rename(&path("/dir"), &to, stale()).await, ErrorKind::IsADirectory);
    }
}

pub(crate) async fn the_source_of_a_copy_comes_before_a_conflict(subject: Subject) {
    let driver = scene(&subject).await;
    for to in ["/dir", "/file/below", "/file"].map(path) {
        fails(driver.copy(&path("/nothing"), &to, stale()).await, ErrorKind::PathNotFound);
        fails(driver.copy(&path("/dir"), &to, stale()).await, ErrorKind::IsADirectory);
    }
}

pub(crate) async fn a_conflict_comes_before_a_condition(subject: Subject) {
    let driver = scene(&subject).await;
    let before = everything(&driver).await;
    for at in ["/dir", "/file/below"].map(path) {
        for condition in [stale(), Precondition::IfAbsent] {
            let result = driver.put_content(&at, "x".into(), condition.clone()).await;
            fails(result, ErrorKind::PathConflict);
        }
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn a_conflict_of_a_commit_comes_before_its_condition(subject: Subject) {
    let driver = scene(&subject).await;
    for at in ["/dir", "/file/below"].map(path) {
        let writer = create(&driver, "/other").await;
        fails(writer.commit_to(&at, stale()).await, ErrorKind::PathConflict);
    }
}

pub(crate) async fn a_conflict_of_a_rename_comes_before_its_condition(subject: Subject) {
    let driver = scene(&subject).await;
    for to in ["/dir", "/dir/file/below"].map(path) {
        fails(driver.rename(&path("/file"), &to, stale()).await, ErrorKind::PathConflict);
    }
}

pub(crate) async fn a_conflict_of_a_copy_comes_before_its_condition(subject: Subject) {
    let driver = scene(&subject).await;
    for to in ["/dir", "/dir/file/below"].map(path) {
        fails(driver.copy(&path("/file"), &to, stale()).await, ErrorKind::PathConflict);
    }
}

pub(crate) async fn a_directory_comes_before_a_condition(subject: Subject) {
    let driver = scene(&subject).await;
    fails(driver.delete(&path("/dir"), stale()).await, ErrorKind::IsADirectory);
    fails(driver.delete(&path("/nothing"), stale()).await, ErrorKind::PathNotFound);
}

pub(crate) async fn a_directory_comes_before_the_condition_of_a_touch(subject: Subject) {
    let driver = scene(&subject).await;
    fails(driver.touch(&path("/dir"), stale()).await, ErrorKind::IsADirectory);
    fails(driver.touch(&path("/nothing"), stale()).await, ErrorKind::PathNotFound);
}

pub(crate) async fn an_append_fails_with_the_first_of_its_errors(subject: Subject) {
    let driver = scene(&subject).await;
    upload(&driver, "/file", "upload").await;
    upload(&driver, "/dir", "upload").await;
    let append = |at: &str| {
        let (driver, at) = (driver.clone(), path(at));
        async move { driver.writer(&at, storage_driver::WriterOptions::append_at(99)).await }
    };
    fails(append("/upload").await, ErrorKind::PathNotFound);
    fails(append("/dir").await, ErrorKind::IsADirectory);
    fails(append("/file").await, ErrorKind::UploadInProgress);
    driver.cancel_upload(&path("/file")).await.unwrap();
    fails(append("/file").await, ErrorKind::OffsetMismatch { given: 99, size: 7 });
}
