//! [`Error`]: an error response, as the specification defines it.

use std::{fmt, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use storage_driver::ErrorKind;

use crate::{
    access::Refusal,
    digest::ParseDigestError,
    error_chain::ErrorChain,
    name::{ParseNameError, ParseReferenceError, ParseTagError},
    store::{self, SourceError},
};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The codes of the specification, and those that it lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    BlobUnknown,
    BlobUploadInvalid,
    BlobUploadUnknown,
    Denied,
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    NameInvalid,
    NameUnknown,
    /// For RFC 9110: the specification has no conditional requests.
    PreconditionFailed,
    SizeInvalid,
    TooManyRequests,
    Unauthorized,
    /// Distribution's code for a failure of the registry itself.
    Unknown,
    Unsupported,
}

impl Code {
    /// The code as text, and its default status.
    const fn parts(self) -> (&'static str, StatusCode) {
        match self {
            Self::BlobUnknown => ("BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::BlobUploadInvalid => ("BLOB_UPLOAD_INVALID", StatusCode::BAD_REQUEST),
            Self::BlobUploadUnknown => ("BLOB_UPLOAD_UNKNOWN", StatusCode::NOT_FOUND),
            Self::Denied => ("DENIED", StatusCode::FORBIDDEN),
            Self::DigestInvalid => ("DIGEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestBlobUnknown => ("MANIFEST_BLOB_UNKNOWN", StatusCode::NOT_FOUND),
            Self::ManifestInvalid => ("MANIFEST_INVALID", StatusCode::BAD_REQUEST),
            Self::ManifestUnknown => ("MANIFEST_UNKNOWN", StatusCode::NOT_FOUND),
            Self::NameInvalid => ("NAME_INVALID", StatusCode::BAD_REQUEST),
            Self::NameUnknown => ("NAME_UNKNOWN", StatusCode::NOT_FOUND),
            Self::PreconditionFailed => ("PRECONDITION_FAILED", StatusCode::PRECONDITION_FAILED),
            Self::SizeInvalid => ("SIZE_INVALID", StatusCode::BAD_REQUEST),
            Self::TooManyRequests => ("TOOMANYREQUESTS", StatusCode::TOO_MANY_REQUESTS),
            Self::Unauthorized => ("UNAUTHORIZED", StatusCode::UNAUTHORIZED),
            Self::Unknown => ("UNKNOWN", StatusCode::INTERNAL_SERVER_ERROR),
            Self::Unsupported => ("UNSUPPORTED", StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

/// A status, a code, a message for a person, and headers with which the client continues.
#[derive(Debug)]
pub(crate) struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: Code,
    message: String,
    headers: Vec<(HeaderName, String)>,
    /// The driver's error, for the log. The client does not receive it.
    cause: Option<storage_driver::Error>,
}

/// When a client may retry after the driver failed.
const RETRY: Duration = Duration::from_secs(5);

/// When a client may begin another upload.
const RETRY_UPLOAD: Duration = Duration::from_secs(60);

impl Error {
    pub(crate) fn new(code: Code, message: impl fmt::Display) -> Self {
        Self(Box::new(Parts {
            status: code.parts().1,
            code,
            message: message.to_string(),
            headers: Vec::new(),
            cause: None,
        }))
    }

    #[must_use]
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: impl fmt::Display) -> Self {
        self.0.headers.push((name, value.to_string()));
        self
    }

    #[must_use]
    pub(crate) fn retry_after(self, delay: Duration) -> Self {
        self.header(header::RETRY_AFTER, delay.as_secs().max(1))
    }

    #[must_use]
    fn caused_by(mut self, cause: storage_driver::Error) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// Logs the driver's error, if that is why the request fails.
    pub(crate) fn log(&self) {
        let Parts { status, cause, .. } = &*self.0;
        if let Some(cause) = cause.as_ref().filter(|_| status.is_server_error()) {
            tracing::error!(%status, error = %ErrorChain(cause), "the driver failed");
        }
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        use store::Error as Store;

        let text = error.to_string();
        let new = |code| Self::new(code, text);
        match error {
            Store::BlobUnknown(_) => new(Code::BlobUnknown),
            Store::ManifestUnknown(_) | Store::NotAcceptable { .. } => new(Code::ManifestUnknown),
            Store::RepositoryUnknown => new(Code::NameUnknown),
            Store::ManifestInvalid(_) => new(Code::ManifestInvalid),
            Store::ReferenceUnknown(_) => new(Code::ManifestBlobUnknown),
            Store::DigestMismatch(_) => new(Code::DigestInvalid),
            Store::UploadUnknown => new(Code::BlobUploadUnknown),
            Store::Superseded => new(Code::BlobUploadInvalid).status(StatusCode::CONFLICT),
            Store::OutOfOrder { .. } => {
                new(Code::BlobUploadInvalid).status(StatusCode::RANGE_NOT_SATISFIABLE)
            }
            Store::UploadComplete => new(Code::BlobUploadInvalid),
            Store::LengthMismatch => new(Code::SizeInvalid),
            Store::TooLarge { .. } => new(Code::SizeInvalid).status(StatusCode::PAYLOAD_TOO_LARGE),
            Store::Source(error) => error.into(),
            Store::TooManyUploads { .. } => new(Code::TooManyRequests).retry_after(RETRY_UPLOAD),
            Store::OutOfMemory => new(Code::TooManyRequests).retry_after(Duration::from_secs(1)),
            Store::TagImmutable { .. } => new(Code::Denied),
            Store::Undeletable => new(Code::Unsupported),
            Store::PreconditionFailed => new(Code::PreconditionFailed),
            Store::PreconditionUnsupported => {
                new(Code::Unsupported).status(StatusCode::NOT_IMPLEMENTED)
            }
            Store::Unreadable(error) => {
                Self::from(error).status(StatusCode::SERVICE_UNAVAILABLE).retry_after(RETRY)
            }
            Store::Driver(error) => error.into(),
            Store::Internal(_) => new(Code::Unknown),
        }
    }
}

/// The errors that callers do not handle themselves.
impl From<storage_driver::Error> for Error {
    fn from(error: storage_driver::Error) -> Self {
        let response = match error.kind() {
            ErrorKind::StorageFull { .. } => {
                Self::new(Code::Unknown, "the registry's storage is full")
                    .status(StatusCode::INSUFFICIENT_STORAGE)
            }
            // All parts of a path are valid. Only its length can be wrong.
            ErrorKind::InvalidPath => Self::new(Code::NameInvalid, "too long for this registry"),
            ErrorKind::Unavailable | ErrorKind::Timeout => {
                Self::new(Code::Unknown, "the registry's storage is unavailable; try again")
                    .status(StatusCode::SERVICE_UNAVAILABLE)
                    .retry_after(RETRY)
            }
            ErrorKind::IsADirectory
            | ErrorKind::NotADirectory
            | ErrorKind::PathConflict
            | ErrorKind::Corrupted => Self::new(Code::Unknown, damaged(&error)),
            _ => Self::new(Code::Unknown, "the registry's storage failed"),
        };
        response.caused_by(error)
    }
}

/// A directory or a special file is in the place of a file of the registry. The path is one of the registry's layout,
/// not of the machine.
fn damaged(error: &storage_driver::Error) -> String {
    let path = error.path().map(|path| format!(" at {path}")).unwrap_or_default();
    let kind = error.kind();
    format!("the registry's storage is damaged{path}: {kind}; its operator has to repair that path")
}

impl From<SourceError> for Error {
    fn from(error: SourceError) -> Self {
        let text = error.to_string();
        match error {
            SourceError::Broken(_) => Self::new(Code::BlobUploadInvalid, text),
            SourceError::Stalled => {
                Self::new(Code::BlobUploadInvalid, text).status(StatusCode::REQUEST_TIMEOUT)
            }
            SourceError::Interrupted => Self::new(Code::Unknown, text)
                .status(StatusCode::SERVICE_UNAVAILABLE)
                .retry_after(RETRY),
        }
    }
}

impl From<ParseDigestError> for Error {
    fn from(error: ParseDigestError) -> Self {
        Self::new(Code::DigestInvalid, error)
    }
}

impl From<ParseNameError> for Error {
    fn from(error: ParseNameError) -> Self {
        Self::new(Code::NameInvalid, error)
    }
}

impl From<ParseTagError> for Error {
    fn from(error: ParseTagError) -> Self {
        Self::new(Code::ManifestInvalid, error)
    }
}

impl From<ParseReferenceError> for Error {
    fn from(error: ParseReferenceError) -> Self {
        match error {
            ParseReferenceError::Tag(error) => error.into(),
            ParseReferenceError::Digest(error) => error.into(),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        match refusal {
            Refusal::Unauthorized { challenge } | Refusal::InsufficientScope { challenge } => {
                Self::new(Code::Unauthorized, text).header(header::WWW_AUTHENTICATE, challenge)
            }
            Refusal::Denied => Self::new(Code::Denied, text),
            Refusal::TooMany { retry_after } => {
                Self::new(Code::TooManyRequests, text).retry_after(retry_after)
            }
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        self.log();
        let Parts { status, code, message, headers, .. } = *self.0;
        let body = json!({ "errors": [{ "code": code.parts().0, "message": message }] });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        for (name, value) in headers {
            // Text from a request may contain bytes that are invalid in a header.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
