//! [`Job`]: a change of many paths that takes effect at one moment.

use std::sync::Arc;

use storage_driver::Result;

use crate::{
    deferred_drop::DeferredDrop,
    state::State,
    sync::{Mutex, lock},
    upload::Upload,
};

/// A change of more paths than one critical section may take.
///
/// It is prepared in parts on copies: the tree and the table of uploads are persistent, so that a copy is a
/// reference, and readers keep the old ones meanwhile. The last part exchanges the copies with the store's
/// own, which is the one moment at which the change takes effect.
///
/// While a job is in the store, nothing else changes the store. An operation that wants to does a part
/// of the job first, so that no task depends on another being polled. If the operation that began the job
/// is dropped before the last part, the job ends without an effect.
pub(crate) trait Job: Send + Sync {
    /// Does a part of it under the store's lock. The last part returns how many paths or uploads were
    /// changed, or the error for which nothing was.
    fn advance(&mut self, state: &mut State) -> Option<Result<u64>>;

    /// Called when data was written to an upload, so that a job does not cancel it for its age.
    fn spare(&mut self, _upload: &Arc<Upload>) {}

    /// What is left to reclaim of a job that has succeeded, failed or been dropped. It takes a few steps,
    /// however much there is.
    fn into_deferred(self: Box<Self>) -> DeferredDrop;
}

/// A job that has ended: its result, and what it has left.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: Result<u64>,
    pub(crate) deferred: DeferredDrop,
}

/// Where a job leaves its result for the operation that began it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<Ended>>>);

impl Outcome {
    pub(crate) fn set(&self, ended: Ended) {
        *lock(&self.0) = Some(ended);
    }

    pub(crate) fn take(&self) -> Option<Ended> {
        lock(&self.0).take()
    }

    pub(crate) fn is_of_same_job(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
