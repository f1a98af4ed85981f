//! Requests whose connection or server breaks. The future of each request is dropped after its first poll, its
//! second, and so on: alone, or with all tasks that it has started. The repeated request succeeds, or finds that
//! the first has succeeded.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::support::{
    OCI_MANIFEST, Response, Service, blob, descriptor, digest, image, pause, streamed, with_digest,
};
use axum::body::Body;
use inmemory::InMemory;
use storage_driver_conformance::layers::Yielding;
use storage_driver_registry::GcOptions;

/// A registry on a driver that is pending before and after each call.
fn service() -> Service {
    let store = InMemory::new();
    Service::on(Arc::new(Yielding::new(store.clone())), store, |builder| builder)
}

/// Polls `request` `polls` times, runs other tasks in between, and drops it. Returns its response, if it is
/// complete by then.
async fn dropped<T>(request: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut request = pin!(request);
    for _ in 0..polls {
        if let Poll::Ready(response) =
            request.as_mut().poll(&mut Context::from_waker(Waker::noop()))
        {
            return Some(response);
        }
        tokio::task::yield_now().await;
    }
    None
}

/// Runs tasks that requests left behind to completion.
async fn settled() {
    pause(2000).await;
}

/// The broken part.
#[derive(Debug, Clone, Copy)]
enum Broken {
    Connection,
    Server,
}

/// Drops `request` after each of its polls. `check` examines the store, and repeats the request.
async fn at_every_poll<S, F: Future<Output = Response> + Send + 'static>(
    prepare: impl AsyncFn(&Service) -> S,
    request: impl Fn(&Service, &S) -> F,
    check: impl AsyncFn(&Service, &S),
) {
    for broken in [Broken::Connection, Broken::Server] {
        for polls in 0.. {
            let mut service = service();
            let state = prepare(&service).await;
            let request = request(&service, &state);
            let response = match broken {
                Broken::Connection => dropped(request, polls).await,
                Broken::Server => {
                    let response = dropped_with_tasks(request, polls);
                    let store = service.store.clone();
                    let driver = Arc::new(Yielding::new(store.clone()));
                    service = Service::on(driver, store, |builder| builder);
                    response
                }
            };
            if response.is_none() && polls % 2 == 0 {
                // A client may repeat the request at once, or after all tasks have ended.
                settled().await;
            }
            check(&service, &state).await;
            settled().await;
            service.registry.cancel_uploads(std::time::Duration::ZERO).await.unwrap();
            assert_eq!(service.uploads().await, 0, "{broken:?} after {polls} polls");
            if let Some(response) = response {
                assert!(response.status.is_success(), "{response:?}");
                assert!(polls > 2 || matches!(broken, Broken::Connection), "{polls}");
                break;
            }
        }
    }
}

/// As [`dropped`], on another runtime, which ends with the request.
fn dropped_with_tasks<T: Send>(
    request: impl Future<Output = T> + Send + 'static,
    polls: usize,
) -> Option<T> {
    std::thread::scope(|scope| {
        let run = || {
            // One poll of a task for each poll of the request.
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_time().event_interval(1).build();
            runtime.unwrap().block_on(dropped(request, polls))
        };
        scope.spawn(run).join().unwrap()
    })
}

/// A blob is there as a whole or not at all.
async fn assert_whole_or_absent(service: &Service, content: &[u8]) {
    let got = service.get(&blob("demo", content)).await;
    match got.status.as_u16() {
        200 => assert_eq!(got.body, content),
        status => assert_eq!(status, 404),
    }
}

async fn unprepared(_: &Service) {}

#[tokio::test]
async fn a_single_post() {
    let post = |service: &Service, (): &()| {
        let uri = format!("/v2/demo/blobs/uploads/?digest={}", digest(b"hello world"));
        service.send("POST", &uri, &[], streamed([b"hello ".to_vec(), b"world".to_vec()]))
    };
    at_every_poll(unprepared, post, async |service, state| {
        assert_whole_or_absent(service, b"hello world").await;
        post(service, state).await.expect(201);
        assert_eq!(
            service.get(&blob("demo", b"hello world")).await.expect(200).body,
            "hello world"
        );
    })
    .await;
}

