//! [`HttpMetrics`]: requests, counted and timed.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use tokio::time::Instant;

use super::{body::counted, durations::durations};

/// The route of a request, for [`Metrics::track`](crate::Metrics::track): a handler puts it into the extensions
/// of its response. A response without one is counted as `other`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route(pub &'static str);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResponseLabels {
    route: &'static str,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    route: &'static str,
    method: &'static str,
}

type Durations = Family<Timed, Histogram, fn() -> Histogram>;

#[derive(Debug)]
pub(super) struct HttpMetrics {
    responses: Family<ResponseLabels, Counter>,
    dropped: Counter,
    in_flight: Gauge,
    /// Until the head of the response.
    heads: Durations,
    /// Until the end of its body.
    streams: Durations,
    received: Counter,
    sent: Counter,
}

impl HttpMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            responses: Family::default(),
            dropped: Counter::default(),
            in_flight: Gauge::default(),
            heads: Family::new_with_constructor(durations),
            streams: Family::new_with_constructor(durations),
            received: Counter::default(),
            sent: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("http");
        registry.register("requests", "Requests with a response", this.responses.clone());
        let help = "Requests that were dropped before their response";
        registry.register("requests_dropped", help, this.dropped.clone());
        let help = "Requests whose response has not ended";
        registry.register("requests_in_flight", help, this.in_flight.clone());
        let help = "Time to the head of the response";
        registry.register_with_unit("request_duration", help, Unit::Seconds, this.heads.clone());
        let help = "Time to the end of the response";
        registry.register_with_unit("stream_duration", help, Unit::Seconds, this.streams.clone());
        let help = "Bytes of the bodies of requests";
        registry.register_with_unit("received", help, Unit::Bytes, this.received.clone());
        let help = "Bytes of the bodies of responses";
        registry.register_with_unit("sent", help, Unit::Bytes, this.sent.clone());
        this
    }
}

/// A request is in flight until this is dropped.
struct Flight {
    metrics: Arc<HttpMetrics>,
    since: Instant,
    /// Set with the response.
    labels: Option<Timed>,
}

impl Flight {
    fn take_off(metrics: Arc<HttpMetrics>) -> Self {
        metrics.in_flight.inc();
        Self { metrics, since: Instant::now(), labels: None }
    }

    fn count_response(&mut self, method: &'static str, response: &Response) {
        let route = response.extensions().get().map_or("other", |Route(route)| route);
        let labels = ResponseLabels { route, method, status: response.status().as_u16() };
        self.metrics.responses.get_or_create(&labels).inc();
        let timed = Timed { route, method };
        self.labels = Some(timed);
        self.metrics.heads.get_or_create(&timed).observe(self.since.elapsed().as_secs_f64());
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        match &self.labels {
            Some(labels) => {
                let seconds = self.since.elapsed().as_secs_f64();
                self.metrics.streams.get_or_create(labels).observe(seconds);
            }
            None => {
                self.metrics.dropped.inc();
            }
        }
    }
}

/// Middleware that counts a request and its bodies.
pub(super) async fn track(
    State(metrics): State<Arc<HttpMetrics>>,
    request: Request,
    next: Next,
) -> Response {
    let mut flight = Flight::take_off(Arc::clone(&metrics));
    let method = known(request.method());
    let request = request.map(|body| counted(body, &metrics.received, ()));
    let response = next.run(request).await;
    flight.count_response(method, &response);
    response.map(|body| counted(body, &metrics.sent, flight))
}

