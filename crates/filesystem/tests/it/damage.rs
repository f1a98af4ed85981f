//! Files of the driver's own that another program removes, cuts or replaces while the root is open.

#![cfg(target_os = "linux")]

use std::{
    error::Error as _,
    ffi::OsStr,
    fs::{self, File},
    io,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::{Path as FsPath, PathBuf},
    sync::mpsc,
};

use bytes::Bytes;
use futures::{SinkExt, poll};
use storage_driver::{
    Error, ErrorKind, Path, Precondition, StorageDriver, StorageDriverExt, Writer, WriterOptions,
};
use storage_driver_filesystem::Filesystem;
use tempfile::TempDir;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

async fn store() -> (TempDir, Filesystem) {
    let root = tempfile::tempdir().unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    (root, driver)
}

fn uploads(root: &TempDir) -> PathBuf {
    root.path().join("~storage-driver/uploads")
}

/// The one file of an upload with this extension.
fn file(root: &TempDir, extension: &str) -> PathBuf {
    let names = fs::read_dir(uploads(root)).unwrap().map(|entry| entry.unwrap().path());
    let mut found = names.filter(|name| name.extension() == Some(OsStr::new(extension)));
    let file = found.next().unwrap();
    assert_eq!(found.next(), None);
    file
}

fn content(size: usize) -> Bytes {
    (0..size).map(|at| b'a' + (at % 23) as u8).collect()
}

const SIZE: usize = 100_000;

