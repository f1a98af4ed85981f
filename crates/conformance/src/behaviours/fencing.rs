//! 5.7: each path has one writer.

use storage_driver::{
    Error, ErrorKind, Precondition, StorageDriver, StorageDriverExt, Writer, WriterOptions,
};

use crate::{
    Subject,
    check::{
        append, create, exists, fails, finish, path, put, read, resume, upload, uploads, walk,
    },
};

/// A writer that wrote "old", and its successor, which resumed and wrote "new".
async fn fenced(driver: &dyn StorageDriver, at: &str) -> (Writer, Writer) {
    let mut first = create(driver, at).await;
    first.write_bytes("old").await.unwrap();
    first.sync().await.unwrap();
    let mut second = resume(driver, at).await;
    second.write_bytes("new").await.unwrap();
    (first, second)
}

/// Checks that the writer is fenced.
async fn is_fenced(mut writer: Writer) {
    fails(writer.sync().await, ErrorKind::WriterFenced);
    // It may accept bytes, which are dropped.
    let _ = writer.write_bytes("late").await;
    fails(writer.sync().await, ErrorKind::WriterFenced);
    fails(writer.commit().await, ErrorKind::WriterFenced);
}

pub(crate) async fn create_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = create(&driver, "/a").await;
    first.write_bytes("old").await.unwrap();
    let mut second = create(&driver, "/a").await;
    second.write_bytes("new").await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn resume_fences(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "oldnew");
}

pub(crate) async fn resume_at_an_offset_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = create(&driver, "/a").await;
    first.write_bytes("old").await.unwrap();
    first.sync().await.unwrap();
    let second = driver.writer(&path("/a"), WriterOptions::resume_at(3)).await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "old");
}

pub(crate) async fn a_resumed_writer_is_fenced_in_turn(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    second.suspend().await.unwrap();
    let third = resume(&driver, "/a").await;
    let mut fourth = resume(&driver, "/a").await;
    fourth.write_bytes("est").await.unwrap();
    is_fenced(third).await;
    is_fenced(first).await;
    fourth.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "oldnewest");
}

pub(crate) async fn an_append_is_fenced_by_a_resume(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let first = append(&driver, "/a").await;
    let mut second = resume(&driver, "/a").await;
    second.write_bytes("more").await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "basemore");
}

pub(crate) async fn an_append_is_fenced_by_a_create(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let first = append(&driver, "/a").await;
    let mut second = create(&driver, "/a").await;
    second.write_bytes("new").await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn an_append_fences_the_writer_of_a_cancelled_upload(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let first = create(&driver, "/a").await;
    driver.cancel_upload(&path("/a")).await.unwrap();
    let mut second = append(&driver, "/a").await;
    second.write_bytes("more").await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "basemore");
}

pub(crate) async fn cancel_upload_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    driver.cancel_upload(&path("/a")).await.unwrap();
    is_fenced(writer).await;
    assert!(!exists(&driver, "/a").await);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_fences(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    is_fenced(writer).await;
    assert!(!exists(&driver, "/a").await);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_of_a_directory_fences(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/file", "x").await;
    let mut writer = create(&driver, "/a/b/c").await;
    writer.write_bytes("x").await.unwrap();
    driver.delete_dir(&path("/a")).await.unwrap();
    is_fenced(writer).await;
    assert!(walk(&driver, "/").await.is_empty());
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn delete_many_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    driver.delete_many(&[path("/a"), path("/b")]).await.unwrap();
    is_fenced(writer).await;
    assert!(!exists(&driver, "/a").await);
}

pub(crate) async fn a_fenced_writer_cannot_sync(subject: Subject) {
    let driver = subject.driver().await;
    let (mut first, second) = fenced(&driver, "/a").await;
    fails(first.sync().await, ErrorKind::WriterFenced);
    fails(first.sync().await, ErrorKind::WriterFenced);
    second.commit().await.unwrap();
}

pub(crate) async fn a_fenced_writer_cannot_close(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    fails(first.suspend().await, ErrorKind::WriterFenced);
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "oldnew");
}

pub(crate) async fn a_fenced_writer_cannot_commit(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    fails(first.commit().await, ErrorKind::WriterFenced);
    assert!(!exists(&driver, "/a").await);
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "oldnew");
}

pub(crate) async fn a_fenced_writer_cannot_commit_elsewhere(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    let result = first.commit_to(&path("/b"), Precondition::None).await;
    fails(result, ErrorKind::WriterFenced);
    assert!(!exists(&driver, "/b").await);
    second.commit().await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn a_fenced_writer_cannot_cancel(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    fails(first.cancel().await, ErrorKind::WriterFenced);
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "oldnew");
}

