//! Redirects of downloads to the store.

use axum::response::Response;
use http::{HeaderName, StatusCode, header};

use super::{
    error::Result,
    range::{self, Requested, Selection},
    responses::{CONTENT_DIGEST, empty, entity_tag},
    service::Call,
};
use crate::{digest::Digest, name::Name, options::Redirect};

/// The headers that a client repeats at the store, which compares them with entity tags and dates of its own.
const CONDITIONS: [HeaderName; 5] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
];

/// A redirect to the content of a blob in the store; `None` if the registry has to send it.
///
/// A client repeats its `Range` there. A store understands one range, and its responses to several differ, so those
/// are sent by the registry, and so are conditional requests.
///
/// # Errors
///
/// Those of a download: the blob is looked up first.
pub(super) async fn to_store(
    call: &Call,
    name: &Name,
    digest: &Digest,
) -> Result<Option<Response>> {
    let store = &call.api.store;
    let least = match store.options.redirect {
        Redirect::Never => return Ok(None),
        Redirect::Always => 0,
        Redirect::From(bytes) => bytes,
    };
    let headers = call.headers();
    if !store.has_urls() || CONDITIONS.iter().any(|it| headers.contains_key(it)) {
        return Ok(None);
    }
    let requested = range::requested(headers, &entity_tag(digest));
    let range = match &requested {
        Requested::Whole if headers.contains_key(header::RANGE) => return Ok(None),
        Requested::Whole => None,
        Requested::Ranges(ranges) if ranges.len() == 1 => Some(ranges),
        Requested::Ranges(_) => return Ok(None),
    };
    let size = store.blob_size(name, digest).await?;
    let is_satisfiable =
        range.is_none_or(|range| matches!(range::select(range, size), Selection::Part(_)));
    if size < least || !is_satisfiable {
        return Ok(None);
    }
    let url = store.blob_url(digest, Redirect::LIFETIME).await?;
    // The response is not cached: its URL expires.
    Ok(url.map(|url| {
        empty(
            StatusCode::TEMPORARY_REDIRECT,
            [
                (header::LOCATION, url),
                (CONTENT_DIGEST, digest.to_string()),
                (header::CACHE_CONTROL, "no-store".to_owned()),
            ],
        )
    }))
}
