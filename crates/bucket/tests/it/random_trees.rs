//! Listings, walks and uploads of random trees are those of the in-memory driver, whatever the ways of the server.

use std::{collections::BTreeSet, fmt::Debug};

use futures::TryStreamExt;
use inmemory::InMemory;
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};
use storage_driver::{
    Entry, ListOptions, Page, Path, Precondition, StorageDriver, UploadInfo, WalkOptions,
    WriterOptions,
};
use storage_driver_bucket::{
    Builder,
    double::{Double, Ways},
};

use crate::support::path;

/// Their order by components is another one than by bytes: `-` and `.` are below `/`, digits and letters above.
const NAMES: [&str; 8] = ["a", "a-b", "a.b", "a-", "a0", "ab", "b", "-"];

#[derive(Debug, Clone, Copy)]
enum Step {
    Put,
    Delete,
    Upload,
}

fn paths() -> impl Strategy<Value = Path> {
    let names = vec(prop::sample::select(&NAMES[..]), 1..4);
    names.prop_map(|names| path(&format!("/{}", names.join("/"))))
}

fn trees() -> impl Strategy<Value = Vec<(Path, Step)>> {
    let step = prop_oneof![4 => Just(Step::Put), 1 => Just(Step::Delete), 1 => Just(Step::Upload)];
    vec((paths(), step), 0..40)
}

fn ways() -> impl Strategy<Value = Ways> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (1..7_usize, flags).prop_map(|(page, (component, ignores, long, repeats, ceph))| {
        let mut ways = if ceph { Ways::ceph() } else { Ways::default() };
        ways.page = page;
        ways.component_order = component;
        ways.ignores_offset = ignores;
        ways.long_pages = long;
        ways.repeats_offset = repeats;
        ways
    })
}

/// Does the same to both stores.
async fn grow(stores: [&dyn StorageDriver; 2], tree: &[(Path, Step)]) {
    for (at, step) in tree {
        let mut done = Vec::new();
        for store in stores {
            done.push(match step {
                // A directory at the path, or a file above it, which the model refuses.
                Step::Put | Step::Upload if done.first() == Some(&false) => false,
                Step::Put => {
                    let put = store.put_content(at, "content".into(), Precondition::None).await;
                    put.is_ok()
                }
                Step::Delete => store.delete(at, Precondition::None).await.is_ok(),
                Step::Upload => match store.writer(at, WriterOptions::create()).await {
                    Ok(writer) => writer.suspend().await.is_ok(),
                    Err(_) => false,
                },
            });
        }
        assert_eq!(done[0], done[1], "{step:?} {at}");
    }
}

fn entries(entries: Vec<Entry>) -> Vec<String> {
    let mark = |entry: &Entry| if entry.is_dir() { "/" } else { "" };
    entries.iter().map(|entry| format!("{}{}", entry.path(), mark(entry))).collect()
}

fn uploads(uploads: Vec<UploadInfo>) -> Vec<String> {
    uploads.iter().map(|upload| upload.path.to_string()).collect()
}

fn page<T>(
    page: storage_driver::Result<Page<T>>,
    items: impl Fn(Vec<T>) -> Vec<String>,
) -> Result<(Vec<String>, Option<Path>), storage_driver::ErrorKind> {
    page.map(|page| (items(page.items), page.next)).map_err(|error| error.kind())
}

fn assert_same<T: PartialEq + Debug>(bucket: T, model: T, what: impl Debug) {
    assert_eq!(bucket, model, "{what:?}");
}

/// A question about a listing.
#[derive(Debug, Clone)]
struct Question {
    of: Path,
    start_after: Option<Path>,
    limit: usize,
    names_only: bool,
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let of = prop_oneof![1 => Just(Path::root()), 2 => paths()];
    let question = (of, proptest::option::of(paths()), 0..6_usize, any::<bool>());
    let question = question.prop_map(|(of, start_after, limit, names_only)| {
        let limit = if limit == 5 { ListOptions::DEFAULT_LIMIT } else { limit };
        Question { of, start_after, limit, names_only }
    });
    vec(question, 1..12)
}

