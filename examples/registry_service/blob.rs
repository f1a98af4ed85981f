//! Blobs that are there: their names, GET with ranges, HEAD, DELETE.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path as Segments, State},
    http::{HeaderMap, HeaderName, StatusCode, header},
    response::{IntoResponse, Response},
};
use storage_driver::{ErrorKind, Path, Precondition, ReadRange};

use crate::{problem::Problem, service::Service};

type Shared = State<Arc<Service>>;
type Blob = Segments<(String, String)>;

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// A SHA-256, written as `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(sum: impl AsRef<[u8]>) -> Self {
        let hex = sum.as_ref().iter().map(|byte| format!("{byte:02x}"));
        Self(hex.collect())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Problem> {
        let hex = text.strip_prefix("sha256:").filter(|hex| {
            hex.len() == 64 && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        });
        let hex = hex.ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "no sha256 digest"))?;
        Ok(Self(hex.to_owned()))
    }

    /// Where the blob of this digest is kept.
    pub(crate) fn path(&self, name: &str) -> Result<Path, Problem> {
        place("blobs", name, &self.0)
    }

    /// The header that names the content.
    pub(crate) fn header(&self) -> [(HeaderName, String); 1] {
        [(CONTENT_DIGEST, format!("sha256:{}", self.0))]
    }

    /// The header that says where the blob can be had.
    pub(crate) fn location(&self, name: &str) -> [(HeaderName, String); 1] {
        [(header::LOCATION, format!("/v2/{name}/blobs/sha256:{}", self.0))]
    }
}

/// The path of something in the repository `name`, which the routes have in one component.
pub(crate) fn place(kind: &str, name: &str, id: &str) -> Result<Path, Problem> {
    if name.contains('/') {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "no slashes in a name here"));
    }
    let path = Path::new(format!("/{kind}/{name}/{id}"));
    Ok(path.map_err(storage_driver::Error::from)?)
}

pub(crate) async fn stat(
    service: Shared,
    Segments((name, digest)): Blob,
) -> Result<Response, Problem> {
    let digest = Digest::parse(&digest)?;
    let file = service.driver.stat(&digest.path(&name)?).await?.into_file()?;
    let length = (header::CONTENT_LENGTH, file.size.to_string());
    let accept = (header::ACCEPT_RANGES, "bytes".to_owned());
    Ok(([length, accept], digest.header()).into_response())
}

/// Streams a blob, or the range that was asked for. Nothing is read ahead of what the client takes.
pub(crate) async fn download(
    service: Shared,
    Segments((name, digest)): Blob,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let digest = Digest::parse(&digest)?;
    let path = digest.path(&name)?;
    let asked = headers.get(header::RANGE).and_then(|value| parse_range(value.to_str().ok()?));
    let opened = service.driver.reader(&path, asked.clone().unwrap_or_default()).await;
    let reader = match opened {
        Ok(reader) => reader,
        Err(error) => match error.kind() {
            ErrorKind::InvalidOffset { size, .. } => return Err(unsatisfiable(size)),
            _ => return Err(error.into()),
        },
    };
    let (range, size) = (reader.range(), reader.metadata().size);
    let (status, part) = match asked {
        // An offset equal to the size is fine for the driver; HTTP wants at least one byte.
        Some(_) if range.is_empty() => return Err(unsatisfiable(size)),
        Some(_) => {
            let part = format!("bytes {}-{}/{size}", range.start, range.end - 1);
            (StatusCode::PARTIAL_CONTENT, Some([(header::CONTENT_RANGE, part)]))
        }
        None => (StatusCode::OK, None),
    };
    let fixed = [
        (header::CONTENT_LENGTH, reader.remaining().to_string()),
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let named = digest.header();
    Ok((status, fixed, named, part, Body::from_stream(reader)).into_response())
}

pub(crate) async fn delete(
    service: Shared,
    Segments((name, digest)): Blob,
) -> Result<StatusCode, Problem> {
    let path = Digest::parse(&digest)?.path(&name)?;
    service.driver.delete(&path, Precondition::None).await?;
    Ok(StatusCode::ACCEPTED)
}

fn unsatisfiable(size: u64) -> Problem {
    Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "the range is past the end")
        .with([(header::CONTENT_RANGE, format!("bytes */{size}"))])
}

/// `bytes=2-5`, `bytes=2-` or `bytes=-5`. Whatever else it is, HTTP has us send the whole.
fn parse_range(text: &str) -> Option<ReadRange> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let number =
        |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?;
    match (first, last) {
        ("", last) => Some(ReadRange::Last(number(last)?)),
        (first, "") => Some(ReadRange::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then(|| ReadRange::from(first..=last))
        }
    }
}
