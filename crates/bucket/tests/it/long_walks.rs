//! Walks of many pages, several of which are read at once.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::TryStreamExt;
use storage_driver::{ErrorKind, Path, StorageDriver, WalkOptions};
use storage_driver_bucket::{
    Bucket,
    double::{Double, Ways},
    http::{Fault, FaultPlan, RequestKind},
};
use tokio::time::Instant;

use crate::support::{bytes, open, path};

/// Keys in a page.
const PAGE: usize = 50;
/// How long a request takes.
const LATENCY: Duration = Duration::from_millis(100);

fn add(server: &Double, at: &str) {
    server.put(&at[1..], "application/octet-stream", bytes(1, 1));
}

/// A server with `dirs` directories of `files` files, as a registry keeps its blobs.
fn blobs(dirs: usize, files: usize) -> (Double, Vec<String>) {
    let server = Double::default();
    server.set_ways(|ways| ways.page = PAGE);
    let mut expected = Vec::new();
    for dir in 0..dirs {
        for file in 0..files {
            let at = format!("/blobs/sha256/{dir:03x}/{file:05}/data");
            add(&server, &at);
            expected.push(at);
        }
    }
    (server, expected)
}

/// The files of a walk.
async fn walk(store: &Bucket) -> storage_driver::Result<Vec<String>> {
    let entries = store.walk(&Path::root(), WalkOptions::new());
    let files = entries.try_filter(|entry| std::future::ready(entry.is_file()));
    files.map_ok(|entry| entry.path().to_string()).try_collect().await
}

/// Calls `decide` with the number of each listing, from zero on.
fn on_each_listing(store: &Bucket, decide: impl Fn(u64) -> Fault + Send + Sync + 'static) {
    let sent = AtomicU64::new(0);
    store.meter().reset();
    store.meter().set_faults(Some(FaultPlan::new(move |kind, _| match kind {
        RequestKind::List => decide(sent.fetch_add(1, Ordering::Relaxed)),
        _ => Fault::None,
    })));
}

fn listings(store: &Bucket) -> usize {
    store.meter().count(RequestKind::List) as usize
}

#[tokio::test(start_paused = true)]
async fn a_long_walk_has_four_requests_under_way_and_never_more() {
    let (server, expected) = blobs(128, 39);
    let store = open(&server).await;
    let sent: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let log = Arc::clone(&sent);
    on_each_listing(&store, move |_| {
        log.lock().unwrap().push(Instant::now());
        Fault::Late(LATENCY)
    });
    let begun = Instant::now();
    assert_eq!(walk(&store).await.unwrap(), expected);
    let elapsed = begun.elapsed();
    let sent = sent.lock().unwrap();
    let under_way =
        |at: &Instant| sent.iter().filter(|it| *it <= at && **it + LATENCY > *at).count();
    assert_eq!(sent.iter().map(under_way).max(), Some(4));
    // A hundred pages.
    assert!(elapsed <= 40 * LATENCY, "{elapsed:?}");
}

/// At most a tenth, and if a directory has six pages and a bit, the seventh of each.
#[tokio::test]
async fn a_long_walk_sends_few_requests_more_than_it_has_pages() {
    let trees = [(150, 40, 10), (128, 48, 10), (32, 117, 10), (20, 290, 10), (16, 312, 13)];
    for (dirs, files, percent) in trees {
        let (server, expected) = blobs(dirs, files);
        let store = open(&server).await;
        store.meter().reset();
        assert_eq!(walk(&store).await.unwrap(), expected);
        let (pages, sent) = (expected.len().div_ceil(PAGE), listings(&store));
        let most = pages + pages * percent / 100;
        assert!((pages..=most).contains(&sent), "{sent} for {pages}: {dirs} of {files}");
    }
}

#[tokio::test]
async fn a_walk_of_four_pages_sends_four_requests() {
    for (dirs, files) in [(1, 1), (1, 50), (4, 25), (1, 200), (50, 4)] {
        let (server, expected) = blobs(dirs, files);
        let store = open(&server).await;
        store.meter().reset();
        assert_eq!(walk(&store).await.unwrap(), expected);
        assert_eq!(listings(&store), expected.len().div_ceil(PAGE), "{dirs}, {files}");
    }
}

