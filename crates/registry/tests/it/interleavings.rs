//! A collection during a push, and a push during a collection, between every two calls of the driver. The two are
//! different registries on one store, as in two processes.

use std::{sync::Arc, time::Duration};

use crate::support::{
    OCI_MANIFEST, Response, Service, blob, clock::Clock, digest, image, in_a_thread,
};
use inmemory::InMemory;
use serde_json::{Value, json};
use storage_driver_conformance::layers::Faulty;
use storage_driver_registry::{GcOptions, GcReport};

const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Two registries on one store. The other one acts between two calls of the first.
struct Two {
    one: Service,
    other: Arc<Service>,
    driver: Faulty<InMemory>,
    clock: Clock,
    grace: Duration,
}

impl Two {
    fn new(grace: Duration) -> Self {
        let clock = Clock::default();
        clock.write_as_of(LONG * 2);
        let store = clock.store();
        let driver = Faulty::new(store.clone());
        let one = Service::on(Arc::new(driver.clone()), store.clone(), |it| it.gc_grace(grace));
        let other = Arc::new(Service::over(store, |it| it.gc_grace(grace)));
        Self { one, other, driver, clock, grace }
    }

    /// Runs `act` on the other registry before call `n` of the first. `calls() > n` holds afterwards if there
    /// was such a call.
    fn before(&self, n: u64, mut act: impl FnMut(&Service) + Send + 'static) {
        let other = self.other.clone();
        self.driver.plan(move |call| {
            if call.index == n {
                act(&other);
            }
            None
        });
    }

    fn options(&self, untagged: bool) -> GcOptions {
        GcOptions { grace: self.grace, untagged, ..GcOptions::default() }
    }
}

fn push(service: &Service, reference: &str, manifest: &Value) -> Response {
    let uri = format!("/v2/demo/manifests/{reference}");
    let headers = [("content-type", OCI_MANIFEST)];
    in_a_thread(service.send("PUT", &uri, &headers, manifest.to_string()))
}

fn collect(service: &Service, options: &GcOptions) -> GcReport {
    let (registry, options) = (service.registry.clone(), options.clone());
    in_a_thread(async move { registry.collect(&options).await }).unwrap()
}

async fn assert_whole(service: &Service, reference: &str, context: &str) {
    let got = service.get(&format!("/v2/demo/manifests/{reference}")).await;
    assert_eq!(got.status, 200, "{context}: {got:?}");
    for layer in [&b"{}"[..], b"layer"] {
        let got = service.get(&blob("demo", layer)).await;
        assert_eq!(got.status, 200, "{context}: {got:?}");
    }
}

