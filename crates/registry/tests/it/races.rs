//! Concurrent requests on the same content. The outcome is valid in any order.

use std::{sync::Arc, time::Duration};

use crate::support::{
    OCI_INDEX, OCI_MANIFEST, Service, blob, clock::Clock, digest, image, index, pause,
};
use futures::future::join_all;
use inmemory::InMemory;
use storage_driver_conformance::layers::Yielding;
use storage_driver_registry::GcOptions;

const LONG: Duration = Duration::from_secs(24 * 60 * 60);

/// Registries on one store, without memory in common.
fn nodes() -> Vec<Arc<Service>> {
    let store = InMemory::new();
    let node = |_| {
        let driver = Arc::new(Yielding::new(store.clone()));
        Arc::new(Service::on(driver, store.clone(), |builder| builder))
    };
    (0..3).map(node).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_accepted_index_keeps_its_manifests_while_untagged_ones_are_collected() {
    for seed in 0..20 {
        let clock = Clock::default();
        clock.write_as_of(LONG * 2);
        let store = clock.store();
        let driver = Arc::new(Yielding::new(store.clone()));
        let service = Arc::new(Service::on(driver, store, |builder| builder));
        let child = service.push_image("demo", "v1", "layer").await;
        service.delete("/v2/demo/manifests/v1").await.expect(202);
        clock.write_as_of(Duration::ZERO);
        let pushing = tokio::spawn({
            let (service, child) = (service.clone(), child.clone());
            async move {
                pause(seed).await;
                let uri = "/v2/demo/manifests/index";
                service.put_manifest(uri, OCI_INDEX, &index(&[&child])).await.status
            }
        });
        let options = GcOptions { untagged: true, ..GcOptions::default() };
        service.registry.collect(&options).await.unwrap();
        if pushing.await.unwrap() == 201 {
            service.get(&format!("/v2/demo/manifests/{child}")).await.expect(200);
            service.get(&blob("demo", b"layer")).await.expect(200);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_referrer_pushed_again_while_it_is_dropped_is_listed() {
    for turn in 0..60 {
        let clock = Clock::default();
        clock.write_as_of(LONG * 2);
        let store = clock.store();
        let driver = Arc::new(Yielding::new(store.clone()));
        let service = Arc::new(Service::on(driver, store, |builder| builder));
        service.push_blob("demo", "{}").await;
        let mut manifest = image(&[]);
        let subject = digest(b"subject");
        manifest["subject"] =
            serde_json::json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": subject });
        let uri = format!("/v2/demo/manifests/{}", digest(manifest.to_string().as_bytes()));
        service.put_manifest(&uri, OCI_MANIFEST, &manifest).await.expect(201);
        clock.write_as_of(Duration::ZERO);
        service.push_blob("demo", "{}").await;
        let pushing = tokio::spawn({
            let (service, uri, manifest) = (service.clone(), uri.clone(), manifest.clone());
            async move {
                pause(turn).await;
                service.put_manifest(&uri, OCI_MANIFEST, &manifest).await
            }
        });
        let options = GcOptions { untagged: true, ..GcOptions::default() };
        service.registry.collect(&options).await.unwrap();
        pushing.await.unwrap().expect(201);
        service.get(&uri).await.expect(200);
        let listed = service.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
        assert_eq!(listed.json()["manifests"].as_array().unwrap().len(), 1, "turn {turn}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_push_the_same_blob_all_succeed() {
    let service = Arc::new(Service::new());
    let pushes = (0..50).map(|_| {
        let service = service.clone();
        tokio::spawn(async move { service.push_blob("demo", "content").await })
    });
    for push in join_all(pushes).await {
        push.unwrap();
    }
    assert_eq!(service.get(&blob("demo", b"content")).await.expect(200).body, "content");
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_that_push_the_same_tag_leave_one_of_their_manifests() {
    let service = Arc::new(Service::new());
    let pushes = (0..20).map(|n| {
        let service = service.clone();
        tokio::spawn(async move { service.push_image("demo", "v1", &format!("layer {n}")).await })
    });
    let pushed: Vec<String> =
        join_all(pushes).await.into_iter().map(|push| push.unwrap()).collect();
    let got = service.get("/v2/demo/manifests/v1").await.expect(200);
    assert!(pushed.contains(&digest(&got.body)));
    for image in pushed {
        service.get(&format!("/v2/demo/manifests/{image}")).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_the_clients_that_push_an_immutable_tag_succeeds() {
    let store = InMemory::new();
    let node = |_| Arc::new(Service::over(store.clone(), |it| it.immutable_tags(true)));
    let nodes: Vec<_> = (0..3).map(node).collect();
    let service = nodes[0].clone();
    service.push_blob("demo", "{}").await;
    let pushes = (0..20).map(|n| {
        let service = nodes[n % nodes.len()].clone();
        tokio::spawn(async move {
            let mut manifest = image(&[]);
            manifest["annotations"] = serde_json::json!({ "n": n.to_string() });
            let response =
                service.put_manifest("/v2/demo/manifests/v1", OCI_MANIFEST, &manifest).await;
            (response.status == 201).then(|| digest(manifest.to_string().as_bytes()))
        })
    });
    let pushed: Vec<String> =
        join_all(pushes).await.into_iter().filter_map(|push| push.unwrap()).collect();
    let got = service.get("/v2/demo/manifests/v1").await.expect(200);
    assert_eq!(pushed, [digest(&got.body)]);
}

/// `manifest` with the name of `writer` added.
fn with_writer(manifest: &[u8], writer: usize) -> serde_json::Value {
    let mut manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    manifest["annotations"][format!("writer-{writer}")] = "was here".into();
    manifest
}

// Each writer reads the tag, adds its name, and pushes with `If-Match`, until that succeeds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_that_compare_and_swap_a_tag_lose_no_update() {
    const WRITERS: usize = 16;
    let nodes = nodes();
    let service = nodes[0].clone();
    service.push_blob("demo", "{}").await;
    let uri = "/v2/demo/manifests/v1";
    let mut first = image(&[]);
    first["annotations"] = serde_json::json!({});
    service.put_manifest(uri, OCI_MANIFEST, &first).await.expect(201);
    let writers = (0..WRITERS).map(|writer| {
        let service = nodes[writer % nodes.len()].clone();
        tokio::spawn(async move {
            loop {
                let read = service.get(uri).await.expect(200);
                let next = with_writer(&read.body, writer).to_string();
                let headers = [("content-type", OCI_MANIFEST), ("if-match", read.header("etag"))];
                let response = service.send("PUT", uri, &headers, next).await;
                match response.status.as_u16() {
                    201 => return,
                    status => assert_eq!(status, 412),
                }
            }
        })
    });
    for writer in join_all(writers).await {
        writer.unwrap();
    }
    let last = service.get(uri).await.expect(200).json();
    assert_eq!(last["annotations"].as_object().unwrap().len(), WRITERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_of_the_clients_that_create_a_tag_succeeds() {
    let nodes = nodes();
    let service = nodes[0].clone();
    service.push_blob("demo", "{}").await;
    let first = serde_json::json!({});
    let pushes = (0..20).map(|n| {
        let mut manifest = image(&[]);
        manifest["annotations"] = first.clone();
        let content = with_writer(manifest.to_string().as_bytes(), n).to_string();
        let headers = [("content-type", OCI_MANIFEST), ("if-none-match", "*")];
        let pushed =
            nodes[n % nodes.len()].send("PUT", "/v2/demo/manifests/v1", &headers, content.clone());
        tokio::spawn(async move { (pushed.await.status.as_u16(), digest(content.as_bytes())) })
    });
    let responses = join_all(pushes).await.into_iter().map(|push| push.unwrap());
    let (created, refused): (Vec<_>, Vec<_>) = responses.partition(|(status, _)| *status == 201);
    assert!(refused.iter().all(|(status, _)| *status == 412), "{refused:?}");
    let got = service.get("/v2/demo/manifests/v1").await.expect(200);
    assert_eq!(created, [(201, digest(&got.body))]);
}

// Only the manifest of the condition is deleted. A manifest that is pushed meanwhile stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_conditional_deletion_of_a_tag_keeps_a_later_push() {
    for turn in 0..40 {
        let store = InMemory::new();
        let driver = Arc::new(Yielding::new(store.clone()));
        let service = Arc::new(Service::on(driver, store, |builder| builder));
        let old = service.push_image("demo", "v1", "old").await;
        service.push_blob("demo", "new").await;
        let uri = "/v2/demo/manifests/v1";
        let pushing = tokio::spawn({
            let service = service.clone();
            async move {
                pause(turn).await;
                service.put_manifest(uri, OCI_MANIFEST, &image(&[b"new"])).await.expect(201);
            }
        });
        let tag = format!("\"{old}\"");
        let deleted = service.send("DELETE", uri, &[("if-match", &*tag)], "").await.status;
        assert!(deleted == 202 || deleted == 412, "{deleted}");
        pushing.await.unwrap();
        service.get(uri).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_remaining_tag_names_an_existing_manifest() {
    let nodes = nodes();
    let service = nodes[0].clone();
    let image = service.push_image("demo", "v0", "layer").await;
    let content = service.get("/v2/demo/manifests/v0").await.body;
    let work = (0..100).map(|n| {
        let (image, content) = (image.clone(), content.clone());
        let service = nodes[n % 7 % nodes.len()].clone();
        tokio::spawn(async move {
            if n % 3 == 0 {
                service.delete(&format!("/v2/demo/manifests/{image}")).await;
            } else {
                let uri = format!("/v2/demo/manifests/v{}", n % 4);
                service.send("PUT", &uri, &[], content).await.expect(201);
            }
        })
    });
    for work in join_all(work).await {
        work.unwrap();
    }
    let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
    for tag in tags["tags"].as_array().unwrap() {
        let uri = format!("/v2/demo/manifests/{}", tag.as_str().unwrap());
        service.get(&uri).await.expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deletion_in_one_repository_changes_no_other() {
    let service = Arc::new(Service::new());
    service.push_image("kept", "v1", "layer").await;
    let work = (0..100).map(|n| {
        let service = service.clone();
        tokio::spawn(async move {
            match n % 3 {
                0 => drop(service.delete(&blob("other", b"layer")).await),
                1 => drop(service.push_blob("other", "layer").await),
                _ => {
                    service.get(&blob("kept", b"layer")).await.expect(200);
                }
            }
        })
    });
    for work in join_all(work).await {
        work.unwrap();
    }
    service.get(&blob("kept", b"layer")).await.expect(200);
}
