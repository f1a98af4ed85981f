//! Lists: the catalog, tags, referrers.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{json, value::RawValue};

use super::{
    error::{Code, Error, Result},
    responses::list,
    service::Call,
};
use crate::{
    access::Action,
    digest::Digest,
    name::{Name, Tag},
    query::Query,
    store::{
        Referrers,
        manifest::{Description, OCI_INDEX},
    },
};

const FILTERS: HeaderName = HeaderName::from_static("oci-filters-applied");

/// The default number of repositories of a page, as in distribution.
const CATALOG_PAGE: usize = 100;
/// The largest number of repositories or tags of a page, and the default of tags.
const MAX_PAGE: usize = 10_000;
/// The largest number of referrers of a page. It has fewer if their descriptions are larger than 4 MiB.
const REFERRERS_PAGE: usize = 500;

/// The link to the next page.
fn next(path: &str, query: &[(&str, &str)]) -> [(HeaderName, String); 1] {
    let encoded = query
        .iter()
        .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
    let query = encoded.collect::<Vec<_>>().join("&");
    [(header::LINK, format!("<{path}?{query}>; rel=\"next\""))]
}

/// `n`, the number of items that a client wants; at most `most`.
fn limit(query: &Query, default: usize, most: usize) -> Result<usize> {
    let Some(text) = query.get("n") else { return Ok(default) };
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<usize>() {
        Ok(n) if digits => Ok(n.min(most)),
        Err(_) if digits => Ok(most),
        _ => {
            let error = Error::new(Code::Unsupported, "n is not a number of items");
            Err(error.status(StatusCode::BAD_REQUEST))
        }
    }
}

pub(super) async fn catalog(call: Call) -> Result<Response> {
    let query = call.query();
    let limit = limit(&query, CATALOG_PAGE, MAX_PAGE)?;
    let page = call.api.repositories(&call.parts, query.get("last"), limit).await?;
    let names: Vec<&str> = page.names.iter().map(Name::as_str).collect();
    let n = limit.to_string();
    let link = page.next.map(|last| next("/v2/_catalog", &[("n", &n), ("last", &last)]));
    let reservation = call.api.store.budget.reserve();
    Ok((link, list(reservation, &json!({ "repositories": names }))?).into_response())
}

pub(super) async fn tags(call: Call, name: Name) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let query = call.query();
    let limit = limit(&query, MAX_PAGE, MAX_PAGE)?;
    let last = query.get("last").filter(|last| !last.is_empty()).map(Tag::parse).transpose()?;
    let page = call.api.store.tags(&name, last.as_ref(), limit).await?;
    let tags: Vec<&str> = page.items.iter().map(Tag::as_str).collect();
    let (n, last) = (limit.to_string(), tags.last().copied());
    let path = format!("/v2/{name}/tags/list");
    let link = last.filter(|_| page.more).map(|last| next(&path, &[("n", &n), ("last", last)]));
    let reservation = call.api.store.budget.reserve();
    Ok((link, list(reservation, &json!({ "name": name.as_str(), "tags": tags }))?).into_response())
}

pub(super) async fn referrers(call: Call, name: Name, subject: &str) -> Result<Response> {
    call.admit(&name, Action::Pull).await?;
    let subject = Digest::parse(subject)?;
    let query = call.query();
    let last = query.get("last").map(Digest::parse).transpose()?;
    let filter = query.get("artifactType").filter(|filter| !filter.is_empty());
    let store = &call.api.store;
    let Referrers { items, next: last, reservation } =
        store.referrers(&name, &subject, last.as_ref(), filter, REFERRERS_PAGE).await?;
    let path = format!("/v2/{name}/referrers/{subject}");
    // No referrer is listed with a longer type: the link would only repeat it.
    let is_matchable = filter.is_none_or(|filter| filter.len() <= Description::MAX_ARTIFACT_TYPE);
    let last = last.filter(|_| is_matchable).map(|last| last.to_string());
    let link = last.map(|last| {
        let mut query = vec![("last", last.as_str())];
        query.extend(filter.map(|filter| ("artifactType", filter)));
        next(&path, &query)
    });
    let applied = filter.map(|_| [(FILTERS, "artifactType")]);
    let body =
        list(reservation, &Index { schema_version: 2, media_type: OCI_INDEX, manifests: &items })?;
    Ok((link, applied, [(header::CONTENT_TYPE, OCI_INDEX)], body).into_response())
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Index<'a> {
    schema_version: u8,
    media_type: &'static str,
    manifests: &'a [Box<RawValue>],
}
