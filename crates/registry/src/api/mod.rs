//! The specification's endpoints: which request goes where.

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::any,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

pub(crate) use self::catalog::Repositories;
use self::{catalog::Cursors, endpoint::Endpoint};
use crate::{
    access::{AccessRequest, Action, Authorize},
    digest::Digest,
    error::{Code, Error, Result},
    incoming::Incoming,
    metrics::{Metrics, Route},
    name::Name,
    query::Query,
    store::{Held, Store},
};

mod blobs;
mod byteranges;
mod catalog;
mod endpoint;
mod lists;
mod manifests;
mod range;
mod uploads;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");
const API_VERSION: HeaderName = HeaderName::from_static("docker-distribution-api-version");

/// A browser takes content for what it is said to be.
pub(crate) const NO_SNIFFING: HeaderValue = HeaderValue::from_static("nosniff");
/// A browser runs no script of content, loads nothing for it, and gives it an origin of its own.
const SANDBOX: HeaderValue = HeaderValue::from_static("default-src 'none'; sandbox");

/// Keeps browsers from rendering the response: its content is whatever a client pushed.
pub(crate) fn seal(response: &mut Response) {
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, NO_SNIFFING);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, SANDBOX);
}

/// What all requests share.
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) authorize: Option<Arc<dyn Authorize>>,
    pub(crate) interrupt: CancellationToken,
    pub(crate) metrics: Metrics,
    uploads: Arc<Semaphore>,
    cursors: Cursors,
}

impl Api {
    pub(crate) fn new(
        store: Arc<Store>,
        authorize: Option<Arc<dyn Authorize>>,
        interrupt: CancellationToken,
        metrics: Metrics,
    ) -> Self {
        let uploads =
            Arc::new(Semaphore::new(store.options.max_uploads.min(Semaphore::MAX_PERMITS)));
        Self { store, authorize, interrupt, metrics, uploads, cursors: Cursors::new() }
    }

    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v2", any(serve))
            .route("/v2/", any(serve))
            .route("/v2/{*rest}", any(serve))
            .with_state(self)
    }

    /// Lets a request through that may do `action`.
    pub(crate) async fn admit(
        &self,
        parts: &Parts,
        name: Option<&Name>,
        action: Action,
    ) -> Result<()> {
        let Some(authorize) = &self.authorize else { return Ok(()) };
        let asked = AccessRequest::new(parts, name.map(Name::as_str), action);
        Ok(authorize.authorize(asked).await?)
    }

    /// Says which headers of a request its response depends on, for caches.
    pub(crate) fn set_vary(&self, response: &mut Response, is_negotiated: bool) {
        let vary = match (is_negotiated, self.authorize.is_some()) {
            (true, true) => "Accept, Authorization",
            (true, false) => "Accept",
            (false, true) => "Authorization",
            (false, false) => return,
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static(vary));
    }

    /// Room for one more request that uploads.
    fn permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| {
            Error::new(Code::TooManyRequests, "as many uploads are under way as may be")
                .retry_after(std::time::Duration::from_secs(1))
        })
    }

    fn incoming(&self, body: Body) -> Incoming {
        Incoming::new(body, self.store.options.body_timeout, self.interrupt.clone())
    }

    fn writable(&self) -> Result<()> {
        match self.store.options.read_only {
            true => Err(Error::new(Code::Unsupported, "this registry is read-only")),
            false => Ok(()),
        }
    }

    fn deletable(&self) -> Result<()> {
        self.writable()?;
        match self.store.options.delete {
            true => Ok(()),
            false => Err(Error::new(Code::Unsupported, "this registry deletes nothing")),
        }
    }
}

/// A request on its way to its handler.
struct Call {
    api: Arc<Api>,
    parts: Parts,
}

impl Call {
    fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    fn query(&self) -> Query {
        Query::of(&self.parts.uri)
    }

    async fn admit(&self, name: &Name, action: Action) -> Result<()> {
        self.api.admit(&self.parts, Some(name), action).await
    }
}

async fn serve(State(api): State<Arc<Api>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let endpoint = Endpoint::parse(parts.uri.path());
    let route = endpoint.as_ref().map_or("unknown", Endpoint::route);
    let reads = matches!(parts.method, Method::GET | Method::HEAD);
    let is_negotiated = reads && matches!(endpoint, Ok(Endpoint::Manifest(..)));
    let call = Call { api: Arc::clone(&api), parts };
    let answered = match endpoint {
        Ok(endpoint) => dispatch(call, endpoint, body).await,
        Err(error) => Err(error),
    };
    let mut response = answered.unwrap_or_else(Error::into_response);
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
            Method::GET | Method::HEAD => uploads::standing(call, name, id).await,
            Method::PATCH => uploads::append(call, name, id, body).await,
            Method::PUT => uploads::finish(call, name, id, body).await,
            Method::DELETE => uploads::cancel(call, name, id).await,
            _ => Err(not_allowed("GET, HEAD, PATCH, PUT, DELETE")),
        },
        _ => Err(not_allowed("GET, HEAD")),
    }
}

/// Does `work` in a task of its own, to its end: a connection that breaks takes its handler with it.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T>> + Send + 'static,
) -> Result<T> {
    tokio::spawn(work).await.unwrap_or_else(|error| Err(Error::new(Code::Unknown, error)))
}

fn not_allowed(allowed: &str) -> Error {
    Error::new(Code::Unsupported, format_args!("the methods here are {allowed}"))
        .header(header::ALLOW, allowed)
}

/// An answer without a body.
fn empty<const N: usize>(status: StatusCode, headers: [(HeaderName, String); N]) -> Response {
    let mut response = (status, headers).into_response();
    if !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert(HeaderValue::from(0));
    }
    response
}

fn json(value: &impl serde::Serialize) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => ([(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(error) => Error::new(Code::Unknown, error).into_response(),
    }
}

/// A list as JSON. Its memory is reserved by `held` until the client has received it.
fn list(mut held: Held, value: &impl serde::Serialize) -> Result<Response> {
    struct Reserved {
        text: Vec<u8>,
        _held: Held,
    }

    impl AsRef<[u8]> for Reserved {
        fn as_ref(&self) -> &[u8] {
            &self.text
        }
    }

    let mut text = serde_json::to_vec(value).map_err(|error| Error::new(Code::Unknown, error))?;
    text.shrink_to_fit();
    held.resize(text.len() as u64)?;
    let body = Body::from(Bytes::from_owner(Reserved { text, _held: held }));
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The entity tag of content: its digest, in quotes.
fn entity_tag(digest: &Digest) -> String {
    format!("\"{digest}\"")
}
