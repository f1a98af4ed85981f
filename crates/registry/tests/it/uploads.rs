//! Uploads: requests in any order, with connections that break.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{
    Response, Service, blob, broken, digest, poll_once, sha512, slow, streamed, with_digest,
};
use axum::body::Body;
use bytes::Bytes;
use futures::{SinkExt, channel::mpsc::Sender};
use http::StatusCode;
use inmemory::InMemory;
use storage_driver::Operation;
use storage_driver_conformance::layers::{Faulty, Yielding};
use tokio::task::JoinHandle;

/// A request that has sent `hello ` to an upload. The upload has received it. The sender continues the body.
async fn half_sent(
    service: &Service,
    upload: &str,
) -> (Sender<io::Result<Bytes>>, JoinHandle<Response>) {
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", upload, &[], body));
    sender.send(Ok("hello ".into())).await.unwrap();
    while service.get(upload).await.header("range") != "0-5" {
        tokio::task::yield_now().await;
    }
    (sender, request)
}

#[tokio::test]
async fn a_blob_pushed_in_chunks_is_pulled_unchanged() {
    let service = Service::new();
    let upload = service.start("demo/app").await;
    let patched = service.patch(&upload, "0-5", "hello ").await.expect(202);
    assert_eq!(patched.header("range"), "0-5");
    assert_eq!(patched.header("location"), upload);
    let uri = with_digest(&upload, &digest(b"hello world"));
    let put = service.send("PUT", &uri, &[], "world").await.expect(201);
    assert_eq!(put.header("location"), blob("demo/app", b"hello world"));

    let got = service.get(&blob("demo/app", b"hello world")).await.expect(200);
    assert_eq!(got.header("content-length"), "11");
    assert_eq!(got.header("docker-content-digest"), digest(b"hello world"));
    assert_eq!(got.body, "hello world");
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn uploads_work_on_a_driver_that_yields_often() {
    let store = InMemory::new();
    let driver = Arc::new(Yielding::new(store.clone()));
    let service = Service::on(driver, store, |builder| builder);
    service.push_image("demo", "v1", "a layer").await;
    let got = service.get(&blob("demo", b"a layer")).await.expect(200);
    assert_eq!(got.body, "a layer");
}

#[tokio::test]
async fn a_blob_larger_than_a_segment_is_pulled_unchanged() {
    let service = Service::new();
    let large: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let upload = service.start("demo").await;
    let body = streamed(large.chunks(70_001).map(<[u8]>::to_vec));
    service.send("PATCH", &upload, &[], body).await.expect(202);
    service.put(&upload, &large).await.expect(201);
    assert_eq!(service.get(&blob("demo", &large)).await.expect(200).body, large);
}

#[tokio::test]
async fn a_body_that_breaks_leaves_the_upload_resumable() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let response = service.send("PATCH", &upload, &[], broken("hello ")).await.expect(400);
    assert_eq!(response.header("range"), "0-5");
    service.assert_upload_size(&upload, "0-5").await;

    service.patch(&upload, "6-10", "world").await.expect(202);
    service.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn a_last_chunk_that_breaks_publishes_nothing() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let uri = with_digest(&upload, &digest(b"hello "));
    service.send("PUT", &uri, &[], broken("hello ")).await.expect(400);
    service.get(&blob("demo", b"hello ")).await.expect(404);
    service.put(&upload, b"hello ").await.expect(201);
}

#[tokio::test]
async fn a_request_that_is_dropped_leaves_the_upload_resumable_with_its_digest() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let mut request = service.send("PATCH", &upload, &[], body);
    poll_once(&mut request);
    sender.send(Ok("hello ".into())).await.unwrap();
    sender.flush().await.unwrap();
    drop(request); // The handler is dropped with its connection,
    drop(sender); // and the body too.
    while service.get(&upload).await.header("range") != "0-5" {
        tokio::task::yield_now().await;
    }
    service.patch(&upload, "6-10", "world").await.expect(202);
    service.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn a_client_that_reconnects_does_not_wait_for_its_dead_connection() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, dead) = half_sent(&service, &upload).await;
    service.patch(&upload, "6-10", "world").await.expect(202);
    // Bytes that the dead connection still delivers are not added.
    sender.send(Ok("HELLO".into())).await.unwrap();
    dead.await.unwrap().expect(409);
    service.assert_upload_size(&upload, "0-10").await;
    service.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn a_wrong_offset_is_refused_and_disturbs_no_other_request() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, request) = half_sent(&service, &upload).await;
    let response = service.patch(&upload, "7-11", "world").await.expect(416);
    assert_eq!(response.header("range"), "0-5");
    assert_eq!(response.header("location"), upload);
    sender.send(Ok("world".into())).await.unwrap();
    drop(sender);
    request.await.unwrap().expect(202);
    service.assert_upload_size(&upload, "0-10").await;
}

