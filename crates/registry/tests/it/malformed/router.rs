//! Requests to the router.

use std::time::Duration;

use axum::body::Body;
use http::{Method, Request};
use inmemory::Usage;
use storage_driver_registry::GcOptions;
use storage_driver::{Path, StorageDriver, WalkOptions};

use super::{
    fuzz::{CONTENTS, Fuzz, NAMES},
    random::Random,
    setting,
};
use crate::support::{Answer, Service, digest, sha512};

impl Fuzz {
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
    let repositories = Path::parse("/docker/registry/v2/repositories").unwrap();
    service.store.delete_dir(&repositories).await.unwrap();
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    service.registry.collect(&options).await.unwrap();
    let _ = service.store.delete_dir(&Path::parse("/docker").unwrap()).await;
    let Usage { committed, uploads, pinned, index, .. } = service.store.usage();
    assert_eq!((committed, uploads, pinned, index), (0, 0, 0, 0));
}
