//! A collection of a damaged store, and of one in which deletions fail: what may be in use is kept, and the rest is deleted.

use std::sync::Arc;

use serde_json::json;
use storage_driver::{ErrorKind, Operation, Path, Precondition, StorageDriver, StorageDriverExt};
use storage_driver_conformance::layers::{Fault, Faulty};
use storage_driver_registry::GcOptions;

use super::{HOUR, by_digest, collect, collect_all, collect_unused, data, long_ago};
use crate::support::{OCI_INDEX, OCI_MANIFEST, Service, blob, clock::Clock, image, index};

/// Overwrites the link of a tag of `demo`.
async fn damage_tag(service: &Service, tag: &str, link: &'static str) {
    let path = format!("/docker/registry/v2/repositories/demo/_manifests/tags/{tag}/current/link");
    service.store.put(&Path::parse(path).unwrap(), link).await.unwrap();
}

#[tokio::test]
async fn a_damaged_tag_keeps_the_untagged_manifests_of_its_repository() {
    for link in ["", "garbage"] {
        let (service, clock) = long_ago();
        let image = service.push_image("demo", "v1", "layer").await;
        let untagged = service.push_image("other", "v1", "another").await;
        service.delete("/v2/other/manifests/v1").await.expect(202);
        damage_tag(&service, "v1", link).await;
        let report = collect_all(&service, &clock).await;
        assert_eq!((report.skipped, report.untagged_manifests), (1, 1), "{link:?}");
        service.get(&by_digest(&image)).await.expect(200);
        service.get(&blob("demo", b"layer")).await.expect(200);
        service.get(&format!("/v2/other/manifests/{untagged}")).await.expect(404);
    }
}

#[tokio::test]
async fn a_tag_without_its_link_keeps_the_manifests_that_it_named() {
    let (service, clock) = long_ago();
    let old = service.push_image("demo", "v1", "old layer").await;
    let image = service.push_image("demo", "v1", "layer").await;
    let untagged = service.push_image("demo", "v2", "another").await;
    service.delete("/v2/demo/manifests/v2").await.expect(202);
    let link = "/docker/registry/v2/repositories/demo/_manifests/tags/v1/current/link";
    service.store.delete(&Path::parse(link).unwrap(), Precondition::None).await.unwrap();
    let report = collect_all(&service, &clock).await;
    assert_eq!((report.skipped, report.untagged_manifests), (1, 1));
    for kept in [&old, &image] {
        service.get(&by_digest(kept)).await.expect(200);
    }
    service.get(&by_digest(&untagged)).await.expect(404);
}

/// Deletes the link of a manifest of `demo`.
async fn lose_link(service: &Service, manifest: &str) {
    let hex = &manifest["sha256:".len()..];
    let link =
        format!("/docker/registry/v2/repositories/demo/_manifests/revisions/sha256/{hex}/link");
    service.store.delete(&Path::parse(link).unwrap(), Precondition::None).await.unwrap();
}

#[tokio::test]
async fn a_tag_keeps_a_manifest_whose_link_is_lost_and_everything_in_it() {
    for untagged in [false, true] {
        let (service, clock) = long_ago();
        let child = service.push_image("demo", "child", "layer").await;
        let list = index(&[&child]);
        let parent = service.push_manifest("demo", "v1", OCI_INDEX, &list).await;
        service.delete("/v2/demo/manifests/child").await.expect(202);
        for manifest in [&child, &parent] {
            lose_link(&service, manifest).await;
        }
        let options = GcOptions { untagged, ..GcOptions::default() };
        let report = collect(&service, &clock, &options).await;
        assert_eq!((report.blobs, report.links, report.skipped), (0, 0, 2));
        // A client that learns that they are missing pushes them again, and no layer.
        let manifest = image(&[b"layer"]);
        service.push_manifest("demo", &child, OCI_MANIFEST, &manifest).await;
        service.push_manifest("demo", "v1", OCI_INDEX, &list).await;
    }
}

