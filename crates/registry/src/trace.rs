//! [`traced`]: request ids, a log line for each request, and a response even after a panic.

use std::{any::Any, fmt, time::Duration};

use axum::{
    BoxError, Router,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use tower::util::MapRequestLayer;
use tower_http::{
    catch_panic::CatchPanicLayer,
    classify::{ClassifiedResponse, ClassifyEos, ClassifyResponse, SharedClassifier},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, RequestId, SetRequestIdLayer},
    trace::TraceLayer,
};
use tracing::{Span, error, field, info, info_span, warn};

use crate::{client, error_chain::ErrorChain, security_headers::seal};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that a client can set, in bytes.
const MAX_REQUEST_ID: usize = 64;

/// `router` with an id, a log line and, even after a panic, a response for each request.
///
/// The id is that of `x-request-id`, if the header occurs once and has 1 to 64 visible ASCII characters, and
/// a new UUID otherwise. It is in the header of the response, in the extensions of the request
/// (`tower_http::request_id::RequestId`), and in the span `request`, with the method, the path, the address of
/// the client (as a [trusted proxy](crate::behind_proxy) names it, if there is one) and, once it is known, the
/// user. When the head of the response is ready, a line at INFO has its status and the latency in milliseconds. A
/// body that breaks off later is a line at WARN.
///
/// A panic becomes a 500 with the body of an OCI error, and is logged at ERROR. Apply this inside
/// [`Metrics::track`](crate::Metrics::track), so that panics are counted as 500:
/// `metrics.track(traced(router))`.
pub fn traced(router: Router) -> Router {
    let trace = TraceLayer::new(SharedClassifier::new(BrokenBodies))
        .make_span_with(span)
        .on_request(())
        .on_response(log_response)
        .on_body_chunk(())
        .on_eos(())
        .on_failure(log_broken_body);
    // The first is the outermost. One layer of five boxes the service once, instead of five times.
    router.layer((
        MapRequestLayer::new(without_hostile_id),
        SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid),
        PropagateRequestIdLayer::new(REQUEST_ID),
        trace,
        CatchPanicLayer::custom(panicked),
    ))
}

/// Removes ids that are not suitable for a log or a header.
fn without_hostile_id(mut request: Request) -> Request {
    let mut ids = request.headers().get_all(REQUEST_ID).iter();
    if let Some(id) = ids.next()
        && (ids.next().is_some() || !is_fit(id))
    {
        request.headers_mut().remove(REQUEST_ID);
    }
    request
}

