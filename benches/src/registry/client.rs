//! [`Client`]: one connection to a registry.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{
    content::{Blob, INDEX, Outgoing, manifest},
    server::Server,
};
use crate::harness::oci;

/// Distribution returns a manifest only to clients that accept its type.
const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
                      application/vnd.oci.image.manifest.v1+json, */*";

/// A connection that stays open. It panics if the registry refuses a request, for then nothing is measured.
pub(super) struct Client {
    sender: SendRequest<Outgoing>,
    host: HeaderValue,
}

impl Client {
    pub(super) async fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).await.expect("the registry listens");
        stream.set_nodelay(true).expect("it can be set");
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = shaken.expect("nothing is sent yet");
        // It ends with the sender.
        tokio::spawn(connection);
        let host = to.to_string().try_into().expect("an address is one");
        Self { sender, host }
    }

    /// So many, of the nodes in turn.
    pub(super) async fn many(count: usize, server: &Server) -> Vec<Self> {
        let mut all = Vec::with_capacity(count);
        for to in server.addresses().take(count) {
            all.push(Self::connect(to).await);
        }
        all
    }

    /// The response, whose body is not read yet.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Outgoing,
    ) -> Response<Incoming> {
        let mut request = Request::builder().method(&method).uri(path);
        request = request.header(header::HOST, &self.host).header(header::ACCEPT, ACCEPT);
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        let request = request.body(body).expect("it is a request");
        self.sender.ready().await.expect("the connection is open");
        let response = self.sender.send_request(request).await.expect("there is an response");
        let status = response.status();
        assert!(status.is_success(), "{method} {path}: {status}");
        response
    }

    /// The number of bytes of the content.
    pub(super) async fn get(&mut self, path: &str) -> u64 {
        count(self.send(Method::GET, path, "", Outgoing::default()).await).await
    }

    pub(super) async fn head(&mut self, path: &str) {
        count(self.send(Method::HEAD, path, "", Outgoing::default()).await).await;
    }

    /// The content, and the path of the next page.
    pub(super) async fn page(&mut self, path: &str) -> (Bytes, Option<String>) {
        let response = self.send(Method::GET, path, "", Outgoing::default()).await;
        let link = response.headers().get(header::LINK).and_then(|link| link.to_str().ok());
        let next = link.and_then(|link| link.strip_prefix('<')?.split_once('>'));
        let next = next.map(|(next, _)| relative(next));
        let body = response.into_body().collect().await.expect("it arrives whole");
        (body.to_bytes(), next)
    }

    /// Pushes the manifest of this number.
    pub(super) async fn tag(&mut self, path: &str, number: u64) {
        let body = manifest(number).into();
        count(self.send(Method::PUT, path, INDEX, body).await).await;
    }

    /// Deletes a manifest.
    pub(super) async fn delete(&mut self, path: &str) {
        count(self.send(Method::DELETE, path, "", Outgoing::default()).await).await;
    }

    /// Mounts a blob of another repository.
    pub(super) async fn mount(&mut self, repository: &str, blob: &Blob, from: &str) {
        let digest = &blob.digest;
        let path = format!("/v2/{repository}/blobs/uploads/?mount={digest}&from={from}");
        let mounted = self.send(Method::POST, &path, "", Outgoing::default()).await;
        assert_eq!(mounted.status(), StatusCode::CREATED);
        count(mounted).await;
    }

    /// Pushes an image of one layer with the tag `latest`; the layer in a single request if `monolith`.
    pub(super) async fn push_image(
        &mut self,
        repository: &str,
        config: &Blob,
        layer: &Blob,
        monolith: bool,
    ) {
        self.push_in_chunks(repository, layer, usize::from(!monolith)).await;
        self.push_in_chunks(repository, config, usize::from(!monolith)).await;
        let path = format!("/v2/{repository}/manifests/latest");
        let [config, layer] = [config, layer].map(|blob| (blob.digest.as_str(), blob.size()));
        let manifest = oci::image(config, [layer]);
        count(self.send(Method::PUT, &path, oci::IMAGE, manifest.into()).await).await;
    }

    /// Pulls such an image: manifest, config and layer.
    pub(super) async fn pull_image(&mut self, repository: &str, config: &Blob, layer: &Blob) {
        self.get(&format!("/v2/{repository}/manifests/latest")).await;
        for blob in [config, layer] {
            let bytes = self.get(&format!("/v2/{repository}/blobs/{}", blob.digest)).await;
            assert_eq!(bytes, blob.size());
        }
    }

    /// Pushes a blob as most clients do: POST, PATCH with all of it, PUT.
    pub(super) async fn push(&mut self, repository: &str, blob: &Blob) {
        self.push_in_chunks(repository, blob, 1).await;
    }

    /// Pushes a blob in so many chunks, of equal size but the last: POST, a PATCH for each, PUT. Without any, the PUT has
    /// the content.
    pub(super) async fn push_in_chunks(&mut self, repository: &str, blob: &Blob, chunks: usize) {
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let begun = self.send(Method::POST, &begin, "", Outgoing::default()).await;
        let mut upload = location(&begun);
        count(begun).await;
        let kind = "application/octet-stream";
        for chunk in blob.chunks(chunks).take(chunks) {
            let sent = self.send(Method::PATCH, &upload, kind, chunk).await;
            upload = location(&sent);
            count(sent).await;
        }
        let mark = if upload.contains('?') { '&' } else { '?' };
        let finish = format!("{upload}{mark}digest={}", blob.digest);
        let last = blob.chunks(1).next().filter(|_| chunks == 0).unwrap_or_default();
        count(self.send(Method::PUT, &finish, kind, last).await).await;
    }
}

/// Reads and drops the body; returns its length.
async fn count(response: Response<Incoming>) -> u64 {
    let mut body = response.into_body();
    let mut bytes = 0;
    while !body.is_end_stream()
        && let Some(frame) = body.frame().await
    {
        let frame = frame.expect("it arrives whole");
        bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
    }
    bytes
}

fn location(response: &Response<Incoming>) -> String {
    let location = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
    relative(location.expect("an upload is somewhere"))
}

/// The path of a URL, which may have a host.
fn relative(url: &str) -> String {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.map_or_else(|| url.to_owned(), |(_, path)| format!("/{path}"))
}
