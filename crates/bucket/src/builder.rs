//! [`Builder`]: how a store is opened.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use object_store::{
    aws::AmazonS3Builder,
    azure::MicrosoftAzureBuilder,
    client::{HttpConnector, ReqwestConnector},
    gcp::GoogleCloudStorageBuilder,
};
use storage_driver::{Error, ErrorKind, Operation, Path, Result};

use crate::{
    Bucket,
    backend::{Backend, Clock},
    budget::Budget,
    clients::{Clients, Source},
    double::Double,
    error::explain,
    http::Connector,
    lease::Sightings,
    objects::Objects,
    probe,
    recent::Recent,
    tasks::Tasks,
};

/// The longest key that S3, Google Cloud Storage and Azure take, in bytes.
const MAX_KEY: usize = 1024;
/// The key of a journal is so much longer than its path.
const LONGEST_AFFIXES: usize = "!uploads/!".len();

/// Opens a [`Bucket`].
///
/// Credentials come from the builder of the engine: the environment, profiles, and the metadata services of
/// clouds, as `from_env` of that builder finds them.
///
/// ```no_run
/// use object_store::aws::AmazonS3Builder;
/// use storage_driver_bucket::Builder;
///
/// # async fn example() -> storage_driver::Result<()> {
/// let s3 = AmazonS3Builder::from_env().with_bucket_name("registry").with_region("eu-central-1");
/// let store = Builder::s3(s3).prefix("production").open().await?;
/// # Ok(())
/// # }
/// ```
pub struct Builder {
    source: Source,
    connector: Connector,
    prefix: String,
    clock: Option<Clock>,
    memory: u64,
    grace: Duration,
    accepts_unsuitable: bool,
    read_only: bool,
}

impl Builder {
    /// The memory that writers and readers hold, unless set: 64 MiB.
    pub const MEMORY: u64 = 64 << 20;
    /// The grace of the sweeper, unless set: an hour.
    pub const GRACE: Duration = Duration::from_secs(60 * 60);

    fn new(source: Source, connector: Connector) -> Self {
        Self {
            source,
            connector,
            prefix: String::new(),
            clock: None,
            memory: Self::MEMORY,
            grace: Self::GRACE,
            accepts_unsuitable: false,
            read_only: false,
        }
    }

    fn network() -> Connector {
        // The engine's TLS takes the provider of the process. An error means that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Connector::new(ReqwestConnector::default())
    }

    /// A bucket of S3, or of a server that speaks its protocol.
    pub fn s3(builder: AmazonS3Builder) -> Self {
        Self::new(Source::S3(Box::new(builder)), Self::network())
    }

    /// A bucket of Google Cloud Storage. Not tried on the service.
    pub fn gcs(builder: GoogleCloudStorageBuilder) -> Self {
        Self::new(Source::Gcs(Box::new(builder)), Self::network())
    }

    /// A container of Azure Blob Storage. Not tried on the service.
    pub fn azure(builder: MicrosoftAzureBuilder) -> Self {
        Self::new(Source::Azure(Box::new(builder)), Self::network())
    }

    /// A server in process.
    pub fn double(server: &Double) -> Self {
        let s3 = AmazonS3Builder::new()
            .with_bucket_name("memory")
            .with_region("memory")
            .with_endpoint("http://memory")
            .with_allow_http(true)
            .with_access_key_id("memory")
            .with_secret_access_key("memory");
        Self::new(Source::S3(Box::new(s3)), Connector::new(server.clone()))
    }

    /// The HTTP client under the engine. For a client with its own settings, and for tests.
    #[must_use]
    pub fn connector(mut self, connector: impl HttpConnector) -> Self {
        self.connector = Connector::new(connector);
        self
    }

    /// Keeps everything below this prefix: components of a path, with slashes between them.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How much memory open writers and readers hold, in bytes, all of them together: 64 MiB unless set. Each writer may
    /// exceed it by the buffer that it accepted last, and by 64 KiB; each reader by the content of a small file, or by one
    /// chunk.
    ///
    /// With more, parts are larger, so that an upload is fewer requests: a part has up to a quarter of it, between 5 and
    /// 32 MiB, and less if more than two uploads are sent at once.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// How long data stays that nothing names any more: as long as the slowest reader takes. At least 40 minutes:
    /// three quarters of it are for signed requests, which may arrive half an hour late.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// The clock that files and uploads are dated by. Unless set, it is the system's, corrected by the `Date` of the
    /// server's responses if they differ by more than two seconds. For tests.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Opens the store although its server is [`Unsuitable`](crate::Unsuitable), if it is. Two clients may then overwrite each other, and
    /// acknowledged files may be lost. [`health`](storage_driver::StorageDriver::health) reports the reason as a [warning](storage_driver::Health::warnings).
    #[must_use]
    pub fn accept_unsuitable(mut self) -> Self {
        self.accepts_unsuitable = true;
        self
    }