pub(crate) async fn data_of_a_fenced_writer_is_not_kept(subject: Subject) {
    let driver = subject.driver().await;
    let (mut first, mut second) = fenced(&driver, "/a").await;
    for _ in 0..10 {
        let _ = first.write_bytes(vec![b'!'; 200_000]).await;
        second.write_bytes("er").await.unwrap();
    }
    fails(first.sync().await, ErrorKind::WriterFenced);
    assert_eq!(second.size(), 26);
    second.suspend().await.unwrap();
    assert_eq!(finish(&driver, "/a").await, format!("oldnew{}", "er".repeat(10)));
}

pub(crate) async fn the_drop_of_a_fenced_writer_leaves_the_successor_alone(subject: Subject) {
    let driver = subject.driver().await;
    let (mut first, second) = fenced(&driver, "/a").await;
    let _ = first.write_bytes("late").await;
    drop(first);
    second.suspend().await.unwrap();
    assert_eq!(finish(&driver, "/a").await, "oldnew");
}

pub(crate) async fn a_writer_stays_fenced_after_the_successor_committed(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    second.commit().await.unwrap();
    is_fenced(first).await;
    assert_eq!(read(&driver, "/a").await, "oldnew");
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn a_writer_stays_fenced_after_the_successor_closed(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    second.suspend().await.unwrap();
    is_fenced(first).await;
    assert_eq!(finish(&driver, "/a").await, "oldnew");
}

pub(crate) async fn a_writer_stays_fenced_after_the_successor_cancelled(subject: Subject) {
    let driver = subject.driver().await;
    let (first, second) = fenced(&driver, "/a").await;
    second.cancel().await.unwrap();
    is_fenced(first).await;
    assert!(uploads(&driver, "/").await.is_empty());
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn a_cancelled_upload_made_anew_is_not_the_old_one(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = create(&driver, "/a").await;
    first.write_bytes("old").await.unwrap();
    driver.cancel_upload(&path("/a")).await.unwrap();
    let mut second = create(&driver, "/a").await;
    second.write_bytes("new").await.unwrap();
    is_fenced(first).await;
    second.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
}

/// Checks that `act` neither fences the writer of `/u` nor changes its upload.
async fn not_fenced<F>(subject: Subject, act: impl FnOnce(std::sync::Arc<dyn StorageDriver>) -> F)
where
    F: Future<Output = ()>,
{
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("one, ").await.unwrap();
    act(std::sync::Arc::clone(&driver)).await;
    writer.write_bytes("two").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(writer.size(), 8);
    assert_eq!(uploads(&driver, "/").await, ["/u"]);
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/u").await, "one, two");
}

pub(crate) async fn put_content_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| drop(put(&driver, "/u", "other").await)).await;
}

pub(crate) async fn a_rename_onto_the_path_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/a", "x").await;
        driver.rename(&path("/a"), &path("/u"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn a_rename_of_the_content_at_the_path_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/u", "x").await;
        driver.rename(&path("/u"), &path("/a"), Precondition::None).await.unwrap();
        assert_eq!(read(&driver, "/a").await, "x");
    })
    .await;
}

pub(crate) async fn a_copy_onto_the_path_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/a", "x").await;
        driver.copy(&path("/a"), &path("/u"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn a_touch_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/u", "x").await;
        driver.touch(&path("/u"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn a_commit_to_the_path_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        let mut other = create(&driver, "/other").await;
        other.write_bytes("x").await.unwrap();
        other.commit_to(&path("/u"), Precondition::None).await.unwrap();
    })
    .await;
}

pub(crate) async fn a_rename_of_the_directory_fences_no_writer(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d/file", "x").await;
    let mut writer = create(&driver, "/d/u").await;
    writer.write_bytes("one, ").await.unwrap();
    driver.rename_dir(&path("/d"), &path("/e")).await.unwrap();
    writer.write_bytes("two").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/d/u"]);
    writer.commit().await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/d", "/d/u", "/e", "/e/file"]);
}

pub(crate) async fn an_offset_mismatch_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        let result = driver.writer(&path("/u"), WriterOptions::resume_at(77)).await;
        assert!(matches!(result, Err(error) if is_mismatch(&error)));
    })
    .await;
}

fn is_mismatch(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::OffsetMismatch { given: 77, .. })
}

pub(crate) async fn a_refused_append_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/u", "x").await;
        fails(driver.append(&path("/u")).await, ErrorKind::UploadInProgress);
    })
    .await;
}

pub(crate) async fn a_writer_of_another_path_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        for at in ["/u/v", "/uu", "/U"] {
            upload(&driver, at, "x").await;
            driver.cancel_upload(&path(at)).await.unwrap();
        }
    })
    .await;
}

pub(crate) async fn a_reader_fences_no_writer(subject: Subject) {
    not_fenced(subject, async |driver| {
        put(&driver, "/u", "content").await;
        assert_eq!(read(&driver, "/u").await, "content");
        driver.uploads(&path("/u"), Default::default()).await.unwrap();
    })
    .await;
}

pub(crate) async fn a_deletion_of_a_sibling_fences_no_writer(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let mut writer = create(&driver, "/ab").await;
    writer.write_bytes("x").await.unwrap();
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/ab"]);
}
