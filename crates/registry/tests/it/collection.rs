//! `Registry::collect`: the content that it deletes, and the content that it keeps.

mod damage;

use std::{sync::Arc, time::Duration};

use crate::support::{OCI_INDEX, OCI_MANIFEST, Service, blob, clock::Clock, digest, image, index};
use inmemory::InMemory;
use serde_json::json;
use storage_driver::{
    Layer, Operation, Path, Precondition, Result, StorageDriver, StorageDriverExt,
};
use storage_driver_registry::{GcOptions, GcReport};
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// A registry in which everything is pushed thirty days ago, until its clock is set to today.
fn long_ago() -> (Service, Clock) {
    let clock = Clock::default();
    clock.write_as_of(30 * 24 * HOUR);
    (Service::over(clock.store(), |builder| builder), clock)
}

fn by_digest(digest: &str) -> String {
    format!("/v2/demo/manifests/{digest}")
}

/// A collection today.
async fn collect(service: &Service, clock: &Clock, options: &GcOptions) -> GcReport {
    clock.write_as_of(Duration::ZERO);
    service.registry.collect(options).await.unwrap()
}

async fn collect_all(service: &Service, clock: &Clock) -> GcReport {
    collect(service, clock, &GcOptions { untagged: true, ..GcOptions::default() }).await
}

async fn collect_unused(service: &Service, clock: &Clock) -> GcReport {
    collect(service, clock, &GcOptions::default()).await
}

/// Pushes a manifest whose subject is another one, with `layer`, and returns its digest.
async fn push_about(
    service: &Service,
    tag_or_digest: Option<&str>,
    subject: &str,
    layer: &str,
) -> String {
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", layer.to_owned()).await;
    let mut manifest = image(&[layer.as_bytes()]);
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": subject });
    let own = digest(manifest.to_string().as_bytes());
    service.push_manifest("demo", tag_or_digest.unwrap_or(&own), OCI_MANIFEST, &manifest).await
}

#[tokio::test]
async fn an_empty_registry_has_nothing_to_collect() {
    let (service, clock) = long_ago();
    let mut report = collect_all(&service, &clock).await;
    assert!(!std::mem::take(&mut report.node).is_empty());
    assert_eq!(report, GcReport::default());
}

#[tokio::test]
async fn the_blobs_of_a_manifest_are_kept() {
    let (service, clock) = long_ago();
    service.push_image("demo", "v1", "layer").await;
    let report = collect_all(&service, &clock).await;
    assert_eq!((report.repositories, report.used, report.blobs), (1, 3, 0));
    service.get("/v2/demo/manifests/v1").await.expect(200);
    service.get(&blob("demo", b"layer")).await.expect(200);
}

#[tokio::test]
async fn a_blob_without_a_manifest_is_collected() {
    let (service, clock) = long_ago();
    service.push_image("demo", "v1", "layer").await;
    service.push_blob("demo", "unused").await;
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.blobs, report.bytes, report.links), (1, 6, 1));
    service.get(&blob("demo", b"unused")).await.expect(404);
    service.get(&blob("demo", b"layer")).await.expect(200);
}

#[tokio::test]
async fn a_second_collection_finds_nothing_more() {
    let (service, clock) = long_ago();
    service.push_image("demo", "v1", "layer").await;
    service.push_blob("demo", "unused").await;
    collect_all(&service, &clock).await;
    let again = collect_all(&service, &clock).await;
    assert_eq!((again.blobs, again.links, again.uploads, again.recent), (0, 0, 0, 0));
}

#[tokio::test]
async fn an_unused_blob_stays_for_the_time_of_the_grace() {
    let (service, clock) = long_ago();
    clock.write_as_of(23 * HOUR);
    service.push_blob("demo", "younger").await;
    clock.write_as_of(25 * HOUR);
    service.push_blob("demo", "older").await;
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.recent, report.blobs), (1, 1));
    service.get(&blob("demo", b"younger")).await.expect(200);
    service.get(&blob("demo", b"older")).await.expect(404);
}

#[tokio::test]
async fn a_blob_that_a_client_has_learned_of_stays() {
    let requests: [fn(&Service) -> futures::future::BoxFuture<'_, ()>; 4] = [
        |service| Box::pin(async { drop(service.head(&blob("demo", b"old")).await.expect(200)) }),
        |service| {
            Box::pin(async {
                let uri = format!("/v2/other/blobs/uploads/?mount={}&from=demo", digest(b"old"));
                service.post(&uri).await.expect(201);
            })
        },
        |service| Box::pin(async { drop(service.push_blob("demo", "old").await) }),
        |service| Box::pin(async { drop(service.push_blob("other", "old").await) }),
    ];
    for request in requests {
        let (service, clock) = long_ago();
        service.push_blob("demo", "old").await;
        clock.write_as_of(Duration::ZERO);
        request(&service).await;
        let report = collect_unused(&service, &clock).await;
        assert_eq!((report.recent, report.blobs), (1, 0));
        service.get(&blob("demo", b"old")).await.expect(200);
    }
}

