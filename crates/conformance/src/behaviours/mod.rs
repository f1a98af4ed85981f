//! The behaviours, in modules by subject. [`list`](crate::list) has the clauses and the conditions of each.

pub(crate) mod adapters;
pub(crate) mod appending;
pub(crate) mod cancellation;
pub(crate) mod capabilities;
pub(crate) mod committing;
pub(crate) mod concurrency;
pub(crate) mod conditions;
pub(crate) mod content;
pub(crate) mod copying;
pub(crate) mod creating;
pub(crate) mod deleting;
pub(crate) mod directories;
pub(crate) mod errors;
pub(crate) mod fencing;
pub(crate) mod keeping;
pub(crate) mod listing;
pub(crate) mod namespace;
pub(crate) mod notes;
pub(crate) mod order;
pub(crate) mod paths;
pub(crate) mod reading;
pub(crate) mod renaming;
pub(crate) mod shutdown;
pub(crate) mod snapshots;
pub(crate) mod sweeping;
pub(crate) mod times;
pub(crate) mod uploads;
pub(crate) mod walking;
pub(crate) mod writing;

pub(crate) use crate::{cancel_safety, full, linearizability, model};
