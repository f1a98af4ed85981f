//! Roots with foreign files, which are neither shown nor changed, and with links out of the root.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt, fs::symlink, net::UnixListener},
};

use futures::TryStreamExt;
use storage_driver::{
    Entry, ErrorKind, ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    WalkOptions,
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

async fn names(driver: &Filesystem) -> Vec<String> {
    let walk = driver.walk(&Path::root(), WalkOptions::new());
    let entries: Vec<Entry> = walk.try_collect().await.unwrap();
    entries.iter().map(|entry| entry.path().to_string()).collect()
}

async fn fails<T: std::fmt::Debug>(
    result: impl Future<Output = storage_driver::Result<T>>,
    kind: ErrorKind,
) {
    assert_eq!(result.await.unwrap_err().kind(), kind);
}

#[tokio::test]
async fn names_that_are_not_path_components_are_not_shown_and_disturb_nothing() {
    let (root, driver) = store().await;
    for name in ["a b", "ä", "x~", "#1", "per%cent", "new\nline"] {
        fs::write(root.path().join(name), "theirs").unwrap();
    }
    fs::write(root.path().join(OsStr::from_bytes(b"\xff\xfe")), "theirs").unwrap();
    fs::create_dir(root.path().join("lost+found")).unwrap();
    driver.put(&path("/ours"), "x").await.unwrap();
    assert_eq!(names(&driver).await, ["/ours"]);
    let page = driver.list(&Path::root(), ListOptions::new()).await.unwrap();
    assert_eq!(page.items.len(), 1);
}

#[tokio::test]
async fn the_reserved_directory_is_not_shown() {
    let (root, driver) = store().await;
    assert!(root.path().join("~storage-driver").is_dir());
    assert_eq!(names(&driver).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_directory_of_other_peoples_files_alone_is_no_directory() {
    let (root, driver) = store().await;
    fs::create_dir_all(root.path().join("a/b")).unwrap();
    fs::write(root.path().join("a/b/not ours"), "theirs").unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    fails(driver.stat(&path("/a")), ErrorKind::PathNotFound).await;
    fails(driver.list(&path("/a"), ListOptions::new()), ErrorKind::PathNotFound).await;
    fails(driver.delete_dir(&path("/a")), ErrorKind::PathNotFound).await;
    fails(driver.delete(&path("/a"), Precondition::None), ErrorKind::PathNotFound).await;
    // There is no way to put a file there without removing what is theirs.
    fails(driver.put(&path("/a"), "x"), ErrorKind::PathConflict).await;
    assert_eq!(fs::read(root.path().join("a/b/not ours")).unwrap(), b"theirs");
}

#[tokio::test]
async fn a_deletion_of_a_directory_leaves_foreign_files_in_it() {
    let (root, driver) = store().await;
    driver.put(&path("/a/b/ours"), "x").await.unwrap();
    driver.put(&path("/a/c"), "x").await.unwrap();
    fs::write(root.path().join("a/b/not ours"), "theirs").unwrap();
    driver.delete_dir(&path("/a")).await.unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    assert_eq!(fs::read(root.path().join("a/b/not ours")).unwrap(), b"theirs");
    assert!(!root.path().join("a/c").exists());
}

#[tokio::test]
async fn foreign_empty_directories_are_not_shown_and_can_be_replaced() {
    let (root, driver) = store().await;
    fs::create_dir_all(root.path().join("a/b/c")).unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    fails(driver.stat(&path("/a/b")), ErrorKind::PathNotFound).await;
    driver.put(&path("/a"), "a file").await.unwrap();
    assert_eq!(names(&driver).await, ["/a"]);
}

#[tokio::test]
async fn a_symbolic_link_to_a_file_is_not_followed() {
    let (root, driver) = store().await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::write(outside.path(), "secret").unwrap();
    symlink(outside.path(), root.path().join("link")).unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    fails(driver.stat(&path("/link")), ErrorKind::PathNotFound).await;
    fails(driver.get_content(&path("/link"), 99), ErrorKind::PathNotFound).await;
    fails(driver.touch(&path("/link"), Precondition::None), ErrorKind::PathNotFound).await;
    fails(driver.put(&path("/link"), "x"), ErrorKind::PathConflict).await;
    fails(driver.delete(&path("/link"), Precondition::None), ErrorKind::PathNotFound).await;
    assert_eq!(fs::read(outside.path()).unwrap(), b"secret");
}

#[tokio::test]
async fn a_symbolic_link_to_a_directory_is_not_followed() {
    let (root, driver) = store().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "secret").unwrap();
    symlink(outside.path(), root.path().join("link")).unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    fails(driver.get_content(&path("/link/file"), 99), ErrorKind::PathNotFound).await;
    fails(driver.list(&path("/link"), ListOptions::new()), ErrorKind::PathNotFound).await;
    fails(driver.put(&path("/link/new"), "x"), ErrorKind::PathConflict).await;
    fails(driver.put(&path("/link/new/deep"), "x"), ErrorKind::PathConflict).await;
    fails(driver.delete(&path("/link/file"), Precondition::None), ErrorKind::PathNotFound).await;
    driver.put(&path("/ours"), "x").await.unwrap();
    let (ours, into) = (path("/ours"), path("/link/ours"));
    fails(driver.rename(&ours, &into, Precondition::None), ErrorKind::PathConflict).await;
    fails(driver.copy(&ours, &into, Precondition::None), ErrorKind::PathConflict).await;
    let names: Vec<_> = fs::read_dir(outside.path()).unwrap().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"secret");
}

#[tokio::test]
async fn a_put_below_a_symbolic_link_fails_and_names_the_link() {
    let (root, driver) = store().await;
    let outside = tempfile::tempdir().unwrap();
    driver.put(&path("/a/ours"), "x").await.unwrap();
    let link = root.path().join("a/link");
    symlink(outside.path(), &link).unwrap();
    for at in ["/a/link", "/a/link/new", "/a/link/new/deep"] {
        let error = driver.put(&path(at), "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PathConflict, "{at}");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), link.display().to_string(), "{at}");
        assert!(cause.source().unwrap().to_string().contains("symbolic link"), "{at}");
    }
}

#[tokio::test]
async fn a_root_whose_first_directories_are_symbolic_links_is_refused_and_the_error_names_the_link()
{
    for link in ["docker", "docker/registry/v2", "docker/registry/v2/blobs"] {
        for read_only in [false, true] {
            let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
            let link = root.path().join(link);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            symlink(outside.path(), &link).unwrap();
            let opened = Filesystem::builder().read_only(read_only).open(root.path()).await;
            let error = opened.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let cause = std::error::Error::source(&error).unwrap();
            assert_eq!(cause.to_string(), link.display().to_string());
            assert!(cause.source().unwrap().to_string().contains("symbolic link"));
            // With a directory in its place it opens.
            fs::remove_file(&link).unwrap();
            fs::create_dir(&link).unwrap();
            Filesystem::builder().read_only(read_only).open(root.path()).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_root_whose_first_names_are_symbolic_links_to_nothing_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let link = root.path().join("blobs");
    for target in ["/nowhere/blobs", "blobs"] {
        symlink(target, &link).unwrap();
        let error = Filesystem::open(root.path()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{target}");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), link.display().to_string(), "{target}");
        fs::remove_file(&link).unwrap();
    }
}

#[tokio::test]
async fn other_symbolic_links_do_not_keep_a_root_from_opening() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("a/b/c/d/e")).unwrap();
    symlink("/dev/null", root.path().join("to-a-device")).unwrap();
    symlink("/nowhere", root.path().join("a/b/c/d/dangling")).unwrap();
    symlink(root.path(), root.path().join("a/b/c/d/deep")).unwrap();
    symlink(root.path(), root.path().join("no path of the store")).unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    driver.put(&path("/a/ours"), "x").await.unwrap();
}

#[tokio::test]
async fn a_root_that_is_itself_reached_by_a_symbolic_link_is_opened() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("real")).unwrap();
    let link = dir.path().join("link");
    symlink(dir.path().join("real"), &link).unwrap();
    let driver = Filesystem::open(&link).await.unwrap();
    driver.put(&path("/a"), "x").await.unwrap();
    assert!(driver.health().await.is_healthy());
    assert_eq!(fs::read(dir.path().join("real/a")).unwrap(), b"x");
}

#[tokio::test]
async fn a_symbolic_link_that_is_planted_into_the_trash_is_not_followed() {
    let (root, driver) = store().await;
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("file"), "secret").unwrap();
    driver.shutdown().await.unwrap();
    let trash = root.path().join("~storage-driver/trash");
    fs::create_dir(trash.join("tree")).unwrap();
    symlink(outside.path(), trash.join("tree/link")).unwrap();
    symlink(outside.path(), trash.join("link")).unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    let emptied = async {
        while fs::read_dir(&trash).unwrap().count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), emptied).await.unwrap();
    assert_eq!(fs::read(outside.path().join("file")).unwrap(), b"secret");
    drop(driver);
}

