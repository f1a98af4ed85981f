//! Disks that are full, mounted read-only, or mounted below the root: small file systems in memory,
//! which the tests mount if the user may. Otherwise they print that they are skipped.

use std::{
    fs,
    io::Write,
    path::{Path as FsPath, PathBuf},
};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_bind, unmount};
use storage_driver::{
    Error, ErrorKind, ListOptions, Path, Precondition, StorageDriver, StorageDriverExt,
    WriterOptions,
};
use storage_driver_filesystem::Filesystem;
use tempfile::TempDir;

const SIZE: usize = 8 << 20;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Mounts a file system of 8 MiB, or prints that it cannot.
fn mount_small(at: &FsPath) -> Option<()> {
    let options = std::ffi::CString::new(format!("size={SIZE},mode=700")).unwrap();
    mounted(mount("tmpfs", at, "tmpfs", MountFlags::empty(), options.as_c_str()))
}

fn mounted(result: rustix::io::Result<()>) -> Option<()> {
    let say = |errno: &rustix::io::Errno| {
        let _ = writeln!(std::io::stderr(), "left out: nothing can be mounted here ({errno})");
    };
    result.inspect_err(say).ok()
}

/// A file system of 8 MiB, unmounted when it is dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        mount_small(dir.path()).map(|()| Self(dir))
    }

    fn root(&self) -> PathBuf {
        self.0.path().join("root")
    }

    /// Mounts it again, read-only. Nothing on it may be open for writing.
    fn make_read_only(&self) -> rustix::io::Result<()> {
        rustix::mount::mount_remount(self.0.path(), MountFlags::RDONLY, c"")
    }

    /// Fills the free space.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.path().join("ballast")).unwrap();
        let piece = vec![0; 4096];
        while file.write_all(&piece).is_ok() {}
    }

    fn make_room(&self) {
        fs::remove_file(self.0.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = unmount(self.0.path(), UnmountFlags::DETACH);
    }
}

#[track_caller]
fn is_full(error: &Error) {
    let ErrorKind::StorageFull { available, .. } = error.kind() else { panic!("{error:?}") };
    assert!(available.is_some_and(|available| available < SIZE as u64), "{available:?}");
}

#[tokio::test]
async fn a_put_that_does_not_fit_changes_nothing_and_succeeds_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    let old = driver.put(&path("/a"), "old").await.unwrap();
    disk.fill();
    for size in [20_000, 3_000_000] {
        is_full(&driver.put(&path("/a"), vec![b'n'; size]).await.unwrap_err());
        is_full(&driver.put(&path("/n/o"), vec![b'n'; size]).await.unwrap_err());
        let now = driver.stat(&path("/a")).await.unwrap().into_file().unwrap();
        assert_eq!(now, old);
        assert!(!driver.exists(&path("/n")).await.unwrap());
    }
    disk.make_room();
    driver.put(&path("/a"), vec![b'n'; 3_000_000]).await.unwrap();
    driver.put(&path("/n/o"), vec![b'n'; 3_000_000]).await.unwrap();
}

#[tokio::test]
async fn an_upload_on_a_full_disk_loses_nothing_and_continues_when_there_is_space() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(vec![b'a'; 100_000]).await.unwrap();
    writer.sync().await.unwrap();
    disk.fill();
    let mut expected = 100_000;
    let refused = loop {
        match writer.write_bytes(vec![b'b'; 100_000]).await {
            Ok(()) => expected += 100_000,
            Err(error) => break error,
        }
        assert!(expected < SIZE as u64, "it accepts without end");
    };
    is_full(&refused);
    assert_eq!(writer.size(), expected, "what was refused is counted");
    is_full(&writer.sync().await.unwrap_err());
    // The next call fails too; nothing is lost.
    is_full(&writer.write_bytes("c").await.unwrap_err());

    disk.make_room();
    writer.write_bytes("c").await.unwrap();
    writer.commit().await.unwrap();
    let content = driver.get_bytes(&path("/u"), 1 << 30).await.unwrap();
    assert_eq!(content.len() as u64, expected + 1);
    let (a, rest) = content.split_at(100_000);
    assert!(a.iter().all(|&byte| byte == b'a'));
    assert!(rest[..rest.len() - 1].iter().all(|&byte| byte == b'b') && rest.ends_with(b"c"));
}

