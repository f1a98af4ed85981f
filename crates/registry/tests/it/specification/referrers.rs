//! "Pushing Manifests with Subject" and "Listing Referrers": 76, 93 to 107, 124 and 125.

use serde_json::{Value, json};

use crate::support::{OCI_INDEX, OCI_MANIFEST, Response, Service, digest, image, index};

const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// A manifest whose subject is `subject`.
fn about(subject: &str) -> Value {
    let mut manifest = image(&[]);
    manifest["subject"] = json!({ "mediaType": OCI_MANIFEST, "size": 1, "digest": subject });
    manifest
}

/// A service with an image `demo:v1`, and its digest.
async fn with_subject() -> (Service, String) {
    let service = Service::new();
    let subject = service.push_image("demo", "v1", "layer").await;
    (service, subject)
}

async fn referrers(service: &Service, subject: &str) -> Response {
    service.get(&format!("/v2/demo/referrers/{subject}")).await
}

fn listed(response: &Response) -> Vec<Value> {
    response.json()["manifests"].as_array().unwrap().clone()
}

fn push<'a>(
    service: &'a Service,
    tag: &'a str,
    manifest: &'a Value,
) -> impl Future<Output = Response> + 'a {
    let kind = manifest["mediaType"].as_str().unwrap();
    let uri = format!("/v2/demo/manifests/{tag}");
    service.send("PUT", &uri, &[("content-type", kind)], manifest.to_string())
}

// 76. When processing a request for an image manifest with the `subject` field, a registry ... MUST
// respond with the response header `OCI-Subject: <subject digest>`.
#[tokio::test]
async fn the_response_to_a_manifest_with_a_subject_has_oci_subject() {
    let (service, subject) = with_subject().await;
    let response = push(&service, "sig", &about(&subject)).await.expect(201);
    assert_eq!(response.header("oci-subject"), subject);
    let response = push(&service, "v2", &image(&[])).await.expect(201);
    assert_eq!(response.headers.get("oci-subject"), None);
}

// 93. Assuming a repository is found, this request MUST return a `200 OK` response code.
#[tokio::test]
async fn the_referrers_of_a_manifest_are_200() {
    let (service, subject) = with_subject().await;
    referrers(&service, &subject).await.expect(200);
    let pushed = service.push_manifest("demo", "sig", OCI_MANIFEST, &about(&subject)).await;
    let response = referrers(&service, &subject).await.expect(200);
    assert_eq!(listed(&response)[0]["digest"], pushed);
}

// 94. If the registry supports the referrers API, the registry MUST NOT return a `404 Not Found`.
#[tokio::test]
async fn the_referrers_of_a_missing_manifest_are_no_404() {
    let (service, _) = with_subject().await;
    referrers(&service, &digest(b"unknown")).await.expect(200);
    let unknown = format!("/v2/other/referrers/{}", digest(b"unknown"));
    assert_eq!(listed(&service.get(&unknown).await.expect(200)), [] as [Value; 0]);
}

// 95. If the request is invalid, such as a `<digest>` with an invalid syntax, a `400` MUST be returned.
#[tokio::test]
async fn the_referrers_of_a_malformed_digest_are_400() {
    let (service, _) = with_subject().await;
    for wrong in ["v1", "sha256:", "sha256:00", "md5:00", "sha256:..", ":"] {
        assert_eq!(referrers(&service, wrong).await.expect(400).code(), "DIGEST_INVALID");
    }
}

// 96. Upon success, the response MUST be a JSON body with an image index containing a list of descriptors.
// 97. The `Content-Type` header MUST be set to `application/vnd.oci.image.index.v1+json`.
#[tokio::test]
async fn referrers_are_an_index_of_descriptors() {
    let (service, subject) = with_subject().await;
    let content = about(&subject);
    push(&service, "sig", &content).await.expect(201);
    let response = referrers(&service, &subject).await.expect(200);
    assert_eq!(response.header("content-type"), OCI_INDEX);
    let expected = json!({
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [{
            "mediaType": OCI_MANIFEST,
            "size": content.to_string().len(),
            "digest": digest(content.to_string().as_bytes()),
            "artifactType": CONFIG,
        }],
    });
    assert_eq!(response.json(), expected);
}

