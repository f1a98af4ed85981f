//! [`Failure`]: why the program ends.

use std::{io, net::SocketAddr, path::PathBuf};

use drivers::Location;

/// Why the program ends, in one line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{}:{line}: {reason}", file.display())]
    Config { file: PathBuf, line: usize, reason: String },
    #[error("{0}")]
    Settings(&'static str),
    #[error("the settings cannot be written: {0}")]
    Toml(#[from] toml::ser::Error),
    #[error("{location}: {source}")]
    Storage { location: Location, source: storage_driver::Error },
    #[error("cannot listen at {address}: {source}")]
    Listen { address: SocketAddr, source: io::Error },
    #[error(transparent)]
    Tls(#[from] registry::TlsError),
    #[error(transparent)]
    Passwords(#[from] registry::HtpasswdError),
    #[error(transparent)]
    TokenKey(#[from] registry::TokenKeyError),
    #[error("the system: {0}")]
    System(#[from] io::Error),
    #[error("stopped at once; what was in flight is lost")]
    Forced,
}
