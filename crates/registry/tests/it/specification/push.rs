//! "Pushing blobs": 34 to 57.

use axum::body::Body;

use crate::support::{Service, blob, broken, digest, sha512, with_digest};

const UPLOADS: &str = "/v2/demo/blobs/uploads/";

// 34. Upon success, the response MUST have a code of `202 Accepted`, and MUST include `Location`.
// 35. The `<location>` MUST contain a UUID representing a unique session ID for the upload to follow.
#[tokio::test]
async fn an_upload_begins_with_202_and_a_location_of_its_own() {
    let service = Service::new();
    let mut seen = Vec::new();
    for _ in 0..10 {
        let begun = service.post(UPLOADS).await.expect(202);
        let location = begun.header("location").to_owned();
        let id = location.strip_prefix(UPLOADS).unwrap();
        assert!(uuid::Uuid::try_parse(id).is_ok(), "{id}");
        assert_eq!(begun.header("docker-upload-uuid"), id);
        assert!(!seen.contains(&location));
        seen.push(location);
    }
}

// 38. Upon successful completion of the request, the response MUST have code `201 Created` and MUST have
// `Location` ... a pullable blob URL.
#[tokio::test]
async fn post_then_put_is_201_with_a_location_that_can_be_pulled() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let uri = with_digest(&upload, &digest(b"content"));
    let put = service.send("PUT", &uri, &[], "content").await.expect(201);
    assert_eq!(service.get(put.header("location")).await.expect(200).body, "content");
}

// 39. The `Content-Length` header MUST match the blob's actual content length.
#[tokio::test]
async fn a_body_that_ends_too_early_publishes_nothing() {
    let service = Service::new();
    let uri = format!("{UPLOADS}?digest={}", digest(b"content"));
    service.send("POST", &uri, &[], broken("content")).await.expect(400);
    service.get(&blob("demo", b"content")).await.expect(404);
    assert_eq!(service.uploads().await, 0);
}

// 40. Likewise, the `<digest>` MUST match the blob's digest.
#[tokio::test]
async fn a_single_post_of_another_digest_is_refused() {
    let service = Service::new();
    let uri = format!("{UPLOADS}?digest={}", digest(b"other"));
    let response = service.send("POST", &uri, &[], "content").await.expect(400);
    assert_eq!(response.code(), "DIGEST_INVALID");
    for content in [&b"content"[..], b"other"] {
        service.get(&blob("demo", content)).await.expect(404);
    }
    assert_eq!(service.uploads().await, 0);
}

// 40. (with POST, then PUT)
#[tokio::test]
async fn a_put_of_another_digest_is_refused() {
    let service = Service::new();
    let upload = service.start("demo").await;
    for content in [&b"other"[..], b"contents"] {
        let uri = with_digest(&upload, &digest(content));
        let response = service.send("PUT", &uri, &[], "content").await.expect(400);
        assert_eq!(response.code(), "DIGEST_INVALID");
        service.get(&blob("demo", content)).await.expect(404);
    }
}

// 40. (of another algorithm than the one that was computed)
#[tokio::test]
async fn a_put_of_another_sha512_is_refused() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-6", "content").await.expect(202);
    let uri = with_digest(&upload, &sha512(b"other"));
    let response = service.send("PUT", &uri, &[], "").await.expect(400);
    assert_eq!(response.code(), "DIGEST_INVALID");
    service.get(&format!("/v2/demo/blobs/{}", sha512(b"other"))).await.expect(404);
}

// 42. Successful completion of the request MUST return a `201 Created` and MUST include `Location`.
#[tokio::test]
async fn a_single_post_is_201_with_a_location_that_can_be_pulled() {
    let service = Service::new();
    for named in [digest(b"content"), sha512(b"content")] {
        let uri = format!("{UPLOADS}?digest={named}");
        let put = service.send("POST", &uri, &[], "content").await.expect(201);
        assert_eq!(put.header("docker-content-digest"), named);
        assert_eq!(service.get(put.header("location")).await.expect(200).body, "content");
    }
}

// 44. If the registry has a minimum chunk size, the `POST` response SHOULD include `OCI-Chunk-Min-Length`.
#[tokio::test]
async fn a_chunk_may_have_any_size() {
    let service = Service::new();
    let begun = service.post(UPLOADS).await.expect(202);
    assert_eq!(begun.headers.get("oci-chunk-min-length"), None);
    let upload = begun.header("location");
    for (at, byte) in (0..5).zip(["h", "e", "l", "l", "o"]) {
        service.patch(upload, &format!("{at}-{at}"), byte).await.expect(202);
    }
    service.put(upload, b"hello").await.expect(201);
}

// 45. The `<range>` refers to the byte range of the chunk, and MUST be inclusive on both ends.
#[tokio::test]
async fn a_range_that_is_not_inclusive_is_refused() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let response = service.patch(&upload, "0-5", "hello").await.expect(400);
    assert_eq!(response.code(), "SIZE_INVALID");
    service.patch(&upload, "0-4", "hello").await.expect(202);
}

// 46. The first chunk's range MUST begin with `0`.
#[tokio::test]
async fn a_first_chunk_with_another_offset_is_416() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "1-5", "hello").await.expect(416);
    service.patch(&upload, "0-4", "hello").await.expect(202);
}

