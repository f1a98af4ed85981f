//! The engine's errors in the words of the contract.

use std::error::Error as StdError;

use object_store::client::{HttpError, HttpErrorKind};
use storage_driver::{Error, ErrorKind};

use crate::access::AccessError;

/// The status code of a failed request, if there was a response.
///
/// The engine's error type for it is private; its text is stable enough, and a code that is not found is
/// treated as unknown.
pub(crate) fn status(error: &object_store::Error) -> Option<u16> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if let Some((_, rest)) = text.split_once("status code: ") {
            return rest.get(..3)?.parse().ok();
        }
        source = cause.source();
    }
    None
}

fn http_kind(error: &object_store::Error) -> Option<HttpErrorKind> {
    let mut source: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = source {
        if let Some(error) = cause.downcast_ref::<HttpError>() {
            return Some(error.kind());
        }
        source = cause.source();
    }
    None
}

/// Whether the store says that there is no such object. A missing bucket is no missing object.
pub(crate) fn is_absent(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::NotFound { .. }) && AccessError::of(error).is_none()
}

/// The error of the driver for an error of the engine that decides nothing.
pub(crate) fn explain(error: object_store::Error) -> Error {
    use object_store::Error as Engine;
    if let Some(access) = AccessError::of(&error) {
        return Error::new(access.kind()).with_source(access);
    }
    let kind = match &error {
        Engine::PermissionDenied { .. } | Engine::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        // About the driver's own objects it is never `PathNotFound`.
        Engine::NotFound { .. } => ErrorKind::Corrupted,
        Engine::NotSupported { .. } | Engine::NotImplemented { .. } => ErrorKind::Unsupported,
        Engine::Precondition { .. } | Engine::AlreadyExists { .. } => ErrorKind::Unavailable,
        _ => match (status(&error), http_kind(&error)) {
            (Some(507), _) => ErrorKind::StorageFull { needed: None, available: None },
            (Some(401 | 403), _) => ErrorKind::PermissionDenied,
            (Some(408 | 429 | 500..=599), _) => ErrorKind::Unavailable,
            (_, Some(HttpErrorKind::Timeout)) => ErrorKind::Timeout,
            (_, Some(HttpErrorKind::Decode)) => ErrorKind::Corrupted,
            (_, Some(_)) => ErrorKind::Unavailable,
            _ => ErrorKind::Other,
        },
    };
    Error::new(kind).with_source(error)
}

/// An object of the driver's own is not what it should be.
pub(crate) fn corrupted(key: &str, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Corrupted).with_source(format!("object {key}: {what}"))
}
