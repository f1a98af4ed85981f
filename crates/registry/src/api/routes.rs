//! The routes below `/v2/`: which request is handled where.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use http::{HeaderName, HeaderValue, Method, header};

use super::{
    blobs,
    endpoint::Endpoint,
    error::{Code, Error, Result},
    lists, manifests,
    responses::json,
    service::{Api, Call},
    uploads,
};
use crate::{access::Action, metrics::Route, security_headers::seal};

const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

pub(crate) fn router(api: Arc<Api>) -> Router {
    Router::new()
        .route("/v2", any(serve))
        .route("/v2/", any(serve))
        .route("/v2/{*rest}", any(serve))
        .with_state(api)
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint::parse(parts.uri.path());
    let route = endpoint.as_ref().map_or("unknown", Endpoint::route);
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let is_negotiated = reads && matches!(endpoint, Ok(Endpoint::Manifest(..)));
    let call = Call { api: Arc::clone(&api), parts };
    let result = match endpoint {
        Ok(endpoint) => dispatch(call, endpoint, body).await,
        Err(error) => Err(error),
    };
    let mut response = result.unwrap_or_else(Error::into_response);
    seal(&mut response);
    response.headers_mut().insert(API_VERSION, HeaderValue::from_static("registry/2.0"));
    api.set_vary(&mut response, is_negotiated);
    response.extensions_mut().insert(Route(route));
    response
}

async fn dispatch(call: Call, endpoint: Endpoint, body: Body) -> Result<Response> {
    let method = call.parts.method.clone();
    let reads = matches!(method, Method::GET | Method::HEAD);
    match (endpoint, method) {
        (Endpoint::Base, _) if reads => {
            call.api.admit(&call.parts, None, Action::Pull).await?;
            Ok(json(&serde_json::json!({})))
        }
        (Endpoint::Catalog, _) if reads => lists::catalog(call).await,
        (Endpoint::Tags(name), _) if reads => lists::tags(call, name).await,
        (Endpoint::Referrers(name, subject), _) if reads => {
            lists::referrers(call, name, &subject).await
        }
        (Endpoint::Manifest(name, reference), method) => match method {
            Method::GET | Method::HEAD => manifests::pull(call, name, &reference).await,
            Method::PUT => manifests::push(call, name, &reference, body).await,
            Method::DELETE => manifests::delete(call, name, &reference).await,
            _ => Err(not_allowed("GET, HEAD, PUT, DELETE")),
        },
        (Endpoint::Blob(name, digest), method) => match method {
            Method::GET => blobs::pull(call, name, &digest).await,
            Method::HEAD => blobs::stat(call, name, &digest).await,
            Method::DELETE => blobs::delete(call, name, &digest).await,
            _ => Err(not_allowed("GET, HEAD, DELETE")),
        },
        (Endpoint::Uploads(name), method) => match method {
            Method::POST => uploads::begin(call, name, body).await,
            _ => Err(not_allowed("POST")),
        },
        (Endpoint::Upload(name, id), method) => match method {
            Method::GET | Method::HEAD => uploads::status(call, name, id).await,
            Method::PATCH => uploads::append(call, name, id, body).await,
            Method::PUT => uploads::finish(call, name, id, body).await,
            Method::DELETE => uploads::cancel(call, name, id).await,
            _ => Err(not_allowed("GET, HEAD, PATCH, PUT, DELETE")),
        },
        _ => Err(not_allowed("GET, HEAD")),
    }
}

fn not_allowed(allowed: &str) -> Error {
    Error::new(Code::Unsupported, format_args!("allowed methods: {allowed}"))
        .header(header::ALLOW, allowed)
}
