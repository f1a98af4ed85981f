//! [`Meter`]: how many requests of each kind were sent.

use std::sync::{
    PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use http::Method;
use object_store::client::HttpRequest;

use super::{Fault, FaultPlan, clock::ServerClock};

/// The kind of a request, as an object store charges for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RequestKind {
    /// PUT of a whole object.
    Put,
    /// GET of an object or of a range.
    Get,
    /// HEAD of an object.
    Head,
    /// DELETE of an object.
    Delete,
    /// A page of a listing.
    List,
    /// Start of a multipart upload.
    CreateMultipart,
    /// PUT of a part.
    Part,
    /// Completion of a multipart upload.
    Complete,
    /// Abort of a multipart upload.
    Abort,
    /// A copy by the server.
    Copy,
    /// A page of the multipart uploads in progress.
    ListMultiparts,
    /// Anything else.
    Other,
}

impl RequestKind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Put,
        Self::Get,
        Self::Head,
        Self::Delete,
        Self::List,
        Self::CreateMultipart,
        Self::Part,
        Self::Complete,
        Self::Abort,
        Self::Copy,
        Self::ListMultiparts,
        Self::Other,
    ];

    pub(super) fn of(request: &HttpRequest) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let asks = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
        match *request.method() {
            Method::GET if asks("list-type") => Self::List,
            Method::GET if asks("uploads") => Self::ListMultiparts,
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::PUT if request.headers().contains_key("x-amz-copy-source") => Self::Copy,
            Method::PUT if asks("uploadId") => Self::Part,
            Method::PUT => Self::Put,
            Method::POST if asks("uploads") => Self::CreateMultipart,
            Method::POST if asks("uploadId") => Self::Complete,
            Method::DELETE if asks("uploadId") => Self::Abort,
            Method::DELETE => Self::Delete,
            _ => Self::Other,
        }
    }
}

/// Counts the requests of a driver, knows the clock of its server, and holds the plan of faults of a test.
#[derive(Debug, Default)]
pub struct Meter {
    counts: [AtomicU64; RequestKind::ALL.len()],
    plan: RwLock<Option<FaultPlan>>,
    pub(crate) clock: ServerClock,
}

impl Meter {
    /// How many requests of a kind were sent.
    pub fn count(&self, kind: RequestKind) -> u64 {
        self.counts[kind as usize].load(Ordering::Relaxed)
    }

    /// How many requests were sent.
    pub fn total(&self) -> u64 {
        RequestKind::ALL.into_iter().map(|kind| self.count(kind)).sum()
    }

    /// Starts to count from zero.
    pub fn reset(&self) {
        for count in &self.counts {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// Sets the plan of faults, or removes it. For tests.
    pub fn set_faults(&self, plan: Option<FaultPlan>) {
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
    }

    pub(super) fn record(&self, kind: RequestKind, request: &HttpRequest) -> Fault {
        self.counts[kind as usize].fetch_add(1, Ordering::Relaxed);
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        plan.as_ref().map_or(Fault::None, |plan| plan.decide(kind, request.uri().path()))
    }
}
