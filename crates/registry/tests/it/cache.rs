//! The cache of manifests: how many requests it saves, and that no response is stale.

use std::{
    mem::take,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use inmemory::InMemory;
use storage_driver::{Layer, Operation, Path, Result};
use storage_driver_registry::{GcOptions, Metrics, RegistryBuilder};
use tokio::time::advance;

use crate::support::{OCI_MANIFEST, Service, blob, clock::Clock, image};

/// A driver that notes its calls.
#[derive(Debug)]
struct Noted {
    inner: InMemory,
    calls: Arc<Mutex<Vec<Operation>>>,
}

impl Layer for Noted {
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
        self.calls.lock().unwrap().push(operation);
        call.await
    }
}

/// A registry with a cache. Several on one store are the nodes of a registry.
struct Node {
    service: Service,
    calls: Arc<Mutex<Vec<Operation>>>,
}

fn with_cache(builder: RegistryBuilder) -> RegistryBuilder {
    builder.cache_memory(1 << 20)
}

impl Node {
    fn on(store: &InMemory) -> Self {
        Self::with(store, with_cache)
    }

    fn with(store: &InMemory, options: impl Fn(RegistryBuilder) -> RegistryBuilder) -> Self {
        let calls = Arc::default();
        let driver = Noted { inner: store.clone(), calls: Arc::clone(&calls) };
        Self { service: Service::on(Arc::new(driver), store.clone(), options), calls }
    }

    /// The calls of the driver for a request that succeeds.
    async fn calls(&self, method: &str, uri: &str) -> Vec<Operation> {
        self.calls.lock().unwrap().clear();
        self.service.send(method, uri, &[], Body::empty()).await.expect(200);
        take(&mut *self.calls.lock().unwrap())
    }

    async fn status(&self, method: &str, uri: &str) -> u16 {
        self.service.send(method, uri, &[], Body::empty()).await.status.as_u16()
    }
}

/// A node with the image `demo:v1`, and the paths of its manifest, by digest and by tag.
async fn with_image(store: &InMemory) -> (Node, String, &'static str) {
    let node = Node::on(store);
    let digest = node.service.push_image("demo", "v1", "layer").await;
    (node, format!("/v2/demo/manifests/{digest}"), "/v2/demo/manifests/v1")
}

#[tokio::test]
async fn a_warm_pull_of_a_manifest_is_one_request() {
    let (node, by_digest, by_tag) = with_image(&InMemory::new()).await;
    for method in ["GET", "HEAD"] {
        for (uri, operation) in [(&*by_digest, Operation::File), (by_tag, Operation::GetContent)] {
            node.status(method, uri).await;
            assert_eq!(node.calls(method, uri).await, [operation], "{method} {uri}");
        }
    }
}

#[tokio::test]
async fn a_warm_head_of_a_large_manifest_is_one_request() {
    let node = Node::on(&InMemory::new());
    node.service.push_blob("demo", "{}").await;
    let mut manifest = image(&[]);
    manifest["annotations"] = serde_json::json!({ "text": "x".repeat(100_000) });
    let digest = node.service.push_manifest("demo", "v1", OCI_MANIFEST, &manifest).await;
    let uri = format!("/v2/demo/manifests/{digest}");
    node.status("HEAD", &uri).await;
    assert_eq!(node.calls("HEAD", &uri).await, [Operation::File]);
    // Its content is not cached.
    assert_eq!(node.calls("GET", &uri).await, [Operation::File, Operation::Reader]);
    assert_eq!(node.service.get(&uri).await.body.len(), manifest.to_string().len());
}

#[tokio::test]
async fn a_warm_head_of_a_blob_is_one_request() {
    let node = Node::on(&InMemory::new());
    node.service.push_blob("demo", "layer").await;
    let layer = blob("demo", b"layer");
    assert_eq!(node.calls("HEAD", &layer).await, [Operation::File, Operation::File]);
    assert_eq!(node.calls("HEAD", &layer).await, [Operation::File]);
    assert_eq!(node.service.head(&layer).await.header("content-length"), "5");
}

#[tokio::test]
async fn without_a_cache_a_pull_reads_the_store() {
    let node = Node::with(&InMemory::new(), |builder| builder);
    node.service.push_image("demo", "v1", "layer").await;
    for _ in 0..2 {
        assert_eq!(
            node.calls("GET", "/v2/demo/manifests/v1").await,
            [Operation::GetContent, Operation::File, Operation::GetContent]
        );
    }
}

#[tokio::test]
async fn a_manifest_that_another_node_deleted_is_gone_at_once() {
    let store = InMemory::new();
    let (node, by_digest, by_tag) = with_image(&store).await;
    for uri in [&*by_digest, by_tag] {
        assert_eq!(node.status("GET", uri).await, 200);
    }
    Node::on(&store).service.delete(&by_digest).await.expect(202);
    for uri in [&*by_digest, by_tag] {
        assert_eq!([node.status("GET", uri).await, node.status("HEAD", uri).await], [404, 404]);
    }
}

