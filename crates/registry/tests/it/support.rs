//! A registry that takes requests without a connection, and its store.
#![allow(dead_code, unreachable_pub, missing_docs)] // Not every test binary uses all of it.

// The program `memory` includes this file from another directory.
#[path = "support/clock.rs"]
pub mod clock;

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Waker},
};

use axum::{
    Router,
    body::{Body, to_bytes},
};
use bytes::Bytes;
use futures::{FutureExt, channel::mpsc, future::BoxFuture, stream};
use http::{HeaderMap, Request, StatusCode};
use inmemory::InMemory;
use sha2::{Digest, Sha256, Sha512};
use storage_driver::{ListOptions, Path, StorageDriver, StorageDriverExt};
use storage_driver_registry::{Registry, RegistryBuilder};
use tower::ServiceExt;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const EMPTY_CONFIG: &[u8] = b"{}";

/// A registry over a store that the test can look into.
pub struct Service {
    pub registry: Registry,
    pub store: InMemory,
    /// Those of its nodes, which receive requests in turn.
    routers: Vec<Router>,
    next: AtomicUsize,
}

/// The variable that sets how many nodes a [`Service`] has. One, unless it is set.
pub const NODES: &str = "TEST_NODES";

/// A response with its whole body.
#[derive(Debug)]
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Response {
    /// A header as text; empty if it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The code of the error in its body.
    pub fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }
}

impl Service {
    pub fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub fn with(options: impl Fn(RegistryBuilder) -> RegistryBuilder) -> Self {
        Self::over(InMemory::new(), options)
    }

    pub fn over(store: InMemory, options: impl Fn(RegistryBuilder) -> RegistryBuilder) -> Self {
        Self::on(Arc::new(store.clone()), store, options)
    }

    /// A registry on `driver`, whose innermost driver is `store`.
    pub fn on(
        driver: Arc<dyn StorageDriver>,
        store: InMemory,
        options: impl Fn(RegistryBuilder) -> RegistryBuilder,
    ) -> Self {
        let build = || options(Registry::builder(Arc::clone(&driver)));
        let nodes: Vec<Registry> = match std::env::var(NODES) {
            Err(_) => vec![build().build()],
            Ok(count) => {
                // As the program has it, each with its own cache.
                let node = || build().cache_memory(32 << 20).cursor_keys([[7; 32]]).build();
                (0..count.parse().unwrap()).map(|_| node()).collect()
            }
        };
        let routers = nodes.iter().map(Registry::router).collect();
        let registry = nodes.into_iter().next().unwrap();
        Self { registry, store, routers, next: AtomicUsize::new(0) }
    }

    /// Sends a request, and returns the response with its body unread.
    pub fn request(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> BoxFuture<'static, http::Response<Body>> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let next = self.next.fetch_add(1, Ordering::Relaxed) % self.routers.len();
        let router = self.routers[next].clone();
        async move { router.oneshot(request).await.unwrap() }.boxed()
    }

