//! [`GcReport`]: the result of a collection.

use std::fmt;

use storage_driver::SweepReport;

/// The result of a collection; of a dry run, what a collection would have done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GcReport {
    /// The [name](crate::RegistryBuilder::node) of the node that collected.
    pub node: String,
    /// Another node that collects: this one left the work to it, from the start or when the other took it over.
    pub held_by: Option<String>,
    /// The number of repositories.
    pub repositories: u64,
    /// Blobs and manifests that are in use.
    pub used: u64,
    /// Unused blobs and manifests that are younger than the grace.
    pub recent: u64,
    /// Untagged manifests that were deleted from their repositories.
    pub untagged_manifests: u64,
    /// Blobs and manifests that were deleted.
    pub blobs: u64,
    /// The size of the deleted blobs and manifests, in bytes.
    pub bytes: u64,
    /// Deleted links whose blob does not exist.
    pub links: u64,
    /// Abandoned uploads that were cancelled, and deleted leftovers of uploads.
    pub uploads: u64,
    /// Files that could not be read or deleted. The log names each, and everything that may depend on it is
    /// kept.
    pub skipped: u64,
    /// What the [sweep](storage_driver::StorageDriver::sweep) of the driver removed. Nothing in a dry run.
    pub sweep: SweepReport,
}

impl fmt::Display for GcReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repositories,
            used,
            recent,
            untagged_manifests,
            blobs,
            bytes,
            links,
            uploads,
            ..
        } = self;
        write!(
            f,
            "{blobs} blobs with {bytes} bytes, {untagged_manifests} untagged manifests, {links} links and \
             {uploads} uploads deleted; {used} blobs used by {repositories} repositories, {recent} unused but recent"
        )?;
        if self.sweep.objects > 0 {
            let SweepReport { objects, bytes, .. } = self.sweep;
            write!(f, "; {objects} objects with {bytes} bytes that nothing named removed")?;
        }
        if self.skipped > 0 {
            write!(f, "; {} unreadable files skipped, see the log", self.skipped)?;
        }
        match &self.held_by {
            Some(other) => write!(f, "; the rest is left to {other}, which collects"),
            None => Ok(()),
        }
    }
}
