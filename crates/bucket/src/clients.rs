//! [`Clients`]: the clients of one store, which differ in time-outs and retries.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder, gcp::GoogleCloudStorageBuilder, list::PaginatedListStore,
    multipart::MultipartStore, signer::Signer,
};

use crate::http::Connector;

/// All that the driver needs of a store of the engine.
pub(crate) trait Engine: ObjectStore + MultipartStore + PaginatedListStore + Signer {}

impl<T: ObjectStore + MultipartStore + PaginatedListStore + Signer> Engine for T {}

/// The store whose objects are used.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    S3(Box<AmazonS3Builder>),
    Gcs(Box<GoogleCloudStorageBuilder>),
    Azure(Box<MicrosoftAzureBuilder>),
}

/// Clients on one connector.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// GET, HEAD and LIST: any duration, but no long silence.
    pub(crate) reads: Arc<dyn Engine>,
    /// Extents and parts, which are idempotent: retried. A read time-out would cut a body that is being sent.
    pub(crate) bulk: Arc<dyn Engine>,
    /// Copies by the server. Never retried by the engine: the source may have changed since.
    pub(crate) copies: Arc<dyn Engine>,
    /// Small objects that decide something: never retried by the engine.
    pub(crate) decisive: Arc<dyn Engine>,
    /// Whether the signature of a DELETE leaves room for a condition.
    pub(crate) can_condition_delete: bool,
    /// Whether a signed URL can state the content type of the response.
    pub(crate) signs_content_type: bool,
}

/// No response to a read for this long, or no more of it: it has failed.
const SILENCE: Duration = Duration::from_secs(30);
/// SeaweedFS lets the losers of a race wait for 8 s.
const DECISION: Duration = Duration::from_secs(20);
/// 8 MiB in this time is 70 KiB/s.
const BULK: Duration = Duration::from_secs(120);

impl Clients {
    pub(crate) fn new(source: &Source, connector: &Connector) -> object_store::Result<Self> {
        let reads = || ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE);
        let bulk = || ClientOptions::new().with_timeout(BULK);
        let decisive = || ClientOptions::new().with_timeout(DECISION);
        Ok(Self {
            reads: engine(source, connector, reads(), retries(3))?,
            bulk: engine(source, connector, bulk(), retries(3))?,
            copies: engine(source, connector, bulk(), retries(0))?,
            decisive: engine(source, connector, decisive(), retries(0))?,
            can_condition_delete: !matches!(source, Source::Azure(_)),
            signs_content_type: matches!(source, Source::S3(_)),
        })
    }
}

fn retries(max_retries: usize) -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(50),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    };
    RetryConfig { backoff, max_retries, retry_timeout: Duration::from_secs(60) }
}

fn engine(
    source: &Source,
    connector: &Connector,
    options: ClientOptions,
    retry: RetryConfig,
) -> object_store::Result<Arc<dyn Engine>> {
    Ok(match source {
        Source::S3(builder) => {
            // The builder keeps what it was told about plain HTTP in its own client options.
            let plain = builder
                .get_config_value(&object_store::aws::AmazonS3ConfigKey::Client(
                    object_store::ClientConfigKey::AllowHttp,
                ))
                .is_some_and(|value| value == "true");
            Arc::new(
                builder
                    .as_ref()
                    .clone()
                    .with_client_options(options.with_allow_http(plain))
                    .with_unsigned_payload(!plain)
                    .with_disable_bulk_delete(true)
                    .with_http_connector(connector.clone())
                    .with_retry(retry)
                    .build()?,
            )
        }
        Source::Gcs(builder) => Arc::new(
            builder
                .as_ref()
                .clone()
                .with_client_options(options)
                .with_http_connector(connector.clone())
                .with_retry(retry)
                .build()?,
        ),
        Source::Azure(builder) => Arc::new(
            builder
                .as_ref()
                .clone()
                .with_client_options(options)
                .with_http_connector(connector.clone())
                .with_retry(retry)
                .build()?,
        ),
    })
}
