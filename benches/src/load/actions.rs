//! [`Lab`]: registries in process on one bucket, and what clients do to them.

use std::sync::Arc;

use axum::{Router, body::Body};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri, header};
use http_body_util::BodyExt;
use storage_driver_bucket::Builder;
use storage_driver_registry::{Redirect, Registry};
use tower::ServiceExt;

use super::{
    image::{Blob, Image},
    recorder::{Recorder, Sent},
};
use crate::harness::{MIB, oci};

/// The cache of a node, as the program has it.
const CACHE: u64 = 32 * MIB;

/// A bucket.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) recorder: Recorder,
}

/// A node of a registry.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) registry: Registry,
    router: Router,
    recorder: Recorder,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self { recorder: Recorder::new() }
    }

    /// Another node. What it sends to open the store is not counted.
    pub(super) async fn node(&self, redirect: Redirect) -> Node {
        let builder = Builder::double(&self.recorder.server).connector(self.recorder.clone());
        let driver = builder.open().await.expect("the server in process is suitable");
        let registry = Registry::builder(Arc::new(driver));
        let registry = registry.cache_memory(CACHE).redirect(redirect).build();
        self.recorder.take();
        Node { router: registry.router(), registry, recorder: self.recorder.clone() }
    }
}

impl Node {
    async fn send(&self, method: Method, uri: &str, body: Bytes) -> Response<Bytes> {
        let request = Request::builder().method(method.clone()).uri(uri);
        let request = request.header(header::ACCEPT, oci::IMAGE);
        // Of the content of blobs, no registry looks at the type.
        let request = request.header(header::CONTENT_TYPE, oci::IMAGE);
        let request = request.body(Body::from(body)).expect("it is a request");
        let Ok(response) = self.router.clone().oneshot(request).await;
        let (head, body) = response.into_parts();
        assert!(
            !head.status.is_client_error() && !head.status.is_server_error()
                || (method, head.status) == (Method::HEAD, StatusCode::NOT_FOUND),
            "{uri}: {}",
            head.status,
        );
        let body = body.collect().await.expect("the server in process does not fail").to_bytes();
        Response::from_parts(head, body)
    }

    async fn ask(&self, method: Method, uri: &str) -> Response<Bytes> {
        self.send(method, uri, Bytes::new()).await
    }

    /// Pushes an image as Docker does: a blob that the repository has is not sent.
    pub(super) async fn push(&self, repository: &str, image: &Image) -> Vec<Sent> {
        for blob in image.blobs() {
            self.push_blob(repository, blob).await;
        }
        let uri = format!("/v2/{repository}/manifests/{}", image.tag);
        self.send(Method::PUT, &uri, image.manifest.content.clone()).await;
        self.recorder.take()
    }

    async fn push_blob(&self, repository: &str, blob: &Blob) {
        let uri = format!("/v2/{repository}/blobs/{}", blob.digest);
        if self.ask(Method::HEAD, &uri).await.status() == StatusCode::OK {
            return;
        }
        let begin = format!("/v2/{repository}/blobs/uploads/");
        let begun = self.ask(Method::POST, &begin).await;
        let sent = self.send(Method::PATCH, location(&begun), blob.content.clone()).await;
        let separator = if location(&sent).contains('?') { '&' } else { '?' };
        let finish = format!("{}{separator}digest={}", location(&sent), blob.digest);
        self.ask(Method::PUT, &finish).await;
    }

    /// Pulls an image that the client has no part of, and follows redirects.
    pub(super) async fn pull(&self, repository: &str, image: &Image) -> Vec<Sent> {
        let manifests = format!("/v2/{repository}/manifests");
        self.ask(Method::HEAD, &format!("{manifests}/{}", image.tag)).await;
        self.ask(Method::GET, &format!("{manifests}/{}", image.manifest.digest)).await;
        let mut redirected = Vec::new();
        for blob in image.blobs() {
            let uri = format!("/v2/{repository}/blobs/{}", blob.digest);
            let got = self.ask(Method::GET, &uri).await;
            if got.status() == StatusCode::TEMPORARY_REDIRECT {
                let target: Uri = location(&got).parse().expect("it is a URL");
                redirected.push(Sent::redirected(&target));
            }
        }
        let mut sent = self.recorder.take();
        sent.append(&mut redirected);
        sent
    }

    /// Deletes an image by its digest.
    pub(super) async fn delete(&self, repository: &str, image: &Image) -> Vec<Sent> {
        let uri = format!("/v2/{repository}/manifests/{}", image.manifest.digest);
        self.ask(Method::DELETE, &uri).await;
        self.recorder.take()
    }
}

fn location(response: &Response<Bytes>) -> &str {
    let location = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
    location.expect("the response has a location")
}
