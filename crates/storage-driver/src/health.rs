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
/// let health = Health { read: Ok(()), write: Err(Error::new(full)) };
/// assert!(!health.is_healthy());
/// ```
#[derive(Debug, Clone)]
pub struct Health {
    /// Whether content can be read, or the error.
    pub read: Result<()>,
    /// Whether content can be written, or the error.
    pub write: Result<()>,
}

impl Health {
    /// The store can be read and written.
    pub fn ok() -> Self {
        Self { read: Ok(()), write: Ok(()) }
    }

    /// The store can neither be read nor written.
    pub fn unavailable(error: Error) -> Self {
        Self { read: Err(error.clone()), write: Err(error) }
    }

    /// Whether content can be read and written.
    pub fn is_healthy(&self) -> bool {
        self.read.is_ok() && self.write.is_ok()
    }
}
