//! An OCI registry on any storage driver.

mod access;
mod server;

pub use tokio_util::sync::CancellationToken;

pub use crate::access::{AccessRequest, Action, Authorize, Refusal};
pub use crate::server::{Server, ServerLimits};
#[cfg(feature = "program")]
pub use crate::server::{Tls, TlsError};
