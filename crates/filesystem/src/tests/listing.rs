//! Pages of a directory, which is read once as long as it does not change; and listings of names.

use std::{
    fs::File,
    time::{Duration, SystemTime},
};

use futures::TryStreamExt;
use storage_driver::{
    Entry, ListOptions, Page, Path, StorageDriver, StorageDriverExt, WalkOptions,
};

use super::{Fixture, path};
use crate::{Durability, sys::Call};

/// A directory of a hundred files whose last change was long ago.
async fn fixture() -> Fixture {
    let fixture = Fixture::new(Durability::None).await;
    for number in 0..100 {
        fixture.driver.put(&path(&format!("/d/{number:03}")), "x").await.unwrap();
    }
    let long_ago = SystemTime::now() - Duration::from_secs(60);
    File::open(fixture.root.path().join("d")).unwrap().set_modified(long_ago).unwrap();
    fixture
}

async fn page(fixture: &Fixture, after: Option<Path>) -> (Vec<String>, Option<Path>) {
    let mut options = ListOptions::new().limit(10);
    options.start_after = after;
    let Page { items, next, .. } = fixture.driver.list(&path("/d"), options).await.unwrap();
    (items.iter().map(|entry| entry.name().to_owned()).collect(), next)
}

#[tokio::test]
async fn a_directory_that_does_not_change_is_read_again_only_where_a_window_ends() {
    let fixture = fixture().await;
    let before = fixture.probe.count(Call::ReadDir);
    let (mut names, mut next) = page(&fixture, None).await;
    while let Some(after) = next {
        let (more, then) = page(&fixture, Some(after)).await;
        names.extend(more);
        next = then;
    }
    assert_eq!(names.len(), 100);
    assert!(names.is_sorted());
    // A window of a test holds about fifty names, and each reading is two calls.
    let calls = fixture.probe.count(Call::ReadDir) - before;
    assert!(calls <= 8, "{calls} calls for ten pages");
}

#[tokio::test]
async fn a_directory_that_does_not_change_is_read_once_for_all_listings_and_walks() {
    let fixture = fixture().await;
    let first = page(&fixture, None).await;
    let before = fixture.probe.count(Call::ReadDir);
    assert_eq!(page(&fixture, None).await, first);
    let walk = fixture.driver.walk(&path("/d"), WalkOptions::new());
    assert_eq!(walk.try_collect::<Vec<_>>().await.unwrap().len(), 100);
    assert_eq!(fixture.probe.count(Call::ReadDir), before);
}

#[tokio::test]
async fn a_change_is_seen_although_the_time_of_the_directory_was_set_back() {
    let fixture = fixture().await;
    page(&fixture, None).await;
    let dir = fixture.root.path().join("d");
    let modified = std::fs::metadata(&dir).unwrap().modified().unwrap();
    // As a program that restores files does it.
    std::fs::write(dir.join("000-restored"), "x").unwrap();
    File::open(&dir).unwrap().set_modified(modified).unwrap();
    let (names, _) = page(&fixture, None).await;
    assert_eq!(names[1], "000-restored");
}

#[tokio::test]
async fn a_listing_of_names_looks_at_no_child() {
    let fixture = fixture().await;
    for number in 0..20 {
        fixture.driver.put(&path(&format!("/d/dir{number:02}/a/b")), "x").await.unwrap();
    }
    let all = ListOptions::new();
    let mut pages = Vec::new();
    let mut looks = Vec::new();
    let calls = [Call::Stat, Call::OpenDir, Call::ReadDir];
    for options in [all.clone().names_only(), all] {
        let before: u64 = calls.iter().map(|&call| fixture.probe.count(call)).sum();
        pages.push(fixture.driver.list(&path("/d"), options).await.unwrap());
        looks.push(calls.iter().map(|&call| fixture.probe.count(call)).sum::<u64>() - before);
    }
    let names = |page: &Page<_>| -> Vec<(String, bool)> {
        let entries: &[Entry] = &page.items;
        entries.iter().map(|entry| (entry.name().to_owned(), entry.is_file())).collect()
    };
    assert_eq!(names(&pages[0]), names(&pages[1]));
    assert!(looks[0] <= 15, "{} calls for 120 names", looks[0]);
    assert!(looks[1] >= 100, "{} calls with metadata", looks[1]);
}

