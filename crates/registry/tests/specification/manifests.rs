//! "Pushing Manifests": 32, 33, 63 to 75; and what a manifest has to be.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    Answer, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Service, digest, image, index, sha512,
    streamed,
};

const V1: &str = "/v2/demo/manifests/v1";

/// A service with the blobs of `image(&[b"layer"])` in `demo`.
async fn with_blobs() -> Service {
    let service = Service::new();
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", "layer").await;
    service
}

async fn push(service: &Service, uri: &str, kind: &str, content: impl Into<String>) -> Answer {
    service.send("PUT", uri, &[("content-type", kind)], content.into()).await
}

// 32. A registry MUST initially accept an otherwise valid manifest with a `subject` field that references
// a manifest that does not exist in the repository.
#[tokio::test]
async fn a_manifest_about_one_that_does_not_exist_is_taken() {
    let service = with_blobs().await;
    let mut manifest = image(&[b"layer"]);
    manifest["subject"] = crate::support::descriptor(OCI_MANIFEST, b"not there");
    push(&service, V1, OCI_MANIFEST, manifest.to_string()).await.expect(201);
}

// 33. When a manifest is rejected for this reason [a reference to a manifest or blob that does not exist],
// it MUST result in one or more `MANIFEST_BLOB_UNKNOWN` errors.
#[tokio::test]
async fn a_manifest_with_missing_references_is_manifest_blob_unknown() {
    let service = with_blobs().await;
    let no_layer = image(&[b"layer", b"not there"]);
    let mut no_config = image(&[b"layer"]);
    no_config["config"]["digest"] = digest(b"not there").into();
    let no_child = index(&[&digest(b"not there")]);
    // A blob is no manifest.
    let blob_as_child = index(&[&digest(b"layer")]);
    let cases = [
        (no_layer, OCI_MANIFEST),
        (no_config, OCI_MANIFEST),
        (no_child, OCI_INDEX),
        (blob_as_child, OCI_INDEX),
    ];
    for (manifest, kind) in cases {
        let answer = push(&service, V1, kind, manifest.to_string()).await;
        assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN", "{manifest}");
        assert!(answer.status.is_client_error());
        service.get(V1).await.expect(404);
    }
}

// 33. (what another repository has is not in this one)
#[tokio::test]
async fn a_layer_of_another_repository_is_a_missing_reference() {
    let service = with_blobs().await;
    let uri = "/v2/other/manifests/v1";
    let answer = push(&service, uri, OCI_MANIFEST, image(&[b"layer"]).to_string()).await;
    assert_eq!(answer.code(), "MANIFEST_BLOB_UNKNOWN");
}

// 63. The registry SHOULD ignore parameters on the `Content-Type` header.
#[tokio::test]
async fn parameters_of_the_content_type_are_ignored() {
    let service = with_blobs().await;
    let kind = format!("{OCI_MANIFEST} ; charset=utf-8");
    push(&service, V1, &kind, image(&[b"layer"]).to_string()).await.expect(201);
}

// 64. All manifests SHOULD include a `mediaType` field declaring the type of the manifest being pushed.
#[tokio::test]
async fn a_manifest_without_media_type_is_taken_as_its_content_type() {
    let service = with_blobs().await;
    let mut manifest = image(&[b"layer"]);
    manifest.as_object_mut().unwrap().remove("mediaType");
    push(&service, V1, OCI_MANIFEST, manifest.to_string()).await.expect(201);
    assert_eq!(service.get(V1).await.expect(200).header("content-type"), OCI_MANIFEST);
}

// 66. The `<reference>` MUST be either a) a digest or b) a tag.
#[tokio::test]
async fn a_manifest_is_pushed_by_tag_and_by_digest() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    for reference in ["v1", &digest(content.as_bytes()), &sha512(content.as_bytes())] {
        let uri = format!("/v2/demo/manifests/{reference}");
        push(&service, &uri, OCI_MANIFEST, content.clone()).await.expect(201);
        assert_eq!(service.get(&uri).await.expect(200).body, content);
    }
}

// 68. The registry MUST store the manifest in the exact byte representation provided by the client.
#[tokio::test]
async fn a_manifest_is_stored_byte_for_byte() {
    let service = with_blobs().await;
    let content = format!("{:#}\n\t ", image(&[b"layer"])).replace("\"size\"", "  \"size\" ");
    push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
    assert_eq!(service.get(V1).await.expect(200).body, content);
    let parts: Vec<_> = content.as_bytes().chunks(7).map(<[u8]>::to_vec).collect();
    service.send("PUT", "/v2/demo/manifests/v2", &[], streamed(parts)).await.expect(201);
    assert_eq!(service.get("/v2/demo/manifests/v2").await.expect(200).body, content);
}

// 69. Upon a successful upload, the registry MUST return response code `201 Created`, and MUST have
// `Location` ... a pullable manifest URL.
#[tokio::test]
async fn a_pushed_manifest_is_201_with_a_location_that_can_be_pulled() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    let put = push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
    assert_eq!(service.get(put.header("location")).await.expect(200).body, content);
}

// 70. The Docker-Content-Digest header returns the canonical digest of the uploaded blob, and MUST be
// equal to the client provided digest.
#[tokio::test]
async fn a_pushed_manifest_is_answered_with_the_digest_it_was_pushed_by() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    for named in [digest(content.as_bytes()), sha512(content.as_bytes())] {
        let uri = format!("/v2/demo/manifests/{named}");
        let put = push(&service, &uri, OCI_MANIFEST, content.clone()).await.expect(201);
        assert_eq!(put.header("docker-content-digest"), named);
    }
}