/// Removes a root that is being served, renames it, or puts another in its place.
fn displace(root: &std::path::Path, how: usize) {
    if how == 0 {
        return fs::remove_dir_all(root).unwrap();
    }
    fs::rename(root, root.with_extension("away")).unwrap();
    if how == 2 {
        fs::create_dir(root).unwrap();
    }
}

#[tokio::test]
async fn a_root_that_is_no_longer_where_it_was_opened_is_unavailable() {
    for number in 0..3 {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        let driver = Filesystem::open(&root).await.unwrap();
        driver.put(&path("/a/b"), "x").await.unwrap();
        displace(&root, number);
        let missing = path("/missing");
        let errors = [
            driver.stat(&missing).await.map(drop),
            driver.stat(&Path::root()).await.map(drop),
            driver.list(&missing, ListOptions::new()).await.map(drop),
            driver.list(&Path::root(), ListOptions::new()).await.map(drop),
            driver.get_content(&missing, 99).await.map(drop),
            driver.append(&missing).await.map(drop),
            driver.delete(&missing, Precondition::None).await,
            driver.touch(&missing, Precondition::None).await.map(drop),
            driver.copy(&missing, &path("/c"), Precondition::None).await.map(drop),
            driver.rename(&missing, &path("/c"), Precondition::None).await.map(drop),
            driver.walk(&missing, WalkOptions::new()).try_next().await.map(drop),
            driver.walk(&Path::root(), WalkOptions::new()).try_collect::<Vec<_>>().await.map(drop),
            driver.health().await.read,
            driver.health().await.write,
        ];
        for (call, result) in errors.into_iter().enumerate() {
            let error = result.expect_err(&format!("{number}, call {call}"));
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{number}, call {call}: {error:?}");
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains(root.to_str().unwrap()), "{number}, call {call}: {cause}");
        }
    }
}

