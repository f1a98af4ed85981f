//! A tree against a sorted map of paths, and trees as deep as a path can be.

use std::{collections::BTreeMap, thread};

use proptest::prelude::*;

use super::*;
use crate::{budget::Pool, rope::Rope};

type Model = BTreeMap<Path, u64>;

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(None, Pool::new(0, 4096, false)))
}

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn file(version: u64, budget: &Arc<Budget>) -> Node {
    let blob = FileBlob::publish(budget, Rope::Empty, 0, &mut None).unwrap();
    Node::File(File { blob, modified: Timestamp(0), version })
}

fn put(tree: &mut Tree, at: &str, version: u64, budget: &Arc<Budget>) {
    drop(tree.insert(&path(at), file(version, budget), budget).unwrap());
}

fn tree_of(paths: &[&str], budget: &Arc<Budget>) -> Tree {
    let mut tree = Tree::new();
    paths.iter().for_each(|at| put(&mut tree, at, 0, budget));
    tree
}

/// Everything in the tree, and no directory without a file in it.
fn files(tree: &Tree) -> Model {
    fn collect(dir: &Dir, at: &Path, found: &mut Model) -> usize {
        let mut longest = 0;
        for (name, node) in dir.children.iter_after(None) {
            let below = at.join(name.as_str()).unwrap();
            let length = match node {
                Node::File(file) => {
                    found.insert(below, file.version);
                    0
                }
                Node::Dir(dir) => {
                    let (before, longest) = (found.len(), collect(&dir, &below, found));
                    assert!(found.len() > before, "{below} is an empty directory");
                    longest
                }
            };
            longest = longest.max(length + name.as_str().len() + 1);
        }
        assert!(longest <= dir.longest, "{at}: {longest} below, bound {}", dir.longest);
        assert_eq!(longest, dir.longest_now());
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
    tree.file(&path(at)).ok().map(|file| file.version)
}

fn kind<T>(result: Result<T, Error>) -> ErrorKind {
    result.err().expect("an error").kind()
}

/// A path of as many directories as fit.
fn deepest() -> Path {
    path(&"/a".repeat(Path::MAX_BYTES / 2))
}

/// Runs `body` on a stack of 256 KiB, which a recursion two thousand deep overflows.
fn on_a_small_stack(body: impl FnOnce() + Send + 'static) {
    thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}

#[test]
fn a_file_is_found_where_it_was_put() {
    let budget = budget();
    let mut tree = Tree::new();
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
    let removed = tree.insert(&path("/a/b"), file(2, &budget), &budget).unwrap();
    assert!(matches!(&removed.0, Some(Node::File(file)) if file.version == 0));
    drop(removed);
    assert_eq!(held(&budget), before);
    assert_eq!(files(&tree), Model::from([(path("/a/b"), 2), (path("/a/c"), 0)]));
}

#[test]
fn a_conflict_is_seen_before_anything_changes() {
    let budget = budget();
    let tree = tree_of(&["/a/b"], &budget);
    assert_eq!(kind(tree.replaced(&path("/a"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.replaced(&path("/a/b/c"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.replaced(&path("/a/b/c/d"))), ErrorKind::PathConflict);
    assert_eq!(kind(tree.replaced(&Path::root())), ErrorKind::PathConflict);
    assert!(tree.replaced(&path("/a/c/d")).unwrap().is_none());
    assert!(tree.replaced(&path("/a/b")).unwrap().is_some());
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
        assert!(tree.remove(&path(nothing)).0.is_none(), "{nothing}");
    }
    assert_eq!(files(&tree).len(), 1);
}

#[test]
fn a_removal_gives_what_was_there() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/a/c"], &budget);
    assert!(matches!(tree.remove(&path("/a/b")).0, Some(Node::File(_))));
    assert!(matches!(tree.remove(&path("/a")).0, Some(Node::Dir(_))));
}

#[test]
fn an_insert_without_room_changes_nothing() {
    let roomy = budget();
    let full = Arc::new(Budget::new(Some(600), Pool::new(0, 4096, false)));
    let mut tree = tree_of(&["/a/b"], &roomy);
    let error = tree.insert(&path("/a/c/d/e/f/g"), file(1, &roomy), &full);
    assert!(matches!(kind(error), ErrorKind::StorageFull { .. }));
    assert_eq!(held(&full), 0, "what was reserved is given back");
    assert_eq!(files(&tree), Model::from([(path("/a/b"), 0)]));
}

#[test]
fn each_name_and_directory_is_charged() {
    let budget = budget();
    let tree = tree_of(&["/aa/bbb/c", "/aa/bbb/d"], &budget);
    let names = 4 * Usage::NAME + 2 + 3 + 1 + 1;
    assert_eq!(held(&budget), (names + 2 * Usage::DIRECTORY + 2 * Usage::FILE) as u64);
    drop(tree);
    assert_eq!(held(&budget), 0);
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
fn a_change_after_a_clone_copies_no_directory_beside_the_path() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b", "/c/d/e"], &budget);
    let twin = tree.clone();
    put(&mut tree, "/a/b", 9, &budget);
    let same = |at: &str| Arc::ptr_eq(tree.dir(&path(at)).unwrap(), twin.dir(&path(at)).unwrap());
    assert!(same("/c"));
    assert!(!same("/a"));
}

#[test]
fn a_directory_that_a_clone_made_twice_is_charged_twice() {
    let budget = budget();
    let mut tree = tree_of(&["/a/b"], &budget);
    let twin = tree.clone();
    let before = held(&budget);
    put(&mut tree, "/a/b", 9, &budget);
    assert_eq!(held(&budget) - before, (Usage::DIRECTORY + Usage::FILE) as u64);
    drop(twin);
    assert_eq!(held(&budget), before);
}

#[test]
fn a_path_of_the_greatest_length_fits_exactly() {
    let budget = budget();
    let below = "/x".repeat(100);
    let tree = tree_of(&[&format!("/a{below}")], &budget);
    let dir = tree.dir(&path("/a")).unwrap();
    let longest = "/y".repeat((Path::MAX_BYTES - below.len()) / 2);
    assert!(Tree::fits(dir, &path(&longest)));
    assert!(!Tree::fits(dir, &path(&format!("{longest}y"))));
}

#[test]
fn what_was_removed_no_longer_keeps_a_directory_from_fitting() {
    let budget = budget();
    let long = format!("/a{}", "/x".repeat(1000));
    let mut tree = tree_of(&["/a/short", &long], &budget);
    let to = path(&"/y".repeat(1500));
    assert!(!Tree::fits(tree.dir(&path("/a")).unwrap(), &to));
    drop(tree.remove(&path(&long)));
    assert!(Tree::fits(tree.dir(&path("/a")).unwrap(), &to));
}

#[test]
fn a_moved_directory_brings_its_length() {
    let budget = budget();
    let below = "/x".repeat(1000);
    let mut tree = tree_of(&[&format!("/a{below}")], &budget);
    let dir = Arc::clone(tree.dir(&path("/a")).unwrap());
    drop(tree.insert(&path("/b/c"), Node::Dir(dir), &budget).unwrap());
    drop(tree.remove(&path("/a")));
    files(&tree);
    let dir = tree.dir(&path("/b")).unwrap();
    let room = (Path::MAX_BYTES - below.len() - "/c".len()) / 2;
    assert!(Tree::fits(dir, &path(&"/y".repeat(room))));
    assert!(!Tree::fits(dir, &path(&"/y".repeat(room + 1))));
}

#[test]
fn the_deepest_path_is_dropped_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = Tree::new();
        drop(tree.insert(&deepest(), file(1, &budget), &budget).unwrap());
        assert!(tree.file(&deepest()).is_ok());
        drop(tree);
        assert_eq!(held(&budget), 0);
    });
}

