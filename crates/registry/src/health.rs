//! [`HealthRoutes`]: liveness, health and metrics.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Extension, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{FutureExt, future::BoxFuture};
use http::{
    StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use storage_driver::{Health, StorageDriver};
use tokio::{
    sync::watch,
    time::{Instant, timeout},
};

use crate::{
    error_chain::ErrorChain,
    metrics::{Metrics, Route},
    shutdown::Shutdown,
};

/// How long a probe waits for the driver.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the outcome of a check is reported without another check.
const FRESH: Duration = Duration::from_secs(2);

/// When a client may retry, in seconds.
const RETRY_SECONDS: &str = "5";

/// The routes for operators: `/livez`, `/healthz` and `/metrics`.
///
/// - `/livez` returns 200 while the process can respond.
/// - `/healthz` returns 200 if the driver can be read and written. Otherwise, or if the check takes longer than 5
///   seconds, it returns 503 with `Retry-After: 5`, and the body is one line with the cause. The driver is checked
///   at most once in 2 seconds: probes during a check wait for its outcome, and probes within the next 2 seconds
///   get the same outcome. Warnings of the driver are in the body of a 200. During a [shutdown](Self::shutdown) it returns 503.
/// - `/metrics` returns [`Metrics::encode`].
///
/// They need no credentials. A check may write to the store, and its outcome contains paths: serve `/healthz` and
/// `/metrics` at an address that clients cannot reach. [`livez_router`] has the first route alone.
///
/// ```
/// # tokio_test::block_on(async {
/// use std::sync::Arc;
/// use inmemory::InMemory;
/// use storage_driver_registry::{Metrics, HealthRoutes};
///
/// let router = HealthRoutes::new(Arc::new(InMemory::new())).metrics(Metrics::new()).router();
/// # });
/// ```
#[must_use = "it does nothing without its router"]
pub struct HealthRoutes {
    check: Check,
    metrics: Option<Metrics>,
    read_only: bool,
    shutdown: Shutdown,
}

type Check = Box<dyn Fn() -> BoxFuture<'static, Health> + Send + Sync>;

impl HealthRoutes {
    /// The routes for a registry on `driver`, without `/metrics`.
    pub fn new(driver: Arc<dyn StorageDriver>) -> Self {
        let check = move || {
            let driver = Arc::clone(&driver);
            async move { driver.health().await }.boxed()
        };
        Self { check: Box::new(check), metrics: None, read_only: false, shutdown: Shutdown::new() }
    }

    /// Serves these metrics.
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// For a registry that writes nothing: whether a driver that can only be read is healthy.
    pub fn read_only(self, read_only: bool) -> Self {
        Self { read_only, ..self }
    }

    /// `/healthz` returns 503 when the handle [announces](Shutdown::drain) a shutdown.
    pub fn shutdown(self, shutdown: &Shutdown) -> Self {
        Self { shutdown: shutdown.clone(), ..self }
    }

    /// The routes.
    pub fn router(self) -> Router {
        let Self { check, metrics, read_only, shutdown } = self;
        let probe = Arc::new(Probe { check, read_only, shutdown, last: Mutex::default() });
        let router = livez_router().route("/healthz", get(healthz).with_state(probe));
        match metrics {
            Some(metrics) => router.route("/metrics", get(scrape).with_state(metrics)),
            None => router,
        }
    }
}

impl fmt::Debug for HealthRoutes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthRoutes").field("read_only", &self.read_only).finish_non_exhaustive()
    }
}

/// The route `/livez` of [`HealthRoutes`] alone, for an address that clients can reach.
pub fn livez_router() -> Router {
    Router::new().route("/livez", get(async || (Extension(Route("livez")), "ok\n")))
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    let content_type = [(CONTENT_TYPE, Metrics::CONTENT_TYPE)];
    (Extension(Route("metrics")), content_type, metrics.encode()).into_response()
}

async fn healthz(State(probe): State<Arc<Probe>>) -> Response {
    let route = Extension(Route("healthz"));
    let problem = match timeout(PATIENCE, probe.health()).await {
        _ if probe.shutdown.is_draining() => "the registry is shutting down".to_owned(),
        Ok(Some(Health { read: Err(error), .. })) => format!("cannot read: {}", ErrorChain(&error)),
        Ok(Some(Health { write: Err(error), .. })) if !probe.read_only => {
            format!("cannot write: {}", ErrorChain(&error))
        }
        Ok(Some(health)) => {
            let warnings = health.warnings().iter().map(|it| format!("warning: {it}\n"));
            return (route, "ok\n".to_owned() + &warnings.collect::<String>()).into_response();
        }
        Ok(None) => "the check failed".to_owned(),
        Err(_) => format!("no response from the driver within {} s", PATIENCE.as_secs()),
    };
    let retry = [(RETRY_AFTER, RETRY_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, route, retry, format!("{problem}\n")).into_response()
}

/// The result of a check, `None` if the driver panicked, and its time.
#[derive(Debug, Clone)]
struct Outcome {
    health: Option<Health>,
    at: Instant,
}

type Outcomes = watch::Receiver<Option<Outcome>>;

/// Checks the health of a driver, one check at a time and not too often.
struct Probe {
    check: Check,
    read_only: bool,
    shutdown: Shutdown,
    /// The running check, or the last one.
    last: Mutex<Option<Outcomes>>,
}

impl Probe {
    /// The health of the driver, or `None` if it panicked.
    async fn health(&self) -> Option<Health> {
        let mut outcomes = self.join();
        let outcome = outcomes.wait_for(Option::is_some).await.ok()?.clone();
        outcome.and_then(|outcome| outcome.health)
    }

    /// The running check, the last one if it is recent, or a new one.
    ///
    /// It is a separate task, which outlives the time-out of a probe. A driver that hangs is called once, and
    /// not at every probe, each of which would leave another hanging call.
    fn join(&self) -> Outcomes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(outcomes) = &*last {
            let is_fresh = match &*outcomes.borrow() {
                Some(outcome) => outcome.at.elapsed() < FRESH,
                // Still running, unless its runtime has ended.
                None => outcomes.has_changed().is_ok(),
            };
            if is_fresh {
                return outcomes.clone();
            }
        }
        let (sender, outcomes) = watch::channel(None);
        let check = AssertUnwindSafe((self.check)()).catch_unwind();
        tokio::spawn(async move {
            let health = check.await.ok();
            // No receiver is left if all probes have ended.
            let _ = sender.send(Some(Outcome { health, at: Instant::now() }));
        });
        last.insert(outcomes).clone()
    }
}

#[cfg(test)]
mod tests {
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
        let response =
            get(&HealthRoutes::new(Arc::new(InMemory::new())).router(), "/healthz").await;
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
}
