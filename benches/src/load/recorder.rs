//! [`Recorder`]: the bucket in process, whose requests are noted.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use storage_driver_bucket::{
    double::{Double, Ways},
    object_store::{
        ClientOptions, Result,
        client::{HttpClient, HttpConnector, HttpError, HttpRequest, HttpResponse, HttpService},
    },
};

/// What a service charges for, and counts for its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// PUT and POST: objects, parts, the begin and the end of a multipart upload.
    Write,
    /// GET and HEAD.
    Read,
    /// A page of a listing.
    List,
    /// DELETE, also of a multipart upload.
    Delete,
}

impl Kind {
    fn of(method: &Method, query: &str) -> Self {
        let lists = query.split('&').any(|it| it.starts_with("list-type=") || it == "uploads");
        match *method {
            Method::GET if lists => Self::List,
            Method::GET | Method::HEAD => Self::Read,
            Method::DELETE => Self::Delete,
            _ => Self::Write,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) kind: Kind,
    /// Of a listing: the prefix that is listed.
    pub(super) key: String,
}

impl Sent {
    /// A request that a client sends to the service itself.
    pub(super) fn redirected(uri: &Uri) -> Self {
        Self { kind: Kind::Read, key: key(uri) }
    }

    fn of(request: &HttpRequest) -> Self {
        let uri = request.uri();
        let query = uri.query().unwrap_or_default();
        let kind = Kind::of(request.method(), query);
        let prefix = query.split('&').find_map(|it| it.strip_prefix("prefix="));
        let key = match (kind, prefix) {
            (Kind::List, prefix) => decoded(prefix.unwrap_or_default()),
            _ => key(uri),
        };
        Self { kind, key }
    }
}

/// The path without the bucket.
fn key(uri: &Uri) -> String {
    let path = uri.path().trim_start_matches('/');
    decoded(path.split_once('/').map_or("", |(_, key)| key))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A clone is a handle to the same server and to the same notes.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    pub(super) server: Double,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Recorder {
    /// A server that behaves as S3 does, as far as that is known. It forgets the content of parts, to save memory.
    pub(super) fn new() -> Self {
        let mut ways = Ways::default();
        ways.sparse = true;
        Self { server: Double::new(ways), sent: Arc::default() }
    }

    /// What was sent since the last call.
    pub(super) fn take(&self) -> Vec<Sent> {
        mem::take(&mut self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl HttpConnector for Recorder {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Recorder {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let sent = Sent::of(&request);
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
        self.server.call(request).await
    }
}

#[test]
fn a_listing_is_no_read() {
    let list = Kind::of(&Method::GET, "list-type=2&prefix=a%2F");
    let multiparts = Kind::of(&Method::GET, "uploads");
    assert_eq!([list, multiparts], [Kind::List, Kind::List]);
    assert_eq!(Kind::of(&Method::GET, ""), Kind::Read);
    assert_eq!(Kind::of(&Method::POST, "uploads"), Kind::Write);
    assert_eq!(Kind::of(&Method::DELETE, "uploadId=1"), Kind::Delete);
}
