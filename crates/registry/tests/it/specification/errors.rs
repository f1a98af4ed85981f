//! "Error Codes" and "Warnings": 126 to 131.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use storage_driver_registry::{AccessRequest, Authorize, Refusal};

use crate::support::{OCI_MANIFEST, Response, Service, blob, digest, image};

const CODES: [&str; 14] = [
    "BLOB_UNKNOWN",
    "BLOB_UPLOAD_INVALID",
    "BLOB_UPLOAD_UNKNOWN",
    "DIGEST_INVALID",
    "MANIFEST_BLOB_UNKNOWN",
    "MANIFEST_INVALID",
    "MANIFEST_UNKNOWN",
    "NAME_INVALID",
    "NAME_UNKNOWN",
    "SIZE_INVALID",
    "UNAUTHORIZED",
    "DENIED",
    "UNSUPPORTED",
    "TOOMANYREQUESTS",
];

struct Refuses(Refusal);

#[async_trait]
impl Authorize for Refuses {
    async fn authorize(&self, _: AccessRequest<'_>) -> Result<(), Refusal> {
        Err(self.0.clone())
    }
}

async fn refused(refusal: Refusal) -> Response {
    let refuses = Arc::new(Refuses(refusal));
    Service::with(|it| it.authorize(refuses.clone())).get("/v2/").await
}

/// A response for each code of the table, by its code.
async fn every_error() -> BTreeMap<&'static str, Response> {
    let service = Service::new();
    let upload = service.start("demo").await;
    let unknown = "/v2/demo/blobs/uploads/00000000-0000-4000-8000-000000000000";
    let range = [("content-range", "0-9")];
    let manifest = [("content-type", OCI_MANIFEST)];
    let (v1, missing) = ("/v2/demo/manifests/v1", image(&[b"not there"]).to_string());
    BTreeMap::from([
        ("BLOB_UNKNOWN", service.get(&blob("demo", b"")).await),
        ("BLOB_UPLOAD_INVALID", service.patch(&upload, "x", "").await),
        ("BLOB_UPLOAD_UNKNOWN", service.get(unknown).await),
        ("DIGEST_INVALID", service.put(&upload, b"other").await),
        ("MANIFEST_BLOB_UNKNOWN", service.send("PUT", v1, &manifest, missing).await),
        ("MANIFEST_INVALID", service.send("PUT", v1, &manifest, "{").await),
        ("MANIFEST_UNKNOWN", service.get(v1).await),
        ("NAME_INVALID", service.get("/v2/UPPER/tags/list").await),
        ("NAME_UNKNOWN", service.get("/v2/none/tags/list").await),
        ("SIZE_INVALID", service.send("PATCH", &upload, &range, "short").await),
        ("UNAUTHORIZED", refused(Refusal::Unauthorized { challenge: "Basic".into() }).await),
        ("DENIED", refused(Refusal::Denied).await),
        ("UNSUPPORTED", service.send("PUT", "/v2/", &[], "").await),
        (
            "TOOMANYREQUESTS",
            refused(Refusal::TooMany { retry_after: Duration::from_secs(7) }).await,
        ),
    ])
}

// 126. If the response body is in JSON format, it MUST have the following format: ...
#[tokio::test]
async fn every_error_has_the_format_of_the_specification() {
    for (code, response) in every_error().await {
        assert!(response.status.is_client_error(), "{code}: {response:?}");
        assert_eq!(response.header("content-type"), "application/json");
        let body = response.json();
        assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
        let errors = body["errors"].as_array().unwrap();
        assert!(!errors.is_empty());
        for error in errors {
            let known = ["code", "message", "detail"];
            assert!(error.as_object().unwrap().keys().all(|key| known.contains(&&**key)));
        }
    }
}

