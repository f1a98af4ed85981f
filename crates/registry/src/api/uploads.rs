//! Uploads: POST, PATCH, PUT, GET, DELETE.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::future::BoxFuture;
use http::{HeaderName, StatusCode, header};
use uuid::Uuid;

use super::{Api, CONTENT_DIGEST, Call, empty, range, to_its_end};
use crate::{
    access::{AccessRequest, Action, Refusal},
    digest::{Algorithm, Digest},
    error::Result,
    name::Name,
    query::Query,
    store::{Standing, Store, Upload},
};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// POST: a mount, a whole upload in one request, or the beginning of one.
pub(super) async fn begin(call: Call, name: Name, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let query = call.query();
    // A client that cannot mount uploads, whatever the reason.
    if let Some(digest) = query.get("mount").and_then(|digest| Digest::parse(digest).ok())
        && mount(&call, &name, &digest, query.get("from")).await?
    {
        return Ok(created(&name, &digest));
    }
    let algorithm = algorithm(&query)?;
    if let Some(digest) = query.get("digest") {
        let digest = Digest::parse(digest)?;
        let upload = Upload::new(name, digest.algorithm());
        let location = upload.name.clone();
        let incoming = call.api.incoming(body);
        receive(call.api, move |store| {
            Box::pin(async move { store.push(&upload, incoming, &digest).await })
        })
        .await?;
        return Ok(created(&location, &digest));
    }
    let standing = call.api.store.begin(Upload::new(name, algorithm)).await?;
    Ok(tell(StatusCode::ACCEPTED, &standing))
}

/// `false` where there is nothing to mount that this client may see.
///
/// # Errors
///
/// 401 where the user may pull from the source, and only the token of the request does not cover it: with
/// another token nothing has to be uploaded.
async fn mount(call: &Call, name: &Name, digest: &Digest, from: Option<&str>) -> Result<bool> {
    let Ok(from) = from.map(Name::parse).transpose() else { return Ok(false) };
    match (&call.api.authorize, &from) {
        (None, _) => {}
        // To know a digest is not to have the content: only where everybody may see everything.
        (Some(_), None) => return Ok(false),
        (Some(authorize), Some(from)) => {
            let asked = AccessRequest::new(&call.parts, Some(from.as_str()), Action::Pull);
            match authorize.authorize(asked.with_mount_into(name.as_str())).await {
                Err(Refusal::Denied | Refusal::Unauthorized { .. }) => return Ok(false),
                admitted => admitted?,
            }
        }
    }
    call.api.store.mount(name, digest, from.as_ref()).await
}

/// PATCH: the next chunk, from where the upload stands.
pub(super) async fn append(call: Call, name: Name, id: Uuid, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let upload = Upload { name, id, algorithm: algorithm(&call.query())? };
    let chunk = range::chunk(call.headers())?;
    let incoming = call.api.incoming(body);
    let standing = receive(call.api, move |store| {
        Box::pin(async move { store.append(&upload, chunk, incoming).await })
    });
    Ok(tell(StatusCode::ACCEPTED, &standing.await?))
}

/// PUT: the last chunk, which may be empty, and the digest of the whole. Nothing is published that
/// has another.
pub(super) async fn finish(call: Call, name: Name, id: Uuid, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let query = call.query();
    let digest = query.get("digest").unwrap_or_default();
    let digest = Digest::parse(digest)?;
    // Of an upload that is empty as yet, the digest is computed by the algorithm that is wanted.
    let algorithm = match query.get("digest-algorithm") {
        Some(named) => Algorithm::parse(named)?,
        None => digest.algorithm(),
    };
    let chunk = range::chunk(call.headers())?;
    let location = name.clone();
    let upload = Upload { name, id, algorithm };
    let incoming = call.api.incoming(body);
    receive(call.api, move |store| {
        Box::pin(async move { store.finish(&upload, chunk, incoming, &digest).await })
    })
    .await?;
    Ok(created(&location, &digest))
}

/// GET: how far the upload has come.
pub(super) async fn standing(call: Call, name: Name, id: Uuid) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    let upload = Upload { name, id, algorithm: algorithm(&call.query())? };
    let standing = call.api.store.standing(upload).await?;
    Ok(tell(StatusCode::NO_CONTENT, &standing))
}

/// DELETE: the upload and all it held.
pub(super) async fn cancel(call: Call, name: Name, id: Uuid) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let upload = Upload { name, id, algorithm: Algorithm::Sha256 };
    call.api.store.cancel(&upload).await?;
    Ok(empty(StatusCode::NO_CONTENT, []))
}

/// Has a task of its own receive an upload. A connection that breaks takes its handler with it; what
/// came has to be kept all the same, with its digest.
async fn receive<T: Send + 'static>(
    api: Arc<Api>,
    work: impl FnOnce(Arc<Store>) -> BoxFuture<'static, Result<T>>,
) -> Result<T> {
    let permit = api.permit()?;
    let counted = api.metrics.upload();
    let work = work(Arc::clone(&api.store));
    to_its_end(async move {
        let _held = (permit, counted);
        work.await
    })
    .await
}

/// The algorithm that a client said it will name the whole by: the specification's `sha256`, or else.
fn algorithm(query: &Query) -> Result<Algorithm> {
    query.get("digest-algorithm").map_or(Ok(Algorithm::Sha256), Algorithm::parse)
}

/// Where an upload is, and how far it has come.
fn tell(status: StatusCode, standing: &Standing) -> Response {
    let headers = [
        (header::LOCATION, standing.upload.location()),
        (header::RANGE, standing.range()),
        (UPLOAD_ID, standing.upload.id.to_string()),
    ];
    empty(status, headers)
}

fn created(name: &Name, digest: &Digest) -> Response {
    let location = format!("/v2/{name}/blobs/{digest}");
    empty(StatusCode::CREATED, [(header::LOCATION, location), (CONTENT_DIGEST, digest.to_string())])
}