#[tokio::test]
async fn a_collection_during_a_push_deletes_no_reference_of_the_push() {
    for (grace, untagged) in
        [(LONG, false), (LONG, true), (Duration::ZERO, false), (Duration::ZERO, true)]
    {
        for n in 0.. {
            let two = Two::new(grace);
            two.one.push_blob("demo", "{}").await;
            two.one.push_blob("demo", "layer").await;
            two.clock.write_as_of(Duration::ZERO);
            if !grace.is_zero() {
                two.one.head(&blob("demo", b"{}")).await.expect(200);
                two.one.head(&blob("demo", b"layer")).await.expect(200);
            }
            let options = two.options(untagged);
            two.before(n, move |other| {
                collect(other, &options);
            });
            let headers = [("content-type", OCI_MANIFEST)];
            let manifest = image(&[b"layer"]).to_string();
            let response = two.one.send("PUT", "/v2/demo/manifests/v1", &headers, manifest).await;
            let context = format!("grace {grace:?}, untagged {untagged}, before call {n}");
            if response.status == 201 {
                assert_whole(&two.other, "v1", &context).await;
            } else {
                assert_eq!((response.status.as_u16(), grace), (404, Duration::ZERO), "{context}");
                two.other.get("/v2/demo/manifests/v1").await.expect(404);
            }
            if two.driver.calls() <= n {
                assert!(n > 5);
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_push_during_a_collection_is_whole() {
    for (grace, untagged) in
        [(LONG, false), (LONG, true), (Duration::ZERO, false), (Duration::ZERO, true)]
    {
        for n in 0.. {
            let two = Two::new(grace);
            two.one.push_blob("demo", "{}").await;
            two.one.push_blob("demo", "layer").await;
            two.clock.write_as_of(Duration::ZERO);
            let (sender, receiver) = std::sync::mpsc::channel();
            two.before(n, move |other| {
                let _ = sender.send(push(other, "v1", &image(&[b"layer"])).status.as_u16());
            });
            two.one.registry.collect(&two.options(untagged)).await.unwrap();
            let context = format!("grace {grace:?}, untagged {untagged}, before call {n}");
            match receiver.try_recv() {
                Ok(201) => assert_whole(&two.other, "v1", &context).await,
                // Content that no client has learned of may be deleted.
                Ok(status) => assert_eq!(status, 404, "{context}"),
                Err(_) => break,
            }
        }
    }
}

#[tokio::test]
async fn a_blob_that_head_found_before_a_collection_can_be_used_by_a_push_during_it() {
    for n in 0.. {
        let two = Two::new(LONG);
        two.one.push_blob("demo", "{}").await;
        two.one.push_blob("demo", "layer").await;
        two.clock.write_as_of(Duration::ZERO);
        for layer in [&b"{}"[..], b"layer"] {
            two.one.head(&blob("demo", layer)).await.expect(200);
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        two.before(n, move |other| {
            let _ = sender.send(push(other, "v1", &image(&[b"layer"])).status.as_u16());
        });
        two.one.registry.collect(&two.options(true)).await.unwrap();
        match receiver.try_recv() {
            Ok(status) => assert_eq!(status, 201, "before call {n}"),
            Err(_) => break,
        }
        assert_whole(&two.other, "v1", &format!("before call {n}")).await;
    }
}

#[tokio::test]
async fn a_manifest_pushed_again_while_it_is_dropped_is_whole_and_listed() {
    for grace in [LONG, Duration::ZERO] {
        for n in 0.. {
            let two = Two::new(grace);
            two.one.push_blob("demo", "{}").await;
            two.one.push_blob("demo", "layer").await;
            let subject = digest(b"subject");
            let mut manifest = image(&[b"layer"]);
            manifest["subject"] =
                json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": subject });
            let own = digest(manifest.to_string().as_bytes());
            two.one.push_manifest("demo", &own, OCI_MANIFEST, &manifest).await;
            two.clock.write_as_of(Duration::ZERO);
            let (sender, receiver) = std::sync::mpsc::channel();
            two.before(n, move |other| {
                let _ = sender.send(push(other, "v1", &manifest).status.as_u16());
            });
            two.one.registry.collect(&two.options(true)).await.unwrap();
            let context = format!("grace {grace:?}, before call {n}");
            match receiver.try_recv() {
                Ok(201) => assert_whole(&two.other, "v1", &context).await,
                Ok(status) => {
                    assert_eq!(status, 404, "{context}");
                    continue;
                }
                Err(_) => break,
            }
            let listed = two.other.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
            assert_eq!(listed.json()["manifests"][0]["digest"], own, "{context}");
        }
    }
}

#[tokio::test]
async fn a_blob_pushed_again_to_another_repository_stays_where_head_found_it() {
    for n in 0.. {
        let two = Two::new(LONG);
        two.one.push_blob("demo", "layer").await;
        two.clock.write_as_of(Duration::ZERO);
        let (sender, receiver) = std::sync::mpsc::channel();
        two.before(n, move |other| {
            let uri = format!("/v2/other/blobs/uploads/?digest={}", digest(b"layer"));
            in_a_thread(other.send("POST", &uri, &[], "layer")).expect(201);
            let _ = sender.send(in_a_thread(other.head(&blob("demo", b"layer"))).status.as_u16());
        });
        two.one.registry.collect(&two.options(false)).await.unwrap();
        match receiver.try_recv() {
            Ok(status) => {
                let later = two.other.head(&blob("demo", b"layer")).await.status;
                assert!(status == 404 || later == 200, "before call {n}: {status}, then {later}");
            }
            Err(_) => break,
        }
    }
}

#[tokio::test]
async fn a_tag_that_moves_while_its_manifest_is_deleted_stays() {
    for n in 0.. {
        let two = Two::new(LONG);
        let old = two.one.push_image("demo", "v1", "layer").await;
        two.one.push_blob("demo", "another").await;
        let (sender, receiver) = std::sync::mpsc::channel();
        two.before(n, move |other| {
            let _ = sender.send(push(other, "v1", &image(&[b"another"])).status.as_u16());
        });
        two.one.delete(&format!("/v2/demo/manifests/{old}")).await.expect(202);
        let Ok(status) = receiver.try_recv() else {
            assert!(n > 5);
            break;
        };
        assert_eq!(status, 201, "before call {n}");
        let got = two.other.get("/v2/demo/manifests/v1").await;
        assert_eq!(got.status, 200, "before call {n}");
        assert_eq!(got.body, image(&[b"another"]).to_string(), "before call {n}");
        let tags = two.other.get("/v2/demo/tags/list").await.expect(200).json();
        assert_eq!(tags["tags"], json!(["v1"]), "before call {n}");
    }
}