// 47. It MUST match the following regular expression: `^[0-9]+-[0-9]+$`
#[tokio::test]
async fn a_range_of_another_form_is_refused() {
    let service = Service::new();
    let upload = service.start("demo").await;
    for range in ["0", "-4", "0-", "a-b", "0-4-5", " 0 - 4", "4-0", "0x0-0x4"] {
        let response = service.patch(&upload, range, "hello").await.expect(400);
        assert_eq!(response.code(), "BLOB_UPLOAD_INVALID", "{range}");
    }
    service.assert_upload_size(&upload, "0-0").await;
}

// 49. Each successful chunk upload MUST have a `202 Accepted` response code, and MUST have the following
// headers: `Location: <location>`, `Range: 0-<end-of-range>`.
#[tokio::test]
async fn a_chunk_is_202_with_location_and_range() {
    let service = Service::new();
    let upload = service.start("demo").await;
    for (range, chunk, expected) in [("0-4", "hello", "0-4"), ("5-10", " world", "0-10")] {
        let response = service.patch(&upload, range, chunk).await.expect(202);
        assert_eq!((response.header("location"), response.header("range")), (&*upload, expected));
    }
}

// 49. (without a Content-Range, as Docker's client sends chunks)
#[tokio::test]
async fn a_chunk_without_a_range_is_appended() {
    let service = Service::new();
    let upload = service.start("demo").await;
    for (chunk, range) in [("hello", "0-4"), (" world", "0-10")] {
        let response = service.send("PATCH", &upload, &[], chunk).await.expect(202);
        assert_eq!(response.header("range"), range);
    }
    service.put(&upload, b"hello world").await.expect(201);
}

// 51. Chunks MUST be uploaded in order, with the first byte of a chunk being the last chunk's
// `<end-of-range>` plus one.
// 52. If a chunk is uploaded out of order, the registry MUST respond with a `416` code.
#[tokio::test]
async fn a_chunk_out_of_order_is_416() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    for range in ["0-4", "4-8", "6-10"] {
        service.patch(&upload, range, "world").await.expect(416);
    }
    service.patch(&upload, "5-9", "world").await.expect(202);
    service.put(&upload, b"helloworld").await.expect(201);
}

// 53. Regardless of how the final chunk is uploaded, the session MUST be closed with a `PUT` request.
#[tokio::test]
async fn nothing_is_published_before_the_session_is_closed() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    service.get(&blob("demo", b"hello")).await.expect(404);
    service.put(&upload, b"hello").await.expect(201);
    service.get(&blob("demo", b"hello")).await.expect(200);
}

// 54. The closing `PUT` request MUST include the `<digest>` of the whole blob (not the final chunk).
#[tokio::test]
async fn a_put_without_the_digest_of_the_whole_is_refused() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    let of_the_chunk = with_digest(&upload, &digest(b" world"));
    for uri in [upload.clone(), format!("{upload}?digest="), of_the_chunk] {
        let response = service.send("PUT", &uri, &[], "").await.expect(400);
        assert_eq!(response.code(), "DIGEST_INVALID", "{uri}");
    }
}

// 55. The response to a successful closing of the session MUST be `201 Created`, and MUST contain
// `Location`.
#[tokio::test]
async fn a_session_is_closed_with_201_and_a_location_that_can_be_pulled() {
    let service = Service::new();
    for (last, range) in [("", None), (" world", Some("5-10"))] {
        let upload = service.start("demo").await;
        service.patch(&upload, "0-4", "hello").await.expect(202);
        let whole = format!("hello{last}");
        let uri = with_digest(&upload, &digest(whole.as_bytes()));
        let headers: Vec<_> = range.map(|range| ("content-range", range)).into_iter().collect();
        let put = service.send("PUT", &uri, &headers, last).await.expect(201);
        assert_eq!(put.header("docker-content-digest"), digest(whole.as_bytes()));
        assert_eq!(service.get(put.header("location")).await.expect(200).body, whole);
    }
}

// 56. The response to an active upload `<location>` MUST be a `204 No Content` response code, and MUST
// have the following headers: `Location: <location>`, `Range: 0-<end-of-range>`.
#[tokio::test]
async fn an_active_upload_is_204_with_location_and_range() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    service.patch(&upload, "9-9", "!").await.expect(416);
    for method in ["GET", "HEAD"] {
        let response = service.send(method, &upload, &[], "").await.expect(204);
        assert_eq!((response.header("location"), response.header("range")), (&*upload, "0-4"));
    }
}

#[tokio::test]
async fn an_upload_is_cancelled_with_204() {
    let service = Service::new();
    let upload = service.start("demo").await;
    service.patch(&upload, "0-4", "hello").await.expect(202);
    service.delete(&upload).await.expect(204);
    for method in ["GET", "PATCH", "DELETE"] {
        let response = service.send(method, &upload, &[], Body::empty()).await.expect(404);
        assert_eq!(response.code(), "BLOB_UPLOAD_UNKNOWN");
    }
    assert_eq!(service.uploads().await, 0);
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository() {
    let service = Service::new();
    let upload = service.start("demo").await;
    let elsewhere = upload.replace("demo", "other");
    service.get(&elsewhere).await.expect(404);
    service.patch(&elsewhere, "0-4", "hello").await.expect(404);
}
