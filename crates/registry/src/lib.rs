//! An OCI registry on any storage driver.

mod access;
mod api;
mod digest;
mod error;
mod incoming;
mod layout;
mod metrics;
mod name;
mod options;
mod page;
mod registry;
mod store;

pub use crate::{
    access::{AccessRequest, Action, Authorize, Refusal},
    metrics::Metrics,
    options::GcOptions,
    registry::{Builder, Registry},
    store::collect::GcReport,
};