// 98. The descriptors MUST include an `artifactType` field that is set to the value of the `artifactType`
// in the image manifest or index, if present.
#[tokio::test]
async fn a_referrer_has_its_artifact_type() {
    let (service, subject) = with_subject().await;
    let mut manifest = about(&subject);
    manifest["artifactType"] = "application/vnd.example.sbom".into();
    push(&service, "image", &manifest).await.expect(201);
    let mut list = index(&[]);
    list["subject"] = manifest["subject"].clone();
    list["artifactType"] = "application/vnd.example.sbom".into();
    push(&service, "index", &list).await.expect(201);
    let found = listed(&referrers(&service, &subject).await);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it["artifactType"] == "application/vnd.example.sbom"));
}

// 99. If the `artifactType` is empty or missing in the image manifest, the value of `artifactType` MUST be
// set to the config descriptor `mediaType` value.
#[tokio::test]
async fn a_referrer_without_an_artifact_type_has_that_of_its_config() {
    let (service, subject) = with_subject().await;
    let mut empty = about(&subject);
    empty["artifactType"] = "".into();
    push(&service, "missing", &about(&subject)).await.expect(201);
    push(&service, "empty", &empty).await.expect(201);
    let found = listed(&referrers(&service, &subject).await);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it["artifactType"] == CONFIG));
}

// 100. If the `artifactType` is empty or missing in an index, the `artifactType` MUST be omitted.
#[tokio::test]
async fn an_index_without_an_artifact_type_has_none() {
    let (service, subject) = with_subject().await;
    let mut list = index(&[]);
    list["subject"] = about(&subject)["subject"].clone();
    push(&service, "missing", &list).await.expect(201);
    list["artifactType"] = "".into();
    push(&service, "empty", &list).await.expect(201);
    let found = listed(&referrers(&service, &subject).await);
    assert_eq!(found.len(), 2);
    assert!(found.iter().all(|it| it.get("artifactType").is_none()));
}

// 101. The descriptors MUST include annotations from the image manifest or index.
#[tokio::test]
async fn a_referrer_has_its_annotations() {
    let (service, subject) = with_subject().await;
    let mut manifest = about(&subject);
    manifest["annotations"] = json!({ "a": "1", "b": "" });
    push(&service, "sig", &manifest).await.expect(201);
    let found = listed(&referrers(&service, &subject).await);
    assert_eq!(found[0]["annotations"], manifest["annotations"]);
}

#[tokio::test]
async fn a_plus_in_an_artifact_type_needs_no_encoding() {
    let (service, subject) = with_subject().await;
    let mut manifest = about(&subject);
    manifest["artifactType"] = "application/vnd.x+json".into();
    push(&service, "sig", &manifest).await.expect(201);
    for kind in ["application/vnd.x+json", "application%2Fvnd.x%2Bjson"] {
        let response =
            referrers(&service, &format!("{subject}?artifactType={kind}")).await.expect(200);
        assert_eq!(listed(&response).len(), 1, "{kind}");
    }
}

// 102. If a query results in no matching referrers, an empty manifest list MUST be returned.
#[tokio::test]
async fn no_referrers_are_an_empty_list() {
    let (service, subject) = with_subject().await;
    let filtered = format!("{subject}?artifactType=a/b");
    for query in [&subject, &filtered] {
        let response = referrers(&service, query).await.expect(200);
        assert_eq!(response.json()["manifests"], json!([]));
    }
}

// 103. A `Link` header MUST be included in the response when the descriptor list cannot be returned in a
// single manifest.
// 104. The `Link` header MUST be set ... with the Relation Type `rel="next"`.
#[tokio::test]
async fn links_lead_through_all_referrers_once() {
    let (service, subject) = with_subject().await;
    let mut pushed = Vec::new();
    for n in 0..501 {
        let mut manifest = about(&subject);
        manifest["artifactType"] = format!("a/{}", n % 2).into();
        manifest["annotations"] = json!({ "n": n.to_string() });
        pushed.push(service.push_manifest("demo", "latest", OCI_MANIFEST, &manifest).await);
    }
    for (query, expected) in [("", 501), ("?artifactType=a/1", 250)] {
        let mut uri = format!("/v2/demo/referrers/{subject}{query}");
        let (mut pages, mut seen) = (0, Vec::new());
        loop {
            let response = service.get(&uri).await.expect(200);
            pages += 1;
            let page = listed(&response);
            seen.extend(page.iter().map(|it| it["digest"].as_str().unwrap().to_owned()));
            let Some(link) = response.headers.get("link") else { break };
            let link = link.to_str().unwrap();
            assert!(link.ends_with(">; rel=\"next\""), "{link}");
            uri = link[1..link.find('>').unwrap()].to_owned();
        }
        seen.sort();
        seen.dedup();
        assert_eq!((pages, seen.len()), (2, expected));
        assert!(seen.iter().all(|it| pushed.contains(it)));
    }
}