/// A change of an upload's data file by another program, and how many bytes are left.
type Damage = (&'static str, Act, u64);

type Act = fn(&FsPath) -> io::Result<()>;

const DAMAGES: [Damage; 6] = [
    ("removed", |at| fs::remove_file(at), 0),
    ("cut", |at| File::options().write(true).open(at)?.set_len(40_000), 40_000),
    ("emptied", |at| File::options().write(true).open(at)?.set_len(0), 0),
    ("replaced by a file", replace, 0),
    ("replaced by a directory", |at| fs::remove_file(at).and_then(|()| fs::create_dir(at)), 0),
    ("replaced by a link", |at| fs::remove_file(at).and_then(|()| symlink("/dev/zero", at)), 0),
];

/// Puts another file of the same length in its place.
fn replace(at: &FsPath) -> io::Result<()> {
    let other = at.with_extension("other");
    fs::write(&other, [0; SIZE])?;
    fs::rename(other, at)
}

/// Asserts that the error names the file and states how many bytes are left.
fn is_corrupted(error: &Error, file: &FsPath, left: u64, what: &str) {
    assert_eq!(error.kind(), ErrorKind::Corrupted, "{what}: {error:?}");
    let cause = error.source().unwrap();
    assert_eq!(cause.to_string(), file.display().to_string(), "{what}");
    let text = cause.source().unwrap().to_string();
    assert!(text.contains(&format!("{left} of {SIZE} bytes")), "{what}: {text}");
}

/// An upload that was kept, and its file, which was damaged since.
async fn damaged(damage: Act) -> (TempDir, Filesystem, Writer, PathBuf) {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(content(SIZE)).await.unwrap();
    writer.sync().await.unwrap();
    let data = file(&root, "data");
    damage(&data).unwrap();
    (root, driver, writer, data)
}

/// Asserts that the upload is resumed at `left`, and can be continued and published.
async fn continues(driver: &Filesystem, left: u64, what: &str) {
    let mut writer = driver.resume(&path("/u")).await.unwrap();
    assert_eq!(writer.size(), left, "{what}");
    writer.write_bytes(content(SIZE).slice(left as usize..)).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/u"), 1 << 20).await.unwrap(), content(SIZE), "{what}");
}

#[tokio::test]
async fn a_commit_of_damaged_data_publishes_nothing_and_states_how_much_is_left() {
    for (what, damage, left) in DAMAGES {
        let (_root, driver, writer, data) = damaged(damage).await;
        driver.put(&path("/u"), "old").await.unwrap();
        is_corrupted(&writer.commit().await.unwrap_err(), &data, left, what);
        assert_eq!(driver.get_bytes(&path("/u"), 99).await.unwrap(), "old", "{what}");
        continues(&driver, left, what).await;
    }
}

#[tokio::test]
async fn a_large_commit_of_damaged_data_publishes_nothing() {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(content(3 << 20)).await.unwrap();
    writer.sync().await.unwrap();
    fs::remove_file(file(&root, "data")).unwrap();
    assert_eq!(writer.commit().await.unwrap_err().kind(), ErrorKind::Corrupted);
    assert!(!driver.exists(&path("/u")).await.unwrap());
    assert_eq!(driver.resume(&path("/u")).await.unwrap().size(), 0);
}

#[tokio::test]
async fn a_sync_of_damaged_data_states_how_much_is_left() {
    for (what, damage, left) in DAMAGES {
        let (_root, driver, mut writer, data) = damaged(damage).await;
        is_corrupted(&writer.sync().await.expect_err(what), &data, left, what);
        // Later calls of the writer fail in the same way.
        assert_eq!(writer.suspend().await.expect_err(what).kind(), ErrorKind::Corrupted, "{what}");
        continues(&driver, left, what).await;
    }
}

#[tokio::test]
async fn nothing_is_written_after_a_gap_where_data_is_missing() {
    for (what, damage, left) in DAMAGES {
        let (_root, driver, mut writer, data) = damaged(damage).await;
        let mut write = async || {
            writer.write_bytes("and more").await?;
            SinkExt::<Bytes>::flush(&mut writer).await
        };
        is_corrupted(&write().await.unwrap_err(), &data, left, what);
        drop(writer);
        continues(&driver, left, what).await;
    }
}

#[tokio::test]
async fn damaged_data_is_resumed_at_what_is_left() {
    for (what, damage, left) in DAMAGES {
        let (root, driver) = store().await;
        let mut writer = driver.create(&path("/u")).await.unwrap();
        writer.write_bytes(content(SIZE)).await.unwrap();
        writer.suspend().await.unwrap();
        damage(&file(&root, "data")).unwrap();
        let at = WriterOptions::resume_at(SIZE as u64);
        let error = driver.writer(&path("/u"), at).await.unwrap_err();
        let expected = ErrorKind::OffsetMismatch { given: SIZE as u64, size: left };
        assert_eq!(error.kind(), expected, "{what}");
        continues(&driver, left, what).await;
    }
}

#[tokio::test]
async fn cut_data_is_resumed_at_the_kept_size_at_most() {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(content(SIZE).slice(..50_000)).await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes(content(SIZE).slice(50_000..)).await.unwrap();
    SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
    let data = file(&root, "data");
    File::options().write(true).open(&data).unwrap().set_len(70_000).unwrap();
    is_corrupted(&writer.commit().await.unwrap_err(), &data, 70_000, "cut");
    continues(&driver, 50_000, "cut").await;
}

#[tokio::test]
async fn bytes_that_another_program_appends_are_not_published() {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(content(50_000)).await.unwrap();
    writer.sync().await.unwrap();
    let data = file(&root, "data");
    let longer = || File::options().write(true).open(&data).unwrap().set_len(200_000).unwrap();
    longer();
    writer.write_bytes(content(SIZE).slice(50_000..)).await.unwrap();
    writer.sync().await.unwrap();
    longer();
    writer.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/u"), 1 << 20).await.unwrap(), content(SIZE));
}

#[tokio::test]
async fn damage_to_one_upload_leaves_others_and_files_alone() {
    let (root, driver) = store().await;
    driver.put(&path("/a"), "content").await.unwrap();
    let mut damaged = driver.create(&path("/u")).await.unwrap();
    damaged.write_bytes("damaged").await.unwrap();
    damaged.sync().await.unwrap();
    fs::remove_file(file(&root, "data")).unwrap();
    let mut other = driver.create(&path("/v")).await.unwrap();
    other.write_bytes("whole").await.unwrap();
    assert_eq!(damaged.commit().await.unwrap_err().kind(), ErrorKind::Corrupted);
    other.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/v"), 99).await.unwrap(), "whole");
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content");
    driver.cancel_upload(&path("/u")).await.unwrap();
    assert_eq!(fs::read_dir(uploads(&root)).unwrap().count(), 0);
}

#[tokio::test]
async fn a_damaged_record_is_replaced_at_the_next_keep() {
    let damages: [(&str, Act); 4] = [
        ("removed", |at| fs::remove_file(at)),
        ("emptied", |at| File::options().write(true).open(at)?.set_len(0)),
        ("replaced by a directory", |at| fs::remove_file(at).and_then(|()| fs::create_dir(at))),
        ("replaced by a link", |at| fs::remove_file(at).and_then(|()| symlink("/dev/zero", at))),
    ];
    for (what, damage) in damages {
        let (root, driver) = store().await;
        let mut writer = driver.create(&path("/u")).await.unwrap();
        writer.write_bytes(content(50_000)).await.unwrap();
        writer.sync().await.unwrap();
        damage(&file(&root, "record")).unwrap();
        writer.write_bytes(content(SIZE).slice(50_000..)).await.unwrap();
        writer.suspend().await.unwrap();
        driver.shutdown().await.unwrap();
        drop(driver);
        let driver = Filesystem::open(root.path()).await.unwrap();
        continues(&driver, SIZE as u64, what).await;
        assert_eq!(fs::read_dir(uploads(&root)).unwrap().count(), 0, "{what}");
    }
}

#[tokio::test]
async fn data_that_was_cut_while_the_store_was_shut_is_resumed_at_what_is_left() {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(content(SIZE)).await.unwrap();
    writer.suspend().await.unwrap();
    driver.shutdown().await.unwrap();
    drop(driver);
    File::options().write(true).open(file(&root, "data")).unwrap().set_len(40_000).unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    continues(&driver, 40_000, "cut").await;
}

#[tokio::test]
async fn nothing_in_the_directory_of_uploads_keeps_a_root_from_opening() {
    let (root, driver) = store().await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.suspend().await.unwrap();
    driver.shutdown().await.unwrap();
    drop(driver);
    let dir = uploads(&root);
    for name in ["directory", "1.data", "2.record"] {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("inside"), "x").unwrap();
    }
    for name in ["link", "3.data", "4.record"] {
        symlink("/dev/zero", dir.join(name)).unwrap();
    }
    fs::write(dir.join(OsStr::from_bytes(b"\xff")), "x").unwrap();
    fs::write(dir.join("5.record"), [0xff; 100_000]).unwrap();
    fs::write(dir.join("5.data"), "x").unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    assert_eq!(driver.resume(&path("/u")).await.unwrap().size(), 4);
    assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "only the upload's files are left");
}

