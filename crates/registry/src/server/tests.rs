//! Connections in memory, on a paused clock.

use std::{io, pin::Pin, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    routing::{get, post},
};
use bytes::Bytes;
use futures::{StreamExt, stream};
use http_body_util::Empty;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{connection::Connections, *};

mod http2_frames;

const LIMITS: ServerLimits = ServerLimits {
    max_connections: 1,
    header_timeout: Duration::from_secs(30),
    max_header_bytes: 64 << 10,
    write_timeout: Duration::from_secs(60),
};
/// A farewell, and the patience with which a connection is closed.
const CLOSING: Duration = Duration::from_secs(4);

fn router() -> Router {
    let chunks = |pause| {
        move || async move {
            let chunks = stream::iter(0..1_000).then(move |_| async move {
                sleep(pause).await;
                Ok::<_, io::Error>(Bytes::from_static(&[7; 1 << 10]))
            });
            Body::from_stream(chunks.boxed())
        }
    };
    Router::new()
        .route("/", get(|| async { "hello" }).post(|body: Bytes| async move { body }))
        .route("/long", get(|| async { sleep(Duration::from_secs(3_600)).await }))
        .route("/large", get(chunks(Duration::ZERO)))
        .route("/one", get(|| async { Body::from(vec![7; 1 << 20]) }))
        .route("/moving", get(chunks(Duration::from_secs(1))))
        .route("/slow", get(chunks(Duration::from_secs(100))))
        .route("/scheme", get(|Extension(it): Extension<Scheme>| async move { it.to_string() }))
        .route("/early", post(|| async { http::StatusCode::UNAUTHORIZED }))
}

/// A client's end of a connection that holds so many bytes on their way, and the server's task.
fn connect(bytes: usize) -> (DuplexStream, JoinHandle<()>) {
    connect_to(router(), bytes)
}

fn connect_to(router: Router, bytes: usize) -> (DuplexStream, JoinHandle<()>) {
    let (client, server) = duplex(bytes);
    let connections = Connections::new(router, Scheme::HTTP, LIMITS, CancellationToken::new());
    let peer = ([127, 0, 0, 1], 1).into();
    (client, tokio::spawn(Arc::new(connections).serve(server, peer)))
}

/// Sends `request`, and reads the response until the connection ends.
async fn ask(request: impl AsRef<[u8]>) -> (String, Duration) {
    let (mut client, _server) = connect(1 << 20);
    client.write_all(request.as_ref()).await.unwrap();
    read(&mut client).await
}

async fn read(client: &mut DuplexStream) -> (String, Duration) {
    let (start, mut response) = (Instant::now(), Vec::new());
    client.read_to_end(&mut response).await.unwrap();
    (String::from_utf8_lossy(&response).into_owned(), start.elapsed())
}

