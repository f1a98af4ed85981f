//! The routes of the `registry_service` example, and what a client may do to them that `curl` cannot.

use std::{
    io,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use conformance::{layers::Yielding, reference::Reference};
use futures::{FutureExt, StreamExt, channel::mpsc, future::BoxFuture, stream};
use inmemory::InMemory;
use sha2::{Digest, Sha256};
use storage_driver::{
    Capabilities, ErrorKind, ListOptions, Metadata, Path, Precondition, Result, StorageDriver,
    WriteSession, Writer,
};
use tower::ServiceExt;

#[path = "../registry_service/blob.rs"]
mod blob;
#[path = "../registry_service/problem.rs"]
mod problem;
#[path = "../registry_service/service.rs"]
mod service;
#[path = "../registry_service/upload.rs"]
mod upload;

/// A service over a store that the test can look into.
struct Service {
    router: Router,
    store: InMemory,
}

impl Service {
    fn new() -> Self {
        Self::over(InMemory::new())
    }

    fn over(store: InMemory) -> Self {
        Self { router: router(store.clone()), store }
    }

    fn send(
        &self,
        method: &str,
        uri: &str,
        header: Option<(header::HeaderName, &str)>,
        body: impl Into<Body>,
    ) -> BoxFuture<'static, Response> {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).unwrap();
        let router = self.router.clone();
        async move { router.oneshot(request).await.unwrap() }.boxed()
    }

    async fn start(&self) -> String {
        let response = self.send("POST", "/v2/demo/blobs/uploads/", None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::ACCEPTED);
        text(response.headers(), header::LOCATION)
    }

    async fn patch(&self, upload: &str, range: &str, body: impl Into<Body>) -> Response {
        self.send("PATCH", upload, Some((header::CONTENT_RANGE, range)), body).await
    }

    async fn put(&self, upload: &str, content: &[u8]) -> Response {
        let uri = format!("{upload}?digest={}", digest(content));
        self.send("PUT", &uri, None, Body::empty()).await
    }

    async fn get(&self, content: &[u8], range: Option<&str>) -> Response {
        let range = range.map(|range| (header::RANGE, range));
        self.send("GET", &blob(content), range, Body::empty()).await
    }

    /// Uploads and publishes `content`.
    async fn push(&self, content: &'static [u8]) {
        let upload = self.start().await;
        let patched = self.send("PATCH", &upload, None, content).await;
        assert_eq!(patched.status(), StatusCode::ACCEPTED);
        assert_eq!(self.put(&upload, content).await.status(), StatusCode::CREATED);
    }

    async fn uploads(&self) -> usize {
        self.store.uploads(&Path::root(), ListOptions::new()).await.unwrap().items.len()
    }

    /// Asserts how far an upload has come.
    async fn assert_stands_at(&self, upload: &str, range: &str) {
        let response = self.send("GET", upload, None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        assert_eq!(text(response.headers(), header::RANGE), range);
    }
}

fn router(driver: impl StorageDriver + 'static) -> Router {
    service::router(Arc::new(driver)).unwrap()
}

fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn blob(content: &[u8]) -> String {
    format!("/v2/demo/blobs/{}", digest(content))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> String {
    headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

async fn content(response: Response) -> Bytes {
    to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

/// A body that gives `sent` and breaks.
fn broken(sent: &'static str) -> Body {
    let parts = [Ok(sent), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
    Body::from_stream(stream::iter(parts))
}

/// A body that the test sends, part by part.
fn slow() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, receiver) = mpsc::channel(0);
    (sender, Body::from_stream(receiver))
}

/// Polls a request once, which takes it as far as its body goes.
fn poll_once(request: &mut BoxFuture<'_, Response>) {
    assert!(request.poll_unpin(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn a_blob_pushed_in_chunks_comes_back() {
    let service = Service::new();
    let upload = service.start().await;
    let response = service.patch(&upload, "0-5", "hello ").await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(text(response.headers(), header::RANGE), "0-5");
    let uri = format!("{upload}?digest={}", digest(b"hello world"));
    let response = service.send("PUT", &uri, None, "world").await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!(text(response.headers(), header::LOCATION), blob(b"hello world"));

    let response = service.get(b"hello world", None).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response.headers(), header::CONTENT_LENGTH), "11");
    assert_eq!(text(response.headers(), header::ACCEPT_RANGES), "bytes");
    let named = response.headers()["docker-content-digest"].to_str().unwrap();
    assert_eq!(named, digest(b"hello world"));
    assert_eq!(content(response).await, "hello world");
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn a_driver_that_makes_everybody_wait_serves_as_well() {
    let store = InMemory::new();
    let service = Service { router: router(Yielding::new(store.clone())), store };
    service.push(b"hello").await;
    assert_eq!(content(service.get(b"hello", None).await).await, "hello");
}

#[test]
fn a_driver_that_does_not_do_what_the_service_relies_on_is_refused() {
    let needed =
        Capabilities { keeps_on_drop: true, conditional_commit: true, ..Capabilities::none() };
    let serve = |claimed| service::router(Arc::new(Reference::claiming(claimed))).map(drop);
    serve(needed).unwrap();
    for claimed in [
        Capabilities { keeps_on_drop: false, ..needed },
        Capabilities { conditional_commit: false, ..needed },
    ] {
        assert_eq!(serve(claimed).unwrap_err().kind(), ErrorKind::Unsupported);
    }
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let service = Service::new();
    service.push(b"").await;
    let response = service.get(b"", None).await;
    assert_eq!(text(response.headers(), header::CONTENT_LENGTH), "0");
    assert_eq!(content(response).await, "");
}

#[tokio::test]
async fn a_blob_larger_than_a_segment_comes_back() {
    let service = Service::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let upload = service.start().await;
    let parts: Vec<io::Result<Vec<u8>>> =
        large.chunks(70_001).map(|part| Ok(part.to_vec())).collect();
    service.send("PATCH", &upload, None, Body::from_stream(stream::iter(parts))).await;
    assert_eq!(service.put(&upload, &large).await.status(), StatusCode::CREATED);
    assert_eq!(content(service.get(&large, None).await).await, large);
}

#[tokio::test]
async fn a_body_that_breaks_leaves_the_upload_resumable() {
    let service = Service::new();
    let upload = service.start().await;
    let response = service.send("PATCH", &upload, None, broken("hello ")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(response.headers(), header::RANGE), "0-5");
    service.assert_stands_at(&upload, "0-5").await;

    assert_eq!(service.patch(&upload, "6-10", "world").await.status(), StatusCode::ACCEPTED);
    assert_eq!(service.put(&upload, b"hello world").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_last_chunk_that_breaks_publishes_nothing() {
    let service = Service::new();
    let upload = service.start().await;
    let uri = format!("{upload}?digest={}", digest(b"hello "));
    let response = service.send("PUT", &uri, None, broken("hello ")).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(service.get(b"hello ", None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(service.put(&upload, b"hello ").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_request_that_is_dropped_leaves_the_upload_resumable() {
    let service = Service::new();
    let upload = service.start().await;
    let (mut sender, body) = slow();
    {
        let mut request = service.send("PATCH", &upload, None, body);
        poll_once(&mut request);
        sender.try_send(Ok("hello ".into())).unwrap();
        poll_once(&mut request);
    }
    service.assert_stands_at(&upload, "0-5").await;
    assert_eq!(service.patch(&upload, "6-10", "world").await.status(), StatusCode::ACCEPTED);
    assert_eq!(service.put(&upload, b"hello world").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_client_that_reconnects_does_not_wait_for_its_dead_connection() {
    let service = Service::new();
    let upload = service.start().await;
    let (mut sender, body) = slow();
    let mut dead = service.send("PATCH", &upload, None, body);
    poll_once(&mut dead);
    sender.try_send(Ok("hello ".into())).unwrap();
    poll_once(&mut dead);

    assert_eq!(service.patch(&upload, "6-10", "world").await.status(), StatusCode::ACCEPTED);
    // What the dead connection still had in its pipes joins nothing.
    sender.try_send(Ok("HELLO".into())).unwrap();
    assert_eq!(dead.await.status(), StatusCode::CONFLICT);
    service.assert_stands_at(&upload, "0-10").await;
    assert_eq!(service.put(&upload, b"hello world").await.status(), StatusCode::CREATED);
}

/// A session that takes everything, as one may that sends it to its backend later and hears only
/// then that it was fenced.
struct Unaware;

#[async_trait]
impl WriteSession for Unaware {
    fn start_write(&mut self, _: Bytes) -> Result<()> {
        Ok(())
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Err(ErrorKind::WriterFenced.into()))
    }

    async fn commit_to(self: Box<Self>, _: &Path, _: Precondition) -> Result<Metadata> {
        Err(ErrorKind::WriterFenced.into())
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        Err(ErrorKind::WriterFenced.into())
    }
}

#[test]
fn a_request_that_was_overtaken_adds_nothing_to_the_digest() {
    let mut writer = Writer::new("unaware", Path::new("/uploads/one").unwrap(), 0, Unaware);
    let mut accepted = upload::Accepted { turn: 2, ..Default::default() };
    assert!(accepted.add(1, &mut writer, "late".into()).is_err());
    assert_eq!(accepted.size, 0);
    accepted.add(2, &mut writer, "in time".into()).unwrap();
    assert_eq!(accepted.size, 7);
}

#[tokio::test]
async fn a_wrong_offset_is_told_and_disturbs_nobody() {
    let service = Service::new();
    let upload = service.start().await;
    let (mut sender, body) = slow();
    let mut request = service.send("PATCH", &upload, None, body);
    poll_once(&mut request);
    sender.try_send(Ok("hello ".into())).unwrap();
    poll_once(&mut request);

    let response = service.patch(&upload, "7-11", "world").await;
    assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(text(response.headers(), header::RANGE), "0-5");
    sender.try_send(Ok("world".into())).unwrap();
    drop(sender);
    assert_eq!(request.await.status(), StatusCode::ACCEPTED);
    service.assert_stands_at(&upload, "0-10").await;
}

#[tokio::test]
async fn a_content_range_of_another_length_is_refused_and_what_came_is_kept() {
    let service = Service::new();
    let upload = service.start().await;
    let response = service.patch(&upload, "0-9", "hello ").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(text(response.headers(), header::RANGE), "0-5");
    for range in ["", "6", "9-6", "bytes 6-10/11", "6-x", "6-18446744073709551616"] {
        let response = service.patch(&upload, range, "world").await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{range}");
    }
    let response = service.patch(&upload, "6-18446744073709551615", "").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    service.assert_stands_at(&upload, "0-5").await;
}

#[tokio::test]
async fn a_wrong_digest_publishes_nothing_and_loses_nothing() {
    let service = Service::new();
    let upload = service.start().await;
    service.patch(&upload, "0-4", "hello").await;
    let response = service.put(&upload, b"something else").await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    for blob in [&b"hello"[..], b"something else"] {
        assert_eq!(service.get(blob, None).await.status(), StatusCode::NOT_FOUND);
    }
    assert_eq!(service.put(&upload, b"hello").await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn a_digest_that_is_none_is_refused() {
    let service = Service::new();
    let upload = service.start().await;
    for query in ["", "?digest=", "?digest=sha256:00", "?digest=md5:00", "?other=1"] {
        let response = service.send("PUT", &format!("{upload}{query}"), None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{query}");
    }
    let upper =
        blob(b"hello").to_uppercase().replace("/V2/DEMO/BLOBS/SHA256", "/v2/demo/blobs/sha256");
    let response = service.send("GET", &upper, None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_blob_that_exists_can_be_pushed_again() {
    let service = Service::new();
    service.push(b"hello").await;
    service.push(b"hello").await;
    assert_eq!(content(service.get(b"hello", None).await).await, "hello");
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn an_upload_that_ended_is_not_found() {
    let service = Service::new();
    let upload = service.start().await;
    service.patch(&upload, "0-4", "hello").await;
    let response = service.send("DELETE", &upload, None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(service.uploads().await, 0);
    for method in ["GET", "PATCH", "DELETE"] {
        let response = service.send(method, &upload, None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{method}");
    }
    assert_eq!(service.put(&upload, b"hello").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_full_store_loses_nothing_and_goes_on_when_there_is_room() {
    let service = Service::over(InMemory::builder().capacity(4 << 20).build());
    let large: &[u8] = vec![7; 3 << 20].leak();
    service.push(large).await;

    let upload = service.start().await;
    let first = service.patch(&upload, "0-4", "hello").await;
    assert_eq!(first.status(), StatusCode::ACCEPTED);
    let second = vec![8; 2 << 20];
    let range = format!("5-{}", second.len() + 4);
    let response = service.patch(&upload, &range, second.clone()).await;
    assert_eq!(response.status(), StatusCode::INSUFFICIENT_STORAGE);
    assert_eq!(text(response.headers(), header::RANGE), "0-4");

    let response = service.send("DELETE", &blob(large), None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let response = service.patch(&upload, &range, second.clone()).await;
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    let whole = [b"hello", &*second].concat();
    assert_eq!(service.put(&upload, &whole).await.status(), StatusCode::CREATED);
}

#[tokio::test]
async fn ranges_are_those_of_http() {
    let service = Service::new();
    service.push(b"0123456789").await;
    let partial = [
        ("bytes=2-5", "2345", "bytes 2-5/10"),
        ("bytes=0-0", "0", "bytes 0-0/10"),
        ("bytes=7-", "789", "bytes 7-9/10"),
        ("bytes=7-99", "789", "bytes 7-9/10"),
        ("bytes=7-18446744073709551615", "789", "bytes 7-9/10"),
        ("bytes=-3", "789", "bytes 7-9/10"),
        ("bytes=-99", "0123456789", "bytes 0-9/10"),
    ];
    for (range, expected, part) in partial {
        let response = service.get(b"0123456789", Some(range)).await;
        assert_eq!(response.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(text(response.headers(), header::CONTENT_RANGE), part);
        assert_eq!(text(response.headers(), header::CONTENT_LENGTH), expected.len().to_string());
        assert_eq!(content(response).await, expected, "{range}");
    }
}

#[tokio::test]
async fn a_range_past_the_end_is_not_satisfiable() {
    let service = Service::new();
    service.push(b"0123456789").await;
    for range in ["bytes=10-", "bytes=11-", "bytes=10-12", "bytes=-0"] {
        let response = service.get(b"0123456789", Some(range)).await;
        assert_eq!(response.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(text(response.headers(), header::CONTENT_RANGE), "bytes */10");
    }
}

#[tokio::test]
async fn a_range_that_is_none_gives_the_whole() {
    let service = Service::new();
    service.push(b"0123456789").await;
    for range in ["bytes=5-2", "bytes=", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=+1-2"] {
        let response = service.get(b"0123456789", Some(range)).await;
        assert_eq!(response.status(), StatusCode::OK, "{range}");
        assert_eq!(content(response).await, "0123456789");
    }
}

#[tokio::test]
async fn a_download_outlives_the_blob() {
    let service = Service::new();
    service.push(b"hello").await;
    let response = service.get(b"hello", None).await;
    service.send("DELETE", &blob(b"hello"), None, Body::empty()).await;
    assert_eq!(service.get(b"hello", None).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(content(response).await, "hello");
}

#[tokio::test]
async fn a_download_reads_no_further_than_its_client() {
    let service = Service::new();
    let upload = service.start().await;
    let parts: Vec<io::Result<Vec<u8>>> = (0..8).map(|part| Ok(vec![part; 1 << 20])).collect();
    service.send("PATCH", &upload, None, Body::from_stream(stream::iter(parts))).await;
    let whole: Vec<u8> = (0..8).flat_map(|part| vec![part; 1 << 20]).collect();
    service.put(&upload, &whole).await;
    let mut body = service.get(&whole, None).await.into_body().into_data_stream();
    let first = body.next().await.unwrap().unwrap();
    assert!(first.len() <= 1 << 20, "{} bytes at once", first.len());
}

#[tokio::test]
async fn head_tells_what_get_would() {
    let service = Service::new();
    service.push(b"hello").await;
    let response = service.send("HEAD", &blob(b"hello"), None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response.headers(), header::CONTENT_LENGTH), "5");
    assert_eq!(content(response).await, "");
    let response = service.send("HEAD", &blob(b"other"), None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_name_that_is_no_path_is_refused() {
    let service = Service::new();
    for name in ["..", "a%20b", "%00", "a%2Fb"] {
        let uri = format!("/v2/{name}/blobs/uploads/");
        let response = service.send("POST", &uri, None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn a_store_that_was_shut_down_is_unavailable() {
    let service = Service::new();
    service.store.shutdown().await.unwrap();
    let response = service.send("POST", "/v2/demo/blobs/uploads/", None, Body::empty()).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}
