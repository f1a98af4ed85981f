//! 7.2, 7.3: rename of a directory.

use std::collections::BTreeMap;

use futures::{FutureExt, TryStreamExt};
use storage_driver::{
    ErrorKind, Metadata, Path, Stat, StorageDriver, StorageDriverExt, WalkOptions,
};

use crate::{
    Subject,
    check::{everything, exists, fails, finish, long_path, path, put, read, upload, uploads, walk},
    tasks::at_once,
};

const FILES: &[&str] = &["/a/b", "/a/b-c", "/a/c/d", "/a/c/e/f", "/a/g"];

async fn fill(driver: &dyn StorageDriver) {
    for at in FILES {
        put(driver, at, *at).await;
    }
}

async fn rename_dir(
    driver: &dyn StorageDriver,
    from: &str,
    to: &str,
) -> storage_driver::Result<()> {
    driver.rename_dir(&path(from), &path(to)).await
}

/// Checks that a rename fails in this way and changes nothing.
async fn refused(driver: &dyn StorageDriver, from: &str, to: &str, kind: ErrorKind) {
    let before = everything(driver).await;
    fails(rename_dir(driver, from, to).await, kind);
    assert_eq!(everything(driver).await, before, "{from} to {to}");
}

/// The metadata of each file below a directory, by its path relative to the directory.
async fn below(driver: &dyn StorageDriver, at: &str) -> BTreeMap<String, Metadata> {
    let dir = path(at);
    let entries: Vec<Path> = driver
        .walk(&dir, WalkOptions::new())
        .map_ok(|entry| entry.path().clone())
        .try_collect()
        .await
        .unwrap();
    let mut files = BTreeMap::new();
    for at in entries {
        if let Stat::File(file) = driver.stat(&at).await.unwrap() {
            files.insert(at.strip_prefix(&dir).unwrap().to_owned(), file);
        }
    }
    files
}

pub(crate) async fn rename_dir_moves_everything_under_it(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    rename_dir(&driver, "/a", "/x/y").await.unwrap();
    assert!(!exists(&driver, "/a").await);
    for at in FILES {
        let moved = at.replacen("/a", "/x/y", 1);
        assert_eq!(read(&driver, &moved).await, at);
    }
    let tree = [
        "/x",
        "/x/y",
        "/x/y/b",
        "/x/y/b-c",
        "/x/y/c",
        "/x/y/c/d",
        "/x/y/c/e",
        "/x/y/c/e/f",
        "/x/y/g",
    ];
    assert_eq!(walk(&driver, "/").await, tree);
}

pub(crate) async fn rename_dir_keeps_versions(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let before = below(&driver, "/a").await;
    rename_dir(&driver, "/a", "/x").await.unwrap();
    let after = below(&driver, "/x").await;
    assert_eq!(after.len(), before.len());
    for (name, file) in before {
        assert_eq!(after[&name].version, file.version, "{name}");
        assert_eq!(after[&name].size, file.size, "{name}");
    }
}

pub(crate) async fn rename_dir_keeps_times(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let before = below(&driver, "/a").await;
    rename_dir(&driver, "/a", "/x").await.unwrap();
    let after = below(&driver, "/x").await;
    assert_eq!(after.len(), before.len());
    for (name, file) in before {
        assert_eq!(after[&name].modified, file.modified, "{name}");
    }
}

pub(crate) async fn rename_dir_moves_many_files(subject: Subject) {
    let driver = subject.driver().await;
    let (store, at) = (&driver, |dir: &str, i: u32| format!("{dir}/{}/{}/{i}", i % 7, i % 5));
    let puts = (0..300).map(|i| async move { drop(put(store, &at("/a", i), i.to_string()).await) });
    at_once(puts.map(FutureExt::boxed).collect()).await;
    rename_dir(&driver, "/a", "/x").await.unwrap();
    assert!(!exists(&driver, "/a").await);
    let reads =
        (0..300).map(|i| async move { assert_eq!(read(store, &at("/x", i)).await, i.to_string()) });
    at_once(reads.map(FutureExt::boxed).collect()).await;
}

