//! Uploads: POST, PATCH, PUT, GET, DELETE.

use std::sync::Arc;

use axum::{body::Body, response::Response};
use futures::future::BoxFuture;
use http::{HeaderName, StatusCode, header};
use uuid::Uuid;

use super::{
    error::{Error, Result},
    range,
    responses::{CONTENT_DIGEST, empty, spawn_to_completion},
    service::{Api, Call},
};
use crate::{
    access::{AccessRequest, Action, Refusal},
    digest::{Algorithm, Digest},
    name::Name,
    query::Query,
    store::{Store, Upload, UploadError, UploadStatus},
};

const UPLOAD_ID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// POST: a mount, a whole upload in one request, or the beginning of one.
pub(super) async fn begin(call: Call, name: Name, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let query = call.query();
    // A client that cannot mount the blob, for any reason, uploads it.
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
        let body = call.api.body(body);
        receive(call.api, move |store| {
            Box::pin(async move { Ok(store.push(&upload, body, &digest).await?) })
        })
        .await?;
        return Ok(created(&location, &digest));
    }
    let status = call.api.store.begin(Upload::new(name, algorithm)).await?;
    Ok(respond(StatusCode::ACCEPTED, &status))
}

/// Returns `false` if there is nothing to mount that this client may pull.
///
/// # Errors
///
/// 401 if the user may pull from the source, but the token of the request does not cover that: with another
/// token nothing has to be uploaded.
async fn mount(call: &Call, name: &Name, digest: &Digest, from: Option<&str>) -> Result<bool> {
    let Ok(from) = from.map(Name::parse).transpose() else { return Ok(false) };
    match (&call.api.authorize, &from) {
        (None, _) => {}
        // Only where everyone may pull everything: a client may know the digest of content that it may not pull.
        (Some(_), None) => return Ok(false),
        (Some(authorize), Some(from)) => {
            let asked = AccessRequest::new(&call.parts, Some(from.as_str()), Action::Pull);
            match authorize.authorize(asked.with_mount_into(name.as_str())).await {
                Err(Refusal::Denied | Refusal::Unauthorized { .. }) => return Ok(false),
                admitted => admitted?,
            }
        }
    }
    Ok(call.api.store.mount(name, digest, from.as_ref()).await?)
}

/// PATCH: the next chunk.
pub(super) async fn append(call: Call, name: Name, id: Uuid, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let upload = Upload { name, id, algorithm: algorithm(&call.query())? };
    let chunk = range::chunk(call.headers())?;
    let body = call.api.body(body);
    let status = receive(call.api, move |store| {
        Box::pin(async move {
            let appended = store.append(&upload, chunk, body).await;
            appended.map_err(|failed| failure(&upload, failed))
        })
    });
    Ok(respond(StatusCode::ACCEPTED, &status.await?))
}

/// PUT: the last chunk, which may be empty, and the digest of all data. Data with another digest is not
/// published.
pub(super) async fn finish(call: Call, name: Name, id: Uuid, body: Body) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let query = call.query();
    let digest = query.get("digest").unwrap_or_default();
    let digest = Digest::parse(digest)?;
    // The digest of an upload that is still empty is computed by this algorithm.
    let algorithm = match query.get("digest-algorithm") {
        Some(named) => Algorithm::parse(named)?,
        None => digest.algorithm(),
    };
    let chunk = range::chunk(call.headers())?;
    let location = name.clone();
    let upload = Upload { name, id, algorithm };
    let body = call.api.body(body);
    receive(call.api, move |store| {
        Box::pin(async move {
            let finished = store.finish(&upload, chunk, body, &digest).await;
            finished.map_err(|failed| failure(&upload, failed))
        })
    })
    .await?;
    Ok(created(&location, &digest))
}

/// GET: the size of the upload.
pub(super) async fn status(call: Call, name: Name, id: Uuid) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    let upload = Upload { name, id, algorithm: algorithm(&call.query())? };
    let status = call.api.store.upload_status(upload).await?;
    Ok(respond(StatusCode::NO_CONTENT, &status))
}

/// DELETE: the upload and its data.
pub(super) async fn cancel(call: Call, name: Name, id: Uuid) -> Result<Response> {
    call.admit(&name, Action::Push).await?;
    call.api.writable()?;
    let upload = Upload { name, id, algorithm: Algorithm::Sha256 };
    call.api.store.cancel(&upload).await?;
    Ok(empty(StatusCode::NO_CONTENT, []))
}

/// Receives an upload in a separate task. A handler is dropped with its connection, but received bytes have to
/// be kept.
async fn receive<T: Send + 'static>(
    api: Arc<Api>,
    work: impl FnOnce(Arc<Store>) -> BoxFuture<'static, Result<T>>,
) -> Result<T> {
    let permit = api.permit()?;
    let counted = api.metrics.upload();
    let work = work(Arc::clone(&api.store));
    spawn_to_completion(async move {
        let _held = (permit, counted);
        work.await
    })
    .await
}

/// The algorithm of the digest that the client has announced; `sha256` by default.
fn algorithm(query: &Query) -> Result<Algorithm> {
    Ok(query.get("digest-algorithm").map_or(Ok(Algorithm::Sha256), Algorithm::parse)?)
}

/// A response with the location and the size of an upload.
fn respond(status: StatusCode, upload: &UploadStatus) -> Response {
    let headers = [
        (header::LOCATION, location(&upload.upload)),
        (header::RANGE, received(upload.size)),
        (UPLOAD_ID, upload.upload.id.to_string()),
    ];
    empty(status, headers)
}

/// An error response with the size of the upload, if that is known.
fn failure(upload: &Upload, UploadError { error, size }: UploadError) -> Error {
    let error = Error::from(error);
    match size {
        Some(size) => {
            error.header(header::LOCATION, location(upload)).header(header::RANGE, received(size))
        }
        None => error,
    }
}

fn location(Upload { name, id, algorithm }: &Upload) -> String {
    match algorithm {
        Algorithm::Sha256 => format!("/v2/{name}/blobs/uploads/{id}"),
        other => format!("/v2/{name}/blobs/uploads/{id}?digest-algorithm={}", other.as_str()),
    }
}

/// `0-` and the position of the last byte; of an empty upload `0-0`, as in distribution.
fn received(size: u64) -> String {
    format!("0-{}", size.saturating_sub(1))
}

fn created(name: &Name, digest: &Digest) -> Response {
    let location = format!("/v2/{name}/blobs/{digest}");
    empty(StatusCode::CREATED, [(header::LOCATION, location), (CONTENT_DIGEST, digest.to_string())])
}