#[tokio::test]
async fn a_commit_on_a_full_disk_leaves_the_upload_with_all_accepted_data() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(vec![b'a'; 100_000]).await.unwrap();
    writer.sync().await.unwrap();
    disk.fill();
    let mut accepted = 100_000;
    while writer.write_bytes(vec![b'b'; 300_000]).await.is_ok() {
        accepted = writer.size();
    }
    is_full(&writer.commit().await.unwrap_err());
    assert!(!driver.exists(&path("/u")).await.unwrap());
    disk.make_room();
    let writer = driver.writer(&path("/u"), WriterOptions::resume_at(accepted)).await.unwrap();
    assert_eq!(writer.commit().await.unwrap().size, accepted);
}

#[tokio::test]
async fn a_copy_that_does_not_fit_leaves_nothing_behind() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    driver.put(&path("/a"), vec![b'a'; 3 << 20]).await.unwrap();
    disk.fill();
    let copied = driver.copy(&path("/a"), &path("/b"), Precondition::None).await;
    is_full(&copied.unwrap_err());
    assert!(!driver.exists(&path("/b")).await.unwrap());
    disk.make_room();
    driver.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
}

#[tokio::test]
async fn a_full_store_can_be_read_and_deleted_from_and_reports_that_it_is_full() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    driver.put(&path("/a"), "content").await.unwrap();
    disk.fill();
    let health = driver.health().await;
    assert!(health.read.is_ok());
    is_full(&health.write.unwrap_err());
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content");
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    disk.make_room();
    assert!(driver.health().await.is_healthy());
}

