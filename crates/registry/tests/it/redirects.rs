//! Downloads that are redirected to the store.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::body::Body;
use inmemory::InMemory;
use storage_driver::{Capabilities, Layer, Path, RedirectMethod, Result, StorageDriver};
use storage_driver_registry::Redirect;

use crate::support::{Response, Service, blob};

/// A driver with a URL for every file except an empty one.
#[derive(Debug)]
struct WithUrls {
    inner: InMemory,
    /// The lifetimes of the URLs that it gave.
    given: Arc<Mutex<Vec<Duration>>>,
}

impl Layer for WithUrls {
    type Inner = InMemory;

    fn inner(&self) -> &InMemory {
        &self.inner
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { redirect: true, ..StorageDriver::capabilities(&self.inner) }
    }

    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        assert_eq!(method, RedirectMethod::Get);
        if StorageDriver::stat(&self.inner, path).await?.into_file()?.size == 0 {
            return Ok(None);
        }
        self.given.lock().unwrap().push(expires_in);
        Ok(Some(format!("https://store.example{path}?signature=a%2Bb")))
    }
}

const CONTENT: &[u8] = b"0123456789";

struct Redirected {
    service: Service,
    given: Arc<Mutex<Vec<Duration>>>,
}

impl Redirected {
    /// A registry with one blob, [`CONTENT`].
    async fn new(redirect: Redirect) -> Self {
        let (store, given) = (InMemory::new(), Arc::default());
        let driver = WithUrls { inner: store.clone(), given: Arc::clone(&given) };
        let service = Service::on(Arc::new(driver), store, |it| it.redirect(redirect));
        service.push_blob("demo", CONTENT).await;
        Self { service, given }
    }

    async fn get(&self, headers: &[(&str, &str)]) -> Response {
        self.service.send("GET", &blob("demo", CONTENT), headers, Body::empty()).await
    }
}

#[tokio::test]
async fn a_download_is_redirected_to_the_url_of_the_driver() {
    let redirected = Redirected::new(Redirect::Always).await;
    let response = redirected.get(&[]).await.expect(307);
    let url = response.header("location");
    assert!(url.starts_with("https://store.example/docker/registry/v2/blobs/sha256/"), "{url}");
    assert!(url.ends_with("/data?signature=a%2Bb"), "{url}");
    assert_eq!(response.header("docker-content-digest"), crate::support::digest(CONTENT));
    assert_eq!(response.header("content-length"), "0");
    assert!(response.body.is_empty());
}

#[tokio::test]
async fn a_url_is_valid_for_ten_minutes_and_its_redirect_is_not_cached() {
    let redirected = Redirected::new(Redirect::Always).await;
    let response = redirected.get(&[]).await.expect(307);
    assert_eq!(response.header("cache-control"), "no-store");
    assert_eq!(*redirected.given.lock().unwrap(), [Duration::from_secs(600)]);
}

#[tokio::test]
async fn nothing_is_redirected_by_default() {
    let redirected = Redirected::new(Redirect::default()).await;
    let response = redirected.get(&[]).await.expect(200);
    assert_eq!(response.body, CONTENT);
    assert!(redirected.given.lock().unwrap().is_empty());
}

#[tokio::test]
async fn blobs_from_a_size_on_are_redirected() {
    Redirected::new(Redirect::From(10)).await.get(&[]).await.expect(307);
    let response = Redirected::new(Redirect::From(11)).await.get(&[]).await.expect(200);
    assert_eq!(response.body, CONTENT);
}

#[tokio::test]
async fn a_blob_without_a_url_is_sent() {
    let redirected = Redirected::new(Redirect::Always).await;
    redirected.service.push_blob("demo", "").await;
    redirected.service.get(&blob("demo", b"")).await.expect(200);
}

#[tokio::test]
async fn a_driver_without_urls_is_not_asked_for_one() {
    let service = Service::with(|it| it.redirect(Redirect::Always));
    service.push_blob("demo", CONTENT).await;
    assert_eq!(service.get(&blob("demo", CONTENT)).await.expect(200).body, CONTENT);
}

#[tokio::test]
async fn a_head_is_not_redirected() {
    let redirected = Redirected::new(Redirect::Always).await;
    let response = redirected.service.head(&blob("demo", CONTENT)).await.expect(200);
    assert_eq!(response.header("content-length"), "10");
}

#[tokio::test]
async fn one_range_is_redirected_and_repeated_by_the_client() {
    let redirected = Redirected::new(Redirect::Always).await;
    for range in ["bytes=2-5", "bytes=2-", "bytes=-3", "bytes=0-99"] {
        redirected.get(&[("range", range)]).await.expect(307);
    }
}

#[tokio::test]
async fn several_ranges_are_sent_by_the_registry() {
    let redirected = Redirected::new(Redirect::Always).await;
    // Together they are larger than the blob with their headers, so that the response is the whole blob.
    let response = redirected.get(&[("range", "bytes=0-1,4-5")]).await.expect(200);
    assert_eq!(response.body, CONTENT);
    let response = redirected.get(&[("range", "bytes=0-3,2-5")]).await.expect(206);
    assert_eq!(response.body, &CONTENT[..6]);
}

#[tokio::test]
async fn a_range_that_cannot_be_satisfied_is_refused_here() {
    let redirected = Redirected::new(Redirect::Always).await;
    for range in ["bytes=10-", "bytes=5-2", "bytes=-0"] {
        let response = redirected.get(&[("range", range)]).await.expect(416);
        assert_eq!(response.header("content-range"), "bytes */10");
    }
}

#[tokio::test]
async fn a_range_in_another_unit_is_ignored_here() {
    let redirected = Redirected::new(Redirect::Always).await;
    assert_eq!(redirected.get(&[("range", "lines=1-2")]).await.expect(200).body, CONTENT);
}

#[tokio::test]
async fn conditional_requests_are_answered_by_the_registry() {
    let redirected = Redirected::new(Redirect::Always).await;
    let tag = format!("\"{}\"", crate::support::digest(CONTENT));
    redirected.get(&[("if-none-match", &tag)]).await.expect(304);
    redirected.get(&[("if-match", &tag)]).await.expect(200);
    redirected.get(&[("if-match", "\"other\"")]).await.expect(412);
    redirected.get(&[("range", "bytes=0-1"), ("if-range", &tag)]).await.expect(206);
    redirected.get(&[("range", "bytes=0-1"), ("if-range", "\"other\"")]).await.expect(200);
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    redirected.get(&[("if-modified-since", date)]).await.expect(200);
    redirected.get(&[("if-unmodified-since", date)]).await.expect(200);
}

#[tokio::test]
async fn a_deleted_blob_has_no_url() {
    let redirected = Redirected::new(Redirect::Always).await;
    redirected.service.delete(&blob("demo", CONTENT)).await.expect(202);
    assert_eq!(redirected.get(&[]).await.expect(404).code(), "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_blob_of_another_repository_has_no_url() {
    let redirected = Redirected::new(Redirect::Always).await;
    redirected.service.get(&blob("other", CONTENT)).await.expect(404);
    assert!(redirected.given.lock().unwrap().is_empty());
}
