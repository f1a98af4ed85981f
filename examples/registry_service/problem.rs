//! [`Problem`]: an answer that is not what was asked for.

use std::{error::Error as _, fmt};

use axum::{
    http::{HeaderName, StatusCode},
    response::{IntoResponse, Response},
};
use storage_driver::{Error, ErrorKind};

/// A status, a line of text, and what the client needs to go on.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    text: String,
    headers: Vec<(HeaderName, String)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, text: impl fmt::Display) -> Self {
        Self { status, text: text.to_string(), headers: Vec::new() }
    }

    pub(crate) fn with(mut self, headers: impl IntoIterator<Item = (HeaderName, String)>) -> Self {
        self.headers.extend(headers);
        self
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidPath => StatusCode::BAD_REQUEST,
            ErrorKind::PathNotFound | ErrorKind::IsADirectory => StatusCode::NOT_FOUND,
            ErrorKind::OffsetMismatch { .. } | ErrorKind::InvalidOffset { .. } => {
                StatusCode::RANGE_NOT_SATISFIABLE
            }
            ErrorKind::PathConflict | ErrorKind::WriterFenced => StatusCode::CONFLICT,
            ErrorKind::StorageFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
            ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        match error.source() {
            Some(cause) => Self::new(status, format_args!("{error}: {cause}")),
            None => Self::new(status, error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text + "\n").into_response();
        for (name, value) in self.headers {
            // What a client sent back to it may hold bytes that a header cannot.
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
