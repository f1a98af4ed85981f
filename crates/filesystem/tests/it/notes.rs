//! The note of an upload, which always belongs to the kept data.

use std::fs::{self, File};

use storage_driver::{ErrorKind, Path, StorageDriver, StorageDriverExt, Writer, WriterOptions};
use storage_driver_filesystem::{Durability, Filesystem};
use tempfile::TempDir;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn open(root: &TempDir) -> Filesystem {
    Filesystem::builder().durability(Durability::None).open(root.path()).await.unwrap()
}

/// A root with an upload of ten bytes and a note.
async fn store() -> (TempDir, Filesystem) {
    let root = tempfile::tempdir().unwrap();
    let driver = open(&root).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("ten bytes.").await.unwrap();
    writer.set_note("ten").unwrap();
    writer.suspend().await.unwrap();
    (root, driver)
}

async fn again(root: &TempDir, driver: Filesystem) -> Filesystem {
    driver.shutdown().await.unwrap();
    drop(driver);
    open(root).await
}

async fn found(driver: &Filesystem) -> (u64, String) {
    let info = driver.upload(&path("/u")).await.unwrap().unwrap();
    let writer = driver.resume(&path("/u")).await.unwrap();
    assert_eq!((info.size, info.note.as_ref()), (Some(writer.size()), Some(writer.note())));
    (writer.size(), String::from_utf8(writer.note().to_vec()).unwrap())
}

fn cut(root: &TempDir, size: u64) {
    let dir = fs::read_dir(root.path().join("~storage-driver/uploads")).unwrap();
    let mut files = dir.map(|entry| entry.unwrap().path());
    let data = files.find(|file| file.extension().is_some_and(|it| it == "data")).unwrap();
    File::options().write(true).open(data).unwrap().set_len(size).unwrap();
}

#[tokio::test]
async fn a_note_survives_a_restart_with_its_data() {
    let (root, driver) = store().await;
    let driver = again(&root, driver).await;
    assert_eq!(found(&driver).await, (10, "ten".into()));
}

#[tokio::test]
async fn a_note_of_the_longest_size_survives_a_restart() {
    let (root, driver) = store().await;
    let mut writer = driver.resume(&path("/u")).await.unwrap();
    let note = "x".repeat(Writer::MAX_NOTE);
    writer.set_note(note.clone()).unwrap();
    writer.suspend().await.unwrap();
    let driver = again(&root, driver).await;
    assert_eq!(found(&driver).await, (10, note));
}

#[tokio::test]
async fn a_dropped_writer_keeps_its_note() {
    let (root, driver) = store().await;
    let mut writer = driver.resume(&path("/u")).await.unwrap();
    writer.write_bytes(" And more.").await.unwrap();
    writer.set_note("twenty").unwrap();
    drop(writer);
    let mut writer = driver.resume(&path("/u")).await.unwrap();
    assert_eq!(writer.note(), "twenty");
    writer.set_note("").unwrap();
    drop(writer);
    let driver = again(&root, driver).await;
    assert_eq!(found(&driver).await, (20, String::new()));
}

#[tokio::test]
async fn an_append_and_a_new_upload_start_without_a_note() {
    let (_root, driver) = store().await;
    let writer = driver.create(&path("/u")).await.unwrap();
    assert_eq!(writer.note(), "");
    writer.commit().await.unwrap();
    assert_eq!(driver.append(&path("/u")).await.unwrap().note(), "");
}

#[tokio::test]
async fn looking_at_an_upload_does_not_fence_its_writer() {
    let (_root, driver) = store().await;
    let mut writer = driver.resume(&path("/u")).await.unwrap();
    let info = driver.upload(&path("/u")).await.unwrap().unwrap();
    assert_eq!((info.size, info.note.unwrap()), (Some(10), "ten".into()));
    writer.write_bytes("more").await.unwrap();
    writer.suspend().await.unwrap();
    assert!(driver.upload(&path("/other")).await.unwrap().is_none());
}

#[tokio::test]
async fn a_fenced_writer_sets_no_note() {
    let (_root, driver) = store().await;
    let mut fenced = driver.resume(&path("/u")).await.unwrap();
    let writer = driver.resume(&path("/u")).await.unwrap();
    assert_eq!(fenced.set_note("late").unwrap_err().kind(), ErrorKind::WriterFenced);
    assert_eq!(writer.note(), "ten");
}

#[tokio::test]
async fn the_note_is_dropped_with_data_that_another_program_cut() {
    let (root, driver) = store().await;
    cut(&root, 4);
    assert_eq!(found(&driver).await, (4, String::new()));
    let (root, driver) = store().await;
    driver.shutdown().await.unwrap();
    drop(driver);
    cut(&root, 4);
    assert_eq!(found(&open(&root).await).await, (4, String::new()));
}

/// The record states that the first ten bytes have a note. If other bytes are written in their place and the process
/// ends before these are kept, they must not have that note.
#[tokio::test]
async fn bytes_in_the_place_of_cut_ones_do_not_get_their_note() {
    let (root, driver) = store().await;
    driver.shutdown().await.unwrap();
    drop(driver);
    cut(&root, 4);
    let driver = open(&root).await;
    let mut writer = driver.writer(&path("/u"), WriterOptions::resume_at(4)).await.unwrap();
    writer.write_bytes("others").await.unwrap();
    futures::SinkExt::<bytes::Bytes>::flush(&mut writer).await.unwrap();
    // As a crash leaves the files.
    let crashed = tempfile::tempdir().unwrap();
    let uploads = "~storage-driver/uploads";
    fs::create_dir_all(crashed.path().join(uploads)).unwrap();
    for entry in fs::read_dir(root.path().join(uploads)).unwrap() {
        let file = entry.unwrap().path();
        fs::copy(&file, crashed.path().join(uploads).join(file.file_name().unwrap())).unwrap();
    }
    let (size, note) = found(&open(&crashed).await).await;
    assert_eq!((size, note), (4, String::new()));
}
