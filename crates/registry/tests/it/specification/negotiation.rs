//! Content negotiation: which manifest a client gets that sends `Accept`.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::json;
use storage_driver_registry::{AccessRequest, Authorize, Refusal};

use crate::support::{
    DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Response, Service, blob, digest,
};

/// A service with an index `demo:v1` of two images, and the digests of the index and of the images
/// for linux/arm64 and linux/amd64.
async fn with_index() -> (Service, [String; 3]) {
    let service = Service::new();
    let arm = service.push_image("demo", "arm", "for arm").await;
    let amd = service.push_image("demo", "amd", "for amd").await;
    let child = |digest: &str, architecture: &str| {
        json!({
            "mediaType": OCI_MANIFEST, "size": 1, "digest": digest,
            "platform": { "os": "linux", "architecture": architecture },
        })
    };
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [child(&arm, "arm64"), child(&amd, "amd64")],
    });
    let index = service.push_manifest("demo", "v1", OCI_INDEX, &index).await;
    (service, [index, arm, amd])
}

async fn get(service: &Service, reference: &str, accept: &[&str]) -> Response {
    let headers: Vec<_> = accept.iter().map(|it| ("accept", *it)).collect();
    service.send("GET", &format!("/v2/demo/manifests/{reference}"), &headers, "").await
}

#[tokio::test]
async fn a_client_that_takes_indexes_gets_the_index() {
    let (service, [index, ..]) = with_index().await;
    let got = get(&service, "v1", &[OCI_MANIFEST, OCI_INDEX]).await.expect(200);
    assert_eq!((got.header("content-type"), digest(&got.body)), (OCI_INDEX, index));
}

#[tokio::test]
async fn a_client_that_only_takes_images_gets_that_for_linux_on_amd64() {
    let (service, [.., amd]) = with_index().await;
    let got = get(&service, "v1", &[OCI_MANIFEST, DOCKER_MANIFEST]).await.expect(200);
    assert_eq!((got.header("content-type"), digest(&got.body)), (OCI_MANIFEST, amd.clone()));
    assert_eq!(got.header("docker-content-digest"), amd);
}

#[tokio::test]
async fn head_negotiates_as_get_does() {
    let (service, [.., amd]) = with_index().await;
    let accept = [("accept", OCI_MANIFEST)];
    let response = service.send("HEAD", "/v2/demo/manifests/v1", &accept, "").await.expect(200);
    assert_eq!(response.header("docker-content-digest"), amd);
}

#[tokio::test]
async fn an_index_asked_for_by_digest_is_no_other_manifest() {
    let (service, [index, ..]) = with_index().await;
    let response = get(&service, &index, &[OCI_MANIFEST]).await;
    match response.status.as_u16() {
        200 => assert_eq!(digest(&response.body), index),
        status => assert_eq!(status, 404),
    }
}

#[tokio::test]
async fn a_manifest_that_is_not_accepted_is_404() {
    let (service, [_, arm, _]) = with_index().await;
    for reference in ["arm", &arm] {
        let response = get(&service, reference, &[DOCKER_MANIFEST]).await.expect(404);
        assert_eq!(response.code(), "MANIFEST_UNKNOWN");
    }
}

#[tokio::test]
async fn a_client_that_accepts_everything_gets_the_manifest_itself() {
    let (service, [index, ..]) = with_index().await;
    for accept in [&["*/*"][..], &["application/*"], &[], &["text/html, */*;q=0.1"], &[""]] {
        let got = get(&service, "v1", accept).await.expect(200);
        assert_eq!(digest(&got.body), index, "{accept:?}");
    }
}

#[tokio::test]
async fn accepted_types_can_be_in_one_header_or_several() {
    let (service, [index, ..]) = with_index().await;
    let one = format!("{DOCKER_LIST},{OCI_INDEX};q=0.5 , {OCI_MANIFEST}");
    for accept in [&[&*one][..], &[DOCKER_LIST, OCI_INDEX], &[&OCI_INDEX.to_uppercase()]] {
        let got = get(&service, "v1", accept).await.expect(200);
        assert_eq!(digest(&got.body), index, "{accept:?}");
    }
}

#[tokio::test]
async fn an_index_without_linux_on_amd64_is_404_for_a_client_that_accepts_only_images() {
    let (service, [_, arm, _]) = with_index().await;
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [{ "mediaType": OCI_MANIFEST, "size": 1, "digest": arm }],
    });
    service.push_manifest("demo", "other", OCI_INDEX, &index).await;
    get(&service, "other", &[OCI_MANIFEST]).await.expect(404);
}

#[tokio::test]
async fn a_client_that_has_the_manifest_already_gets_304() {
    let (service, [index, ..]) = with_index().await;
    let tag = format!("\"{index}\"");
    let headers = [("if-none-match", &*tag)];
    let response = service.send("GET", "/v2/demo/manifests/v1", &headers, "").await.expect(304);
    assert!(response.body.is_empty());
    let headers = [("if-none-match", "\"other\"")];
    service.send("GET", "/v2/demo/manifests/v1", &headers, "").await.expect(200);
}

#[tokio::test]
async fn negotiated_responses_vary_by_accept() {
    let (service, [index, ..]) = with_index().await;
    let tag = format!("\"{index}\"");
    let cases = [
        ("v1", ("accept", OCI_INDEX), 200),
        ("v1", ("accept", OCI_MANIFEST), 200),
        ("v1", ("accept", DOCKER_MANIFEST), 404),
        (&index, ("accept", OCI_MANIFEST), 404),
        ("unknown", ("accept", OCI_MANIFEST), 404),
        ("v1", ("if-none-match", &*tag), 304),
        ("v1", ("if-match", "\"other\""), 412),
    ];
    for (reference, header, status) in cases {
        for method in ["GET", "HEAD"] {
            let uri = format!("/v2/demo/manifests/{reference}");
            let response = service.send(method, &uri, &[header], "").await.expect(status);
            assert_eq!(response.header("vary"), "Accept", "{method} {reference} {header:?}");
        }
    }
}

#[tokio::test]
async fn responses_that_are_the_same_for_every_client_do_not_vary() {
    let (service, _) = with_index().await;
    for uri in ["/v2/", "/v2/demo/tags/list", "/v2/_catalog", &blob("demo", b"for arm"), "/"] {
        assert_eq!(service.get(uri).await.expect(200).header("vary"), "", "{uri}");
    }
}

/// Admits requests with `Authorization: in`.
struct In;

#[async_trait]
impl Authorize for In {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal> {
        match request.parts.headers.get("authorization") {
            Some(value) if value == "in" => Ok(()),
            _ => Err(Refusal::Unauthorized { challenge: "Other".to_owned() }),
        }
    }
}

#[tokio::test]
async fn responses_of_a_registry_with_users_vary_by_authorization() {
    let (plain, _) = with_index().await;
    let service = Service::over(plain.store, |builder| builder.authorize(Arc::new(In)));
    let manifest = "/v2/demo/manifests/v1";
    for (uri, vary) in [
        (manifest, "Accept, Authorization"),
        ("/v2/_catalog", "Authorization"),
        ("/", "Authorization"),
    ] {
        let response = service.send("GET", uri, &[("authorization", "in")], "").await.expect(200);
        assert_eq!(response.header("vary"), vary, "{uri}");
        assert_eq!(service.get(uri).await.expect(401).header("vary"), vary, "{uri}");
    }
}
