//! 6.4, 6.5: walk.

use futures::{StreamExt, TryStreamExt};
use storage_driver::{Entry, ErrorKind, Path, Precondition, StorageDriver, Walk, WalkOptions};

use crate::{
    Subject,
    check::{error, path, put, put_all, remove, stat, upload, walk, walk_with},
};

const FILES: &[&str] =
    &["/a/b/c", "/a/b/d", "/a/b-c", "/a/b.c/x", "/a/e", "/a-b", "/a.b/c", "/ab/c/d/e", "/b"];

/// The tree that [`FILES`] make, in order.
const TREE: &[&str] = &[
    "/a",
    "/a/b",
    "/a/b/c",
    "/a/b/d",
    "/a/b-c",
    "/a/b.c",
    "/a/b.c/x",
    "/a/e",
    "/a-b",
    "/a.b",
    "/a.b/c",
    "/ab",
    "/ab/c",
    "/ab/c/d",
    "/ab/c/d/e",
    "/b",
];

async fn fill(driver: &dyn StorageDriver) {
    for at in FILES {
        put(driver, at, *at).await;
    }
}

async fn next(walk: &mut Walk<'_>) -> Option<Entry> {
    walk.try_next().await.unwrap()
}

async fn in_order(driver: &dyn StorageDriver, at: &str) -> Vec<String> {
    walk_with(driver, at, WalkOptions::new()).await
}

async fn after(driver: &dyn StorageDriver, at: &str, start: &str) -> Vec<String> {
    walk_with(driver, at, WalkOptions::new().start_after(path(start))).await
}

fn sorted(tree: &[&str]) -> Vec<String> {
    let mut tree: Vec<String> = tree.iter().map(|at| at.to_string()).collect();
    tree.sort();
    tree
}

pub(crate) async fn walk_gives_everything_below_once(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    assert_eq!(walk(&driver, "/").await, sorted(TREE));
}

pub(crate) async fn walk_leaves_its_start_out(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    assert_eq!(walk(&driver, "/a").await, sorted(&TREE[1..8]));
    assert_eq!(walk(&driver, "/a/b.c").await, ["/a/b.c/x"]);
}

pub(crate) async fn walk_tells_files_from_directories(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let entries: Vec<Entry> =
        driver.walk(&Path::root(), WalkOptions::new()).try_collect().await.unwrap();
    assert_eq!(entries.len(), TREE.len());
    for entry in entries {
        assert_eq!(entry.is_file(), FILES.contains(&entry.path().as_str()), "{entry:?}");
        if let Some(metadata) = entry.metadata() {
            assert_eq!(metadata, &stat(&driver, entry.path().as_str()).await);
        }
    }
}

pub(crate) async fn walk_visits_depth_first_and_keeps_subtrees_together(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let walked: Vec<Path> = in_order(&driver, "/").await.iter().map(|at| path(at)).collect();
    for (i, at) in walked.iter().enumerate() {
        let below = walked.iter().filter(|other| *other != at && other.starts_with(at)).count();
        let follow = walked[i + 1..].iter().take_while(|other| other.starts_with(at)).count();
        assert_eq!(below, follow, "the entries below {at} must follow it: {walked:?}");
    }
}

pub(crate) async fn walk_visits_in_the_order_of_paths(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    assert_eq!(in_order(&driver, "/").await, TREE);
    assert_eq!(in_order(&driver, "/a").await, TREE[1..8]);
}

pub(crate) async fn walk_of_a_leaves_ab_out(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    assert_eq!(walk(&driver, "/ab").await, ["/ab/c", "/ab/c/d", "/ab/c/d/e"]);
    assert!(walk(&driver, "/a").await.iter().all(|at| at.starts_with("/a/")));
}

pub(crate) async fn walk_of_a_file_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    let mut walk = driver.walk(&path("/a/b"), WalkOptions::new());
    assert_eq!(error(walk.next().await.expect("an error")).kind(), ErrorKind::NotADirectory);
    assert!(walk.next().await.is_none());
}

pub(crate) async fn walk_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    for at in ["/b", "/a/c", "/a/b/c", "/aa"] {
        let mut walk = driver.walk(&path(at), WalkOptions::new());
        assert_eq!(error(walk.next().await.expect("an error")).kind(), ErrorKind::PathNotFound);
        assert!(walk.next().await.is_none());
    }
}

pub(crate) async fn walk_of_an_empty_root_is_empty(subject: Subject) {
    let driver = subject.driver().await;
    assert!(walk(&driver, "/").await.is_empty());
    upload(&driver, "/a/b", "x").await;
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn walk_stays_ended(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    assert!(next(&mut walk).await.is_some());
    for _ in 0..3 {
        assert!(walk.next().await.is_none());
        walk.skip_dir();
    }
}

pub(crate) async fn skip_dir_leaves_out_what_is_below(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    for skipped in TREE.iter().filter(|at| !FILES.contains(at)) {
        let mut walk = driver.walk(&Path::root(), WalkOptions::new());
        let mut found = Vec::new();
        while let Some(entry) = next(&mut walk).await {
            if entry.path().as_str() == *skipped {
                walk.skip_dir();
            }
            found.push(entry.path().to_string());
        }
        found.sort();
        let below = format!("{skipped}/");
        let kept: Vec<&str> = TREE.iter().copied().filter(|at| !at.starts_with(&below)).collect();
        assert_eq!(found, sorted(&kept), "{skipped} skipped");
    }
}

pub(crate) async fn skip_dir_of_every_directory_gives_the_children(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    let mut found = Vec::new();
    while let Some(entry) = next(&mut walk).await {
        walk.skip_dir();
        walk.skip_dir();
        found.push(entry.path().to_string());
    }
    found.sort();
    assert_eq!(found, ["/a", "/a-b", "/a.b", "/ab", "/b"]);
}

pub(crate) async fn skip_dir_after_a_file_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    let mut found = Vec::new();
    walk.skip_dir();
    while let Some(entry) = next(&mut walk).await {
        if entry.is_file() {
            walk.skip_dir();
        }
        found.push(entry.path().to_string());
    }
    found.sort();
    assert_eq!(found, sorted(TREE));
}

