//! [`Options`]: what a registry is told once.

use std::time::Duration;

/// What [`Builder`](crate::Builder) collects. Sizes are in bytes.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) max_blob_size: u64,
    pub(crate) max_manifest_size: u64,
    pub(crate) manifest_memory: u64,
    pub(crate) max_uploads: usize,
    pub(crate) max_open_uploads: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) read_only: bool,
    pub(crate) delete: bool,
    pub(crate) immutable_tags: bool,
    pub(crate) sparse_indexes: bool,
    pub(crate) page: bool,
    pub(crate) grace: Duration,
}

impl Options {
    /// The largest manifest that is read from the driver: one that was taken under another limit, or by
    /// another registry, is served all the same.
    pub(crate) fn max_stored_manifest(&self) -> u64 {
        self.max_manifest_size.saturating_mul(4)
    }

    /// The memory for manifests: enough for the largest one at least, in the share of it that is for
    /// reading.
    pub(crate) fn manifest_memory(&self) -> u64 {
        self.manifest_memory.max(self.max_manifest_size.saturating_mul(32))
    }
}

/// What a collection takes, and what it leaves.
///
/// ```
/// use std::time::Duration;
/// use registry::GcOptions;
///
/// let options = GcOptions { untagged: true, ..GcOptions::default() };
/// assert_eq!(options.grace, Duration::from_secs(24 * 60 * 60));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcOptions {
    /// How long content stays of which nothing in the registry makes use. A client that was told that
    /// a blob exists (by `HEAD`, a mount, an upload) has at least half of this to push the manifest
    /// that names it. 24 hours by default.
    pub grace: Duration,
    /// Whether manifests are taken too that no tag, and no manifest that stays, leads to. Off by
    /// default: they can be pulled by digest.
    pub untagged: bool,
    /// How long an upload in progress stays to which nothing is written. 7 days by default.
    pub upload_ttl: Duration,
    /// Whether it only counts what it would delete. Off by default.
    pub dry_run: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self { grace: 24 * HOUR, untagged: false, upload_ttl: 7 * 24 * HOUR, dry_run: false }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_blob_size: 100 << 30,
            max_manifest_size: 4 << 20,
            manifest_memory: 128 << 20,
            max_uploads: 4096,
            max_open_uploads: 65_536,
            body_timeout: Duration::from_secs(60),
            read_only: false,
            delete: true,
            immutable_tags: false,
            sparse_indexes: false,
            page: true,
            grace: GcOptions::default().grace,
        }
    }
}
