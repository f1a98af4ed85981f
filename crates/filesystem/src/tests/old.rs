//! A system with only the older calls: no `openat2`, no files without a name.

use std::sync::Arc;

use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};
use storage_driver_conformance::{Behaviour, Fixture};

use super::path;
use crate::{Durability, Filesystem, FilesystemBuilder, sys::probe::Probe};

async fn fresh() -> (Filesystem, tempfile::TempDir) {
    let root = tempfile::tempdir().unwrap();
    let builder =
        FilesystemBuilder::default().durability(Durability::None).probe(Arc::new(Probe::old()));
    (builder.open(root.path()).await.unwrap(), root)
}

#[test]
fn the_contract_holds_on_an_old_system() {
    let factory = || async {
        let (driver, root) = fresh().await;
        Fixture::new(driver, root)
    };
    let groups =
        ["content", "namespace", "conditions", "renaming", "directories", "copying", "paths"];
    let of_paths = |behaviour: &Behaviour| {
        groups.iter().any(|group| behaviour.name.starts_with(&format!("{group}::")))
    };
    let report = storage_driver_conformance::run(factory, of_paths);
    assert!(report.is_success() && report.passed.len() > 100, "{report}");
}

#[tokio::test]
async fn no_symbolic_link_is_followed_on_an_old_system() {
    let (driver, root) = fresh().await;
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), "secret").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("file"), root.path().join("file")).unwrap();
    for at in ["/link/file", "/file"] {
        let error = driver.get_content(&path(at), 99).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PathNotFound, "{at}");
        let error = driver.put(&path(at), "x").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PathConflict, "{at}");
    }
    let error = driver.delete(&path("/link"), Precondition::None).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PathNotFound);
    assert_eq!(std::fs::read(outside.path().join("file")).unwrap(), b"secret");
}
