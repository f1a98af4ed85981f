//! The log lines of requests. The tests are a separate program, because a log line that is used before the
//! subscriber is installed stays disabled.

#![cfg(feature = "program")]

use std::{cell::RefCell, io, net::SocketAddr, sync::Once};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    routing::get,
};
use futures::{future::ready, stream};
use http::Request;
use storage_driver::{Error, ErrorKind};
use storage_driver_registry::traced;
use tower::ServiceExt;

thread_local! {
    /// The log of the test on this thread.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct Log;

impl io::Write for Log {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(data));
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The log of one request.
async fn log_of(request: http::request::Builder) -> String {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
    let panic = async || -> () { panic!("on purpose") };
    let broken = async || {
        let cause = io::Error::other("/srv/registry/a: no such device");
        let error = Error::new(ErrorKind::Unavailable).with_source(cause);
        Body::from_stream(stream::once(ready(Err::<&str, _>(error))))
    };
    let router = Router::new().route("/", get(async || "")).route("/panic", get(panic));
    let router = traced(router.route("/broken", get(broken)));
    let response = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let _ = to_bytes(response.into_body(), 1 << 10).await;
    String::from_utf8(LOG.take()).unwrap()
}

#[tokio::test]
async fn a_request_is_one_line() {
    let log = log_of(Request::get("/?state=secret").header("x-request-id", "abc")).await;
    assert_eq!(log.lines().count(), 1, "{log}");
    for part in ["INFO", "method=GET", "path=\"/\"", "id=abc", "status=200", "latency_ms="] {
        assert!(log.contains(part), "{part} is not in {log}");
    }
}

#[tokio::test]
async fn a_query_is_not_logged() {
    assert!(!log_of(Request::get("/?state=secret")).await.contains("secret"));
}

#[tokio::test]
async fn a_panic_is_logged_with_its_text_and_has_a_response() {
    let log = log_of(Request::get("/panic")).await;
    assert!(log.contains("ERROR") && log.contains("on purpose"), "{log}");
    assert!(log.contains("status=500"), "{log}");
}

#[tokio::test]
async fn a_request_is_logged_with_the_address_of_its_connection() {
    let peer: SocketAddr = "[::ffff:192.0.2.1]:80".parse().unwrap();
    let log = log_of(Request::get("/").extension(ConnectInfo(peer))).await;
    assert!(log.contains("client=192.0.2.1"), "{log}");
}

#[tokio::test]
async fn an_address_that_no_trusted_proxy_has_named_is_not_logged() {
    let log = log_of(Request::get("/").header("x-forwarded-for", "192.0.2.1")).await;
    assert!(!log.contains("192.0.2.1"), "{log}");
}

#[tokio::test]
async fn a_response_that_breaks_off_is_logged_with_all_causes() {
    let log = log_of(Request::get("/broken")).await;
    assert!(log.contains("WARN") && log.contains("the response broke off"), "{log}");
    assert!(log.contains("unavailable: /srv/registry/a: no such device"), "{log}");
}
