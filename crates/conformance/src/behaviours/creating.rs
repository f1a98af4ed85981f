//! 5.18: an upload that is created without a writer.

use storage_driver::{ErrorKind, StorageDriver};

use crate::{
    Subject,
    check::{create, fails, path, put, read, resume, uploads},
};

pub(crate) async fn create_upload_keeps_an_empty_upload(subject: Subject) {
    let driver = subject.driver().await;
    driver.create_upload(&path("/a")).await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    let upload = driver.upload(&path("/a")).await.unwrap().unwrap();
    let note = upload.note.unwrap_or_default();
    assert_eq!((upload.size, note.len()), (Some(0), 0));
    let mut writer = resume(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn create_upload_discards_the_one_before_and_its_note(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("earlier").await.unwrap();
    writer.set_note("note").unwrap();
    writer.suspend().await.unwrap();
    driver.create_upload(&path("/a")).await.unwrap();
    let writer = resume(&driver, "/a").await;
    assert_eq!((writer.size(), writer.note().len()), (0, 0));
}

pub(crate) async fn create_upload_fences_the_open_writer(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    driver.create_upload(&path("/a")).await.unwrap();
    fails(writer.suspend().await, ErrorKind::WriterFenced);
    assert_eq!(resume(&driver, "/a").await.size(), 0);
}

pub(crate) async fn create_upload_leaves_committed_content(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    driver.create_upload(&path("/a")).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content");
    driver.cancel_upload(&path("/a")).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content");
}
