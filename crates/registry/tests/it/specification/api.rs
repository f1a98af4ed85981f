//! "API": properties of every endpoint.

use crate::support::{Service, blob, digest};

// "If the response is `200 OK`, then the registry implements this specification."
#[tokio::test]
async fn the_base_confirms_that_the_specification_is_implemented() {
    let service = Service::new();
    for path in ["/v2/", "/v2"] {
        let response = service.get(path).await.expect(200);
        assert_eq!(response.json(), serde_json::json!({}));
    }
}

#[tokio::test]
async fn every_response_has_the_version_header_that_docker_reads() {
    let service = Service::new();
    service.push_image("demo", "v1", "layer").await;
    let upload = service.start("demo").await;
    let requests = [
        ("GET", "/v2/"),
        ("GET", "/v2/_catalog"),
        ("GET", "/v2/demo/manifests/v1"),
        ("GET", "/v2/demo/manifests/none"),
        ("GET", &blob("demo", b"layer")),
        ("HEAD", &blob("demo", b"unknown")),
        ("POST", "/v2/demo/blobs/uploads/"),
        ("PATCH", &upload),
        ("GET", "/v2/demo/nothing"),
        ("TRACE", "/v2/"),
    ];
    for (method, path) in requests {
        let response = service.send(method, path, &[], "").await;
        assert_eq!(response.header("docker-distribution-api-version"), "registry/2.0", "{path}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body_everywhere() {
    let service = Service::new();
    let image = service.push_image("demo", "v1", "layer").await;
    let upload = service.start("demo").await;
    let referrers = format!("/v2/demo/referrers/{image}");
    let paths = [
        "/v2/",
        "/v2/_catalog",
        "/v2/demo/tags/list",
        "/v2/demo/manifests/v1",
        "/v2/demo/manifests/none",
        "/v2/none/tags/list",
        &referrers,
        &blob("demo", b"layer"),
        &blob("demo", b"unknown"),
        &upload,
    ];
    for path in paths {
        let (head, get) = (service.head(path).await, service.get(path).await);
        assert_eq!(head.status, get.status, "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
    }
}

#[tokio::test]
async fn the_colon_of_a_digest_may_be_encoded() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    let path = blob("demo", b"content").replace(':', "%3A");
    service.get(&path).await.expect(200);
    let encoded = digest(b"content").replace(':', "%3A");
    let mount = format!("/v2/other/blobs/uploads/?mount={encoded}&from=demo");
    service.post(&mount).await.expect(201);
}

#[tokio::test]
async fn uploads_begin_with_and_without_a_slash_at_the_end() {
    let service = Service::new();
    for path in ["/v2/demo/blobs/uploads/", "/v2/demo/blobs/uploads"] {
        service.post(path).await.expect(202);
    }
}

#[tokio::test]
async fn other_paths_are_404() {
    let service = Service::new();
    for path in ["/v2/demo", "/v2/demo/tags", "/v2/demo/other/x", "/v3/", "/v2/tags/list"] {
        service.get(path).await.expect(404);
    }
}
