#![doc = include_str!("../README.md")]

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct WorkspaceReadme;

mod access;
mod api;
mod client;
mod digest;
mod error;
mod error_chain;
#[cfg(feature = "program")]
mod htpasswd;
mod incoming;
mod layout;
mod metrics;
mod name;
#[cfg(feature = "program")]
mod object;
mod observe;
mod ops;
mod options;
mod page;
mod query;
mod registry;
#[cfg(feature = "program")]
mod reload;
mod server;
mod store;
mod test_registry;
#[cfg(feature = "program")]
mod token;

pub use tokio_util::sync::CancellationToken;

#[cfg(feature = "program")]
pub use crate::htpasswd::{
    AccessRules, Htpasswd, HtpasswdError, HtpasswdProblem, ParsePatternError, RepositoryPattern,
    Rule,
};
pub use crate::{
    access::{AccessRequest, Action, Authorize, Refusal},
    client::behind_proxy,
    error_chain::ErrorChain,
    metrics::{Memory, Metrics, Route, UploadInProgress},
    observe::observed,
    ops::{Ops, livez_router},
    options::GcOptions,
    registry::{Builder, Registry},
    server::{Server, ServerLimits},
    store::collect::GcReport,
    test_registry::TestRegistry,
};
#[cfg(feature = "program")]
pub use crate::{
    server::{Tls, TlsError},
    token::{ExternalUrl, ParseExternalUrlError, TokenKey, TokenKeyError, Tokens},
};