#[tokio::test]
async fn the_beginning_of_an_upload() {
    let post = |service: &Service, (): &()| service.post("/v2/demo/blobs/uploads/");
    at_every_poll(unprepared, post, async |service, state| {
        let begun = post(service, state).await.expect(202);
        service.delete(begun.header("location")).await.expect(204);
    })
    .await;
}

#[tokio::test]
async fn a_chunk() {
    let patch = |service: &Service, upload: &String| {
        service.send("PATCH", upload, &[("content-range", "5-10")], " world")
    };
    let prepare = async |service: &Service| {
        let upload = service.start("demo").await;
        service.patch(&upload, "0-4", "hello").await.expect(202);
        upload
    };
    at_every_poll(prepare, patch, async |service, upload| {
        let again = patch(service, upload).await;
        if again.status == 416 {
            assert_eq!(again.header("range"), "0-10");
        } else {
            again.expect(202);
        }
        service.put(upload, b"hello world").await.expect(201);
        assert_eq!(
            service.get(&blob("demo", b"hello world")).await.expect(200).body,
            "hello world"
        );
    })
    .await;
}

#[tokio::test]
async fn the_end_of_an_upload() {
    let put = |service: &Service, upload: &String| {
        let uri = with_digest(upload, &digest(b"hello world"));
        service.send("PUT", &uri, &[("content-range", "5-10")], " world")
    };
    let prepare = async |service: &Service| {
        let upload = service.start("demo").await;
        service.patch(&upload, "0-4", "hello").await.expect(202);
        upload
    };
    at_every_poll(prepare, put, async |service, upload| {
        assert_whole_or_absent(service, b"hello world").await;
        let again = put(service, upload).await;
        match again.status.as_u16() {
            201 => {}
            // The bytes have been received: the upload is finished without a body.
            416 => drop(service.put(upload, b"hello world").await.expect(201)),
            status => panic!("{status}: {again:?}"),
        }
        assert_eq!(
            service.get(&blob("demo", b"hello world")).await.expect(200).body,
            "hello world"
        );
    })
    .await;
}

#[tokio::test]
async fn the_end_of_an_upload_that_has_to_be_read_again() {
    let put = |service: &Service, upload: &String| {
        let uri = with_digest(upload, &crate::support::sha512(b"hello"));
        service.send("PUT", &uri, &[], Body::empty())
    };
    let prepare = async |service: &Service| {
        let upload = service.start("demo").await;
        service.patch(&upload, "0-4", "hello").await.expect(202);
        upload
    };
    at_every_poll(prepare, put, async |service, upload| {
        put(service, upload).await.expect(201);
        let uri = format!("/v2/demo/blobs/{}", crate::support::sha512(b"hello"));
        assert_eq!(service.get(&uri).await.expect(200).body, "hello");
    })
    .await;
}

