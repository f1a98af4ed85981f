//! [`Api`]: the state that all requests share; [`Call`]: one request.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::{
    body::RequestBody,
    cursors::Cursors,
    error::{Code, Error, Result},
};
use crate::{
    access::{AccessRequest, Action, Authorize},
    metrics::Metrics,
    name::Name,
    query::Query,
    store::Store,
};

/// The state that all requests share.
pub(crate) struct Api {
    pub(crate) store: Arc<Store>,
    pub(crate) authorize: Option<Arc<dyn Authorize>>,
    pub(crate) interrupt: CancellationToken,
    pub(crate) metrics: Metrics,
    uploads: Arc<Semaphore>,
    pub(super) cursors: Cursors,
}

impl Api {
    pub(crate) fn new(
        store: Arc<Store>,
        authorize: Option<Arc<dyn Authorize>>,
        interrupt: CancellationToken,
        metrics: Metrics,
        cursors: Cursors,
    ) -> Self {
        let uploads =
            Arc::new(Semaphore::new(store.options.max_uploads.min(Semaphore::MAX_PERMITS)));
        Self { store, authorize, interrupt, metrics, uploads, cursors }
    }

    /// Checks that a request may perform `action`.
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

    /// Names the headers of a request that its response depends on, for caches.
    pub(crate) fn set_vary(&self, response: &mut Response, is_negotiated: bool) {
        let vary = match (is_negotiated, self.authorize.is_some()) {
            (true, true) => "Accept, Authorization",
            (true, false) => "Accept",
            (false, true) => "Authorization",
            (false, false) => return,
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static(vary));
    }

    /// A permit for one more request that uploads.
    pub(super) fn permit(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.uploads).try_acquire_owned().map_err(|_| {
            Error::new(Code::TooManyRequests, "too many requests upload at once")
                .retry_after(Duration::from_secs(1))
        })
    }

    pub(super) fn body(&self, body: Body) -> RequestBody {
        RequestBody::new(body, self.store.options.body_timeout, self.interrupt.clone())
    }

    pub(super) fn writable(&self) -> Result<()> {
        match self.store.options.read_only {
            true => Err(Error::new(Code::Unsupported, "this registry is read-only")),
            false => Ok(()),
        }
    }

    pub(super) fn deletable(&self) -> Result<()> {
        self.writable()?;
        match self.store.options.allow_delete {
            true => Ok(()),
            false => Err(Error::new(Code::Unsupported, "deletion is disabled in this registry")),
        }
    }
}

/// A request for a handler.
pub(super) struct Call {
    pub(super) api: Arc<Api>,
    pub(super) parts: Parts,
}

impl Call {
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(super) fn query(&self) -> Query {
        Query::of(&self.parts.uri)
    }

    pub(super) async fn admit(&self, name: &Name, action: Action) -> Result<()> {
        self.api.admit(&self.parts, Some(name), action).await
    }
}
