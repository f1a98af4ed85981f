//! A walk whose caller skips some directories, and does not skip others of the same names.

#![cfg(target_os = "linux")]

use std::hash::{DefaultHasher, Hash, Hasher};

use futures::TryStreamExt;
use storage_driver::{Path, StorageDriver, StorageDriverExt, Walk, WalkOptions};
use storage_driver_filesystem::{Durability, Filesystem};

const NAMES: [&str; 3] = ["_layers", "a", "b"];

fn choice(seed: u64, path: &Path, of: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, path.as_str()).hash(&mut hasher);
    hasher.finish() % of
}

/// The entries of a walk that skips about one directory in `1 + seed % 4`, as `seed` decides.
async fn walked(mut walk: Walk<'_>, seed: u64) -> Vec<String> {
    let mut given = Vec::new();
    while let Some(entry) = walk.try_next().await.unwrap() {
        given.push(entry.path().to_string());
        if entry.is_dir() && choice(seed, entry.path(), 1 + seed % 4) == 0 {
            walk.skip_dir();
        }
    }
    given
}

#[tokio::test]
async fn a_walk_leaves_out_exactly_the_skipped_directories() {
    let root = tempfile::tempdir().unwrap();
    let driver =
        Filesystem::builder().durability(Durability::None).open(root.path()).await.unwrap();
    let mut dirs = vec![Path::root()];
    for _ in 0..4 {
        dirs = dirs.iter().flat_map(|dir| NAMES.map(|name| dir.join(name).unwrap())).collect();
        for dir in dirs.iter().filter(|dir| choice(0, dir, 3) > 0) {
            driver.put(&dir.join("file").unwrap(), "x").await.unwrap();
        }
    }
    for seed in 0..64 {
        let ahead = walked(driver.walk(&Path::root(), WalkOptions::new()), seed).await;
        let by_list = Walk::by_list(&driver, &Path::root(), WalkOptions::new());
        assert_eq!(ahead, walked(by_list, seed).await, "seed {seed}");
    }
}
