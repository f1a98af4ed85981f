//! A registry at work: two threads that read whole files four times out of five and replace one the
//! fifth time, among 10,000 files of 16 KiB (manifests, configurations).
//!
//! What is measured is the time of an operation as one thread sees it while the other works too.
//! `memcpy` copies as many bytes out of as much memory, without a store and so without anything to
//! wait for.
//!
//! `cargo bench -p benches --bench mixed`

use std::{
    hint::black_box,
    thread,
    time::{Duration, Instant, SystemTime},
};

use benches::{INMEMORY, KIB, MEMCPY, NAIVE, Naive, Random, print_ratios};
use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{Path, StorageDriver, StorageDriverExt};

const SEED: u64 = 4;
const THREADS: u64 = 2;
const OBJECTS: usize = 10_000;
const OBJECT: usize = 16 * KIB;
/// How many of a hundred operations read.
const READS: usize = 80;

/// Lets every thread do `iterations` operations, each a `read` or a `write` of a random object.
fn drive(iterations: u64, read: impl Fn(usize) + Sync, write: impl Fn(usize) + Sync) -> Duration {
    let work = |thread| {
        let mut random = Random::new(SEED + thread);
        for _ in 0..iterations {
            let object = random.below(OBJECTS);
            if random.below(100) < READS { read(object) } else { write(object) }
        }
    };
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || work(thread));
        }
    });
    start.elapsed()
}

fn mixed(criterion: &mut Criterion) {
    let memory = Random::new(SEED).bytes(OBJECTS * OBJECT);
    let content = &memory[..OBJECT];
    let (naive, ours) = (Naive::default(), InMemory::new());
    let paths: Vec<Path> = (0..OBJECTS)
        .map(|at| Path::new(format!("/manifests/{at}")).expect("it is a path"))
        .collect();
    for path in &paths {
        naive.put(path.as_str(), content.to_vec());
        block_on(ours.put(path, content.to_vec())).expect("it is stored");
    }

    let mut group = criterion.benchmark_group("mixed");
    group.throughput(Throughput::Bytes(THREADS * OBJECT as u64));
    let id = |name| BenchmarkId::new(name, "80-20");
    group.bench_function(id(MEMCPY), |bencher| {
        let copy = |at| drop(black_box(memory[at * OBJECT..][..OBJECT].to_vec()));
        bencher.iter_custom(|iterations| drive(iterations, copy, copy));
    });
    group.bench_function(id(NAIVE), |bencher| {
        let path = |at: usize| paths[at].as_str();
        let read = |at| drop(black_box(naive.get(path(at)).expect("it is there")));
        let write = |at| naive.put(path(at), content.to_vec());
        bencher.iter_custom(|iterations| drive(iterations, read, write));
    });
    group.bench_function(id(INMEMORY), |bencher| {
        let read = |at: usize| {
            let content = block_on(ours.get_content(&paths[at], OBJECT as u64));
            drop(black_box(content.expect("it is there")));
        };
        let write = |at: usize| {
            let metadata = block_on(ours.put(&paths[at], Bytes::from(content.to_vec())));
            drop(black_box(metadata.expect("it is stored")));
        };
        bencher.iter_custom(|iterations| drive(iterations, read, write));
    });
    group.finish();
}

fn main() {
    let start = SystemTime::now();
    let mut criterion = benches::criterion();
    mixed(&mut criterion);
    criterion.final_summary();
    print_ratios(&["mixed"], start);
}
