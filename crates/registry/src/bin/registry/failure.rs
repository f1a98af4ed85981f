//! [`Failure`]: why the program fails.

use std::{io, path::PathBuf};

use storage_driver_url::Location;

use crate::values::ListenAddress;

/// Why the program fails. Its causes are shown by an [`ErrorChain`](storage_driver_registry::ErrorChain).
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("cannot read {}", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{}:{line}: {reason}", file.display())]
    Config { file: PathBuf, line: usize, reason: String },
    #[error("{0}")]
    Settings(String),
    #[error("the settings cannot be written")]
    Toml(#[from] toml::ser::Error),
    #[error("cannot use the store {location}")]
    Storage { location: Box<Location>, source: storage_driver::Error },
    #[error("cannot listen at {address}")]
    Listen { address: ListenAddress, source: io::Error },
    #[error(transparent)]
    Tls(#[from] storage_driver_registry::TlsError),
    #[error(transparent)]
    Passwords(#[from] storage_driver_registry::HtpasswdError),
    #[error(transparent)]
    TokenKey(#[from] storage_driver_registry::TokenKeyError),
    #[error("the system failed")]
    System(#[from] io::Error),
    #[error("stopped at once; requests in flight are lost")]
    Forced,
}

impl Failure {
    /// The failure of the store at `location`.
    pub(crate) fn storage(location: &Location, source: storage_driver::Error) -> Self {
        Self::Storage { location: Box::new(location.clone()), source }
    }
}
