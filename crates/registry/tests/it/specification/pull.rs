//! "Pull": 4 to 31.

use crate::support::{OCI_INDEX, OCI_MANIFEST, Service, blob, digest, image, index, sha512};

/// A service with an image `demo:v1`, and the path of its manifest by digest.
async fn with_image() -> (Service, String) {
    let service = Service::new();
    let digest = service.push_image("demo", "v1", "layer").await;
    (service, format!("/v2/demo/manifests/{digest}"))
}

// 4. All registries conforming to this specification MUST support, at a minimum, all APIs in the Pull
// category.
#[tokio::test]
async fn all_of_the_pull_category_is_served() {
    let (service, by_digest) = with_image().await;
    for path in ["/v2/", "/v2/demo/manifests/v1", &by_digest, &blob("demo", b"layer")] {
        service.get(path).await.expect(200);
        service.head(path).await.expect(200);
    }
}

// 5. Registries SHOULD also support the Push, Content Discovery, and Content Management categories.
// 6. A registry claiming conformance with one of these MUST implement all APIs in the claimed category.
#[tokio::test]
async fn every_endpoint_of_the_table_is_served() {
    let (service, by_digest) = with_image().await;
    let upload = service.start("demo").await;
    let (layer, config) = (digest(b"layer"), blob("demo", b"{}"));
    let close = format!("{}?digest={}", service.start("demo").await, digest(b""));
    let single = format!("/v2/demo/blobs/uploads/?digest={}", digest(b""));
    let mount = format!("/v2/other/blobs/uploads/?mount={layer}&from=demo");
    let referrers = by_digest.replace("manifests", "referrers");
    let filtered = format!("{referrers}?artifactType=a/b");
    let manifest = image(&[b"layer"]).to_string();
    let requests = [
        ("GET", "/v2/", 200),
        ("GET", &blob("demo", b"layer"), 200),
        ("HEAD", &blob("demo", b"layer"), 200),
        ("GET", "/v2/demo/manifests/v1", 200),
        ("HEAD", "/v2/demo/manifests/v1", 200),
        ("POST", "/v2/demo/blobs/uploads/", 202),
        ("POST", &single, 201),
        ("PATCH", &upload, 202),
        ("PUT", &close, 201),
        ("PUT", "/v2/demo/manifests/v2", 201),
        ("GET", "/v2/demo/tags/list", 200),
        ("GET", "/v2/demo/tags/list?n=1&last=v1", 200),
        ("POST", &mount, 201),
        ("GET", &referrers, 200),
        ("GET", &filtered, 200),
        ("GET", &upload, 204),
        ("DELETE", "/v2/demo/manifests/v2", 202),
        ("DELETE", &by_digest, 202),
        ("DELETE", &config, 202),
    ];
    for (method, path, status) in requests {
        let body = if path.contains("manifests") { manifest.clone() } else { String::new() };
        let response = service.send(method, path, &[], body).await;
        assert_eq!(response.status, status, "{method} {path}: {response:?}");
    }
}

// 7. `<reference>` MUST be either (a) the digest of the manifest or (b) a tag.
#[tokio::test]
async fn a_manifest_is_pulled_by_tag_and_by_digest() {
    let (service, by_digest) = with_image().await;
    let by_tag = service.get("/v2/demo/manifests/v1").await.expect(200);
    assert_eq!(by_tag.body, service.get(&by_digest).await.expect(200).body);
}

// 8. The `<reference>` MUST NOT be in any other format.
#[tokio::test]
async fn a_reference_of_another_format_is_refused() {
    let (service, _) = with_image().await;
    for (reference, status) in [(".v1", 404), ("-v1", 404), ("v1%20", 404), ("sha256:00", 400)] {
        let path = format!("/v2/demo/manifests/{reference}");
        let body = image(&[b"layer"]).to_string();
        service.get(&path).await.expect(status);
        let put = service.send("PUT", &path, &[("content-type", OCI_MANIFEST)], body).await;
        put.expect(400);
    }
}

// 9. Throughout this document, `<name>` MUST match the following regular expression: ...
#[tokio::test]
async fn a_name_that_does_not_match_is_refused() {
    let service = Service::new();
    for name in ["A", "a..b", "a/-b", "a___b", "_a", "a.", "a//b", "%20", "a%00"] {
        let response = service.post(&format!("/v2/{name}/blobs/uploads/")).await.expect(400);
        assert_eq!(response.code(), "NAME_INVALID", "{name}");
    }
}

// 9. (names that match are accepted)
#[tokio::test]
async fn a_name_that_matches_the_grammar_is_accepted() {
    let service = Service::new();
    for name in ["a", "0/1", "a.b/c_d/e__f/g-h/i---j", &"n".repeat(255)] {
        service.push_image(name, "v1", "layer").await;
        service.get(&format!("/v2/{name}/manifests/v1")).await.expect(200);
    }
}

// 10. `<reference>` as a tag MUST be at most 128 characters in length and MUST match ...
#[tokio::test]
async fn a_tag_has_at_most_128_characters() {
    let service = Service::new();
    service.push_image("demo", &"t".repeat(128), "layer").await;
    let uri = format!("/v2/demo/manifests/{}", "t".repeat(129));
    let put = service.send("PUT", &uri, &[], image(&[b"layer"]).to_string()).await.expect(400);
    assert_eq!(put.code(), "MANIFEST_INVALID");
}

// 12. The registry SHOULD NOT include parameters on the `Content-Type` header.
#[tokio::test]
async fn the_content_type_of_a_manifest_has_no_parameters() {
    let (service, by_digest) = with_image().await;
    let put = service.get(&by_digest).await.body;
    let headers = [("content-type", "application/vnd.oci.image.manifest.v1+json; charset=utf-8")];
    service.send("PUT", "/v2/demo/manifests/v2", &headers, put).await.expect(201);
    let got = service.get("/v2/demo/manifests/v2").await.expect(200);
    assert_eq!(got.header("content-type"), OCI_MANIFEST);
}