#[tokio::test]
async fn a_disk_that_is_mounted_read_only_can_be_read_and_reports_it() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    driver.put(&path("/a"), "content").await.unwrap();
    if disk.make_read_only().is_err() {
        // The lock file is open for writing, and some kernels do not take that away.
        return;
    }
    let error = driver.put(&path("/a"), "new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let error = driver.delete(&path("/a"), Precondition::None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content");
    let health = driver.health().await;
    assert!(health.read.is_ok());
    assert_eq!(health.write.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[tokio::test]
async fn a_root_on_a_read_only_mount_is_opened_read_only_and_served() {
    let Some(disk) = SmallDisk::mount() else { return };
    let driver = Filesystem::open(disk.root()).await.unwrap();
    driver.put(&path("/a/b"), "content").await.unwrap();
    driver.shutdown().await.unwrap();
    drop(driver);
    disk.make_read_only().unwrap();

    let error = Filesystem::open(disk.root()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    let driver = Filesystem::builder().read_only(true).open(disk.root()).await.unwrap();
    assert_eq!(driver.get_bytes(&path("/a/b"), 99).await.unwrap(), "content");
    let page = driver.list(&path("/a"), ListOptions::new()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    let error = driver.put(&path("/a/b"), "new").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let health = driver.health().await;
    assert!(health.read.is_ok() && health.write.is_err());
}

/// A root with the blobs of a registry on a mount of their own.
struct MountedBlobs {
    dir: TempDir,
    blobs: PathBuf,
}

impl MountedBlobs {
    /// A new root, at whose blobs `mount` mounts a file system.
    fn new(mount: impl FnOnce(&FsPath, &FsPath) -> Option<()>) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let blobs = dir.path().join("root/docker/registry/v2/blobs");
        let other = dir.path().join("other");
        fs::create_dir_all(&blobs).unwrap();
        fs::create_dir(&other).unwrap();
        mount(&other, &blobs).map(|()| Self { dir, blobs })
    }

    /// A file system of its own; another mount of the same file system.
    fn both() -> Option<[Self; 2]> {
        let small = Self::new(|_, at| mount_small(at))?;
        let bound = Self::new(|from, at| mounted(mount_bind(from, at)))?;
        Some([small, bound])
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    fn unmount(&self) {
        unmount(&self.blobs, UnmountFlags::DETACH).unwrap();
    }
}

impl Drop for MountedBlobs {
    fn drop(&mut self) {
        let _ = unmount(&self.blobs, UnmountFlags::DETACH);
    }
}

const BLOB: &str = "/docker/registry/v2/blobs/sha256/aa/data";

#[tokio::test]
async fn content_is_published_on_a_file_system_that_is_mounted_below_the_root() {
    let Some(both) = MountedBlobs::both() else { return };
    for mounted in both {
        let driver = Filesystem::open(mounted.root()).await.unwrap();
        let blob = path(BLOB);
        for size in [10, 3 << 20] {
            let mut writer = driver.create(&path("/docker/u")).await.unwrap();
            writer.write_bytes(vec![b'x'; size]).await.unwrap();
            writer.commit_to(&blob, Precondition::None).await.unwrap();
            assert_eq!(driver.get_bytes(&blob, 4 << 20).await.unwrap().len(), size);
            assert_eq!(
                fs::metadata(mounted.blobs.join("sha256/aa/data")).unwrap().len(),
                size as u64
            );
        }
        driver.put(&blob, "put").await.unwrap();
        driver.copy(&blob, &path("/docker/copy"), Precondition::None).await.unwrap();
        driver
            .copy(&path("/docker/copy"), &path(&format!("{BLOB}2")), Precondition::None)
            .await
            .unwrap();
        driver.append(&blob).await.unwrap().commit().await.unwrap();
        assert!(driver.health().await.is_healthy());
        driver.delete_dir(&path("/docker")).await.unwrap();
        assert!(!driver.exists(&path("/docker")).await.unwrap());
        driver.shutdown().await.unwrap();
        drop(driver);
        Filesystem::open(mounted.root()).await.unwrap().put(&blob, "again").await.unwrap();
    }
}

#[tokio::test]
async fn a_mount_that_is_taken_away_is_unavailable_and_named() {
    let Some([mounted, _]) = MountedBlobs::both() else { return };
    let driver = Filesystem::open(mounted.root()).await.unwrap();
    driver.put(&path(BLOB), "content").await.unwrap();
    driver.put(&path("/elsewhere"), "content").await.unwrap();
    mounted.unmount();
    let health = driver.health().await;
    let put = driver.put(&path(BLOB), "new").await.unwrap_err();
    let get = driver.get_content(&path(BLOB), 99).await.unwrap_err();
    for error in [put, get, health.read.unwrap_err(), health.write.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.starts_with(mounted.blobs.to_str().unwrap()), "{cause}");
    }
    assert_eq!(driver.get_bytes(&path("/elsewhere"), 99).await.unwrap(), "content");
    driver.put(&path("/elsewhere"), "new").await.unwrap();
}

#[tokio::test]
async fn a_mount_that_is_made_under_an_open_store_is_unavailable_and_named() {
    let Some(mounted) = MountedBlobs::new(|_, at| mount_small(at)) else { return };
    mounted.unmount();
    let driver = Filesystem::open(mounted.root()).await.unwrap();
    driver.put(&path("/elsewhere"), "content").await.unwrap();
    mount_small(&mounted.blobs).unwrap();
    let health = driver.health().await;
    assert!(health.read.is_ok());
    let put = driver.put(&path(BLOB), "new").await.unwrap_err();
    for error in [put, health.write.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().starts_with(mounted.blobs.to_str().unwrap()), "{cause}");
        assert!(cause.source().unwrap().to_string().contains("open it again"));
    }
    driver.put(&path("/elsewhere"), "new").await.unwrap();
}

#[tokio::test]
async fn a_full_file_system_below_the_root_is_full_and_the_rest_is_not() {
    let Some([mounted, _]) = MountedBlobs::both() else { return };
    let driver = Filesystem::open(mounted.root()).await.unwrap();
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(vec![b'x'; SIZE + 1]).await.unwrap();
    let error = writer.commit_to(&path(BLOB), Precondition::None).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::StorageFull { .. }), "{error:?}");
    let writer =
        driver.writer(&path("/u"), WriterOptions::resume_at(SIZE as u64 + 1)).await.unwrap();
    writer.commit_to(&path("/elsewhere"), Precondition::None).await.unwrap();
    driver.put(&path(BLOB), "small").await.unwrap();
}
