#![doc = include_str!("../README.md")]

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct WorkspaceReadme;

mod access;
mod api;
mod client;
mod digest;
mod error_chain;
mod health;
#[cfg(feature = "htpasswd")]
mod htpasswd;
mod layout;
mod metrics;
mod name;
#[cfg(feature = "tokens")]
mod object;
mod options;
mod query;
mod registry;
#[cfg(any(feature = "htpasswd", feature = "tls"))]
mod reload;
mod security_headers;
mod server;
mod shutdown;
mod store;
mod store_timeout;
#[cfg(feature = "test-registry")]
mod test_registry;
#[cfg(feature = "tokens")]
mod token;
mod trace;
mod ui;

#[cfg(feature = "htpasswd")]
pub use crate::htpasswd::{
    AccessRules, Htpasswd, HtpasswdError, HtpasswdProblem, ParsePatternError, RepositoryPattern,
    Rule,
};
#[cfg(feature = "tls")]
pub use crate::server::tls::{Tls, TlsError};
#[cfg(feature = "test-registry")]
pub use crate::test_registry::TestRegistry;
#[cfg(feature = "tokens")]
pub use crate::token::{ExternalUrl, ParseExternalUrlError, TokenKey, TokenKeyError, Tokens};
pub use crate::{
    access::{AccessRequest, Action, Authorize, Refusal},
    client::behind_proxy,
    error_chain::ErrorChain,
    health::{HealthRoutes, livez_router},
    metrics::{Memory, Metrics, Route, UploadInProgress},
    options::{GcOptions, Redirect},
    registry::{Registry, RegistryBuilder},
    server::{Server, ServerLimits},
    shutdown::Shutdown,
    store::collect::GcReport,
    trace::traced,
};
