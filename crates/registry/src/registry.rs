//! [`Registry`]: the registry itself, and [`Builder`], which makes one.

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use storage_driver::{Result, StorageDriver};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    access::Authorize,
    api::Api,
    metrics::Metrics,
    options::{GcOptions, Options},
    page,
    store::{Store, collect::GcReport},
};

/// An OCI registry on a storage driver.
///
/// It is a [`Router`] for the specification's endpoints below `/v2/`, to be served by
/// [`Server`](crate::Server), `axum::serve`, or as part of a service of one's own. A clone is the same
/// registry. Several may work on one store, also in several processes if the driver lets them.
///
/// ```
/// # tokio_test::block_on(async {
/// use std::sync::Arc;
/// use axum::body::Body;
/// use http::{Request, StatusCode};
/// use inmemory::InMemory;
/// use registry::Registry;
/// use tower::ServiceExt;
///
/// let registry = Registry::builder(Arc::new(InMemory::new())).immutable_tags(true).build();
/// let request = Request::get("/v2/").body(Body::empty())?;
/// let response = registry.router().oneshot(request).await?;
/// assert_eq!(response.status(), StatusCode::OK);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Registry {
    api: Arc<Api>,
    /// One collection at a time.
    collecting: Arc<Mutex<()>>,
}

impl Registry {
    /// A registry on `driver`, with the defaults that [`Builder`] says.
    pub fn new(driver: Arc<dyn StorageDriver>) -> Self {
        Self::builder(driver).build()
    }

    /// A registry on `driver` that is to be told more.
    pub fn builder(driver: Arc<dyn StorageDriver>) -> Builder {
        Builder {
            driver,
            options: Options::default(),
            authorize: None,
            interrupt: CancellationToken::new(),
            metrics: Metrics::new(),
        }
    }

    /// The endpoints: `/v2/` and all below it, and, unless it is [turned off](Builder::page), a page
    /// for people at `/`.
    pub fn router(&self) -> Router {
        let router = Arc::clone(&self.api).router();
        match self.api.store.options.page {
            true => router.merge(page::router(Arc::clone(&self.api))),
            false => router,
        }
    }

    /// Deletes the blobs that no manifest makes use of, and cancels uploads that were left alone, while
    /// clients push and pull: what a client was just told exists stays. A second collection waits for
    /// the first.
    ///
    /// It holds the digests of all used blobs in memory, about 100 bytes each.
    ///
    /// # Errors
    ///
    /// `Unsupported` on a driver that does not claim `touch` and `preconditions`; else what the driver
    /// answers. What was deleted until then stays so.
    ///
    /// # Cancel safety
    ///
    /// May stop anywhere; another collection takes what this one left.
    pub async fn collect(&self, options: &GcOptions) -> Result<GcReport> {
        let _alone = self.collecting.lock().await;
        self.api.store.collect(options).await
    }

    /// Cancels the uploads in progress to which nothing was written for at least `older_than`; says
    /// how many. A [collection](Self::collect) does so too.
    ///
    /// # Errors
    ///
    /// What the driver answers; some may have been cancelled.
    pub async fn cancel_uploads(&self, older_than: Duration) -> Result<u64> {
        self.api.store.cancel_stale(older_than).await
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("store", &self.api.store).finish_non_exhaustive()
    }
}

/// What a [`Registry`] is told once. Sizes are in bytes.
#[must_use]
pub struct Builder {
    driver: Arc<dyn StorageDriver>,
    options: Options,
    authorize: Option<Arc<dyn Authorize>>,
    interrupt: CancellationToken,
    metrics: Metrics,
}

impl Builder {
    /// The largest blob that is taken; more is answered 413. 100 GiB by default.
    pub fn max_blob_size(mut self, bytes: u64) -> Self {
        self.options.max_blob_size = bytes;
        self
    }

    /// The largest manifest that is taken; more is answered 413. 4 MiB by default, which is what the
    /// specification asks for at least.
    pub fn max_manifest_size(mut self, bytes: u64) -> Self {
        self.options.max_manifest_size = bytes;
        self
    }

    /// How much memory the content of manifests may take, whatever clients do: 128 MiB by default, and
    /// never less than 32 times [`max_manifest_size`](Self::max_manifest_size).
    ///
    /// A manifest counts twice: once for its content, once for what is read of it. A quarter is for reading
    /// manifests from the driver, where requests wait for their turn. The rest is for pushes, and for lists
    /// (tags, referrers, the catalog) that clients have not received yet; a request that finds no room there
    /// fails with 429 and `Retry-After: 1`. A pull holds one chunk of the manifest at a time.
    pub fn manifest_memory(mut self, bytes: u64) -> Self {
        self.options.manifest_memory = bytes;
        self
    }

    /// How many requests may send blobs, parts of them or manifests at once; one more is answered 429.
    /// 4,096 by default.
    pub fn max_uploads(mut self, requests: usize) -> Self {
        self.options.max_uploads = requests;
        self
    }

    /// How many uploads may be in progress in the store, those included that their clients have left.
    /// One more is refused with 429. 65,536 by default.
    ///
    /// The count is approximate: uploads that other processes begin or end on the same store are noticed
    /// when stale uploads are [cancelled](Registry::cancel_uploads), or before an upload is refused.
    pub fn max_open_uploads(mut self, uploads: usize) -> Self {
        self.options.max_open_uploads = uploads;
        self
    }

    /// How long a request may take to send the next 4 KiB of its body, or its end; then it is answered
    /// 408, and what came is kept. There is no bound on the whole. 60 seconds by default.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.options.body_timeout = timeout;
        self
    }

    /// Takes no pushes and deletes nothing: both are answered 405. Off by default.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// Whether clients may delete tags, manifests and blobs; else that is answered 405. On by default.
    pub fn delete(mut self, delete: bool) -> Self {
        self.options.delete = delete;
        self
    }

    /// Whether a tag stays with the manifest that it named first: a push that would move it is answered
    /// 403, the deletion of a tag 405. Off by default.
    pub fn immutable_tags(mut self, immutable: bool) -> Self {
        self.options.immutable_tags = immutable;
        self
    }

    /// Whether an index is taken of which not all manifests are there. Off by default.
    pub fn sparse_indexes(mut self, sparse: bool) -> Self {
        self.options.sparse_indexes = sparse;
        self
    }

    /// Whether there is a page for people at `/`, which lists repositories, tags and sizes. On by
    /// default.
    pub fn page(mut self, page: bool) -> Self {
        self.options.page = page;
        self
    }

    /// How long content stays that nothing makes use of: the [grace](GcOptions::grace) of the collections
    /// that are made of this store. What has lain for half of it is given a new version when a client is
    /// told of it. 24 hours by default; a collection must not be made with less.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.options.grace = grace;
        self
    }

    /// Asks for each request whether it may be made. By default, everybody may do everything.
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// Uploads end when this is cancelled: what came is kept, and their clients are answered 503. For a
    /// server that is about to end.
    pub fn interrupt(mut self, interrupt: CancellationToken) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Counts uploads in progress here.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// The registry.
    pub fn build(self) -> Registry {
        let Self { driver, options, authorize, interrupt, metrics } = self;
        let store = Arc::new(Store::new(driver, options));
        let api = Arc::new(Api::new(store, authorize, interrupt, metrics));
        Registry { api, collecting: Arc::default() }
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("options", &self.options).finish_non_exhaustive()
    }
}