/// The method as a label. Clients can invent methods, which must not become labels.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use axum::{Extension, Router, body::Body, routing::any};
    use bytes::Bytes;
    use futures::{FutureExt, StreamExt, stream};
    use http::{Request, StatusCode};
    use http_body_util::BodyExt;
    use hyper::body::Body as _;
    use tokio::sync::oneshot;
    use tower::ServiceExt;

    use super::*;
    use crate::metrics::Metrics;

    fn get(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    #[track_caller]
    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.encode();
        assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
    }

    #[tokio::test]
    async fn a_response_is_counted_by_route_method_and_status() {
        let metrics = Metrics::new();
        let handler = async || (StatusCode::CREATED, Extension(Route("blob")));
        let router = metrics.track(Router::new().route("/{*path}", any(handler)));
        router.clone().oneshot(get("/a")).await.unwrap();
        router.oneshot(get("/b")).await.unwrap();
        let line = r#"registry_http_requests_total{route="blob",method="GET",status="201"} 2"#;
        has(&metrics, line);
    }

    #[tokio::test]
    async fn hostile_paths_and_methods_make_no_labels() {
        let metrics = Metrics::new();
        let router = metrics.track(Router::new());
        for n in 0..10_000 {
            let method = format!("M{n}");
            let request = Request::builder().method(&*method).uri(format!("/v2/{n}/%22"));
            router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        }
        let text = metrics.encode();
        has(
            &metrics,
            r#"registry_http_requests_total{route="other",method="OTHER",status="404"} 10000"#,
        );
        assert!(text.lines().count() < 100, "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_is_timed_without_the_body() {
        let metrics = Metrics::new();
        let handler = async || {
            tokio::time::advance(Duration::from_secs(2)).await;
            Body::from("content")
        };
        let router = metrics.track(Router::new().route("/", any(handler)));
        let response = router.oneshot(get("/")).await.unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        response.into_body().collect().await.unwrap();
        let labels = r#"{route="other",method="GET"}"#;
        has(&metrics, &format!("registry_http_request_duration_seconds_sum{labels} 2.0"));
        has(&metrics, &format!("registry_http_stream_duration_seconds_sum{labels} 5.0"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_dropped_halfway_has_ended() {
        let metrics = Metrics::new();
        let handler = async || {
            let first = stream::iter([Ok::<_, Infallible>(Bytes::from("12345"))]);
            Body::from_stream(first.chain(stream::pending()))
        };
        let router = metrics.track(Router::new().route("/", any(handler)));
        let mut body = router.oneshot(get("/")).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        has(&metrics, "registry_http_requests_in_flight 1");
        drop(body);
        has(&metrics, "registry_http_requests_in_flight 0");
        has(&metrics, "registry_http_sent_bytes_total 5");
        let labels = r#"{route="other",method="GET"}"#;
        has(&metrics, &format!("registry_http_stream_duration_seconds_count{labels} 1"));
    }

    #[tokio::test]
    async fn a_request_that_is_dropped_is_not_in_flight() {
        let metrics = Metrics::new();
        let handler = async || std::future::pending::<()>().await;
        let router = metrics.track(Router::new().route("/", any(handler)));
        let mut request = router.oneshot(get("/"));
        assert!((&mut request).now_or_never().is_none());
        has(&metrics, "registry_http_requests_in_flight 1");
        drop(request);
        has(&metrics, "registry_http_requests_in_flight 0");
        has(&metrics, "registry_http_requests_dropped_total 1");
    }

    #[tokio::test]
    async fn a_request_whose_body_is_awaited_is_in_flight() {
        let metrics = Metrics::new();
        let router = metrics.track(Router::new().route("/", any(async |_: Bytes| ())));
        let (send, body) = oneshot::channel::<Bytes>();
        let body = Body::from_stream(stream::once(body));
        let request = tokio::spawn(router.oneshot(Request::put("/").body(body).unwrap()));
        tokio::task::yield_now().await;
        has(&metrics, "registry_http_requests_in_flight 1");
        send.send(Bytes::from("123")).unwrap();
        request.await.unwrap().unwrap();
        has(&metrics, "registry_http_requests_in_flight 0");
        has(&metrics, "registry_http_received_bytes_total 3");
    }

    #[tokio::test]
    async fn a_tracked_response_keeps_its_size() {
        let router = Metrics::new().track(Router::new().route("/", any(async || "12345")));
        let response = router.oneshot(get("/")).await.unwrap();
        assert_eq!(response.body().size_hint().exact(), Some(5));
        assert_eq!(response.headers()[http::header::CONTENT_LENGTH], "5");
    }
}
