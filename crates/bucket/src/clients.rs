//! [`Clients`]: the clients of one store, which differ in time-outs and retries.

use std::{fmt, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    client::HttpClient,
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
    list::PaginatedListStore,
    multipart::MultipartStore,
    signer::Signer,
};

use crate::http::Connector;

/// All that the driver needs of a store of the engine.
pub(crate) trait Engine: ObjectStore + MultipartStore + PaginatedListStore + Signer {}

impl<T: ObjectStore + MultipartStore + PaginatedListStore + Signer> Engine for T {}

/// The store whose objects are used. Builders show their credentials, so it has no `Debug`.
#[derive(Clone)]
pub(crate) enum Source {
    S3(Box<AmazonS3Builder>),
    Gcs(Box<GoogleCloudStorageBuilder>),
    Azure(Box<MicrosoftAzureBuilder>),
}

/// Clients on one connector.
#[derive(Clone)]
pub(crate) struct Clients {
    /// GET, HEAD and LIST: any duration, but no long silence.
    pub(crate) reads: Arc<dyn Engine>,
    /// Extents and parts, which are idempotent: retried. A read time-out would cut a body that is being sent.
    pub(crate) bulk: Arc<dyn Engine>,
    /// Copies by the server. Never retried by the engine: the source may have changed since.
    pub(crate) copies: Arc<dyn Engine>,
    /// Small objects that decide something: never retried by the engine.
    pub(crate) decisive: Arc<dyn Engine>,
    /// Sends signed URLs: requests that the engine cannot express.
    pub(crate) http: Option<HttpClient>,
    /// Whether a listing of multipart uploads can be had, by a signed URL.
    pub(crate) lists_multiparts: bool,
    /// Whether the signature of a request covers its conditions, so that a conditional DELETE needs a signed URL.
    pub(crate) signs_conditions: bool,
    /// Whether a signed URL can state the content type of the response.
    pub(crate) signs_content_type: bool,
}

/// No response to a read for this long, or no more of it: it has failed.
const SILENCE: Duration = Duration::from_secs(30);
/// SeaweedFS lets the losers of a race wait for 8 s.
const DECISION: Duration = Duration::from_secs(20);

/// The engine has no word for "never": a week.
const NEVER: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Clients {
    pub(crate) fn new(source: &Source, connector: &Connector) -> object_store::Result<Self> {
        let reads = Limits { total: NEVER, silence: Some(SILENCE), retries: 5 };
        // The connector has a deadline for each, by its size.
        let bulk = Limits { total: NEVER, silence: None, retries: 5 };
        let copies = Limits { retries: 0, ..bulk };
        let decisive = Limits { total: DECISION, silence: None, retries: 0 };
        let reads = engine(source, connector, reads)?;
        Ok(Self {
            reads,
            http: connector.last(),
            lists_multiparts: matches!(source, Source::S3(_)),
            bulk: engine(source, connector, bulk)?,
            copies: engine(source, connector, copies)?,
            decisive: engine(source, connector, decisive)?,
            signs_conditions: matches!(source, Source::Azure(_)),
            signs_content_type: matches!(source, Source::S3(_)),
        })
    }
}

impl fmt::Debug for Clients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The clients of the engine show their credentials.
        f.debug_struct("Clients").finish_non_exhaustive()
    }
}

/// What one client waits for, and how often.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// For a whole request.
    total: Duration,
    /// For the next bytes of a response.
    silence: Option<Duration>,
    retries: usize,
}

impl Limits {
    /// As options of the engine's HTTP client. All others stay as the builder has them: proxies, certificates.
    fn options(self) -> impl Iterator<Item = (ClientConfigKey, String)> {
        let silence = self.silence.map(|time| (ClientConfigKey::ReadTimeout, seconds(time)));
        [(ClientConfigKey::Timeout, seconds(self.total))].into_iter().chain(silence)
    }
}

fn seconds(time: Duration) -> String {
    format!("{}s", time.as_secs())
}

fn retries(max_retries: usize) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(10),
        base: 3.0,
    };
    RetryConfig { backoff, max_retries, retry_timeout: Duration::from_secs(5 * 60) }
}

fn engine(
    source: &Source,
    connector: &Connector,
    limits: Limits,
) -> object_store::Result<Arc<dyn Engine>> {
    let retry = retries(limits.retries);
    Ok(match source {
        Source::S3(builder) => {
            // A signature of the content protects it where TLS does not.
            let plain = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
            let plain = builder.get_config_value(&plain).is_some_and(|value| value == "true");
            let mut builder = builder.as_ref().clone();
            for (key, value) in limits.options() {
                builder = builder.with_config(AmazonS3ConfigKey::Client(key), value);
            }
            let builder = builder.with_unsigned_payload(!plain).with_disable_bulk_delete(true);
            Arc::new(builder.with_http_connector(connector.clone()).with_retry(retry).build()?)
        }
        Source::Gcs(builder) => {
            let mut builder = builder.as_ref().clone();
            for (key, value) in limits.options() {
                builder = builder.with_config(GoogleConfigKey::Client(key), value);
            }
            Arc::new(builder.with_http_connector(connector.clone()).with_retry(retry).build()?)
        }
        Source::Azure(builder) => {
            let mut builder = builder.as_ref().clone();
            for (key, value) in limits.options() {
                builder = builder.with_config(AzureConfigKey::Client(key), value);
            }
            Arc::new(builder.with_http_connector(connector.clone()).with_retry(retry).build()?)
        }
    })
}