// 127. The `code` field MUST be a unique identifier, containing only uppercase alphabetic characters and
// underscores.
#[tokio::test]
async fn every_code_is_of_uppercase_letters_and_underscores() {
    for (_, response) in every_error().await {
        let code = response.code();
        assert!(code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'), "{code}");
    }
}

// 128. The `message` field is OPTIONAL, and if present, it SHOULD be a human readable string.
#[tokio::test]
async fn every_message_is_a_line_for_a_person() {
    for (_, response) in every_error().await {
        let body = response.json();
        let Value::String(message) = &body["errors"][0]["message"] else { panic!("{body}") };
        assert!(message.contains(' ') && !message.contains('\n'), "{message}");
    }
}

// 129. The `code` field MUST be one of the following: ...
#[tokio::test]
async fn every_code_of_the_table_is_used_where_it_belongs() {
    let errors = every_error().await;
    assert_eq!(errors.len(), CODES.len());
    for (code, response) in errors {
        assert_eq!(response.code(), code);
        assert!(CODES.contains(&code));
    }
}

// 130. If included, `Warning` headers MUST specify a `warn-code` of `299` ...
// 131. A registry MUST NOT send more than 4096 bytes of warning data from all headers combined.
#[tokio::test]
async fn no_response_has_warnings() {
    let service = Service::new();
    service.push_image("demo", "v1", "layer").await;
    for path in ["/v2/", "/v2/demo/manifests/v1", "/v2/demo/tags/list", &blob("demo", b"layer")] {
        assert_eq!(service.get(path).await.expect(200).headers.get("warning"), None);
    }
    for (_, response) in every_error().await {
        assert_eq!(response.headers.get("warning"), None);
    }
}

#[tokio::test]
async fn a_response_that_requires_a_login_has_a_challenge() {
    let challenge = "Basic realm=\"registry\"".to_owned();
    let response =
        refused(Refusal::Unauthorized { challenge: challenge.clone() }).await.expect(401);
    assert_eq!(response.header("www-authenticate"), challenge);
}

#[tokio::test]
async fn a_429_has_a_retry_after() {
    let response =
        refused(Refusal::TooMany { retry_after: Duration::from_secs(7) }).await.expect(429);
    assert_eq!(response.header("retry-after"), "7");
}

#[tokio::test]
async fn a_method_that_is_not_served_is_405_with_those_that_are() {
    let service = Service::new();
    let named = digest(b"");
    let (blob, referrers) =
        (format!("/v2/demo/blobs/{named}"), format!("/v2/demo/referrers/{named}"));
    let cases = [
        ("POST", "/v2/", "GET, HEAD"),
        ("DELETE", "/v2/_catalog", "GET, HEAD"),
        ("PUT", "/v2/demo/tags/list", "GET, HEAD"),
        ("POST", &referrers, "GET, HEAD"),
        ("PUT", &blob, "GET, HEAD, DELETE"),
        ("PATCH", "/v2/demo/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("GET", "/v2/demo/blobs/uploads/", "POST"),
    ];
    for (method, path, allowed) in cases {
        let response = service.send(method, path, &[], "").await.expect(405);
        assert_eq!(response.header("allow"), allowed, "{method} {path}");
        assert_eq!(response.code(), "UNSUPPORTED");
    }
}

/// A browser must neither render nor run content that a client pushed.
#[tokio::test]
async fn every_response_keeps_browsers_from_rendering_it() {
    let service = Service::new();
    let manifest = service.push_image("demo", "v1", "layer").await;
    let (blob, manifest) =
        (crate::support::blob("demo", b"layer"), format!("/v2/demo/manifests/{manifest}"));
    let requests = [
        ("GET", "/v2/", 200),
        ("GET", "/v2/_catalog", 200),
        ("GET", "/v2/demo/tags/list", 200),
        ("GET", "/v2/demo/manifests/v1", 200),
        ("HEAD", "/v2/demo/manifests/v1", 200),
        ("GET", &blob, 200),
        ("HEAD", &blob, 200),
        ("GET", "/v2/demo/manifests/none", 404),
        ("GET", "/v2/nowhere", 404),
        ("GET", "/v2/demo/tags/list?n=x", 400),
        ("PATCH", "/v2/demo/manifests/v1", 405),
        ("POST", "/v2/demo/blobs/uploads/", 202),
        ("PUT", "/v2/demo/manifests/v1", 400),
        ("DELETE", &manifest, 202),
    ];
    for (method, uri, status) in requests {
        let response = service.send(method, uri, &[], "").await.expect(status);
        assert_eq!(response.header("x-content-type-options"), "nosniff", "{method} {uri}");
        let policy = response.header("content-security-policy");
        assert_eq!(policy, "default-src 'none'; sandbox", "{method} {uri}");
    }
}
