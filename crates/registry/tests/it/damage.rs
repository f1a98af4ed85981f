//! Damaged stores: files that a power cut emptied, that another program changed, or that cannot be read or written.
//! One bad file never stops work on others.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    EMPTY_CONFIG, OCI_MANIFEST, Service, blob, clock::Clock, digest, image, sha512, with_digest,
};
use axum::body::Body;
use inmemory::InMemory;
use serde_json::json;
use storage_driver::{ErrorKind, Operation, Path, StorageDriver, StorageDriverExt, Version};
use storage_driver_conformance::layers::{Fault, Faulty};
use storage_driver_registry::GcOptions;

const LINKS: [&[u8]; 6] = [b"", b"garbage", b"sha256:00", b"md5:00", &[0xff; 71], &[b'a'; 4096]];

fn current(tag: &str) -> Path {
    let dir = "/docker/registry/v2/repositories/demo/_manifests/tags";
    Path::parse(format!("{dir}/{tag}/current/link")).unwrap()
}

fn data(digest: &str) -> Path {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    let path = format!("/docker/registry/v2/blobs/{algorithm}/{}/{hex}/data", &hex[..2]);
    Path::parse(path).unwrap()
}

/// A registry with the tags `bad`, whose link holds `link`, and `good`, which names another image, with the digest of
/// that image.
async fn with_bad_tag(service: Service, link: &'static [u8]) -> (Service, String) {
    service.push_image("demo", "bad", "layer").await;
    let good = service.push_image("demo", "good", "another").await;
    service.store.put(&current("bad"), link).await.unwrap();
    (service, good)
}

#[tokio::test]
async fn a_tag_with_a_damaged_link_is_unknown() {
    for link in LINKS {
        let (service, _) = with_bad_tag(Service::new(), link).await;
        let response = service.get("/v2/demo/manifests/bad").await.expect(404);
        assert_eq!(response.code(), "MANIFEST_UNKNOWN");
        service.head("/v2/demo/manifests/bad").await.expect(404);
        service.get("/v2/demo/manifests/good").await.expect(200);
    }
}

#[tokio::test]
async fn a_tag_whose_link_is_a_directory_is_unknown_and_left_out() {
    let service = Service::new();
    service.push_image("demo", "good", "layer").await;
    service.store.put(&current("bad").join("file").unwrap(), "").await.unwrap();
    service.get("/v2/demo/manifests/bad").await.expect(404);
    let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
    assert_eq!(tags["tags"], json!(["good"]));
    service.delete("/v2/demo/manifests/bad").await.expect(202);
}

#[tokio::test]
async fn a_damaged_tag_is_left_out_of_lists_and_of_the_page() {
    for link in LINKS {
        let (service, _) = with_bad_tag(Service::new(), link).await;
        let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
        assert_eq!(tags["tags"], json!(["good"]));
        let page = service.get("/repositories/demo").await.expect(200);
        let page = String::from_utf8(page.body.to_vec()).unwrap();
        assert!(page.contains("good") && !page.contains("bad"), "{page}");
    }
}

#[tokio::test]
async fn a_page_of_tags_is_full_although_some_cannot_be_read() {
    let service = Service::new();
    for tag in ["a", "b", "c", "d", "e", "f"] {
        service.push_image("demo", tag, "layer").await;
    }
    for tag in ["a", "b", "d"] {
        service.store.put(&current(tag), "").await.unwrap();
    }
    let first = service.get("/v2/demo/tags/list?n=2").await.expect(200);
    assert_eq!(first.json()["tags"], json!(["c", "e"]));
    assert_eq!(first.header("link"), "</v2/demo/tags/list?n=2&last=e>; rel=\"next\"");
    let second = service.get("/v2/demo/tags/list?n=2&last=e").await.expect(200);
    assert_eq!((second.json()["tags"].clone(), second.header("link")), (json!(["f"]), ""));
}

#[tokio::test]
async fn a_damaged_tag_does_not_stop_the_deletion_of_manifests() {
    for link in LINKS {
        let (service, good) = with_bad_tag(Service::new(), link).await;
        service.delete(&format!("/v2/demo/manifests/{good}")).await.expect(202);
        service.get("/v2/demo/manifests/good").await.expect(404);
    }
}

