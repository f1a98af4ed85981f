//! [`Clients`]: three clients of one store, which differ in time-outs and retries.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig, aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder, client::HttpClient, gcp::GoogleCloudStorageBuilder,
    list::PaginatedListStore, multipart::MultipartStore, signer::Signer,
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

/// Three clients on one connector.
#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// GET, HEAD and LIST: any duration, but no long silence.
    pub(crate) reads: Arc<dyn Engine>,
    /// Extents and parts, which are idempotent: retried. A read time-out would cut a body that is being sent.
    pub(crate) bulk: Arc<dyn Engine>,
    /// Small objects that decide something: never retried by the engine.
    pub(crate) decisive: Arc<dyn Engine>,
    /// Sends signed URLs, where a listing of multipart uploads can be had.
    pub(crate) signed: Option<HttpClient>,
    /// Whether the signature of a DELETE leaves room for a condition.
    pub(crate) can_condition_delete: bool,
    /// Whether a signed URL can state the content type of the response.
    pub(crate) signs_content_type: bool,
}

/// No response to a read for this long, or no more of it: it has failed.
const SILENCE: Duration = Duration::from_secs(30);
/// SeaweedFS lets the losers of a race wait for 8 s.
const DECISION: Duration = Duration::from_secs(20);

impl Clients {
    pub(crate) fn new(source: &Source, connector: &Connector) -> object_store::Result<Self> {
        let reads = || ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE);
        // The connector has a deadline for each, by its size.
        let bulk = || ClientOptions::new().with_timeout_disabled();
        let decisive = || ClientOptions::new().with_timeout(DECISION);
        let reads = engine(source, connector, reads(), retries(5))?;
        let signed = connector.last().filter(|_| matches!(source, Source::S3(_)));
        Ok(Self {
            reads,
            signed,
            bulk: engine(source, connector, bulk(), retries(5))?,
            decisive: engine(source, connector, decisive(), retries(0))?,
            can_condition_delete: !matches!(source, Source::Azure(_)),
            signs_content_type: matches!(source, Source::S3(_)),
        })
    }
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
