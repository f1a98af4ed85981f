//! [`Fuzz`]: generates valid, invalid, and nearly valid requests.

use std::{io, sync::LazyLock};

use axum::body::Body;
use futures::stream;
use http::{HeaderName, HeaderValue, Method, Request, Uri};

use super::random::Random;
use crate::support::{self, OCI_INDEX, OCI_MANIFEST, Service, digest, image, index, sha512};

pub(crate) const NAMES: [&str; 4] = ["a", "a/b", "demo/app", "x--y/z__0"];
pub(crate) const CONTENTS: [&[u8]; 6] =
    [b"", b"{}", b"layer", b"another layer", b"\0\xff", &[7; 5000]];

/// The generator, with the uploads that earlier requests began.
pub(crate) struct Fuzz {
    pub(crate) random: Random,
    pub(crate) service: Service,
    pub(crate) uploads: Vec<String>,
}

/// The manifests that requests push, whole or changed.
fn manifests() -> &'static [String] {
    static MANIFESTS: LazyLock<Vec<String>> = LazyLock::new(|| {
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
        manifests.iter().map(ToString::to_string).collect()
    });
    &MANIFESTS
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
        let text = self.random.pick(manifests());
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

    /// A request, if the HTTP library accepts its parts.
    pub(crate) fn request(&mut self) -> Option<Request<Body>> {
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
}
