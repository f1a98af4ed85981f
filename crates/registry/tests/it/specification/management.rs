//! "Content Management": 111 to 119, and the options that turn it off.

use http::StatusCode;

use crate::support::{OCI_INDEX, OCI_MANIFEST, Service, blob, digest, image, index};

const V1: &str = "/v2/demo/manifests/v1";

async fn with_image(service: Service) -> (Service, String) {
    let digest = service.push_image("demo", "v1", "layer").await;
    (service, format!("/v2/demo/manifests/{digest}"))
}

/// A service with an image, and these options.
async fn with_image_and_options(
    options: impl Fn(
        storage_driver_registry::RegistryBuilder,
    ) -> storage_driver_registry::RegistryBuilder,
) -> (Service, String) {
    let (service, by_digest) = with_image(Service::new()).await;
    (Service::over(service.store, options), by_digest)
}

// 111. Upon success, the registry MUST respond with a `202 Accepted` code. (tags)
// "Once deleted, a `GET` to `/v2/<name>/manifests/<tag>` will return a 404."
#[tokio::test]
async fn a_tag_is_deleted_with_202_and_its_manifest_stays() {
    let (service, by_digest) = with_image(Service::new()).await;
    service.delete(V1).await.expect(202);
    service.get(V1).await.expect(404);
    service.get(&by_digest).await.expect(200);
    service.delete(V1).await.expect(404);
}

// 112. If tag deletion is disabled, the registry MUST respond with either `400` or `405`.
#[tokio::test]
async fn the_deletion_of_tags_that_is_turned_off_is_405() {
    let options: [fn(
        storage_driver_registry::RegistryBuilder,
    ) -> storage_driver_registry::RegistryBuilder; 3] =
        [|it| it.allow_delete(false), |it| it.read_only(true), |it| it.immutable_tags(true)];
    for options in options {
        let (service, _) = with_image_and_options(options).await;
        let response = service.delete(V1).await.expect(405);
        assert_eq!(response.code(), "UNSUPPORTED");
        service.get(V1).await.expect(200);
    }
}

// 113. Upon success, the registry MUST respond with a `202 Accepted` code. (manifests)
// "Once deleted, a `GET` to ... that digest and any tag pointing to that digest will return a 404."
#[tokio::test]
async fn a_manifest_is_deleted_with_202_and_its_tags_with_it() {
    let (service, by_digest) = with_image(Service::new()).await;
    let content = service.get(V1).await.body;
    service.send("PUT", "/v2/demo/manifests/v2", &[], content).await.expect(201);
    service.push_image("demo", "other", "another layer").await;
    service.delete(&by_digest).await.expect(202);
    for path in [&by_digest, V1, "/v2/demo/manifests/v2"] {
        service.get(path).await.expect(404);
    }
    let tags = service.get("/v2/demo/tags/list").await.json();
    assert_eq!(tags["tags"], serde_json::json!(["other"]));
    service.delete(&by_digest).await.expect(404);
}

// 114. If the repository does not exist, the response MUST return `404 Not Found`.
#[tokio::test]
async fn a_deletion_in_a_missing_repository_is_404() {
    let (service, by_digest) = with_image(Service::new()).await;
    let blob = blob("other", b"layer");
    for path in [&by_digest.replace("demo", "other"), "/v2/other/manifests/v1", &blob] {
        service.delete(path).await.expect(404);
    }
    service.get(&by_digest).await.expect(200);
}

// 115. If manifest deletion is disabled, the registry MUST respond with either `400` or `405`.
#[tokio::test]
async fn the_deletion_of_manifests_that_is_turned_off_is_405() {
    let options: [fn(
        storage_driver_registry::RegistryBuilder,
    ) -> storage_driver_registry::RegistryBuilder; 2] =
        [|it| it.allow_delete(false), |it| it.read_only(true)];
    for options in options {
        let (service, by_digest) = with_image_and_options(options).await;
        assert_eq!(service.delete(&by_digest).await.expect(405).code(), "UNSUPPORTED");
        service.get(&by_digest).await.expect(200);
    }
}

// 117. Upon success, the registry MUST respond with code `202 Accepted`. (blobs)
#[tokio::test]
async fn a_blob_is_deleted_with_202() {
    let (service, _) = with_image(Service::new()).await;
    service.delete(&blob("demo", b"layer")).await.expect(202);
    service.get(&blob("demo", b"layer")).await.expect(404);
    service.push_blob("demo", "layer").await;
    service.get(&blob("demo", b"layer")).await.expect(200);
}

// 118. If the blob is not found, a `404 Not Found` code MUST be returned.
#[tokio::test]
async fn the_deletion_of_a_missing_blob_is_404() {
    let (service, _) = with_image(Service::new()).await;
    service.push_blob("other", "content").await;
    for path in [blob("demo", b"unknown"), blob("demo", b"content")] {
        assert_eq!(service.delete(&path).await.expect(404).code(), "BLOB_UNKNOWN");
    }
    service.get(&blob("other", b"content")).await.expect(200);
}

