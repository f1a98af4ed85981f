//! Small operations in a store of many small files, as a registry's links are: 71 bytes each, below
//! 256 directories, read and written at random.
//!
//! - `put` replaces a file, `get` reads one, `stat` asks for one.
//! - `delete` removes a file and puts it back, so that the store keeps its size: a pair of
//!   operations.
//! - `list` gives a page of 1,000 children of one directory.
//!
//! `memcpy` copies the content of one file, or the names of one page.
//!
//! `cargo bench -p benches --bench objects`

use std::time::SystemTime;

use benches::{INMEMORY, MEMCPY, NAIVE, Naive, Random, print_ratios};
use criterion::{BenchmarkId, Criterion};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ListOptions, Path, Precondition, StorageDriver, StorageDriverExt};

const SEED: u64 = 3;
/// How many files the store holds.
const OBJECTS: [usize; 2] = [10_000, 1_000_000];
const DIRECTORIES: usize = 256;
/// What a link is: `sha256:` and 64 digits.
const LINK: usize = 71;
const PAGE: usize = 1000;

fn path(text: &str) -> Path {
    Path::new(text).expect("it is a path")
}

/// The same files in each contestant.
struct Contestants {
    name: &'static str,
    content: Vec<u8>,
    paths: Vec<Path>,
    naive: Naive,
    ours: InMemory,
}

impl Contestants {
    fn new(count: usize) -> Self {
        let mut random = Random::new(SEED);
        let content = random.bytes(LINK);
        let (naive, ours) = (Naive::default(), InMemory::new());
        let mut paths = Vec::with_capacity(count);
        for _ in 0..count {
            let (dir, file) = (random.below(DIRECTORIES), random.number());
            let path = path(&format!("/registry/v2/links/{dir:02x}/{file:016x}/link"));
            naive.put(path.as_str(), content.clone());
            block_on(ours.put(&path, content.clone())).expect("it is stored");
            paths.push(path);
        }
        let name = if count < 1_000_000 { "10k" } else { "1M" };
        Self { name, content, paths, naive, ours }
    }

    fn id(&self, contestant: &str) -> BenchmarkId {
        BenchmarkId::new(contestant, self.name)
    }

    /// The paths of the store at random, the same for each contestant.
    fn at_random<'a>(&'a self) -> impl FnMut() -> &'a Path {
        let mut random = Random::new(SEED);
        move || &self.paths[random.below(self.paths.len())]
    }
}

fn put(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("put");
    group.bench_function(of.id(MEMCPY), |bencher| bencher.iter(|| of.content.clone()));
    group.bench_function(of.id(NAIVE), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| of.naive.put(next().as_str(), of.content.clone()));
    });
    group.bench_function(of.id(INMEMORY), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| block_on(of.ours.put(next(), of.content.clone())).expect("it is stored"));
    });
    group.finish();
}

fn get(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("get");
    group.bench_function(of.id(MEMCPY), |bencher| bencher.iter(|| of.content.clone()));
    group.bench_function(of.id(NAIVE), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| of.naive.get(next().as_str()).expect("it is there"));
    });
    group.bench_function(of.id(INMEMORY), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| block_on(of.ours.get_content(next(), 1024)).expect("it is there"));
    });
    group.finish();
}

fn stat(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("stat");
    group.bench_function(of.id(MEMCPY), |bencher| bencher.iter(|| of.content.clone()));
    group.bench_function(of.id(NAIVE), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| of.naive.stat(next().as_str()).expect("it is there"));
    });
    group.bench_function(of.id(INMEMORY), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| block_on(of.ours.stat(next())).expect("it is there"));
    });
    group.finish();
}

fn delete(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("delete");
    group.bench_function(of.id(MEMCPY), |bencher| bencher.iter(|| of.content.clone()));
    group.bench_function(of.id(NAIVE), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| {
            let path = next().as_str();
            assert!(of.naive.delete(path));
            of.naive.put(path, of.content.clone());
        });
    });
    group.bench_function(of.id(INMEMORY), |bencher| {
        let mut next = of.at_random();
        bencher.iter(|| {
            let path = next();
            block_on(async {
                of.ours.delete(path, Precondition::None).await.expect("it is there");
                of.ours.put(path, of.content.clone()).await.expect("it is stored")
            })
        });
    });
    group.finish();
}

fn list(criterion: &mut Criterion, of: &Contestants) {
    const DIR: &str = "/registry/v2/links/7f";
    let mut group = criterion.benchmark_group("list");
    let below = format!("{DIR}/");
    let names = of.naive.list(&below, PAGE);
    group.bench_function(of.id(MEMCPY), |bencher| bencher.iter(|| names.concat()));
    group.bench_function(of.id(NAIVE), |bencher| bencher.iter(|| of.naive.list(&below, PAGE)));
    group.bench_function(of.id(INMEMORY), |bencher| {
        let dir = path(DIR);
        bencher.iter(|| {
            let page = block_on(of.ours.list(&dir, ListOptions::new().limit(PAGE)));
            let page = page.expect("it is there");
            assert_eq!(page.items.len(), names.len());
            page
        });
    });
    group.finish();
}

fn main() {
    let start = SystemTime::now();
    let mut criterion = benches::criterion();
    for count in OBJECTS {
        let contestants = Contestants::new(count);
        put(&mut criterion, &contestants);
        get(&mut criterion, &contestants);
        stat(&mut criterion, &contestants);
        delete(&mut criterion, &contestants);
        list(&mut criterion, &contestants);
    }
    criterion.final_summary();
    print_ratios(&["put", "get", "stat", "delete", "list"], start);
}
