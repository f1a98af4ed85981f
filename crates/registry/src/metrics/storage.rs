//! [`StorageMetrics`]: operations on the storage, counted and timed.

use std::{sync::Arc, time::Duration};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};
use storage_driver::{Error, ErrorKind, Operation};
use tokio::time::Instant;

use super::durations::durations;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    operation: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Timed {
    operation: &'static str,
}

#[derive(Debug)]
pub(super) struct StorageMetrics {
    ended: Family<Ended, Counter>,
    durations: Family<Timed, Histogram, fn() -> Histogram>,
    pub(super) read: Counter,
    pub(super) written: Counter,
}

impl StorageMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            ended: Family::default(),
            durations: Family::new_with_constructor(durations),
            read: Counter::default(),
            written: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("storage");
        registry.register("operations", "Operations that ended", this.ended.clone());
        let (help, unit) = ("Time that operations took", Unit::Seconds);
        registry.register_with_unit("operation_duration", help, unit, this.durations.clone());
        registry.register_with_unit("read", "Bytes read", Unit::Bytes, this.read.clone());
        registry.register_with_unit("written", "Bytes written", Unit::Bytes, this.written.clone());
        this
    }

    /// Begins an operation. Its clock runs between [`Running::wait`] and [`Running::pause`].
    pub(super) fn begin(self: &Arc<Self>, operation: Operation) -> Running {
        Running {
            metrics: Arc::clone(self),
            operation,
            outcome: "cancelled",
            spent: Duration::ZERO,
            since: None,
        }
    }
}

/// A running operation. It is counted when it is dropped, as cancelled unless an outcome was set.
pub(super) struct Running {
    metrics: Arc<StorageMetrics>,
    operation: Operation,
    outcome: &'static str,
    spent: Duration,
    /// When the driver began to work, while it works.
    since: Option<Instant>,
}

impl Running {
    /// Starts its clock.
    pub(super) fn wait(&mut self) {
        self.since.get_or_insert_with(Instant::now);
    }

    /// Stops its clock: the caller is working.
    pub(super) fn pause(&mut self) {
        if let Some(since) = self.since.take() {
            self.spent += since.elapsed();
        }
    }

    /// Sets the outcome, unless another one follows.
    pub(super) fn outcome(&mut self, result: Result<(), &Error>) {
        self.outcome = result.map_or_else(|error| label(error.kind()), |()| "ok");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.pause();
        let operation = self.operation.as_str();
        let ended = Ended { operation, outcome: self.outcome };
        self.metrics.ended.get_or_create(&ended).inc();
        let seconds = self.spent.as_secs_f64();
        self.metrics.durations.get_or_create(&Timed { operation }).observe(seconds);
    }
}

fn label(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::PathNotFound => "path_not_found",
        ErrorKind::InvalidPath => "invalid_path",
        ErrorKind::InvalidOffset { .. } => "invalid_offset",
        ErrorKind::OffsetMismatch { .. } => "offset_mismatch",
        ErrorKind::PathConflict => "path_conflict",
        ErrorKind::NotADirectory => "not_a_directory",
        ErrorKind::IsADirectory => "is_a_directory",
        ErrorKind::UploadInProgress => "upload_in_progress",
        ErrorKind::ContentTooLarge { .. } => "content_too_large",
        ErrorKind::ContentChanged => "content_changed",
        ErrorKind::PreconditionFailed => "precondition_failed",
        ErrorKind::WriterFenced => "writer_fenced",
        ErrorKind::StorageFull { .. } => "storage_full",
        ErrorKind::PermissionDenied => "permission_denied",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
        ErrorKind::Corrupted => "corrupted",
        _ => "other",
    }
}
