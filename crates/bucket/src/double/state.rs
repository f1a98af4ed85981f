//! [`State`]: the objects and multipart uploads, and what each request does to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use futures::stream;
use http::{Method, Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use object_store::client::{HttpResponse, HttpResponseBody};

use super::{Ways, content::Content, date, request::Request, xml};

struct Object {
    content: Content,
    content_type: String,
    etag: String,
    modified: SystemTime,
}

struct Multipart {
    key: String,
    begun: SystemTime,
    content_type: String,
    parts: BTreeMap<usize, (String, Content)>,
}

pub(super) struct State {
    pub(super) ways: Ways,
    pub(super) ahead: Duration,
    /// When the clock was stopped, if it was.
    pub(super) stopped: Option<SystemTime>,
    objects: BTreeMap<String, Object>,
    /// All that there ever were, with a slash at the end.
    directories: BTreeSet<String>,
    multiparts: BTreeMap<String, Multipart>,
    /// What completed uploads have made, so that Complete can be repeated.
    completed: BTreeMap<String, String>,
    counter: u64,
}

impl State {
    pub(super) fn new(ways: Ways) -> Self {
        Self {
            ways,
            ahead: Duration::ZERO,
            stopped: None,
            objects: BTreeMap::new(),
            directories: BTreeSet::new(),
            multiparts: BTreeMap::new(),
            completed: BTreeMap::new(),
            counter: 0,
        }
    }

    pub(super) fn now(&self) -> SystemTime {
        self.stopped.unwrap_or_else(SystemTime::now) + self.ahead
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    pub(super) fn open_multiparts(&self) -> usize {
        self.multiparts.len()
    }

    pub(super) fn put_foreign(&mut self, key: &str, content_type: &str, content: Bytes) {
        self.store(key, content_type.to_owned(), Content::Bytes(content));
    }

    pub(super) fn content(&self, key: &str) -> Option<Bytes> {
        self.objects.get(key).map(|object| object.content.to_bytes())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.objects.remove(key);
    }

    /// Notes what a request finds when it arrives, which is before it takes effect.
    pub(super) fn receive(&self, request: &mut Request) {
        request.arrived_first = !self.objects.contains_key(&request.key);
    }

    pub(super) fn handle(&mut self, request: &Request) -> HttpResponse {
        if let Some((status, code)) = self.ways.refuses {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
            return refuse(status, code);
        }
        let upload = request.query("uploadId");
        match request.method {
            Method::GET if request.query("list-type").is_some() => self.list(request),
            Method::GET if request.query("uploads").is_some() => self.list_multiparts(request),
            Method::GET => self.get(request, true),
            Method::HEAD => self.get(request, false),
            Method::PUT if request.header("x-amz-copy-source").is_some() => self.copy(request),
            Method::PUT if upload.is_some() => self.put_part(request),
            Method::PUT => self.put(request),
            Method::POST if request.query("uploads").is_some() => self.create_multipart(request),
            Method::POST if upload.is_some() => self.complete(request),
            Method::DELETE if upload.is_some() => {
                match self.multiparts.remove(upload.unwrap_or_default()) {
                    Some(_) => respond(StatusCode::NO_CONTENT, ""),
                    None => refuse(StatusCode::NOT_FOUND, "NoSuchUpload"),
                }
            }
            Method::DELETE => self.delete(request),
            _ => refuse(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
        }
    }

    fn store(&mut self, key: &str, content_type: String, content: Content) -> String {
        // Equal bytes have equal ETags, as an MD5 has.
        let etag = format!("{:016x}{:016x}", content.hash(), content.len());
        let object = Object { content, content_type, etag: etag.clone(), modified: self.now() };
        self.objects.insert(key.to_owned(), object);
        if self.ways.keeps_directories {
            let ends = key.match_indices('/').map(|(end, _)| end + 1);
            self.directories.extend(ends.map(|end| key[..end].to_owned()));
        }
        etag
    }

    fn put(&mut self, request: &Request) -> HttpResponse {
        let current = self.objects.get(&request.key).map(|object| object.etag.as_str());
        let races = self.ways.racing_creates_win && request.arrived_first;
        if request.header("if-none-match").is_some()
            && current.is_some()
            && !self.ways.ignores_create
            && !races
        {
            return match self.ways.losers_get_409 {
                true => refuse(StatusCode::CONFLICT, "ConditionalRequestConflict"),
                false => refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed"),
            };
        }
        if let Some(etag) = request.header("if-match").filter(|_| !self.ways.ignores_match) {
            if current.is_none() && !self.ways.refuses_match {
                return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
            }
            let bare = etag.trim_matches('"');
            let quoted_in_vain = self.ways.wants_bare_etags && bare != etag;
            if current != Some(bare) || quoted_in_vain || self.ways.refuses_match {
                return if self.ways.losers_get_500 {
                    refuse(StatusCode::INTERNAL_SERVER_ERROR, "UnknownError")
                } else if self.ways.losers_get_409 {
                    refuse(StatusCode::CONFLICT, "ConditionalRequestConflict")
                } else {
                    refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed")
                };
            }
        }
        let content_type = request.header("content-type").unwrap_or("binary/octet-stream");
        if self.ways.loses_puts {
            return with_etag(StatusCode::OK, "lost");
        }
        let etag = self.store(&request.key, content_type.to_owned(), request.body.clone());
        with_etag(StatusCode::OK, &etag)
    }

    fn get(&self, request: &Request, body: bool) -> HttpResponse {
        let Some(object) = self.objects.get(&request.key) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        if request.header("if-match").is_some_and(|etag| etag.trim_matches('"') != object.etag) {
            return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let size = object.content.len() as u64;
        let mut response = Response::builder()
            .header("etag", format!("\"{}\"", object.etag))
            .header("last-modified", date::http(object.modified))
            .header("content-type", &object.content_type);
        let (mut status, mut range) = (StatusCode::OK, 0..size);
        if let Some((start, end)) = request.range() {
            if start >= size {
                return refuse(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
            }
            range = start..end.map_or(size, |end| end.saturating_add(1).min(size));
            status = StatusCode::PARTIAL_CONTENT;
            let text = format!("bytes {}-{}/{size}", range.start, range.end.saturating_sub(1));
            response = response.header("content-range", text);
        }
        response = response.status(status).header("content-length", range.end - range.start);
        if self.ways.truncates_bodies {
            range.end = range.start + (range.end - range.start) / 2;
        }
        let content = match body {
            true => object.content.slice(range.start as usize..range.end as usize),
            false => Content::Zeros(0),
        };
        response.body(in_pieces(content)).unwrap_or_else(|_| broken())
    }

    fn delete(&mut self, request: &Request) -> HttpResponse {
        let current = self.objects.get(&request.key).map(|object| object.etag.as_str());
        if let Some(etag) = request.header("if-match").filter(|_| !self.ways.ignores_delete_match) {
            match current {
                None => return refuse(StatusCode::NOT_FOUND, "NoSuchKey"),
                Some(current) if current != etag.trim_matches('"') => {
                    return refuse(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
                }
                Some(_) => {}
            }
        }
        self.objects.remove(&request.key);
        respond(StatusCode::NO_CONTENT, "")
    }

    fn copy(&mut self, request: &Request) -> HttpResponse {
        let source = request.header("x-amz-copy-source").unwrap_or_default();
        let source = percent_encoding::percent_decode_str(source).decode_utf8_lossy().into_owned();
        let key = source.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
        let Some(object) = self.objects.get(key) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let (content_type, content) = (object.content_type.clone(), object.content.clone());
        let etag = self.store(&request.key, content_type, content);
        let modified = date::xml(self.now());
        let fields = [("ETag", etag.as_str()), ("LastModified", modified.as_str())];
        respond(StatusCode::OK, &xml::elements("CopyObjectResult", &fields))
    }

    fn create_multipart(&mut self, request: &Request) -> HttpResponse {
        self.counter += 1;
        let id = format!("upload-{}", self.counter);
        let content_type = request.header("content-type").unwrap_or("binary/octet-stream");
        let upload = Multipart {
            key: request.key.clone(),
            begun: self.now(),
            content_type: content_type.to_owned(),
            parts: BTreeMap::new(),
        };
        self.multiparts.insert(id.clone(), upload);
        let fields = [("Key", request.key.as_str()), ("UploadId", id.as_str())];
        respond(StatusCode::OK, &xml::elements("InitiateMultipartUploadResult", &fields))
    }

    fn put_part(&mut self, request: &Request) -> HttpResponse {
        self.counter += 1;
        let etag = format!("part-{}", self.counter);
        let id = request.query("uploadId").unwrap_or_default();
        let number = request.query("partNumber").and_then(|number| number.parse().ok());
        let (Some(upload), Some(number)) = (self.multiparts.get_mut(id), number) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        upload.parts.insert(number, (etag.clone(), request.body.clone()));
        with_etag(StatusCode::OK, &etag)
    }

    fn complete(&mut self, request: &Request) -> HttpResponse {
        let id = request.query("uploadId").unwrap_or_default().to_owned();
        let done = |etag: &str| {
            let fields = [("Key", request.key.as_str()), ("ETag", etag)];
            respond(StatusCode::OK, &xml::elements("CompleteMultipartUploadResult", &fields))
        };
        if let Some(etag) = self.completed.get(&id) {
            return done(etag);
        }
        let Some(upload) = self.multiparts.get(&id) else {
            return refuse(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let named = xml::parts(&String::from_utf8_lossy(&request.body.to_bytes()));
        let mut parts = Vec::new();
        for (place, (number, etag)) in named.iter().enumerate() {
            let Some((_, part)) = upload.parts.get(number).filter(|(known, _)| known == etag)
            else {
                return refuse(StatusCode::BAD_REQUEST, "InvalidPart");
            };
            if place + 1 < named.len() && part.len() < self.ways.min_part {
                return refuse(StatusCode::BAD_REQUEST, "EntityTooSmall");
            }
            parts.push(part);
        }
        let content = Content::joined(&parts);
        let (key, content_type) = (upload.key.clone(), upload.content_type.clone());
        let etag = self.store(&key, content_type, content);
        self.multiparts.remove(&id);
        let etag = if self.ways.empty_complete_etag { String::new() } else { etag };
        self.completed.insert(id, etag.clone());
        done(&etag)
    }

    fn list_multiparts(&self, request: &Request) -> HttpResponse {
        let prefix = request.query("prefix").unwrap_or_default();
        let marker = request.query("key-marker").map(|key| {
            (key.to_owned(), request.query("upload-id-marker").unwrap_or_default().to_owned())
        });
        let uploads = self.multiparts.iter().filter(|(_, upload)| upload.key.starts_with(prefix));
        let mut uploads: Vec<_> =
            uploads.map(|(id, upload)| ((upload.key.clone(), id.clone()), upload.begun)).collect();
        uploads.sort_unstable();
        uploads.retain(|(place, _)| marker.as_ref().is_none_or(|marker| place > marker));
        let more = uploads.len() > self.ways.page;
        uploads.truncate(self.ways.page);
        let (last_key, last_id) =
            uploads.last().map(|(place, _)| place.clone()).unwrap_or_default();
        let mut text = String::from("<?xml version=\"1.0\"?><ListMultipartUploadsResult>");
        for ((key, id), begun) in uploads {
            let (key, begun) = (xml::escape(&key), date::xml(begun));
            let _ = write!(
                text,
                "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{begun}</Initiated></Upload>",
            );
        }
        let last_key = xml::escape(&last_key);
        let _ = write!(
            text,
            "<IsTruncated>{more}</IsTruncated><NextKeyMarker>{last_key}</NextKeyMarker>\
             <NextUploadIdMarker>{last_id}</NextUploadIdMarker></ListMultipartUploadsResult>",
        );
        respond(StatusCode::OK, &text)
    }

    fn list(&self, request: &Request) -> HttpResponse {
        let prefix = request.query("prefix").unwrap_or_default();
        let delimiter = request.query("delimiter").filter(|text| !text.is_empty());
        let asked = request.query("max-keys").and_then(|text| text.parse().ok());
        let mut limit = asked.unwrap_or(self.ways.page).min(self.ways.page);
        limit += usize::from(self.ways.long_pages);
        let token = request.query("continuation-token");
        let offset = request.query("start-after").filter(|_| !self.ways.ignores_offset);
        let start = token.or(offset).unwrap_or_default();
        let order = |key: &str| match self.ways.component_order {
            true => key.replace('/', "\u{1}"),
            false => key.to_owned(),
        };
        // Common prefixes are items like keys, with the delimiter at their end.
        let mut items: BTreeMap<String, (String, Option<&Object>)> = BTreeMap::new();
        let latest = self.now() - self.ways.lists_after;
        for (key, object) in self.objects.range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            if object.modified > latest {
                continue;
            }
            let item = match delimiter.and_then(|delimiter| rest.find(delimiter)) {
                Some(end) => (format!("{prefix}{}", &rest[..=end]), None),
                None => (key.clone(), Some(object)),
            };
            let contains = start == item.0 || item.1.is_none() && start.starts_with(&item.0);
            let repeated = self.ways.repeats_offset && token.is_none() && contains;
            if start.is_empty() || repeated || order(&item.0) > order(start) {
                items.insert(order(&item.0), item);
                // One more than is listed says that there are more.
                if items.len() > limit + 1 {
                    items.pop_last();
                }
            }
        }
        if delimiter.is_some() {
            for directory in self.directories.range(prefix.to_owned()..) {
                let Some(rest) = directory.strip_prefix(prefix) else { break };
                let is_child = rest.find('/') == Some(rest.len().wrapping_sub(1));
                if is_child && (start.is_empty() || order(directory) > order(start)) {
                    items.insert(order(directory), (directory.clone(), None));
                }
            }
        }
        let more = items.len() > limit;
        let mut text = String::from("<?xml version=\"1.0\"?><ListBucketResult>");
        let mut last = "";
        for (key, object) in items.values().take(limit) {
            last = key;
            let escaped = xml::escape(key);
            let _ = match object {
                None => write!(text, "<CommonPrefixes><Prefix>{escaped}</Prefix></CommonPrefixes>"),
                Some(object) => write!(
                    text,
                    "<Contents><Key>{escaped}</Key><LastModified>{}</LastModified>\
                     <ETag>&quot;{}&quot;</ETag><Size>{}</Size></Contents>",
                    date::xml(object.modified),
                    object.etag,
                    object.content.len(),
                ),
            };
        }
        let _ = write!(text, "<IsTruncated>{more}</IsTruncated>");
        if more {
            let token = xml::escape(last);
            let _ = write!(text, "<NextContinuationToken>{token}</NextContinuationToken>");
        }
        text.push_str("</ListBucketResult>");
        respond(StatusCode::OK, &text)
    }
}

fn in_pieces(content: Content) -> HttpResponseBody {
    let frames = content.pieces().map(|piece| Ok(Frame::data(piece)));
    HttpResponseBody::new(StreamBody::new(stream::iter(frames)))
}

fn respond(status: StatusCode, body: &str) -> HttpResponse {
    let response = Response::builder().status(status).header("content-length", body.len());
    response.body(HttpResponseBody::from(body.to_owned())).unwrap_or_else(|_| broken())
}

fn with_etag(status: StatusCode, etag: &str) -> HttpResponse {
    let response = Response::builder().status(status).header("etag", format!("\"{etag}\""));
    response.body(HttpResponseBody::from(Bytes::new())).unwrap_or_else(|_| broken())
}

fn refuse(status: StatusCode, code: &str) -> HttpResponse {
    respond(status, &xml::error(code))
}

/// Only for headers that are no header values, which no request can cause.
fn broken() -> HttpResponse {
    let mut response = Response::new(HttpResponseBody::from(Bytes::new()));
    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
    response
}
