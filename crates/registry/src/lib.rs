//! An OCI registry on any storage driver.

mod access;

pub use crate::access::{AccessRequest, Action, Authorize, Refusal};

mod metrics;

pub use crate::metrics::{Memory, Metrics, Route, UploadInProgress};

mod observe;
mod ops;

pub use crate::{observe::observed, ops::ops_router};

#[cfg(feature = "program")]
mod htpasswd;

#[cfg(feature = "program")]
pub use crate::htpasswd::{
    AccessRules, Htpasswd, HtpasswdError, HtpasswdProblem, ParsePatternError, RepositoryPattern,
    Rule,
};
