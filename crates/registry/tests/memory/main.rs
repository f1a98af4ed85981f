//! The memory for manifests and lists stays bounded. It is counted by the allocator of the process, which includes
//! the clients.
//!
//! Content of the in-memory store is mapped from the system on Linux, and not counted.

#[path = "../it/support.rs"]
mod support;

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::body::Body;
use bytes::Bytes;
use counting_alloc::{Counting, OfProcess};
use futures::{StreamExt, stream, stream::FuturesUnordered};
use http::{Request, StatusCode};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use inmemory::InMemory;
use serde_json::json;
use storage_driver_registry::TestRegistry;
use support::{OCI_INDEX, OCI_MANIFEST, Service, image, index};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    sync::Notify,
    task::JoinSet,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MIB: usize = 1 << 20;
/// The default of `RegistryBuilder::manifest_memory`.
const BUDGET: usize = 128 * MIB;
/// The memory of a connection: hyper's read buffer, and the bytes that are not written yet.
const CONNECTION: usize = MIB;
/// The number of concurrent requests of an HTTP/2 connection.
const STREAMS: usize = 64;

/// One test at a time: they share the allocator.
fn alone() -> (MutexGuard<'static, ()>, Runtime) {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    (alone, Runtime::new().unwrap())
}

#[track_caller]
fn assert_peak(measurement: &OfProcess, bound: usize) {
    let peak = measurement.peak();
    assert!(peak <= bound, "{} MiB at the peak, more than {} MiB", peak / MIB, bound / MIB);
}

/// A manifest of `size` bytes with this subject, filled with annotations.
fn padded(size: usize, subject: &str, annotations: usize) -> Bytes {
    let mut manifest = image(&[]);
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": subject });
    let each = size / annotations;
    let pad = |n: usize| (format!("{n:06}"), "x".repeat(each.saturating_sub(12)));
    manifest["annotations"] = json!((0..annotations).map(pad).collect::<BTreeMap<_, _>>());
    manifest["unique"] = size.into();
    Bytes::from(manifest.to_string().into_bytes())
}

async fn client(address: SocketAddr) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(address).await.unwrap();
    let (client, connection) = http2::Builder::new(TokioExecutor::new())
        // The limit of the server, which a client under load learns late.
        .initial_max_send_streams(STREAMS)
        .initial_stream_window_size(64 << 10)
        .initial_connection_window_size(64 << 10)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    client
}

#[test]
fn unread_pulls_of_manifests_on_one_connection_stay_under_the_bound() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let store = InMemory::new();
        let service = Service::over(store.clone(), |builder| builder);
        let manifest = service.store_manifest(padded(4 * MIB, &support::digest(b""), 1)).await;
        let registry = TestRegistry::start_on(Arc::new(store), |builder| builder).await.unwrap();
        let client = client(registry.address()).await;
        let measurement = OfProcess::begin();
        let uri = format!("http://registry/v2/demo/manifests/{manifest}");
        let mut responses: FuturesUnordered<_> = (0..200)
            .map(|_| {
                let request = Request::get(&uri).body(Body::empty()).unwrap();
                let mut client = client.clone();
                async move { client.send_request(request).await.unwrap() }
            })
            .collect();
        let mut unread = Vec::new();
        while let Some(response) = responses.next().await {
            assert_eq!(response.status(), StatusCode::OK);
            unread.push(response);
            if unread.len() == STREAMS {
                unread.clear();
            }
        }
        assert_peak(&measurement, BUDGET / 4 + CONNECTION);
    });
}

#[test]
fn unfinished_pushes_of_manifests_on_one_connection_stay_under_the_bound() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let registry = TestRegistry::start().await.unwrap();
        let client = client(registry.address()).await;
        let content = Bytes::from(vec![b' '; 64 << 10]);
        let measurement = OfProcess::begin();
        // The number of requests that were refused, or that have sent all but their last byte.
        let (over, changed) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let mut requests = JoinSet::new();
        for n in 0..200 {
            let chunks = stream::repeat(content.clone()).take(4 * MIB / content.len() - 1);
            let (over, changed) = (over.clone(), changed.clone());
            let (over_, changed_) = (over.clone(), changed.clone());
            let stalled = stream::once(async move {
                over_.fetch_add(1, Relaxed);
                changed_.notify_one();
                std::future::pending::<io::Result<Bytes>>().await
            });
            let body = Body::from_stream(chunks.map(Ok).chain(stalled));
            let uri = format!("http://registry/v2/demo/manifests/v{n}");
            let request = Request::put(uri).body(body).unwrap();
            let mut client = client.clone();
            requests.spawn(async move {
                let response = client.send_request(request).await.unwrap();
                assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
                assert_eq!(response.headers()["retry-after"], "1");
                over.fetch_add(1, Relaxed);
                changed.notify_one();
            });
        }
        while over.load(Relaxed) < 200 {
            changed.notified().await;
        }
        assert_peak(&measurement, BUDGET + CONNECTION);
    });
}

