//! [`Capabilities`]: what a driver claims.

use crate::Path;

/// The operations and guarantees that a driver claims.
///
/// An *operation* that is not claimed returns [`Unsupported`](crate::ErrorKind::Unsupported) before it has any
/// effect. A *guarantee* that is not claimed leaves the call working under the weaker wording of its field. The
/// conformance suite tests both, and refuses capabilities that contradict each other:
/// [`linearizable`](Self::linearizable) implies [`atomic_rename`](Self::atomic_rename),
/// [`atomic_commit_to`](Self::atomic_commit_to) and [`snapshot_listing`](Self::snapshot_listing).
///
/// Start from [`Capabilities::none`], so that a capability that is added later is not claimed by
/// accident. That is why the struct is not `#[non_exhaustive]`, which would forbid this form in other crates; a new
/// capability is not a breaking change for drivers that use it:
///
/// ```
/// use storage_driver::Capabilities;
///
/// let capabilities = Capabilities { append: true, ..Capabilities::none() };
/// assert!(!capabilities.durable);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Capabilities {
    /// Operation: `put_content`, `rename`, `copy`, `delete` and `touch` take a precondition other than
    /// [`None`](crate::Precondition::None); `delete` and `touch` only
    /// [`IfVersion`](crate::Precondition::IfVersion).
    pub preconditions: bool,
    /// Operation: `commit_to` takes a precondition other than [`None`](crate::Precondition::None).
    pub conditional_commit: bool,
    /// Operation: [`rename`](crate::StorageDriver::rename).
    pub rename_file: bool,
    /// Operation: [`rename_dir`](crate::StorageDriver::rename_dir).
    pub rename_dir: bool,
    /// Operation: [`copy`](crate::StorageDriver::copy).
    pub copy: bool,
    /// Operation: [`WriteMode::Append`](crate::WriteMode::Append). It implies the check of the
    /// version that the append started from.
    pub append: bool,
    /// Operation: [`touch`](crate::StorageDriver::touch).
    pub touch: bool,
    /// Operation: [`redirect_url`](crate::StorageDriver::redirect_url).
    pub redirect: bool,

    /// Guarantee: committed files and kept uploads survive a crash of the process. Otherwise they live as long
    /// as the driver.
    pub durable: bool,
    /// Guarantee: dropping a writer keeps everything that it accepted. Otherwise it keeps at least what the
    /// last `sync` kept.
    pub keeps_on_drop: bool,
    /// Guarantee: a rename takes effect at one moment for every observer, and keeps modification times.
    /// Otherwise both paths, or a directory's files under both, may be visible until it returns.
    pub atomic_rename: bool,
    /// Guarantee: `commit_to` publishes in one step. Otherwise it may leave a completed upload
    /// behind when it is cut off, but never a part at the destination.
    pub atomic_commit_to: bool,
    /// Guarantee: a path is never a file and a directory, also against concurrent commits.
    /// Otherwise a path may become both, and `stat` then reports the file.
    pub rejects_conflicts: bool,
    /// Guarantee: a page of `list`, and a whole `walk`, show the state at one moment. Otherwise each entry
    /// existed at some moment of the call.
    pub snapshot_listing: bool,
    /// Guarantee: all operations, those on several paths included, take effect at one moment
    /// between call and return. Otherwise only those on one path do.
    pub linearizable: bool,
    /// Guarantee: no two commits in the store share a version. Otherwise equal content may.
    pub unique_versions: bool,
    /// Guarantee: `walk` has the order of [`Path`]. Otherwise depth first, each subtree
    /// together, siblings in any order.
    pub ordered_walk: bool,

    /// The maximum length of a path in bytes; a longer one fails with
    /// [`InvalidPath`](crate::ErrorKind::InvalidPath). At most [`Path::MAX_BYTES`], the default.
    pub max_path_bytes: usize,
}

impl Capabilities {
    /// No operations, no guarantees, and paths of up to [`Path::MAX_BYTES`].
    pub const fn none() -> Self {
        Self {
            preconditions: false,
            conditional_commit: false,
            rename_file: false,
            rename_dir: false,
            copy: false,
            append: false,
            touch: false,
            redirect: false,
            durable: false,
            keeps_on_drop: false,
            atomic_rename: false,
            atomic_commit_to: false,
            rejects_conflicts: false,
            snapshot_listing: false,
            linearizable: false,
            unique_versions: false,
            ordered_walk: false,
            max_path_bytes: Path::MAX_BYTES,
        }
    }
}

impl Default for Capabilities {
    fn default() -> Self {
        Self::none()
    }
}
