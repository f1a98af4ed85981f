//! The driver's own files and directories: something else in their place when a root is opened, and nothing in
//! their place while it is open.

use std::{
    error::Error as _,
    fs, io,
    os::unix::fs::symlink,
    path::{Path as FsPath, PathBuf},
};

use futures::{FutureExt, future::BoxFuture};
use storage_driver::{
    Error, ErrorKind, ListOptions, Path, Precondition, Result, StorageDriver, StorageDriverExt,
};
use storage_driver_filesystem::{Durability, Filesystem};
use tempfile::TempDir;

const DIRS: [&str; 4] = [
    "~storage-driver",
    "~storage-driver/staging",
    "~storage-driver/trash",
    "~storage-driver/uploads",
];
const LOCK: &str = "~storage-driver/lock";

type Put = fn(&FsPath) -> io::Result<()>;

fn put_file(at: &FsPath) -> io::Result<()> {
    fs::write(at, "theirs")
}

fn put_dir(at: &FsPath) -> io::Result<()> {
    fs::create_dir(at)
}

fn put_link(at: &FsPath) -> io::Result<()> {
    symlink("/dev/null", at)
}

fn put_pipe(at: &FsPath) -> io::Result<()> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    Ok(mknodat(CWD, at, FileType::Fifo, Mode::RWXU, 0)?)
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A root in which `put` has put something at `name`.
fn root_with(name: &str, put: Put) -> (TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join(name);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    put(&place).unwrap();
    (root, place)
}

fn names(error: &Error, place: &FsPath) -> String {
    let cause = error.source().unwrap();
    assert_eq!(cause.to_string(), place.display().to_string(), "{error:?}");
    cause.source().unwrap().to_string()
}

/// That a root does not open, with which error, and that it opens once what is in the way is moved.
async fn is_in_the_way(name: &str, put: Put, kind: ErrorKind) {
    let (root, place) = root_with(name, put);
    let error = Filesystem::open(root.path()).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{name}: {error:?}");
    let cause = names(&error, &place);
    assert!(cause.contains("move it away"), "{name}: {cause}");
    fs::rename(&place, root.path().join("moved away")).unwrap();
    Filesystem::open(root.path()).await.unwrap();
}

#[tokio::test]
async fn a_file_in_the_place_of_an_own_directory_keeps_a_root_from_opening_and_is_named() {
    for name in DIRS {
        is_in_the_way(name, put_file, ErrorKind::NotADirectory).await;
        is_in_the_way(name, put_pipe, ErrorKind::NotADirectory).await;
    }
}

#[tokio::test]
async fn a_symbolic_link_in_the_place_of_an_own_directory_keeps_a_root_from_opening_and_is_named() {
    for name in DIRS {
        is_in_the_way(name, put_link, ErrorKind::Unsupported).await;
    }
}

#[tokio::test]
async fn what_is_no_file_in_the_place_of_the_lock_keeps_a_root_from_opening_and_is_named() {
    is_in_the_way(LOCK, put_dir, ErrorKind::IsADirectory).await;
    is_in_the_way(LOCK, put_link, ErrorKind::Unsupported).await;
    is_in_the_way(LOCK, put_pipe, ErrorKind::Unsupported).await;
}

