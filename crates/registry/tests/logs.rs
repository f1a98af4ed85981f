//! What requests leave in the log. The tests have a process of their own: what is logged before its
//! one subscriber is there would stay disabled.

#![cfg(feature = "program")]

use std::{cell::RefCell, io, sync::Once};

use axum::{Router, body::Body, routing::get};
use http::Request;
use registry::observed;
use tower::ServiceExt;

thread_local! {
    /// What the test on this thread has logged.
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

/// What a request leaves in the log.
async fn log_of(request: http::request::Builder) -> String {
    static SUBSCRIBED: Once = Once::new();
    SUBSCRIBED.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Log).init());
    let panic = async || -> () { panic!("on purpose") };
    let router = observed(Router::new().route("/", get(async || "")).route("/panic", get(panic)));
    router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
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
async fn a_panic_is_logged_with_its_text_and_answered() {
    let log = log_of(Request::get("/panic")).await;
    assert!(log.contains("ERROR") && log.contains("on purpose"), "{log}");
    assert!(log.contains("status=500"), "{log}");
}