#[tokio::test]
async fn a_damaged_tag_is_set_by_a_push() {
    for link in LINKS {
        for immutable in [false, true] {
            let service = Service::with(|it| it.immutable_tags(immutable));
            let (service, _) = with_bad_tag(service, link).await;
            let pushed = service.push_image("demo", "bad", "new").await;
            let got = service.get("/v2/demo/manifests/bad").await.expect(200);
            assert_eq!(got.header("docker-content-digest"), pushed);
        }
    }
}

#[tokio::test]
async fn a_damaged_tag_can_be_deleted() {
    for link in LINKS {
        let (service, _) = with_bad_tag(Service::new(), link).await;
        service.delete("/v2/demo/manifests/bad").await.expect(202);
        assert!(!service.store.exists(&current("bad")).await.unwrap());
    }
}

/// A registry on a driver that fails as planned.
fn faulty() -> (Service, Faulty<InMemory>) {
    let store = InMemory::new();
    let driver = Faulty::new(store.clone());
    (Service::on(Arc::new(driver.clone()), store, |builder| builder), driver)
}

#[tokio::test]
async fn a_file_that_cannot_be_read_stops_no_work_on_others() {
    for kind in [ErrorKind::PermissionDenied, ErrorKind::Corrupted, ErrorKind::Other] {
        let (service, driver) = faulty();
        let bad = service.push_image("demo", "bad", "layer").await;
        let good = service.push_image("demo", "good", "another").await;
        for unreadable in [current("bad"), data(&bad)] {
            let path = unreadable.clone();
            driver.plan(move |call| (*call.path == path).then_some(Fault::Before(kind)));
            let page = service.get("/repositories/demo").await.expect(200);
            assert!(String::from_utf8(page.body.to_vec()).unwrap().contains("good"));
            let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
            assert!(tags["tags"].as_array().unwrap().contains(&json!("good")));
            let options = GcOptions { untagged: true, ..GcOptions::default() };
            let report = service.registry.collect(&options).await.unwrap();
            assert_eq!(report.skipped, 1, "{kind:?} of {unreadable}");
        }
        service.delete(&format!("/v2/demo/manifests/{good}")).await.expect(202);
        service.delete(&format!("/v2/demo/manifests/{bad}")).await.expect(202);
    }
}

#[tokio::test]
async fn nothing_is_listed_that_cannot_be_pulled_wherever_a_push_is_killed() {
    for n in 0.. {
        let (service, driver) = faulty();
        let sound = Service::over(service.store.clone(), |builder| builder);
        sound.push_blob("demo", EMPTY_CONFIG).await;
        driver.plan(move |call| (call.index >= n).then_some(Fault::Before(ErrorKind::Unavailable)));
        let headers = [("content-type", OCI_MANIFEST)];
        let manifest = image(&[]).to_string();
        let pushed = service.send("PUT", "/v2/demo/manifests/v1", &headers, manifest).await;
        let tags = sound.get("/v2/demo/tags/list").await.expect(200).json();
        for tag in tags["tags"].as_array().unwrap() {
            let uri = format!("/v2/demo/manifests/{}", tag.as_str().unwrap());
            assert_eq!(sound.get(&uri).await.status, 200, "killed at call {n}");
        }
        if pushed.status == 201 {
            assert!(n > 5);
            break;
        }
    }
}

#[tokio::test]
async fn nothing_is_listed_that_cannot_be_pulled_wherever_a_deletion_is_killed() {
    for n in 0.. {
        let (service, driver) = faulty();
        let sound = Service::over(service.store.clone(), |builder| builder);
        let image = sound.push_image("demo", "v1", "layer").await;
        driver.plan(move |call| (call.index >= n).then_some(Fault::Before(ErrorKind::Unavailable)));
        let deleted = service.delete(&format!("/v2/demo/manifests/{image}")).await;
        let tags = sound.get("/v2/demo/tags/list").await.expect(200).json();
        for tag in tags["tags"].as_array().unwrap() {
            let uri = format!("/v2/demo/manifests/{}", tag.as_str().unwrap());
            assert_eq!(sound.get(&uri).await.status, 200, "killed at call {n}");
        }
        if deleted.status == 202 {
            assert!(n > 3);
            break;
        }
    }
}

#[tokio::test]
async fn a_repository_with_nothing_but_leftovers_is_not_in_the_catalog() {
    let service = Service::new();
    service.push_image("demo", "v1", "layer").await;
    let hex = "0".repeat(64);
    for left in [
        format!("tags/v1/index/sha256/{hex}/link"),
        format!("referrers/sha256/{hex}/sha256/{hex}/link"),
    ] {
        let path = format!("/docker/registry/v2/repositories/left/_manifests/{left}");
        service.store.put(&Path::parse(path).unwrap(), format!("sha256:{hex}")).await.unwrap();
    }
    let catalog = service.get("/v2/_catalog").await.expect(200).json();
    assert_eq!(catalog["repositories"], json!(["demo"]));
}

