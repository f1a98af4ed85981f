//! A tree against a sorted map of paths, and trees as deep as a path can be.

use std::{collections::BTreeMap, thread};

use proptest::prelude::*;

use super::*;
use crate::{blob::FileBlob, budget::Pool, file::Stamp, rope::Rope, time::Timestamp};
use crate::{dir::Measure, map::Named};

type Model = BTreeMap<Path, u64>;

fn budget() -> std::sync::Arc<Budget> {
    std::sync::Arc::new(Budget::new(None, Pool::new(Some(0), 4096, false)))
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A file of a blob at `at`, as a commit puts it there.
fn put(tree: &mut Tree, at: &str, version: u64, budget: &std::sync::Arc<Budget>) {
    drop(try_put(tree, &path(at), version, budget).unwrap());
}

fn try_put(
    tree: &mut Tree,
    at: &Path,
    version: u64,
    budget: &std::sync::Arc<Budget>,
) -> Result<Removed, Error> {
    let plan = tree.plan(at)?;
    let place = plan.for_file(budget)?;
    let stamp = Stamp { modified: Timestamp(0), version };
    let file = if version.is_multiple_of(2) {
        let charge = File::charge(budget, plan.text())?;
        let blob = FileBlob::publish(budget, Rope::Empty, 0, &mut None)?;
        File::large(plan.text(), blob, stamp, charge)
    } else {
        File::small(budget, plan.text(), &"content".into(), stamp)?
    };
    Ok(tree.fill(budget, place, Node::File(file)))
}

/// Moves the directory at `from` to `to`, where nothing is.
fn rename(tree: &mut Tree, from: &Path, to: &Path, budget: &std::sync::Arc<Budget>) {
    match tree.dir(from).unwrap() {
        Directory::Real(dir) => {
            let place = tree.plan(to).unwrap().for_dir(budget).unwrap();
            let dir = dir.renamed(to.name().unwrap(), budget).unwrap();
            drop(tree.fill(budget, place, Node::from(dir)));
        }
        Directory::Implied(file, at) => {
            let to = to.join(&file.text()[at..]).unwrap();
            let plan = tree.plan(&to).unwrap();
            let place = plan.for_file(budget).unwrap();
            let file = file.moved(budget, plan.text(), None).unwrap();
            drop(tree.fill(budget, place, Node::File(file)));
        }
    }
    drop(tree.remove(from));
}

fn tree_of(paths: &[&str], budget: &std::sync::Arc<Budget>) -> Tree {
    let mut tree = Tree::default();
    paths.iter().for_each(|at| put(&mut tree, at, 0, budget));
    tree
}

/// The length of the longest path below, measured to the end.
fn longest_of(dir: &Arc<Dir>) -> usize {
    finish(Measure::new(Arc::clone(dir)))
}

fn finish(mut measure: Measure) -> usize {
    loop {
        if let Some(longest) = measure.advance() {
            return longest;
        }
    }
}

fn fits(dir: &Directory, to: &Path) -> bool {
    let measured = |measure| dir.fits(to, Some(finish(measure))).is_ok_and(|fits| fits);
    dir.fits(to, None).unwrap_or_else(measured)
}

/// Everything in the tree, and no directory without a file in it.
fn files(tree: &Tree) -> Model {
    fn collect(dir: &Arc<Dir>, at: &Path, found: &mut Model) -> usize {
        let mut longest = 0;
        let (mut dirs, mut files) = dir.iter_after(None);
        while let Some(file) = files.peek() {
            found.insert(at.join(file.text()).unwrap(), file.stamp().version);
            assert!(dir.dirs.get(file.name()).is_none(), "two of one name");
            longest = longest.max(file.text().len() + 1);
            files.advance();
        }
        while let Some(below) = dirs.peek() {
            let before = found.len();
            let at = at.join(&*below.name).unwrap();
            longest = longest.max(collect(below, &at, found) + below.name.len() + 1);
            assert!(found.len() > before, "{at} is an empty directory");
            dirs.advance();
        }
        assert!(longest <= dir.longest, "{at}: {longest} below, bound {}", dir.longest);
        assert_eq!(longest, longest_of(dir));
        longest
    }
    let mut found = Model::new();
    collect(&tree.root, &Path::root(), &mut found);
    found
}

/// The bytes of the index that are held.
fn held(budget: &Budget) -> u64 {
    budget.usage().index
}

fn file_at(tree: &Tree, at: &str) -> Option<u64> {
    tree.file(&path(at)).ok().map(|file| file.stamp().version)
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.err().expect("an error").kind()
}

/// A path of as many directories as fit.
fn deepest() -> Path {
    path(&"/a".repeat(Path::MAX_BYTES / 2))
}

/// A tree with the deepest path, all of whose directories are stored.
fn deep(budget: &std::sync::Arc<Budget>) -> Tree {
    let mut tree = Tree::default();
    put(&mut tree, deepest().as_str(), 1, budget);
    let sibling = deepest().parent().unwrap().join("b").unwrap();
    put(&mut tree, sibling.as_str(), 1, budget);
    tree
}

/// Runs `body` on a stack of 256 KiB, which a recursion two thousand deep overflows.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_file_is_found_where_it_was_put() {
    let budget = budget();
    let mut tree = Tree::default();
    put(&mut tree, "/a/b/c", 1, &budget);
    assert_eq!(file_at(&tree, "/a/b/c"), Some(1));
    assert!(tree.dir(&path("/a/b")).is_ok());
    assert!(tree.get(&path("/a/b/c/d")).is_none());
    assert!(tree.get(&path("/a/bb")).is_none());
    assert_eq!(kind(tree.file(&path("/a/b"))), ErrorKind::IsADirectory);
    assert_eq!(kind(tree.dir(&path("/a/b/c"))), ErrorKind::NotADirectory);
    assert_eq!(kind(tree.file(&path("/x"))), ErrorKind::PathNotFound);
    assert_eq!(kind(tree.dir(&path("/x"))), ErrorKind::PathNotFound);
}

