//! Clients and collections at the same time.
//!
//! There are few blobs, and manifests consist of some of them, so that all clients push, mount, delete and pull the
//! same content. Random choices come from a seed; the order of the threads does not.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    OCI_MANIFEST, Response, Service, blob, clock::Clock, digest, image, pause, with_digest,
};
use futures::future::join_all;
use inmemory::InMemory;
use storage_driver::StorageDriver;
use storage_driver_conformance::layers::Yielding;
use storage_driver_registry::GcOptions;

const LONG: Duration = Duration::from_secs(24 * 60 * 60);
const REPOSITORIES: [&str; 3] = ["a", "a/b", "c"];
const LAYERS: u64 = 6;
/// The number of rounds, each on a new store, because only the first collection of a store finds old content.
const ROUNDS: u64 = 40;
const CLIENTS: u64 = 25;
const NODES: usize = 3;

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len() as u64) as usize]
    }
}

fn layer(n: u64) -> Vec<u8> {
    format!("layer {n}").into_bytes()
}

/// Provides a blob as clients do: by HEAD, by a mount, or by an upload in one request or several.
async fn ensure(service: &Service, random: &mut Random, name: &str, content: &[u8]) {
    if random.below(2) == 0 {
        match service.head(&blob(name, content)).await.status.as_u16() {
            200 => return,
            status => assert_eq!(status, 404),
        }
    }
    if random.below(2) == 0 {
        let (from, named) = (random.pick(&REPOSITORIES), digest(content));
        let uri = format!("/v2/{name}/blobs/uploads/?mount={named}&from={from}");
        let response = service.post(&uri).await;
        if response.status == 201 {
            return;
        }
        service.put_chunks(&response.expect(202), content).await;
    } else if random.below(2) == 0 {
        let uri = format!("/v2/{name}/blobs/uploads/?digest={}", digest(content));
        service.send("POST", &uri, &[], content.to_vec()).await.expect(201);
    } else {
        let begun = service.post(&format!("/v2/{name}/blobs/uploads/")).await.expect(202);
        service.put_chunks(&begun, content).await;
    }
}

impl Service {
    async fn put_chunks(&self, begun: &Response, content: &[u8]) {
        let upload = begun.header("location");
        let (first, rest) = content.split_at(content.len() / 2);
        let range = format!("0-{}", first.len().saturating_sub(1));
        if !first.is_empty() {
            self.patch(upload, &range, first.to_vec()).await.expect(202);
        }
        let uri = with_digest(upload, &digest(content));
        self.send("PUT", &uri, &[], rest.to_vec()).await.expect(201);
    }
}

/// The counts of a run, from which a test knows that it has tested something.
#[derive(Debug, Default)]
struct Counts {
    pushed: AtomicU64,
    pulled: AtomicU64,
    deleted: AtomicU64,
    collected: AtomicU64,
    lost: AtomicU64,
}

impl Counts {
    fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

struct Run {
    /// Registries on one store, without memory in common. Each request goes to another one.
    nodes: Vec<Service>,
    next: AtomicUsize,
    /// With a short grace, a blob that a client has learned of may be gone when it pushes its manifest. The blobs of an
    /// accepted manifest are never gone.
    grace: Duration,
    untagged: bool,
    counts: Counts,
}

impl Run {
    fn node(&self) -> &Service {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        &self.nodes[next % self.nodes.len()]
    }

    /// Pushes a new image, blobs first, pulls it, and may delete it.
    async fn push(&self, n: u64) {
        let mut random = Random::new(n);
        let name = random.pick(&REPOSITORIES);
        let layers: Vec<Vec<u8>> =
            (0..=random.below(3)).map(|_| layer(random.below(LAYERS))).collect();
        let mut manifest = image(&layers.iter().map(Vec::as_slice).collect::<Vec<_>>());
        manifest["annotations"] = serde_json::json!({ "n": n.to_string() });
        let by_digest = format!("/v2/{name}/manifests/{}", digest(manifest.to_string().as_bytes()));
        let by_tag = format!("/v2/{name}/manifests/t{n}");
        let tagged = random.below(2) == 0;
        let uri = if tagged { &by_tag } else { &by_digest };
        loop {
            ensure(self.node(), &mut random, name, b"{}").await;
            for layer in &layers {
                ensure(self.node(), &mut random, name, layer).await;
            }
            let response = self.node().put_manifest(uri, OCI_MANIFEST, &manifest).await;
            if response.status == 201 {
                break;
            }
            assert!(self.grace < LONG, "a blob that was promised is gone: {response:?}");
            assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN");
            Counts::add(&self.counts.lost);
        }
        Counts::add(&self.counts.pushed);
        if tagged || !self.untagged || self.grace == LONG {
            for _ in 0..3 {
                let got = self.node().get(uri).await.expect(200);
                assert_eq!(self.missing(name, &got).await, None, "of {got:?}");
            }
            if random.below(2) == 0 {
                self.node().delete(&by_digest).await.expect(202);
                Counts::add(&self.counts.deleted);
            }
        }
    }

    /// Pulls an image that may be deleted at any moment.
    async fn pull(&self, n: u64) {
        let name = Random::new(n).pick(&REPOSITORIES);
        let uri = format!("/v2/{name}/manifests/t{n}");
        let got = self.node().get(&uri).await;
        if got.status == 404 {
            return;
        }
        let missing = self.missing(name, &got.expect(200)).await;
        if missing.is_none() {
            Counts::add(&self.counts.pulled);
        } else {
            self.node().get(&uri).await.expect(404);
        }
    }

