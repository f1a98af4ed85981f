//! Lists, walks and uploads give the same on servers with every order of keys and every size of pages.

use std::collections::BTreeMap;

use futures::TryStreamExt;
use storage_driver::{
    Entry, ErrorKind, ListOptions, Path, Precondition, StorageDriver, Walk, WalkOptions,
};
use storage_driver_bucket::{
    Bucket,
    double::{Double, Ways},
    http::RequestKind,
};

use crate::support::{bytes, open, path, put, upload};

/// A tree whose keys no two orders agree about.
const FILES: [&str; 21] = [
    "/a",
    "/a-b",
    "/a-b.c/d",
    "/a-b/c",
    "/a.b/-/.x",
    "/a.b/x",
    "/a0",
    "/b-1/x",
    "/b-2",
    "/b.c-d",
    "/b/-",
    "/b/c-d/e",
    "/b/c.d",
    "/b/c/d",
    "/b/c0",
    "/c-/x",
    "/c./x",
    "/c/d/e/f",
    "/c/d/e-f",
    "/c/d/e.f/g",
    "/z",
];

async fn filled(server: &Double) -> Bucket {
    let store = open(server).await;
    for name in FILES.into_iter() {
        put(&store, name, bytes(1, 10)).await.unwrap();
        upload(&store, name, bytes(1, 10)).await.unwrap();
        let gone = format!("{name}/gone");
        put(&store, &gone, bytes(1, 10)).await.unwrap();
        store.delete(&path(&gone), Precondition::None).await.unwrap();
    }
    store
}

/// Runs `test` on the tree on servers that differ in the order of keys, in pages, and in what they make of an offset.
async fn on_every_server(test: impl AsyncFn(Bucket)) {
    for ignores_delete_match in [false, true] {
        let server = Double::default();
        server.set_ways(|ways| ways.ignores_delete_match = ignores_delete_match);
        filled(&server).await;
        for page in [1, 3, 1000] {
            for bits in 0..8 {
                server.set_ways(|ways| {
                    ways.page = page;
                    ways.component_order = bits & 1 > 0;
                    ways.ignores_offset = bits & 2 > 0;
                    ways.long_pages = bits & 4 > 0;
                });
                test(open(&server).await).await;
            }
        }
    }
}

/// Every file, and every directory that one implies and that is no file.
fn expected() -> Vec<Path> {
    let mut all: Vec<Path> = FILES.into_iter().flat_map(|name| path(name).ancestors()).collect();
    all.sort_unstable();
    all.dedup();
    let is_file = |path: &Path| FILES.into_iter().any(|name| name == path.as_str());
    let below_file = |path: &Path| path.ancestors().skip(1).any(|above| is_file(&above));
    all.retain(|path| !path.is_root() && !below_file(path));
    all
}

fn paths(entries: Vec<Entry>) -> Vec<Path> {
    entries.into_iter().map(|entry| entry.path().clone()).collect()
}

#[tokio::test]
async fn a_walk_has_the_order_of_the_contract_on_every_server() {
    on_every_server(async |store| {
        let walked = store.walk(&Path::root(), WalkOptions::new()).try_collect().await.unwrap();
        assert_eq!(paths(walked), expected());
    })
    .await;
}