#[test]
fn an_insert_replaces_the_file() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/c"], &budget);
    let before = held(&budget);
    let removed = try_put(&mut tree, &path("/a/b"), 2, &budget).unwrap();
    assert_eq!(removed.file.as_ref().unwrap().stamp().version, 0);
    assert!(removed.dir.is_none());
    drop(removed);
    assert_eq!(held(&budget), before);
    assert_eq!(files(&tree), Model::from([(path("/a/b"), 2), (path("/a/c"), 0)]));
}

#[test]
fn a_conflict_is_found_before_anything_changes() {
    let budget = budget();
    let tree = tree_of(&["/a/b"], &budget);
    assert_eq!(kind(tree.plan(&path("/a"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.plan(&path("/a/b/c"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.plan(&path("/a/b/c/d"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.plan(&Path::root())), ErrorKind::PathConflict);
    assert!(tree.plan(&path("/a/c/d")).unwrap().replaced().is_none());
    assert!(tree.plan(&path("/a/b")).unwrap().replaced().is_some());
}

#[test]
fn a_removal_takes_the_directories_that_it_empties() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b/c/d/e", "/a/x"], &budget);
    drop(tree.remove(&path("/a/b/c/d/e")));
    assert!(tree.get(&path("/a/b")).is_none());
    assert_eq!(files(&tree), Model::from([(path("/a/x"), 0)]));
    drop(tree.remove(&path("/a/x")));
    assert!(tree.get(&path("/a")).is_none());
    assert_eq!(held(&budget), 0);
}

#[test]
fn a_removal_keeps_the_directories_that_have_other_files() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b/c/d", "/a/b/x", "/y"], &budget);
    drop(tree.remove(&path("/a/b/c")));
    assert_eq!(files(&tree), Model::from([(path("/a/b/x"), 0), (path("/y"), 0)]));
}

#[test]
fn a_removal_of_nothing_changes_nothing() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b"], &budget);
    for nothing in ["/a/c", "/a/b/c", "/x", "/x/y"] {
        let removed = tree.remove(&path(nothing));
        assert!(removed.file.is_none() && removed.dir.is_none(), "{nothing}");
    }
    assert_eq!(files(&tree).len(), 1);
}

#[test]
fn a_removal_of_nothing_copies_nothing_that_a_clone_holds() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/c"], &budget);
    let (twin, before) = (tree.clone(), (held(&budget), tree.changes()));
    let removed = tree.remove(&path("/a/x"));
    assert!(removed.file.is_none() && removed.dir.is_none());
    assert_eq!((held(&budget), tree.changes()), before);
    assert!(Arc::ptr_eq(&tree.root, &twin.root));
}

#[test]
fn a_removal_returns_the_removed_node() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/c"], &budget);
    assert!(tree.remove(&path("/a/b")).file.is_some());
    assert!(tree.remove(&path("/a")).dir.is_some());
}

#[test]
fn an_insert_without_room_changes_nothing() {
    let roomy = budget();
    let full = std::sync::Arc::new(Budget::new(Some(60), Pool::new(Some(0), 4096, false)));
    let mut tree = tree_of(&["/a/b"], &roomy);
    let error = try_put(&mut tree, &path("/a/c/d/e/f/g"), 1, &full);
    assert!(matches!(kind(error), ErrorKind::StorageFull { .. }));
    assert_eq!(held(&full), 0, "what was reserved is given back");
    assert_eq!(files(&tree), Model::from([(path("/a/b"), 0)]));
}

#[test]
fn each_file_and_directory_is_charged() {
    let budget = budget();
    let tree = tree_of(&["/aa/bbb/c", "/aa/bbb/d"], &budget);
    let files = 2 * (Usage::FILE + Usage::BLOB + 1);
    assert_eq!(held(&budget), (files + 2 * Usage::DIRECTORY) as u64);
    drop(tree);
    assert_eq!(held(&budget), 0);
}

#[test]
fn directories_with_one_file_cost_their_names() {
    let budget = budget();
    let tree = tree_of(&["/aa/bbb/c"], &budget);
    assert_eq!(held(&budget), (Usage::FILE + Usage::BLOB + "aa/bbb/c".len()) as u64);
    assert!(matches!(tree.dir(&path("/aa")), Ok(Directory::Implied(_, 3))));
    assert!(matches!(tree.dir(&path("/aa/bbb")), Ok(Directory::Implied(_, 7))));
    assert_eq!(kind(tree.dir(&path("/aa/bbb/c"))), ErrorKind::NotADirectory);
    assert_eq!(kind(tree.dir(&path("/aa/bb"))), ErrorKind::PathNotFound);
    assert_eq!(kind(tree.dir(&path("/a"))), ErrorKind::PathNotFound);
}

#[test]
fn a_second_file_makes_the_directories_that_both_are_in() {
    let budget = budget();
    let mut tree = tree_of(&["/aa/bbb/c/d/e"], &budget);
    put(&mut tree, "/aa/bbb/x/y", 1, &budget);
    let real = |at: &str| matches!(tree.dir(&path(at)), Ok(Directory::Real(_)));
    assert!(real("/aa") && real("/aa/bbb"));
    assert!(!real("/aa/bbb/c") && !real("/aa/bbb/x"));
    assert_eq!(files(&tree), Model::from([(path("/aa/bbb/c/d/e"), 0), (path("/aa/bbb/x/y"), 1)]));
    let texts = 2 * Usage::FILE + "c/d/e".len() + "x/y".len();
    assert_eq!(held(&budget), (texts + Usage::BLOB + 2 * Usage::DIRECTORY) as u64);
}

#[test]
fn the_common_beginning_of_two_texts_ends_with_a_component() {
    for (a, b, length) in [
        ("a/b/c", "a/b/d", 3),
        ("a/b/c", "a/bb/d", 1),
        ("a/b", "a/b/c", 3),
        ("a/b", "a/bc", 1),
        ("a", "a/b", 1),
        ("a-b/c", "a-b/d", 3),
    ] {
        assert_eq!((common(a, b), common(b, a)), (length, length), "{a} and {b}");
    }
}

#[test]
fn a_clone_stays_as_it_was() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/c/d/e"], &budget);
    let twin = tree.clone();
    put(&mut tree, "/a/b", 9, &budget);
    put(&mut tree, "/c/d/f", 9, &budget);
    drop(tree.remove(&path("/c/d/e")));
    assert_eq!(files(&twin), Model::from([(path("/a/b"), 0), (path("/c/d/e"), 0)]));
    assert_eq!(files(&tree), Model::from([(path("/a/b"), 9), (path("/c/d/f"), 9)]));
}