const CONTENT: &[u8] = b"the content of a blob";
/// Content of other lengths than [`CONTENT`].
const DAMAGED: [&[u8]; 3] = [b"", b"the content", b"the content of a blob, and more"];

#[tokio::test]
async fn a_blob_of_the_wrong_size_is_replaced_by_a_push() {
    for damaged in DAMAGED {
        for push in 0..3 {
            let service = Service::new();
            service.push_blob("demo", CONTENT).await;
            service.push_blob("other", CONTENT).await;
            service.store.put(&data(&digest(CONTENT)), damaged).await.unwrap();
            match push {
                0 => drop(service.push_blob("demo", CONTENT).await),
                1 => {
                    let uri = format!("/v2/demo/blobs/uploads/?digest={}", digest(CONTENT));
                    service.send("POST", &uri, &[], CONTENT).await.expect(201);
                }
                _ => {
                    let upload = service.start("demo").await;
                    service.send("PATCH", &upload, &[], CONTENT).await.expect(202);
                    service.put(&upload, CONTENT).await.expect(201);
                }
            }
            for name in ["demo", "other"] {
                assert_eq!(service.get(&blob(name, CONTENT)).await.expect(200).body, CONTENT);
            }
            assert_eq!(service.uploads().await, 0);
        }
    }
}

#[tokio::test]
async fn a_blob_of_the_wrong_size_is_replaced_by_an_upload_that_is_read_for_its_digest() {
    for damaged in DAMAGED {
        let service = Service::new();
        let digest = sha512(CONTENT);
        let uri = format!("/v2/demo/blobs/uploads/?digest={digest}");
        service.send("POST", &uri, &[], CONTENT).await.expect(201);
        service.store.put(&data(&digest), damaged).await.unwrap();
        // The upload is hashed by another algorithm.
        let upload = service.start("demo").await;
        service.send("PATCH", &upload, &[], CONTENT).await.expect(202);
        service.send("PUT", &with_digest(&upload, &digest), &[], Body::empty()).await.expect(201);
        let got = service.get(&format!("/v2/demo/blobs/{digest}")).await.expect(200);
        assert_eq!(got.body, CONTENT);
    }
}

