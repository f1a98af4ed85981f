//! [`Registry`]: the registry itself, and [`RegistryBuilder`], which makes one.

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use storage_driver::{Result, StorageDriver};

use crate::{
    access::Authorize,
    api::{self, Api, Cursors},
    metrics::Metrics,
    options::{GcOptions, Options, Redirect},
    shutdown::Shutdown,
    store::{Store, collect::GcReport},
    store_timeout::StoreTimeout,
    ui,
};

/// An OCI registry on a storage driver.
///
/// It is a [`Router`] for the specification's endpoints below `/v2/`, to be served by
/// [`Server`](crate::Server) or `axum::serve`, or as part of your own service. A clone is the same registry.
/// Several registries may work on one store, also in several processes if the driver supports that.
///
/// ```
/// # tokio_test::block_on(async {
/// use std::sync::Arc;
/// use axum::body::Body;
/// use http::{Request, StatusCode};
/// use inmemory::InMemory;
/// use storage_driver_registry::Registry;
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
}

impl Registry {
    /// A registry on `driver`, with the defaults of a [`RegistryBuilder`].
    pub fn new(driver: Arc<dyn StorageDriver>) -> Self {
        Self::builder(driver).build()
    }

    /// A builder of a registry on `driver`.
    pub fn builder(driver: Arc<dyn StorageDriver>) -> RegistryBuilder {
        RegistryBuilder {
            driver,
            options: Options::default(),
            authorize: None,
            cursor_keys: Vec::new(),
            shutdown: Shutdown::new(),
            metrics: Metrics::new(),
        }
    }

    /// The endpoints: `/v2/` and everything below it, and, unless it is [turned
    /// off](RegistryBuilder::web_ui), the web interface at `/`.
    pub fn router(&self) -> Router {
        let router = api::router(Arc::clone(&self.api));
        match self.api.store.options.web_ui {
            true => router.merge(ui::router(Arc::clone(&self.api))),
            false => router,
        }
    }

    /// Deletes the blobs that no manifest uses, and cancels abandoned uploads, while clients push and pull:
    /// content that a client has just learned of is kept. The [metrics](RegistryBuilder::metrics) count it, unless it is
    /// a dry run.
    ///
    /// Of all registries on one store, one collects at a time. If another one does, this returns a
    /// [report](GcReport::held_by) that says so, after at most 20 seconds. One that has died is succeeded after a minute.
    ///
    /// It holds the digests of all used blobs in memory, about 100 bytes each.
    ///
    /// # Errors
    ///
    /// `Unsupported` on a driver that does not claim `touch` and `preconditions`, and the errors of the driver.
    /// Garbage that was deleted before the error stays deleted.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped at any point. The next collection deletes the rest, after it has waited for a minute.
    pub async fn collect(&self, options: &GcOptions) -> Result<GcReport> {
        let collected = self.api.store.collect(options).await;
        self.api.store.forget_seen();
        match &collected {
            _ if options.dry_run => {}
            Ok(report) if report.held_by.is_some() && report.repositories == 0 => {}
            Ok(report) => {
                self.api.metrics.garbage_collected(report.blobs, report.bytes);
                self.api.metrics.swept(report.sweep.objects, report.sweep.bytes);
            }
            Err(_) => self.api.metrics.garbage_collection_failed(),
        }
        collected
    }

    /// Cancels the uploads in progress to which nothing was written for at least `older_than`, and returns
    /// how many. A [collection](Self::collect) does so too.
    ///
    /// # Errors
    ///
    /// Those of the driver. Some uploads may have been cancelled before.
    pub async fn cancel_uploads(&self, older_than: Duration) -> Result<u64> {
        self.api.store.cancel_stale(older_than).await
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("store", &self.api.store).finish_non_exhaustive()
    }
}

/// Builds a [`Registry`]. Sizes are in bytes.
#[must_use = "it does nothing until it is built"]
pub struct RegistryBuilder {
    driver: Arc<dyn StorageDriver>,
    options: Options,
    authorize: Option<Arc<dyn Authorize>>,
    cursor_keys: Vec<[u8; 32]>,
    shutdown: Shutdown,
    metrics: Metrics,
}

impl RegistryBuilder {
    /// The largest blob that is accepted. A larger one is a 413. 100 GiB by default.
    pub fn max_blob_size(mut self, bytes: u64) -> Self {
        self.options.max_blob_size = bytes;
        self
    }

    /// The largest manifest that is accepted. A larger one is a 413. 4 MiB by default, the least that the
    /// specification demands.
    pub fn max_manifest_size(mut self, bytes: u64) -> Self {
        self.options.max_manifest_size = bytes;
        self
    }

    /// How much memory the content of manifests may use in total. 128 MiB by default; a lower value
    /// than 32 times [`max_manifest_size`](Self::max_manifest_size) is raised to that.
    ///
    /// A manifest counts twice: once for its content, once for its parsed form. A quarter is for reading
    /// manifests from the driver, where requests queue. The rest is for pushes, and for lists
    /// (tags, referrers, the catalog) that clients have not received yet; a request that finds no room there
    /// fails with 429 and `Retry-After: 1`. A pull holds one chunk of the manifest at a time.
    pub fn manifest_memory(mut self, bytes: u64) -> Self {
        self.options.manifest_memory = bytes;
        self
    }

