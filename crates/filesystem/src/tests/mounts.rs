//! A store with mounts below its root, as far as the driver can see.

use storage_driver::{ErrorKind, Path, Precondition, StorageDriver, StorageDriverExt};

use super::{Everything, Fixture, path};
use crate::{Durability, Filesystem, FilesystemBuilder};

async fn fixture() -> Fixture {
    Fixture::with_mounts(Durability::Full, &["r/blobs", "r/blobs/deep"]).await
}

async fn upload(driver: &Filesystem, dest: &str, size: usize) {
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes(vec![b'x'; size]).await.unwrap();
    writer.commit_to(&path(dest), Precondition::IfAbsent).await.unwrap();
}

#[tokio::test]
async fn uploads_are_published_on_every_file_system() {
    let fixture = fixture().await;
    let driver = &fixture.driver;
    for (number, size) in [0, 10, 3 << 20].into_iter().enumerate() {
        for dir in ["/r", "/r/blobs", "/r/blobs/deep", "/r/blobs/deep/er"] {
            let dest = format!("{dir}/{number}");
            upload(driver, &dest, size).await;
            let content = driver.get_bytes(&path(&dest), 4 << 20).await.unwrap();
            assert!(content.len() == size && content.iter().all(|&byte| byte == b'x'), "{dest}");
        }
    }
    assert!(Everything::of(driver).await.uploads.is_empty());
    assert_eq!(fixture.reserved("uploads"), Vec::<String>::new());
}

#[tokio::test]
async fn an_upload_whose_precondition_fails_on_a_mount_is_resumed_with_all_accepted_data() {
    let fixture = fixture().await;
    let (driver, dest) = (&fixture.driver, path("/r/blobs/1"));
    driver.put(&dest, "there").await.unwrap();
    let mut writer = driver.create(&path("/u")).await.unwrap();
    writer.write_bytes("accepted").await.unwrap();
    let error = writer.commit_to(&dest, Precondition::IfAbsent).await.unwrap_err();
    assert!(error.is_precondition_failed());
    assert_eq!(driver.resume(&path("/u")).await.unwrap().size(), 8);
    for mount in ["", "r/blobs"] {
        assert_eq!(fixture.reserved_at(mount, "staging"), Vec::<String>::new());
    }
}

#[tokio::test]
async fn deleting_a_directory_that_holds_mounts_leaves_the_mounts_and_nothing_in_them() {
    let fixture = fixture().await;
    let driver = &fixture.driver;
    for at in ["/r/a", "/r/blobs/b", "/r/blobs/deep/c", "/s"] {
        driver.put(&path(at), "x").await.unwrap();
    }
    driver.delete_dir(&path("/r")).await.unwrap();
    let left: Vec<Path> = Everything::of(driver).await.files.into_keys().collect();
    assert_eq!(left, [path("/s")]);
    driver.put(&path("/r/blobs/deep/c"), "again").await.unwrap();
}

#[tokio::test]
async fn a_put_at_a_mount_point_is_a_path_conflict() {
    let fixture = fixture().await;
    for at in ["/r", "/r/blobs"] {
        let error = fixture.driver.put(&path(at), "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PathConflict, "{at}");
    }
}

#[tokio::test]
async fn renames_are_neither_claimed_nor_done() {
    let fixture = fixture().await;
    let driver = &fixture.driver;
    let claimed = driver.capabilities();
    assert!(!claimed.rename_file && !claimed.rename_dir && !claimed.atomic_rename);
    assert!(!claimed.atomic_commit_to && claimed.conditional_commit && claimed.copy);
    driver.put(&path("/a"), "x").await.unwrap();
    let (from, to) = (path("/a"), path("/r/blobs/a"));
    let error = driver.rename(&from, &to, Precondition::None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let error = driver.rename_dir(&path("/r"), &path("/s")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(driver.exists(&from).await.unwrap());
}

#[tokio::test]
async fn leftovers_of_a_crash_on_a_mount_are_removed() {
    let fixture = fixture().await;
    fixture.driver.shutdown().await.unwrap();
    let reserved = fixture.root.path().join("r/blobs/~storage-driver");
    std::fs::write(reserved.join("staging/half"), "half of a copy").unwrap();
    let driver = Fixture::open(&fixture.root, &fixture.probe, Durability::Full).await;
    assert_eq!(fixture.reserved_at("r/blobs", "staging"), Vec::<String>::new());
    driver.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_mount_that_another_store_has_open_keeps_a_root_from_opening() {
    let fixture = fixture().await;
    let mount = fixture.root.path().join("r/blobs");
    let error = Filesystem::open(&mount).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    fixture.driver.shutdown().await.unwrap();
    let _other = Filesystem::open(&mount).await.unwrap();
    let builder = FilesystemBuilder::default().probe(fixture.probe.clone());
    let error = builder.open(fixture.root.path()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.starts_with(mount.to_str().unwrap()), "{cause}");
}

#[tokio::test]
async fn a_file_in_the_place_of_an_own_directory_on_a_mount_is_named() {
    for name in ["~storage-driver", "~storage-driver/staging", "~storage-driver/trash"] {
        let fixture = fixture().await;
        fixture.driver.shutdown().await.unwrap();
        let mount = fixture.root.path().canonicalize().unwrap().join("r/blobs");
        let place = mount.join(name);
        std::fs::remove_dir_all(&place).unwrap();
        std::fs::write(&place, "theirs").unwrap();
        let builder = FilesystemBuilder::default().probe(fixture.probe.clone());
        let root = fixture.root.path().canonicalize().unwrap();
        let error = builder.open(root).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotADirectory, "{name}");
        let cause = std::error::Error::source(&error).unwrap();
        assert_eq!(cause.to_string(), place.display().to_string());
    }
}

#[tokio::test]
async fn a_mount_on_the_drivers_own_directories_is_refused_and_named() {
    for name in ["~storage-driver", "~storage-driver/uploads"] {
        let root = tempfile::tempdir().unwrap();
        let place = root.path().canonicalize().unwrap().join(name);
        std::fs::create_dir_all(&place).unwrap();
        let probe = std::sync::Arc::new(crate::sys::probe::Probe::mounted(vec![place.clone()]));
        let error = FilesystemBuilder::default().probe(probe).open(root.path()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let cause = std::error::Error::source(&error).unwrap();
        assert!(cause.to_string().ends_with(name), "{cause}");
    }
}
