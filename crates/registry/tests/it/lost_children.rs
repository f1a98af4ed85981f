//! The push of an index while its child is deleted.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicI64, Ordering},
};

use inmemory::InMemory;
use serde_json::{Value, json};
use storage_driver::{Layer, Operation, Path, Result};
use storage_driver_conformance::layers::Faulty;
use tokio::{sync::Semaphore, task::yield_now};

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
async fn an_index_whose_child_another_process_deletes_is_visible_before_or_withdrawn() {
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

/// A driver that pauses one call.
#[derive(Debug)]
struct Pausing {
    inner: InMemory,
    /// The number of calls before that one.
    before: AtomicI64,
    resume: Semaphore,
}

impl Layer for Pausing {
    type Inner = InMemory;

    fn inner(&self) -> &InMemory {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        _: Operation,
        _: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        if self.before.fetch_sub(1, Ordering::Relaxed) == 0 {
            self.resume.acquire().await.unwrap().forget();
        }
        call.await
    }
}

/// Runs all tasks until they are done or wait.
async fn run_tasks() {
    for _ in 0..1000 {
        yield_now().await;
    }
}

#[tokio::test]
async fn the_deletion_of_a_child_waits_for_the_push_of_its_index() {
    for n in 0.. {
        let store = InMemory::new();
        let (child, index) = child_manifest(&Service::over(store.clone(), |it| it)).await;
        let (before, resume) = (AtomicI64::new(n), Semaphore::new(0));
        let driver = Arc::new(Pausing { inner: store.clone(), before, resume });
        let service = Arc::new(Service::on(driver.clone(), store, |it| it));
        let push = tokio::spawn({
            let service = Arc::clone(&service);
            async move { service.put_manifest(TAG, OCI_INDEX, &index).await }
        });
        run_tasks().await;
        if push.is_finished() {
            assert!(n > 5);
            break;
        }
        let deletion = tokio::spawn(service.delete(&child));
        run_tasks().await;
        assert!(!deletion.is_finished(), "before call {n}");
        driver.resume.add_permits(1);
        push.await.unwrap().expect(201);
        deletion.await.unwrap().expect(202);
        service.get(TAG).await.expect(200);
    }
}