fn is_fit(id: &HeaderValue) -> bool {
    (1..=MAX_REQUEST_ID).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// Fields are only evaluated if the span is enabled.
fn span(request: &Request) -> Span {
    info_span!(
        "request",
        method = %request.method(),
        // Not the query, which may contain positions that are not for every reader of logs.
        path = request.uri().path(),
        id = request
            .extensions()
            .get::<RequestId>()
            .and_then(|id| id.header_value().to_str().ok())
            .map(field::display),
        client = client::address(request.extensions()).map(field::display),
        user = field::Empty,
    )
}

/// Records the user in the span of the current request.
#[cfg(feature = "htpasswd")]
pub(crate) fn record_user(name: &str) {
    Span::current().record("user", name);
}

fn log_response<B>(response: &http::Response<B>, latency: Duration, _: &Span) {
    let latency_ms = latency.as_micros() as f64 / 1000.0;
    info!(status = response.status().as_u16(), latency_ms, "response sent");
}

fn log_broken_body(error: String, _: Duration, _: &Span) {
    warn!(error, "the response broke off");
}

/// Classifies only bodies that break off as failures. The status has its own log line. A failure is logged with
/// all its causes.
#[derive(Debug, Clone, Copy)]
struct BrokenBodies;

impl ClassifyResponse for BrokenBodies {
    type FailureClass = String;
    type ClassifyEos = Self;

    fn classify_response<B>(
        self,
        _: &http::Response<B>,
    ) -> ClassifiedResponse<Self::FailureClass, Self> {
        ClassifiedResponse::RequiresEos(self)
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> String {
        // The layer for panics converts every error of a body to this type.
        match (error as &dyn Any).downcast_ref::<BoxError>() {
            Some(error) => ErrorChain(&**error).to_string(),
            None => error.to_string(),
        }
    }
}

impl ClassifyEos for BrokenBodies {
    type FailureClass = String;

    fn classify_eos(self, _: Option<&HeaderMap>) -> Result<(), String> {
        Ok(())
    }

    fn classify_error<E: fmt::Display + 'static>(self, error: &E) -> String {
        ClassifyResponse::classify_error(self, error)
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a text");
    error!(panic = text, "a handler panicked");
    let body = r#"{"errors":[{"code":"UNKNOWN","message":"internal error"}]}"#;
    let content_type = [(CONTENT_TYPE, "application/json")];
    let mut response = (StatusCode::INTERNAL_SERVER_ERROR, content_type, body).into_response();
    seal(&mut response);
    response
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{HttpBody, to_bytes},
        routing::get,
    };
    use tower::ServiceExt;

    use super::*;

    fn router() -> Router {
        let panic = async || -> () { panic!("on purpose") };
        traced(Router::new().route("/", get(async || "12345")).route("/panic", get(panic)))
    }

    async fn send(request: http::request::Builder) -> Response {
        router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn id_after(ids: &[&[u8]]) -> String {
        let request = ids.iter().fold(Request::get("/"), |it, id| it.header(REQUEST_ID, *id));
        let response = send(request).await;
        let ids: Vec<_> = response.headers().get_all(REQUEST_ID).iter().collect();
        assert_eq!(ids.len(), 1);
        ids[0].to_str().unwrap().to_owned()
    }

    #[track_caller]
    fn is_new(id: &str) {
        let id = uuid::Uuid::parse_str(id).unwrap();
        assert_eq!(id.get_version_num(), 4);
    }

    #[tokio::test]
    async fn a_request_without_an_id_gets_one() {
        is_new(&id_after(&[]).await);
    }

    #[tokio::test]
    async fn two_requests_get_two_ids() {
        assert_ne!(id_after(&[]).await, id_after(&[]).await);
    }

    #[tokio::test]
    async fn an_id_of_64_visible_characters_is_kept() {
        let id = "x".repeat(64);
        assert_eq!(id_after(&[id.as_bytes()]).await, id);
    }

    #[tokio::test]
    async fn a_longer_id_is_replaced() {
        is_new(&id_after(&["x".repeat(65).as_bytes()]).await);
    }

    #[tokio::test]
    async fn an_empty_id_is_replaced() {
        is_new(&id_after(&[b""]).await);
    }

    #[tokio::test]
    async fn an_id_that_could_forge_a_line_is_replaced() {
        is_new(&id_after(&[b"a b"]).await);
        is_new(&id_after(&[b"a\tb"]).await);
        is_new(&id_after(&["\u{fc}".as_bytes()]).await);
    }

    #[tokio::test]
    async fn two_ids_are_replaced_by_one() {
        is_new(&id_after(&[b"a", b"b"]).await);
    }

    #[tokio::test]
    async fn a_panic_is_an_oci_error() {
        let response = send(Request::get("/panic")).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json");
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["errors"][0]["code"], "UNKNOWN");
    }

    #[tokio::test]
    async fn a_body_keeps_its_size() {
        let response = send(Request::get("/")).await;
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(response.headers()[http::header::CONTENT_LENGTH], "5");
    }

    #[tokio::test]
    async fn a_panic_counts_as_a_500_where_requests_are_tracked() {
        let metrics = crate::Metrics::new();
        let request = Request::get("/panic").body(Body::empty()).unwrap();
        metrics.track(router()).oneshot(request).await.unwrap();
        let line = r#"registry_http_requests_total{route="other",method="GET",status="500"} 1"#;
        let text = metrics.encode();
        assert!(text.contains(line), "{text}");
    }

    #[tokio::test]
    async fn a_route_is_counted_through_it() {
        let metrics = crate::Metrics::new();
        let handler = async || axum::Extension(crate::Route("blob"));
        let router = metrics.track(traced(Router::new().route("/", get(handler))));
        router.oneshot(Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert!(metrics.encode().contains(r#"route="blob",method="GET",status="200"} 1"#));
    }
}
