//! Blobs: GET with ranges, HEAD, DELETE.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderName, StatusCode, header};
use storage_driver::ReadRange;

use super::{
    conditions,
    error::{Code, Error, Result},
    range::{self, Requested, Selection},
    redirect,
    responses::{CONTENT_DIGEST, empty, entity_tag},
    service::Call,
};
use crate::{access::Action, digest::Digest, name::Name};

/// Content that never changes may be cached for a year, the longest time that is useful in HTTP.
const CACHE: &str = "max-age=31536000, immutable";

const CONTENT_TYPE: &str = "application/octet-stream";

fn described(digest: &Digest) -> [(HeaderName, String); 4] {
    [
        (CONTENT_DIGEST, digest.to_string()),
        (header::ETAG, entity_tag(digest)),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
        (header::CACHE_CONTROL, CACHE.to_owned()),
    ]
}

pub(super) async fn stat(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let conditions = conditions::of(call.headers())?;
    let file = call.api.store.blob(&name, digest).await?;
    if conditions.is_not_modified(digest)? {
        return Ok(empty(StatusCode::NOT_MODIFIED, described(digest)));
    }
    let content = [
        (header::CONTENT_LENGTH, file.size.to_string()),
        (header::CONTENT_TYPE, CONTENT_TYPE.to_owned()),
    ];
    Ok((StatusCode::OK, described(digest), content).into_response())
}

/// Redirects to the store, or streams a blob or ranges of it. Only the first chunk is read before the response begins.
pub(super) async fn pull(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    if let Some(redirect) = redirect::to_store(&call, &name, digest).await? {
        return Ok(redirect);
    }
    let conditions = conditions::of(call.headers())?;
    let store = &call.api.store;
    if !conditions.is_none() {
        store.blob(&name, digest).await?;
        if conditions.is_not_modified(digest)? {
            return Ok(empty(StatusCode::NOT_MODIFIED, described(digest)));
        }
    }
    let (size, selection) = match range::requested(call.headers(), &entity_tag(digest)) {
        // Only ranges are resolved with it.
        Requested::Whole => (0, Selection::Whole),
        Requested::Ranges(ranges) => {
            let size = store.blob_size(&name, digest).await?;
            (size, range::select(&ranges, size))
        }
    };
    let (status, length, content_type, part, body) = match selection {
        Selection::Unsatisfiable => return Err(unsatisfiable(size)),
        Selection::Whole => {
            let reader = store.read_blob(&name, digest).await?;
            let length = reader.remaining();
            (StatusCode::OK, length, CONTENT_TYPE.to_owned(), None, Body::from_stream(reader))
        }
        Selection::Part(range) => {
            let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            let reader = store.read_content(digest, ReadRange::from(range)).await?;
            let length = reader.remaining();
            let part = Some([(header::CONTENT_RANGE, part)]);
            (
                StatusCode::PARTIAL_CONTENT,
                length,
                CONTENT_TYPE.to_owned(),
                part,
                Body::from_stream(reader),
            )
        }
        Selection::Parts(parts) => {
            let (length, content_type) = (parts.length(), parts.content_type());
            let body = Body::from_stream(parts.read(store.clone(), *digest).await?);
            (StatusCode::PARTIAL_CONTENT, length, content_type, None, body)
        }
    };
    let content =
        [(header::CONTENT_LENGTH, length.to_string()), (header::CONTENT_TYPE, content_type)];
    Ok((status, described(digest), content, part, body).into_response())
}

pub(super) async fn delete(call: Call, name: Name, digest: &Digest) -> Result<Response> {
    call.admit(&name, Action::Delete).await?;
    call.api.deletable()?;
    let conditions = conditions::of(call.headers())?;
    if !conditions.is_none() {
        call.api.store.blob(&name, digest).await?;
        conditions.check(Some(digest))?;
    }
    call.api.store.delete_blob(&name, digest).await?;
    Ok(empty(StatusCode::ACCEPTED, [(CONTENT_DIGEST, digest.to_string())]))
}

fn unsatisfiable(size: u64) -> Error {
    Error::new(Code::SizeInvalid, "the range is malformed or past the end of the blob")
        .status(StatusCode::RANGE_NOT_SATISFIABLE)
        .header(header::CONTENT_RANGE, format_args!("bytes */{size}"))
}
