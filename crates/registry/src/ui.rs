//! The web interface: repositories, tags and sizes. It is read-only and has no scripts.

use std::sync::Arc;

use axum::{
    Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Uri, header, request::Parts};
use maud::{DOCTYPE, Markup, html};

use crate::{
    access::Action,
    api::{
        Api, Repositories,
        error::{Error, Result},
    },
    name::{Name, Tag},
    query::Query,
    security_headers::NO_SNIFFING,
};

/// How many repositories or tags a page shows.
const PAGE: usize = 100;
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.2rem .8rem .2rem 0}\
    td.n,th.n{text-align:right}code{font-size:.85em;word-break:break-all}";
/// Nothing is loaded, and only the style is allowed.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/", get(home))
        .route("/repositories/{*name}", get(repository))
        .with_state(api)
}

async fn home(State(api): State<Arc<Api>>, parts: Parts) -> Response {
    respond(&api, repositories(&api, &parts, last(&parts.uri)).await)
}

async fn repository(State(api): State<Arc<Api>>, parts: Parts) -> Response {
    let name = parts.uri.path().strip_prefix("/repositories/").unwrap_or_default();
    respond(&api, tags(&api, &parts, name, last(&parts.uri)).await)
}

fn respond(api: &Api, page: Result<Markup>) -> Response {
    let mut response = match page {
        Ok(page) => {
            let mut response = page.into_response();
            let policy = HeaderValue::from_static(POLICY);
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
            response
        }
        Err(error) => error.into_response(),
    };
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    api.set_vary(&mut response, false);
    response
}

/// The last item of the page before.
fn last(uri: &Uri) -> Option<String> {
    Query::of(uri).get("last").map(str::to_owned)
}

async fn repositories(api: &Api, parts: &Parts, last: Option<String>) -> Result<Markup> {
    let Repositories { names, next } = api.repositories(parts, last.as_deref(), PAGE).await?;
    Ok(frame(
        "Repositories",
        html! {
            @if names.is_empty() && next.is_none() { p { "No repositories yet." } }
            ul { @for name in &names { li { a href={ "/repositories/" (name) } { (name) } } } }
            @if let Some(last) = next { a href={ "/?last=" (last) } { "More" } }
        },
    ))
}

async fn tags(api: &Api, parts: &Parts, name: &str, last: Option<String>) -> Result<Markup> {
    let name = Name::parse(name)?;
    api.admit(parts, Some(&name), Action::Pull).await?;
    let last = last.as_deref().map(Tag::parse).transpose()?;
    let page = api.store.tags(&name, last.as_ref(), PAGE).await?;
    let rows = page.items.iter().map(|tag| describe(api, &name, tag));
    let rows: Vec<Markup> =
        stream::iter(rows.collect::<Vec<_>>()).buffered(8).try_collect().await?;
    Ok(frame(
        name.as_str(),
        html! {
            p { a href="/" { "All repositories" } }
            table {
                tr { th { "Tag" } th.n { "Size" } th { "Manifest" } }
                @for row in rows { (row) }
            }
            @if let (true, Some(last)) = (page.more, page.items.last()) {
                a href={ "/repositories/" (name) "?last=" (last) } { "More" }
            }
        },
    ))
}

async fn describe(api: &Api, name: &Name, tag: &Tag) -> Result<Markup> {
    let Some(digest) = api.store.tagged(name, tag).await? else { return Ok(html! {}) };
    let found = api.store.manifest_of(name, &digest, |it| it.content_size()).await;
    let (served, size) = match found {
        Ok(found) => found,
        Err(error) if error.is_retryable() => return Err(error.into()),
        // One manifest that cannot be read does not stop the page.
        Err(error) => {
            Error::from(error).log();
            return Ok(html! {});
        }
    };
    Ok(html! {
        tr {
            td { (tag) }
            td.n { @match size { Some(0) | None => "", Some(size) => (readable(size)) } }
            td { code { (served.digest) } br; (served.media_type) }
        }
    })
}

fn frame(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { (title) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body { h1 { (title) } (content) }
        }
    }
}

/// A size with three digits and a unit.
fn readable(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit + 1 < UNITS.len() {
        (size, unit) = (size / 1024.0, unit + 1);
    }
    match size < 10.0 && unit > 0 {
        true => format!("{size:.1} {}", UNITS[unit]),
        false => format!("{size:.0} {}", UNITS[unit]),
    }
}
