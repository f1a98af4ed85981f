//! [`Error`]: why an operation of the store failed.

use std::fmt;

use storage_driver::ErrorKind;

use super::source::SourceError;
use crate::{digest::Digest, name::Tag};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("no blob {0} in this repository")]
    BlobUnknown(Digest),
    /// Of a tag or a digest.
    #[error("no manifest {0} in this repository")]
    ManifestUnknown(String),
    #[error("the manifest is of type {media_type}, which is not in Accept")]
    NotAcceptable { media_type: String },
    #[error("no such repository")]
    RepositoryUnknown,
    /// A pushed manifest that cannot be accepted, and why.
    #[error("{0}")]
    ManifestInvalid(String),
    #[error("the manifest refers to {0}, which is not in this repository")]
    ReferenceUnknown(Digest),
    #[error(transparent)]
    DigestMismatch(Box<DigestMismatch>),
    #[error("no such upload is in progress")]
    UploadUnknown,
    /// A later request works on the same upload.
    #[error("another request continues this upload")]
    Superseded,
    #[error("the chunk does not begin at {size}, where the upload ends")]
    OutOfOrder { size: u64 },
    #[error("all data of this upload was received; finish it")]
    UploadComplete,
    #[error("the lengths of the body and of Content-Range differ")]
    LengthMismatch,
    #[error("{size} bytes or more; this registry accepts {limit}")]
    TooLarge { size: u64, limit: u64 },
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("{limit} uploads are in progress, the most that this registry accepts")]
    TooManyUploads { limit: usize },
    #[error("manifests and lists in transfer use all memory that is set aside for them")]
    OutOfMemory,
    #[error("tag {tag} is immutable and names {named}")]
    TagImmutable { tag: Tag, named: Digest },
    #[error("an immutable tag leads to this content, so that it cannot be deleted")]
    Undeletable,
    #[error("the resource does not fulfil the request's precondition")]
    PreconditionFailed,
    #[error("this registry's storage driver has no conditional writes")]
    PreconditionUnsupported,
    /// The content exists, but its first bytes cannot be read.
    #[error("the content cannot be read")]
    Unreadable(#[source] storage_driver::Error),
    #[error(transparent)]
    Driver(storage_driver::Error),
    #[error("{0}")]
    Internal(String),
}

/// The content has another digest than the one in the request.
#[derive(Debug, thiserror::Error)]
#[error("the content is {found}, not {expected}{}", if *.is_deleted { "; it is deleted" } else { "" })]
pub(crate) struct DigestMismatch {
    pub(super) found: Digest,
    pub(super) expected: Digest,
    pub(super) is_deleted: bool,
}

impl From<DigestMismatch> for Error {
    fn from(error: DigestMismatch) -> Self {
        Self::DigestMismatch(error.into())
    }
}

impl Error {
    pub(super) fn manifest_unknown(reference: impl fmt::Display) -> Self {
        Self::ManifestUnknown(reference.to_string())
    }

    pub(crate) fn internal(error: impl fmt::Display) -> Self {
        Self::Internal(error.to_string())
    }

    /// Whether the same request may succeed later, because the failure is not about its content.
    pub(crate) fn is_retryable(&self) -> bool {
        match self {
            Self::Driver(error) => error.is_retryable(),
            Self::Unreadable(_) | Self::OutOfMemory | Self::TooManyUploads { .. } => true,
            _ => false,
        }
    }

    /// Whether a push is refused because of what the repository has.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::ReferenceUnknown(_) | Self::PreconditionFailed | Self::TagImmutable { .. }
        )
    }

    /// The driver's error, for code that reports errors of a driver.
    pub(crate) fn into_driver(self) -> storage_driver::Error {
        match self {
            Self::Driver(error) | Self::Unreadable(error) => error,
            other => storage_driver::Error::other(other.to_string()),
        }
    }
}

impl From<storage_driver::Error> for Error {
    fn from(error: storage_driver::Error) -> Self {
        match error.kind() {
            ErrorKind::WriterFenced => Self::Superseded,
            _ => Self::Driver(error),
        }
    }
}
