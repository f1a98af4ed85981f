//! [`ops_router`]: what those who run a registry ask of it.

use std::{
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
use tokio::{sync::watch, time::timeout};

use crate::{Metrics, Route};

/// How long a probe waits for the driver.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a client may ask again, in seconds.
const RETRY_SECONDS: &str = "5";

/// `/livez`, `/healthz` and, with `metrics`, `/metrics`.
///
/// - `/livez` answers 200 as long as the process answers at all.
/// - `/healthz` answers 200 if `driver` can be read and written, and 503 with `Retry-After: 5` if
///   not, or if it does not say within 5 seconds; the body, one line of text, says why. Probes that
///   come while the driver is being asked wait for the same answer.
/// - `/metrics` answers what [`Metrics::encode`] gives.
///
/// They ask for no credentials: serve them where clients do not come.
pub fn ops_router(driver: Arc<dyn StorageDriver>, metrics: Option<Metrics>) -> Router {
    let ask = move || {
        let driver = Arc::clone(&driver);
        async move { driver.health().await }.boxed()
    };
    router(Probe { ask: Box::new(ask), check: Mutex::default() }, metrics)
}

fn router(probe: Probe, metrics: Option<Metrics>) -> Router {
    let router = Router::new()
        .route("/livez", get(async || (Extension(Route("livez")), "ok\n")))
        .route("/healthz", get(healthz).with_state(Arc::new(probe)));
    match metrics {
        Some(metrics) => router.route("/metrics", get(scrape).with_state(metrics)),
        None => router,
    }
}

async fn scrape(State(metrics): State<Metrics>) -> Response {
    let content_type = [(CONTENT_TYPE, Metrics::CONTENT_TYPE)];
    (Extension(Route("metrics")), content_type, metrics.encode()).into_response()
}

async fn healthz(State(probe): State<Arc<Probe>>) -> Response {
    let route = Extension(Route("healthz"));
    let problem = match timeout(PATIENCE, probe.health()).await {
        Ok(Some(Health { read: Ok(()), write: Ok(()) })) => return (route, "ok\n").into_response(),
        Ok(Some(Health { read: Err(error), .. })) => format!("cannot read: {error}\n"),
        Ok(Some(Health { write: Err(error), .. })) => format!("cannot write: {error}\n"),
        Ok(None) => "the check failed\n".to_owned(),
        Err(_) => format!("no answer within {} s\n", PATIENCE.as_secs()),
    };
    let retry = [(RETRY_AFTER, RETRY_SECONDS)];
    (StatusCode::SERVICE_UNAVAILABLE, route, retry, problem).into_response()
}

type Answer = watch::Receiver<Option<Health>>;

/// Asks a driver for its health, once at a time.
struct Probe {
    ask: Box<dyn Fn() -> BoxFuture<'static, Health> + Send + Sync>,
    /// The check that is under way, or was last.
    check: Mutex<Option<Answer>>,
}

impl Probe {
    /// What the driver says, or `None` if it panicked.
    async fn health(&self) -> Option<Health> {
        let mut answer = self.join();
        answer.wait_for(Option::is_some).await.ok().and_then(|health| health.clone())
    }

    /// The check that is under way, or a new one.
    ///
    /// It is a task of its own, which outlives the patience of who asked: a driver that hangs is
    /// asked once and not at every probe, which would leave a thread hanging at each.
    fn join(&self) -> Answer {
        let mut check = self.check.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = &*check
            && answer.has_changed().is_ok()
        {
            return answer.clone();
        }
        let (sender, answer) = watch::channel(None);
        let health = (self.ask)();
        tokio::spawn(async move { sender.send(Some(health.await)) });
        check.insert(answer).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::body::{Body, to_bytes};
    use conformance::layers::{Fault, Faulty};
    use http::Request;
    use inmemory::InMemory;
    use storage_driver::{Error, ErrorKind};
    use tokio::{sync::Semaphore, time::Instant};
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
        router(Probe { ask: Box::new(ask), check: Mutex::default() }, None)
    }

    #[tokio::test]
    async fn a_process_with_a_broken_store_is_alive() {
        let faulty = Faulty::new(InMemory::new());
        faulty.plan(|_| Some(Fault::Before(ErrorKind::Unavailable)));
        let response = get(&ops_router(Arc::new(faulty), None), "/livez").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, "ok\n");
    }

    #[tokio::test]
    async fn a_store_that_can_be_used_is_healthy() {
        let response = get(&ops_router(Arc::new(InMemory::new()), None), "/healthz").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(text(response).await, "ok\n");
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_read_says_why_and_when_to_ask_again() {
        let faulty = Faulty::new(InMemory::new());
        faulty.plan(|_| Some(Fault::Before(ErrorKind::PermissionDenied)));
        let response = get(&ops_router(Arc::new(faulty), None), "/healthz").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "5");
        assert_eq!(text(response).await, "cannot read: inmemory: health /: permission denied\n");
    }

    #[tokio::test]
    async fn a_full_store_says_that_it_cannot_be_written() {
        let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
        let health = Health { read: Ok(()), write: Err(Error::new(full)) };
        let router = asking(move || std::future::ready(health.clone()).boxed());
        let response = get(&router, "/healthz").await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text(response).await, "cannot write: storage full: 0 bytes available\n");
    }

    #[tokio::test]
    async fn a_store_that_recovers_is_healthy_again() {
        let faulty = Faulty::new(InMemory::new());
        faulty.fail_nth(0, Fault::Before(ErrorKind::Unavailable));
        let router = ops_router(Arc::new(faulty), None);
        assert_eq!(get(&router, "/healthz").await.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(get(&router, "/healthz").await.status(), StatusCode::OK);
    }

    /// A store that answers when the semaphore has a permit for it, and how often it was asked.
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
    async fn a_store_that_does_not_answer_is_waited_for_five_seconds() {
        let (router, ..) = slow();
        let start = Instant::now();
        let response = get(&router, "/healthz").await;
        assert_eq!(start.elapsed().as_secs(), 5);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(text(response).await, "no answer within 5 s\n");
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_hangs_is_asked_once() {
        let (router, gate, asked) = slow();
        for _ in 0..3 {
            get(&router, "/healthz").await;
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        gate.add_permits(2);
        get(&router, "/healthz").await;
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
        let router = ops_router(Arc::new(InMemory::new()), Some(Metrics::new()));
        let response = get(&router, "/metrics").await;
        assert_eq!(response.headers()[CONTENT_TYPE], Metrics::CONTENT_TYPE);
        assert!(text(response).await.ends_with("# EOF\n"));
    }

    #[tokio::test]
    async fn without_metrics_there_is_no_such_page() {
        let router = ops_router(Arc::new(InMemory::new()), None);
        assert_eq!(get(&router, "/metrics").await.status(), StatusCode::NOT_FOUND);
    }
}
