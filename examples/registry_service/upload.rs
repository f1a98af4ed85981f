//! Uploads in progress: start, append, finish, ask, cancel.

use std::{
    collections::HashMap,
    future::poll_fn,
    hash::{BuildHasher, RandomState},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::Body,
    extract::{Path as Segments, Query, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{SinkExt, TryStreamExt};
use sha2::{Digest as _, Sha256};
use storage_driver::{ErrorKind, Path, Precondition, Writer, WriterOptions};

use crate::{
    blob::{Digest, place},
    problem::Problem,
    service::Service,
};

type Shared = State<Arc<Service>>;
type Id = Segments<(String, String)>;

/// What the service knows of an upload: the digest of what the driver has accepted.
#[derive(Default)]
pub(crate) struct Session(Mutex<Accepted>);

#[derive(Default)]
pub(crate) struct Accepted {
    pub(crate) size: u64,
    pub(crate) hasher: Sha256,
    /// The request that may add to it: the latest. The driver fences the writers of the others, but
    /// may notice as late as their next sync.
    pub(crate) turn: u64,
}

impl Session {
    fn accepted(&self) -> MutexGuard<'_, Accepted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Accepted {
    /// Hands `chunk` to the writer of the request `turn`. The digest follows in the same step, so
    /// that a request that is dropped, or overtaken by another, leaves the two together.
    pub(crate) fn add(
        &mut self,
        turn: u64,
        writer: &mut Writer,
        chunk: Bytes,
    ) -> Result<(), Problem> {
        if self.turn != turn {
            return Err(Problem::new(StatusCode::CONFLICT, "another request goes on with it"));
        }
        let (length, mut hasher) = (chunk.len() as u64, self.hasher.clone());
        hasher.update(&chunk);
        writer.start_send_unpin(chunk)?;
        (self.size, self.hasher) = (self.size + length, hasher);
        Ok(())
    }
}

/// What tells a client where an upload is and how far it has come.
fn standing(name: &str, id: &str, size: u64) -> [(HeaderName, String); 2] {
    [
        (header::LOCATION, format!("/v2/{name}/blobs/uploads/{id}")),
        (header::RANGE, format!("0-{}", size.saturating_sub(1))),
    ]
}

/// POST: an empty upload.
pub(crate) async fn start(
    service: Shared,
    Segments(name): Segments<String>,
) -> Result<Response, Problem> {
    // `RandomState` is seeded by the operating system and differs at each call.
    let random = || RandomState::new().hash_one(());
    let id = format!("{:016x}{:016x}", random(), random());
    let path = place("uploads", &name, &id)?;
    service.driver.writer(&path, WriterOptions::create()).await?.close().await?;
    service.sessions().insert(path, Arc::default());
    Ok((StatusCode::ACCEPTED, standing(&name, &id, 0)).into_response())
}

/// PATCH: the next chunk, from where the upload stands.
pub(crate) async fn append(
    service: Shared,
    Segments((name, id)): Id,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let upload = Request::new(&service, &name, &id)?;
    let writer = upload.receive(&headers, body).await?;
    let size = writer.size();
    writer.close().await?;
    Ok((StatusCode::ACCEPTED, standing(&name, &id, size)).into_response())
}

/// PUT: the last chunk, which may be empty, and the digest of the whole. Nothing is published that
/// has another.
pub(crate) async fn finish(
    service: Shared,
    Segments((name, id)): Id,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let expected = Digest::parse(query.get("digest").map_or("", String::as_str))?;
    let blob = expected.path(&name)?;
    let upload = Request::new(&service, &name, &id)?;
    let writer = upload.receive(&headers, body).await?;
    let digest = Digest::of(upload.session.accepted().hasher.clone().finalize());
    if digest != expected {
        let problem = Problem::new(StatusCode::BAD_REQUEST, "the content has another digest");
        return Err(problem.with(standing(&name, &id, writer.size())));
    }
    match writer.commit_to(&blob, Precondition::IfAbsent).await {
        // The same content is there: the client gets what it wants, and this copy is not needed.
        Err(error) if error.is_precondition_failed() => {
            service.driver.cancel_upload(&upload.path).await?;
        }
        committed => drop(committed?),
    }
    service.sessions().remove(&upload.path);
    Ok((StatusCode::CREATED, expected.location(&name), expected.header()).into_response())
}

/// GET: how far the upload has come.
pub(crate) async fn progress(
    service: Shared,
    Segments((name, id)): Id,
) -> Result<Response, Problem> {
    let upload = Request::new(&service, &name, &id)?;
    let size = upload.session.accepted().size;
    Ok((StatusCode::NO_CONTENT, standing(&name, &id, size)).into_response())
}

/// DELETE: the upload and all it held.
pub(crate) async fn cancel(
    service: Shared,
    Segments((name, id)): Id,
) -> Result<StatusCode, Problem> {
    let upload = Request::new(&service, &name, &id)?;
    service.driver.cancel_upload(&upload.path).await?;
    service.sessions().remove(&upload.path);
    Ok(StatusCode::NO_CONTENT)
}

/// A request about an upload in progress.
struct Request<'a> {
    service: &'a Service,
    name: &'a str,
    id: &'a str,
    path: Path,
    session: Arc<Session>,
}

impl<'a> Request<'a> {
    fn new(service: &'a Service, name: &'a str, id: &'a str) -> Result<Self, Problem> {
        let path = place("uploads", name, id)?;
        let session = service.sessions().get(&path).cloned();
        let session =
            session.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "no such upload"))?;
        Ok(Self { service, name, id, path, session })
    }

    /// Streams `body` into the upload. Whatever fails, all that was accepted is kept, and the answer
    /// says how far it has come.
    async fn receive(&self, headers: &HeaderMap, body: Body) -> Result<Writer, Problem> {
        self.try_receive(headers, body).await.map_err(|problem| {
            problem.with(standing(self.name, self.id, self.session.accepted().size))
        })
    }

    async fn try_receive(&self, headers: &HeaderMap, body: Body) -> Result<Writer, Problem> {
        let said = headers.get(header::CONTENT_RANGE).map(|value| parse_range(value.to_str().ok()));
        let said = said.transpose()?;
        let (turn, size) = {
            let mut accepted = self.session.accepted();
            let size = accepted.size;
            if let Some((given, _)) = said.filter(|(first, _)| *first != size) {
                let error = storage_driver::Error::from(ErrorKind::OffsetMismatch { given, size });
                return Err(error.into());
            }
            accepted.turn += 1;
            (accepted.turn, size)
        };
        let mut writer =
            self.service.driver.writer(&self.path, WriterOptions::resume_at(size)).await?;
        let mut body = body.into_data_stream();
        loop {
            // Room before bytes: a client that sends faster than the driver takes has to wait.
            poll_fn(|cx| writer.poll_ready_unpin(cx)).await?;
            let next = body.try_next().await;
            let next = next.map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error))?;
            let Some(chunk) = next else { break };
            self.session.accepted().add(turn, &mut writer, chunk)?;
        }
        match said {
            Some((_, last)) if Some(writer.size()) != last.checked_add(1) => {
                let text = "the body and Content-Range are of different lengths";
                Err(Problem::new(StatusCode::BAD_REQUEST, text))
            }
            _ => Ok(writer),
        }
    }
}

/// The first and the last offset of a chunk, as registries write it: `0-1023`.
fn parse_range(text: Option<&str>) -> Result<(u64, u64), Problem> {
    let parsed = text.and_then(|text| {
        let (first, last) = text.split_once('-')?;
        Some((first.parse().ok()?, last.parse().ok()?))
    });
    parsed.filter(|(first, last)| first <= last).ok_or_else(|| {
        Problem::new(StatusCode::BAD_REQUEST, "Content-Range is two offsets with a dash between")
    })
}
