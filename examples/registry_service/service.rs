//! The routes, and what their handlers share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    routing::{get, post},
};
use storage_driver::{ErrorKind, Path, Result, StorageDriver};

use crate::{blob, upload};

/// What the handlers share: the driver, and of each upload in progress the digest so far.
pub(crate) struct Service {
    pub(crate) driver: Arc<dyn StorageDriver>,
    sessions: Mutex<HashMap<Path, Arc<upload::Session>>>,
}

/// The service over `driver`.
///
/// A driver does not show the bytes of an upload before they are committed, so the service computes
/// the digest as they pass. Both stand at the same byte after a broken request only if the driver
/// keeps what it accepted; and blobs are published under `IfAbsent`.
///
/// # Errors
///
/// `Unsupported` if the driver does not claim `keeps_on_drop` and `conditional_commit`.
pub(crate) fn router(driver: Arc<dyn StorageDriver>) -> Result<Router> {
    let capabilities = driver.capabilities();
    if !(capabilities.keeps_on_drop && capabilities.conditional_commit) {
        return Err(ErrorKind::Unsupported.into());
    }
    let session =
        get(upload::progress).patch(upload::append).put(upload::finish).delete(upload::cancel);
    Ok(Router::new()
        .route("/v2/", get(async || {}))
        .route("/v2/{name}/blobs/uploads/", post(upload::start))
        .route("/v2/{name}/blobs/uploads/{id}", session)
        .route(
            "/v2/{name}/blobs/{digest}",
            get(blob::download).head(blob::stat).delete(blob::delete),
        )
        .with_state(Arc::new(Service { driver, sessions: Mutex::default() })))
}

impl Service {
    pub(crate) fn sessions(&self) -> MutexGuard<'_, HashMap<Path, Arc<upload::Session>>> {
        // Each entry stands by itself: a panic cannot have left the map half changed.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
