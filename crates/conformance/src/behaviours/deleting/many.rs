//! 7.5: delete_many.

use storage_driver::{ErrorKind, StorageDriver, StorageDriverExt};

use crate::{
    Subject,
    check::{fails, path, put, put_all, read, upload, uploads, walk},
};

pub(crate) async fn delete_many_deletes_each(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/b/c", "/b/d", "/e/f/g", "/h"] {
        put(&driver, at, at).await;
    }
    upload(&driver, "/u", "x").await;
    driver.delete_many(&["/a", "/b/c", "/e/f/g", "/u"].map(path)).await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/b", "/b/d", "/h"]);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_many_removes_the_upload_at_each_path(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "file").await;
    put(&driver, "/d/file", "file").await;
    for at in ["/a", "/a/below", "/d/file", "/u", "/v/w", "/left"] {
        upload(&driver, at, "upload").await;
    }
    driver.delete_many(&["/a", "/d/file", "/u", "/v"].map(path)).await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
    assert_eq!(uploads(&driver, "/").await, ["/a/below", "/left", "/v/w"]);
    fails(driver.resume(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn delete_many_of_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/d/file", "/z"] {
        put(&driver, at, at).await;
    }
    let error = driver.delete_many(&["/a", "/d", "/z"].map(path)).await.unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::IsADirectory, Some(&path("/d"))));
    assert_eq!(read(&driver, "/d/file").await, "/d/file");
    if driver.capabilities().linearizable {
        assert_eq!(walk(&driver, "/").await, ["/a", "/d", "/d/file", "/z"]);
    }
}

pub(crate) async fn delete_many_skips_missing_files(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/b", "x").await;
    put(&driver, "/d", "x").await;
    let paths = ["/a", "/b", "/b/below", "/c/d", "/d", "/e"].map(path);
    driver.delete_many(&paths).await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
    driver.delete_many(&paths).await.unwrap();
}

pub(crate) async fn delete_many_takes_a_path_twice_and_below_another(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    put(&driver, "/d", "x").await;
    driver.delete_many(&["/a/b/c", "/a/b", "/a/b/c/x", "/d", "/d"].map(path)).await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_many_of_no_path_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    driver.delete_many(&[]).await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn delete_many_takes_thousands(subject: Subject) {
    let driver = subject.driver().await;
    let paths: Vec<_> = (0..1500).map(|i| path(&format!("/d/{i}"))).collect();
    put_all(&driver, paths.iter().map(ToString::to_string)).await;
    put(&driver, "/d/kept", "x").await;
    driver.delete_many(&paths).await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/d", "/d/kept"]);
}