pub(crate) async fn walk_starts_after_each_entry(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    for (i, start) in TREE.iter().enumerate() {
        let mut found = after(&driver, "/", start).await;
        found.sort();
        assert_eq!(found, sorted(&TREE[i + 1..]), "after {start}");
    }
}

pub(crate) async fn walk_that_starts_after_an_entry_keeps_the_order(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    for (i, start) in TREE.iter().enumerate() {
        assert_eq!(after(&driver, "/", start).await, TREE[i + 1..], "after {start}");
    }
}

pub(crate) async fn walk_starts_after_a_path_that_is_not_there(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    for start in [
        "/",
        "/0",
        "/a/a",
        "/a/b/c/below-a-file",
        "/a/b/cc",
        "/a/b/z",
        "/a/bb",
        "/a/z",
        "/a-",
        "/aa/b",
        "/ab/c/d/e/f",
        "/zz",
    ] {
        let mut found = after(&driver, "/", start).await;
        found.sort();
        let start = path(start);
        let expected: Vec<&str> = TREE.iter().copied().filter(|at| path(at) > start).collect();
        assert_eq!(found, sorted(&expected), "after {start}");
    }
}

pub(crate) async fn walk_of_a_directory_starts_after_a_path(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    for start in ["/", "/0", "/a", "/a/b", "/a/b/c", "/a/b-c", "/a/b-d", "/a/e", "/a-b", "/b"] {
        let mut found = after(&driver, "/a", start).await;
        found.sort();
        let start = path(start);
        let expected: Vec<&str> =
            TREE[1..8].iter().copied().filter(|at| path(at) > start).collect();
        assert_eq!(found, sorted(&expected), "after {start}");
    }
}

pub(crate) async fn walk_that_started_after_a_path_can_skip(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let options = WalkOptions::new().start_after(path("/a/b/c"));
    let mut walk = driver.walk(&Path::root(), options);
    let mut found = Vec::new();
    while let Some(entry) = next(&mut walk).await {
        walk.skip_dir();
        found.push(entry.path().to_string());
    }
    found.sort();
    assert_eq!(found, sorted(&["/a/b/d", "/a/b-c", "/a/b.c", "/a/e", "/a-b", "/a.b", "/ab", "/b"]));
}

pub(crate) async fn walk_goes_beyond_one_page(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (0..1100).map(|i| format!("/d/{i:04}"))).await;
    put(&driver, "/d/0500-/x", "").await;
    let walked = walk(&driver, "/").await;
    assert_eq!(walked.len(), 1103);
    assert!(walked.windows(2).all(|pair| pair[0] != pair[1]));
}

pub(crate) async fn walk_skips_entries_that_vanish(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    let mut found = Vec::new();
    let mut gone = false;
    while let Some(entry) = next(&mut walk).await {
        found.push(entry.path().to_string());
        if !gone {
            gone = true;
            for at in ["/a/b", "/ab", "/b"] {
                remove(&driver, at).await;
            }
        }
    }
    let vanishing =
        |at: &str| ["/a/b", "/ab", "/b"].iter().any(|gone| path(at).starts_with(&path(gone)));
    for at in TREE.iter().filter(|at| !vanishing(at)) {
        assert_eq!(found.iter().filter(|other| other == at).count(), 1, "{at} in {found:?}");
    }
    let mut once = found.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), found.len(), "{found:?}");
    assert!(found.iter().all(|at| TREE.contains(&at.as_str())), "{found:?}");
}

pub(crate) async fn walk_skips_a_directory_that_becomes_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b/c", "x").await;
    put(&driver, "/d", "x").await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    let mut found = vec![next(&mut walk).await.unwrap().path().to_string()];
    driver.delete_dir(&path("/b")).await.unwrap();
    put(&driver, "/b", "y").await;
    while let Some(entry) = next(&mut walk).await {
        found.push(entry.path().to_string());
    }
    for at in ["/a", "/d"] {
        assert!(found.iter().any(|other| other == at), "{at} in {found:?}");
    }
}

pub(crate) async fn a_walk_shows_one_moment(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/d/old", "x").await;
    let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    let mut found = vec![next(&mut walk).await.unwrap().path().to_string()];
    // At every moment exactly one of the two exists.
    driver.delete(&path("/d/old"), Precondition::None).await.unwrap();
    put(&driver, "/e/new", "x").await;
    while let Some(entry) = next(&mut walk).await {
        found.push(entry.path().to_string());
    }
    found.sort();
    let moments =
        [sorted(&["/a", "/d", "/d/old"]), sorted(&["/a"]), sorted(&["/a", "/e", "/e/new"])];
    assert!(moments.contains(&found), "{found:?}");
}

pub(crate) async fn a_walk_left_half_way_blocks_no_other_call(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver).await;
    let mut half = driver.walk(&Path::root(), WalkOptions::new());
    assert!(next(&mut half).await.is_some());
    put(&driver, "/c", "x").await;
    driver.delete_dir(&path("/a")).await.unwrap();
    let mut other = driver.walk(&Path::root(), WalkOptions::new());
    assert!(next(&mut other).await.is_some());
    drop(half);
}
