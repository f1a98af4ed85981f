//! WIRE: stands in for the registry's builder, its collection and its metrics, in the shape that they
//! will have. To be deleted.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::{Router, routing::get};
use registry::{AccessRequest, Action, Authorize, CancellationToken, Refusal};
use storage_driver::StorageDriver;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

pub(crate) struct GcOptions {
    pub(crate) interval: Option<Duration>,
    pub(crate) grace: Duration,
    pub(crate) untagged: bool,
}

pub(crate) struct Registry(Arc<dyn StorageDriver>);

pub(crate) struct Builder(Arc<dyn StorageDriver>);

impl Registry {
    pub(crate) fn builder(driver: Arc<dyn StorageDriver>) -> Builder {
        Builder(driver)
    }

    pub(crate) fn router(&self) -> Router {
        let driver = self.0.clone();
        Router::new().route("/v2/", get(|| async move { drop(driver) }))
    }
}

macro_rules! setters {
    ($($name:ident: $type:ty,)*) => {
        impl Builder {
            $(pub(crate) fn $name(self, _: $type) -> Self {
                self
            })*

            pub(crate) fn build(self) -> Result<Registry> {
                Ok(Registry(self.0))
            }
        }
    };
}

setters! {
    max_blob_size: u64,
    max_manifest_size: u64,
    max_uploads: usize,
    body_timeout: Duration,
    read_only: bool,
    delete: bool,
    immutable_tags: bool,
    sparse_indexes: bool,
    page: bool,
    upload_ttl: Duration,
    authorize: Arc<dyn Authorize>,
    interrupt: CancellationToken,
}

impl Builder {
    pub(crate) fn gc(self, options: GcOptions) -> Self {
        let _ = options.interval;
        self
    }
}

/// Who may do what in the repositories of a pattern.
pub(crate) struct Rule {
    pub(crate) repositories: String,
    pub(crate) users: Vec<String>,
    pub(crate) actions: Vec<Action>,
}

pub(crate) struct Htpasswd;

impl Htpasswd {
    /// It fails, so that nobody takes what is not there for a lock.
    pub(crate) async fn load(file: &Path, anonymous_pull: bool, rules: Vec<Rule>) -> Result<Self> {
        let rules: usize =
            rules.iter().map(|r| r.repositories.len() + r.users.len() + r.actions.len()).sum();
        let _ = (anonymous_pull, rules);
        Err(format!("{}: passwords are not built yet", file.display()).into())
    }

    pub(crate) async fn reload(&self) -> Result<()> {
        Ok(())
    }
}

#[async_trait]
impl Authorize for Htpasswd {
    async fn authorize(&self, _: AccessRequest<'_>) -> std::result::Result<(), Refusal> {
        Err(Refusal::Denied)
    }
}

pub(crate) struct Metrics;

impl Metrics {
    pub(crate) fn router(&self) -> Router {
        Router::new().route("/metrics", get(|| async { "# EOF\n" }))
    }
}

pub(crate) struct Report {
    dry_run: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} 0 blobs", if self.dry_run { "would remove" } else { "removed" })
    }
}

pub(crate) async fn collect(
    _: Arc<dyn StorageDriver>,
    options: GcOptions,
    _upload_ttl: Duration,
    dry_run: bool,
) -> Result<Report> {
    let _ = (options.grace, options.untagged);
    Ok(Report { dry_run })
}
