//! [`Upload`]: which upload; [`UploadStatus`]: its size.

use storage_driver::Path;
use uuid::Uuid;

use crate::{digest::Algorithm, layout, name::Name, store::error::Error};

/// Which upload, and the algorithm of its digest.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    pub(crate) name: Name,
    pub(crate) id: Uuid,
    pub(crate) algorithm: Algorithm,
}

/// An upload and its size.
#[derive(Debug)]
pub(crate) struct UploadStatus {
    pub(crate) upload: Upload,
    pub(crate) size: u64,
}

/// Why a request on an upload failed.
#[derive(Debug)]
pub(crate) struct UploadError {
    pub(crate) error: Error,
    /// How many bytes the upload has, where that is known: the client continues from there.
    pub(crate) size: Option<u64>,
}

/// The range of a chunk: its first byte, and the one after its last.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chunk {
    pub(crate) first: u64,
    pub(crate) end: u64,
}

impl Upload {
    pub(crate) fn new(name: Name, algorithm: Algorithm) -> Self {
        Self { name, id: Uuid::new_v4(), algorithm }
    }

    pub(super) fn path(&self) -> Path {
        layout::upload_data(&self.name, self.id)
    }
}

impl From<Error> for UploadError {
    fn from(error: Error) -> Self {
        let size = match error {
            Error::OutOfOrder { size } => Some(size),
            _ => None,
        };
        Self { error, size }
    }
}

impl From<storage_driver::Error> for UploadError {
    fn from(error: storage_driver::Error) -> Self {
        Error::from(error).into()
    }
}
