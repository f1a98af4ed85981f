//! Parts of responses that several handlers use.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};

use super::error::{Code, Error, Result};
use crate::{digest::Digest, store::Reservation};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Runs `work` to completion in a separate task: a handler is dropped with its connection.
pub(super) async fn spawn_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::new(Code::Unknown, error)))
}

/// A response without a body.
pub(super) fn empty<const N: usize>(
    status: StatusCode,
    headers: [(HeaderName, String); N],
) -> Response {
    let mut response = (status, headers).into_response();
    if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(0));
    }
    response
}

pub(super) fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Error::new(Code::Unknown, error).into_response(),
    }
}

/// A list as JSON. Its memory is reserved by `reservation` until the client has received it.
pub(super) fn list(
    mut reservation: Reservation,
    value: &impl serde::Serialize,
) -> Result<Response> {
    struct Reserved {
        text: Vec<u8>,
        _reservation: Reservation,
    }

    impl AsRef<[u8]> for Reserved {
        fn as_ref(&self) -> &[u8] {
            &self.text
        }
    }

    let mut text = serde_json::to_vec(value).map_err(|error| Error::new(Code::Unknown, error))?;
    text.shrink_to_fit();
    reservation.resize(text.len() as u64)?;
    let body = Body::from(Bytes::from_owner(Reserved { text, _reservation: reservation }));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The entity tag of content: its digest, in quotes.
pub(super) fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}
