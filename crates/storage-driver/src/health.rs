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
    warnings: Vec<String>,
}

impl Health {
    /// How many warnings are kept.
    pub const MAX_WARNINGS: usize = 8;
    /// The length of a warning, in bytes. The rest is cut off.
    pub const MAX_WARNING_BYTES: usize = 1024;

    /// Whether content can be read, and whether it can be written.
    pub const fn new(read: Result<()>, write: Result<()>) -> Self {
        Self { read, write, warnings: Vec::new() }
    }

    /// Adds a warning: why a store that can be read and written should not be used as it is. One sentence, without
    /// secrets. At most [`MAX_WARNINGS`](Self::MAX_WARNINGS) are kept, each of at most
    /// [`MAX_WARNING_BYTES`](Self::MAX_WARNING_BYTES).
    #[must_use]
    pub fn with_warning(mut self, warning: impl Into<String>) -> Self {
        if self.warnings.len() < Self::MAX_WARNINGS {
            let mut warning = warning.into();
            let mut end = warning.len().min(Self::MAX_WARNING_BYTES);
            while !warning.is_char_boundary(end) {
                end -= 1;
            }
            warning.truncate(end);
            self.warnings.push(warning);
        }
        self
    }

    /// Why the store should not be used as it is, although it works. Empty for most stores.
    ///
    /// ```
    /// use storage_driver::Health;
    ///
    /// let health = Health::ok().with_warning("the bucket ignores the conditions of puts");
    /// assert!(health.is_healthy());
    /// assert_eq!(health.warnings().len(), 1);
    /// ```
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The store can be read and written.
    pub const fn ok() -> Self {
        Self::new(Ok(()), Ok(()))
    }

    /// The store can neither be read nor written.
    pub fn unavailable(error: Error) -> Self {
        Self::new(Err(error.clone()), Err(error))
    }

    /// Whether content can be read and written. Warnings make no difference.
    pub fn is_healthy(&self) -> bool {
        self.read.is_ok() && self.write.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_bounded() {
        let long = "ä".repeat(Health::MAX_WARNING_BYTES);
        let health =
            (0..100).fold(Health::ok(), |health, _| health.with_warning(format!("a{long}")));
        assert_eq!(health.warnings().len(), Health::MAX_WARNINGS);
        assert_eq!(health.warnings()[0].len(), Health::MAX_WARNING_BYTES - 1);
        assert!(health.is_healthy());
    }
}