fn assert_about(took: Duration, timeout: Duration) {
    assert!(timeout <= took && took <= timeout + CLOSING, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_a_byte_ends() {
    let (response, took) = ask("").await;
    assert_eq!(response, "");
    assert_about(took, LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn half_of_an_http_2_preface_ends() {
    assert_about(ask("PRI * HT").await.1, LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn headers_that_come_slowly_end() {
    let (mut client, server) = connect(1 << 10);
    let start = Instant::now();
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    while client.write_all(b"a: b\r\n").await.is_ok() {
        sleep(Duration::from_secs(1)).await;
    }
    server.await.unwrap();
    assert_about(start.elapsed(), LIMITS.header_timeout);
}

#[tokio::test(start_paused = true)]
async fn a_connection_ends_some_time_after_its_last_request() {
    let (mut client, server) = connect(1 << 10);
    for _ in 0..2 {
        sleep(Duration::from_secs(20)).await;
        client.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    }
    let (response, took) = read(&mut client).await;
    assert_eq!(response.matches("hello").count(), 2, "{response}");
    assert_about(took, LIMITS.header_timeout);
    drop(client);
    server.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_take_its_time() {
    let (response, took) = ask("GET /long HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
    assert_about(took, Duration::from_secs(3_600));
}

#[tokio::test(start_paused = true)]
async fn the_content_of_a_response_may_take_its_time() {
    let (response, took) = ask("GET /slow HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(response.len() > 1_000 << 10, "{}", response.len());
    assert_about(took, Duration::from_secs(100 * 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_taken_ends() {
    let (mut client, server) = connect(1 << 10);
    let start = Instant::now();
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    server.await.unwrap();
    assert_about(start.elapsed(), LIMITS.write_timeout);
}

/// Takes a response at `path` in pieces, with so much time before each: how many bytes there were.
async fn take(path: &str, pause: Duration) -> usize {
    let (mut client, _server) = connect(64 << 10);
    let request = format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let (mut taken, mut buffer) = (0, vec![0; 64 << 10]);
    loop {
        sleep(pause).await;
        match client.read(&mut buffer).await.unwrap() {
            0 => return taken,
            bytes => taken += bytes,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_taken_slowly_does_not_end() {
    let taken = take("/large", LIMITS.write_timeout - Duration::from_secs(10)).await;
    assert!(taken > 1_000 << 10, "{taken}");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_response_may_be_taken_slowly() {
    // To hyper the body is over when its only piece is in the buffer.
    let taken = take("/one", LIMITS.header_timeout - Duration::from_secs(10)).await;
    assert!(taken > 1 << 20, "{taken}");
}

type Http2 = hyper::client::conn::http2::SendRequest<Empty<Bytes>>;

async fn http2(client: DuplexStream) -> (Http2, Pin<Box<dyn Future<Output = ()> + Send>>) {
    let io = TokioIo::new(client);
    let handshake = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(4 << 10)
        .handshake(io);
    let (sender, connection) = handshake.await.unwrap();
    (sender, Box::pin(async move { connection.await.unwrap_or_default() }))
}

fn request(path: &str) -> http::Request<Empty<Bytes>> {
    http::Request::get(format!("http://a{path}")).body(Empty::new()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn http_2_without_a_request_ends() {
    let (client, server) = connect(64 << 10);
    let (sender, connection) = http2(client).await;
    let start = Instant::now();
    connection.await;
    server.await.unwrap();
    assert_about(start.elapsed(), LIMITS.header_timeout);
    drop(sender);
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_taken_a_byte_at_a_time_ends() {
    let (mut client, server) = connect(1 << 10);
    client.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let start = Instant::now();
    while !server.is_finished() {
        sleep(Duration::from_secs(1)).await;
        client.read_u8().await.unwrap();
    }
    assert_about(start.elapsed(), LIMITS.write_timeout);
}

#[tokio::test(start_paused = true)]
async fn times_of_any_length_can_be_set() {
    for time in [Duration::ZERO, Duration::MAX] {
        let limits =
            ServerLimits { header_timeout: time, write_timeout: time, ..ServerLimits::default() };
        let (mut client, server) = duplex(1 << 10);
        let connections =
            Connections::new(router(), Scheme::HTTP, limits, CancellationToken::new());
        let serving = Arc::new(connections).serve(server, ([127, 0, 0, 1], 1).into());
        let serving = tokio::spawn(serving);
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
        assert!(read(&mut client).await.0.ends_with("hello"));
        serving.await.unwrap();
    }
}

/// A registry whose requests have to send the next part of their body in 20 seconds.
fn registry() -> Router {
    let builder = crate::Registry::builder(Arc::new(inmemory::InMemory::new()));
    builder.body_timeout(Duration::from_secs(20)).build().router()
}

#[tokio::test(start_paused = true)]
async fn the_extension_of_a_chunk_is_no_progress_of_a_body() {
    let (client, _server) = connect_to(registry(), 1 << 10);
    let (mut reader, mut writer) = tokio::io::split(client);
    let head = b"PUT /v2/a/manifests/b HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1;";
    writer.write_all(head).await.unwrap();
    let sending = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let (start, mut response) = (Instant::now(), Vec::new());
    reader.read_to_end(&mut response).await.unwrap();
    assert!(response.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&response));
    assert_about(start.elapsed(), Duration::from_secs(20));
    sending.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn headers_over_the_limit_are_refused() {
    for bytes in [65 << 10, 600 << 10] {
        let header = "b".repeat(bytes);
        let (response, _) = ask(format!("GET / HTTP/1.1\r\nhost: a\r\na: {header}\r\n\r\n")).await;
        assert!(response.starts_with("HTTP/1.1 431"), "{bytes}: {response}");
    }
}

#[tokio::test(start_paused = true)]
async fn headers_within_the_limit_are_taken() {
    let header = "b".repeat(60 << 10);
    let (response, _) = ask(format!("GET / HTTP/1.1\r\nhost: a\r\na: {header}\r\n\r\n")).await;
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn too_many_headers_are_refused() {
    let headers = "a: b\r\n".repeat(101);
    let (response, _) = ask(format!("GET / HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn headers_over_the_limit_of_http_2_are_refused() {
    let (client, _server) = connect(1 << 20);
    let (mut sender, connection) = http2(client).await;
    let connection = tokio::spawn(connection);
    let mut request = request("/");
    let header = http::HeaderValue::from_str(&"b".repeat(65 << 10)).unwrap();
    request.headers_mut().insert("a", header);
    // A client that respects the server's settings does not send it.
    let status = sender.send_request(request).await.map(|response| response.status());
    assert!(!matches!(status, Ok(status) if status.is_success()), "{status:?}");
    connection.abort();
}

#[tokio::test(start_paused = true)]
async fn a_handler_knows_that_a_connection_has_no_tls() {
    let request = "GET /scheme HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (response, _) = ask(request).await;
    assert!(response.ends_with("\r\n\r\nhttp"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn headers_within_the_limit_of_http_2_are_taken() {
    let (client, _server) = connect(1 << 20);
    let (mut sender, connection) = http2(client).await;
    let connection = tokio::spawn(connection);
    let mut request = request("/");
    let header = http::HeaderValue::from_str(&"b".repeat(60 << 10)).unwrap();
    request.headers_mut().insert("a", header);
    assert!(sender.send_request(request).await.unwrap().status().is_success());
    connection.abort();
}

#[tokio::test(start_paused = true)]
async fn malformed_requests_are_refused() {
    let (response, _) = ask("hello, is it you?\r\n\r\n").await;
    assert!(response.starts_with("HTTP/1.1 400"), "{response}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_end_of_a_body_can_be_read_while_it_is_sent() {
    let (client, _server) = connect(16 << 10);
    let (mut reader, mut writer) = tokio::io::split(client);
    let sent = tokio::spawn(async move {
        let head = b"POST /early HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\n";
        writer.write_all(head).await?;
        writer.write_all(&vec![0; 1 << 20]).await
    });
    let mut response = Vec::new();
    reader.read_to_end(&mut response).await.unwrap();
    assert!(response.starts_with(b"HTTP/1.1 401"));
    sent.await.unwrap().unwrap();
}
