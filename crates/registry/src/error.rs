//! [`Error`]: an answer that is not what was asked for, as the specification has it.

use std::{fmt, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;
use storage_driver::ErrorKind;

use crate::{ErrorChain, access::Refusal};

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The specification's codes, and distribution's one for what it has none for.
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
    /// Of RFC 9110: the specification has no conditional requests.
    PreconditionFailed,
    SizeInvalid,
    TooManyRequests,
    Unauthorized,
    /// Distribution's, of what is nobody's fault but the registry's.
    Unknown,
    Unsupported,
}

impl Code {
    /// How it is written, and the status that goes with it where nothing else is said.
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

/// A status, a code, a line for a person, and the headers that a client goes on with.
#[derive(Debug)]
pub(crate) struct Error(Box<Parts>);

#[derive(Debug)]
struct Parts {
    status: StatusCode,
    code: Code,
    message: String,
    headers: Vec<(HeaderName, String)>,
    /// What the driver said, for the log: a client is not told how we store.
    cause: Option<storage_driver::Error>,
}

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

    /// What the driver said, for whoever is no client.
    pub(crate) fn into_cause(self) -> storage_driver::Error {
        let Parts { cause, message, .. } = *self.0;
        cause.unwrap_or_else(|| storage_driver::Error::other(message))
    }

    /// Whether another request got in between.
    pub(crate) fn is_conflict(&self) -> bool {
        self.0.status == StatusCode::CONFLICT
    }

    /// Whether the same request may succeed later, because the failure is not about what it asks for.
    pub(crate) fn is_retryable(&self) -> bool {
        let is_told = matches!(
            self.0.status,
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        is_told || self.0.cause.as_ref().is_some_and(storage_driver::Error::is_retryable)
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }
}

/// What a driver says to a client who waits: soon, but not at once.
pub(crate) const RETRY: Duration = Duration::from_secs(5);

/// What of the driver's errors is not about the path, which each caller knows how to answer.
impl From<storage_driver::Error> for Error {
    fn from(error: storage_driver::Error) -> Self {
        let mut answer = match error.kind() {
            ErrorKind::StorageFull { .. } => {
                Self::new(Code::Unknown, "the registry's store is full")
                    .status(StatusCode::INSUFFICIENT_STORAGE)
            }
            // The one thing about a path that can be wrong once its parts are right: its length.
            ErrorKind::InvalidPath => Self::new(Code::NameInvalid, "too long for this registry"),
            ErrorKind::Unavailable | ErrorKind::Timeout => {
                Self::new(Code::Unknown, "the registry's store is unavailable; try again")
                    .status(StatusCode::SERVICE_UNAVAILABLE)
                    .retry_after(RETRY)
            }
            ErrorKind::WriterFenced => {
                Self::new(Code::BlobUploadInvalid, "another request goes on with this upload")
                    .status(StatusCode::CONFLICT)
            }
            _ => Self::new(Code::Unknown, "the registry's store failed"),
        };
        answer.0.cause = Some(error);
        answer
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

impl Error {
    /// Logs what the driver said, if that is why a request fails.
    pub(crate) fn log(&self) {
        let Parts { status, cause, .. } = &*self.0;
        if let Some(cause) = cause.as_ref().filter(|_| status.is_server_error()) {
            tracing::error!(%status, error = %ErrorChain(cause), "the driver failed");
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
            // What a client sent back to it may hold bytes that a header cannot.
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