    /// Opens the store only to read it: nothing is written, not even to find out what the server does with conditions, so
    /// credentials that can read and list are enough. Operations that change something are not claimed and fail with
    /// [`Unsupported`](ErrorKind::Unsupported), and `health` reports that the store cannot be written.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use storage_driver::StorageDriver;
    /// use storage_driver_bucket::{Builder, double::Double};
    ///
    /// let store = Builder::double(&Double::default()).read_only(true).open().await?;
    /// assert!(!store.capabilities().preconditions);
    /// # Ok::<(), storage_driver::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// Opens the store. A few requests show whether the bucket honours conditions.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported), with [`Unsuitable`](crate::Unsuitable) as the source, if it does
    /// not; [`PermissionDenied`](ErrorKind::PermissionDenied); [`InvalidPath`](ErrorKind::InvalidPath) for a
    /// prefix that is no path; and what the requests fail with.
    pub async fn open(self) -> Result<Bucket> {
        let root = Path::root();
        self.build().await.map_err(|error| error.context("bucket", Operation::Open, &root))
    }

    async fn build(self) -> Result<Bucket> {
        let prefix = self.prefix.trim_matches('/');
        let root = match prefix.is_empty() {
            true => String::new(),
            false => {
                Path::parse(format!("/{prefix}"))?;
                format!("{prefix}/")
            }
        };
        let max_path_bytes = MAX_KEY.checked_sub(root.len() + LONGEST_AFFIXES);
        let max_path_bytes = max_path_bytes.ok_or_else(|| {
            Error::new(ErrorKind::InvalidPath).with_source("the prefix is longer than a key")
        })?;
        let clients = Clients::new(&self.source, &self.connector).map_err(explain)?;
        let objects = Objects::new(clients, root);
        let unsuitable = match self.read_only {
            false => probe::probe(&objects).await?,
            true => {
                probe::read(&objects).await?;
                None
            }
        };
        if let Some(reason) = unsuitable {
            if !self.accepts_unsuitable {
                return Err(reason.into());
            }
            tracing::warn!(%reason, "the store is used although it is unsuitable");
        }
        let meter = Arc::clone(self.connector.meter());
        let clock = self.clock.unwrap_or_else(|| {
            let meter = Arc::clone(&meter);
            Arc::new(move || meter.clock.now())
        });
        let backend = Backend {
            objects,
            unsuitable,
            read_only: self.read_only,
            tasks: Arc::new(Tasks::default()),
            budget: Budget::new(self.memory),
            clock,
            recent: Recent::default(),
            sightings: Sightings::default(),
            grace: self.grace,
            max_path_bytes,
        };
        Ok(Bucket::new(backend, meter))
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The source has credentials in it.
        f.debug_struct("Builder")
            .field("prefix", &self.prefix)
            .field("memory", &self.memory)
            .field("grace", &self.grace)
            .field("read_only", &self.read_only)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::{
        double::Ways,
        http::{Fault, FaultPlan},
    };

    /// Opens a store on a server with these ways; its request number `at` is lost.
    async fn open_with(ways: Ways, at: u64, fault: Fault) -> Bucket {
        let builder = Builder::double(&Double::new(ways));
        let sent = AtomicU64::new(0);
        let plan = FaultPlan::new(move |_, _| match sent.fetch_add(1, Ordering::Relaxed) == at {
            true => fault,
            false => Fault::None,
        });
        builder.connector.meter().set_faults(Some(plan));
        builder.open().await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_lost_at_opening_changes_no_finding() {
        for ways in [Ways::default(), Ways::ceph(), Ways::seaweedfs()] {
            let found = Builder::double(&Double::new(ways.clone())).open().await.unwrap();
            for at in 0..found.meter().total() {
                for fault in [Fault::Before, Fault::After] {
                    let store = open_with(ways.clone(), at, fault).await;
                    let same = store.deletes_conditionally() == found.deletes_conditionally();
                    assert!(same, "request {at}, {fault:?}, {ways:?}");
                }
            }
        }
    }
}