#[tokio::test]
async fn an_upload_is_of_its_repository_alone() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let elsewhere = upload.replace("/demo/", "/other/");
    let (mut sender, request) = half_sent(&service, &upload).await;
    service.get(&elsewhere).await.expect(404);
    service.patch(&elsewhere, "6-10", "world").await.expect(404);
    service.delete(&elsewhere).await.expect(404);
    sender.send(Ok("world".into())).await.unwrap();
    drop(sender);
    request.await.unwrap().expect(202);
    service.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn the_response_to_a_chunk_out_of_order_has_the_size_of_the_upload() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-5", "hello ").await.expect(202);
    for range in ["0-4", "7-11", "5-9"] {
        let response = service.patch(&upload, range, "world").await.expect(416);
        assert_eq!(response.header("range"), "0-5", "{range}");
    }
    let uri = with_digest(&upload, &digest(b"hello world"));
    service.send("PUT", &uri, &[("content-range", "0-4")], "world").await.expect(416);
    service.send("PUT", &uri, &[("content-range", "6-10")], "world").await.expect(201);
}

#[tokio::test]
async fn a_content_range_of_another_length_is_refused_before_bytes_are_accepted() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-9", "hello ").await.expect(400);
    for range in ["", "6", "9-6", "6-x", "6-18446744073709551615", "6-18446744073709551616", "+0-5"]
    {
        service.patch(&upload, range, "world").await.expect(400);
    }
    service.assert_upload_size(&upload, "0-0").await;
    service.patch(&upload, "0-5", "hello ").await.expect(202);
}

#[tokio::test]
async fn a_body_longer_than_its_content_range_is_cut_off_there() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let body = streamed([b"hello ".to_vec(), b"world".to_vec()]);
    service.patch(&upload, "0-5", body).await.expect(400);
    service.assert_upload_size(&upload, "0-5").await;
    service.put(&upload, b"hello ").await.expect(201);
}

#[tokio::test]
async fn a_wrong_digest_publishes_nothing_and_loses_nothing() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    let response = service.put(&upload, b"something else").await.expect(400);
    assert_eq!(response.code(), "DIGEST_INVALID");
    for content in [&b"hello"[..], b"something else"] {
        service.get(&blob("demo", content)).await.expect(404);
    }
    service.put(&upload, b"hello").await.expect(201);
}

#[tokio::test]
async fn a_malformed_digest_is_refused_at_the_end_of_an_upload() {
    let service = Service::new();
    let upload = service.start("demo").await;
    for query in ["", "?digest=", "?digest=sha256:00", "?digest=md5:00", "?other=1"] {
        let response =
            service.send("PUT", &format!("{upload}{query}"), &[], Body::empty()).await.expect(400);
        assert_eq!(response.code(), "DIGEST_INVALID", "{query}");
    }
}

#[tokio::test]
async fn a_blob_that_exists_can_be_pushed_again() {
    let service = Service::new();
    service.push_blob("demo", "hello").await;
    service.push_blob("demo", "hello").await;
    assert_eq!(service.get(&blob("demo", b"hello")).await.expect(200).body, "hello");
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn an_upload_that_ended_is_not_found() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    service.delete(&upload).await.expect(204);
    assert_eq!(service.uploads().await, 0);
    for method in ["GET", "PATCH", "DELETE"] {
        let response = service.send(method, &upload, &[], Body::empty()).await;
        assert_eq!(response.expect(404).headers.get("location"), None, "{method}");
    }
    let response = service.put(&upload, b"hello").await.expect(404);
    assert_eq!(response.code(), "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn an_upload_cancelled_while_it_is_written_to_ends() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &upload, &[], body));
    sender.send(Ok("hello ".into())).await.unwrap();
    sender.flush().await.unwrap();
    service.delete(&upload).await.expect(204);
    let _ = sender.send(Ok("world".into())).await;
    drop(sender);
    assert_eq!(request.await.unwrap().status, StatusCode::CONFLICT);
    service.get(&upload).await.expect(404);
}

#[tokio::test]
async fn finishing_twice_has_the_same_response() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    service.put(&upload, b"hello").await.expect(201);
    // The response was lost, and the client repeats the request.
    service.put(&upload, b"hello").await.expect(201);
    service.put(&upload, b"other").await.expect(404);
}

