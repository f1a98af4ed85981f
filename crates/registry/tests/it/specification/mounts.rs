//! "Mounting a blob from another repository": 58 and 60.

use crate::support::{Service, blob, digest, sha512};

fn mount(content: &[u8], from: &str) -> String {
    format!("/v2/other/blobs/uploads/?mount={}{from}", digest(content))
}

// 58. The response to a successful mount MUST be `201 Created`, and MUST contain `Location`.
#[tokio::test]
async fn a_mount_is_201_with_a_location_that_can_be_pulled() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    let mounted = service.post(&mount(b"content", "&from=demo")).await.expect(201);
    assert_eq!(mounted.header("location"), blob("other", b"content"));
    assert_eq!(mounted.header("docker-content-digest"), digest(b"content"));
    assert_eq!(service.get(mounted.header("location")).await.expect(200).body, "content");
    assert_eq!(service.uploads().await, 0);
}

// "The registry MAY treat the `from` parameter as optional, and it MAY cross-mount the blob if it can be
// found."
#[tokio::test]
async fn a_mount_without_from_finds_the_blob() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    service.post(&mount(b"content", "")).await.expect(201);
    service.get(&blob("other", b"content")).await.expect(200);
}

// 60. If a registry ... is unable to mount the requested blob, it SHOULD return a `202`.
#[tokio::test]
async fn a_mount_of_a_missing_blob_begins_an_upload() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    for (content, from) in
        [(&b"unknown"[..], "&from=demo"), (b"unknown", ""), (b"content", "&from=empty")]
    {
        let begun = service.post(&mount(content, from)).await.expect(202);
        let upload = begun.header("location");
        service.patch(upload, "0-4", "hello").await.expect(202);
        service.put(upload, b"hello").await.expect(201);
    }
}

#[tokio::test]
async fn a_mount_of_a_malformed_digest_begins_an_upload() {
    let service = Service::new();
    for digest in ["sha256:1", "", "md5:d41d8cd98f00b204e9800998ecf8427e", "..", "a%00b", "*"] {
        let uri = format!("/v2/other/blobs/uploads/?mount={digest}&from=demo");
        let begun = service.post(&uri).await.expect(202);
        service.put(begun.header("location"), b"").await.expect(201);
    }
}

#[tokio::test]
async fn a_mount_from_an_invalid_name_begins_an_upload() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    for from in ["UPPER", "", "..", "localhost:5000/demo", "demo/", "a%20b", "%ff"] {
        let begun = service.post(&mount(b"content", &format!("&from={from}"))).await.expect(202);
        service.put(begun.header("location"), b"").await.expect(201);
    }
    service.post("/v2/other/blobs/uploads/?from=demo").await.expect(202);
    service.get(&blob("other", b"content")).await.expect(404);
}

#[tokio::test]
async fn the_first_of_several_mounts_counts() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    let unknown = format!("&mount={}&from=demo", digest(b"unknown"));
    let mounted = service.post(&mount(b"content", &unknown)).await.expect(201);
    assert_eq!(mounted.header("docker-content-digest"), digest(b"content"));
}

#[tokio::test]
async fn a_mounted_blob_stays_when_its_source_is_deleted() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    service.post(&mount(b"content", "&from=demo")).await.expect(201);
    service.delete(&blob("demo", b"content")).await.expect(202);
    service.get(&blob("demo", b"content")).await.expect(404);
    service.get(&blob("other", b"content")).await.expect(200);
}

#[tokio::test]
async fn a_blob_is_mounted_by_the_algorithm_that_it_was_pushed_by() {
    let service = Service::new();
    let named = sha512(b"content");
    let uri = format!("/v2/demo/blobs/uploads/?digest={named}");
    service.send("POST", &uri, &[], "content").await.expect(201);
    let uri = format!("/v2/other/blobs/uploads/?mount={named}&from=demo");
    let mounted = service.post(&uri).await.expect(201);
    assert_eq!(mounted.header("docker-content-digest"), named);
    service.post(&mount(b"content", "&from=demo")).await.expect(202);
}
