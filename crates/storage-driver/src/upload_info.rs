//! [`UploadInfo`]: an upload in progress, as [`uploads`](crate::StorageDriver::uploads) lists it.

use std::time::SystemTime;

use crate::Path;

/// An upload in progress. It is no part of the namespace: only `uploads` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UploadInfo {
    /// The path that it was opened for.
    pub path: Path,
    /// When it was created.
    pub created: SystemTime,
    /// When data was accepted last; as `created` if none was.
    pub modified: SystemTime,
    /// Its size in bytes, where the backend knows that for free.
    pub size: Option<u64>,
}

impl UploadInfo {
    /// An upload in progress.
    pub fn new(path: Path, created: SystemTime, modified: SystemTime, size: Option<u64>) -> Self {
        Self { path, created, modified, size }
    }
}

impl AsRef<Path> for UploadInfo {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
