//! The catalog, which distribution has and the specification has not.

use crate::support::{Answer, OCI_INDEX, Service, index};

async fn with_repositories(names: &[&str]) -> Service {
    let service = Service::new();
    for name in names {
        service.push_manifest(name, "v1", OCI_INDEX, &index(&[])).await;
    }
    service
}

fn names(answer: &Answer) -> Vec<String> {
    let names = answer.json()["repositories"].as_array().unwrap().clone();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_registry_has_an_empty_catalog() {
    let answer = Service::new().get("/v2/_catalog").await.expect(200);
    assert_eq!(answer.json(), serde_json::json!({ "repositories": [] }));
}

#[tokio::test]
async fn a_repository_in_a_repository_is_listed() {
    let service = with_repositories(&["a", "a/b", "a/b/c", "b"]).await;
    let mut listed = names(&service.get("/v2/_catalog").await.expect(200));
    listed.sort();
    assert_eq!(listed, ["a", "a/b", "a/b/c", "b"]);
}

#[tokio::test]
async fn pages_lead_through_all_repositories_once() {
    let all = ["a", "a-b", "a/b", "a/b/c", "a0", "b", "b.c", "b/c", "library/debian", "z/z/z"];
    let service = with_repositories(&all).await;
    for n in 1..=all.len() + 1 {
        let (mut uri, mut seen) = (format!("/v2/_catalog?n={n}"), Vec::new());
        loop {
            let answer = service.get(&uri).await.expect(200);
            let page = names(&answer);
            assert!(page.len() <= n);
            seen.extend(page);
            let Some(link) = answer.headers.get("link") else { break };
            let link = link.to_str().unwrap();
            assert!(link.ends_with(">; rel=\"next\""), "{link}");
            uri = link[1..link.find('>').unwrap()].to_owned();
        }
        seen.sort();
        assert_eq!(seen, all, "n={n}");
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_repositories_where_nothing_is_said() {
    let all: Vec<String> = (0..101).map(|n| format!("r{n:03}")).collect();
    let service = with_repositories(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = service.get("/v2/_catalog").await.expect(200);
    assert_eq!(names(&first), all[..100]);
    assert_eq!(first.header("link"), "</v2/_catalog?n=100&last=r099>; rel=\"next\"");
    let rest = service.get("/v2/_catalog?n=100&last=r099").await.expect(200);
    assert_eq!((names(&rest), rest.header("link")), (all[100..].to_vec(), ""));
}

#[tokio::test]
async fn a_catalog_of_no_number_or_name_is_refused() {
    let service = Service::new();
    assert_eq!(service.get("/v2/_catalog?n=x").await.expect(400).code(), "UNSUPPORTED");
    assert_eq!(service.get("/v2/_catalog?last=X").await.expect(400).code(), "NAME_INVALID");
}

#[tokio::test]
async fn a_repository_with_blobs_only_is_not_listed() {
    let service = Service::new();
    service.push_blob("demo", "content").await;
    assert!(names(&service.get("/v2/_catalog").await.expect(200)).is_empty());
}