// 14. The `Content-Type` header SHOULD match what the client pushed as the manifest's `Content-Type`.
#[tokio::test]
async fn the_content_type_of_a_manifest_is_the_one_that_was_pushed() {
    let service = Service::new();
    let image = service.push_image("demo", "v1", "layer").await;
    service.push_manifest("demo", "index", OCI_INDEX, &index(&[&image])).await;
    let own = serde_json::json!({ "hello": "world" });
    service.push_manifest("demo", "own", "application/vnd.example+json", &own).await;
    let pushed =
        [("v1", OCI_MANIFEST), ("index", OCI_INDEX), ("own", "application/vnd.example+json")];
    for (tag, expected) in pushed {
        let got = service.get(&format!("/v2/demo/manifests/{tag}")).await.expect(200);
        assert_eq!(got.header("content-type"), expected);
    }
}

// 16. A GET request to an existing manifest URL MUST provide the expected manifest, with a response code
// that MUST be `200 OK`.
#[tokio::test]
async fn an_existing_manifest_is_200() {
    let (service, by_digest) = with_image().await;
    let got = service.get(&by_digest).await.expect(200);
    assert_eq!(got.body, image(&[b"layer"]).to_string());
}

// 17. A successful response SHOULD contain the digest of the uploaded blob in the header
// `Docker-Content-Digest`.
#[tokio::test]
async fn a_manifest_has_its_digest_as_a_header() {
    let (service, by_digest) = with_image().await;
    for path in ["/v2/demo/manifests/v1", &by_digest] {
        let got = service.get(path).await.expect(200);
        assert_eq!(got.header("docker-content-digest"), digest(&got.body));
    }
}

// 20. If the manifest is not found in the repository, the response code MUST be `404 Not Found`.
#[tokio::test]
async fn a_missing_manifest_is_404() {
    let (service, _) = with_image().await;
    let unknown = format!("/v2/demo/manifests/{}", digest(b""));
    for path in ["/v2/demo/manifests/v2", "/v2/other/manifests/v1", &unknown] {
        assert_eq!(service.get(path).await.expect(404).code(), "MANIFEST_UNKNOWN");
    }
}

// 20. (a manifest of another repository)
#[tokio::test]
async fn a_manifest_of_another_repository_is_404() {
    let (service, by_digest) = with_image().await;
    service.push_image("other", "v1", "another layer").await;
    service.get(&by_digest.replace("demo", "other")).await.expect(404);
}

// 21. A GET request to an existing blob URL MUST provide the expected blob, with a response code that
// MUST be `200 OK`.
#[tokio::test]
async fn an_existing_blob_is_200() {
    let (service, _) = with_image().await;
    assert_eq!(service.get(&blob("demo", b"layer")).await.expect(200).body, "layer");
}

// 22. A successful response SHOULD contain the digest of the uploaded blob in the header
// `Docker-Content-Digest`.
// 23. If present, the value of this header MUST be a digest matching that of the response body.
#[tokio::test]
async fn a_blob_has_its_digest_as_a_header() {
    let service = Service::new();
    let by_512 = format!("/v2/demo/blobs/{}", sha512(b"content"));
    service.push_blob("demo", "content").await;
    let single = format!("/v2/demo/blobs/uploads/?digest={}", sha512(b"content"));
    service.send("POST", &single, &[], "content").await.expect(201);
    let got = service.get(&blob("demo", b"content")).await.expect(200);
    assert_eq!(got.header("docker-content-digest"), digest(&got.body));
    let got = service.get(&by_512).await.expect(200);
    assert_eq!(got.header("docker-content-digest"), sha512(&got.body));
}

// 26. If the blob is not found in the repository, the response code MUST be `404 Not Found`.
#[tokio::test]
async fn a_missing_blob_is_404() {
    let (service, _) = with_image().await;
    service.push_blob("other", "of another repository").await;
    for content in [&b"unknown"[..], b"of another repository"] {
        let response = service.get(&blob("demo", content)).await.expect(404);
        assert_eq!(response.code(), "BLOB_UNKNOWN");
    }
}

// 28. A HEAD request to an existing blob or manifest URL MUST return `200 OK`.
#[tokio::test]
async fn head_of_existing_content_is_200_without_a_body() {
    let (service, by_digest) = with_image().await;
    for path in ["/v2/demo/manifests/v1", &by_digest, &blob("demo", b"layer")] {
        assert_eq!(service.head(path).await.expect(200).body, "");
    }
}

// 29. A successful response SHOULD contain the digest ... in the header `Docker-Content-Digest`.
// 30. A successful response SHOULD contain the size in bytes of the uploaded blob in `Content-Length`.
#[tokio::test]
async fn head_has_the_digest_and_the_size_of_get() {
    let (service, by_digest) = with_image().await;
    for path in ["/v2/demo/manifests/v1", &by_digest, &blob("demo", b"layer")] {
        let (head, get) = (service.head(path).await, service.get(path).await);
        assert_eq!(head.header("docker-content-digest"), digest(&get.body));
        assert_eq!(head.header("content-length"), get.body.len().to_string());
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

// 31. If the blob or manifest is not found in the repository, the response code MUST be 404.
#[tokio::test]
async fn head_of_missing_content_is_404() {
    let (service, by_digest) = with_image().await;
    let other = by_digest.replace("demo", "other");
    for path in ["/v2/demo/manifests/v2", &other, &blob("demo", b"unknown")] {
        service.head(path).await.expect(404);
    }
}
