//! `Walk`: clauses 6.4 and 6.5 of the contract, of the walk by `list`.

use std::{
    collections::BTreeSet,
    sync::Arc,
    task::{Context, Poll},
};

use crate::support::map::Map;
use futures::StreamExt;
use proptest::prelude::*;
use storage_driver::{
    Entry, ErrorKind, Operation, Path, Result, StorageDriver, StorageDriverExt, Walk, WalkOptions,
    WalkSource,
};
use tokio_test::block_on;

const FILES: [&str; 7] = ["/a/b/c", "/a/b/d/e", "/a/b-c", "/a/b.c/d", "/a/f", "/a-b/c", "/b"];

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Every file and directory below `dir`, in order, from what the paths say.
fn model<'a>(files: impl IntoIterator<Item = &'a str>, dir: &Path) -> Vec<Path> {
    let mut all = BTreeSet::new();
    for file in files {
        all.extend(std::iter::successors(Some(path(file)), Path::parent));
    }
    all.into_iter().filter(|path| path.starts_with(dir) && path != dir).collect()
}

/// The rest of a walk, which must not fail.
fn rest(walk: Walk<'_>) -> Vec<Path> {
    let entries: Vec<Result<Entry>> = block_on(walk.collect());
    entries.into_iter().map(|entry| entry.unwrap().path().clone()).collect()
}

/// Walks up to and including `last`.
fn walk_to(walk: &mut Walk<'_>, last: &Path) {
    while block_on(walk.next()).unwrap().unwrap().path() != last {}
}

fn after(start: &Path) -> WalkOptions {
    WalkOptions::new().start_after(start.clone())
}

#[test]
fn a_walk_of_names_lists_each_directory_by_name() {
    let map = Map::of(FILES);
    let names = map.walk(&Path::root(), WalkOptions::new().names_only());
    let entries: Vec<_> = block_on(names.collect());
    let entries: Vec<Entry> = entries.into_iter().collect::<Result<_>>().unwrap();
    assert!(entries.iter().map(Entry::path).eq(&model(FILES, &Path::root())));
    assert!(entries.iter().all(|entry| entry.metadata().is_none()));
}

#[test]
fn every_file_and_directory_below_is_visited_in_order() {
    let map = Map::of(FILES);
    for dir in ["/", "/a", "/a/b", "/a-b"].map(path) {
        assert_eq!(rest(map.walk(&dir, WalkOptions::new())), model(FILES, &dir));
    }
}

#[test]
fn files_come_as_files_and_directories_as_directories() {
    let map = Map::of(["/a/b"]);
    let entries: Vec<_> = block_on(map.walk(&Path::root(), WalkOptions::new()).collect());
    let is_dir: Vec<_> = entries.into_iter().map(|entry| entry.unwrap().is_dir()).collect();
    assert_eq!(is_dir, [true, false]);
}

#[test]
fn an_empty_root_has_nothing_below() {
    assert_eq!(rest(Map::default().walk(&Path::root(), WalkOptions::new())), Vec::<Path>::new());
}

#[test]
fn a_directory_of_many_pages_is_visited_completely() {
    let files: Vec<String> = (0..2500).map(|at| format!("/d/{at:04}")).collect();
    let map = Map::of(files.iter().map(String::as_str));
    let given = rest(map.walk(&path("/d"), WalkOptions::new()));
    assert!(given.iter().map(Path::as_str).eq(files.iter().map(String::as_str)));
}

#[test]
fn a_walk_can_start_after_every_entry() {
    let map = Map::of(FILES);
    for dir in ["/", "/a", "/a/b"].map(path) {
        for start in model(FILES, &Path::root()) {
            let mut expected = model(FILES, &dir);
            expected.retain(|path| *path > start);
            assert_eq!(rest(map.walk(&dir, after(&start))), expected, "{dir} after {start}");
        }
    }
}

#[test]
fn a_walk_can_start_after_a_missing_path() {
    let map = Map::of(FILES);
    for start in ["/", "/A", "/a/a", "/a/a/a", "/a/b/c/x", "/a/b/cc", "/a/b/d/f", "/a/g", "/c"] {
        let start = path(start);
        let mut expected = model(FILES, &Path::root());
        expected.retain(|path| *path > start);
        assert_eq!(rest(map.walk(&Path::root(), after(&start))), expected, "after {start}");
    }
}

#[test]
fn a_walk_that_starts_after_its_own_directory_is_complete() {
    let map = Map::of(FILES);
    assert_eq!(rest(map.walk(&path("/a"), after(&path("/a")))), model(FILES, &path("/a")));
}

#[test]
fn every_directory_can_be_skipped() {
    let map = Map::of(FILES);
    let all = model(FILES, &Path::root());
    for skipped in ["/a", "/a/b", "/a/b/d", "/a/b.c", "/a-b"].map(path) {
        let mut walk = map.walk(&Path::root(), WalkOptions::new());
        walk_to(&mut walk, &skipped);
        walk.skip_dir();
        let expected = all.iter().filter(|path| **path > skipped && !path.starts_with(&skipped));
        assert!(rest(walk).iter().eq(expected), "{skipped}");
    }
}

#[test]
fn skipping_after_a_file_skips_nothing() {
    let map = Map::of(FILES);
    let mut walk = map.walk(&Path::root(), WalkOptions::new());
    walk_to(&mut walk, &path("/a/b/c"));
    walk.skip_dir();
    assert_eq!(rest(walk)[0], path("/a/b/d"));
}

#[test]
fn skipping_before_the_first_entry_and_after_the_last_does_nothing() {
    let map = Map::of(["/a/b"]);
    let mut walk = map.walk(&Path::root(), WalkOptions::new());
    walk.skip_dir();
    walk_to(&mut walk, &path("/a/b"));
    assert!(block_on(walk.next()).is_none());
    walk.skip_dir();
    assert!(block_on(walk.next()).is_none());
}