// 105. The registry SHOULD support filtering on `artifactType`.
// 106. If filtering is requested and applied, the response MUST include `OCI-Filters-Applied: artifactType`.
#[tokio::test]
async fn referrers_are_filtered_by_artifact_type() {
    let (service, subject) = with_subject().await;
    for kind in ["a/sbom", "a/signature"] {
        let mut manifest = about(&subject);
        manifest["artifactType"] = kind.into();
        push(&service, "latest", &manifest).await.expect(201);
    }
    let response =
        referrers(&service, &format!("{subject}?artifactType=a%2Fsbom")).await.expect(200);
    assert_eq!(response.header("oci-filters-applied"), "artifactType");
    let found = listed(&response);
    assert_eq!((found.len(), &found[0]["artifactType"]), (1, &json!("a/sbom")));
}

// 107. If multiple filters are applied, the header MUST contain a comma separated list of applied filters.
#[tokio::test]
async fn a_filter_that_is_not_applied_is_not_named() {
    let (service, subject) = with_subject().await;
    push(&service, "sig", &about(&subject)).await.expect(201);
    for (query, applied) in
        [("", ""), ("?other=x", ""), ("?other=x&artifactType=y", "artifactType")]
    {
        let response = referrers(&service, &format!("{subject}{query}")).await.expect(200);
        assert_eq!(response.header("oci-filters-applied"), applied);
    }
}

fn fallback(subject: &str) -> String {
    subject.replace(':', "-")
}

// 124. Registries MUST include preexisting image manifests that are listed in an image index tagged with
// the referrers tag schema and have a valid `subject` field in the referrers API response.
#[tokio::test]
async fn referrers_that_clients_list_under_the_fallback_tag_are_included() {
    let (service, subject) = with_subject().await;
    let old = service.push_manifest("demo", "old", OCI_MANIFEST, &about(&subject)).await;
    // As a registry without the referrers API stores it.
    let links =
        storage_driver::Path::parse("/docker/registry/v2/repositories/demo/_manifests/referrers");
    storage_driver::StorageDriver::delete_dir(&service.store, &links.unwrap()).await.unwrap();
    assert!(listed(&referrers(&service, &subject).await).is_empty());
    // A manifest with another subject, or none, is not listed, although the index names it.
    let unrelated = service.push_image("demo", "unrelated", "x").await;
    service
        .push_manifest("demo", &fallback(&subject), OCI_INDEX, &index(&[&old, &unrelated]))
        .await;
    let found = listed(&referrers(&service, &subject).await.expect(200));
    assert_eq!((found.len(), &found[0]["digest"]), (1, &json!(old)));
}

// 124. (each once)
#[tokio::test]
async fn a_referrer_that_is_listed_twice_is_included_once() {
    let (service, subject) = with_subject().await;
    let new = service.push_manifest("demo", "new", OCI_MANIFEST, &about(&subject)).await;
    service.push_manifest("demo", &fallback(&subject), OCI_INDEX, &index(&[&new])).await;
    assert_eq!(listed(&referrers(&service, &subject).await).len(), 1);
}

// 125. Registries MUST include all newly pushed image manifests with a valid `subject` field.
#[tokio::test]
async fn referrers_pushed_before_their_subject_are_included() {
    let service = Service::new();
    service.push_blob("demo", "{}").await;
    let subject = image(&[]);
    let named = digest(subject.to_string().as_bytes());
    push(&service, "sig", &about(&named)).await.expect(201);
    push(&service, "v1", &subject).await.expect(201);
    assert_eq!(listed(&referrers(&service, &named).await).len(), 1);
}

#[tokio::test]
async fn a_referrer_that_is_deleted_is_not_listed() {
    let (service, subject) = with_subject().await;
    let referrer = service.push_manifest("demo", "sig", OCI_MANIFEST, &about(&subject)).await;
    service.delete(&format!("/v2/demo/manifests/{referrer}")).await.expect(202);
    assert!(listed(&referrers(&service, &subject).await).is_empty());
}

