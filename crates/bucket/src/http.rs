//! The HTTP layer under the engine: it counts requests, adds conditions that the engine cannot
//! express, and injects faults for tests.

mod clock;
mod fault;
mod meter;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use http::{HeaderValue, Method, header};
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};

pub use fault::{Fault, FaultPlan};
pub use meter::{Meter, RequestKind};

tokio::task_local! {
    /// The `If-Match` of the DELETE that this task sends. The engine's delete takes no condition.
    static DELETE_IF: String;
}

/// Runs `delete` so that its DELETE request carries `If-Match: etag`.
pub(crate) async fn delete_if<T>(etag: String, delete: impl Future<Output = T>) -> T {
    DELETE_IF.scope(etag, delete).await
}

/// An [`HttpConnector`] around another one. All clients that it makes share one [`Meter`].
#[derive(Debug, Clone)]
pub struct Connector {
    inner: Arc<dyn HttpConnector>,
    meter: Arc<Meter>,
    last: Arc<Mutex<Option<HttpClient>>>,
}

impl Connector {
    /// A connector around `inner`.
    pub fn new(inner: impl HttpConnector) -> Self {
        Self { inner: Arc::new(inner), meter: Arc::default(), last: Arc::default() }
    }

    /// The client that was made last: for requests that the engine has no method for, with the options of the store.
    pub(crate) fn last(&self) -> Option<HttpClient> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was sent, and the plan of faults.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let client = self.inner.connect(options)?;
        let client = HttpClient::new(Service { client, meter: Arc::clone(&self.meter) });
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(client.clone());
        Ok(client)
    }
}

/// How long a request and its body may take: longer for larger bodies, of which a slow line takes 64 KiB in a second.
/// Reads have no deadline. Their client ends them when nothing arrives any more.
fn deadline(kind: RequestKind, body: usize) -> Option<Duration> {
    const LEAST: u64 = 30;
    const SLOWEST: u64 = 64 << 10;
    match kind {
        RequestKind::Get | RequestKind::Head | RequestKind::List => None,
        // The server puts parts together, or copies up to 5 GiB.
        RequestKind::Complete | RequestKind::Copy => Some(Duration::from_secs(15 * 60)),
        _ => Some(Duration::from_secs(LEAST + body as u64 / SLOWEST)),
    }
}

#[derive(Debug)]
struct Service {
    client: HttpClient,
    meter: Arc<Meter>,
}

#[async_trait]
impl HttpService for Service {
    async fn call(&self, mut request: HttpRequest) -> Result<HttpResponse, HttpError> {
        if request.method() == Method::DELETE
            && let Ok(etag) = DELETE_IF.try_with(Clone::clone)
            && let Ok(value) = HeaderValue::from_str(&etag)
        {
            // The signature covers only the headers that it names.
            request.headers_mut().insert(header::IF_MATCH, value);
        }
        let kind = RequestKind::of(&request);
        let fault = self.meter.record(kind, &request);
        let deadline = deadline(kind, request.body().content_length());
        let sent = SystemTime::now();
        let response = fault.apply(&self.client, request);
        let response = match deadline {
            None => response.await,
            Some(deadline) => tokio::time::timeout(deadline, response)
                .await
                .unwrap_or_else(|elapsed| Err(HttpError::new(HttpErrorKind::Timeout, elapsed))),
        };
        if let Ok(response) = &response {
            self.meter.clock.observe(sent, SystemTime::now(), response.headers());
        }
        response
    }
}
