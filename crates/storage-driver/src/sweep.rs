//! [`SweepOptions`] and [`SweepReport`]: removing what operations have left behind.

use std::time::Duration;

/// What a [sweep](crate::StorageDriver::sweep) looks at.
///
/// A driver ignores an option that makes no difference to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Look at everything in the store, not only where an operation left a hint. Finds what crashed processes have
    /// left behind, and costs a few requests for each large file. `false` by default.
    pub deep: bool,
    /// How long data stays after the last file or upload that names it: for readers that are open, and for requests
    /// that are under way. Instead of the grace that the driver was opened with. A sweep with a grace shorter than the
    /// longest request can remove data that another process is about to name: use it only where no operation is in
    /// progress.
    pub grace: Option<Duration>,
    /// Sweep only if no other process does, under a lease of this duration. A process that has stopped loses the lease
    /// when this one has seen no sign of it for as long, which takes two sweeps. It saves work only: without a lease,
    /// the sweeps of many processes are as safe, and repeat each other's work.
    pub lease: Option<Duration>,
}

impl SweepOptions {
    /// A sweep where hints point, with the grace of the driver, without a lease.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets [`deep`](Self::deep).
    #[must_use]
    pub fn deep(mut self) -> Self {
        self.deep = true;
        self
    }

    /// Sets the [`grace`](Self::grace).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets the [`lease`](Self::lease).
    #[must_use]
    pub fn lease(mut self, duration: Duration) -> Self {
        self.lease = Some(duration);
        self
    }
}

/// What a [sweep](crate::StorageDriver::sweep) did. A count is 0 where a driver has no such thing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Another process held the lease, and this one looked at nothing.
    pub skipped: bool,
    /// Number of units of data that were examined: one for each upload or large put that has data.
    pub examined: u64,
    /// Number of examined units that stay until the grace has passed.
    pub waiting: u64,
    /// Number of objects with data that were removed.
    pub objects: u64,
    /// Size of those objects, in bytes.
    pub bytes: u64,
    /// Number of unfinished uploads to the backend (multipart uploads) that were aborted.
    pub multiparts: u64,
    /// Number of the driver's own small objects that were removed: hints, traces, probes.
    pub markers: u64,
    /// Number of tombstones of deleted files and ended uploads that were removed.
    pub tombstones: u64,
    /// Number of tombstones that were found and stay: younger than the grace, or on a server that cannot remove them
    /// safely. Counted by deep sweeps.
    pub tombstones_left: u64,
}

impl SweepReport {
    /// A report of a sweep that found nothing to remove.
    pub fn new() -> Self {
        Self::default()
    }
}