#[tokio::test]
async fn a_blob_that_another_node_deleted_is_gone_at_once() {
    let store = InMemory::new();
    let (node, ..) = with_image(&store).await;
    let layer = blob("demo", b"layer");
    assert_eq!(node.status("HEAD", &layer).await, 200);
    Node::on(&store).service.delete(&layer).await.expect(202);
    assert_eq!(node.status("HEAD", &layer).await, 404);
}

#[tokio::test]
async fn a_tag_that_another_node_moved_is_followed_at_once() {
    let store = InMemory::new();
    let (node, _, by_tag) = with_image(&store).await;
    assert_eq!(node.status("GET", by_tag).await, 200);
    let moved = Node::on(&store).service.push_image("demo", "v1", "other").await;
    assert_eq!(node.service.get(by_tag).await.header("docker-content-digest"), moved);
}

#[tokio::test]
async fn a_cached_manifest_is_served_only_where_it_was_pushed() {
    let (node, by_digest, _) = with_image(&InMemory::new()).await;
    assert_eq!(node.status("GET", &by_digest).await, 200);
    node.service.push_image("other", "v1", "other layer").await;
    assert_eq!(node.status("GET", &by_digest.replace("demo", "other")).await, 404);
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_a_collection_with_a_shorter_grace_deleted_is_gone_after_a_minute() {
    let store = InMemory::new();
    let (node, other) = (Node::on(&store), Node::on(&store));
    node.service.push_blob("demo", "layer").await;
    let layer = blob("demo", b"layer");
    assert_eq!(node.status("HEAD", &layer).await, 200);
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    assert_eq!(other.service.registry.collect(&options).await.unwrap().blobs, 1);
    advance(Duration::from_secs(59)).await;
    assert_eq!(node.status("HEAD", &layer).await, 200);
    advance(Duration::from_secs(1)).await;
    assert_eq!(node.status("HEAD", &layer).await, 404);
}

#[tokio::test(start_paused = true)]
async fn a_push_does_not_rely_on_what_was_seen() {
    let store = InMemory::new();
    let (node, other) = (Node::on(&store), Node::on(&store));
    for content in ["{}", "layer"] {
        node.service.push_blob("demo", content).await;
        assert_eq!(node.status("HEAD", &blob("demo", content.as_bytes())).await, 200);
    }
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    other.service.registry.collect(&options).await.unwrap();
    let manifest = image(&[b"layer"]);
    let pushed = node.service.put_manifest("/v2/demo/manifests/v1", OCI_MANIFEST, &manifest).await;
    assert_eq!(pushed.expect(404).code(), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_collection_of_this_node_is_noticed_at_once() {
    let node = Node::on(&InMemory::new());
    node.service.push_blob("demo", "layer").await;
    let layer = blob("demo", b"layer");
    assert_eq!(node.status("HEAD", &layer).await, 200);
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    node.service.registry.collect(&options).await.unwrap();
    assert_eq!(node.status("HEAD", &layer).await, 404);
}

#[tokio::test]
async fn a_head_holds_old_content_although_it_is_cached() {
    let clock = Clock::default();
    clock.write_as_of(Duration::from_secs(30 * 24 * 60 * 60));
    let (node, by_digest, by_tag) = with_image(&clock.store()).await;
    let layer = blob("demo", b"layer");
    for uri in [by_tag, &layer] {
        node.status("HEAD", uri).await;
    }
    clock.write_as_of(Duration::ZERO);
    for (uri, touched) in [(by_tag, 1), (&*layer, 2), (&*by_digest, 0)] {
        let calls = node.calls("HEAD", uri).await;
        let touches = calls.iter().filter(|it| **it == Operation::Touch).count();
        assert_eq!(touches, touched, "{uri}: {calls:?}");
    }
    for uri in [by_tag, &layer] {
        node.status("HEAD", uri).await;
        assert_eq!(node.calls("HEAD", uri).await.len(), 1, "{uri}");
    }
}

#[tokio::test]
async fn lookups_and_memory_are_counted() {
    let (store, metrics) = (InMemory::new(), Metrics::new());
    let node = Node::with(&store, |it| with_cache(it).metrics(metrics.clone()));
    node.service.push_image("demo", "v1", "layer").await;
    for _ in 0..3 {
        node.status("GET", "/v2/demo/manifests/v1").await;
    }
    let text = metrics.encode();
    for line in [
        "registry_cache_lookups_total{of=\"manifest\",outcome=\"hit\"} 2\n",
        "registry_cache_lookups_total{of=\"manifest\",outcome=\"miss\"} 1\n",
        "registry_cache_capacity_bytes 1048576\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("registry_cache_used_bytes 0\n"), "{text}");
}
