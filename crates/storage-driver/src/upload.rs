//! [`Upload`]: an upload in progress, as [`uploads`](crate::StorageDriver::uploads) lists it.

use std::time::SystemTime;

use crate::Path;

/// An upload in progress. It is no part of the namespace: only `uploads` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Upload {
    /// The path that it was opened for.
    pub path: Path,
    /// When it was created.
    pub started: SystemTime,
    /// When data was accepted last; as `started` if none was.
    pub written: SystemTime,
    /// Its size in bytes, where the backend knows that for free.
    pub size: Option<u64>,
}

impl Upload {
    /// An upload in progress.
    pub fn new(path: Path, started: SystemTime, written: SystemTime, size: Option<u64>) -> Self {
        Self { path, started, written, size }
    }
}

impl AsRef<Path> for Upload {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