#[tokio::test]
async fn an_empty_file_in_place_of_a_blob_is_no_blob() {
    let service = Service::new();
    service.push_image("demo", "v1", "layer").await;
    service.store.put(&data(&digest(b"layer")), "").await.unwrap();
    service.head(&blob("demo", b"layer")).await.expect(404);
    service.get(&blob("demo", b"layer")).await.expect(404);
    let mount = format!("/v2/other/blobs/uploads/?mount={}&from=demo", digest(b"layer"));
    service.post(&mount).await.expect(202);
    let headers = [("content-type", OCI_MANIFEST)];
    let manifest = image(&[b"layer"]).to_string();
    let response = service.send("PUT", "/v2/demo/manifests/v2", &headers, manifest).await;
    assert_eq!(response.expect(404).code(), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_blob_without_content_is_a_blob() {
    let service = Service::new();
    service.push_blob("demo", "").await;
    service.head(&blob("demo", b"")).await.expect(200);
    assert_eq!(service.get(&blob("demo", b"")).await.expect(200).body, "");
    let mount = format!("/v2/other/blobs/uploads/?mount={}&from=demo", digest(b""));
    service.post(&mount).await.expect(201);
}

#[tokio::test]
async fn a_damaged_manifest_is_replaced_by_a_push() {
    let manifest = image(&[]).to_string();
    let zeroes = vec![0; manifest.len()];
    for damaged in [&b""[..], &manifest.as_bytes()[..20], &zeroes, b"{}"] {
        let service = Service::new();
        service.push_blob("demo", EMPTY_CONFIG).await;
        let pushed = service.push_manifest("demo", "v1", OCI_MANIFEST, &image(&[])).await;
        service.store.put(&data(&pushed), damaged.to_vec()).await.unwrap();
        // A client that finds the manifest does not push it.
        service.head(&format!("/v2/demo/manifests/{pushed}")).await.expect(404);
        service.get("/v2/demo/manifests/v1").await.expect(404);
        service.push_manifest("demo", "v1", OCI_MANIFEST, &image(&[])).await;
        assert_eq!(service.get("/v2/demo/manifests/v1").await.expect(200).body, manifest);
    }
}

async fn version(service: &Service, path: &Path) -> Version {
    service.store.stat(path).await.unwrap().into_file().unwrap().version
}

#[tokio::test]
async fn content_that_is_whole_is_not_written_again() {
    let service = Service::new();
    let image = service.push_image("demo", "v1", "layer").await;
    let paths = [data(&image), data(&digest(b"layer"))];
    let before = [version(&service, &paths[0]).await, version(&service, &paths[1]).await];
    service.push_image("demo", "v1", "layer").await;
    let after = [version(&service, &paths[0]).await, version(&service, &paths[1]).await];
    assert_eq!(before, after);
}

/// A registry with an image that was pushed long ago, on a driver that fails as planned.
async fn old_image(read_only: bool) -> (Service, Faulty<InMemory>, String) {
    let clock = Clock::default();
    clock.write_as_of(Duration::from_secs(30 * 24 * 60 * 60));
    let store = clock.store();
    let image = Service::over(store.clone(), |it| it).push_image("demo", "v1", "layer").await;
    let driver = Faulty::new(store.clone());
    let service = Service::on(Arc::new(driver.clone()), store, |it| it.read_only(read_only));
    (service, driver, image)
}

const FULL: ErrorKind = ErrorKind::StorageFull { needed: None, available: None };

/// Sends every kind of request that reads content.
async fn read_all(service: &Service, image: &str) {
    let layer = blob("demo", b"layer");
    let by_digest = format!("/v2/demo/manifests/{image}");
    for uri in [&layer, "/v2/demo/manifests/v1", &by_digest] {
        service.head(uri).await.expect(200);
        service.get(uri).await.expect(200);
    }
    for (uri, digest) in [(&layer, digest(b"layer")), (&by_digest, image.to_owned())] {
        let headers = [("if-none-match", &*format!("\"{digest}\""))];
        service.send("GET", uri, &headers, Body::empty()).await.expect(304);
    }
}

#[tokio::test]
async fn old_content_is_read_from_a_store_that_cannot_be_written() {
    for kind in [FULL, ErrorKind::PermissionDenied, ErrorKind::Other, ErrorKind::Unavailable] {
        let (service, driver, image) = old_image(false).await;
        driver
            .plan(move |call| (call.operation == Operation::Touch).then_some(Fault::Before(kind)));
        read_all(&service, &image).await;
        assert!(driver.struck() > 0);
        let mount = format!("/v2/other/blobs/uploads/?mount={}&from=demo", digest(b"layer"));
        service.post(&mount).await.expect(201);
        service.push_blob("demo", "layer").await;
    }
}

#[tokio::test]
async fn a_manifest_whose_blobs_cannot_be_protected_from_a_collection_is_refused() {
    for (kind, status) in [(FULL, 507), (ErrorKind::PermissionDenied, 500)] {
        let (service, driver, _) = old_image(false).await;
        driver
            .plan(move |call| (call.operation == Operation::Touch).then_some(Fault::Before(kind)));
        let headers = [("content-type", OCI_MANIFEST)];
        let manifest = image(&[b"layer"]).to_string();
        service.send("PUT", "/v2/demo/manifests/v2", &headers, manifest).await.expect(status);
        service.get("/v2/demo/manifests/v2").await.expect(404);
    }
}

#[tokio::test]
async fn a_read_only_registry_writes_nothing() {
    let (service, driver, image) = old_image(true).await;
    let writes = Arc::new(AtomicUsize::new(0));
    let counter = writes.clone();
    driver.plan(move |call| {
        let reads = matches!(
            call.operation,
            Operation::GetContent
                | Operation::GetRange
                | Operation::Reader
                | Operation::Read
                | Operation::File
                | Operation::Stat
                | Operation::List
                | Operation::Walk
                | Operation::Uploads
        );
        counter.fetch_add(usize::from(!reads), Ordering::Relaxed);
        None
    });
    read_all(&service, &image).await;
    for uri in ["/v2/demo/tags/list", "/v2/_catalog", "/", "/repositories/demo"] {
        service.get(uri).await.expect(200);
    }
    assert_eq!(writes.load(Ordering::Relaxed), 0);
}
