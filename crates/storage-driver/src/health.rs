//! [`Health`]: whether a store can be used right now.

use crate::{Error, Result};

/// The result of [`health`](crate::StorageDriver::health).
///
/// A full store can be read but not written:
///
/// ```
/// use storage_driver::{Error, ErrorKind, Health};
///
/// let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
/// let health = Health::new(Ok(()), Err(Error::new(full)));
/// assert!(!health.is_healthy());
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Health {
    /// Whether content can be read, or the error.
    pub read: Result<()>,
    /// Whether content can be written, or the error.
    pub write: Result<()>,
}

impl Health {
    /// Whether content can be read, and whether it can be written.
    pub const fn new(read: Result<()>, write: Result<()>) -> Self {
        Self { read, write }
    }

    /// The store can be read and written.
    pub const fn ok() -> Self {
        Self::new(Ok(()), Ok(()))
    }

    /// The store can neither be read nor written.
    pub fn unavailable(error: Error) -> Self {
        Self::new(Err(error.clone()), Err(error))
    }

    /// Whether content can be read and written.
    pub fn is_healthy(&self) -> bool {
        self.read.is_ok() && self.write.is_ok()
    }
}