#[test]
fn pushes_of_manifests_on_many_connections_stay_under_the_bound() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let registry = TestRegistry::start().await.unwrap();
        let address = registry.address();
        let content = Bytes::from(vec![b' '; 4 * MIB]);
        let measurement = OfProcess::begin();
        let mut clients = JoinSet::new();
        for n in 0..256 {
            let content = content.clone();
            clients.spawn(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                let head = format!(
                    "PUT /v2/demo/manifests/v{n} HTTP/1.1\r\nHost: registry\r\nContent-Length: {}\r\n\r\n",
                    content.len()
                );
                stream.write_all(head.as_bytes()).await.unwrap();
                let (mut reader, mut writer) = stream.split();
                let mut status = [0; 12];
                let sent = async {
                    // The last byte is never sent. The server may have closed the connection.
                    let _ = writer.write_all(&content[1..]).await;
                };
                let refused = async {
                    let read = reader.read_exact(&mut status).await;
                    if read.is_ok() {
                        assert_eq!(&status, b"HTTP/1.1 429");
                    }
                };
                tokio::select! {
                    () = sent => {}
                    () = refused => {}
                }
                stream
            });
        }
        let _open = clients.join_all().await;
        assert_peak(&measurement, BUDGET + 256 * CONNECTION);
    });
}

#[test]
fn the_referrers_of_any_input_take_less_than_64_mib() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let service = Service::new();
        let subject = service.push_image("demo", "v1", "layer").await;
        let mut referrers = Vec::new();
        for annotations in [1, 10, 100_000] {
            let common = padded(4 * MIB - (300 << 10), &subject, annotations);
            for n in 0..8 {
                let mut content = common[..common.len() - 1].to_vec();
                content.extend_from_slice(format!(",\"n\":{n}}}").as_bytes());
                let content = Bytes::from(content);
                let digest = support::digest(&content);
                let uri = format!("/v2/demo/manifests/{digest}");
                let kind = [("content-type", OCI_MANIFEST)];
                // Listed by the registry, or by clients only.
                match referrers.len() % 2 {
                    0 => drop(service.send("PUT", &uri, &kind, content).await.expect(201)),
                    _ => drop(service.store_manifest(content).await),
                }
                referrers.push(digest);
            }
        }
        let many: Vec<&str> = referrers.iter().map(String::as_str).cycle().take(24_000).collect();
        let fallback = subject.replace(':', "-");
        service.push_manifest("demo", &fallback, OCI_INDEX, &index(&many)).await;
        drop(many);

        let measurement = OfProcess::begin();
        let list = service.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
        assert_eq!(list.json()["manifests"].as_array().unwrap().len(), referrers.len());
        assert_peak(&measurement, 64 * MIB);
    });
}

#[test]
fn unread_lists_of_referrers_stay_under_the_bound() {
    let (_alone, runtime) = alone();
    runtime.block_on(async {
        let service = Service::with(|it| it.max_manifest_size(MIB as u64).manifest_memory(0));
        let budget = 32 * MIB;
        let subject = service.push_image("demo", "v1", "layer").await;
        let mut referrers = Vec::new();
        for n in 0..70 {
            referrers.push(service.store_manifest(padded(60_000 + n, &subject, 1)).await);
        }
        let referrers: Vec<&str> = referrers.iter().map(String::as_str).collect();
        let fallback = subject.replace(':', "-");
        service.push_manifest("demo", &fallback, OCI_INDEX, &index(&referrers)).await;
        let measurement = OfProcess::begin();
        let mut unread = Vec::new();
        for _ in 0..10 {
            unread.push(
                service.request("GET", &format!("/v2/demo/referrers/{subject}"), &[], "").await,
            );
        }
        let refused =
            unread.iter().filter(|it| it.status() == StatusCode::TOO_MANY_REQUESTS).count();
        assert!((1..10).contains(&refused), "{refused}");
        assert_peak(&measurement, budget + CONNECTION);
        unread.clear();
        service.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
    });
}