#[tokio::test]
async fn a_walk_starts_after_any_path_on_every_server() {
    on_every_server(async |store| {
        for start in
            ["/a", "/a-", "/a/x", "/b", "/b/c", "/b/c/d", "/b/c-d", "/c/d/e", "/c/d/e/f", "/x"]
        {
            let options = WalkOptions::new().start_after(path(start));
            let walked = store.walk(&Path::root(), options).try_collect().await.unwrap();
            let after = expected().into_iter().filter(|it| *it > path(start));
            assert_eq!(paths(walked), after.collect::<Vec<_>>(), "after {start}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_walk_of_lists_gives_the_same_as_a_flat_one() {
    on_every_server(async |store| {
        let by_list = Walk::by_list(&store, &Path::root(), WalkOptions::new());
        assert_eq!(paths(by_list.try_collect().await.unwrap()), expected());
    })
    .await;
}

#[tokio::test]
async fn pages_of_lists_and_of_uploads_join_to_the_whole_on_every_server() {
    on_every_server(async |store| {
        for limit in [2, 100] {
            let top = expected().into_iter().filter(|path| path.components().count() == 1);
            assert_eq!(listed(&store, limit).await, top.collect::<Vec<_>>());
            let mut uploads: Vec<Path> = FILES.into_iter().map(path).collect();
            uploads.sort_unstable();
            assert_eq!(uploads_listed(&store, limit).await, uploads);
        }
    })
    .await;
}

/// The children of the root, in pages.
async fn listed(store: &Bucket, limit: usize) -> Vec<Path> {
    let (mut all, mut options) = (Vec::new(), ListOptions::new().limit(limit));
    loop {
        let page = store.list(&Path::root(), options.clone()).await.unwrap();
        all.extend(paths(page.items));
        options.start_after = page.next;
        if options.start_after.is_none() {
            return all;
        }
    }
}

/// All uploads, in pages.
async fn uploads_listed(store: &Bucket, limit: usize) -> Vec<Path> {
    let (mut all, mut options) = (Vec::new(), ListOptions::new().limit(limit));
    loop {
        let page = store.uploads(&Path::root(), options.clone()).await.unwrap();
        all.extend(page.items.into_iter().map(|upload| upload.path));
        options.start_after = page.next;
        if options.start_after.is_none() {
            return all;
        }
    }
}

#[tokio::test]
async fn a_skipped_directory_is_left_out_of_a_walk() {
    let store = filled(&Double::default()).await;
    let mut walk = store.walk(&path("/c"), WalkOptions::new());
    let mut found = Vec::new();
    while let Some(entry) = walk.try_next().await.unwrap() {
        found.push(entry.path().to_string());
        if entry.path().as_str() == "/c/d/e.f" {
            walk.skip_dir();
        }
    }
    let walked = ["/c/d", "/c/d/e", "/c/d/e/f", "/c/d/e-f", "/c/d/e.f"];
    assert_eq!(found, walked);
}

#[tokio::test]
async fn a_walk_of_nothing_and_of_a_file_fails() {
    let store = filled(&Double::default()).await;
    for (at, kind) in [("/nothing", ErrorKind::PathNotFound), ("/z", ErrorKind::NotADirectory)] {
        let walked: Result<Vec<Entry>, _> =
            store.walk(&path(at), WalkOptions::new()).try_collect().await;
        assert_eq!(walked.unwrap_err().kind(), kind);
    }
}

/// Directories with thousands of names that hold each other back.
#[tokio::test]
async fn a_walk_holds_back_a_bounded_number_of_paths() {
    for component_order in [false, true] {
        let server = Double::default();
        server.set_ways(|ways| ways.component_order = component_order);
        let mut expected = BTreeMap::new();
        for number in 0..6000 {
            for name in [format!("/v/1-{number:05}"), format!("/v/1/{number:05}")] {
                server.put(&name[1..], "application/octet-stream", bytes(1, 1));
                expected.insert(path(&name), ());
            }
        }
        expected.insert(path("/v"), ());
        expected.insert(path("/v/1"), ());
        let store = open(&server).await;
        store.meter().reset();
        let walked = store.walk(&Path::root(), WalkOptions::new()).try_collect().await.unwrap();
        assert_eq!(paths(walked), expected.into_keys().collect::<Vec<_>>());
        // Each key once, and those below `/v/1` perhaps again.
        assert!(store.meter().count(RequestKind::List) <= 24, "{:?}", store.meter());
    }
}

#[tokio::test]
async fn pages_of_uploads_do_not_list_all_keys_again() {
    let server = Double::default();
    let store = open(&server).await;
    for number in 0..300 {
        let at = format!("/docker/repositories/{:02}/_uploads/{number:03}", number % 10);
        upload(&store, &at, bytes(1, 1)).await.unwrap();
    }
    server.set_ways(|ways| ways.page = 20);
    store.meter().reset();
    assert_eq!(uploads_listed(&store, 19).await.len(), 300);
    // Sixteen pages: in each, the directories on the way to its start, and as many keys as it has.
    let lists = store.meter().count(RequestKind::List);
    assert!(lists <= 16 * 8, "{lists} listings");
}

#[tokio::test]
async fn uploads_that_have_ended_cost_no_request_each_where_tombstones_stay() {
    let server = Double::new(Ways::ceph());
    let store = open(&server).await;
    for number in 0..50 {
        let at = format!("/u/{number}");
        upload(&store, &at, bytes(1, 10)).await.unwrap();
        store.cancel_upload(&path(&at)).await.unwrap();
    }
    assert_eq!(server.keys().iter().filter(|key| key.starts_with("!uploads/")).count(), 50);
    store.meter().reset();
    assert!(uploads_listed(&store, 10).await.is_empty());
    // One more than the limit is asked for at once, so that a page knows whether it is the last.
    assert_eq!(store.meter().count(RequestKind::Get), 0);
    assert_eq!(store.meter().count(RequestKind::List), 5);
}
