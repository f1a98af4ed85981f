//! Collections of several nodes: one at a time, by the clock of the store.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use inmemory::InMemory;
use storage_driver::{Layer, Operation, Path, Result, StorageDriver, StorageDriverExt};
use storage_driver_registry::{GcOptions, GcReport};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep},
};

use crate::support::{Service, blob, clock::Clock};

const HOUR: Duration = Duration::from_secs(60 * 60);
const LEASE: &str = "/registry/collection/lease";

fn lease() -> Path {
    Path::parse(LEASE).unwrap()
}

fn node(store: &InMemory, name: &str) -> Service {
    Service::over(store.clone(), |it| it.node(name))
}

/// A store with an old blob that nothing uses.
async fn with_garbage() -> InMemory {
    let clock = Clock::default();
    clock.write_as_of(48 * HOUR);
    let store = clock.store();
    node(&store, "pusher").push_blob("demo", "unused").await;
    clock.write_as_of(Duration::ZERO);
    store
}

/// A driver whose walks wait: a collection stops in the middle of its work.
#[derive(Debug)]
struct Stopped {
    inner: InMemory,
    resume: Arc<Semaphore>,
}

impl Layer for Stopped {
    type Inner = InMemory;

    fn inner(&self) -> &InMemory {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        _: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        if operation == Operation::CancelUploads {
            self.resume.acquire().await.unwrap().forget();
        }
        call.await
    }
}

/// A node whose collection takes the lease, and then waits until it may continue.
fn stopped(store: &InMemory, name: &str) -> (Service, Arc<Semaphore>) {
    let resume = Arc::new(Semaphore::new(0));
    let driver = Stopped { inner: store.clone(), resume: Arc::clone(&resume) };
    (Service::on(Arc::new(driver), store.clone(), |it| it.node(name)), resume)
}

async fn collect(service: &Service) -> GcReport {
    service.registry.collect(&GcOptions::default()).await.unwrap()
}

/// Starts a collection, and waits until it holds the lease.
async fn collecting(service: &Service) -> tokio::task::JoinHandle<GcReport> {
    let registry = service.registry.clone();
    let task = tokio::spawn(async move { registry.collect(&GcOptions::default()).await.unwrap() });
    while !service.store.exists(&lease()).await.unwrap() {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test(start_paused = true)]
async fn a_collection_names_its_node_and_leaves_no_lease() {
    let store = with_garbage().await;
    let report = collect(&node(&store, "one")).await;
    assert_eq!((report.blobs, &*report.node, report.held_by), (1, "one", None));
    assert!(!store.exists(&lease()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_node_leaves_the_work_to_the_one_that_collects() {
    let store = with_garbage().await;
    let (one, resume) = stopped(&store, "one");
    let first = collecting(&one).await;
    let begin = Instant::now();
    let left = collect(&node(&store, "two")).await;
    assert_eq!((left.blobs, left.held_by.as_deref()), (0, Some("one")));
    assert!(begin.elapsed() <= Duration::from_secs(20), "{:?}", begin.elapsed());
    resume.add_permits(1);
    assert_eq!(first.await.unwrap().blobs, 1);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_died_is_succeeded_after_a_minute() {
    let store = with_garbage().await;
    let (one, _resume) = stopped(&store, "one");
    collecting(&one).await.abort();
    let begin = Instant::now();
    let report = collect(&node(&store, "two")).await;
    assert_eq!((report.blobs, report.held_by), (1, None));
    let waited = begin.elapsed().as_secs();
    assert!((60..65).contains(&waited), "{waited} s");
    assert!(!store.exists(&lease()).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_lost_its_lease_stops() {
    let store = with_garbage().await;
    let (one, resume) = stopped(&store, "one");
    let first = collecting(&one).await;
    store.put(&lease(), "two\n").await.unwrap();
    let report = first.await.unwrap();
    assert_eq!((report.blobs, report.held_by.as_deref()), (0, Some("two")));
    assert!(store.exists(&lease()).await.unwrap(), "the lease of the other node stays");
    drop(resume);
}

#[tokio::test(start_paused = true)]
async fn one_of_two_successors_collects() {
    let store = with_garbage().await;
    store.put(&lease(), "dead\n").await.unwrap();
    let nodes = [node(&store, "one"), node(&store, "two")];
    let [one, two] = nodes.each_ref().map(collect);
    let (one, two) = tokio::join!(one, two);
    assert_eq!(one.blobs + two.blobs, 1, "{one:?} {two:?}");
}

/// A store whose clock differs from that of the nodes by `offset` seconds, and is ahead by more as time `passes`.
fn skewed(offset: i64, passes: &Arc<AtomicI64>) -> InMemory {
    let passes = Arc::clone(passes);
    let clock = move || {
        let shift = offset + passes.load(Ordering::Relaxed);
        let by = Duration::from_secs(shift.unsigned_abs());
        if shift < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    };
    InMemory::builder().clock(clock).build()
}

#[tokio::test(start_paused = true)]
async fn ages_are_by_the_clock_of_the_store() {
    const DAY: i64 = 24 * 60 * 60;
    for offset in [-2 * DAY, -60 * 60, 60 * 60, 2 * DAY] {
        let passes = Arc::default();
        let store = skewed(offset, &passes);
        let pusher = node(&store, "pusher");
        pusher.push_blob("demo", "unused").await;
        passes.store(DAY - 60, Ordering::Relaxed);
        let report = collect(&node(&store, "one")).await;
        assert_eq!((report.blobs, report.recent), (0, 1), "offset {offset}");
        passes.store(DAY + 60, Ordering::Relaxed);
        assert_eq!(collect(&node(&store, "one")).await.blobs, 1, "offset {offset}");
    }
}

#[tokio::test]
async fn a_client_is_told_of_a_blob_that_then_stays_whatever_the_clock_of_the_node() {
    const DAY: i64 = 24 * 60 * 60;
    for offset in [-2 * DAY, -60 * 60, 60 * 60, 2 * DAY] {
        for has_written in [false, true] {
            let passes = Arc::default();
            let store = skewed(offset, &passes);
            node(&store, "pusher").push_blob("demo", "unused").await;
            passes.store(DAY + 60, Ordering::Relaxed);
            let told = node(&store, "told");
            if has_written {
                told.push_blob("demo", "another").await;
            }
            told.head(&blob("demo", b"unused")).await.expect(200);
            assert_eq!(collect(&node(&store, "one")).await.blobs, 0, "offset {offset}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_renewed_while_its_node_works() {
    let store = with_garbage().await;
    let (one, resume) = stopped(&store, "one");
    let first = collecting(&one).await;
    let mut versions = std::collections::HashSet::new();
    for _ in 0..10 {
        let found = store.get_content(&lease(), 1000).await.unwrap();
        versions.insert(found.metadata().version.clone());
        sleep(Duration::from_secs(15)).await;
    }
    assert!(versions.len() >= 9, "{}", versions.len());
    resume.add_permits(1);
    assert_eq!(first.await.unwrap().held_by, None);
}