// 70. (and is refused under another)
#[tokio::test]
async fn a_manifest_of_another_digest_is_refused() {
    let service = with_blobs().await;
    for wrong in [digest(b"other"), sha512(b"other")] {
        let uri = format!("/v2/demo/manifests/{wrong}");
        let answer = push(&service, &uri, OCI_MANIFEST, image(&[b"layer"]).to_string()).await;
        assert_eq!(answer.expect(400).code(), "DIGEST_INVALID");
        service.get(&uri).await.expect(404);
    }
}

// 72. An attempt to pull a nonexistent repository MUST return response code `404 Not Found`.
#[tokio::test]
async fn what_is_in_no_repository_is_404() {
    let service = Service::new();
    let named = digest(b"");
    for kind in ["manifests/v1", "tags/list", &format!("blobs/{named}")] {
        service.get(&format!("/v2/none/{kind}")).await.expect(404);
    }
}

fn padded(size: usize) -> String {
    let mut manifest = image(&[b"layer"]);
    manifest["annotations"] = json!({ "pad": "" });
    let missing = size - manifest.to_string().len();
    manifest["annotations"]["pad"] = "x".repeat(missing).into();
    manifest.to_string()
}

// 73. A registry SHOULD enforce some limit on the maximum manifest size that it can accept.
// 74. A registry that enforces this limit SHOULD respond ... with `413 Payload Too Large`.
#[tokio::test]
async fn a_manifest_over_the_limit_is_413() {
    let service = with_blobs().await;
    let content = padded((4 << 20) + 1);
    push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(413);
    let parts: Vec<_> = content.as_bytes().chunks(1 << 20).map(<[u8]>::to_vec).collect();
    service.send("PUT", V1, &[], streamed(parts)).await.expect(413);
    service.get(V1).await.expect(404);
}

// 75. ... SHOULD expect to be able to support manifest pushes of at least 4 megabytes.
#[tokio::test]
async fn a_manifest_of_four_megabytes_is_taken() {
    let service = with_blobs().await;
    let content = padded(4 << 20);
    push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
    assert_eq!(service.get(V1).await.expect(200).body, content);
}

async fn refused(kind: &str, manifest: &Value) {
    let service = with_blobs().await;
    let answer = push(&service, V1, kind, manifest.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{kind} {manifest}");
    assert_eq!(answer.code(), "MANIFEST_INVALID");
    service.get(V1).await.expect(404);
}

#[tokio::test]
async fn a_manifest_of_another_media_type_than_its_content_type_is_refused() {
    refused(DOCKER_MANIFEST, &image(&[b"layer"])).await;
    refused(OCI_INDEX, &image(&[b"layer"])).await;
    refused(OCI_MANIFEST, &index(&[])).await;
}

#[tokio::test]
async fn a_manifest_that_could_be_read_as_two_things_is_refused() {
    let mut both = image(&[b"layer"]);
    both["manifests"] = json!([]);
    refused(OCI_MANIFEST, &both).await;
    both.as_object_mut().unwrap().remove("mediaType");
    refused(OCI_INDEX, &both).await;
}

#[tokio::test]
async fn a_manifest_of_another_schema_version_is_refused() {
    for version in [json!(1), json!(null), json!("2"), json!(3)] {
        let mut manifest = image(&[b"layer"]);
        manifest["schemaVersion"] = version;
        refused(OCI_MANIFEST, &manifest).await;
    }
}

#[tokio::test]
async fn a_manifest_that_refers_to_no_digest_is_refused() {
    for wrong in ["", "sha256:", "md5:00", "../../etc"] {
        let mut manifest = image(&[b"layer"]);
        manifest["layers"][0]["digest"] = wrong.into();
        refused(OCI_MANIFEST, &manifest).await;
        let mut manifest = image(&[b"layer"]);
        manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": wrong });
        refused(OCI_MANIFEST, &manifest).await;
    }
}

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let service = with_blobs().await;
    for content in ["", "null", "[]", "{", "{}{}", "\u{feff}{}", "\"x\"", &"[".repeat(100_000)] {
        let answer = push(&service, V1, OCI_MANIFEST, content).await.expect(400);
        assert_eq!(answer.code(), "MANIFEST_INVALID");
    }
}

// "However, the list of blobs MAY be empty."
#[tokio::test]
async fn a_manifest_without_layers_is_taken() {
    let service = with_blobs().await;
    push(&service, V1, OCI_MANIFEST, image(&[]).to_string()).await.expect(201);
    push(&service, V1, OCI_INDEX, index(&[]).to_string()).await.expect(201);
}

#[tokio::test]
async fn tags_in_the_query_name_what_is_pushed_by_digest() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    let uri = format!("/v2/demo/manifests/{}?tag=a&tag=b", digest(content.as_bytes()));
    let put = push(&service, &uri, OCI_MANIFEST, content.clone()).await.expect(201);
    assert_eq!(put.header("oci-tag"), "a, b");
    for tag in ["a", "b"] {
        let got = service.get(&format!("/v2/demo/manifests/{tag}")).await.expect(200);
        assert_eq!(got.body, content);
    }
}