// 119. If blob deletion is disabled, the registry MUST respond with either `400` or `405`.
#[tokio::test]
async fn the_deletion_of_blobs_that_is_turned_off_is_405() {
    let options: [fn(
        storage_driver_registry::RegistryBuilder,
    ) -> storage_driver_registry::RegistryBuilder; 2] =
        [|it| it.allow_delete(false), |it| it.read_only(true)];
    for options in options {
        let (service, _) = with_image_and_options(options).await;
        let response = service.delete(&blob("demo", b"layer")).await.expect(405);
        assert_eq!(response.code(), "UNSUPPORTED");
        service.get(&blob("demo", b"layer")).await.expect(200);
    }
}

#[tokio::test]
async fn a_read_only_registry_serves_pulls_and_refuses_pushes() {
    let (service, by_digest) = with_image_and_options(|it| it.read_only(true)).await;
    for path in ["/v2/", V1, &by_digest, &blob("demo", b"layer"), "/v2/demo/tags/list"] {
        service.get(path).await.expect(200);
    }
    let upload = "/v2/demo/blobs/uploads/00000000-0000-4000-8000-000000000000";
    let finish = format!("{upload}?digest={}", digest(b""));
    let uploads = "/v2/demo/blobs/uploads/";
    let mount = format!("{uploads}?mount={}&from=demo", digest(b"layer"));
    let requests = [
        ("POST", uploads),
        ("POST", &mount),
        ("PATCH", upload),
        ("PUT", &finish),
        ("DELETE", upload),
        ("PUT", V1),
    ];
    for (method, path) in requests {
        let response = service.send(method, path, &[], "").await.expect(405);
        assert_eq!(response.code(), "UNSUPPORTED", "{method} {path}");
    }
}

#[tokio::test]
async fn an_immutable_tag_stays_with_its_manifest() {
    let (service, by_digest) = with_image(Service::with(|it| it.immutable_tags(true))).await;
    let put =
        |manifest: String| service.send("PUT", V1, &[("content-type", OCI_MANIFEST)], manifest);
    let response = put(image(&[]).to_string()).await;
    assert_eq!((response.status, response.code().as_str()), (StatusCode::FORBIDDEN, "DENIED"));
    // A repeated push of the same manifest is accepted.
    put(image(&[b"layer"]).to_string()).await.expect(201);
    let got = service.get(V1).await.expect(200);
    assert!(by_digest.ends_with(got.header("docker-content-digest")));
}

#[tokio::test]
async fn a_tag_moves_to_the_last_push() {
    let (service, by_digest) = with_image(Service::new()).await;
    let moved = service.push_manifest("demo", "v1", OCI_INDEX, &index(&[])).await;
    assert_eq!(service.get(V1).await.expect(200).header("docker-content-digest"), moved);
    service.get(&by_digest).await.expect(200);
}

#[tokio::test]
async fn an_index_may_be_sparse_where_that_is_allowed() {
    let service = Service::with(|it| it.sparse_indexes(true));
    let index = index(&[&digest(b"not there")]);
    service.push_manifest("demo", "v1", OCI_INDEX, &index).await;
    service.get(V1).await.expect(200);
}

#[tokio::test]
async fn content_of_an_immutable_tag_cannot_be_deleted() {
    let service = Service::with(|it| it.immutable_tags(true));
    service.push_blob("demo", "{}").await;
    service.push_blob("demo", "layer").await;
    let image = image(&[b"layer"]);
    let child = digest(image.to_string().as_bytes());
    service.push_manifest("demo", &child, OCI_MANIFEST, &image).await;
    let inner = service.push_manifest("demo", "inner", OCI_INDEX, &index(&[&child])).await;
    let outer = service.push_manifest("demo", "outer", OCI_INDEX, &index(&[&inner])).await;
    let manifest = |digest: &str| format!("/v2/demo/manifests/{digest}");
    let layer = format!("/v2/demo/blobs/{}", digest(b"layer"));
    let config = format!("/v2/demo/blobs/{}", digest(b"{}"));
    for uri in [manifest(&outer), manifest(&inner), manifest(&child), layer, config] {
        let response = service.delete(&uri).await.expect(405);
        assert_eq!(response.code(), "UNSUPPORTED", "{uri}");
        service.get(&uri).await.expect(200);
    }
    for tag in ["inner", "outer"] {
        service.get(&manifest(tag)).await.expect(200);
    }
}

#[tokio::test]
async fn content_without_an_immutable_tag_can_be_deleted() {
    let service = Service::with(|it| it.immutable_tags(true));
    service.push_image("demo", "v1", "layer").await;
    let unused = service.push_blob("demo", "unused").await;
    let untagged = image(&[b"layer", b"layer"]);
    let untagged_digest = digest(untagged.to_string().as_bytes());
    service.push_manifest("demo", &untagged_digest, OCI_MANIFEST, &untagged).await;
    service.delete(&format!("/v2/demo/manifests/{untagged_digest}")).await.expect(202);
    service.delete(&format!("/v2/demo/blobs/{unused}")).await.expect(202);
    service.get("/v2/demo/manifests/v1").await.expect(200);
}
