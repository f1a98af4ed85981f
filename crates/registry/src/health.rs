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
mod tests;
