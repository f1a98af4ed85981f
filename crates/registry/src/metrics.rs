//! [`Metrics`]: the metrics of a registry, for Prometheus.

mod body;
mod cache;
mod durations;
mod http;
mod memory;
mod metered;
mod storage;
mod streams;

use std::{fmt, sync::Arc};

use axum::{Router, middleware};
use prometheus_client::{
    encoding::{EncodeLabelSet, text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use storage_driver::StorageDriver;

pub(crate) use self::cache::{CacheLookup, CacheMetrics};
use self::{http::HttpMetrics, memory::MemoryGauges, metered::Metered, storage::StorageMetrics};
pub use self::{http::Route, memory::Memory};

/// The metrics of a registry: requests, operations of its driver, uploads, garbage collections, memory.
///
/// A clone is the same metrics. Every label has a bounded number of values for any requests. Names begin
/// with `registry_`, except `process_resident_memory_bytes`.
///
/// ```
/// use storage_driver_registry::Metrics;
///
/// let metrics = Metrics::new();
/// let upload = metrics.upload();
/// assert!(metrics.encode().contains("registry_uploads_in_progress 1\n"));
/// drop(upload);
/// assert!(metrics.encode().contains("registry_uploads_in_progress 0\n"));
/// ```
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    http: Arc<HttpMetrics>,
    storage: Arc<StorageMetrics>,
    memory: Arc<MemoryGauges>,
    cache: CacheMetrics,
    uploads: Gauge,
    collections: Family<Collection, Counter>,
    collected_blobs: Counter,
    collected_bytes: Counter,
    swept_objects: Counter,
    swept_bytes: Counter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Collection {
    outcome: &'static str,
}

impl Metrics {
    /// The content type of [`encode`](Self::encode).
    pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// New metrics. All counters are zero.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let memory = Arc::new(MemoryGauges::default());
        registry.register_collector(Box::new(Arc::clone(&memory)));
        let prefixed = registry.sub_registry_with_prefix("registry");
        let http = Arc::new(HttpMetrics::register(prefixed));
        let storage = Arc::new(StorageMetrics::register(prefixed));
        let cache = CacheMetrics::register(prefixed);
        let uploads = Gauge::default();
        prefixed.register(
            "uploads_in_progress",
            "Uploads whose data is being received",
            uploads.clone(),
        );
        let collections = Family::default();
        prefixed.register("gc_runs", "Garbage collections that ended", collections.clone());
        let collected_blobs = Counter::default();
        let help = "Blobs that garbage collections deleted";
        prefixed.register("gc_deleted_blobs", help, collected_blobs.clone());
        let collected_bytes = Counter::default();
        let help = "Bytes of the blobs that garbage collections deleted";
        let unit = Unit::Bytes;
        prefixed.register_with_unit("gc_deleted", help, unit, collected_bytes.clone());
        let swept_objects = Counter::default();
        let help = "Objects that nothing named and that sweeps of the driver removed";
        prefixed.register("gc_swept_objects", help, swept_objects.clone());
        let swept_bytes = Counter::default();
        let help = "Bytes of the objects that sweeps of the driver removed";
        prefixed.register_with_unit("gc_swept", help, Unit::Bytes, swept_bytes.clone());
        Self(Arc::new(Inner {
            registry,
            http,
            storage,
            memory,
            cache,
            uploads,
            collections,
            collected_blobs,
            collected_bytes,
            swept_objects,
            swept_bytes,
        }))
    }

    /// All metrics in the OpenMetrics text format, whose type is [`CONTENT_TYPE`](Self::CONTENT_TYPE).
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a `String` cannot fail, and neither can the encoding of these metrics.
        text::encode(&mut text, &self.0.registry).unwrap_or_default();
        text
    }

    /// Counts the requests of `router` by [`Route`], method and status, their duration up to the head and the
    /// end of the response, and the bytes of both bodies. Bodies keep their size, and so responses their
    /// `Content-Length`.
    ///
    /// A request is in flight until the body of its response has ended or was dropped. A request that was
    /// dropped before its response is counted separately, without a route.
    pub fn track(&self, router: Router) -> Router {
        router.layer(middleware::from_fn_with_state(Arc::clone(&self.0.http), http::track))
    }

    /// `driver` with metrics of its operations: their number by operation and outcome, their duration, and the
    /// bytes read and written.
    ///
    /// The outcome is `ok`, a kind of error, or `cancelled` for an operation that was dropped. A reader counts
    /// as one `read`, a writer as one `write` and a walk as one `walk`, when they end. Their duration is the
    /// time spent waiting for the driver, not for its caller. Content is not copied, except slices that are
    /// written.
    pub fn driver(&self, driver: Arc<dyn StorageDriver>) -> Arc<dyn StorageDriver> {
        Arc::new(Metered::new(driver, Arc::clone(&self.0.storage)))
    }

    /// Counts an upload as in progress until the guard is dropped.
    pub fn upload(&self) -> UploadInProgress {
        self.0.uploads.inc();
        UploadInProgress(self.0.uploads.clone())
    }

    pub(crate) fn cache(&self) -> CacheMetrics {
        self.0.cache.clone()
    }

    /// Counts a garbage collection that deleted `blobs` blobs with `bytes` bytes.
    pub(crate) fn garbage_collected(&self, blobs: u64, bytes: u64) {
        self.0.collections.get_or_create(&Collection { outcome: "ok" }).inc();
        self.0.collected_blobs.inc_by(blobs);
        self.0.collected_bytes.inc_by(bytes);
    }

    /// Counts what a sweep of the driver removed.
    pub(crate) fn swept(&self, objects: u64, bytes: u64) {
        self.0.swept_objects.inc_by(objects);
        self.0.swept_bytes.inc_by(bytes);
    }

    /// Counts a garbage collection that failed.
    pub(crate) fn garbage_collection_failed(&self) {
        self.0.collections.get_or_create(&Collection { outcome: "error" }).inc();
    }

    /// Sets the source of the memory that the store uses. It replaces an earlier source, is called at every
    /// [`encode`](Self::encode), and must not block.
    pub fn memory(&self, source: impl Fn() -> Option<Memory> + Send + Sync + 'static) {
        self.0.memory.set(Arc::new(source));
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// An upload that counts as in progress until this is dropped.
#[derive(Debug)]
#[must_use = "the upload counts as in progress until this is dropped"]
pub struct UploadInProgress(Gauge);

impl Drop for UploadInProgress {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_ends_as_openmetrics_does() {
        assert!(Metrics::new().encode().ends_with("# EOF\n"));
    }

    #[test]
    fn an_encoding_has_no_line_that_is_not_of_the_format() {
        let metrics = Metrics::new();
        metrics.garbage_collected(1, 2);
        for line in metrics.encode().lines() {
            let comment = ["# HELP ", "# TYPE ", "# UNIT ", "# EOF"];
            let value = || line.rsplit_once(' ').map(|(_, value)| value.parse::<f64>().is_ok());
            assert!(
                comment.iter().any(|it| line.starts_with(it)) || value() == Some(true),
                "{line}"
            );
        }
    }

    #[test]
    fn uploads_are_in_progress_until_their_guards_are_dropped() {
        let metrics = Metrics::new();
        let (first, second) = (metrics.upload(), metrics.upload());
        assert!(metrics.encode().contains("registry_uploads_in_progress 2\n"));
        drop((first, second));
        assert!(metrics.encode().contains("registry_uploads_in_progress 0\n"));
    }

    #[test]
    fn garbage_collections_are_counted_with_the_deleted_bytes() {
        let metrics = Metrics::new();
        metrics.garbage_collected(2, 100);
        metrics.garbage_collected(1, 11);
        metrics.garbage_collection_failed();
        metrics.swept(5, 113);
        let text = metrics.encode();
        for line in [
            "registry_gc_runs_total{outcome=\"ok\"} 2\n",
            "registry_gc_runs_total{outcome=\"error\"} 1\n",
            "registry_gc_deleted_blobs_total 3\n",
            "registry_gc_deleted_bytes_total 111\n",
            "registry_gc_swept_objects_total 5\n",
            "registry_gc_swept_bytes_total 113\n",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