#[tokio::test]
async fn the_cancellation_of_an_upload() {
    let cancel = |service: &Service, upload: &String| service.delete(upload);
    let prepare = async |service: &Service| {
        let upload = service.start("demo").await;
        service.patch(&upload, "0-4", "hello").await.expect(202);
        upload
    };
    at_every_poll(prepare, cancel, async |service, upload| {
        let status = cancel(service, upload).await.status;
        assert!(status == 204 || status == 404, "{status}");
        service.get(upload).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn a_mount() {
    let mount = |service: &Service, (): &()| {
        let uri = format!("/v2/demo/blobs/uploads/?mount={}&from=other", digest(b"content"));
        service.post(&uri)
    };
    let prepare = async |service: &Service| drop(service.push_blob("other", "content").await);
    at_every_poll(prepare, mount, async |service, state| {
        assert_whole_or_absent(service, b"content").await;
        mount(service, state).await.expect(201);
        service.get(&blob("demo", b"content")).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn the_push_of_a_manifest() {
    let mut manifest = image(&[]);
    manifest["subject"] = descriptor(OCI_MANIFEST, b"subject");
    let content = manifest.to_string();
    let push = |service: &Service, (): &()| {
        let headers = [("content-type", OCI_MANIFEST)];
        service.send("PUT", "/v2/demo/manifests/v1", &headers, content.clone())
    };
    let prepare = async |service: &Service| drop(service.push_blob("demo", "{}").await);
    at_every_poll(prepare, push, async |service, state| {
        let got = service.get("/v2/demo/manifests/v1").await;
        assert!(got.status == 404 || got.body == content, "{got:?}");
        push(service, state).await.expect(201);
        assert_eq!(service.get("/v2/demo/manifests/v1").await.expect(200).body, content);
        let referrers = service.get(&format!("/v2/demo/referrers/{}", digest(b"subject"))).await;
        assert_eq!(referrers.json()["manifests"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_manifest() {
    let delete = |service: &Service, own: &String| service.delete(own);
    let prepare = async |service: &Service| {
        let own = service.push_image("demo", "v1", "layer").await;
        format!("/v2/demo/manifests/{own}")
    };
    at_every_poll(prepare, delete, async |service, own| {
        let status = delete(service, own).await.status;
        assert!(status == 202 || status == 404, "{status}");
        for uri in [own, "/v2/demo/manifests/v1"] {
            service.get(uri).await.expect(404);
        }
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_tag() {
    let delete = |service: &Service, own: &String| service.delete(own);
    let prepare = async |service: &Service| {
        service.push_image("demo", "v1", "layer").await;
        "/v2/demo/manifests/v1".to_owned()
    };
    at_every_poll(prepare, delete, async |service, own| {
        let status = delete(service, own).await.status;
        assert!(status == 202 || status == 404, "{status}");
        service.get(own).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_blob() {
    let delete = |service: &Service, (): &()| service.delete(&blob("demo", b"content"));
    let prepare = async |service: &Service| drop(service.push_blob("demo", "content").await);
    at_every_poll(prepare, delete, async |service, state| {
        let status = delete(service, state).await.status;
        assert!(status == 202 || status == 404, "{status}");
        service.get(&blob("demo", b"content")).await.expect(404);
    })
    .await;
}

#[tokio::test]
async fn pulls() {
    let prepare = async |service: &Service| drop(service.push_image("demo", "v1", "layer").await);
    let uris = ["/v2/demo/manifests/v1".to_owned(), blob("demo", b"layer")];
    for uri in &uris {
        let pull = |service: &Service, (): &()| service.get(uri);
        at_every_poll(prepare, pull, async |service, state| {
            pull(service, state).await.expect(200);
        })
        .await;
    }
}

// Time is paused, because the lease of a collection that was cut off ends after a minute.
#[tokio::test(start_paused = true)]
async fn a_collection() {
    let options = GcOptions {
        grace: std::time::Duration::ZERO,
        upload_ttl: std::time::Duration::ZERO,
        untagged: true,
        ..GcOptions::default()
    };
    for polls in 0.. {
        let service = service();
        service.push_image("demo", "v1", "layer").await;
        service.push_image("demo", "v2", "another").await;
        service.delete("/v2/demo/manifests/v2").await.expect(202);
        service.push_blob("demo", "unused").await;
        let done = dropped(service.registry.collect(&options), polls).await.is_some();
        service.get("/v2/demo/manifests/v1").await.expect(200);
        service.get(&blob("demo", b"layer")).await.expect(200);
        let rest = service.registry.collect(&options).await.unwrap();
        assert_eq!(rest.used, 3);
        for gone in [&b"unused"[..], b"another"] {
            service.get(&blob("demo", gone)).await.expect(404);
        }
        if done {
            assert!(polls > 20);
            break;
        }
    }
}
