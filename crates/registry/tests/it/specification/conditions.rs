//! Conditional requests: RFC 9110, section 13, on everything that has an `ETag`.

use crate::support::{OCI_MANIFEST, Response, Service, blob, digest, image};

const V1: &str = "/v2/demo/manifests/v1";

/// A manifest that differs by `n`.
fn manifest(n: u32) -> String {
    let mut manifest = image(&[]);
    manifest["annotations"] = serde_json::json!({ "n": n.to_string() });
    manifest.to_string()
}

fn tag_of(content: &str) -> String {
    format!("\"{}\"", digest(content.as_bytes()))
}

/// A service with the manifest 1 as `demo:v1`.
async fn service() -> Service {
    let service = Service::new();
    service.push_blob("demo", "{}").await;
    put(&service, V1, 1, &[]).await.expect(201);
    service
}

async fn put(service: &Service, uri: &str, n: u32, conditions: &[(&str, &str)]) -> Response {
    let headers = [&[("content-type", OCI_MANIFEST)], conditions].concat();
    service.send("PUT", uri, &headers, manifest(n)).await
}

async fn send(service: &Service, method: &str, uri: &str, condition: (&str, &str)) -> Response {
    service.send(method, uri, &[condition], "").await
}

async fn assert_names(service: &Service, n: u32) {
    let got = service.get(V1).await.expect(200);
    assert_eq!(got.header("etag"), tag_of(&manifest(n)));
}

#[tokio::test]
async fn a_tag_moves_if_it_names_the_manifest_of_if_match() {
    let service = service().await;
    let other = format!("\"other\", {}", tag_of(&manifest(1)));
    let moved = put(&service, V1, 2, &[("if-match", &other)]).await.expect(201);
    assert_eq!(moved.header("etag"), tag_of(&manifest(2)));
    put(&service, V1, 3, &[("if-match", "*")]).await.expect(201);
    assert_names(&service, 3).await;
}

#[tokio::test]
async fn a_tag_stays_if_it_names_another_manifest_than_if_match() {
    let service = service().await;
    let weak = format!("W/{}", tag_of(&manifest(1)));
    for tags in ["\"other\"", &tag_of(&manifest(2)), &weak, ""] {
        let response = put(&service, V1, 2, &[("if-match", tags)]).await.expect(412);
        assert_eq!(response.code(), "PRECONDITION_FAILED", "{tags}");
    }
    assert_names(&service, 1).await;
    let pushed = digest(manifest(2).as_bytes());
    service.get(&format!("/v2/demo/manifests/{pushed}")).await.expect(404);
}

#[tokio::test]
async fn a_missing_tag_matches_nothing() {
    let service = service().await;
    let uri = "/v2/demo/manifests/new";
    for tags in ["*", &tag_of(&manifest(1))] {
        put(&service, uri, 1, &[("if-match", tags)]).await.expect(412);
    }
    service.get(uri).await.expect(404);
}

#[tokio::test]
async fn a_tag_is_created_if_it_does_not_exist() {
    let service = service().await;
    put(&service, V1, 2, &[("if-none-match", "*")]).await.expect(412);
    assert_names(&service, 1).await;
    put(&service, "/v2/demo/manifests/new", 2, &[("if-none-match", "*")]).await.expect(201);
}

#[tokio::test]
async fn a_tag_stays_if_it_names_the_manifest_of_if_none_match() {
    let service = service().await;
    let weak = format!("W/{}", tag_of(&manifest(1)));
    for tags in [&tag_of(&manifest(1)), &weak] {
        put(&service, V1, 2, &[("if-none-match", tags)]).await.expect(412);
    }
    put(&service, V1, 2, &[("if-none-match", "\"other\"")]).await.expect(201);
    assert_names(&service, 2).await;
}

#[tokio::test]
async fn a_tag_of_a_manifest_that_is_gone_can_be_created() {
    let service = service().await;
    let current = "/docker/registry/v2/repositories/demo/_manifests/tags/v1/current/link";
    let current = storage_driver::Path::parse(current).unwrap();
    use storage_driver::StorageDriverExt;
    service.store.put(&current, digest(b"gone")).await.unwrap();
    service.get(V1).await.expect(404);
    put(&service, V1, 2, &[("if-match", "*")]).await.expect(412);
    put(&service, V1, 2, &[("if-none-match", "*")]).await.expect(201);
    assert_names(&service, 2).await;
}

#[tokio::test]
async fn a_digest_is_pushed_if_the_condition_holds_of_it() {
    let service = service().await;
    let uri = format!("/v2/demo/manifests/{}", digest(manifest(2).as_bytes()));
    put(&service, &uri, 2, &[("if-match", "*")]).await.expect(412);
    put(&service, &uri, 2, &[("if-none-match", "*")]).await.expect(201);
    put(&service, &uri, 2, &[("if-none-match", "*")]).await.expect(412);
    put(&service, &uri, 2, &[("if-match", &tag_of(&manifest(2)))]).await.expect(201);
}

#[tokio::test]
async fn an_immutable_tag_stays_although_a_condition_holds() {
    let service = Service::with(|it| it.immutable_tags(true));
    service.push_blob("demo", "{}").await;
    put(&service, V1, 1, &[("if-none-match", "*")]).await.expect(201);
    put(&service, V1, 2, &[("if-match", "*")]).await.expect(403);
    assert_names(&service, 1).await;
}