/// The files of one directory cannot be divided, and a server that ignores offsets lists everything again.
#[tokio::test]
async fn a_walk_that_cannot_be_divided_sends_few_requests_in_vain() {
    for ignores_offset in [false, true] {
        let (server, expected) = if ignores_offset { blobs(128, 39) } else { blobs(1, 5000) };
        let store = open(&server).await;
        server.set_ways(|ways| ways.ignores_offset = ignores_offset);
        store.meter().reset();
        assert_eq!(walk(&store).await.unwrap(), expected);
        let (pages, sent) = (expected.len().div_ceil(PAGE), listings(&store));
        // After 4, 8, 16 and 32 pages more.
        let in_vain = if ignores_offset { 1 } else { 4 };
        assert!(sent <= pages + in_vain, "{sent} for {pages}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_walk_has_at_most_twelve_pages_ahead() {
    let (server, expected) = blobs(128, 39);
    let mut most = 0;
    for stuck in (6..90).step_by(7) {
        let store = open(&server).await;
        on_each_listing(&store, move |number| match number == stuck {
            true => Fault::Late(Duration::from_secs(1000)),
            false => Fault::None,
        });
        let mut entries = store.walk(&Path::root(), WalkOptions::new());
        let mut found = 0;
        let whole = async {
            while let Some(entry) = entries.try_next().await.unwrap() {
                found += usize::from(entry.is_file());
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(500), whole).await;
        assert!(waited.is_err() || found == expected.len());
        // What was sent in vain is no page that is held: one list of directories, and a page of about twelve.
        let taken = found.div_ceil(PAGE);
        let ahead = listings(&store).saturating_sub(taken + 1 + taken / 12);
        assert!(ahead <= 12, "{ahead} pages ahead while request {stuck} is late");
        most = most.max(ahead);
    }
    assert!(most >= 10, "{most} pages ahead");
}

#[tokio::test(start_paused = true)]
async fn a_walk_that_is_dropped_aborts_its_requests() {
    let (server, _) = blobs(128, 39);
    let store = open(&server).await;
    on_each_listing(&store, |_| Fault::Late(LATENCY));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let mut entries = store.walk(&Path::root(), WalkOptions::new());
    while tasks() < 4 {
        entries.try_next().await.unwrap().unwrap();
    }
    drop(entries);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 0);
}

#[tokio::test]
async fn a_page_that_cannot_be_read_ends_a_walk_behind_all_that_comes_before_it() {
    let (server, expected) = blobs(48, 39);
    let (mut whole, mut failed) = (0, 0);
    for refused in 0..30 {
        let store = open(&server).await;
        on_each_listing(&store, move |number| match number == refused {
            true => Fault::Refused(403),
            false => Fault::None,
        });
        let mut found = Vec::new();
        let mut entries = store.walk(&Path::root(), WalkOptions::new());
        let end = loop {
            match entries.try_next().await {
                Ok(Some(entry)) if entry.is_file() => found.push(entry.path().to_string()),
                Ok(Some(_)) => {}
                Ok(None) => break None,
                Err(error) => break Some(error.kind()),
            }
        };
        assert!(expected.starts_with(&found), "request {refused}");
        match end {
            // The list of directories, or no request at all.
            None => whole += usize::from(found.len() == expected.len()),
            Some(kind) => {
                assert_eq!(kind, ErrorKind::PermissionDenied);
                failed += 1;
            }
        }
    }
    assert!(whole >= 1 && failed >= 20 && whole + failed == 30, "{whole}, {failed}");
}

/// Directories and files come and go while the walk runs and its requests overtake each other.
#[tokio::test(start_paused = true)]
async fn files_that_stay_are_walked_once_and_in_order_while_others_come_and_go() {
    const NAMES: [&str; 14] =
        ["-", "0", "1", "2-", "2", "2.x", "3", "a", "a-b", "a.b", "a0", "ab", "b", "b_c"];
    for seed in 0..12 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let server = Double::new(Ways::default());
        let mut stay: Vec<Path> = Vec::new();
        for _ in 0..rng.usize(1..30) {
            let dir = format!("/d/{}/{}", rng.choice(NAMES).unwrap(), rng.choice(NAMES).unwrap());
            stay.extend((0..rng.usize(1..80)).map(|file| path(&format!("{dir}/f{file}"))));
        }
        stay.sort_unstable();
        stay.dedup();
        stay.iter().for_each(|at| add(&server, at.as_str()));
        let store = open(&server).await;
        let page = *rng.choice(&[1, 3, 10, 40]).unwrap();
        let component_order = rng.bool();
        server.set_ways(|ways| {
            ways.page = page;
            ways.component_order = component_order;
        });
        let times = Mutex::new(rng.fork());
        on_each_listing(&store, move |_| {
            Fault::Late(Duration::from_millis(times.lock().unwrap().u64(0..100)))
        });
        let mut entries = store.walk(&Path::root(), WalkOptions::new());
        let mut found: Vec<Path> = Vec::new();
        while let Some(entry) = entries.try_next().await.unwrap() {
            if entry.is_file() {
                found.push(entry.path().clone());
            }
            for _ in 0..rng.usize(0..4) {
                let at = format!(
                    "/d/{}/{}/v{}",
                    rng.choice(NAMES).unwrap(),
                    rng.choice(NAMES).unwrap(),
                    rng.u8(0..4)
                );
                match rng.bool() {
                    true => add(&server, &at),
                    false => server.remove(&at[1..]),
                }
            }
        }
        assert!(found.is_sorted_by(|a, b| a < b), "seed {seed}");
        found.retain(|at| at.name().is_some_and(|name| name.starts_with('f')));
        assert_eq!(found, stay, "seed {seed}");
    }
}
