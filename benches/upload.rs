//! Uploads of a large blob, as a registry receives them: in chunks, to a session's path, and then
//! published at the blob's.
//!
//! - `upload`: a stream of borrowed chunks (what a socket's buffer gives), copied in, committed.
//! - `hand_over`: the same bytes as owned `Bytes`, which ours takes over without a copy.
//! - `commit`: the publishing alone, by the size of what was uploaded. `memcpy` is what a store pays
//!   that copies on commit.
//!
//! `cargo bench -p benches --bench upload`

use std::{hint::black_box, time::SystemTime};

use benches::{INMEMORY, KIB, MEMCPY, MIB, NAIVE, Naive, Random, name_of, print_ratios};
use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{Path, Precondition, StorageDriverExt, Writer};
use tokio::io::AsyncWriteExt;

const SEED: u64 = 1;
/// What one upload has, in bytes.
const TOTAL: usize = 256 * MIB;
const CHUNKS: [usize; 3] = [8 * KIB, 64 * KIB, MIB];
const COMMITTED: [usize; 3] = [MIB, 16 * MIB, 256 * MIB];

const SESSION: &str = "/uploads/8f1c";
const BLOB: &str = "/blobs/sha256/aa/data";

fn path(text: &str) -> Path {
    Path::new(text).expect("it is a path")
}

async fn create(store: &InMemory) -> Writer {
    store.create(&path(SESSION)).await.expect("it can be created")
}

async fn publish(writer: Writer) {
    let committed = writer.commit_to(&path(BLOB), Precondition::IfAbsent).await;
    black_box(committed.expect("nothing is there"));
}

fn upload(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("upload");
    group.throughput(Throughput::Bytes(TOTAL as u64));
    let mut whole = vec![1; TOTAL];
    for size in CHUNKS {
        let chunk = Random::new(SEED).bytes(size);
        let chunks = || std::iter::repeat_n(&chunk[..], TOTAL / size);
        let id = |name| BenchmarkId::new(name, name_of(size));

        group.bench_function(id(MEMCPY), |bencher| {
            bencher.iter(|| {
                whole.clear();
                chunks().for_each(|chunk| whole.extend_from_slice(black_box(chunk)));
            });
        });
        group.bench_function(id(NAIVE), |bencher| {
            let upload = |store: Naive| {
                chunks().for_each(|chunk| store.append(SESSION, chunk));
                assert!(store.rename(SESSION, BLOB));
                store
            };
            bencher.iter_batched(Naive::default, upload, BatchSize::PerIteration);
        });
        group.bench_function(id(INMEMORY), |bencher| {
            let upload = |store: InMemory| {
                block_on(async {
                    let mut writer = create(&store).await;
                    for chunk in chunks() {
                        writer.write_all(chunk).await.expect("it is accepted");
                    }
                    publish(writer).await;
                });
                store
            };
            bencher.iter_batched(InMemory::new, upload, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn hand_over(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hand_over");
    group.throughput(Throughput::Bytes(TOTAL as u64));
    let mut whole = vec![1; TOTAL];
    for size in CHUNKS {
        let chunk = Random::new(SEED).bytes(size);
        let id = |name| BenchmarkId::new(name, name_of(size));
        // Each in a buffer of its own, made outside of what is measured.
        let owned =
            || -> Vec<Bytes> { (0..TOTAL / size).map(|_| Bytes::from(chunk.clone())).collect() };

        group.bench_function(id(MEMCPY), |bencher| {
            let chunks = owned();
            bencher.iter(|| {
                whole.clear();
                chunks.iter().for_each(|chunk| whole.extend_from_slice(black_box(chunk)));
            });
        });
        group.bench_function(id(NAIVE), |bencher| {
            let upload = |chunks: Vec<Bytes>| {
                let store = Naive::default();
                chunks.into_iter().for_each(|chunk| store.append(SESSION, &chunk));
                assert!(store.rename(SESSION, BLOB));
                store
            };
            bencher.iter_batched(owned, upload, BatchSize::PerIteration);
        });
        group.bench_function(id(INMEMORY), |bencher| {
            let upload = |chunks: Vec<Bytes>| {
                let store = InMemory::new();
                block_on(async {
                    let mut writer = create(&store).await;
                    for chunk in chunks {
                        writer.write(chunk).await.expect("it is accepted");
                    }
                    publish(writer).await;
                });
                store
            };
            bencher.iter_batched(owned, upload, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn commit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("commit");
    for size in COMMITTED {
        let content = Random::new(SEED).bytes(size);
        let mut copy = content.clone();
        let id = |name| BenchmarkId::new(name, name_of(size));

        group.bench_function(id(MEMCPY), |bencher| {
            bencher.iter(|| copy.copy_from_slice(black_box(&content)));
        });
        group.bench_function(id(NAIVE), |bencher| {
            let uploaded = || {
                let store = Naive::default();
                store.append(SESSION, &content);
                store
            };
            let commit = |store: Naive| {
                assert!(store.rename(SESSION, BLOB));
                store
            };
            bencher.iter_batched(uploaded, commit, BatchSize::PerIteration);
        });
        group.bench_function(id(INMEMORY), |bencher| {
            let uploaded = || {
                let store = InMemory::new();
                let mut writer = block_on(create(&store));
                block_on(writer.write_all(&content)).expect("it is accepted");
                (store, writer)
            };
            let commit = |(store, writer): (InMemory, Writer)| {
                block_on(publish(writer));
                store
            };
            bencher.iter_batched(uploaded, commit, BatchSize::PerIteration);
        });
    }
    group.finish();
}

fn main() {
    let start = SystemTime::now();
    let mut criterion = benches::criterion();
    upload(&mut criterion);
    hand_over(&mut criterion);
    commit(&mut criterion);
    criterion.final_summary();
    print_ratios(&["upload", "hand_over", "commit"], start);
}