#[tokio::test]
async fn a_store_whose_own_directory_was_removed_can_be_read_and_reports_that_it_cannot_be_written()
{
    for name in ["~storage-driver", "~storage-driver/staging"] {
        let (root, driver) = store().await;
        driver.put(&path("/a"), "content").await.unwrap();
        let removed = root.path().join(name);
        fs::remove_dir_all(&removed).unwrap();
        assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content");
        let health = driver.health().await;
        health.read.unwrap();
        let put = driver.put(&path("/n"), vec![b'x'; 2 << 20]).await.unwrap_err();
        for error in [put, health.write.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{name}: {error:?}");
            let cause = error.source().unwrap().to_string();
            assert!(cause.starts_with(removed.to_str().unwrap()), "{name}: {cause}");
        }
    }
}

/// A runtime with one blocking thread, so that blocking tasks run in order.
#[test]
fn a_large_commit_that_is_fenced_meanwhile_leaves_no_file_behind() {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.max_blocking_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let (root, driver) = store().await;
        let mut writer = driver.create(&path("/u")).await.unwrap();
        writer.write_bytes(content(3 << 20)).await.unwrap();
        SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
        let (go, wait) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || wait.recv());
        let at = path("/u");
        let mut cancel = driver.cancel_upload(&at);
        assert!(poll!(&mut cancel).is_pending());
        let mut commit = Box::pin(writer.commit());
        assert!(poll!(&mut commit).is_pending());
        go.send(()).unwrap();
        cancel.await.unwrap();
        assert_eq!(commit.await.unwrap_err().kind(), ErrorKind::WriterFenced);
        assert_eq!(fs::read_dir(uploads(&root)).unwrap().count(), 0);
        assert!(!driver.exists(&at).await.unwrap());
        driver.put_content(&at, "new".into(), Precondition::IfAbsent).await.unwrap();
    });
}