#[tokio::test]
async fn a_digest_of_another_algorithm_than_was_computed_is_found_by_reading() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    let wrong = with_digest(&upload, &sha512(b"other"));
    let uri = with_digest(&upload, &sha512(b"hello"));
    service.send("PUT", &uri, &[], Body::empty()).await.expect(201);
    let got = service.get(&format!("/v2/demo/blobs/{}", sha512(b"hello"))).await.expect(200);
    assert_eq!(got.body, "hello");
    service.send("PUT", &wrong, &[], Body::empty()).await.expect(404);
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn an_algorithm_announced_at_the_beginning_is_computed_on_the_way() {
    let service = Service::new();
    let begun = service.post("/v2/demo/blobs/uploads/?digest-algorithm=sha512").await.expect(202);
    let upload = begun.header("location").to_owned();
    let patched = service.patch(&upload, "0-4", "hello").await.expect(202);
    let upload = patched.header("location");
    let uri = with_digest(upload, &sha512(b"hello world"));
    service.send("PUT", &uri, &[], " world").await.expect(201);
    service.post("/v2/demo/blobs/uploads/?digest-algorithm=md5").await.expect(400);
}

#[tokio::test]
async fn another_registry_on_the_same_store_continues_an_upload() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-5", "hello ").await.expect(202);

    let other = Service::over(service.store.clone(), |builder| builder);
    other.patch(&upload, "6-10", "world").await.expect(202);
    service.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn an_upload_to_a_full_store_loses_nothing_and_continues_when_there_is_room() {
    let service = Service::over(InMemory::builder().capacity(8 << 20).build(), |builder| {
        builder.gc_grace(std::time::Duration::ZERO)
    });
    let large = vec![7; 5 << 20];
    service.push_blob("demo", large.clone()).await;

    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    let second = vec![8; 4 << 20];
    let range = format!("5-{}", second.len() + 4);
    let body = streamed(second.chunks(1 << 20).map(<[u8]>::to_vec));
    let response = service.patch(&upload, &range, body).await.expect(507);
    let kept: usize = response.header("range").strip_prefix("0-").unwrap().parse().unwrap();

    service.delete(&blob("demo", &large)).await.expect(202);
    let options = storage_driver_registry::GcOptions {
        grace: std::time::Duration::ZERO,
        ..Default::default()
    };
    let report = service.registry.collect(&options).await.unwrap();
    assert_eq!((report.blobs, report.bytes), (1, 5 << 20));

    let whole = [b"hello", &*second].concat();
    let range = format!("{}-{}", kept + 1, whole.len() - 1);
    service.patch(&upload, &range, whole[kept + 1..].to_vec()).await.expect(202);
    service.put(&upload, &whole).await.expect(201);
}

#[tokio::test]
async fn a_blob_over_the_limit_is_refused_and_its_received_bytes_are_kept() {
    let service = Service::with(|builder| builder.max_blob_size(8));
    let upload = service.start("demo").await;
    service.send("PATCH", &upload, &[], "123456789").await.expect(413);
    service.send("PATCH", &upload, &[], streamed([vec![1; 6], vec![2; 6]])).await.expect(413);
    service.assert_upload_size(&upload, "0-5").await;
    service.patch(&upload, "6-7", vec![1; 2]).await.expect(202);
    service.put(&upload, &[1; 8]).await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_is_ended_and_its_received_bytes_are_kept() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &upload, &[], body));
    sender.send(Ok("hello".into())).await.unwrap();
    let response = request.await.unwrap().expect(408);
    assert_eq!(response.header("range"), "0-4");
    service.put(&upload, b"hello").await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_slow_body_has_no_bound_on_its_whole_time() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &upload, &[], body));
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_secs(59)).await;
        sender.send(Ok(vec![0; 4096].into())).await.unwrap();
    }
    drop(sender);
    request.await.unwrap().expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_trickles_is_ended() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &upload, &[], body));
    let trickle = tokio::spawn(async move {
        while sender.send(Ok("x".into())).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        }
    });
    request.await.unwrap().expect(408);
    trickle.await.unwrap();
}

