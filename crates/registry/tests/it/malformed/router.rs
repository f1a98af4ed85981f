//! Requests to the router.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use inmemory::Usage;
use storage_driver::{Path, StorageDriver, WalkOptions};
use storage_driver_registry::GcOptions;

use super::{
    fuzz::{CONTENTS, Fuzz, NAMES},
    random::Random,
    setting,
};
use crate::support::{Response, Service, digest, sha512};

impl Fuzz {
    async fn send(&mut self) -> bool {
        if self.random.one_in(20) {
            // Content that later requests can find.
            let name = self.random.pick(&NAMES);
            match self.random.below(3) {
                0 => drop(self.service.push_image(name, "v1", "layer").await),
                1 => drop(self.service.push_blob(name, self.random.pick(&CONTENTS)).await),
                _ => self.uploads.push(self.service.start(name).await),
            }
            return true;
        }
        let Some(request) = self.request() else { return false };
        let request_line =
            format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let path = request.uri().path().to_owned();
        let is_get = request.method() == Method::GET;
        let response = self.service.send_request(request).await;
        assert!(!response.status.is_server_error(), "{request_line}: {response:?}");
        if response.status == 202 && response.headers.contains_key("docker-upload-uuid") {
            let upload = response.header("location").to_owned();
            if !self.uploads.contains(&upload) {
                self.uploads.push(upload);
            }
            if self.uploads.len() > 50 {
                self.uploads.remove(0);
            }
        }
        if is_get && response.status == 200 && path.contains("/blobs/") {
            let named = path.rsplit('/').next().unwrap().replace("%3A", ":").replace("%3a", ":");
            assert!(
                digest(&response.body) == named || sha512(&response.body) == named,
                "{request_line}"
            );
        }
        true
    }
}

impl Service {
    async fn send_request(&self, request: Request<Body>) -> Response {
        let response = tower::ServiceExt::oneshot(self.registry.router(), request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        Response { status: parts.status, headers: parts.headers, body }
    }

    /// Asserts that the content of every blob has the digest in its path.
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
async fn any_requests_leave_a_sound_store() {
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
    // Deletes everything: uploads, repositories, and their content.
    let Fuzz { service, .. } = fuzz;
    service.registry.cancel_uploads(Duration::ZERO).await.unwrap();
    assert_eq!(service.uploads().await, 0);
    let repositories = Path::parse("/docker/registry/v2/repositories").unwrap();
    service.store.delete_dir(&repositories).await.unwrap();
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    service.registry.collect(&options).await.unwrap();
    let _ = service.store.delete_dir(&Path::parse("/docker").unwrap()).await;
    let Usage { committed, uploads, pinned, index, .. } = service.store.usage();
    assert_eq!((committed, uploads, pinned, index), (0, 0, 0, 0));
}
