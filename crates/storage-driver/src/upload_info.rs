//! [`UploadInfo`]: the state of an upload in progress.

use std::time::SystemTime;

use bytes::Bytes;

use crate::Path;

/// An upload in progress. It is not in the namespace: only [`uploads`](crate::StorageDriver::uploads) and
/// [`upload`](crate::StorageDriver::upload) show it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct UploadInfo {
    /// The path that it was opened for.
    pub path: Path,
    /// When it was created.
    pub created: SystemTime,
    /// When data was last accepted; equal to `created` if none was.
    pub modified: SystemTime,
    /// Its size in bytes. [`uploads`](crate::StorageDriver::uploads) reports it only where the backend knows it
    /// without further requests, [`upload`](crate::StorageDriver::upload) always.
    pub size: Option<u64>,
    /// The note that was kept with its data, empty if there is none. [`uploads`](crate::StorageDriver::uploads)
    /// reports it only where the backend knows it without further requests,
    /// [`upload`](crate::StorageDriver::upload) always.
    pub note: Option<Bytes>,
}

impl UploadInfo {
    /// An upload in progress.
    pub fn new(path: Path, created: SystemTime, modified: SystemTime, size: Option<u64>) -> Self {
        Self { path, created, modified, size, note: None }
    }

    /// The same, with its [`note`](Self::note): empty if it has none.
    #[must_use]
    pub fn with_note(mut self, note: Bytes) -> Self {
        self.note = Some(note);
        self
    }
}

impl AsRef<Path> for UploadInfo {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
