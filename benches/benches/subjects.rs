//! Quick work on one group: each subject by Criterion, with its statistics and its comparison to
//! the run before. What is reached and what is not is the table's to say.
//!
//! `cargo bench -p benches`; one group: `cargo bench -p benches -- get`; one subject:
//! `cargo bench -p benches -- /ours`.

use std::{hint::black_box, time::Duration};

use benches::{
    harness::{MIB, Random, Source},
    memory::{ABOVE, Naive, ObjectStore, Opendal, Ours, Subject, key},
};
use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use tokio::runtime::{Builder, Runtime};

const SEED: u64 = 9;
/// How large the blob is that is uploaded and read.
const BLOB: u64 = 64 * MIB;
const CHUNK: usize = 64 << 10;
const RANGE: u64 = 4 << 10;
const OBJECTS: u64 = 100_000;
const OBJECT: usize = 4 << 10;

fn runtime() -> Runtime {
    Builder::new_current_thread().build().expect("a runtime can be made")
}

async fn upload<S: Subject>(store: &S, key: &S::Key, source: &Source) {
    let mut upload = store.begin(key, false).await;
    for chunk in source.chunks(BLOB, CHUNK) {
        store.write(&mut upload, chunk).await;
    }
    store.commit(upload).await;
}

fn blob<S: Subject>(criterion: &mut Criterion, name: &str) {
    let (source, key, runtime) = (Source::new(), S::key("blob"), runtime());
    let mut bench = |group, work: &mut dyn FnMut(&S)| {
        let store = S::new(None);
        runtime.block_on(upload(&store, &key, &source));
        criterion.benchmark_group(group).bench_function(name, |b| b.iter(|| work(&store)));
    };
    bench("upload", &mut |store| runtime.block_on(upload(store, &key, &source)));
    let mut random = Random::new(SEED);
    bench("range", &mut |store| {
        let start = random.below((BLOB - RANGE) as usize) as u64;
        black_box(runtime.block_on(store.range(&key, start..start + RANGE)));
    });
    bench("read", &mut |store| {
        black_box(runtime.block_on(store.read(&key)));
    });
}

fn objects<S: Subject>(criterion: &mut Criterion, name: &str) {
    let (content, runtime) = (Bytes::from(vec![1; OBJECT]), runtime());
    let store = S::new(None);
    let keys: Vec<S::Key> = (0..OBJECTS).map(|number| S::key(&key(number))).collect();
    runtime.block_on(async {
        for key in &keys {
            store.put(key, &content).await;
        }
    });
    let mut random = Random::new(SEED);
    let mut draw = || &keys[random.below(keys.len())];

    criterion.benchmark_group("put").bench_function(name, |b| {
        b.iter(|| runtime.block_on(store.put(draw(), &content)));
    });
    criterion.benchmark_group("get").bench_function(name, |b| {
        b.iter(|| runtime.block_on(store.get(draw())));
    });
    criterion.benchmark_group("stat").bench_function(name, |b| {
        b.iter(|| runtime.block_on(store.stat(draw())));
    });
    let put = |key| {
        runtime.block_on(store.put(key, &content));
        key
    };
    criterion.benchmark_group("delete").bench_function(name, |b| {
        let mut put = || put(draw());
        b.iter_batched(
            &mut put,
            |key| runtime.block_on(store.delete(key)),
            BatchSize::PerIteration,
        );
    });
    criterion.benchmark_group("list").bench_function(name, |b| {
        b.iter(|| runtime.block_on(store.list(ABOVE)));
    });
}

fn each(criterion: &mut Criterion) {
    blob::<Ours>(criterion, "ours");
    blob::<ObjectStore>(criterion, "object_store");
    blob::<Opendal>(criterion, "opendal");
    blob::<Naive>(criterion, "naive");
    objects::<Ours>(criterion, "ours");
    objects::<ObjectStore>(criterion, "object_store");
    objects::<Opendal>(criterion, "opendal");
    objects::<Naive>(criterion, "naive");
}

criterion_group! {
    name = benches;
    // Short, so that all together take minutes.
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = each
}
criterion_main!(benches);