#[tokio::test]
async fn a_listing_of_names_of_a_directory_without_files_is_not_found() {
    let fixture = Fixture::new(Durability::None).await;
    std::fs::create_dir_all(fixture.root.path().join("d/empty")).unwrap();
    let names = |at: &str| {
        let (driver, at) = (fixture.driver.clone(), path(at));
        async move { driver.list(&at, ListOptions::new().names_only()).await }
    };
    assert!(names("/d/empty").await.unwrap_err().is_not_found());
    assert!(names("/d/missing").await.unwrap_err().is_not_found());
    // Its name may be listed although it turns out to be empty.
    assert_eq!(names("/").await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn a_walk_of_names_looks_at_no_file() {
    let fixture = fixture().await;
    let mut walks = Vec::new();
    let mut looks = Vec::new();
    for options in [WalkOptions::new().names_only(), WalkOptions::new()] {
        let before = fixture.probe.count(Call::Stat);
        let walk = fixture.driver.walk(&Path::root(), options);
        let entries: Vec<Entry> = walk.try_collect().await.unwrap();
        looks.push(fixture.probe.count(Call::Stat) - before);
        walks.push(entries);
    }
    let names = |entries: &[Entry]| -> Vec<(Path, bool)> {
        entries.iter().map(|entry| (entry.path().clone(), entry.is_file())).collect()
    };
    assert_eq!(names(&walks[0]), names(&walks[1]));
    assert!(walks[0].iter().all(|entry| entry.metadata().is_none()));
    assert!(looks[0] <= 10, "{} looks for 101 names", looks[0]);
    assert!(looks[1] >= 100, "{} looks with metadata", looks[1]);
}

#[tokio::test]
async fn a_walk_of_names_returns_a_directory_without_a_look_at_its_content() {
    let fixture = Fixture::new(Durability::None).await;
    std::fs::create_dir_all(fixture.root.path().join("d/empty")).unwrap();
    let walk = |options| fixture.driver.walk(&Path::root(), options);
    let names: Vec<Entry> = walk(WalkOptions::new().names_only()).try_collect().await.unwrap();
    assert_eq!(names, [Entry::directory(path("/d")), Entry::directory(path("/d/empty"))]);
    let entries: Vec<Entry> = walk(WalkOptions::new()).try_collect().await.unwrap();
    assert_eq!(entries, []);
}

#[tokio::test]
async fn a_walk_of_names_reads_no_directory_that_it_expects_to_be_skipped() {
    let fixture = Fixture::new(Durability::None).await;
    for number in 0..100 {
        for at in ["_layers/a/b", "_uploads/a/b", "_manifests/a/b"] {
            let at = path(&format!("/{number:03}/{at}"));
            fixture.driver.put(&at, "x").await.unwrap();
        }
    }
    let before = fixture.probe.count(Call::ReadDir);
    let mut walk = fixture.driver.walk(&Path::root(), WalkOptions::new().names_only());
    let mut inner = 0;
    while let Some(entry) = walk.try_next().await.unwrap() {
        if entry.name().starts_with('_') {
            inner += 1;
            walk.skip_dir();
        }
    }
    assert_eq!(inner, 300);
    // Two calls for each of the hundred directories and the root, and those of the first batch. All would be 1,402.
    let calls = fixture.probe.count(Call::ReadDir) - before;
    assert!(calls <= 320, "{calls} calls");
}

#[tokio::test]
async fn changes_between_two_pages_are_seen() {
    let fixture = fixture().await;
    let (_, next) = page(&fixture, None).await;
    let none = storage_driver::Precondition::None;
    fixture.driver.put(&path("/d/009-new"), "x").await.unwrap();
    fixture.driver.delete(&path("/d/010"), none).await.unwrap();
    let (names, _) = page(&fixture, next).await;
    assert_eq!(names[..2], ["009-new", "011"]);
}

#[tokio::test]
async fn a_directory_that_has_just_changed_is_read_again() {
    let fixture = fixture().await;
    // Two changes within one tick of the kernel's clock leave one time.
    fixture.driver.put(&path("/d/100"), "x").await.unwrap();
    let (_, next) = page(&fixture, None).await;
    let modified = std::fs::metadata(fixture.root.path().join("d")).unwrap().modified().unwrap();
    fixture.driver.put(&path("/d/009-new"), "x").await.unwrap();
    File::open(fixture.root.path().join("d")).unwrap().set_modified(modified).unwrap();
    let (names, _) = page(&fixture, next).await;
    assert_eq!(names[0], "009-new");
}