#[test]
fn a_directory_that_vanishes_is_passed_over() {
    let map = Map::of(FILES);
    let mut walk = map.walk(&Path::root(), WalkOptions::new());
    walk_to(&mut walk, &path("/a/b"));
    map.state().files.retain(|file, _| !file.starts_with(&path("/a/b")));
    let expected = ["/a/b-c", "/a/b.c", "/a/b.c/d", "/a/f", "/a-b", "/a-b/c", "/b"].map(path);
    assert_eq!(rest(walk), expected);
}

#[test]
fn a_directory_that_becomes_a_file_is_skipped() {
    let map = Map::of(["/a/b", "/c"]);
    let mut walk = map.walk(&Path::root(), WalkOptions::new());
    walk_to(&mut walk, &path("/a"));
    let file = map.state().files.remove(&path("/a/b")).unwrap();
    map.state().files.insert(path("/a"), file);
    assert_eq!(rest(walk), [path("/c")]);
}

#[test]
fn a_walk_of_nothing_is_an_error() {
    let map = Map::of(["/a"]);
    for (dir, kind) in [("/x", ErrorKind::PathNotFound), ("/a", ErrorKind::NotADirectory)] {
        let mut walk = map.walk(&path(dir), WalkOptions::new());
        let error = block_on(walk.next()).unwrap().unwrap_err();
        assert_eq!((error.kind(), error.driver()), (kind, Some("map")));
        assert_eq!((error.operation(), error.path()), (Some(Operation::Walk), Some(&path(dir))));
        assert!(block_on(walk.next()).is_none());
    }
}

#[test]
fn a_walk_of_nothing_is_an_error_wherever_it_starts() {
    let map = Map::of(["/a"]);
    let mut walk = map.walk(&path("/x"), after(&path("/x/y/z")));
    assert!(block_on(walk.next()).unwrap().unwrap_err().is_not_found());
    assert!(block_on(walk.next()).is_none());
}

#[test]
fn a_walk_ends_after_an_error() {
    let map = Map::of(FILES);
    map.state().fails = Some(("list", path("/a/b"), ErrorKind::Timeout));
    let mut walk = map.walk(&Path::root(), WalkOptions::new());
    walk_to(&mut walk, &path("/a/b"));
    let error = block_on(walk.next()).unwrap().unwrap_err();
    assert_eq!(error.to_string(), "map: walk /: timed out");
    assert!(block_on(walk.next()).is_none());
}

/// A source that must not be asked again after its end.
struct Once(bool);

impl WalkSource for Once {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        assert!(!std::mem::replace(&mut self.0, true), "asked again");
        Poll::Ready(None)
    }

    fn skip_dir(&mut self) {}
}

#[test]
fn a_source_is_not_polled_after_its_end() {
    let mut walk = Walk::new("test", path("/a"), Once(false));
    assert!(format!("{walk:?}").contains("\"/a\""));
    assert!(block_on(walk.next()).is_none());
    assert!(block_on(walk.next()).is_none());
}

/// Files of which none lies below another.
fn any_files() -> impl Strategy<Value = BTreeSet<String>> {
    let files = proptest::collection::btree_set("(/(a|b|a-|a\\.)){1,4}", 0..12);
    files.prop_map(|files| {
        let below = |file: &&String| {
            let above = std::iter::successors(path(file).parent(), Path::parent);
            above.into_iter().any(|dir| files.contains(dir.as_str()))
        };
        files.iter().filter(|file| !below(file)).cloned().collect()
    })
}

proptest! {
    #[test]
    fn any_tree_is_visited_in_order_from_any_start(
        files in any_files(),
        start in "(/(a|b|a-)){1,4}|/",
    ) {
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let map = Map::of(files.iter().copied());
        let start = path(&start);
        let mut expected = model(files, &Path::root());
        expected.retain(|path| *path > start);
        prop_assert_eq!(rest(map.walk(&Path::root(), after(&start))), expected);
    }
}

#[test]
fn an_owned_walk_visits_what_a_borrowed_one_visits() {
    let map = Map::of(FILES);
    for start in ["/a", "/a/b/d", "/zzz"] {
        let expected = rest(map.walk(&Path::root(), after(&path(start))));
        assert_eq!(rest(map.clone().into_walk(&Path::root(), after(&path(start)))), expected);
    }
}

#[test]
fn an_owned_walk_skips_the_directory_that_it_just_returned() {
    let map = Map::of(FILES);
    for dir in ["/a", "/a/b", "/a-b"].map(path) {
        let mut borrowed = map.walk(&Path::root(), WalkOptions::new());
        let mut owned = map.clone().into_walk(&Path::root(), WalkOptions::new());
        for walk in [&mut borrowed, &mut owned] {
            walk_to(walk, &dir);
            walk.skip_dir();
        }
        assert_eq!(rest(owned), rest(borrowed));
    }
}

#[test]
fn an_owned_walk_can_be_spawned() {
    let map: Arc<dyn StorageDriver> = Arc::new(Map::of(FILES));
    let walk = map.into_walk(&Path::root(), WalkOptions::new());
    let counted = block_on(async { tokio::spawn(walk.count()).await });
    assert_eq!(counted.unwrap(), model(FILES, &Path::root()).len());
}

#[test]
fn an_owned_walk_ends_after_an_error() {
    let mut walk = Map::default().into_walk(&path("/missing"), WalkOptions::new());
    assert!(block_on(walk.next()).unwrap().unwrap_err().is_not_found());
    assert!(block_on(walk.next()).is_none());
}