pub(crate) async fn rename_dir_of_a_leaves_ab(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a/x", "/ab/x", "/a-b", "/a.b/x", "/abc"] {
        put(&driver, at, at).await;
    }
    rename_dir(&driver, "/a", "/z").await.unwrap();
    let tree = ["/a-b", "/a.b", "/a.b/x", "/ab", "/ab/x", "/abc", "/z", "/z/x"];
    assert_eq!(walk(&driver, "/").await, tree);
}

pub(crate) async fn rename_dir_to_a_name_that_begins_alike(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/x", "x").await;
    rename_dir(&driver, "/a", "/ab").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/ab", "/ab/x"]);
    rename_dir(&driver, "/ab", "/a").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/x"]);
}

pub(crate) async fn rename_dir_moves_up_and_down(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c/x", "x").await;
    put(&driver, "/a/y", "y").await;
    rename_dir(&driver, "/a/b/c", "/c").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/y", "/c", "/c/x"]);
    rename_dir(&driver, "/c", "/a/b/d").await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/b", "/a/b/d", "/a/b/d/x", "/a/y"]);
}

pub(crate) async fn rename_dir_onto_a_directory_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/x", "x").await;
    put(&driver, "/b/c/y", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/b/c", ErrorKind::PathConflict).await;
    refused(&driver, "/b/c", "/b", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_dir_onto_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/x", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_dir_under_a_file_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/x", "x").await;
    put(&driver, "/b", "y").await;
    refused(&driver, "/a", "/b/c", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/x/y", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_into_own_subtree_is_a_path_conflict(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    refused(&driver, "/a", "/a/z", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/c/z", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/c", ErrorKind::PathConflict).await;
    refused(&driver, "/a", "/a/z/a/b", ErrorKind::PathConflict).await;
}

pub(crate) async fn rename_dir_onto_itself_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let before = everything(&driver).await;
    rename_dir(&driver, "/a", "/a").await.unwrap();
    rename_dir(&driver, "/a/c", "/a/c").await.unwrap();
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn rename_dir_from_nothing_names_from_and_leaves_to(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/b/x", "untouched").await;
    let before = everything(&driver).await;
    for from in ["/a", "/b/c", "/c/d"] {
        for to in ["/z", "/b"] {
            let error = fails(rename_dir(&driver, from, to).await, ErrorKind::PathNotFound);
            assert_eq!(error.path(), Some(&path(from)));
        }
    }
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn rename_dir_of_a_file_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    refused(&driver, "/a", "/b", ErrorKind::NotADirectory).await;
}

pub(crate) async fn rename_dir_leaves_uploads_where_they_are(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/x", "x").await;
    for at in ["/a", "/a/u", "/a/x", "/b", "/b/u"] {
        upload(&driver, at, at).await;
    }
    rename_dir(&driver, "/a", "/b").await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a", "/a/u", "/a/x", "/b", "/b/u"]);
    assert_eq!(walk(&driver, "/").await, ["/b", "/b/x"]);
    assert_eq!(finish(&driver, "/a/u").await, "/a/u");
    assert_eq!(finish(&driver, "/b/u").await, "/b/u");
}

pub(crate) async fn rename_dir_that_makes_a_path_too_long_moves_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let long = format!("/a{}", long_path(driver.capabilities().max_path_bytes - 2));
    put(&driver, &long, "far").await;
    put(&driver, "/a/b", "near").await;
    let before = everything(&driver).await;
    fails(rename_dir(&driver, "/a", "/longer").await, ErrorKind::InvalidPath);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn rename_dir_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    refused(&driver, "/a", "/b", ErrorKind::Unsupported).await;
    assert!(!driver.exists(&path("/b")).await.unwrap());
}