    /// How much memory the cache may use: for manifests of up to 64 KiB, for the types and sizes of larger ones, and for
    /// which files were seen in the last minute. 0 by default, which turns it off; a registry on an object
    /// store is faster with 32 MiB.
    ///
    /// With it, `GET` and `HEAD` of a manifest, and `HEAD` of a blob, need one call of the driver. Whether content
    /// exists is asked with every request: what a client deletes is gone at once, in all processes on the same store. If
    /// an operator removes files of the store, or a collection has a shorter [grace](Self::gc_grace) than
    /// this registry, `HEAD` can report for one minute a blob that is gone.
    pub fn cache_memory(mut self, bytes: u64) -> Self {
        self.options.cache_memory = bytes;
        self
    }

    /// How many requests may send blobs, chunks or manifests at once. One more is a 429. 4,096 by default.
    pub fn max_uploads(mut self, requests: usize) -> Self {
        self.options.max_uploads = requests;
        self
    }

    /// How many uploads may be in progress in the store, abandoned ones included. One more is a 429. 65,536 by
    /// default.
    ///
    /// The count is approximate: uploads that other processes begin or end on the same store are noticed
    /// when stale uploads are [cancelled](Registry::cancel_uploads), or before an upload is refused.
    pub fn max_open_uploads(mut self, uploads: usize) -> Self {
        self.options.max_open_uploads = uploads;
        self
    }

    /// How long a request may take to send the next 4 KiB of its body, or its end. A slower one is a 408, and
    /// received bytes are kept. The time for the whole body is not bounded. 60 seconds by default.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.options.body_timeout = timeout;
        self
    }

    /// How long one small operation of the driver may take: a look-up, a list, a manifest, the beginning of an upload or
    /// download. Then the request fails with 503 and `Retry-After`. 60 seconds by default. The transfer of content is
    /// bounded by the driver alone.
    pub fn store_timeout(mut self, timeout: Duration) -> Self {
        self.options.store_timeout = timeout;
        self
    }

    /// Refuses pushes and deletions with 405. Off by default.
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.options.read_only = read_only;
        self
    }

    /// Whether clients may delete tags, manifests and blobs. If not, a deletion is a 405. On by default.
    pub fn allow_delete(mut self, allow: bool) -> Self {
        self.options.allow_delete = allow;
        self
    }

    /// Whether a tag always names its first manifest. A push that would move it is a 403, its deletion a 405.
    /// Off by default.
    pub fn immutable_tags(mut self, immutable: bool) -> Self {
        self.options.immutable_tags = immutable;
        self
    }

    /// Whether an index is accepted some of whose manifests are missing. Off by default.
    pub fn sparse_indexes(mut self, sparse: bool) -> Self {
        self.options.sparse_indexes = sparse;
        self
    }

    /// Whether there is a web interface at `/`, which lists repositories, tags and sizes. On by default.
    pub fn web_ui(mut self, web_ui: bool) -> Self {
        self.options.web_ui = web_ui;
        self
    }

    /// Which downloads of blobs are redirected to the store. [`Redirect::Never`] by default.
    pub fn redirect(mut self, redirect: Redirect) -> Self {
        self.options.redirect = redirect;
        self
    }

    /// How long unused content is kept: the [grace](GcOptions::grace) of the collections of this store. Content
    /// that is older than half of it gets a new version when a client learns of it. 24 hours by default. A
    /// collection with a shorter grace can delete content that a client has just pushed.
    pub fn gc_grace(mut self, grace: Duration) -> Self {
        self.options.gc_grace = grace;
        self
    }

    /// The name of this node among the registries on one store, such as the name of its machine: it is part of the
    /// [report](GcReport::node) of a collection, and other nodes name it while it collects. Of more than 200 bytes, and
    /// of characters that are not printable ASCII, the rest is used. A random UUID by default.
    pub fn node(mut self, name: &str) -> Self {
        let printable = name.chars().filter(|it| it.is_ascii_graphic() || *it == ' ');
        self.options.node = printable.take(200).collect();
        self
    }

    /// Decides for each request whether it is allowed. By default, every request is.
    pub fn authorize(mut self, authorize: Arc<dyn Authorize>) -> Self {
        self.authorize = Some(authorize);
        self
    }

    /// The keys of positions in the catalog that must not reveal a name: see [`TokenKey::cursor_keys`]. The first one
    /// encrypts, and all decrypt. By default a random key, so that the link to the next page is
    /// valid at this process alone, until it ends.
    ///
    /// [`TokenKey::cursor_keys`]: https://docs.rs/storage-driver-registry/latest/storage_driver_registry/struct.TokenKey.html#method.cursor_keys
    pub fn cursor_keys(mut self, keys: impl IntoIterator<Item = [u8; 32]>) -> Self {
        self.cursor_keys = keys.into_iter().collect();
        self
    }

    /// Ends uploads when the handle [interrupts](Shutdown::interrupt) them, as a
    /// [`Server`](crate::Server) does that runs with the same handle.
    pub fn shutdown(mut self, shutdown: &Shutdown) -> Self {
        self.shutdown = shutdown.clone();
        self
    }

    /// Counts uploads in progress and collected garbage in these metrics.
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Builds the registry.
    pub fn build(self) -> Registry {
        let Self { driver, options, authorize, cursor_keys, shutdown, metrics } = self;
        let driver = Arc::new(StoreTimeout::new(driver, options.store_timeout));
        let store = Arc::new(Store::new(driver, options, metrics.cache()));
        let cursors = Cursors::new(&cursor_keys);
        let interrupt = shutdown.interrupt_token();
        let api = Arc::new(Api::new(store, authorize, interrupt, metrics, cursors));
        Registry { api }
    }
}

impl fmt::Debug for RegistryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegistryBuilder").field("options", &self.options).finish_non_exhaustive()
    }
}
