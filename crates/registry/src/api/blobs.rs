//! Blobs: GET with ranges, HEAD, DELETE.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, StatusCode, header};
use storage_driver::ErrorKind;

use super::{CONTENT_DIGEST, Call, empty, has_already, range};
use crate::{
    access::Action,
    digest::Digest,
    error::{Code, Error, Result},
    name::Name,
};

/// What never changes may be kept: a year, the most that HTTP has use for.
const CACHE: &str = "max-age=31536000, immutable";

fn described(digest: &Digest, tag: String) -> [(HeaderName, String); 4] {
    [
        (CONTENT_DIGEST, digest.to_string()),
        (header::ETAG, tag),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, CACHE.to_owned()),
    ]
}

pub(super) async fn stat(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let file = call.api.store.blob(&name, digest).await?;
    let content = [
        (header::CONTENT_LENGTH, file.size.to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    let described = described(digest, format!("\"{digest}\""));
    Ok((StatusCode::OK, described, content).into_response())
}

/// Streams a blob, or the range that was asked for. Nothing is read ahead of what the client takes.
pub(super) async fn pull(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let tag = format!("\"{digest}\"");
    if has_already(call.headers(), &tag) {
        call.api.store.blob(&name, digest).await?;
        return Ok(empty(StatusCode::NOT_MODIFIED, described(digest, tag)));
    }
    let asked = range::asked(call.headers(), &tag);
    let whole = asked.is_none();
    let opened = call.api.store.read_blob(&name, digest, asked.unwrap_or_default()).await?;
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => match error.kind() {
            ErrorKind::InvalidOffset { size, .. } => return Err(unsatisfiable(size)),
            _ => return Err(error.into()),
        },
    };
    let (range, size) = (reader.range(), reader.metadata().size);
    let (status, part) = match whole {
        true => (StatusCode::OK, None),
        // An offset equal to the size is fine for the driver; HTTP wants at least one byte.
        false if range.is_empty() => return Err(unsatisfiable(size)),
        false => {
            let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            (StatusCode::PARTIAL_CONTENT, Some([(header::CONTENT_RANGE, part)]))
        }
    };
    let content = [
        (header::CONTENT_LENGTH, reader.remaining().to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
    ];
    Ok((status, described(digest, tag), content, part, Body::from_stream(reader)).into_response())
}

pub(super) async fn delete(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Delete).await?;
    call.api.deletable()?;
    call.api.store.delete_blob(&name, digest).await?;
    Ok(empty(StatusCode::ACCEPTED, [(CONTENT_DIGEST, digest.to_string())]))
}

fn unsatisfiable(size: u64) -> Error {
    Error::new(Code::SizeInvalid, "the range is past the end of the blob")
        .status(StatusCode::RANGE_NOT_SATISFIABLE)
        .header(header::CONTENT_RANGE, format_args!("bytes */{size}"))
}
