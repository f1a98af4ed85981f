//! Requests that make no sense, among such that do: never an answer of the 5xx, never a panic, nothing
//! half visible, and nothing left when all is deleted.
//!
//! `MALFORMED_REQUESTS=100000 cargo test -p registry --test malformed` sends more of them than the usual
//! few thousand; `MALFORMED_SEED` begins elsewhere.

use std::{env, io, time::Duration};

use axum::body::Body;
use futures::stream;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use inmemory::Usage;
use registry::{GcOptions, TestRegistry};
use storage_driver::{Path, StorageDriver, WalkOptions};
use support::{Answer, OCI_INDEX, OCI_MANIFEST, Service, digest, image, index, sha512};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

mod support;

fn setting(name: &str, default: u64) -> u64 {
    env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize].clone()
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most + 1)).map(|_| self.below(256) as u8).collect()
    }

    /// Bytes that a header may hold, whatever they mean.
    fn header_bytes(&mut self) -> Vec<u8> {
        let valid = |byte: &u8| *byte >= 0x20 && *byte != 0x7f;
        self.bytes(40).into_iter().filter(valid).collect()
    }

    /// A text that is right, or has a part of it changed.
    fn bent(&mut self, text: String) -> String {
        if !self.one_in(3) || text.is_empty() {
            return text;
        }
        let mut text = text.into_bytes();
        for _ in 0..=self.below(2) {
            let at = self.below(text.len() as u64) as usize;
            match self.below(5) {
                0 => drop(text.remove(at)),
                1 => text.insert(at, self.pick(b"/:.-_%?&=#aZ0~\"<> ")),
                2 => text[at] = self.below(256) as u8,
                3 => text.truncate(at),
                _ => {
                    let copy = text.clone();
                    text.splice(at..at, copy);
                }
            }
            if text.is_empty() {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

const NAMES: [&str; 4] = ["a", "a/b", "demo/app", "x--y/z__0"];
const CONTENTS: [&[u8]; 6] = [b"", b"{}", b"layer", b"another layer", b"\0\xff", &[7; 5000]];

/// What is sent, with what came of earlier requests.
struct Fuzz {
    random: Random,
    service: Service,
    uploads: Vec<String>,
}

impl Fuzz {
    fn name(&mut self) -> String {
        let odd = ["", "A", "..", "a/../b", "_uploads", "a//b", "%2e%2e", "é", "a\0", "tags/list"];
        match self.random.below(12) {
            0 => self.random.pick(&odd).to_owned(),
            1 => self.random.pick(&["n", "n/", "-"]).repeat(self.random.below(400) as usize),
            _ => self.random.pick(&NAMES).to_owned(),
        }
    }

    fn digest(&mut self) -> String {
        let content = self.random.pick(&CONTENTS);
        let manifest = self.manifest();
        let valid = match self.random.below(4) {
            0 => sha512(content),
            1 => digest(&manifest),
            _ => digest(content),
        };
        let odd = ["", ":", "sha256:", "sha256", "md5:00", "sha256:..", "sha512:ff", "%"];
        if self.random.one_in(12) {
            return self.random.pick(&odd).to_owned();
        }
        self.random.bent(valid)
    }

    fn manifest(&mut self) -> Vec<u8> {
        let child = digest(image(&[]).to_string().as_bytes());
        let mut about = image(&[b"layer"]);
        about["subject"] = support::descriptor(OCI_MANIFEST, b"subject");
        let manifests = [
            image(&[]),
            image(&[b"layer"]),
            image(&[b"layer", b"not there"]),
            about,
            index(&[]),
            index(&[&child]),
            serde_json::json!({ "schemaVersion": 2 }),
            serde_json::json!([]),
        ];
        let text = self.random.pick(&manifests).to_string();
        self.random.bent(text).into_bytes()
    }

    fn tag(&mut self) -> String {
        let tag = self.random.pick(&["v1", "latest", "sha256-00", "t.a_g-"]).to_owned();
        self.random.bent(tag)
    }

    fn number(&mut self) -> String {
        let odd = ["0", "1", "2", "10001", "-1", "", "x", "1e3", "18446744073709551616", "٣", " 1"];
        self.random.pick(&odd).to_owned()
    }

    fn query(&mut self) -> String {
        let mut query = Vec::new();
        while query.len() < 5 && self.random.one_in(2) {
            let key = self.random.pick(&[
                "digest",
                "mount",
                "from",
                "n",
                "last",
                "artifactType",
                "tag",
                "digest-algorithm",
                "",
            ]);
            let value = match self.random.below(6) {
                0 => self.number(),
                1 => self.tag(),
                2 => self.name(),
                3 => {
                    self.random.pick(&["sha256", "sha512", "md5", "%ff%00", "&&&", "+"]).to_owned()
                }
                _ => self.digest(),
            };
            query.push(format!("{key}={value}"));
        }
        if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) }
    }

    fn target(&mut self) -> String {
        let (name, named, tag) = (self.name(), self.digest(), self.tag());
        let path = match self.random.below(16) {
            0 => "/v2/".to_owned(),
            1 => "/v2/_catalog".to_owned(),
            2 => format!("/v2/{name}/tags/list"),
            3 | 4 => format!("/v2/{name}/blobs/{named}"),
            5 | 6 => format!("/v2/{name}/manifests/{tag}"),
            7 => format!("/v2/{name}/manifests/{named}"),
            8 => format!("/v2/{name}/referrers/{named}"),
            9 | 10 => format!("/v2/{name}/blobs/uploads/"),
            11 => format!("/v2/{name}/blobs/uploads/{tag}"),
            12 => format!("/repositories/{name}"),
            _ if !self.uploads.is_empty() => {
                let upload = self.random.pick(&self.uploads);
                if self.random.one_in(2) {
                    let content = self.random.pick(&CONTENTS);
                    return support::with_digest(&upload, &digest(content));
                }
                self.random.bent(upload)
            }
            _ => format!("/v2/{name}/{tag}/{named}"),
        };
        format!("{path}{}", self.query())
    }

    fn header(&mut self) -> (&'static str, Vec<u8>) {
        let name = self.random.pick(&[
            "content-range",
            "range",
            "content-length",
            "content-type",
            "accept",
            "if-range",
            "if-none-match",
            "authorization",
            "transfer-encoding",
            "host",
            "x-forwarded-for",
            "expect",
        ]);
        if self.random.one_in(4) {
            return (name, self.random.header_bytes());
        }
        let (a, b) = (self.random.below(20), self.random.below(20));
        let value = match name {
            "content-range" => self.random.pick(&[
                format!("{a}-{b}"),
                format!("bytes {a}-{b}/*"),
                "0-4".to_owned(),
                "0-18446744073709551615".to_owned(),
            ]),
            "range" => self.random.pick(&[
                format!("bytes={a}-{b}"),
                format!("bytes=-{b}"),
                format!("bytes={a}-"),
                "bytes=0-0,1-1".to_owned(),
                "bytes=18446744073709551615-18446744073709551616".to_owned(),
            ]),
            "content-type" | "accept" => {
                self.random.pick(&[OCI_MANIFEST, OCI_INDEX, "*/*", "text/plain;q=x", ""]).to_owned()
            }
            _ => self.number(),
        };
        (name, self.random.bent(value).into_bytes())
    }

    fn body(&mut self) -> Body {
        let content = match self.random.below(6) {
            0 => self.random.bytes(300),
            1 | 2 => self.manifest(),
            _ => self.random.pick(&CONTENTS).to_vec(),
        };
        match self.random.below(6) {
            0 => Body::empty(),
            1 => support::streamed(content.chunks(3).map(<[u8]>::to_vec)),
            2 => {
                let parts = [Ok(content), Err(io::Error::from(io::ErrorKind::ConnectionReset))];
                Body::from_stream(stream::iter(parts))
            }
            _ => Body::from(content),
        }
    }

    /// A request, if an HTTP library would have made one of it.
    fn request(&mut self) -> Option<Request<Body>> {
        let target = self.target();
        let path = target.split('?').next().unwrap_or_default();
        let fitting: &[Method] = match path {
            _ if self.random.one_in(8) => &[Method::GET, Method::POST, Method::PUT, Method::DELETE],
            _ if self.random.one_in(30) => &[Method::TRACE, Method::OPTIONS, Method::CONNECT],
            path if path.ends_with("/uploads/") => &[Method::POST],
            path if path.contains("/uploads/") => &[
                Method::PATCH,
                Method::PATCH,
                Method::PATCH,
                Method::PUT,
                Method::GET,
                Method::DELETE,
            ],
            path if path.contains("/manifests/") => {
                &[Method::PUT, Method::PUT, Method::PUT, Method::GET, Method::HEAD, Method::DELETE]
            }
            path if path.contains("/blobs/") => &[Method::GET, Method::HEAD, Method::DELETE],
            _ => &[Method::GET, Method::HEAD],
        };
        let method = self.random.pick(fitting);
        let uri = Uri::try_from(target.into_bytes()).ok()?;
        let body = self.body();
        let mut request = Request::builder().method(method).uri(uri).body(body).ok()?;
        while self.random.one_in(2) {
            let (name, value) = self.header();
            let value = HeaderValue::from_bytes(&value).ok()?;
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        Some(request)
    }

    async fn send(&mut self) -> bool {
        if self.random.one_in(20) {
            // Something to make sense of.
            let name = self.random.pick(&NAMES);
            match self.random.below(3) {
                0 => drop(self.service.push_image(name, "v1", "layer").await),
                1 => drop(self.service.push_blob(name, self.random.pick(&CONTENTS)).await),
                _ => self.uploads.push(self.service.start(name).await),
            }
            return true;
        }
        let Some(request) = self.request() else { return false };
        let said = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let path = request.uri().path().to_owned();
        let is_get = request.method() == Method::GET;
        let answer = self.service.send_request(request).await;
        assert!(!answer.status.is_server_error(), "{said}: {answer:?}");
        if answer.status == 202 && answer.headers.contains_key("docker-upload-uuid") {
            let upload = answer.header("location").to_owned();
            if !self.uploads.contains(&upload) {
                self.uploads.push(upload);
            }
            if self.uploads.len() > 50 {
                self.uploads.remove(0);
            }
        }
        if is_get && answer.status == 200 && path.contains("/blobs/") {
            let named = path.rsplit('/').next().unwrap().replace("%3A", ":").replace("%3a", ":");
            assert!(digest(&answer.body) == named || sha512(&answer.body) == named, "{said}");
        }
        true
    }
}

impl Service {
    async fn send_request(&self, request: Request<Body>) -> Answer {
        let response = tower::ServiceExt::oneshot(self.registry.router(), request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Every file of the store but uploads in progress is what its path says.
    async fn check_store(&self) {
        let mut walk = self.store.walk(&Path::root(), WalkOptions::new());
        while let Some(entry) = futures::TryStreamExt::try_next(&mut walk).await.unwrap() {
            if !entry.is_file() {
                continue;
            }
            let path = entry.path().as_str();
            let parts: Vec<&str> = path.split('/').collect();
            if let Some(rest) = path.strip_prefix("/docker/registry/v2/blobs/") {
                let content = self.store.get_content(entry.path(), 1 << 20).await.unwrap();
                let content = content.into_bytes();
                let found = match rest.starts_with("sha512") {
                    true => sha512(&content),
                    false => digest(&content),
                };
                assert!(found.ends_with(parts[parts.len() - 2]), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_asked_nothing_breaks() {
    let requests = setting("MALFORMED_REQUESTS", 10_000);
    let seed = setting("MALFORMED_SEED", 1);
    let mut fuzz = Fuzz {
        random: Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1),
        service: Service::new(),
        uploads: Vec::new(),
    };
    fuzz.service.push_image("a", "v1", "layer").await;
    let mut sent = 0;
    while sent < requests {
        sent += u64::from(fuzz.send().await);
        if sent % 5_000 == 0 {
            fuzz.service.check_store().await;
        }
    }
    // Everything goes: uploads, repositories, and what they had.
    let Fuzz { service, .. } = fuzz;
    service.registry.cancel_uploads(Duration::ZERO).await.unwrap();
    assert_eq!(service.uploads().await, 0);
    let repositories = Path::new("/docker/registry/v2/repositories").unwrap();
    let none = storage_driver::Precondition::None;
    service.store.delete(&repositories, none.clone()).await.unwrap();
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    service.registry.collect(&options).await.unwrap();
    let _ = service.store.delete(&Path::new("/docker").unwrap(), none).await;
    let Usage { committed, uploads, pinned, index, .. } = service.store.usage();
    assert_eq!((committed, uploads, pinned, index), (0, 0, 0, 0));
}

/// Sends bytes on a connection of their own, and says what came back.
async fn exchange(registry: &TestRegistry, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(registry.address()).await.unwrap();
    // The server may be done with us before we are.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// None of the answers in `text` is of the 5xx.
fn assert_no_failure(sent: &[u8], text: &str) {
    let said = String::from_utf8_lossy(&sent[..sent.len().min(300)]).into_owned();
    for line in text.lines().filter(|line| line.starts_with("HTTP/1.")) {
        assert!(!line["HTTP/1.1 ".len()..].starts_with('5'), "{said:?}: {line}");
    }
}

async fn assert_alive(registry: &TestRegistry) {
    let request = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = exchange(registry, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn bytes_that_are_no_request_break_nothing() {
    let registry = TestRegistry::start().await.unwrap();
    let post = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";
    let put = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n";
    let long = "x".repeat(1 << 20);
    let flood: String = (0..1000).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases = [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /v2/\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/9.9\r\n\r\n".to_owned(),
        "GET v2 HTTP/1.1\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nx: {long}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\n{flood}\r\n"),
        "GET /v2/ HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/1.1\r\n: x\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/1.1\r\nx : y\r\n\r\n".to_owned(),
        "GET /v2/%zz/tags/list HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://[::1/v2/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        format!("{post}Content-Length: -1\r\n\r\nhello"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\nhello"),
        format!("{post}Content-Length: 5, 5\r\n\r\nhello"),
        format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: gzip\r\n\r\nhello"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5;{long}\r\nhello\r\n0\r\n\r\n"),
        format!("{put}Content-Length: 100\r\n\r\n{{"),
        format!("{put}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        format!("{put}Content-Length: 2\r\n\r\n{{}}GARBAGE\r\n\r\n"),
    ];
    for case in cases {
        let answer = exchange(&registry, case.as_bytes()).await;
        assert_no_failure(case.as_bytes(), &answer);
        assert_alive(&registry).await;
    }
    registry.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_with_bytes_changed_break_nothing() {
    let registry = TestRegistry::start().await.unwrap();
    let named = digest(b"hello");
    let valid = [
        format!("POST /v2/a/blobs/uploads/?digest={named} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
        format!("GET /v2/a/blobs/{named} HTTP/1.1\r\nHost: x\r\nRange: bytes=1-3\r\nConnection: close\r\n\r\n"),
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
    ];
    let mut random = Random(setting("MALFORMED_SEED", 1) | 1);
    for _ in 0..setting("MALFORMED_REQUESTS", 10_000) / 20 {
        let mut bytes = random.pick(&valid).into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.insert(at, random.below(256) as u8),
                _ => drop(bytes.remove(at)),
            }
        }
        let answer = exchange(&registry, &bytes).await;
        assert_no_failure(&bytes, &answer);
    }
    assert_alive(&registry).await;
    registry.shutdown().await.unwrap();
}
