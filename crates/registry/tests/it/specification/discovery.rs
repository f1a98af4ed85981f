//! "Listing Tags": 84 to 92.

use serde_json::{Value, json};

use crate::support::{OCI_INDEX, Response, Service, index};

/// A service whose repository `demo` has these tags.
async fn with_tags(tags: &[&str]) -> Service {
    let service = Service::new();
    for tag in tags {
        service.push_manifest("demo", tag, OCI_INDEX, &index(&[])).await;
    }
    service
}

fn tags(response: &Response) -> Vec<String> {
    let tags = response.json()["tags"].as_array().unwrap().clone();
    tags.iter().map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

/// The target of a `Link`, whose relation is `next`.
fn next(response: &Response) -> Option<String> {
    let link = response.headers.get("link")?.to_str().unwrap();
    let (target, parameters) = link.strip_prefix('<').unwrap().split_once('>').unwrap();
    assert_eq!(parameters.trim_start_matches([';', ' ']), "rel=\"next\"");
    Some(target.to_owned())
}

// 84. Assuming a repository is found, this request MUST return a `200 OK` response code.
#[tokio::test]
async fn the_tags_of_a_repository_are_200() {
    let service = with_tags(&["v1"]).await;
    service.get("/v2/demo/tags/list").await.expect(200);
}

// "The list of tags MAY be empty if there are no tags on the repository."
#[tokio::test]
async fn a_repository_without_tags_has_an_empty_list() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    let response = service.get("/v2/demo/tags/list").await.expect(200);
    assert_eq!(response.json(), json!({ "name": "demo", "tags": [] }));
}

#[tokio::test]
async fn the_tags_of_a_missing_repository_are_404() {
    let service = with_tags(&["v1"]).await;
    let response = service.get("/v2/other/tags/list").await.expect(404);
    assert_eq!(response.code(), "NAME_UNKNOWN");
}

// 85. If the list is not empty, the tags MUST be in lexical order.
#[tokio::test]
async fn tags_are_in_lexical_order() {
    let service = with_tags(&["v2", "latest", "v10", "v1", "a-b", "a.b", "a_b", "ab"]).await;
    let response = service.get("/v2/demo/tags/list").await;
    let expected = ["a-b", "a.b", "a_b", "ab", "latest", "v1", "v10", "v2"];
    assert_eq!(tags(&response), expected);
}

// 86. Upon success, the response MUST be a json body in the following format: ...
#[tokio::test]
async fn tags_are_json_with_the_name_of_the_repository() {
    let service = with_tags(&["v1", "v2"]).await;
    let response = service.get("/v2/demo/tags/list").await.expect(200);
    assert_eq!(response.header("content-type"), "application/json");
    let expected: Value = json!({ "name": "demo", "tags": ["v1", "v2"] });
    assert_eq!(response.json(), expected);
}

// 87. Otherwise [unless there are fewer], the response MUST include `<int>` results.
#[tokio::test]
async fn n_tags_are_returned_if_there_are_that_many() {
    let service = with_tags(&["a", "b", "c"]).await;
    for (n, expected) in [("1", &["a"][..]), ("2", &["a", "b"]), ("3", &["a", "b", "c"])] {
        let response = service.get(&format!("/v2/demo/tags/list?n={n}")).await.expect(200);
        assert_eq!(tags(&response), expected);
    }
    for n in ["4", "10001", "18446744073709551615", "18446744073709551616"] {
        let response = service.get(&format!("/v2/demo/tags/list?n={n}")).await.expect(200);
        assert_eq!(tags(&response), ["a", "b", "c"]);
    }
}

// 88. If included, the `Link` header MUST be set according to RFC5988 with the Relation Type `rel="next"`.
#[tokio::test]
async fn links_lead_through_all_tags() {
    let all: Vec<String> = (0..7).map(|n| format!("tag-{n}")).collect();
    let service = with_tags(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    for n in 1..=8 {
        let (mut uri, mut seen) = (format!("/v2/demo/tags/list?n={n}"), Vec::new());
        loop {
            let response = service.get(&uri).await.expect(200);
            seen.extend(tags(&response));
            match next(&response) {
                Some(next) => uri = next,
                None => break,
            }
        }
        assert_eq!(seen, all, "n={n}");
    }
}

// 88. (no header on the last page)
#[tokio::test]
async fn the_last_page_has_no_link() {
    let service = with_tags(&["a", "b"]).await;
    for query in ["", "?n=2", "?n=3", "?n=1&last=a", "?last=b"] {
        let response = service.get(&format!("/v2/demo/tags/list{query}")).await.expect(200);
        assert_eq!(next(&response), None, "{query}");
    }
}

// 89. When `n` is zero, this endpoint MUST return an empty list, and MUST NOT include a `Link` header.
#[tokio::test]
async fn n_of_zero_gives_an_empty_list_without_link() {
    let service = with_tags(&["a", "b"]).await;
    for query in ["n=0", "n=0&last=a"] {
        let response = service.get(&format!("/v2/demo/tags/list?{query}")).await.expect(200);
        assert_eq!((tags(&response), next(&response)), (Vec::new(), None));
    }
}

// 90. As above, the tags MUST be in lexical order. (with `n`)
// 92. The tags MUST be in lexical order. (with `last`)
#[tokio::test]
async fn pages_of_tags_are_in_lexical_order() {
    let service = with_tags(&["d", "b", "a", "c", "e"]).await;
    for (query, expected) in [("n=3", ["a", "b", "c"]), ("n=3&last=b", ["c", "d", "e"])] {
        let response = service.get(&format!("/v2/demo/tags/list?{query}")).await.expect(200);
        assert_eq!(tags(&response), expected);
    }
}

// 91. `<tagname>` MUST NOT be a numerical index, but rather it MUST be a proper tag.
#[tokio::test]
async fn last_is_a_tag_and_no_index() {
    let service = with_tags(&["1", "2", "30", "a"]).await;
    let response = service.get("/v2/demo/tags/list?last=2").await.expect(200);
    assert_eq!(tags(&response), ["30", "a"]);
    service.get("/v2/demo/tags/list?last=%2fetc").await.expect(400);
}

// "up to `<int>` tags *after* `<tagname>` will be returned", also if that tag does not exist.
#[tokio::test]
async fn last_need_not_exist() {
    let service = with_tags(&["a", "c"]).await;
    let response = service.get("/v2/demo/tags/list?last=b").await.expect(200);
    assert_eq!(tags(&response), ["c"]);
}

// "When using the `last` query parameter, the `n` parameter is OPTIONAL."
#[tokio::test]
async fn last_without_n_returns_all_tags_after_it() {
    let service = with_tags(&["a", "b", "c", "d"]).await;
    let response = service.get("/v2/demo/tags/list?last=a").await.expect(200);
    assert_eq!(tags(&response), ["b", "c", "d"]);
}

#[tokio::test]
async fn an_n_that_is_not_a_number_is_refused() {
    let service = with_tags(&["a"]).await;
    for n in ["-1", "x", "", "1.5", "+1", "%001"] {
        let response = service.get(&format!("/v2/demo/tags/list?n={n}")).await.expect(400);
        assert_eq!(response.code(), "UNSUPPORTED", "{n}");
    }
}