#[test]
fn the_deepest_path_is_removed_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = tree_of(&["/a/b"], &budget);
        drop(tree.insert(&deepest(), file(1, &budget), &budget).unwrap());
        drop(tree.remove(&deepest()));
        assert_eq!(files(&tree), Model::from([(path("/a/b"), 0)]));
        drop(tree.remove(&path("/a")));
        assert_eq!(held(&budget), 0);
    });
}

#[test]
fn the_deepest_path_is_measured_without_recursion() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = Tree::new();
        drop(tree.insert(&deepest(), file(1, &budget), &budget).unwrap());
        assert_eq!(tree.root.longest_now(), Path::MAX_BYTES);
        assert_eq!(tree.root.longest, Path::MAX_BYTES);
    });
}

#[test]
fn the_deepest_path_is_changed_and_dropped_beside_a_clone() {
    on_a_small_stack(|| {
        let budget = budget();
        let mut tree = Tree::new();
        drop(tree.insert(&deepest(), file(1, &budget), &budget).unwrap());
        let twin = tree.clone();
        drop(tree.insert(&deepest(), file(2, &budget), &budget).unwrap());
        assert_eq!(twin.file(&deepest()).unwrap().version, 1);
        drop(twin);
        assert_eq!(tree.file(&deepest()).unwrap().version, 2);
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
        let mut forks = vec![(Tree::new(), Model::new())];
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
                    let replaced = tree.replaced(&at).map(|file| file.map(|file| file.version));
                    if conflicts(model, &at) {
                        prop_assert_eq!(kind(replaced), ErrorKind::PathConflict);
                    } else {
                        prop_assert_eq!(replaced.unwrap(), model.insert(at.clone(), version));
                        drop(tree.insert(&at, file(version, &budget), &budget).unwrap());
                    }
                }
                Step::Remove(at) => {
                    let before = model.len();
                    model.retain(|file, _| !file.starts_with(&at));
                    prop_assert_eq!(tree.remove(&at).0.is_some(), model.len() < before);
                }
                Step::Move(from, to) => {
                    let free = !conflicts(model, &to) && !model.contains_key(&to);
                    if is_dir(model, &from) && free && !to.starts_with(&from) {
                        let dir = Arc::clone(tree.dir(&from).unwrap());
                        drop(tree.insert(&to, Node::Dir(dir), &budget).unwrap());
                        drop(tree.remove(&from));
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