#[tokio::test]
async fn one_upload_too_many_gets_a_429_with_a_retry_after() {
    let service = Service::with(|builder| builder.max_uploads(1));
    let (first, second) = (service.start("demo").await, service.start("demo").await);
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &first, &[], body));
    sender.send(Ok("hello".into())).await.unwrap();
    let response = service.patch(&second, "0-4", "hello").await.expect(429);
    assert_eq!(
        (response.code().as_str(), response.header("retry-after")),
        ("TOOMANYREQUESTS", "1")
    );
    drop(sender);
    request.await.unwrap().expect(202);
    service.patch(&second, "0-4", "hello").await.expect(202);
}

#[tokio::test]
async fn a_server_that_shuts_down_keeps_received_bytes() {
    let shutdown = storage_driver_registry::Shutdown::new();
    let service = Service::with(|builder| builder.shutdown(&shutdown));
    let upload = service.start("demo").await;
    let (mut sender, body) = slow();
    let request = tokio::spawn(service.send("PATCH", &upload, &[], body));
    sender.send(Ok("hello ".into())).await.unwrap();
    sender.flush().await.unwrap();
    shutdown.interrupt();
    let response = request.await.unwrap().expect(503);
    assert_eq!(response.header("range"), "0-5");

    let next = Service::over(service.store.clone(), |builder| builder);
    next.patch(&upload, "6-10", "world").await.expect(202);
    next.put(&upload, b"hello world").await.expect(201);
}

#[tokio::test]
async fn a_store_that_was_shut_down_is_unavailable() {
    let service = Service::new();
    storage_driver::StorageDriver::shutdown(&service.store).await.unwrap();
    let response = service.post("/v2/demo/blobs/uploads/").await.expect(503);
    assert_eq!(response.header("retry-after"), "5");
}

#[tokio::test]
async fn one_upload_more_than_may_be_in_progress_is_refused_until_another_ends() {
    let service = Service::with(|builder| builder.max_open_uploads(2));
    let first = service.start("demo").await;
    let second = service.start("other").await;
    let refuse = async || {
        let response = service.post("/v2/demo/blobs/uploads/").await.expect(429);
        assert_eq!(response.code(), "TOOMANYREQUESTS");
        assert_eq!(response.header("retry-after"), "60");
    };
    refuse().await;
    service.patch(&first, "0-4", "hello").await.expect(202);
    service.put(&first, b"hello").await.expect(201);
    let third = service.start("demo").await;
    refuse().await;
    service.delete(&second).await.expect(204);
    service.start("demo").await;
    refuse().await;
    service.delete(&third).await.expect(204);
    assert_eq!(service.registry.cancel_uploads(Duration::ZERO).await.unwrap(), 1);
    service.start("demo").await;
    service.start("demo").await;
    refuse().await;
}

#[tokio::test]
async fn an_upload_that_is_finished_again_makes_no_room() {
    let service = Service::with(|builder| builder.max_open_uploads(2));
    let first = service.start("demo").await;
    let finish = with_digest(&first, &digest(b"hello"));
    service.send("PUT", &finish, &[], "hello").await.expect(201);
    service.start("demo").await;
    service.start("demo").await;
    service.send("PUT", &finish, &[], "").await.expect(201);
    service.post("/v2/demo/blobs/uploads/").await.expect(429);
}

#[tokio::test]
async fn uploads_that_another_process_ended_make_room() {
    let service = Service::with(|builder| builder.max_open_uploads(1));
    let other = Service::over(service.store.clone(), |builder| builder);
    let upload = service.start("demo").await;
    other.delete(&upload).await.expect(204);
    service.start("demo").await;
}

#[tokio::test(start_paused = true)]
async fn refused_uploads_cost_one_listing_in_ten_seconds() {
    let store = InMemory::new();
    let driver = Faulty::new(store.clone());
    let service =
        Service::on(Arc::new(driver.clone()), store, |builder| builder.max_open_uploads(3));
    let listings = Arc::new(AtomicUsize::new(0));
    let counter = listings.clone();
    driver.plan(move |call| {
        counter.fetch_add(usize::from(call.operation == Operation::Uploads), Ordering::Relaxed);
        None
    });
    for _ in 0..3 {
        service.start("demo").await;
    }
    assert_eq!(listings.load(Ordering::Relaxed), 0);
    for expected in [1, 2] {
        for _ in 0..5 {
            service.post("/v2/demo/blobs/uploads/").await.expect(429);
        }
        assert_eq!(listings.load(Ordering::Relaxed), expected);
        tokio::time::advance(Duration::from_secs(10)).await;
    }
}
