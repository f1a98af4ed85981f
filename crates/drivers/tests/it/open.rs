//! What is behind a location once it is opened.

use storage_driver::{ErrorKind, Path, StorageDriver, StorageDriverExt};
use storage_driver_url::Location;

fn location(text: &str) -> Location {
    text.parse().unwrap()
}

#[tokio::test]
async fn memory_holds_content() {
    let driver = location("inmemory:").open().await.unwrap();
    assert_eq!(driver.name(), "inmemory");
    let path = Path::parse("/a").unwrap();
    driver.put(&path, "content").await.unwrap();
    assert_eq!(driver.get_bytes(&path, 100).await.unwrap(), "content");
}

#[tokio::test]
async fn memory_holds_no_more_than_its_capacity() {
    let driver = location("inmemory:?capacity=64KiB").open().await.unwrap();
    let path = Path::parse("/a").unwrap();
    let error = driver.put(&path, vec![0; 128 << 10]).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::StorageFull { .. }), "{error}");
    driver.put(&path, vec![0; 32 << 10]).await.unwrap();
}

#[tokio::test]
async fn memory_is_new_each_time() {
    let location = location("inmemory:");
    let path = Path::parse("/a").unwrap();
    location.open().await.unwrap().put(&path, "content").await.unwrap();
    assert!(!location.open().await.unwrap().exists(&path).await.unwrap());
}

#[cfg(not(target_os = "linux"))]
#[tokio::test]
async fn files_are_unsupported() {
    let error = location("file:///srv").open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[cfg(target_os = "linux")]
mod files {
    use std::{error::Error, fs};

    use storage_driver_url::{Durability, Root};
    use tokio_test::task::spawn;

    use super::*;

    fn at(root: &std::path::Path, durability: Durability) -> Location {
        Location::File { root: Root::new(root).unwrap(), durability, read_only: false }
    }

    #[tokio::test]
    async fn content_is_a_file_below_the_root() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("not there yet");
        for durability in [Durability::Full, Durability::Data, Durability::None] {
            let driver = at(&root, durability).open().await.unwrap();
            assert_eq!(driver.name(), "filesystem");
            let path = Path::parse("/a/b").unwrap();
            driver.put(&path, durability.as_str()).await.unwrap();
            assert_eq!(fs::read_to_string(root.join("a/b")).unwrap(), durability.as_str());
            driver.shutdown().await.unwrap();
        }
    }

    #[tokio::test]
    async fn the_durability_is_the_one_that_was_said() {
        for durability in [Durability::Full, Durability::Data, Durability::None] {
            let dir = tempfile::tempdir().unwrap();
            let driver = at(dir.path(), durability).open().await.unwrap();
            assert!(format!("{driver:?}").contains(&format!("{durability:?}")), "{driver:?}");
        }
    }

    #[tokio::test]
    async fn content_outlives_its_driver() {
        let dir = tempfile::tempdir().unwrap();
        let location = at(dir.path(), Durability::Full);
        let path = Path::parse("/a").unwrap();
        let driver = location.open().await.unwrap();
        driver.put(&path, "content").await.unwrap();
        driver.shutdown().await.unwrap();
        drop(driver);
        let driver = location.open().await.unwrap();
        assert_eq!(driver.get_bytes(&path, 100).await.unwrap(), "content");
    }

    #[tokio::test]
    async fn a_directory_that_is_open_already_is_unavailable() {
        let dir = tempfile::tempdir().unwrap();
        let location = at(dir.path(), Durability::Full);
        let _first = location.open().await.unwrap();
        let error = location.open().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(dir.path().to_str().unwrap()), "{cause}");
    }

    #[tokio::test]
    async fn a_store_that_is_served_can_be_opened_read_only_and_read() {
        let dir = tempfile::tempdir().unwrap();
        let location = at(dir.path(), Durability::Full);
        let served = location.open().await.unwrap();
        let path = Path::parse("/a").unwrap();
        served.put(&path, "content").await.unwrap();
        let location: Location = format!("{location}?read_only=true").parse().unwrap();
        let driver = location.open().await.unwrap();
        assert_eq!(driver.get_bytes(&path, 100).await.unwrap(), "content");
        let error = driver.put(&path, "new").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    #[test]
    fn a_directory_is_unavailable_outside_of_a_runtime() {
        let dir = tempfile::tempdir().unwrap();
        let location = at(dir.path(), Durability::Full);
        let error = tokio_test::assert_ready!(spawn(location.open()).poll()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
