//! `/token`: issues tokens.

use std::{net::IpAddr, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
    request::Parts,
};
use serde_json::json;
use tokio::time::timeout;

use super::{Tokens, claims::TIME_TO_LIVE, scope::Scope};
use crate::{
    api::error::{Code, Error, Result},
    client,
    htpasswd::{Credentials, Malformed},
    metrics::Route,
    query::Query,
};

/// The largest form, in bytes.
const MAX_FORM: usize = 64 << 10;

/// How long a client may take to send a form.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) fn router(tokens: Tokens) -> Router {
    Router::new().route("/token", get(by_query).post(by_form)).with_state(tokens)
}

async fn by_query(State(tokens): State<Tokens>, parts: Parts) -> Response {
    let Parts { headers, uri, extensions, .. } = &parts;
    // Clients encode the spaces between scopes as a form does.
    let query = Query::parse_form(uri.query().unwrap_or_default().as_bytes());
    respond(issue(&tokens, Credentials::of(headers), client::address(extensions), &query).await)
}

async fn by_form(State(tokens): State<Tokens>, parts: Parts, body: Body) -> Response {
    respond(receive(&tokens, client::address(&parts.extensions), body).await)
}

fn respond(issued: Result<Response>) -> Response {
    let mut response = issued.unwrap_or_else(Error::into_response);
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.extensions_mut().insert(Route("token"));
    response
}

async fn receive(tokens: &Tokens, client: Option<IpAddr>, body: Body) -> Result<Response> {
    let body = timeout(PATIENCE, to_bytes(body, MAX_FORM)).await.map_err(|_| {
        invalid("the form was not received in time").status(StatusCode::REQUEST_TIMEOUT)
    })?;
    let body = body.map_err(|_| invalid("the body is not a form of at most 64 KiB"))?;
    let form = Query::parse_form(&body);
    if form.get("grant_type") != Some("password") {
        return Err(invalid("grant_type is not password"));
    }
    let (Some(user), Some(password)) = (form.get("username"), form.get("password")) else {
        return Err(invalid("username or password is missing"));
    };
    issue(tokens, Credentials::new(user, password).map(Some), client, &form).await
}

/// Wrong credentials are refused even if none are needed, so that the client notices.
async fn issue(
    tokens: &Tokens,
    credentials: std::result::Result<Option<Credentials>, Malformed>,
    client: Option<IpAddr>,
    query: &Query,
) -> Result<Response> {
    let scopes = query.all("scope").map(Scope::parse_all).collect::<Result<Vec<_>, _>>();
    let scopes = scopes.map_err(invalid)?.concat();
    let user = tokens.users.identify(credentials, client).await?;
    let claims = tokens.claims(user, scopes);
    let token = claims.seal(&tokens.key).map_err(|error| Error::new(Code::Unknown, error))?;
    let scopes: Vec<String> = claims.scopes.iter().map(Scope::to_string).collect();
    let body = json!({
        "token": token,
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": TIME_TO_LIVE.as_secs(),
        "issued_at": humantime::format_rfc3339_seconds(claims.issued()).to_string(),
        "scope": scopes.join(" "),
    });
    Ok(([(CONTENT_TYPE, "application/json")], body.to_string()).into_response())
}

fn invalid(message: impl std::fmt::Display) -> Error {
    // The specification has no code for this endpoint.
    Error::new(Code::Unsupported, message).status(StatusCode::BAD_REQUEST)
}