#[tokio::test]
async fn an_untagged_manifest_that_a_client_has_learned_of_stays() {
    let (service, clock) = long_ago();
    let child = service.push_image("demo", "v1", "layer").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    clock.write_as_of(Duration::ZERO);
    service.head(&by_digest(&child)).await.expect(200);
    collect_all(&service, &clock).await;
    service.push_manifest("demo", "index", OCI_INDEX, &index(&[&child])).await;
    service.get(&blob("demo", b"layer")).await.expect(200);
}

#[tokio::test]
async fn the_content_of_a_deleted_manifest_is_collected() {
    let (service, clock) = long_ago();
    let old = service.push_image("demo", "v1", "layer").await;
    service.push_image("demo", "v2", "another").await;
    service.delete(&by_digest(&old)).await.expect(202);
    let report = collect_unused(&service, &clock).await;
    assert_eq!(report.blobs, 2, "the manifest and its layer; the configuration is used by v2");
    service.get(&blob("demo", b"layer")).await.expect(404);
    service.get(&blob("demo", b"{}")).await.expect(200);
}

#[tokio::test]
async fn a_blob_that_another_repository_uses_is_kept() {
    let (service, clock) = long_ago();
    let image = service.push_image("demo", "v1", "layer").await;
    service.push_image("other/deeper", "v1", "layer").await;
    service.delete(&by_digest(&image)).await.expect(202);
    assert_eq!(collect_all(&service, &clock).await.blobs, 0);
    service.get(&blob("other/deeper", b"layer")).await.expect(200);
    service.get(&format!("/v2/other/deeper/manifests/{image}")).await.expect(200);
}

#[tokio::test]
async fn untagged_manifests_stay_by_default() {
    let (service, clock) = long_ago();
    let image = service.push_image("demo", "v1", "layer").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.untagged_manifests, report.blobs), (0, 0));
    service.get(&by_digest(&image)).await.expect(200);
}

#[tokio::test]
async fn untagged_manifests_are_collected_with_their_content() {
    let (service, clock) = long_ago();
    let image = service.push_image("demo", "v1", "layer").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    let report = collect_all(&service, &clock).await;
    assert_eq!((report.untagged_manifests, report.blobs), (1, 3));
    service.get(&by_digest(&image)).await.expect(404);
}

#[tokio::test]
async fn an_untagged_manifest_stays_for_the_time_of_the_grace() {
    let (service, clock) = long_ago();
    clock.write_as_of(HOUR);
    let image = service.push_image("demo", "v1", "layer").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    assert_eq!(collect_all(&service, &clock).await.untagged_manifests, 0);
    service.get(&by_digest(&image)).await.expect(200);
}

#[tokio::test]
async fn the_manifests_of_a_tagged_index_stay() {
    let (service, clock) = long_ago();
    let children = [
        service.push_image("demo", "v1", "layer").await,
        service.push_image("demo", "v1", "another").await,
    ];
    let inner = index(&[&children[0]]);
    let inner = service.push_manifest("demo", "v1", OCI_INDEX, &inner).await;
    service.push_manifest("demo", "v1", OCI_INDEX, &index(&[&inner, &children[1]])).await;
    let report = collect_all(&service, &clock).await;
    assert_eq!((report.untagged_manifests, report.blobs), (0, 0));
    for child in &children {
        service.get(&by_digest(child)).await.expect(200);
    }
}

#[tokio::test]
async fn referrers_stay_with_their_subject() {
    let (service, clock) = long_ago();
    let subject = service.push_image("demo", "v1", "layer").await;
    let signature = push_about(&service, None, &subject, "signature").await;
    let about_that = push_about(&service, None, &signature, "about the signature").await;
    assert_eq!(collect_all(&service, &clock).await.untagged_manifests, 0);
    for manifest in [&signature, &about_that] {
        service.get(&by_digest(manifest)).await.expect(200);
    }
    service.get(&blob("demo", b"about the signature")).await.expect(200);
}

