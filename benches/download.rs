//! Reads of one large blob: all of it as a stream, and a small range somewhere in it.
//!
//! - `download`: the whole blob; ours streams slices of its segments, the peer copies out. Every
//!   byte that is given is counted, none is looked at.
//! - `range`: a part of 4 KiB at a random place, as a client asks for that resumes or that reads a
//!   file's index.
//!
//! `cargo bench -p benches --bench download`

use std::{hint::black_box, time::SystemTime};

use benches::{INMEMORY, KIB, MEMCPY, MIB, NAIVE, Naive, Random, name_of, print_ratios};
use criterion::{BenchmarkId, Criterion, Throughput, async_executor::FuturesExecutor};
use futures::{TryStreamExt, executor::block_on};
use inmemory::InMemory;
use storage_driver::{Path, ReadRange, StorageDriver, StorageDriverExt};

const SEED: u64 = 2;
/// What the blob has, in bytes.
const TOTAL: usize = 256 * MIB;
const RANGE: usize = 4 * KIB;

const BLOB: &str = "/blobs/sha256/aa/data";

/// The blob in each contestant.
struct Contestants {
    memory: Vec<u8>,
    naive: Naive,
    ours: InMemory,
    path: Path,
}

impl Contestants {
    fn new() -> Self {
        let memory = Random::new(SEED).bytes(TOTAL);
        let (naive, ours) = (Naive::default(), InMemory::new());
        let path = Path::new(BLOB).expect("it is a path");
        naive.append(BLOB, &memory);
        block_on(async {
            let mut writer = ours.create(&path).await.expect("it can be created");
            writer.write_from(&memory[..], |_| {}).await.expect("it is accepted");
            writer.commit().await.expect("nothing is there");
        });
        Self { memory, naive, ours, path }
    }
}

fn download(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("download");
    group.throughput(Throughput::Bytes(TOTAL as u64));
    let id = |name| BenchmarkId::new(name, name_of(TOTAL));

    let mut copy = of.memory.clone();
    group.bench_function(id(MEMCPY), |bencher| {
        bencher.iter(|| copy.copy_from_slice(black_box(&of.memory)));
    });
    group.bench_function(id(NAIVE), |bencher| {
        bencher.iter_with_large_drop(|| of.naive.get(BLOB));
    });
    group.bench_function(id(INMEMORY), |bencher| {
        bencher.to_async(FuturesExecutor).iter(async || {
            let reader = of.ours.reader(&of.path, ReadRange::Full).await.expect("it is there");
            let count = async |sum, chunk| Ok(sum + black_box::<bytes::Bytes>(chunk).len());
            assert_eq!(reader.try_fold(0, count).await.expect("it is read"), TOTAL);
        });
    });
    group.finish();
}

fn range(criterion: &mut Criterion, of: &Contestants) {
    let mut group = criterion.benchmark_group("range");
    group.throughput(Throughput::Bytes(RANGE as u64));
    let id = |name| BenchmarkId::new(name, name_of(RANGE));

    group.bench_function(id(MEMCPY), |bencher| {
        let mut random = Random::new(SEED);
        bencher.iter(|| {
            let start = random.below(TOTAL - RANGE);
            of.memory[start..start + RANGE].to_vec()
        });
    });
    group.bench_function(id(NAIVE), |bencher| {
        let mut random = Random::new(SEED);
        bencher.iter(|| {
            let start = random.below(TOTAL - RANGE);
            of.naive.range(BLOB, start..start + RANGE)
        });
    });
    group.bench_function(id(INMEMORY), |bencher| {
        let mut random = Random::new(SEED);
        bencher.iter(|| {
            let start = random.below(TOTAL - RANGE) as u64;
            let range = ReadRange::from(start..start + RANGE as u64);
            block_on(of.ours.get_range(&of.path, range, RANGE as u64)).expect("it is there")
        });
    });
    group.finish();
}

fn main() {
    let start = SystemTime::now();
    let mut criterion = benches::criterion();
    let contestants = Contestants::new();
    download(&mut criterion, &contestants);
    range(&mut criterion, &contestants);
    criterion.final_summary();
    print_ratios(&["download", "range"], start);
}
