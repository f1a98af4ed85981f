//! "Pushing Manifests": 32, 33, 63 to 75, and the validation of manifests.

use http::StatusCode;
use serde_json::{Value, json};

use crate::support::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Response, Service, digest, image, index,
    sha512, streamed,
};

const V1: &str = "/v2/demo/manifests/v1";

/// A service with the blobs of `image(&[b"layer"])` in `demo`.
async fn with_blobs() -> Service {
    let service = Service::new();
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", "layer").await;
    service
}

async fn push(service: &Service, uri: &str, kind: &str, content: impl Into<String>) -> Response {
    service.send("PUT", uri, &[("content-type", kind)], content.into()).await
}

// 32. A registry MUST initially accept an otherwise valid manifest with a `subject` field that references
// a manifest that does not exist in the repository.
#[tokio::test]
async fn a_manifest_with_a_missing_subject_is_accepted() {
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
    let cases = [(no_layer, OCI_MANIFEST), (no_config, OCI_MANIFEST), (no_child, OCI_INDEX)];
    for (manifest, kind) in cases {
        let response = push(&service, V1, kind, manifest.to_string()).await;
        assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN", "{manifest}");
        assert!(response.status.is_client_error());
        service.get(V1).await.expect(404);
    }
}

// 33. (blobs of other repositories do not count)
#[tokio::test]
async fn a_layer_of_another_repository_is_a_missing_reference() {
    let service = with_blobs().await;
    let uri = "/v2/other/manifests/v1";
    let response = push(&service, uri, OCI_MANIFEST, image(&[b"layer"]).to_string()).await;
    assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN");
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
async fn a_manifest_without_media_type_has_its_content_type() {
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
async fn the_response_to_a_push_has_the_digest_it_was_pushed_by() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    for named in [digest(content.as_bytes()), sha512(content.as_bytes())] {
        let uri = format!("/v2/demo/manifests/{named}");
        let put = push(&service, &uri, OCI_MANIFEST, content.clone()).await.expect(201);
        assert_eq!(put.header("docker-content-digest"), named);
    }
}

// 70. (another digest is refused)
#[tokio::test]
async fn a_manifest_of_another_digest_is_refused() {
    let service = with_blobs().await;
    for wrong in [digest(b"other"), sha512(b"other")] {
        let uri = format!("/v2/demo/manifests/{wrong}");
        let response = push(&service, &uri, OCI_MANIFEST, image(&[b"layer"]).to_string()).await;
        assert_eq!(response.expect(400).code(), "DIGEST_INVALID");
        service.get(&uri).await.expect(404);
    }
}

// 72. An attempt to pull a nonexistent repository MUST return response code `404 Not Found`.
#[tokio::test]
async fn a_manifest_in_a_missing_repository_is_404() {
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
async fn a_manifest_of_four_megabytes_is_accepted() {
    let service = with_blobs().await;
    let content = padded(4 << 20);
    push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
    assert_eq!(service.get(V1).await.expect(200).body, content);
}

fn message(response: &Response) -> String {
    response.json()["errors"][0]["message"].as_str().unwrap().to_owned()
}

async fn refused(kind: &str, manifest: &Value) {
    let service = with_blobs().await;
    let response = push(&service, V1, kind, manifest.to_string()).await;
    assert_eq!(response.status, StatusCode::BAD_REQUEST, "{kind} {manifest}");
    assert_eq!(response.code(), "MANIFEST_INVALID");
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
async fn a_manifest_that_could_be_read_as_two_things_in_another_case_is_refused() {
    for key in ["Manifests", "MANIFESTS", "manifest\u{17F}"] {
        for value in [json!([]), json!(null)] {
            let mut both = image(&[b"layer"]);
            both[key] = value;
            refused(OCI_MANIFEST, &both).await;
        }
    }
    for key in ["Layers", "LAYERS", "Config"] {
        let mut both = index(&[]);
        both[key] = json!({});
        refused(OCI_INDEX, &both).await;
    }
}

#[tokio::test]
async fn a_manifest_of_two_media_types_is_refused() {
    let content = image(&[b"layer"]).to_string();
    for key in ["mediaType", "mediatype"] {
        let content = content.replacen('{', &format!(r#"{{"{key}":"{DOCKER_MANIFEST}","#), 1);
        let service = with_blobs().await;
        let response = service.send("PUT", V1, &[], content).await.expect(400);
        assert!(message(&response).contains("mediaType"), "{response:?}");
    }
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
async fn a_reference_without_a_digest_is_refused() {
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
async fn a_manifest_that_is_not_a_json_object_is_refused() {
    let service = with_blobs().await;
    for content in ["", "null", "[]", "{", "{}{}", "\u{feff}{}", "\"x\"", &"[".repeat(100_000)] {
        let response = push(&service, V1, OCI_MANIFEST, content).await.expect(400);
        assert_eq!(response.code(), "MANIFEST_INVALID");
    }
}

// "However, the list of blobs MAY be empty."
#[tokio::test]
async fn a_manifest_without_layers_is_accepted() {
    let service = with_blobs().await;
    push(&service, V1, OCI_MANIFEST, image(&[]).to_string()).await.expect(201);
    push(&service, V1, OCI_INDEX, index(&[]).to_string()).await.expect(201);
}

#[tokio::test]
async fn tags_in_the_query_are_set_by_a_push_by_digest() {
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

/// Clients in Go push `null` for lists that they never allocated.
#[tokio::test]
async fn lists_that_are_null_are_empty() {
    let config = crate::support::descriptor("application/vnd.oci.image.config.v1+json", b"{}");
    let docker =
        crate::support::descriptor("application/vnd.docker.container.image.v1+json", b"{}");
    // BuildKit and dockerd: `FROM scratch` with a `LABEL`. regctl: `image create`. crane: `index filter`.
    let cases = [
        (OCI_MANIFEST, json!({ "config": config, "layers": null })),
        (OCI_MANIFEST, json!({ "config": config, "layers": null, "annotations": null })),
        (DOCKER_MANIFEST, json!({ "config": docker, "layers": null })),
        (OCI_INDEX, json!({ "manifests": null })),
        (DOCKER_LIST, json!({ "manifests": null })),
    ];
    let service = with_blobs().await;
    for (kind, mut manifest) in cases {
        manifest["schemaVersion"] = 2.into();
        for media_type in [Value::Null, kind.into()] {
            manifest["mediaType"] = media_type;
            let content = format!("{manifest:#}");
            push(&service, V1, kind, content.clone()).await.expect(201);
            assert_eq!(service.get(V1).await.expect(200).body, content);
        }
    }
}

#[tokio::test]
async fn fields_that_are_not_needed_do_not_refuse_a_push() {
    let service = with_blobs().await;
    let odd = ["null", "5", "-1", "1.5", "1e999", r#""x""#, "[]", "{}", r#"{"a":null}"#, "[[[1]]]"];
    let subject = digest(b"subject");
    for odd in odd {
        let manifest = image(&[b"layer"]).to_string();
        let in_root = format!(r#"{{"annotations":{odd},"artifactType":{odd},"other":{odd},"#);
        let in_descriptors = format!(
            r#"{{"annotations":{odd},"urls":{odd},"data":{odd},"platform":{odd},"artifactType":{odd},"#
        );
        let platform = format!(r#"{{"platform":{{"architecture":{odd},"os":{odd}}},"#);
        let size = format!(r#""size":{odd},"#);
        for content in [
            manifest.replacen('{', &in_root, 1),
            manifest.replace(r#"{"digest""#, &format!(r#"{in_descriptors}"digest""#)),
            manifest.replace(r#"{"digest""#, &format!(r#"{platform}"digest""#)),
            manifest.replace(r#""size":5"#, &format!("{size}\"x\":1")),
        ] {
            assert_ne!(content, manifest);
            push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
            let got = service.get(V1).await.expect(200);
            assert_eq!(
                (got.header("content-type"), &got.body[..]),
                (OCI_MANIFEST, content.as_bytes())
            );
        }
    }
    let mut without_size = image(&[b"layer"]);
    without_size["layers"][0].as_object_mut().unwrap().remove("size");
    without_size["subject"] = json!({ "digest": subject });
    push(&service, V1, OCI_MANIFEST, without_size.to_string()).await.expect(201);
    without_size["subject"] = Value::Null;
    push(&service, V1, OCI_MANIFEST, without_size.to_string()).await.expect(201);
}

#[tokio::test]
async fn text_that_is_not_unicode_does_not_refuse_a_push() {
    let service = with_blobs().await;
    let manifest = image(&[b"layer"]).to_string().replacen('{', r#"{"annotations":{"a":"?"},"#, 1);
    let content: Vec<u8> =
        manifest.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
    let kind = [("content-type", OCI_MANIFEST)];
    service.send("PUT", V1, &kind, content.clone()).await.expect(201);
    assert_eq!(service.get(V1).await.expect(200).body, content);
}

#[tokio::test]
async fn keys_in_another_case_are_read_as_go_reads_them() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    for (key, other) in [
        ("layers", "Layers"),
        ("config", "CONFIG"),
        ("digest", "Digest"),
        ("schemaVersion", "schemaversion"),
        ("mediaType", "MEDIATYPE"),
    ] {
        let content = content.replace(&format!("\"{key}\""), &format!("\"{other}\""));
        push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
        let missing = content.replace(&digest(b"layer"), &digest(b"not there"));
        let response = push(&service, V1, OCI_MANIFEST, missing).await;
        assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN", "{other}");
    }
}

#[tokio::test]
async fn every_value_of_a_key_that_occurs_twice_has_to_be_there() {
    let service = with_blobs().await;
    let content = image(&[b"layer"]).to_string();
    let other = |layer: &[u8]| format!(r#"[{{"digest":"{}"}}]"#, digest(layer));
    for key in ["layers", "Layers"] {
        let twice = |layer| content.replacen('{', &format!("{{\"{key}\":{},", other(layer)), 1);
        push(&service, V1, OCI_MANIFEST, twice(b"layer")).await.expect(201);
        let response = push(&service, V1, OCI_MANIFEST, twice(b"not there")).await;
        assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN");
    }
    let named = format!("\"digest\":\"{}\"", digest(b"layer"));
    let twice = format!("\"digest\":\"{}\",{named}", digest(b"not there"));
    let response = push(&service, V1, OCI_MANIFEST, content.replace(&named, &twice)).await;
    assert_eq!(response.code(), "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_field_that_is_needed_and_cannot_be_understood_is_named() {
    let cases = [
        ("/layers", json!({}), "layers"),
        ("/layers", json!("x"), "layers"),
        ("/layers/1", json!(null), "layers[1].digest"),
        ("/layers/1", json!([]), "layers[1]"),
        ("/layers/1", json!("x"), "layers[1]"),
        ("/layers/1", json!({}), "layers[1].digest"),
        ("/layers/1/digest", json!(null), "layers[1].digest"),
        ("/layers/1/digest", json!(5), "layers[1].digest"),
        ("/layers/1/digest", json!("sha256:00"), "layers[1].digest"),
        ("/config", json!(null), "config"),
        ("/config", json!([]), "config"),
        ("/config/digest", json!(""), "config.digest"),
        ("/subject", json!([]), "subject"),
        ("/subject", json!({}), "subject.digest"),
        ("/subject/digest", json!("x"), "subject.digest"),
        ("/mediaType", json!(5), "mediaType"),
        ("/schemaVersion", json!(2.5), "schemaVersion"),
    ];
    let service = with_blobs().await;
    for (place, value, named) in cases {
        let mut manifest = image(&[b"layer", b"layer"]);
        manifest["subject"] = crate::support::descriptor(OCI_MANIFEST, b"subject");
        *manifest.pointer_mut(place).unwrap() = value;
        let response = push(&service, V1, OCI_MANIFEST, manifest.to_string()).await.expect(400);
        assert_eq!(response.code(), "MANIFEST_INVALID");
        let words = message(&response);
        assert!(words.split(' ').any(|word| word == named), "{named}: {words}");
    }
    let children = json!([{ "digest": digest(b"layer") }, { "digest": "x" }]);
    let index = json!({ "schemaVersion": 2, "manifests": children });
    let response = push(&service, V1, OCI_INDEX, index.to_string()).await.expect(400);
    assert!(message(&response).starts_with("manifests[1].digest "), "{response:?}");
}

#[tokio::test]
async fn an_array_is_no_manifest_and_no_descriptor() {
    let service = with_blobs().await;
    let descriptor = format!(r#"["application/x",5,"{}"]"#, digest(b"layer"));
    let as_list = format!(r#"{{"schemaVersion":2,"config":{descriptor},"layers":[{descriptor}]}}"#);
    for kind in ["application/json", OCI_MANIFEST] {
        for content in ["[]", "[2]", &as_list] {
            push(&service, V1, kind, content).await.expect(400);
        }
    }
}

/// BuildKit's cache, exported with `image-manifest=false`.
#[tokio::test]
async fn an_index_of_blobs_and_manifests_is_accepted() {
    let service = with_blobs().await;
    let manifest = service.push_image("demo", "v2", "layer").await;
    let mut cache = index(&[&digest(b"layer"), &digest(b"{}"), &manifest]);
    cache["manifests"][0]["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip".into();
    cache["manifests"][1]["mediaType"] = "application/vnd.buildkit.cacheconfig.v0".into();
    push(&service, V1, OCI_INDEX, cache.to_string()).await.expect(201);
}

#[tokio::test]
async fn media_types_that_a_browser_renders_are_refused() {
    let service = with_blobs().await;
    let long = format!("application/{}", "a".repeat(300));
    for kind in
        ["text/html", "image/svg+xml", "application/xhtml+xml", "application/xml", "html", &long]
    {
        let response = push(&service, V1, kind, "{}").await.expect(400);
        assert!(message(&response).starts_with("Content-Type "), "{response:?}");
        let field = json!({ "mediaType": kind }).to_string();
        let response = service.send("PUT", V1, &[], field).await.expect(400);
        assert!(message(&response).starts_with("mediaType "), "{response:?}");
        assert!(response.body.len() < 400);
    }
    let field = json!({ "mediaType": format!("application/{}", "a".repeat(3 << 20)) }).to_string();
    let response = service.send("PUT", V1, &[], field).await.expect(400);
    assert!(response.body.len() < 400);
    push(&service, V1, "application/vnd.example.thing+json", "{}").await.expect(201);
}

#[tokio::test]
async fn a_stored_manifest_of_a_type_that_browsers_render_is_served_as_bytes() {
    let service = with_blobs().await;
    for kind in ["text/html", "image/svg+xml", "application/xhtml+xml", "a\r\nb: c"] {
        let content = json!({ "mediaType": kind, "x": "<script>" }).to_string();
        let digest = service.store_manifest(content.clone()).await;
        let got = service.get(&format!("/v2/demo/manifests/{digest}")).await.expect(200);
        assert_eq!(got.header("content-type"), "application/octet-stream");
        assert_eq!(got.body, content);
    }
}

#[tokio::test]
async fn manifests_of_another_registry_are_read_leniently() {
    let service = with_blobs().await;
    let image = image(&[b"layer"]).to_string();
    let child = |platform: &str| {
        let digest = digest(b"child");
        format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"{digest}","platform":{platform}}}]}}"#
        )
    };
    let cases = [
        (OCI_MANIFEST, image.replace(r#""size":5"#, r#""size":-1"#)),
        (OCI_MANIFEST, image.replace(r#","size":5"#, "")),
        (OCI_MANIFEST, image.replacen('{', r#"{"annotations":{"a":null},"#, 1)),
        (OCI_MANIFEST, image.replacen('{', r#"{"annotations":[],"subject":5,"#, 1)),
        (OCI_MANIFEST, r#"{"schemaVersion":2,"config":{},"layers":null}"#.to_owned()),
        (OCI_MANIFEST, r#"{"schemaVersion":2,"Config":null,"Layers":[null,5]}"#.to_owned()),
        (OCI_INDEX, child(r#"{"architecture":null,"os":null}"#)),
        (OCI_INDEX, child("null")),
        (OCI_INDEX, r#"{"schemaVersion":"2","manifests":null}"#.to_owned()),
    ];
    for (kind, content) in cases {
        let digest = service.store_manifest(content.clone()).await;
        let accept = [("accept", kind)];
        let uri = format!("/v2/demo/manifests/{digest}");
        let got = service.send("GET", &uri, &accept, "").await.expect(200);
        assert_eq!((got.header("content-type"), &got.body[..]), (kind, content.as_bytes()));
        service.delete(&uri).await.expect(202);
    }
}

#[tokio::test]
async fn a_large_manifest_is_pulled_by_tag_and_for_a_client_without_indexes() {
    let service = with_blobs().await;
    let content = padded(1 << 20);
    push(&service, V1, OCI_MANIFEST, content.clone()).await.expect(201);
    let mut list = index(&[&digest(content.as_bytes())]);
    list["manifests"][0]["platform"] = json!({ "architecture": "amd64", "os": "linux" });
    push(&service, "/v2/demo/manifests/v2", OCI_INDEX, list.to_string()).await.expect(201);
    for tag in ["v1", "v2"] {
        let uri = format!("/v2/demo/manifests/{tag}");
        let got = service.send("GET", &uri, &[("accept", OCI_MANIFEST)], "").await.expect(200);
        assert_eq!(got.header("content-length"), content.len().to_string());
        assert_eq!(got.body, content);
    }
}

#[tokio::test]
async fn a_layer_that_is_named_many_times_is_looked_up_once() {
    let store = inmemory::InMemory::new();
    let driver = storage_driver_conformance::layers::Faulty::new(store.clone());
    let service = Service::on(std::sync::Arc::new(driver.clone()), store, |builder| builder);
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", "layer").await;
    let calls = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = calls.clone();
    driver.plan(move |_| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        None
    });
    let layer = format!(r#"{{"digest":"{}"}}"#, digest(b"layer"));
    let mut manifest = image(&[]).to_string();
    manifest = manifest
        .replace("\"layers\":[]", &format!("\"layers\":[{}]", vec![layer; 43_236].join(",")));
    push(&service, V1, OCI_MANIFEST, manifest).await.expect(201);
    let calls = calls.load(std::sync::atomic::Ordering::Relaxed);
    assert!(calls < 30, "{calls} calls of the driver");
}