/// All pages, from the first one.
async fn pages(service: &Service, uri: &str) -> Vec<Response> {
    let mut pages = Vec::new();
    let mut next = Some(uri.to_owned());
    while let Some(uri) = next {
        let response = service.get(&uri).await.expect(200);
        let link = response.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        next = link.map(|link| link[1..link.find('>').unwrap()].to_owned());
        pages.push(response);
    }
    pages
}

fn digests(pages: &[Response]) -> Vec<String> {
    let listed = pages.iter().flat_map(listed);
    listed.map(|it| it["digest"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_referrer_that_clients_listed_many_times_is_included_once() {
    let (service, subject) = with_subject().await;
    let referrer = service.store_manifest(about(&subject).to_string()).await;
    let many = index(&vec![&*referrer; 5000]);
    service.push_manifest("demo", &fallback(&subject), OCI_INDEX, &many).await;
    let pages = pages(&service, &format!("/v2/demo/referrers/{subject}")).await;
    assert_eq!((pages.len(), digests(&pages)), (1, vec![referrer]));
}

#[tokio::test]
async fn referrers_of_the_fallback_tag_are_paged_with_the_others() {
    let (service, subject) = with_subject().await;
    let mut pushed = Vec::new();
    for n in 0..502 {
        let mut manifest = about(&subject);
        manifest["annotations"] = json!({ "n": n.to_string() });
        pushed.push(match n % 2 {
            0 => service.push_manifest("demo", "latest", OCI_MANIFEST, &manifest).await,
            _ => service.store_manifest(manifest.to_string()).await,
        });
    }
    let children: Vec<&str> = pushed.iter().map(String::as_str).collect();
    service.push_manifest("demo", &fallback(&subject), OCI_INDEX, &index(&children)).await;
    let pages = pages(&service, &format!("/v2/demo/referrers/{subject}")).await;
    pushed.sort();
    assert_eq!((pages.len(), digests(&pages)), (2, pushed));
}

#[tokio::test]
async fn a_page_of_referrers_ends_at_4_mib() {
    let (service, subject) = with_subject().await;
    let mut pushed = Vec::new();
    for n in 0..100 {
        let mut manifest = about(&subject);
        manifest["annotations"] = json!({ "n": n.to_string(), "large": "x".repeat(60_000) });
        pushed.push(service.push_manifest("demo", "latest", OCI_MANIFEST, &manifest).await);
    }
    for query in ["", "?artifactType=application%2Fvnd.oci.image.config.v1%2Bjson"] {
        let pages = pages(&service, &format!("/v2/demo/referrers/{subject}{query}")).await;
        let most = pages.iter().map(|page| page.body.len()).max().unwrap();
        assert!(most <= (4 << 20) + (100 << 10), "{most} bytes");
        pushed.sort();
        assert_eq!((pages.len(), digests(&pages)), (2, pushed.clone()));
    }
}

#[tokio::test]
async fn annotations_that_do_not_fit_are_left_out_of_a_list() {
    let (service, subject) = with_subject().await;
    let mut manifest = about(&subject);
    manifest["annotations"] = json!({ "a": "1", "b": "x".repeat(64 << 10), "c": null, "d": 5 });
    manifest["artifactType"] = "a/".repeat(200).into();
    service.push_manifest("demo", "sig", OCI_MANIFEST, &manifest).await;
    let found = listed(&referrers(&service, &subject).await);
    assert_eq!(found[0]["annotations"], json!({ "a": "1", "c": "" }));
    assert_eq!(found[0].get("artifactType"), None);
}

#[tokio::test]
async fn a_filter_that_is_too_long_to_match_is_not_repeated_in_a_link() {
    let (service, subject) = with_subject().await;
    let mut pushed = Vec::new();
    for n in 0..501 {
        let mut manifest = about(&subject);
        manifest["annotations"] = json!({ "n": n.to_string() });
        pushed.push(service.store_manifest(manifest.to_string()).await);
    }
    let children: Vec<&str> = pushed.iter().map(String::as_str).collect();
    service.push_manifest("demo", &fallback(&subject), OCI_INDEX, &index(&children)).await;
    let query = format!("{subject}?artifactType={}", "a".repeat(300));
    let response = referrers(&service, &query).await.expect(200);
    assert_eq!((listed(&response), response.headers.get("link")), (vec![], None));
}