#[tokio::test]
async fn an_index_keeps_the_layers_of_a_child_whose_link_is_lost() {
    let (service, clock) = long_ago();
    let child = service.push_image("demo", "child", "layer").await;
    service.push_manifest("demo", "v1", OCI_INDEX, &index(&[&child])).await;
    lose_link(&service, &child).await;
    let report = collect_all(&service, &clock).await;
    assert_eq!((report.blobs, report.skipped), (0, 1));
    service.get(&blob("demo", b"layer")).await.expect(200);
}

/// The ways in which the file of a manifest can be damaged.
async fn damage_content(service: &Service, manifest: &str, damage: usize) {
    let hex = &manifest["sha256:".len()..];
    let path = format!("/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let path = Path::parse(path).unwrap();
    let content = service.store.get_bytes(&path, 1 << 20).await.unwrap();
    let damaged = match damage {
        0 => content.slice(..0),
        1 => content.slice(..content.len() / 2),
        2 => vec![0; content.len()].into(),
        3 => json!({}).to_string().into(),
        _ => return service.store.delete(&path, Precondition::None).await.unwrap(),
    };
    service.store.put(&path, damaged).await.unwrap();
}

#[tokio::test]
async fn a_manifest_that_cannot_be_read_keeps_everything_of_its_repository() {
    for damage in 0..5 {
        for untagged in [false, true] {
            let (service, clock) = long_ago();
            let image = service.push_image("demo", "v1", "layer").await;
            let child = service.push_image("demo", "child", "layer of the child").await;
            let index = service.push_manifest("demo", "v2", OCI_INDEX, &index(&[&child])).await;
            service.delete("/v2/demo/manifests/child").await.expect(202);
            service.push_blob("other", "unused").await;
            for manifest in [&image, &index] {
                damage_content(&service, manifest, damage).await;
            }
            let options = GcOptions { untagged, ..GcOptions::default() };
            let report = collect(&service, &clock, &options).await;
            let context = format!("damage {damage}, untagged: {untagged}");
            assert_eq!((report.skipped, report.blobs), (2, 1), "{context}");
            for content in [&b"layer"[..], b"layer of the child", b"{}"] {
                assert_eq!(service.get(&blob("demo", content)).await.status, 200, "{context}");
            }
            assert_eq!(service.get(&by_digest(&child)).await.status, 200, "{context}");
            service.get(&blob("other", b"unused")).await.expect(404);
        }
    }
}

#[tokio::test]
async fn a_blob_that_cannot_be_deleted_does_not_stop_a_collection() {
    let clock = Clock::default();
    clock.write_as_of(30 * 24 * HOUR);
    let store = clock.store();
    let driver = Faulty::new(store.clone());
    let service = Service::on(Arc::new(driver.clone()), store, |builder| builder);
    let contents = ["one", "two", "three"];
    for content in contents {
        service.push_blob("demo", content).await;
    }
    let kept = data(b"two");
    driver.plan(move |call| {
        let fails = call.operation == Operation::Delete && *call.path == kept;
        fails.then_some(Fault::Before(ErrorKind::PermissionDenied))
    });
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.blobs, report.skipped), (2, 1));
}

#[tokio::test]
async fn an_upload_that_cannot_be_cancelled_does_not_keep_others() {
    let clock = Clock::default();
    clock.write_as_of(30 * 24 * HOUR);
    let store = clock.store();
    let driver = Faulty::new(store.clone());
    let service = Service::on(Arc::new(driver.clone()), store, |builder| builder);
    let uploads = [service.start("a").await, service.start("b").await, service.start("c").await];
    driver.plan(|call| {
        let fails = match call.operation {
            Operation::CancelUploads => true,
            Operation::CancelUpload => call.path.as_str().contains("/b/"),
            _ => false,
        };
        fails.then_some(Fault::Before(ErrorKind::Other))
    });
    collect_unused(&service, &clock).await;
    for (upload, status) in uploads.iter().zip([404, 204, 404]) {
        service.get(upload).await.expect(status);
    }
}
