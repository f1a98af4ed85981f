//! [`Options`] of a registry, [`Redirect`], and [`GcOptions`] of a collection.

use std::time::Duration;

use uuid::Uuid;

/// The options that a [`RegistryBuilder`](crate::RegistryBuilder) sets. Sizes are in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) max_blob_size: u64,
    pub(crate) max_manifest_size: u64,
    pub(crate) manifest_memory: u64,
    pub(crate) cache_memory: u64,
    pub(crate) store_timeout: Duration,
    pub(crate) max_uploads: usize,
    pub(crate) max_open_uploads: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) read_only: bool,
    pub(crate) allow_delete: bool,
    pub(crate) immutable_tags: bool,
    pub(crate) sparse_indexes: bool,
    pub(crate) web_ui: bool,
    pub(crate) redirect: Redirect,
    pub(crate) gc_grace: Duration,
    pub(crate) node: String,
}

impl Options {
    /// The largest manifest that is read from the driver. It is more than the largest that is accepted: a
    /// manifest that was accepted under another limit, or by another registry, is served too.
    pub(crate) fn max_stored_manifest(&self) -> u64 {
        self.max_manifest_size.saturating_mul(4)
    }

    /// The memory for manifests: at least enough to read the largest one.
    pub(crate) fn manifest_memory(&self) -> u64 {
        self.manifest_memory.max(self.max_manifest_size.saturating_mul(32))
    }
}

/// Which downloads of blobs are redirected to the store, whose driver gives a
/// [signed URL](storage_driver::StorageDriver::redirect_url). The registry then sends no content.
///
/// A redirect is a 307. The registry itself responds to `HEAD`, to conditional requests, to requests with several
/// ranges, and where the driver has no URL for a blob: a driver for files or memory never has one. A client repeats a
/// single `Range` at the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// None. Clients need to reach the registry alone.
    #[default]
    Never,
    /// All.
    Always,
    /// Those of blobs of at least this many bytes.
    From(u64),
}

impl Redirect {
    /// How long a URL is valid: 10 minutes. A download that begins in this time may take longer. Until then
    /// everyone who has the URL can read the blob, also after it was deleted from the repository.
    pub const LIFETIME: Duration = Duration::from_secs(10 * 60);
}

/// The options of a garbage collection: what it deletes and how long content is kept.
///
/// ```
/// use std::time::Duration;
/// use storage_driver_registry::GcOptions;
///
/// let options = GcOptions { untagged: true, ..GcOptions::default() };
/// assert_eq!(options.grace, Duration::from_secs(24 * 60 * 60));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcOptions {
    /// How long unused content is kept. A client that has learned that a blob exists (by `HEAD`, a mount or
    /// an upload) has at least half of this time to push the manifest that names it. 24 hours by default.
    pub grace: Duration,
    /// Whether manifests are deleted that neither a tag nor a kept manifest refers to. Off by default: they
    /// can be pulled by digest.
    pub untagged: bool,
    /// How long an upload in progress is kept after the last write to it. 7 days by default.
    pub upload_ttl: Duration,
    /// Whether the [sweep](storage_driver::StorageDriver::sweep) of the driver looks at everything in the store: for
    /// what crashed processes have left behind. Off by default.
    pub deep: bool,
    /// Whether it only counts what it would delete, and deletes nothing. Off by default.
    pub dry_run: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            grace: 24 * HOUR,
            untagged: false,
            upload_ttl: 7 * 24 * HOUR,
            deep: false,
            dry_run: false,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_blob_size: 100 << 30,
            max_manifest_size: 4 << 20,
            manifest_memory: 128 << 20,
            cache_memory: 0,
            store_timeout: Duration::from_secs(60),
            max_uploads: 4096,
            max_open_uploads: 65_536,
            body_timeout: Duration::from_secs(60),
            read_only: false,
            allow_delete: true,
            immutable_tags: false,
            sparse_indexes: false,
            web_ui: true,
            redirect: Redirect::Never,
            gc_grace: GcOptions::default().grace,
            node: Uuid::new_v4().to_string(),
        }
    }
}