#[tokio::test]
async fn nothing_in_the_staging_directory_keeps_a_root_from_opening() {
    for put in [put_file, put_dir, put_link, put_pipe] {
        for name in ["probe", "other"] {
            let (root, place) = root_with(&format!("~storage-driver/staging/{name}"), put);
            let driver = Filesystem::open(root.path()).await.unwrap();
            assert!(place.symlink_metadata().is_err(), "{name} is still there");
            driver.put(&path("/a"), "content").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_root_is_read_whatever_is_in_the_place_of_the_own_directories() {
    for name in DIRS {
        let (root, place) = root_with(name, put_file);
        fs::write(root.path().join("a"), "content").unwrap();
        let driver = Filesystem::builder().read_only(true).open(root.path()).await.unwrap();
        assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content", "{name}");
        let listed = driver.list(&Path::root(), ListOptions::new()).await.unwrap();
        assert_eq!(listed.items.len(), 1, "{name}");
        match driver.uploads(&Path::root(), ListOptions::new()).await {
            Ok(uploads) => assert!(uploads.items.is_empty() && !name.ends_with("uploads")),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::NotADirectory, "{name}");
                names(&error, &place);
            }
        }
    }
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_lock_keeps_a_root_from_being_read_and_is_named() {
    let (root, place) = root_with(LOCK, put_dir);
    let error = Filesystem::builder().read_only(true).open(root.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IsADirectory);
    names(&error, &place);
}

type Act = fn(&Filesystem) -> BoxFuture<'_, Result<()>>;

/// Every operation that uses files or directories of the driver's own.
const ACTS: [(&str, Act); 14] = [
    ("put", |d| async { d.put(&path("/n"), "new").await.map(drop) }.boxed()),
    ("put large", |d| async { d.put(&path("/n"), vec![7; 2 << 20]).await.map(drop) }.boxed()),
    ("put over", |d| async { d.put(&path("/a"), "new").await.map(drop) }.boxed()),
    ("copy", |d| {
        async { d.copy(&path("/a"), &path("/n"), Precondition::None).await.map(drop) }.boxed()
    }),
    ("touch", |d| async { d.touch(&path("/a"), Precondition::None).await.map(drop) }.boxed()),
    ("rename over", |d| {
        async { d.rename(&path("/a"), &path("/d/b"), Precondition::None).await.map(drop) }.boxed()
    }),
    ("rename_dir", |d| async { d.rename_dir(&path("/d"), &path("/e")).await }.boxed()),
    ("delete", |d| async { d.delete(&path("/a"), Precondition::None).await }.boxed()),
    ("delete_dir", |d| async { d.delete_dir(&path("/d")).await }.boxed()),
    ("append", |d| async { d.append(&path("/a")).await.map(drop) }.boxed()),
    ("create", |d| {
        async {
            let mut writer = d.create(&path("/n")).await?;
            writer.write_bytes("new").await?;
            writer.sync().await
        }
        .boxed()
    }),
    ("create and commit", |d| {
        async {
            let mut writer = d.create(&path("/n")).await?;
            writer.write_bytes("new").await?;
            writer.commit().await.map(drop)
        }
        .boxed()
    }),
    ("resume and commit", |d| {
        async { d.resume(&path("/u")).await?.commit().await.map(drop) }.boxed()
    }),
    ("cancel", |d| async { d.cancel_upload(&path("/u")).await }.boxed()),
];

#[tokio::test]
async fn what_needs_an_own_directory_that_was_removed_fails_and_names_it() {
    let mut failed = 0;
    for removed in DIRS {
        for (what, act) in ACTS {
            let root = tempfile::tempdir().unwrap();
            let builder = Filesystem::builder().durability(Durability::None);
            let driver = builder.open(root.path()).await.unwrap();
            driver.put(&path("/a"), "a").await.unwrap();
            driver.put(&path("/d/b"), "b").await.unwrap();
            let mut writer = driver.create(&path("/u")).await.unwrap();
            writer.write_bytes("kept").await.unwrap();
            writer.suspend().await.unwrap();
            let place = root.path().join(removed);
            fs::remove_dir_all(&place).unwrap();
            if let Err(error) = act(&driver).await {
                failed += 1;
                let kind = error.kind();
                let is_typed = matches!(kind, ErrorKind::Unavailable | ErrorKind::Corrupted);
                assert!(is_typed, "{what} without {removed}: {error:?}");
                let cause = error.source().map(ToString::to_string).unwrap_or_default();
                let own = root.path().join(DIRS[0]).display().to_string();
                assert!(cause.starts_with(&own), "{what} without {removed}: {cause}");
            }
            let content = driver.get_bytes(&path("/a"), 4 << 20).await;
            assert!(content.is_ok() || ["delete", "rename over"].contains(&what), "{what}");
        }
    }
    assert!(failed >= 20, "{failed} operations failed");
}
