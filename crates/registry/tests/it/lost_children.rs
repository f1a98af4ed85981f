//! The push of an index while its child is deleted.

use std::sync::{Arc, Mutex};

use inmemory::InMemory;
use serde_json::{Value, json};
use storage_driver_conformance::layers::Faulty;

use crate::support::{
    EMPTY_CONFIG, OCI_INDEX, OCI_MANIFEST, Service, blob, digest, image, in_a_thread, index,
};

const TAG: &str = "/v2/demo/manifests/v1";

/// Pushes a manifest. Returns its path, and an index whose child it is.
async fn child_manifest(service: &Service) -> (String, Value) {
    service.push_blob("demo", EMPTY_CONFIG).await;
    let child = digest(image(&[]).to_string().as_bytes());
    service.push_manifest("demo", &child, OCI_MANIFEST, &image(&[])).await;
    (format!("/v2/demo/manifests/{child}"), index(&[&child]))
}

/// Pushes a blob. Returns its path, and an index whose child it is, as in BuildKit's caches.
async fn child_blob(service: &Service) -> (String, Value) {
    let child = service.push_blob("demo", "a layer of a cache").await;
    (blob("demo", b"a layer of a cache"), index(&[&child]))
}

#[tokio::test]
async fn an_index_whose_child_another_node_deletes_is_visible_before_or_withdrawn() {
    for is_manifest in [true, false] {
        let mut refused = 0;
        for n in 0.. {
            let store = InMemory::new();
            let driver = Faulty::new(store.clone());
            let pushing = Service::on(Arc::new(driver.clone()), store.clone(), |it| it);
            let deleting = Arc::new(Service::over(store, |it| it));
            let (child, index) = match is_manifest {
                true => child_manifest(&deleting).await,
                false => child_blob(&deleting).await,
            };
            let was_visible = Arc::new(Mutex::new(None));
            let (other, seen) = (Arc::clone(&deleting), Arc::clone(&was_visible));
            driver.plan(move |call| {
                if call.index == n {
                    let (is_visible, deletion) = (other.get(TAG), other.delete(&child));
                    *seen.lock().unwrap() = Some(in_a_thread(async move {
                        let is_visible = is_visible.await.status == 200;
                        deletion.await.expect(202);
                        is_visible
                    }));
                }
                None
            });
            let pushed = pushing.put_manifest(TAG, OCI_INDEX, &index).await;
            let Some(was_visible) = *was_visible.lock().unwrap() else {
                pushed.expect(201);
                break;
            };
            if pushed.status == 201 {
                assert!(was_visible, "before call {n}");
                deleting.get(TAG).await.expect(200);
                continue;
            }
            refused += 1;
            assert_eq!(pushed.expect(404).code(), "MANIFEST_BLOB_UNKNOWN", "before call {n}");
            let own = digest(index.to_string().as_bytes());
            for path in [TAG, &format!("/v2/demo/manifests/{own}")] {
                assert_eq!(deleting.get(path).await.status, 404, "before call {n}: {path}");
            }
            let tags = deleting.get("/v2/demo/tags/list").await;
            assert!(tags.status == 404 || tags.json()["tags"] == json!([]), "before call {n}");
        }
        assert!(refused > 5, "{refused}");
    }
}

#[tokio::test]
async fn an_index_that_is_withdrawn_leaves_its_tag_where_it_was() {
    let mut refused = 0;
    for n in 0.. {
        let store = InMemory::new();
        let driver = Faulty::new(store.clone());
        let pushing = Service::on(Arc::new(driver.clone()), store.clone(), |it| it);
        let deleting = Arc::new(Service::over(store, |it| it));
        let before = deleting.push_image("demo", "v1", "layer").await;
        let (child, index) = child_manifest(&deleting).await;
        let other = Arc::clone(&deleting);
        driver.plan(move |call| {
            if call.index == n {
                in_a_thread(other.delete(&child)).expect(202);
            }
            None
        });
        let pushed = pushing.put_manifest(TAG, OCI_INDEX, &index).await;
        if driver.calls() <= n {
            break;
        }
        let tag = deleting.get(TAG).await.expect(200);
        match pushed.status.as_u16() {
            201 => assert_eq!(tag.body, index.to_string(), "before call {n}"),
            _ => {
                refused += 1;
                assert_eq!(digest(&tag.body), before, "before call {n}");
            }
        }
    }
    assert!(refused > 5, "{refused}");
}