async fn compare(ways: Ways, tree: Vec<(Path, Step)>, questions: Vec<Question>) {
    let (server, model) = (Double::new(ways.clone()), InMemory::new());
    let bucket = Builder::double(&server).open().await.unwrap();
    // The model first: it refuses conflicts.
    grow([&model, &bucket], &tree).await;
    for question in questions {
        let Question { of, start_after, limit, names_only } = &question;
        let mut options = ListOptions::new().limit(*limit);
        options.start_after.clone_from(start_after);
        let found = page(bucket.uploads(of, options.clone()).await, uploads);
        assert_same(found, page(model.uploads(of, options.clone()).await, uploads), &question);
        // A directory of nothing but tombstones has a name.
        options.names_only = *names_only && bucket.deletes_conditionally();
        let found = page(bucket.list(of, options.clone()).await, entries);
        assert_same(found, page(model.list(of, options.clone()).await, entries), &question);
        let mut options = WalkOptions::new();
        options.start_after.clone_from(start_after);
        let found = bucket.walk(of, options.clone()).try_collect().await.map(entries);
        let expected = model.walk(of, options).try_collect().await.map(entries);
        let kind = |error: storage_driver::Error| error.kind();
        assert_same(found.map_err(kind), expected.map_err(kind), &question);
    }
}

/// Runs `test` on so many values, or on as many as `LISTING_CASES` says.
fn on_random<T: Debug, F: Future<Output = ()>>(
    cases: u32,
    values: impl Strategy<Value = T>,
    test: impl Fn(T) -> F,
) {
    let cases = std::env::var("LISTING_CASES").map_or(cases, |text| text.parse().unwrap());
    let config = Config { cases, rng_seed: RngSeed::Fixed(7), ..Config::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let ran = TestRunner::new(config).run(&values, |value| {
        runtime.block_on(test(value));
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn listings_of_random_trees_are_those_of_the_in_memory_driver() {
    on_random(300, (ways(), trees(), questions()), |(ways, tree, questions)| {
        compare(ways, tree, questions)
    });
}

/// Files in directories of up to three levels, more than fit into a few pages.
fn large_trees() -> impl Strategy<Value = BTreeSet<Path>> {
    let more = ["0", "1", "2", "10", "c_d", "c"];
    let names: Vec<&str> = NAMES.into_iter().chain(more).collect();
    let dir = vec(prop::sample::select(names), 1..4);
    let file = prop::sample::select(&["f", "f-", "f.", "f_"][..]);
    vec((dir, file, 1..80_usize), 1..30).prop_map(|dirs| {
        let files = dirs.into_iter().flat_map(|(dir, file, count)| {
            (0..count).map(move |number| path(&format!("/{}/{file}{number}", dir.join("/"))))
        });
        files.collect()
    })
}

/// A walk of files that are not part of each other's paths, with the directories above them.
fn walked(files: &BTreeSet<Path>, of: &Path, start_after: Option<&Path>) -> Vec<Path> {
    let all: BTreeSet<Path> = files.iter().flat_map(Path::ancestors).collect();
    let is_walked = |path: &Path| {
        path.starts_with(of) && path != of && start_after.is_none_or(|start| path > start)
    };
    all.into_iter().filter(is_walked).collect()
}

#[test]
fn walks_of_many_pages_have_all_files_of_random_trees() {
    let page = prop::sample::select(&[1, 2, 3, 5, 10, 40, 100][..]);
    let place = || proptest::option::of(any::<prop::sample::Index>());
    let all = (ways(), page, large_trees(), place(), place());
    on_random(60, all, |(mut ways, page, files, of, start_after)| async move {
        ways.page = page;
        let server = Double::new(ways);
        let store = Builder::double(&server).open().await.unwrap();
        for file in &files {
            server.put(&file.as_str()[1..], "application/octet-stream", "content");
        }
        let entries = walked(&files, &Path::root(), None);
        let dirs: Vec<&Path> = entries.iter().filter(|path| !files.contains(path)).collect();
        let of = of.map_or(Path::root(), |index| (*index.get(&dirs)).clone());
        let start_after = start_after.map(|index| index.get(&entries).clone());
        let mut options = WalkOptions::new();
        options.start_after.clone_from(&start_after);
        let found: Vec<Entry> = store.walk(&of, options).try_collect().await.unwrap();
        let found: Vec<Path> = found.into_iter().map(|entry| entry.path().clone()).collect();
        assert_eq!(found, walked(&files, &of, start_after.as_ref()), "{of} after {start_after:?}");
    });
}