    /// A missing blob of a manifest.
    async fn missing(&self, name: &str, manifest: &Response) -> Option<String> {
        assert_eq!(manifest.header("docker-content-digest"), digest(&manifest.body));
        let manifest = manifest.json();
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        for blob in layers.iter().chain(&[manifest["config"].clone()]) {
            let named = blob["digest"].as_str().unwrap();
            let got = self.node().get(&format!("/v2/{name}/blobs/{named}")).await;
            if got.status == 404 {
                return Some(named.to_owned());
            }
            assert_eq!(digest(&got.expect(200).body), named);
        }
        None
    }

    /// Checks every manifest that is left, by a listing of the store.
    async fn check_all(&self) {
        for name in REPOSITORIES {
            let root =
                format!("/docker/registry/v2/repositories/{name}/_manifests/revisions/sha256");
            let root = storage_driver::Path::parse(root).unwrap();
            let list = self.node().store.list(&root, storage_driver::ListOptions::new()).await;
            for entry in list.map(|page| page.items).unwrap_or_default() {
                let uri = format!("/v2/{name}/manifests/sha256:{}", entry.name());
                let got = self.node().get(&uri).await.expect(200);
                assert_eq!(self.missing(name, &got).await, None, "of {got:?}");
            }
            let tags = self.node().get(&format!("/v2/{name}/tags/list")).await;
            if tags.status == 200 {
                for tag in tags.json()["tags"].as_array().unwrap() {
                    let uri = format!("/v2/{name}/manifests/{}", tag.as_str().unwrap());
                    self.node().get(&uri).await.expect(200);
                }
            }
        }
    }

    async fn collect(&self, options: &GcOptions) {
        let report = self.node().registry.collect(options).await.unwrap();
        self.counts.collected.fetch_add(report.blobs, Ordering::Relaxed);
    }
}

/// Some clients, and collections until they are done.
async fn run(
    driver: Arc<dyn StorageDriver>,
    store: InMemory,
    clock: &Clock,
    grace: Duration,
    untagged: bool,
    round: u64,
) -> Arc<Run> {
    clock.write_as_of(LONG * 2);
    let node = |_| Service::on(driver.clone(), store.clone(), |builder| builder.gc_grace(grace));
    let nodes = (0..NODES).map(node).collect();
    let counts = Counts::default();
    let run = Arc::new(Run { nodes, next: AtomicUsize::new(0), grace, untagged, counts });
    // All blobs exist, are old, and are not used.
    let mut random = Random::new(round);
    for name in REPOSITORIES {
        for n in 0..LAYERS {
            ensure(run.node(), &mut random, name, &layer(n)).await;
        }
    }
    for name in REPOSITORIES {
        run.node().push_blob(name, "{}").await;
    }
    clock.write_as_of(Duration::ZERO);
    let done = Arc::new(AtomicBool::new(false));
    // The first collection, which finds the old content, begins some time after the clients, or they begin while it runs: at
    // another moment in each round. Once they have confirmed the few blobs, there is nothing to collect.
    let (clients_wait, collection_waits) = match round % 2 {
        0 => (0, round * 4),
        _ => (round * 16, 0),
    };
    let collecting = tokio::spawn({
        let (run, done) = (run.clone(), done.clone());
        async move {
            let options = GcOptions { grace, untagged, ..GcOptions::default() };
            pause(collection_waits).await;
            while !done.load(Ordering::Relaxed) {
                run.collect(&options).await;
                tokio::task::yield_now().await;
            }
        }
    });
    let clients = (round * CLIENTS..(round + 1) * CLIENTS).map(|seed| {
        let run = run.clone();
        tokio::spawn(async move {
            pause(clients_wait).await;
            match seed % 3 {
                0 if seed > 0 => run.pull(seed - 1).await,
                _ => run.push(seed).await,
            }
        })
    });
    for client in join_all(clients).await {
        client.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    collecting.await.unwrap();
    run.check_all().await;
    assert_eq!(run.node().uploads().await, 0);
    run
}

/// A thousand clients and their collections.
async fn with_collections(grace: Duration, untagged: bool, pauses: bool) {
    let sum = Counts::default();
    // This driver yields twice as often, so half of the rounds take as long.
    let rounds = if pauses { ROUNDS / 2 } else { ROUNDS };
    for round in 0..rounds {
        let clock = Clock::default();
        let store = clock.store();
        let driver: Arc<dyn StorageDriver> = match pauses {
            true => Arc::new(Yielding::new(store.clone())),
            false => Arc::new(store.clone()),
        };
        let run = run(driver, store, &clock, grace, untagged, round).await;
        sum.pushed.fetch_add(run.counts.pushed.load(Ordering::Relaxed), Ordering::Relaxed);
        sum.collected.fetch_add(run.counts.collected.load(Ordering::Relaxed), Ordering::Relaxed);
    }
    assert!(sum.collected.load(Ordering::Relaxed) > 0, "{sum:?}");
    assert!(sum.pushed.load(Ordering::Relaxed) >= rounds * CLIENTS / 2, "{sum:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirmed_blobs_are_kept_for_their_manifest() {
    with_collections(LONG, false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirmed_blobs_are_kept_while_untagged_manifests_are_collected() {
    with_collections(LONG, true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn confirmed_blobs_are_kept_on_a_driver_that_yields_often() {
    for untagged in [false, true] {
        with_collections(LONG, untagged, true).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_is_never_without_its_blobs_even_without_a_grace() {
    with_collections(Duration::ZERO, false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_is_never_without_its_blobs_with_a_grace_as_short_as_a_push() {
    with_collections(Duration::from_millis(300), true, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_is_never_without_its_blobs_while_untagged_ones_are_collected() {
    with_collections(Duration::ZERO, true, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_manifest_is_never_without_its_blobs_on_a_driver_that_yields_often() {
    for untagged in [false, true] {
        with_collections(Duration::ZERO, untagged, true).await;
    }
}
