//! An OCI registry on any storage driver.

mod access;
mod api;
mod digest;
mod error;
#[cfg(feature = "program")]
mod htpasswd;
mod incoming;
mod layout;
mod metrics;
mod name;
mod observe;
mod ops;
mod options;
mod page;
mod registry;
mod store;

#[cfg(feature = "program")]
pub use crate::htpasswd::{
    AccessRules, Htpasswd, HtpasswdError, HtpasswdProblem, ParsePatternError, RepositoryPattern,
    Rule,
};
pub use crate::{
    access::{AccessRequest, Action, Authorize, Refusal},
    metrics::{Memory, Metrics, Route, UploadInProgress},
    observe::observed,
    ops::ops_router,
    options::GcOptions,
    registry::{Builder, Registry},
    store::collect::GcReport,
};