#[test]
fn a_change_after_a_clone_copies_only_directories_on_the_path() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/x", "/c/d/e", "/c/d/f"], &budget);
    let twin = tree.clone();
    put(&mut tree, "/a/b", 9, &budget);
    let same = |at: &str| match (tree.dir(&path(at)), twin.dir(&path(at))) {
        (Ok(Directory::Real(a)), Ok(Directory::Real(b))) => Arc::ptr_eq(&a, &b),
        _ => panic!("no directories of their own"),
    };
    assert!(same("/c") && same("/c/d"));
    assert!(!same("/a"));
}

#[test]
fn a_directory_that_a_clone_made_twice_is_charged_twice() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/c"], &budget);
    let twin = tree.clone();
    let before = held(&budget);
    put(&mut tree, "/a/b", 8, &budget);
    let file = Usage::FILE + Usage::BLOB + 1;
    assert_eq!(held(&budget) - before, (Usage::DIRECTORY + file) as u64);
    drop(twin);
    assert_eq!(held(&budget), before);
}

#[test]
fn a_path_of_the_greatest_length_fits_exactly() {
    let budget = budget();
    let below = "/x".repeat(100);
    let mut tree = tree_of(&[&format!("/a{below}")], &budget);
    let longest = "/y".repeat((Path::MAX_BYTES - below.len()) / 2);
    let check = |tree: &Tree| {
        let dir = tree.dir(&path("/a")).unwrap();
        assert!(fits(&dir, &path(&longest)));
        assert!(!fits(&dir, &path(&format!("{longest}y"))));
    };
    check(&tree);
    put(&mut tree, "/a/b", 1, &budget);
    check(&tree);
}

