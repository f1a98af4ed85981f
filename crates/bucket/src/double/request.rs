//! [`Request`]: a request, taken apart.

use std::collections::HashMap;

use http::{HeaderMap, Method};
use http_body_util::BodyExt;
use object_store::client::{HttpError, HttpRequest};
use percent_encoding::percent_decode_str;

use super::content::Content;

/// A request whose body has arrived.
pub(super) struct Request {
    pub(super) method: Method,
    /// The bucket and the key, decoded.
    pub(super) key: String,
    query: HashMap<String, String>,
    headers: HeaderMap,
    pub(super) body: Content,
    /// Whether there was no object at its key when it arrived.
    pub(super) arrived_first: bool,
}

impl Request {
    /// Receives a request. The content of extents is forgotten if it is `sparse`.
    pub(super) async fn read(request: HttpRequest, sparse: bool) -> Result<Self, HttpError> {
        let (parts, mut body) = request.into_parts();
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query =
            parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = query.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(&value.replace('+', " ")))
        });
        let path = parts.uri.path().trim_start_matches('/');
        let key = decode(path.split_once('/').map_or("", |(_, key)| key));
        let body = match sparse && parts.method == Method::PUT && key.contains("!data/") {
            false => Content::Bytes(body.collect().await?.to_bytes()),
            true => {
                let mut length = 0;
                while let Some(frame) = body.frame().await.transpose()? {
                    length += frame.data_ref().map_or(0, |data| data.len());
                }
                Content::Zeros(length)
            }
        };
        Ok(Self {
            method: parts.method,
            key,
            query: query.collect(),
            headers: parts.headers,
            body,
            arrived_first: false,
        })
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The first and the last byte of the `Range`, which may be open.
    pub(super) fn range(&self) -> Option<(u64, Option<u64>)> {
        let (start, end) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some((start.parse().ok()?, end.parse().ok()))
    }
}
