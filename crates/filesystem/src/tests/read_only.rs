//! Read-only roots.

use std::time::Duration;

use futures::{FutureExt, TryStreamExt, future::BoxFuture};
use storage_driver::{
    Capabilities, ErrorKind, ListOptions, Path, Precondition, Result, StorageDriver,
    StorageDriverExt,
};

use super::{Everything, Fixture, path};
use crate::{Durability, Filesystem, sys::Call};

/// A root with a file and an upload in progress, and a read-only driver on it. The driver that serves the root is
/// still open.
async fn fixture() -> (Fixture, Filesystem) {
    let fixture = Fixture::new(Durability::Full).await;
    fixture.driver.put(&path("/a"), "content").await.unwrap();
    let mut writer = fixture.driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("kept").await.unwrap();
    writer.suspend().await.unwrap();
    let probe = fixture.probe.clone();
    let reader = Filesystem::builder().read_only(true).probe(probe).open(fixture.root.path());
    let reader = reader.await.unwrap();
    (fixture, reader)
}

/// The number of calls that change a file system, or that need the permission to do so.
fn changes(fixture: &Fixture) -> u64 {
    use Call::*;
    let changes = [
        Create, Write, Truncate, SetTimes, Clone, CopyRange, Sync, SyncDir, SyncFs, Mkdir, Rename,
        Link, Unlink, Rmdir,
    ];
    changes.into_iter().map(|call| fixture.probe.count(call)).sum()
}

#[tokio::test]
async fn nothing_on_the_disk_is_changed_by_opening_reading_and_closing() {
    let (fixture, driver) = fixture().await;
    driver.shutdown().await.unwrap();
    let before = changes(&fixture);
    let builder = Filesystem::builder().read_only(true).probe(fixture.probe.clone());
    let driver = builder.open(fixture.root.path()).await.unwrap();
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "content");
    driver.list(&Path::root(), ListOptions::new()).await.unwrap();
    Everything::of(&driver).await;
    driver.health().await.read.unwrap();
    driver.shutdown().await.unwrap();
    assert_eq!(changes(&fixture), before);
}

#[tokio::test]
async fn it_shows_files_and_uploads_as_the_driver_that_serves_the_root_does() {
    let (fixture, driver) = fixture().await;
    assert_eq!(Everything::of(&driver).await, Everything::of(&fixture.driver).await);
    fixture.driver.put(&path("/b/c"), "later").await.unwrap();
    fixture.driver.cancel_upload(&path("/u")).await.unwrap();
    assert_eq!(Everything::of(&driver).await, Everything::of(&fixture.driver).await);
}

#[tokio::test]
async fn its_listing_of_uploads_is_paged() {
    let (fixture, driver) = fixture().await;
    for name in ["/u/1", "/u/2", "/v"] {
        fixture.driver.create(&path(name)).await.unwrap().suspend().await.unwrap();
    }
    let page = driver.uploads(&path("/u"), ListOptions::new().limit(2)).await.unwrap();
    let found: Vec<_> = page.items.iter().map(|upload| upload.path.as_str()).collect();
    assert_eq!((found, page.next), (vec!["/u", "/u/1"], Some(path("/u/1"))));
    let all: Vec<_> = driver.uploads_all(&path("/u")).try_collect().await.unwrap();
    assert_eq!(all.len(), 3);
}

#[tokio::test]
async fn every_change_is_unsupported_and_has_no_effect() {
    type Act = fn(&Filesystem) -> BoxFuture<'_, Result<()>>;
    let acts: [(&str, Act); 11] = [
        ("put", |d| async { d.put(&path("/a"), "new").await.map(drop) }.boxed()),
        ("create", |d| async { d.create(&path("/n")).await.map(drop) }.boxed()),
        ("resume", |d| async { d.resume(&path("/u")).await.map(drop) }.boxed()),
        ("append", |d| async { d.append(&path("/a")).await.map(drop) }.boxed()),
        ("delete", |d| async { d.delete(&path("/a"), Precondition::None).await }.boxed()),
        ("touch", |d| async { d.touch(&path("/a"), Precondition::None).await.map(drop) }.boxed()),
        ("cancel_upload", |d| async { d.cancel_upload(&path("/u")).await }.boxed()),
        ("cancel_uploads", |d| {
            async { d.cancel_uploads(&Path::root(), Duration::ZERO).await.map(drop) }.boxed()
        }),
        ("rename", |d| {
            async { d.rename(&path("/a"), &path("/b"), Precondition::None).await.map(drop) }.boxed()
        }),
        ("rename_dir", |d| async { d.rename_dir(&path("/a"), &path("/b")).await }.boxed()),
        ("copy", |d| {
            async { d.copy(&path("/a"), &path("/a"), Precondition::None).await.map(drop) }.boxed()
        }),
    ];
    let (fixture, driver) = fixture().await;
    let before = (Everything::of(&driver).await, changes(&fixture));
    for (name, act) in acts {
        let error = act(&driver).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported, "{name}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("read only"), "{name}: {cause}");
    }
    assert_eq!((Everything::of(&driver).await, changes(&fixture)), before);
}

#[tokio::test]
async fn it_claims_no_operation_and_its_health_is_that_it_can_be_read() {
    let (_fixture, driver) = fixture().await;
    let claimed = driver.capabilities();
    let guarantees = Capabilities {
        durable: true,
        rejects_conflicts: true,
        unique_versions: true,
        ordered_walk: true,
        ..Capabilities::none()
    };
    assert_eq!(claimed, guarantees);
    let health = driver.health().await;
    health.read.unwrap();
    assert_eq!(health.write.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn a_tree_without_anything_of_the_driver_in_it_can_be_read() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a"), "from another program").unwrap();
    let driver = Filesystem::builder().read_only(true).open(root.path()).await.unwrap();
    assert_eq!(driver.get_bytes(&path("/a"), 99).await.unwrap(), "from another program");
    assert!(Everything::of(&driver).await.uploads.is_empty());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_root_that_is_missing_is_not_made_and_the_error_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("missing");
    let error = Filesystem::builder().read_only(true).open(&root).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), root.display().to_string());
    assert!(cause.source().unwrap().to_string().contains("No such file"));
    assert!(!root.exists());
}

#[tokio::test]
async fn a_root_of_a_later_layout_is_not_read() {
    let (fixture, driver) = fixture().await;
    driver.shutdown().await.unwrap();
    let lock = fixture.root.path().join("~storage-driver/lock");
    std::fs::write(lock, "storage-driver 2 shut\n").unwrap();
    let opened = Filesystem::builder().read_only(true).open(fixture.root.path()).await;
    assert_eq!(opened.unwrap_err().kind(), ErrorKind::Unsupported);
}