#[tokio::test]
async fn a_tag_is_deleted_if_the_condition_holds() {
    let service = service().await;
    send(&service, "DELETE", V1, ("if-match", "\"other\"")).await.expect(412);
    send(&service, "DELETE", V1, ("if-none-match", "*")).await.expect(412);
    assert_names(&service, 1).await;
    send(&service, "DELETE", V1, ("if-match", &tag_of(&manifest(1)))).await.expect(202);
    service.get(V1).await.expect(404);
    let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
    assert!(tags["tags"].as_array().unwrap().is_empty(), "{tags}");
}

#[tokio::test]
async fn a_manifest_is_deleted_if_the_condition_holds() {
    let service = service().await;
    let uri = format!("/v2/demo/manifests/{}", digest(manifest(1).as_bytes()));
    send(&service, "DELETE", &uri, ("if-match", "\"other\"")).await.expect(412);
    assert_names(&service, 1).await;
    send(&service, "DELETE", &uri, ("if-match", &tag_of(&manifest(1)))).await.expect(202);
    service.get(&uri).await.expect(404);
}

#[tokio::test]
async fn a_blob_is_deleted_if_the_condition_holds() {
    let service = service().await;
    let uri = blob("demo", b"{}");
    send(&service, "DELETE", &uri, ("if-match", "\"other\"")).await.expect(412);
    send(&service, "DELETE", &uri, ("if-none-match", "*")).await.expect(412);
    send(&service, "DELETE", &uri, ("if-match", &tag_of("{}"))).await.expect(202);
    send(&service, "DELETE", &uri, ("if-match", "*")).await.expect(404);
}

#[tokio::test]
async fn get_and_head_evaluate_if_match_and_if_none_match() {
    let service = service().await;
    let by_digest = format!("/v2/demo/manifests/{}", digest(manifest(1).as_bytes()));
    let blob = blob("demo", b"{}");
    for (uri, tag) in
        [(V1, tag_of(&manifest(1))), (&by_digest, tag_of(&manifest(1))), (&blob, tag_of("{}"))]
    {
        let unquoted = tag.trim_matches('"');
        for method in ["GET", "HEAD"] {
            for tags in ["*", &tag, &format!("W/{tag}"), &format!("\"a,b\", {tag}"), unquoted] {
                let response =
                    send(&service, method, uri, ("if-none-match", tags)).await.expect(304);
                assert_eq!(response.header("etag"), tag, "{method} {uri} {tags}");
                assert!(response.body.is_empty());
            }
            send(&service, method, uri, ("if-none-match", "\"other\"")).await.expect(200);
            send(&service, method, uri, ("if-match", &tag)).await.expect(200);
            send(&service, method, uri, ("if-match", "*")).await.expect(200);
            for tags in ["\"other\"", &format!("W/{tag}")] {
                send(&service, method, uri, ("if-match", tags)).await.expect(412);
            }
        }
    }
}

#[tokio::test]
async fn if_match_is_evaluated_before_if_none_match() {
    let service = service().await;
    let headers = [("if-match", "\"other\""), ("if-none-match", "*")];
    service.send("GET", V1, &headers, "").await.expect(412);
    let tag = tag_of(&manifest(1));
    service.send("GET", V1, &[("if-match", &*tag), ("if-none-match", "*")], "").await.expect(304);
}

#[tokio::test]
async fn a_condition_is_evaluated_before_a_range() {
    let service = service().await;
    let uri = blob("demo", b"{}");
    let headers = [("if-match", "\"other\""), ("range", "bytes=0-0")];
    service.send("GET", &uri, &headers, "").await.expect(412);
    let headers = [("if-none-match", "*"), ("range", "bytes=9-0")];
    service.send("GET", &uri, &headers, "").await.expect(304);
}

#[tokio::test]
async fn a_missing_resource_is_404_under_any_condition() {
    let service = service().await;
    let unknown = blob("demo", b"unknown");
    for uri in ["/v2/demo/manifests/new", &unknown] {
        for method in ["GET", "HEAD", "DELETE"] {
            for condition in [("if-match", "*"), ("if-none-match", "*")] {
                send(&service, method, uri, condition).await.expect(404);
            }
        }
    }
}

#[tokio::test]
async fn several_lines_of_a_condition_are_one_list() {
    let service = service().await;
    let tag = tag_of(&manifest(1));
    let headers = [("if-none-match", "\"a\""), ("if-none-match", &*tag)];
    service.send("GET", V1, &headers, "").await.expect(304);
    service.send("GET", V1, &[("if-match", "*"), ("if-match", "*")], "").await.expect(400);
}

#[tokio::test]
async fn a_malformed_condition_is_400_and_changes_nothing() {
    let service = service().await;
    for condition in ["if-match", "if-none-match"] {
        for tags in ["garbage", "\"unfinished", "*, \"a\"", "'a'"] {
            put(&service, V1, 2, &[(condition, tags)]).await.expect(400);
            for (method, uri) in [("GET", V1), ("DELETE", V1), ("GET", &blob("demo", b"{}"))] {
                send(&service, method, uri, (condition, tags)).await.expect(400);
            }
        }
    }
    assert_names(&service, 1).await;
}

#[tokio::test]
async fn conditions_on_dates_are_ignored_because_nothing_has_a_date() {
    let service = service().await;
    let past = "Wed, 21 Oct 2015 07:28:00 GMT";
    for condition in ["if-modified-since", "if-unmodified-since"] {
        send(&service, "GET", V1, (condition, past)).await.expect(200);
        send(&service, "GET", &blob("demo", b"{}"), (condition, past)).await.expect(200);
        put(&service, V1, 1, &[(condition, past)]).await.expect(201);
    }
}
