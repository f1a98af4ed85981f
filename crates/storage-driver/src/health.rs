//! [`Health`]: whether a store can be used right now.

use crate::{Error, Result};

/// What [`health`](crate::StorageDriver::health) found.
///
/// A full store can be read and not written:
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
    /// Whether content can be read, and why not.
    pub read: Result<()>,
    /// Whether content can be written, and why not.
    pub write: Result<()>,
}

impl Health {
    /// Both can be done.
    pub fn ok() -> Self {
        Self { read: Ok(()), write: Ok(()) }
    }

    /// Neither can be done, for one reason.
    pub fn unavailable(error: Error) -> Self {
        Self { read: Err(error.clone()), write: Err(error) }
    }

    /// Whether content can be read and written.
    pub fn is_healthy(&self) -> bool {
        self.read.is_ok() && self.write.is_ok()
    }
}