#[tokio::test]
async fn referrers_are_collected_with_their_subject() {
    let (service, clock) = long_ago();
    let subject = service.push_image("demo", "v1", "layer").await;
    push_about(&service, None, &subject, "signature").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    assert_eq!(collect_all(&service, &clock).await.untagged_manifests, 2);
    let referrers = service.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
    assert_eq!(referrers.json()["manifests"], json!([]));
}

#[tokio::test]
async fn a_tagged_referrer_stays_without_its_subject() {
    let (service, clock) = long_ago();
    let subject = service.push_image("demo", "v1", "layer").await;
    push_about(&service, Some("signature"), &subject, "signature").await;
    service.delete("/v2/demo/manifests/v1").await.expect(202);
    assert_eq!(collect_all(&service, &clock).await.untagged_manifests, 1);
    service.get("/v2/demo/manifests/signature").await.expect(200);
    service.get(&blob("demo", b"signature")).await.expect(200);
}

#[tokio::test]
async fn abandoned_uploads_are_cancelled() {
    let (service, clock) = long_ago();
    let old = service.start("demo").await;
    service.patch(&old, "0-4", "hello").await.expect(202);
    clock.write_as_of(Duration::ZERO);
    let new = service.start("demo").await;
    service.patch(&new, "0-4", "hello").await.expect(202);
    let report = collect_unused(&service, &clock).await;
    assert!(report.uploads >= 1);
    service.get(&old).await.expect(404);
    service.put(&new, b"hello").await.expect(201);
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn leftovers_of_uploads_are_deleted() {
    let (service, clock) = long_ago();
    service.push_blob("demo", "content").await;
    let left = "/docker/registry/v2/repositories/demo/_uploads/x/hashstates/sha256/5";
    let left = Path::parse(left).unwrap();
    service.store.put(&left, "state").await.unwrap();
    assert_eq!(collect_unused(&service, &clock).await.uploads, 1);
    assert!(!service.store.exists(&left).await.unwrap());
}

fn data(content: &[u8]) -> Path {
    let hex = digest(content)["sha256:".len()..].to_owned();
    Path::parse(format!("/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])).unwrap()
}

#[tokio::test]
async fn links_without_a_blob_are_deleted() {
    let (service, clock) = long_ago();
    service.push_blob("demo", "gone").await;
    service.store.delete(&data(b"gone"), Precondition::None).await.unwrap();
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.blobs, report.links), (0, 1));
}

#[tokio::test]
async fn a_new_link_stays_until_its_blob_is_published() {
    let (service, clock) = long_ago();
    clock.write_as_of(Duration::ZERO);
    service.push_blob("demo", "gone").await;
    service.store.delete(&data(b"gone"), Precondition::None).await.unwrap();
    let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
    assert_eq!(collect(&service, &clock, &options).await.links, 0);
}

/// A store with one item of each kind that a collection deletes.
async fn with_everything() -> (Service, Clock) {
    let (service, clock) = long_ago();
    service.push_image("demo", "v1", "layer").await;
    let subject = service.push_image("demo", "v2", "another").await;
    push_about(&service, None, &subject, "signature").await;
    service.delete("/v2/demo/manifests/v2").await.expect(202);
    service.push_blob("demo", "unused").await;
    service.push_blob("demo", "gone").await;
    service.store.delete(&data(b"gone"), Precondition::None).await.unwrap();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    clock.write_as_of(Duration::ZERO);
    service.push_blob("other", "recent").await;
    (service, clock)
}

async fn files(service: &Service) -> Vec<String> {
    let mut files = Vec::new();
    let mut walk = service.store.walk(&Path::root(), storage_driver::WalkOptions::new());
    while let Some(entry) = futures::TryStreamExt::try_next(&mut walk).await.unwrap() {
        files.push(entry.path().to_string());
    }
    files
}

#[tokio::test]
async fn a_dry_run_deletes_nothing() {
    let (service, clock) = with_everything().await;
    let before = (files(&service).await, service.uploads().await);
    let options = GcOptions { dry_run: true, untagged: true, ..GcOptions::default() };
    collect(&service, &clock, &options).await;
    assert_eq!((files(&service).await, service.uploads().await), before);
}

#[tokio::test]
async fn a_dry_run_reports_the_same_as_a_collection() {
    for untagged in [false, true] {
        let (service, clock) = with_everything().await;
        let options = GcOptions { untagged, ..GcOptions::default() };
        let dry = GcOptions { dry_run: true, ..options.clone() };
        let expected = collect(&service, &clock, &dry).await;
        assert_eq!(expected, collect(&service, &clock, &options).await, "untagged: {untagged}");
    }
}

#[tokio::test]
async fn a_registry_from_which_all_was_deleted_holds_no_content() {
    let (service, clock) = long_ago();
    for (tag, layer) in [("v1", 1), ("v2", 2)] {
        service.push_blob("demo", "{}").await;
        let layer = vec![layer; 100_000];
        service.push_blob("demo", layer.clone()).await;
        let image = service.push_manifest("demo", tag, OCI_MANIFEST, &image(&[&layer])).await;
        service.delete(&by_digest(&image)).await.expect(202);
    }
    collect_all(&service, &clock).await;
    let usage = service.store.usage();
    assert_eq!((usage.committed, usage.uploads, usage.pinned), (0, 0, 0), "{usage:?}");
}

#[tokio::test]
async fn the_children_of_an_index_stay_whether_they_are_blobs_or_manifests() {
    let (service, clock) = long_ago();
    service.push_blob("demo", "a cache's layer").await;
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", "layer").await;
    let child = image(&[b"layer"]);
    let child_digest = digest(child.to_string().as_bytes());
    service.push_manifest("demo", &child_digest, OCI_MANIFEST, &child).await;
    let list = index(&[&child_digest, &digest(b"a cache's layer")]);
    service.push_manifest("demo", "v1", OCI_INDEX, &list).await;
    collect_all(&service, &clock).await;
    service.get(&by_digest(&child_digest)).await.expect(200);
    for content in [&b"a cache's layer"[..], b"{}", b"layer"] {
        service.get(&blob("demo", content)).await.expect(200);
    }
}

#[tokio::test]
async fn references_that_any_reader_could_see_are_kept() {
    let (service, clock) = long_ago();
    service.push_blob("demo", "{}").await;
    let layers = ["first", "second", "third", "fourth"];
    for layer in layers {
        service.push_blob("demo", layer).await;
    }
    let [first, second, third, fourth] = layers.map(|layer| digest(layer.as_bytes()));
    let content = format!(
        r#"{{"Layers":[{{"digest":"{first}"}}],"layers":[{{"digest":"{second}","Digest":"{third}"}}],"#
    ) + &format!(r#""layer\u017f":[{{"digest":"{fourth}"}}],"#)
        + &image(&[]).to_string()[1..].replace(r#","layers":[]"#, "");
    let kind = [("content-type", OCI_MANIFEST)];
    service.send("PUT", "/v2/demo/manifests/v1", &kind, content).await.expect(201);
    collect_all(&service, &clock).await;
    for layer in layers {
        service.get(&blob("demo", layer.as_bytes())).await.expect(200);
    }
}

#[tokio::test]
async fn references_of_odd_manifests_of_another_registry_are_kept() {
    let (service, clock) = long_ago();
    service.push_blob("demo", "layer").await;
    let layer = digest(b"layer");
    for content in [
        format!(
            r#"{{"schemaVersion":2,"config":null,"layers":[{{"digest":"{layer}","size":-1}}]}}"#
        ),
        format!(r#"{{"schemaVersion":2,"layers":[null,5,{{"digest":"{layer}"}}]}}"#),
        format!(r#"[{{"digest":"{layer}"}}]"#),
    ] {
        service.push_blob("demo", "layer").await;
        let manifest = service.store_manifest(content).await;
        collect_unused(&service, &clock).await;
        service.get(&blob("demo", b"layer")).await.expect(200);
        service.delete(&by_digest(&manifest)).await.expect(202);
    }
}

/// A driver whose deletions take a second each.
#[derive(Debug)]
struct SlowDeletions(InMemory);

impl Layer for SlowDeletions {
    type Inner = InMemory;

    fn inner(&self) -> &InMemory {
        &self.0
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        _: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        if operation == Operation::Delete {
            sleep(Duration::from_secs(1)).await;
        }
        call.await
    }
}

#[tokio::test(start_paused = true)]
async fn many_blobs_and_links_are_deleted_at_once() {
    const BLOBS: u32 = 64;
    let clock = Clock::default();
    clock.write_as_of(30 * 24 * HOUR);
    let store = clock.store();
    let service = Service::on(Arc::new(SlowDeletions(store.clone())), store, |builder| builder);
    for number in 0..BLOBS {
        service.push_blob("demo", number.to_string()).await;
    }
    let start = Instant::now();
    let report = collect_unused(&service, &clock).await;
    assert_eq!((report.blobs, report.links), (BLOBS.into(), BLOBS.into()));
    let one_by_one = Duration::from_secs(2 * u64::from(BLOBS));
    assert!(start.elapsed() < one_by_one / 8, "{:?}", start.elapsed());
}