#[test]
fn a_removed_long_path_does_not_keep_a_directory_from_fitting() {
    let budget = budget();
    let long = format!("/a{}", "/x".repeat(1000));
    let mut tree = tree_of(&["/a/short", &long], &budget);
    let to = path(&"/y".repeat(1500));
    assert!(!fits(&tree.dir(&path("/a")).unwrap(), &to));
    drop(tree.remove(&path(&long)));
    assert!(fits(&tree.dir(&path("/a")).unwrap(), &to));
}

#[test]
fn a_moved_directory_brings_its_length() {
    let budget = budget();
    let below = "/x".repeat(1000);
    let to = path("/b/c");
    let room = (Path::MAX_BYTES - below.len() - "/c".len()) / 2;
    for sibling in [None, Some("/a/sibling")] {
        let mut tree = tree_of(&[&format!("/a{below}")], &budget);
        sibling.iter().for_each(|at| put(&mut tree, at, 1, &budget));
        rename(&mut tree, &path("/a"), &to, &budget);
        files(&tree);
        let dir = tree.dir(&path("/b")).unwrap();
        assert!(fits(&dir, &path(&"/y".repeat(room))));
        assert!(!fits(&dir, &path(&"/y".repeat(room + 1))));
    }
}

#[test]
fn the_deepest_path_is_dropped_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let tree = deep(&budget);
        assert!(tree.file(&deepest()).is_ok());
        drop(tree);
        assert_eq!(held(&budget), 0);
    });
}

#[test]
fn the_deepest_path_is_removed_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = deep(&budget);
        put(&mut tree, "/b", 1, &budget);
        drop(tree.remove(&deepest()));
        assert!(tree.get(&deepest()).is_none());
        drop(tree.remove(&path("/a")));
        assert_eq!(files(&tree), Model::from([(path("/b"), 1)]));
        drop(tree.remove(&path("/b")));
        assert_eq!(held(&budget), 0);
    });
}