    pub fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> BoxFuture<'static, Response> {
        let response = self.request(method, uri, headers, body);
        async move {
            let (parts, body) = response.await.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            Response { status: parts.status, headers: parts.headers, body }
        }
        .boxed()
    }

    pub fn get(&self, uri: &str) -> BoxFuture<'static, Response> {
        self.send("GET", uri, &[], Body::empty())
    }

    pub fn head(&self, uri: &str) -> BoxFuture<'static, Response> {
        self.send("HEAD", uri, &[], Body::empty())
    }

    pub fn delete(&self, uri: &str) -> BoxFuture<'static, Response> {
        self.send("DELETE", uri, &[], Body::empty())
    }

    pub fn post(&self, uri: &str) -> BoxFuture<'static, Response> {
        self.send("POST", uri, &[], Body::empty())
    }

    /// Begins an upload and returns its location.
    pub async fn start(&self, name: &str) -> String {
        let begun = self.post(&format!("/v2/{name}/blobs/uploads/")).await.expect(202);
        begun.header("location").to_owned()
    }

    pub async fn patch(&self, upload: &str, range: &str, body: impl Into<Body>) -> Response {
        self.send("PATCH", upload, &[("content-range", range)], body).await
    }

    /// Finishes an upload as `content`, without a body.
    pub async fn put(&self, upload: &str, content: &[u8]) -> Response {
        let uri = with_digest(upload, &digest(content));
        self.send("PUT", &uri, &[], Body::empty()).await
    }

    /// Pushes a blob and returns its digest.
    pub async fn push_blob(&self, name: &str, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let digest = digest(&content);
        let upload = self.start(name).await;
        self.send("PUT", &with_digest(&upload, &digest), &[], content).await.expect(201);
        digest
    }

    /// Pushes a manifest and returns its digest.
    pub async fn push_manifest(
        &self,
        name: &str,
        reference: &str,
        media_type: &str,
        manifest: &serde_json::Value,
    ) -> String {
        let content = manifest.to_string();
        let digest = digest(content.as_bytes());
        let uri = format!("/v2/{name}/manifests/{reference}");
        self.send("PUT", &uri, &[("content-type", media_type)], content).await.expect(201);
        digest
    }

    /// Writes a manifest to the store, in the repository `demo`, as another registry would have done. Returns its
    /// digest.
    pub async fn store_manifest(&self, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let digest = digest(&content);
        let hex = digest.strip_prefix("sha256:").unwrap();
        let root = "/docker/registry/v2";
        let blob = format!("{root}/blobs/sha256/{}/{hex}/data", &hex[..2]);
        let link = format!("{root}/repositories/demo/_manifests/revisions/sha256/{hex}/link");
        self.store.put(&Path::parse(blob).unwrap(), content).await.unwrap();
        self.store.put(&Path::parse(link).unwrap(), digest.clone()).await.unwrap();
        digest
    }

    /// Pushes an image of one layer and returns the digest of its manifest.
    pub async fn push_image(&self, name: &str, tag: &str, layer: &str) -> String {
        self.push_blob(name, EMPTY_CONFIG).await;
        self.push_blob(name, layer.to_owned()).await;
        let manifest = image(&[layer.as_bytes()]);
        self.push_manifest(name, tag, OCI_MANIFEST, &manifest).await
    }

    pub async fn put_manifest(
        &self,
        uri: &str,
        kind: &str,
        manifest: &serde_json::Value,
    ) -> Response {
        self.send("PUT", uri, &[("content-type", kind)], manifest.to_string()).await
    }

    /// The number of uploads in progress.
    pub async fn uploads(&self) -> usize {
        self.store.uploads(&Path::root(), ListOptions::new()).await.unwrap().items.len()
    }

    #[track_caller]
    pub fn assert_upload_size(&self, upload: &str, range: &str) -> BoxFuture<'static, ()> {
        let (response, range) = (self.get(upload), range.to_owned());
        async move {
            let response = response.await.expect(204);
            assert_eq!(response.header("range"), range);
        }
        .boxed()
    }
}

pub fn digest(content: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(content)))
}

pub fn sha512(content: &[u8]) -> String {
    format!("sha512:{}", hex(&Sha512::digest(content)))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The location of an upload with the digest as its query.
pub fn with_digest(upload: &str, digest: &str) -> String {
    let separator = if upload.contains('?') { '&' } else { '?' };
    format!("{upload}{separator}digest={digest}")
}

pub fn blob(name: &str, content: &[u8]) -> String {
    format!("/v2/{name}/blobs/{}", digest(content))
}

pub fn descriptor(media_type: &str, content: &[u8]) -> serde_json::Value {
    serde_json::json!({
        "mediaType": media_type, "size": content.len(), "digest": digest(content),
    })
}

/// The manifest of an image with an empty configuration and these layers.
pub fn image(layers: &[&[u8]]) -> serde_json::Value {
    let layers: Vec<_> =
        layers.iter().map(|it| descriptor("application/vnd.oci.image.layer.v1.tar", it)).collect();
    serde_json::json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", EMPTY_CONFIG),
        "layers": layers,
    })
}

/// An index of manifests, given by their digests.
pub fn index(manifests: &[&str]) -> serde_json::Value {
    let manifests: Vec<_> = manifests
        .iter()
        .map(|digest| serde_json::json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": digest }))
        .collect();
    serde_json::json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests })
}

/// A body that yields `sent` and then fails.
pub fn broken(sent: &'static str) -> Body {
    let parts = [Ok(sent), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    Body::from_stream(stream::iter(parts))
}

/// A body in parts, without a declared length.
pub fn streamed(parts: impl IntoIterator<Item = Vec<u8>>) -> Body {
    let parts: Vec<io::Result<Vec<u8>>> = parts.into_iter().map(Ok).collect();
    Body::from_stream(stream::iter(parts))
}

/// A body that the test sends, part by part.
pub fn slow() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(0);
    (sender, Body::from_stream(receiver))
}

/// Polls a request once.
pub fn poll_once<T>(request: &mut BoxFuture<'_, T>) {
    assert!(request.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
}

/// Runs `work` on another thread with a new runtime, because the thread of a test has one already.
pub fn in_a_thread<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    std::thread::spawn(move || runtime.block_on(work)).join().unwrap()
}

/// Lets other tasks run so many times.
pub async fn pause(turns: u64) {
    for _ in 0..turns {
        tokio::task::yield_now().await;
    }
}
