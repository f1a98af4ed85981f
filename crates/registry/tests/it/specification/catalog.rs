//! The catalog, which is not in the specification but in distribution.

use std::sync::Arc;

use async_trait::async_trait;
use inmemory::InMemory;
use storage_driver::{Path, StorageDriverExt};
use storage_driver_registry::{AccessRequest, Action, Authorize, Refusal};

use crate::support::{OCI_INDEX, Response, Service, index};

async fn with_repositories(names: &[&str]) -> Service {
    let service = Service::new();
    for name in names {
        service.push_manifest(name, "v1", OCI_INDEX, &index(&[])).await;
    }
    service
}

fn names(response: &Response) -> Vec<String> {
    let names = response.json()["repositories"].as_array().unwrap().clone();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_empty_registry_has_an_empty_catalog() {
    let response = Service::new().get("/v2/_catalog").await.expect(200);
    assert_eq!(response.json(), serde_json::json!({ "repositories": [] }));
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
            let response = service.get(&uri).await.expect(200);
            let page = names(&response);
            assert!(page.len() <= n);
            seen.extend(page);
            let Some(link) = response.headers.get("link") else { break };
            let link = link.to_str().unwrap();
            assert!(link.ends_with(">; rel=\"next\""), "{link}");
            uri = link[1..link.find('>').unwrap()].to_owned();
        }
        seen.sort();
        assert_eq!(seen, all, "n={n}");
    }
}

#[tokio::test]
async fn a_page_has_a_hundred_repositories_by_default() {
    let all: Vec<String> = (0..101).map(|n| format!("r{n:03}")).collect();
    let service = with_repositories(&all.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let first = service.get("/v2/_catalog").await.expect(200);
    assert_eq!(names(&first), all[..100]);
    assert_eq!(first.header("link"), "</v2/_catalog?n=100&last=r099>; rel=\"next\"");
    let rest = service.get("/v2/_catalog?n=100&last=r099").await.expect(200);
    assert_eq!((names(&rest), rest.header("link")), (all[100..].to_vec(), ""));
}

#[tokio::test]
async fn a_catalog_request_with_a_malformed_n_or_last_is_refused() {
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

#[tokio::test]
async fn a_directory_that_is_no_repository_does_not_end_a_page_early() {
    let service = with_repositories(&["a", "b", "c"]).await;
    let foreign = "/docker/registry/v2/repositories/A_/_manifests/link";
    service.store.put(&Path::parse(foreign).unwrap(), "").await.unwrap();
    let (listed, _) = all_pages(&service, "/v2/_catalog?n=1").await;
    assert_eq!(listed, ["a", "b", "c"]);
}

/// Allows every client to pull from the repositories below `open/`, and to list repositories.
struct Open;

#[async_trait]
impl Authorize for Open {
    async fn authorize(&self, request: AccessRequest<'_>) -> Result<(), Refusal> {
        match (request.action, request.repository) {
            (Action::Catalog, _) => Ok(()),
            (Action::Pull, Some(name)) if name.starts_with("open/") => Ok(()),
            _ => Err(Refusal::Denied),
        }
    }
}

/// A registry on the store of `service` with the rules of [`Open`].
fn opened(service: &Service) -> Service {
    Service::over(service.store.clone(), |builder| builder.authorize(Arc::new(Open)))
}

/// All repositories, page by page, and the number of pages.
async fn all_pages(service: &Service, first: &str) -> (Vec<String>, usize) {
    let (mut uri, mut seen, mut pages) = (first.to_owned(), Vec::new(), 0);
    loop {
        let response = service.get(&uri).await.expect(200);
        seen.extend(names(&response));
        pages += 1;
        let link = response.header("link");
        if link.is_empty() {
            return (seen, pages);
        }
        assert!(!link.contains("hidden"), "{link}");
        uri = link[1..link.find('>').unwrap()].to_owned();
    }
}

#[tokio::test]
async fn the_catalog_lists_only_repositories_that_the_client_may_pull_from() {
    let all = ["a", "hidden/a", "open/a", "open/b", "open/c/d", "z"];
    let service = opened(&with_repositories(&all).await);
    for n in 1..=4 {
        let (listed, _) = all_pages(&service, &format!("/v2/_catalog?n={n}")).await;
        assert_eq!(listed, ["open/a", "open/b", "open/c/d"], "n={n}");
    }
    let response = service.get("/v2/_catalog?n=3").await.expect(200);
    assert_eq!(response.header("link"), "");
}

#[tokio::test]
async fn the_page_lists_only_repositories_that_the_client_may_pull_from() {
    let service = opened(&with_repositories(&["hidden/a", "open/a"]).await);
    let page = service.get("/").await.expect(200);
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    assert!(text.contains("open/a") && !text.contains("hidden"), "{text}");
}

/// A store with this number of repositories, of which all but `open/a` and `zz/open` are hidden.
async fn with_many_hidden(many: usize) -> Service {
    let store = InMemory::new();
    let names = (0..many).map(|n| format!("hidden/{n:05}"));
    for name in names.chain(["open/a".to_owned(), "zz".to_owned()]) {
        let link = format!("/docker/registry/v2/repositories/{name}/_manifests/revisions/link");
        store.put(&Path::parse(link).unwrap(), "").await.unwrap();
    }
    Service::over(store, |builder| builder.authorize(Arc::new(Open)))
}

#[tokio::test]
async fn a_request_scans_a_bounded_number_of_repositories_and_links_to_the_rest() {
    let service = with_many_hidden(25_000).await;
    let first = service.get("/v2/_catalog?n=10").await.expect(200);
    assert!(names(&first).is_empty() && !first.header("link").is_empty());
    let (listed, pages) = all_pages(&service, "/v2/_catalog?n=10").await;
    assert_eq!((listed, pages), (vec!["open/a".to_owned()], 3));
}

#[tokio::test]
async fn a_link_of_the_page_leads_past_hidden_repositories() {
    let service = with_many_hidden(10_000).await;
    let page = service.get("/").await.expect(200);
    let text = String::from_utf8(page.body.to_vec()).unwrap();
    let (_, link) = text.split_once("href=\"/?last=").unwrap();
    let (last, _) = link.split_once('"').unwrap();
    let next = service.get(&format!("/?last={last}")).await.expect(200);
    assert!(String::from_utf8(next.body.to_vec()).unwrap().contains("open/a"));
}

#[tokio::test]
async fn an_invalid_sealed_position_is_refused() {
    let service = Service::new();
    for last in ["~", "~00", "%7E00"] {
        let response = service.get(&format!("/v2/_catalog?last={last}")).await.expect(400);
        assert_eq!(response.code(), "NAME_INVALID");
    }
}