#[test]
fn the_deepest_path_is_measured_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let tree = deep(&budget);
        assert_eq!(longest_of(&tree.root), Path::MAX_BYTES);
        assert_eq!(tree.root.longest, Path::MAX_BYTES);
    });
}

#[test]
fn the_deepest_path_is_changed_and_dropped_while_a_clone_exists() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = deep(&budget);
        let twin = tree.clone();
        drop(try_put(&mut tree, &deepest(), 2, &budget).unwrap());
        assert_eq!(twin.file(&deepest()).unwrap().stamp().version, 1);
        drop(twin);
        assert_eq!(tree.file(&deepest()).unwrap().stamp().version, 2);
        drop(tree);
        assert_eq!(held(&budget), 0);
    });
}

#[derive(Debug, Clone)]
enum Step {
    Put(Path),
    Remove(Path),
    Move(Path, Path),
    Fork,
    Swap(prop::sample::Index),
}

/// Paths of few names, so that they meet.
fn any_path() -> impl Strategy<Value = Path> {
    let name = prop_oneof![Just("a"), Just("b"), Just("ab"), Just("a-long-name")];
    prop::collection::vec(name, 1..5).prop_map(|names| path(&format!("/{}", names.join("/"))))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => any_path().prop_map(Step::Put),
        4 => any_path().prop_map(Step::Remove),
        2 => (any_path(), any_path()).prop_map(|(from, to)| Step::Move(from, to)),
        1 => Just(Step::Fork),
        1 => any::<prop::sample::Index>().prop_map(Step::Swap),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn random_steps_agree_with_a_sorted_map(steps in prop::collection::vec(step(), 1..80)) {
        let budget = budget();
        let mut forks = vec![(Tree::default(), Model::new())];
        for (version, step) in (1..).zip(steps) {
            let (tree, model) = forks.last_mut().unwrap();
            let is_dir = |model: &Model, at: &Path| {
                model.keys().any(|file| file != at && file.starts_with(at))
            };
            let conflicts = |model: &Model, at: &Path| {
                is_dir(model, at) || model.keys().any(|file| file != at && at.starts_with(file))
            };
            match step {
                Step::Put(at) => {
                    let replaced = tree.plan(&at).map(|plan| plan.replaced().map(|file| file.stamp().version));
                    if conflicts(model, &at) {
                        prop_assert_eq!(kind(replaced), ErrorKind::PathConflict);
                    } else {
                        prop_assert_eq!(replaced.unwrap(), model.insert(at.clone(), version));
                        drop(try_put(tree, &at, version, &budget).unwrap());
                    }
                }
                Step::Remove(at) => {
                    let before = model.len();
                    model.retain(|file, _| !file.starts_with(&at));
                    let removed = tree.remove(&at);
                    let is_some = removed.file.is_some() || removed.dir.is_some();
                    prop_assert_eq!(is_some, model.len() < before);
                }
                Step::Move(from, to) => {
                    let free = !conflicts(model, &to) && !model.contains_key(&to);
                    if is_dir(model, &from) && free && !to.starts_with(&from) {
                        rename(tree, &from, &to, &budget);
                        *model = std::mem::take(model).into_iter().map(|(file, version)| {
                            match file.strip_prefix(&from) {
                                Some(below) => (to.join(below).unwrap(), version),
                                None => (file, version),
                            }
                        }).collect();
                    }
                }
                Step::Fork => {
                    let twin = (tree.clone(), model.clone());
                    forks.push(twin);
                }
                Step::Swap(index) => {
                    let (index, last) = (index.index(forks.len()), forks.len() - 1);
                    forks.swap(index, last);
                }
            }
        }
        for (tree, model) in &forks {
            prop_assert_eq!(&files(tree), model);
        }
        drop(forks);
        prop_assert_eq!(held(&budget), 0);
    }
}
