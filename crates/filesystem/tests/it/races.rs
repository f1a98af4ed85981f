//! Directories that are created and removed by many tasks.

use futures::future::join_all;
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};
use storage_driver_filesystem::{Durability, Filesystem};
use tempfile::TempDir;

const TASKS: u64 = 8;
const ROUNDS: u64 = 200;

fn path(text: impl AsRef<str>) -> Path {
    Path::parse(text).unwrap()
}

async fn store() -> (TempDir, Filesystem) {
    let root = tempfile::tempdir().unwrap();
    let builder = Filesystem::builder().durability(Durability::None);
    let driver = builder.open(root.path()).await.unwrap();
    (root, driver)
}

async fn race<F>(act: impl Fn(u64) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks: Vec<_> = (0..TASKS).map(|task| tokio::spawn(act(task))).collect();
    join_all(tasks).await.into_iter().for_each(|task| task.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_put_never_fails_because_its_directory_has_just_become_empty() {
    let (root, driver) = store().await;
    race(|task| {
        let driver = driver.clone();
        async move {
            for round in 0..ROUNDS {
                let at = path(format!("/d/e/f/{task}-{round}"));
                driver.put(&at, "x").await.unwrap();
                assert_eq!(driver.get_bytes(&at, 9).await.unwrap(), "x");
                driver.delete(&at, Precondition::None).await.unwrap();
            }
        }
    })
    .await;
    assert!(!root.path().join("d").exists(), "an empty directory is left");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_succeeds_during_renames_of_the_directory_above_it() {
    let (_root, driver) = store().await;
    driver.put(&path("/a/keep"), "x").await.unwrap();
    race(|task| {
        let driver = driver.clone();
        async move {
            for round in 0..ROUNDS / 4 {
                if task == 0 {
                    let (from, to) = if round % 2 == 0 { ("/a", "/b") } else { ("/b", "/a") };
                    // A commit may have created a directory at its destination.
                    let _ = driver.rename_dir(&path(from), &path(to)).await;
                } else {
                    let mut writer = driver.create(&path(format!("/u/{task}"))).await.unwrap();
                    writer.write_bytes("x").await.unwrap();
                    let dest = path(format!("/a/c/{task}-{round}"));
                    writer.commit_to(&dest, Precondition::None).await.unwrap();
                }
            }
        }
    })
    .await;
    let mut found = 0;
    for task in 1..TASKS {
        for round in 0..ROUNDS / 4 {
            for dir in ["a", "b"] {
                let at = path(format!("/{dir}/c/{task}-{round}"));
                found += u64::from(driver.exists(&at).await.unwrap());
            }
        }
    }
    assert_eq!(found, (TASKS - 1) * (ROUNDS / 4), "each is in one place or the other");
}
