//! Every pair of requests at two nodes, one of them between every two calls of the driver of the other.
//!
//! The two nodes have no memory in common. The outcome of a pair of clients' requests is that of one of the two orders in
//! which they could follow each other: the same tags, manifests, referrers and blobs. A collection may delete what a
//! client has not been told of, so that of pairs with a collection only invariants are asserted.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    time::Duration,
};

use inmemory::InMemory;
use serde_json::{Value, json};
use storage_driver::{Path, Precondition, StorageDriver};
use storage_driver_conformance::layers::Faulty;
use storage_driver_registry::{GcOptions, RegistryBuilder};

use crate::support::{OCI_INDEX, OCI_MANIFEST, Service, blob, digest, image, in_a_thread, index};

/// A request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Pushes a manifest to a tag.
    Push(&'static str, &'static str),
    /// Pushes a manifest by its digest.
    PushDigest(&'static str),
    /// Pushes a manifest to a tag that names the first one.
    Replace(&'static str, &'static str),
    /// Pushes a manifest to a tag that does not exist.
    Create(&'static str, &'static str),
    DeleteTag(&'static str),
    Delete(&'static str),
    DeleteBlob,
    Mount,
    /// A collection with this grace, in milliseconds.
    Collect(u64),
}

use Act::{Collect, Create, Delete, DeleteBlob, DeleteTag, Mount, Push, PushDigest, Replace};

/// What each client of a pair does. `old` has the tag `v1`, `new` has `v2`; `list` is an index of `old`, and `about` has
/// the subject `old`. Neither `list` nor `about` exists.
const REQUESTS: [Act; 15] = [
    Push("v1", "old"),
    Push("v1", "new"),
    Push("v3", "old"),
    PushDigest("old"),
    Push("v1", "list"),
    Push("v3", "about"),
    PushDigest("about"),
    Replace("v1", "new"),
    Create("v3", "new"),
    DeleteTag("v1"),
    Delete("old"),
    Delete("new"),
    Delete("about"),
    DeleteBlob,
    Mount,
];

const MANIFESTS: [&str; 4] = ["old", "new", "list", "about"];

fn manifest(name: &str) -> (&'static str, Value) {
    let old = image(&[b"old layer"]);
    let digest = digest(old.to_string().as_bytes());
    match name {
        "old" => (OCI_MANIFEST, old),
        "new" => (OCI_MANIFEST, image(&[b"new layer"])),
        "list" => (OCI_INDEX, index(&[&digest])),
        _ => {
            let mut about = image(&[]);
            about["subject"] = json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": digest });
            (OCI_MANIFEST, about)
        }
    }
}

fn digest_of(name: &str) -> String {
    digest(manifest(name).1.to_string().as_bytes())
}

fn by_digest(name: &str) -> String {
    format!("/v2/demo/manifests/{}", digest_of(name))
}

fn lease() -> Path {
    Path::parse("/registry/collection/lease").unwrap()
}

/// Sends the request, and returns the status of its response.
async fn act(node: &Service, act: Act) -> u16 {
    let put = async |uri: &str, name: &str, condition: Option<(&str, &str)>| {
        let (kind, manifest) = manifest(name);
        let mut headers = vec![("content-type", kind)];
        headers.extend(condition);
        node.send("PUT", uri, &headers, manifest.to_string()).await.status.as_u16()
    };
    let tag_uri = |tag| format!("/v2/demo/manifests/{tag}");
    let old = format!("\"{}\"", digest_of("old"));
    match act {
        Push(tag, name) => put(&tag_uri(tag), name, None).await,
        PushDigest(name) => put(&by_digest(name), name, None).await,
        Replace(tag, name) => put(&tag_uri(tag), name, Some(("if-match", &old))).await,
        Create(tag, name) => put(&tag_uri(tag), name, Some(("if-none-match", "*"))).await,
        DeleteTag(tag) => node.delete(&tag_uri(tag)).await.status.as_u16(),
        Delete(name) => node.delete(&by_digest(name)).await.status.as_u16(),
        DeleteBlob => node.delete(&blob("demo", b"free")).await.status.as_u16(),
        Mount => {
            let layer = digest(b"free");
            let uri = format!("/v2/other/blobs/uploads/?mount={layer}&from=demo");
            node.post(&uri).await.status.as_u16()
        }
        Collect(grace) => {
            // As a node that succeeds another one, although that one works still.
            let _ = node.store.delete(&lease(), Precondition::None).await;
            let grace = Duration::from_millis(grace);
            let options = GcOptions { grace, untagged: true, ..GcOptions::default() };
            node.registry.collect(&options).await.unwrap();
            200
        }
    }
}

/// What clients see.
async fn seen(store: &InMemory) -> BTreeMap<String, String> {
    let node = Service::over(store.clone(), |it| it);
    let mut seen = BTreeMap::new();
    let tags = node.get("/v2/demo/tags/list").await;
    let tags = if tags.status == 200 { tags.json()["tags"].clone() } else { json!([]) };
    for tag in tags.as_array().unwrap() {
        let tag = tag.as_str().unwrap();
        let got = node.get(&format!("/v2/demo/manifests/{tag}")).await;
        assert_eq!(got.status, 200, "tag {tag} names nothing");
        seen.insert(format!("tag {tag}"), digest(&got.body));
    }
    for name in MANIFESTS {
        let got = node.get(&by_digest(name)).await;
        seen.insert(name.to_owned(), got.status.to_string());
    }
    let referrers = node.get(&format!("/v2/demo/referrers/{}", digest_of("old"))).await;
    seen.insert("referrers".to_owned(), referrers.expect(200).json()["manifests"].to_string());
    for repository in ["demo", "other"] {
        let status = node.head(&blob(repository, b"free")).await.status;
        seen.insert(format!("blob of {repository}"), status.to_string());
    }
    seen
}

/// No manifest is without the content that it refers to.
async fn assert_whole(store: &InMemory, context: &str) {
    let node = Service::over(store.clone(), |it| it);
    for name in MANIFESTS {
        if node.get(&by_digest(name)).await.status != 200 {
            continue;
        }
        let (_, manifest) = manifest(name);
        let blobs =
            manifest["layers"].as_array().into_iter().flatten().chain([&manifest["config"]]);
        for blob in blobs.filter_map(|blob| blob["digest"].as_str()) {
            let status = node.get(&format!("/v2/demo/blobs/{blob}")).await.status;
            assert_eq!(status, 200, "{context}: {blob} of {name}");
        }
    }
}

/// The store in which every pair begins.
async fn prepared() -> InMemory {
    let node = Service::new();
    node.push_image("demo", "v1", "old layer").await;
    node.push_image("demo", "v2", "new layer").await;
    node.push_blob("demo", "free").await;
    node.store
}

fn node(store: &InMemory, options: fn(RegistryBuilder) -> RegistryBuilder) -> Service {
    Service::over(store.clone(), options)
}

/// Runs `second` before each call of the driver that `first` makes, in turn. `check` gets the store and both statuses.
async fn between_all_calls(
    prepared: &InMemory,
    options: fn(RegistryBuilder) -> RegistryBuilder,
    (first, second): (Act, Act),
    check: impl AsyncFn(&InMemory, (u16, u16), String),
) {
    for n in 0.. {
        let store = prepared.fork();
        let driver = Faulty::new(store.clone());
        let one = Service::on(Arc::new(driver.clone()), store.clone(), options);
        let other = Arc::new(node(&store, options));
        let (sender, receiver) = mpsc::channel();
        driver.plan(move |call| {
            if call.index == n {
                let other = Arc::clone(&other);
                let status = in_a_thread(async move { act(&other, second).await });
                sender.send(status).unwrap();
            }
            None
        });
        let status = act(&one, first).await;
        let Ok(other) = receiver.try_recv() else { break };
        let context = format!("{second:?} before call {n} of {first:?}: {status}, {other}");
        check(&store, (status, other), context).await;
    }
}

/// The outcome of two requests, the second after the first. The status of a deletion depends on who finds the content.
async fn in_order(
    prepared: &InMemory,
    options: fn(RegistryBuilder) -> RegistryBuilder,
    acts: [Act; 2],
) -> (Vec<u16>, BTreeMap<String, String>) {
    let store = prepared.fork();
    let mut statuses = Vec::new();
    for it in acts {
        statuses.push(act(&node(&store, options), it).await);
    }
    (statuses, seen(&store).await)
}

/// Two refusals are the same: which reason is named depends on what is looked at first.
fn outcome(status: u16) -> u16 {
    if status == 403 { 412 } else { status }
}

fn is_deletion(act: Act) -> bool {
    matches!(act, Delete(_) | DeleteTag(_) | DeleteBlob)
}

async fn assert_sequential(options: fn(RegistryBuilder) -> RegistryBuilder) {
    let prepared = prepared().await;
    for first in REQUESTS {
        for second in REQUESTS {
            let (one, two) = (
                in_order(&prepared, options, [first, second]).await,
                in_order(&prepared, options, [second, first]).await,
            );
            let known = [(one.0[0], one.0[1], one.1), (two.0[1], two.0[0], two.1)];
            let check = async |store: &InMemory, (status, other), context: String| {
                let now = seen(store).await;
                let is_known = known.iter().any(|(of_first, of_second, known)| {
                    *known == now
                        && (is_deletion(first) || outcome(*of_first) == outcome(status))
                        && (is_deletion(second) || outcome(*of_second) == outcome(other))
                });
                assert!(is_known, "{context}: {now:#?} is neither of {known:#?}");
            };
            between_all_calls(&prepared, options, (first, second), check).await;
        }
    }
}

#[tokio::test]
async fn two_requests_at_two_nodes_have_the_outcome_of_one_after_the_other() {
    assert_sequential(|it| it).await;
}

#[tokio::test]
async fn two_requests_at_two_nodes_have_the_outcome_of_one_after_the_other_with_immutable_tags() {
    assert_sequential(|it| it.immutable_tags(true)).await;
}

#[tokio::test]
async fn a_collection_and_a_request_at_two_nodes_leave_only_whole_manifests_and_tags() {
    let prepared = prepared().await;
    for grace in [0, 300] {
        for request in REQUESTS.into_iter().chain([Collect(0), Collect(300)]) {
            for acts in [(request, Collect(grace)), (Collect(grace), request)] {
                let check = async |store: &InMemory, (one, two), context: String| {
                    assert_whole(store, &context).await;
                    let now = seen(store).await;
                    let pushed = if acts.0 == request { one } else { two };
                    match request {
                        Push(tag, name) | Create(tag, name) | Replace(tag, name)
                            if pushed == 201 =>
                        {
                            let tag = now.get(&format!("tag {tag}"));
                            assert_eq!(tag, Some(&digest_of(name)), "{context}");
                        }
                        _ => {}
                    }
                };
                let grace: fn(RegistryBuilder) -> RegistryBuilder = match grace {
                    0 => |it| it.gc_grace(Duration::ZERO),
                    _ => |it| it.gc_grace(Duration::from_millis(300)),
                };
                between_all_calls(&prepared, grace, acts, check).await;
            }
        }
    }
}