#[tokio::test]
async fn a_root_that_was_removed_takes_no_content() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let driver = Filesystem::open(&root).await.unwrap();
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("accepted").await.unwrap();
    writer.sync().await.unwrap();
    fs::remove_dir_all(&root).unwrap();
    for at in ["/a", "/b/c"] {
        fails(driver.put(&path(at), "x"), ErrorKind::Unavailable).await;
    }
    fails(driver.put(&path("/large"), vec![b'x'; 2 << 20]), ErrorKind::Unavailable).await;
    let error = writer.commit().await.unwrap_err();
    assert!(!error.is_not_found(), "{error:?}");
    assert!(!root.exists());
}

#[tokio::test]
async fn a_root_that_is_back_at_its_location_is_healthy_again() {
    let dir = tempfile::tempdir().unwrap();
    let (root, away) = (dir.path().join("root"), dir.path().join("away"));
    let driver = Filesystem::open(&root).await.unwrap();
    fs::rename(&root, &away).unwrap();
    assert!(driver.health().await.read.is_err());
    fs::rename(&away, &root).unwrap();
    assert!(driver.health().await.is_healthy());
    fails(driver.stat(&path("/missing")), ErrorKind::PathNotFound).await;
}

#[tokio::test]
async fn a_pipe_is_not_opened() {
    let (root, driver) = store().await;
    rustix::fs::mknodat(
        rustix::fs::CWD,
        root.path().join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RWXU,
        0,
    )
    .unwrap();
    // Opening one waits for a writer.
    fails(driver.get_content(&path("/pipe"), 99), ErrorKind::PathNotFound).await;
    fails(driver.reader(&path("/pipe"), ReadRange::Full), ErrorKind::PathNotFound).await;
    fails(driver.append(&path("/pipe")), ErrorKind::PathNotFound).await;
    assert_eq!(names(&driver).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_socket_is_not_shown() {
    let (root, driver) = store().await;
    let _socket = UnixListener::bind(root.path().join("socket")).unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
    fails(driver.stat(&path("/socket")), ErrorKind::PathNotFound).await;
}

#[tokio::test]
async fn files_and_directories_are_private_unless_modes_are_set() {
    let mode = |at: std::path::PathBuf| fs::metadata(at).unwrap().permissions().mode() & 0o777;
    let (root, driver) = store().await;
    driver.put(&path("/a/b"), "x").await.unwrap();
    assert_eq!(mode(root.path().join("a")), 0o700);
    assert_eq!(mode(root.path().join("a/b")), 0o600);

    let root = tempfile::tempdir().unwrap();
    let builder = Filesystem::builder().file_mode(0o640).dir_mode(0o750);
    let driver = builder.open(root.path()).await.unwrap();
    driver.put(&path("/a/b"), "x").await.unwrap();
    assert_eq!(mode(root.path().join("a")), 0o750);
    assert_eq!(mode(root.path().join("a/b")), 0o640);
}

#[tokio::test]
async fn a_path_of_4096_bytes_is_a_file_like_any_other() {
    // In memory, where there is such a place: to sync thousands of directories takes a disk seconds.
    let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    let longest = path(&"/a".repeat(2048));
    driver.put(&longest, "deep").await.unwrap();
    assert_eq!(driver.get_bytes(&longest, 99).await.unwrap(), "deep");
    assert_eq!(names(&driver).await.len(), 2048);
    let moved = path("/b");
    driver.rename(&longest, &moved, Precondition::None).await.unwrap();
    assert_eq!(names(&driver).await, ["/b"]);
    driver.rename(&moved, &longest, Precondition::None).await.unwrap();
    driver.delete_dir(&path("/a")).await.unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
}

#[tokio::test]
async fn a_tree_that_another_program_made_deeper_than_any_path_does_no_harm() {
    let (root, driver) = store().await;
    driver.put(&path("/a/file"), "x").await.unwrap();
    // 300 times 20 bytes, one below the other.
    let mut dir = fs::File::open(root.path().join("a")).unwrap();
    for _ in 0..300 {
        let name = "twenty-bytes-a-level";
        rustix::fs::mkdirat(&dir, name, rustix::fs::Mode::RWXU).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY;
        dir = rustix::fs::openat(&dir, name, flags, rustix::fs::Mode::empty()).unwrap().into();
    }
    rustix::fs::mknodat(&dir, "file", rustix::fs::FileType::RegularFile, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    assert_eq!(names(&driver).await, ["/a", "/a/file"]);
    driver.delete_dir(&path("/a")).await.unwrap();
    assert_eq!(names(&driver).await, Vec::<String>::new());
}
