//! The next driver on the same root, after a shutdown or without one.

use std::{
    fs::{self, File},
    path::Path as FsPath,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{
    ErrorKind, Path, Precondition, StorageDriver, StorageDriverExt, WriterOptions,
};
use storage_driver_filesystem::Filesystem;
use tempfile::TempDir;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn root() -> TempDir {
    tempfile::tempdir().unwrap()
}

async fn open(root: &FsPath) -> Filesystem {
    Filesystem::open(root).await.unwrap()
}

/// The root as a killed process leaves it: nothing is written any more, and the lock is free.
async fn killed(root: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_dir(root.path(), copy.path());
    copy
}

fn copy_dir(from: &FsPath, to: &FsPath) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_dir(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[tokio::test]
async fn an_upload_is_resumed_after_a_restart_at_the_size_that_was_kept() {
    let root = root();
    let driver = open(root.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.suspend().await.unwrap();
    driver.shutdown().await.unwrap();

    let driver = open(root.path()).await;
    let mut writer = driver.writer(&path("/u"), WriterOptions::resume_at(4)).await.unwrap();
    writer.write_bytes(", and more").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/u"), 99).await.unwrap(), "kept, and more");
}

#[tokio::test]
async fn exactly_the_kept_bytes_are_resumed_after_a_crash() {
    let dir = root();
    let driver = open(dir.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes(vec![b'x'; 100_000]).await.unwrap();
    // Written to the file, and not kept.
    futures::SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
    let after = killed(&dir).await;

    let driver = open(after.path()).await;
    let writer = driver.resume(&path("/u")).await.unwrap();
    assert_eq!(writer.size(), 4);
    writer.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/u"), 99).await.unwrap(), "kept");
}

#[tokio::test]
async fn an_upload_that_was_never_kept_is_gone_after_a_crash() {
    let dir = root();
    let driver = open(dir.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("accepted").await.unwrap();
    futures::SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
    let after = killed(&dir).await;

    let driver = open(after.path()).await;
    assert!(driver.resume(&path("/u")).await.unwrap_err().is_not_found());
    let reserved = after.path().join("~storage-driver/uploads");
    assert_eq!(fs::read_dir(reserved).unwrap().count(), 0, "its data is left behind");
}

#[tokio::test]
async fn a_shutdown_keeps_what_open_writers_have_accepted() {
    let root = root();
    let driver = open(root.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("accepted").await.unwrap();
    driver.shutdown().await.unwrap();
    drop(writer);

    let driver = open(root.path()).await;
    assert_eq!(driver.resume(&path("/u")).await.unwrap().size(), 8);
}

#[tokio::test]
async fn a_dropped_writer_has_kept_all_after_a_restart() {
    let root = root();
    let driver = open(root.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("accepted").await.unwrap();
    drop(writer);
    driver.shutdown().await.unwrap();

    let driver = open(root.path()).await;
    assert_eq!(driver.resume(&path("/u")).await.unwrap().size(), 8);
}

#[tokio::test]
async fn times_and_sizes_of_uploads_are_known_after_a_restart() {
    let root = root();
    let driver = open(root.path()).await;
    let mut writer = driver.create(&path("/a/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.suspend().await.unwrap();
    let before: Vec<_> = driver.uploads_all(&Path::root()).try_collect().await.unwrap();
    driver.shutdown().await.unwrap();

    let driver = open(root.path()).await;
    let after: Vec<_> = driver.uploads_all(&Path::root()).try_collect().await.unwrap();
    assert_eq!(after, before);
    assert_eq!(driver.cancel_uploads(&path("/a"), Duration::ZERO).await.unwrap(), 1);
}

#[tokio::test]
async fn an_append_still_checks_its_base_after_a_restart() {
    let root = root();
    let driver = open(root.path()).await;
    driver.put(&path("/a"), "base").await.unwrap();
    let mut writer = driver.append(&path("/a")).await.unwrap();
    writer.write_bytes(", appended").await.unwrap();
    writer.suspend().await.unwrap();
    driver.shutdown().await.unwrap();

    let driver = open(root.path()).await;
    driver.put(&path("/a"), "another").await.unwrap();
    let writer = driver.resume(&path("/a")).await.unwrap();
    assert_eq!(writer.size(), 14);
    assert!(writer.commit().await.unwrap_err().is_precondition_failed());
}

#[tokio::test]
async fn a_discarded_upload_does_not_come_back_after_a_crash() {
    let dir = root();
    let driver = open(dir.path()).await;
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.suspend().await.unwrap();
    let _writer = driver.create(&path("/u")).await.unwrap();
    let after = killed(&dir).await;

    let driver = open(after.path()).await;
    assert!(driver.resume(&path("/u")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn versions_and_times_survive_a_restart() {
    let root = root();
    let driver = open(root.path()).await;
    let before = driver.put(&path("/a"), "content").await.unwrap();
    driver.shutdown().await.unwrap();

    let driver = open(root.path()).await;
    let after = driver.stat(&path("/a")).await.unwrap().into_file().unwrap();
    assert_eq!(after, before);
    let unchanged = Precondition::IfVersion(before.version);
    driver.put_content(&path("/a"), "new".into(), unchanged).await.unwrap();
}

#[tokio::test]
async fn versions_are_new_after_a_restart_although_the_clock_was_set_back() {
    let root = root();
    let driver = open(root.path()).await;
    driver.shutdown().await.unwrap();
    // As if the last process had run an hour from now.
    let later = SystemTime::now() + Duration::from_secs(3600);
    let staging = root.path().join("~storage-driver/staging");
    File::open(staging).unwrap().set_modified(later).unwrap();

    let driver = open(root.path()).await;
    let put = driver.put(&path("/a"), "content").await.unwrap();
    assert!(put.modified > later);
}

#[tokio::test]
async fn a_file_that_another_program_changed_has_another_version() {
    let root = root();
    let driver = open(root.path()).await;
    let before = driver.put(&path("/a"), "content").await.unwrap();
    fs::write(root.path().join("a"), "changed").unwrap();
    let after = driver.stat(&path("/a")).await.unwrap().into_file().unwrap();
    assert_ne!(after.version, before.version);
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "changed");
}

#[tokio::test]
async fn a_root_that_is_open_cannot_be_opened_again_and_the_error_names_it() {
    let root = root();
    let driver = open(root.path()).await;
    let error = Filesystem::open(root.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains(root.path().to_str().unwrap()), "{cause}");
    driver.shutdown().await.unwrap();
    open(root.path()).await;
}

#[tokio::test]
async fn a_dropped_driver_releases_its_lock() {
    let root = root();
    let driver = open(root.path()).await;
    driver.put(&path("/a"), "x").await.unwrap();
    drop(driver);
    open(root.path()).await;
}

#[tokio::test]
async fn a_root_of_a_later_layout_is_refused() {
    let root = root();
    open(root.path()).await.shutdown().await.unwrap();
    fs::write(root.path().join("~storage-driver/lock"), "storage-driver 2 shut\n").unwrap();
    let error = Filesystem::open(root.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_root_that_is_a_file_is_refused() {
    let root = root();
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = Filesystem::open(&file).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotADirectory | ErrorKind::Other), "{error:?}");
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[tokio::test]
async fn a_root_is_created_with_the_directories_above_it() {
    let root = root();
    let deep = root.path().join("var/lib/registry");
    let driver = open(&deep).await;
    driver.put(&path("/a"), "x").await.unwrap();
    assert_eq!(fs::read(deep.join("a")).unwrap(), b"x");
}

#[tokio::test]
async fn leftovers_of_deletions_and_puts_are_removed_after_a_crash() {
    let root = root();
    open(root.path()).await.shutdown().await.unwrap();
    let reserved = root.path().join("~storage-driver");
    fs::write(reserved.join("staging/half"), "half of a put").unwrap();
    fs::create_dir_all(reserved.join("trash/tree/a/b/c")).unwrap();
    fs::write(reserved.join("trash/tree/a/b/c/file"), "deleted").unwrap();
    fs::write(reserved.join("uploads/stray.data"), "no record").unwrap();
    fs::write(reserved.join("uploads/torn.record"), "storage-driver upl").unwrap();

    let driver = open(root.path()).await;
    let names = |dir: &str| fs::read_dir(reserved.join(dir)).unwrap().count();
    assert_eq!((names("staging"), names("uploads")), (0, 0));
    let emptied = async {
        while names("trash") > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), emptied).await.unwrap();
    driver.shutdown().await.unwrap();
}

#[tokio::test]
async fn opening_does_not_look_at_the_tree_below_its_first_directories() {
    let root = root();
    let deep = root.path().join("a/b/c/d");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("file"), "x").unwrap();
    let accessed = || fs::metadata(&deep).unwrap().accessed().unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    let times = fs::FileTimes::new().set_accessed(long_ago);
    File::open(&deep).unwrap().set_times(times).unwrap();
    open(root.path()).await.shutdown().await.unwrap();
    assert_eq!(accessed(), long_ago);
}
