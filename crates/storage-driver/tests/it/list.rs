//! `ListOptions`, `Page` and `Entry::children`: clauses 6.2 and 6.3 of the contract.

use std::{cell::Cell, collections::BTreeMap, time::SystemTime};

use proptest::prelude::*;
use storage_driver::{Entry, ListOptions, Metadata, Page, Path, Version};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn paths(texts: &[&str]) -> Vec<Path> {
    texts.iter().map(|text| path(text)).collect()
}

fn file(path: &Path) -> Metadata {
    Metadata::new(path.clone(), 7, SystemTime::UNIX_EPOCH, Version::from(1))
}

fn children(dir: &str, files: &[&str]) -> Vec<Entry> {
    Entry::children(&path(dir), paths(files).iter().map(file)).collect()
}

#[test]
fn the_default_is_the_first_page_of_a_thousand() {
    let options = ListOptions::default();
    assert_eq!(options, ListOptions::new());
    assert_eq!(options.start_after, None);
    assert_eq!(options.limit, 1000);
}

#[test]
fn options_admit_paths_after_the_start() {
    let options = ListOptions::new().start_after(path("/b"));
    assert!(!options.admits(&path("/a")));
    assert!(!options.admits(&path("/b")));
    assert!(options.admits(&path("/b/a")));
    assert!(options.admits(&path("/c")));
    assert!(ListOptions::new().admits(&path("/a")));
}

#[test]
fn the_last_page_has_no_next() {
    let items = paths(&["/a", "/b"]);
    let page = Page::from_sorted(&Path::root(), &ListOptions::new().limit(2), items.clone());
    assert_eq!(page, Page::new(items, None));
}

#[test]
fn a_page_before_the_last_has_the_start_of_the_next() {
    let page =
        Page::from_sorted(&Path::root(), &ListOptions::new().limit(2), paths(&["/a", "/b", "/c"]));
    assert_eq!(page, Page::new(paths(&["/a", "/b"]), Some(path("/b"))));
}

#[test]
fn a_page_takes_one_item_more_than_it_returns() {
    let taken = Cell::new(0);
    let items = (0..1000).map(|at| {
        taken.set(taken.get() + 1);
        path(&format!("/{at:04}"))
    });
    Page::from_sorted(&Path::root(), &ListOptions::new().limit(10), items);
    assert_eq!(taken.get(), 11);
}

#[test]
fn a_page_of_limit_0_says_whether_there_is_more() {
    let none = ListOptions::new().limit(0);
    let page = Page::from_sorted(&path("/a"), &none, paths(&["/a/b"]));
    assert!(page.items.is_empty());
    assert!(page.next.is_some());
    assert_eq!(Page::<Path>::from_sorted(&path("/a"), &none, []).next, None);
    let after = none.start_after(path("/a/b"));
    assert_eq!(Page::from_sorted(&path("/a"), &after, paths(&["/a/b"])).next, None);
}

#[test]
fn what_follows_a_page_of_limit_0_is_everything() {
    // An upload is listed at its own path, too.
    for (of, items) in [("/", &["/a"][..]), ("/a", &["/a/b"]), ("/a", &["/a", "/a/b"])] {
        let (of, items) = (path(of), paths(items));
        let page = Page::from_sorted(&of, &ListOptions::new().limit(0), items.clone());
        let rest = ListOptions::new().start_after(page.next.unwrap());
        assert_eq!(Page::from_sorted(&of, &rest, items.clone()).items, items);
    }
}

#[test]
fn a_page_of_limit_0_continues_where_it_began() {
    let options = ListOptions::new().limit(0).start_after(path("/a/b"));
    let page = Page::from_sorted(&path("/a"), &options, paths(&["/a/b", "/a/c"]));
    assert_eq!(page.next, Some(path("/a/b")));
}

#[test]
fn a_child_is_a_file_or_a_directory_once() {
    let given = children("/a", &["/a/b", "/a/c/d", "/a/c/e", "/a/c-d", "/a/c.d/e"]);
    let expected = vec![
        Entry::file(file(&path("/a/b"))),
        Entry::directory(path("/a/c")),
        Entry::file(file(&path("/a/c-d"))),
        Entry::directory(path("/a/c.d")),
    ];
    assert_eq!(given, expected);
}

#[test]
fn the_directory_itself_is_no_child() {
    assert_eq!(children("/a", &["/a"]), []);
}

#[test]
fn a_sibling_of_the_same_prefix_is_no_child() {
    assert_eq!(children("/a", &["/a-b", "/a.b/c", "/ab", "/b/a/c"]), []);
}

#[test]
fn a_child_that_is_both_is_a_file() {
    assert_eq!(children("/", &["/a", "/a/b"]), [Entry::file(file(&path("/a")))]);
}

/// A few paths out of which trees with files, directories and siblings of one prefix come.
fn any_files() -> impl Strategy<Value = Vec<Path>> {
    let files = proptest::collection::btree_set("(/(a|b|a-|a\\.)){1,4}", 0..20);
    files.prop_map(|texts| {
        let mut files: Vec<Path> = texts.iter().map(|text| path(text)).collect();
        files.sort();
        files
    })
}

proptest! {
    #[test]
    fn children_are_the_first_components_below(files in any_files(), dir in "(/(a|b)){1,2}|/") {
        let dir = path(&dir);
        let depth = dir.components().count();
        let mut model = BTreeMap::<Path, bool>::new();
        for file in files.iter().filter(|file| file.starts_with(&dir) && **file != dir) {
            let components: Vec<_> = file.components().take(depth + 1).collect();
            let child = path(&format!("/{}", components.join("/")));
            let is_file = child == *file;
            *model.entry(child).or_default() |= is_file;
        }
        let given: Vec<(Path, bool)> = Entry::children(&dir, files.iter().map(file))
            .map(|entry| (entry.path().clone(), entry.is_file()))
            .collect();
        prop_assert_eq!(given, model.into_iter().collect::<Vec<_>>());
    }

    #[test]
    fn pages_of_any_size_give_everything_once(files in any_files(), limit in 1..6_usize) {
        let mut options = ListOptions::new().limit(limit);
        let mut given = Vec::new();
        loop {
            let page = Page::from_sorted(&Path::root(), &options, files.clone());
            prop_assert!(page.items.len() == limit || page.next.is_none());
            given.extend(page.items);
            match page.next {
                Some(next) => options = options.start_after(next),
                None => break,
            }
        }
        prop_assert_eq!(given, files);
    }
}
