use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, to_bytes};
use http::Request;
use inmemory::InMemory;
use storage_driver::{Error, ErrorKind};
use storage_driver_conformance::layers::{Fault, Faulty};
use tokio::{sync::Semaphore, time::advance};
use tower::ServiceExt;

use super::*;

async fn get(router: &Router, path: &str) -> Response {
    let request = Request::get(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn asking(ask: impl Fn() -> BoxFuture<'static, Health> + Send + Sync + 'static) -> Router {
    let any = HealthRoutes::new(Arc::new(InMemory::new()));
    HealthRoutes { check: Box::new(ask), ..any }.router()
}

#[tokio::test]
async fn a_process_with_a_broken_store_is_alive() {
    let faulty = Faulty::new(InMemory::new());
    faulty.plan(|_| Some(Fault::Before(ErrorKind::Unavailable)));
    let response = get(&HealthRoutes::new(Arc::new(faulty)).router(), "/livez").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "ok\n");
}

#[tokio::test]
async fn a_store_that_can_be_used_is_healthy() {
    let response = get(&HealthRoutes::new(Arc::new(InMemory::new())).router(), "/healthz").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "ok\n");
}

#[tokio::test]
async fn a_shutdown_that_was_announced_is_reported_at_once() {
    let shutdown = Shutdown::new();
    let routes = HealthRoutes::new(Arc::new(InMemory::new())).shutdown(&shutdown);
    let router = routes.router();
    assert_eq!(get(&router, "/healthz").await.status(), StatusCode::OK);
    shutdown.drain();
    let response = get(&router, "/healthz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(response).await, "the registry is shutting down\n");
    assert_eq!(get(&router, "/livez").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn an_unreadable_store_reports_the_cause_and_when_to_retry() {
    let faulty = Faulty::new(InMemory::new());
    faulty.plan(|_| Some(Fault::Before(ErrorKind::PermissionDenied)));
    let response = get(&HealthRoutes::new(Arc::new(faulty)).router(), "/healthz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()[RETRY_AFTER], "5");
    let body = "cannot read: inmemory: health /: permission denied: an injected fault\n";
    assert_eq!(text(response).await, body);
}

#[tokio::test]
async fn a_full_store_is_reported_as_not_writable() {
    let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
    let health = Health::new(Ok(()), Err(Error::new(full)));
    let router = asking(move || std::future::ready(health.clone()).boxed());
    let response = get(&router, "/healthz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(response).await, "cannot write: storage full: 0 bytes available\n");
}

#[tokio::test]
async fn a_store_with_warnings_is_healthy_and_shows_them() {
    let ask = || std::future::ready(Health::ok().with_warning("it may lose files")).boxed();
    let response = get(&asking(ask), "/healthz").await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(text(response).await, "ok\nwarning: it may lose files\n");
}

#[tokio::test]
async fn an_unhealthy_store_is_reported_with_all_causes() {
    let ask = || {
        let cause = std::io::Error::other("/srv/registry: no such device");
        let read = Err(Error::new(ErrorKind::Unavailable).with_source(cause));
        std::future::ready(Health::new(read, Ok(()))).boxed()
    };
    let body = text(get(&asking(ask), "/healthz").await).await;
    assert_eq!(body, "cannot read: unavailable: /srv/registry: no such device\n");
}

#[tokio::test]
async fn a_store_that_is_only_read_need_not_be_written() {
    let check = || {
        let health = Health::new(Ok(()), Err(Error::new(ErrorKind::PermissionDenied)));
        std::future::ready(health).boxed()
    };
    let any = || HealthRoutes::new(Arc::new(InMemory::new()));
    let ops = |read_only| HealthRoutes { check: Box::new(check), read_only, ..any() }.router();
    assert_eq!(get(&ops(true), "/healthz").await.status(), StatusCode::OK);
    assert_eq!(get(&ops(false), "/healthz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_recovers_is_healthy_again() {
    let faulty = Faulty::new(InMemory::new());
    faulty.fail_nth(0, Fault::Before(ErrorKind::Unavailable));
    let router = HealthRoutes::new(Arc::new(faulty)).router();
    assert_eq!(get(&router, "/healthz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
    advance(FRESH).await;
    assert_eq!(get(&router, "/healthz").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn many_probes_make_one_check_in_two_seconds() {
    let healthy = || Health::ok();
    let failed = || Health::new(Err(Error::new(ErrorKind::Unavailable)), Ok(()));
    for health in [healthy as fn() -> Health, failed, || panic!("on purpose")] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let router = asking(move || {
            count.fetch_add(1, Ordering::Relaxed);
            async move { health() }.boxed()
        });
        for second in 0..10 {
            for _ in 0..16 {
                get(&router, "/healthz").await;
            }
            assert_eq!(asked.load(Ordering::Relaxed), second / 2 + 1);
            advance(Duration::from_secs(1)).await;
        }
    }
}

/// A store whose check ends when the semaphore has a permit, and the number of its checks.
fn slow() -> (Router, Arc<Semaphore>, Arc<AtomicUsize>) {
    let (gate, asked) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (gate_, asked_) = (Arc::clone(&gate), Arc::clone(&asked));
    let router = asking(move || {
        asked_.fetch_add(1, Ordering::Relaxed);
        let gate = Arc::clone(&gate_);
        async move {
            gate.acquire().await.unwrap().forget();
            Health::ok()
        }
        .boxed()
    });
    (router, gate, asked)
}

#[tokio::test(start_paused = true)]
async fn a_check_without_a_result_fails_after_five_seconds() {
    let (router, ..) = slow();
    let start = Instant::now();
    let response = get(&router, "/healthz").await;
    assert_eq!(start.elapsed().as_secs(), 5);
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(text(response).await, "no response from the driver within 5 s\n");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_checked_once() {
    let (router, gate, asked) = slow();
    for _ in 0..3 {
        get(&router, "/healthz").await;
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    gate.add_permits(1);
    assert_eq!(get(&router, "/healthz").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn probes_at_once_share_one_check() {
    let (router, gate, asked) = slow();
    let open = async {
        tokio::task::yield_now().await;
        gate.add_permits(1);
    };
    let probe = || get(&router, "/healthz");
    let (first, second, ()) = tokio::join!(probe(), probe(), open);
    assert_eq!((first.status(), second.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_check_that_panics_is_no_health() {
    let router = asking(|| async { panic!("on purpose") }.boxed());
    let response = get(&router, "/healthz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn metrics_are_served_as_openmetrics() {
    let router = HealthRoutes::new(Arc::new(InMemory::new())).metrics(Metrics::new()).router();
    let response = get(&router, "/metrics").await;
    assert_eq!(response.headers()[CONTENT_TYPE], Metrics::CONTENT_TYPE);
    assert!(text(response).await.ends_with("# EOF\n"));
}

#[tokio::test]
async fn without_metrics_there_is_no_such_page() {
    let router = HealthRoutes::new(Arc::new(InMemory::new())).router();
    assert_eq!(get(&router, "/metrics").await.status(), StatusCode::NOT_FOUND);
}
