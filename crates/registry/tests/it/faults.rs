//! A driver that fails at each of its calls in turn: clients get clear errors, and succeed when they retry.

use std::sync::Arc;

use crate::support::{
    OCI_MANIFEST, Response, Service, blob, descriptor, digest, image, sha512, with_digest,
};
use axum::body::to_bytes;
use inmemory::InMemory;
use serde_json::{Value, json};
use storage_driver::{ErrorKind, Operation};
use storage_driver_conformance::layers::{Fault, Faulty};
use storage_driver_registry::GcOptions;

const KINDS: [ErrorKind; 3] = [ErrorKind::Other, ErrorKind::Unavailable, ErrorKind::Timeout];
/// The number of attempts of a client. One fault costs one attempt.
const ATTEMPTS: usize = 4;
/// The number of attempts of a client that meets many faults.
const MANY: usize = 1000;

/// A client of a registry whose driver fails, and a sound registry on the same store.
struct Client {
    faulty: Service,
    sound: Service,
    driver: Faulty<InMemory>,
    context: String,
}

impl Client {
    fn new(context: String) -> Self {
        Self::over(InMemory::new(), context)
    }

    fn over(store: InMemory, context: String) -> Self {
        let driver = Faulty::new(store.clone());
        let faulty = Service::on(Arc::new(driver.clone()), store.clone(), |builder| builder);
        Self { faulty, sound: Service::over(store, |builder| builder), driver, context }
    }

    /// Sends one request. `None` if the body of its response breaks off.
    async fn once(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Option<Response> {
        let response = self.faulty.request(method, uri, headers, body.to_vec()).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.ok()?;
        let response = Response { status: parts.status, headers: parts.headers, body };
        match response.status.as_u16() {
            503 => assert_eq!(response.header("retry-after"), "5"),
            status => assert!(status <= 500 || status == 507, "{}: {response:?}", self.context),
        }
        Some(response)
    }

    /// Repeats a request until the response is no server error.
    async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        for _ in 0..ATTEMPTS {
            match self.once(method, uri, headers, body).await {
                Some(response) if !response.status.is_server_error() => return response,
                _ => {}
            }
        }
        panic!("{}: {method} {uri} fails again and again", self.context);
    }

    async fn pull(&self, uri: &str, range: Option<&str>) -> Response {
        let headers: Vec<_> = range.map(|range| ("range", range)).into_iter().collect();
        let response = self.send("GET", uri, &headers, b"").await;
        assert!(response.status.is_success(), "{}: {uri}: {response:?}", self.context);
        response
    }

    /// Uploads in chunks. After a failure it gets the status of the upload and continues, or begins again if the
    /// upload is unknown.
    async fn push_in_chunks(&self, name: &str, content: &[u8]) {
        let location = blob(name, content);
        'upload: for _ in 0..ATTEMPTS {
            let begun = self.send("POST", &format!("/v2/{name}/blobs/uploads/"), &[], b"").await;
            let upload = begun.expect(202).header("location").to_owned();
            let mut at = 0;
            while at < content.len() - 4 {
                let chunk = &content[at..(at + 4).min(content.len())];
                let range = format!("{at}-{}", at + chunk.len() - 1);
                let sent =
                    self.once("PATCH", &upload, &[("content-range", &range)], chunk).await.unwrap();
                if sent.status == 202 {
                    at += chunk.len();
                    let stands = self.sound.get(&upload).await.expect(204);
                    assert_eq!(stands.header("range"), sent.header("range"), "{}", self.context);
                    continue;
                }
                assert!(sent.status.is_server_error(), "{}: {sent:?}", self.context);
                let stands = self.send("GET", &upload, &[], b"").await;
                if stands.status == 404 {
                    continue 'upload;
                }
                at = upload_size(&stands.expect(204));
            }
            let uri = with_digest(&upload, &digest(content));
            for _ in 0..ATTEMPTS {
                let range = format!("{at}-{}", content.len() - 1);
                let headers = [("content-range", &*range)];
                let rest = &content[at..];
                let headers = if rest.is_empty() { &[][..] } else { &headers };
                let put = self.once("PUT", &uri, headers, rest).await.unwrap();
                match put.status.as_u16() {
                    201 => {
                        let there = self.sound.get(&location).await;
                        assert_eq!(there.expect(200).body, content, "{}", self.context);
                        return;
                    }
                    404 => continue 'upload,
                    416 => at = upload_size(&put),
                    status => assert!(status >= 500, "{}: {put:?}", self.context),
                }
            }
        }
        panic!("{}: the upload fails again and again", self.context);
    }

    /// Uploads in chunks, as a client that never begins again: after each failure it gets the status of the upload and
    /// continues from there. An upload may be unknown only after its blob was published.
    async fn push_resuming(&self, name: &str, content: &[u8]) {
        let begin = format!("/v2/{name}/blobs/uploads/");
        let begun = loop {
            match self.once("POST", &begin, &[], b"").await {
                Some(response) if response.status == 202 => break response,
                response => assert!(response.unwrap().status.is_server_error(), "{}", self.context),
            }
        };
        let upload = begun.header("location").to_owned();
        let finish = with_digest(&upload, &digest(content));
        let mut at = 0;
        for attempt in 0..MANY {
            let rest = &content[at..];
            let (method, uri, chunk) = match rest.len() {
                0..=4 => ("PUT", &finish, rest),
                _ => ("PATCH", &upload, &rest[..4]),
            };
            let range = format!("{at}-{}", (at + chunk.len()).saturating_sub(1));
            let headers = [("content-range", &*range)];
            let headers = if chunk.is_empty() { &[][..] } else { &headers };
            let sent = self.once(method, uri, headers, chunk).await.unwrap();
            match sent.status.as_u16() {
                202 => at += chunk.len(),
                201 => return self.assert_published(name, content).await,
                416 => at = upload_size(&sent),
                404 => return self.assert_published(name, content).await,
                status => {
                    assert!(status >= 500, "{}: {sent:?}", self.context);
                    if attempt % 2 == 1 {
                        // Otherwise periodic faults could hit the same call of each attempt.
                        self.ask(&upload).await;
                    }
                    match self.ask(&upload).await {
                        Some(stands) => at = upload_size(&stands),
                        None => return self.assert_published(name, content).await,
                    }
                }
            }
        }
        panic!("{}: the upload fails again and again", self.context);
    }

    /// Requests the status of an upload until there is a response. `None` if the upload is unknown.
    async fn ask(&self, upload: &str) -> Option<Response> {
        for _ in 0..MANY {
            let response = self.once("GET", upload, &[], b"").await.unwrap();
            match response.status.as_u16() {
                204 => return Some(response),
                404 => return None,
                status => assert!(status >= 500, "{}: {response:?}", self.context),
            }
        }
        panic!("{}: the status of an upload fails again and again", self.context);
    }

    async fn assert_published(&self, name: &str, content: &[u8]) {
        let there = self.sound.get(&blob(name, content)).await;
        assert_eq!(there.status, 200, "{}: the upload is lost", self.context);
        assert_eq!(there.body, content, "{}", self.context);
    }

    async fn push_whole(&self, name: &str, content: &[u8]) {
        let uri = format!("/v2/{name}/blobs/uploads/?digest={}", digest(content));
        self.send("POST", &uri, &[], content).await.expect(201);
        let there = self.sound.get(&blob(name, content)).await;
        assert_eq!(there.expect(200).body, content, "{}", self.context);
    }

    async fn mount(&self, name: &str, from: &str, content: &[u8]) {
        let uri = format!("/v2/{name}/blobs/uploads/?mount={}&from={from}", digest(content));
        self.send("POST", &uri, &[], b"").await.expect(201);
        self.sound.get(&blob(name, content)).await.expect(200);
    }

    async fn push_manifest(&self, uri: &str, manifest: &Value) {
        let headers = [("content-type", OCI_MANIFEST)];
        let content = manifest.to_string();
        self.send("PUT", uri, &headers, content.as_bytes()).await.expect(201);
        assert_eq!(self.sound.get(uri).await.expect(200).body, content, "{}", self.context);
    }

    async fn delete(&self, uri: &str) {
        let response = self.send("DELETE", uri, &[], b"").await;
        // A deletion whose response was lost leaves nothing to delete.
        let known = response.status == 202 || (response.status == 404 && self.driver.struck() > 0);
        assert!(known, "{}: {response:?}", self.context);
        self.sound.get(uri).await.expect(404);
    }

    /// Asserts that all pushed content is there, and that no upload is left after stale ones are cancelled.
    async fn check(&self, manifest: &Value) {
        let got = self.sound.get("/v2/demo/manifests/v1").await.expect(200);
        assert_eq!(got.body, manifest.to_string(), "{}", self.context);
        for content in CONTENTS {
            let got = self.sound.get(&blob("demo", content)).await.expect(200);
            assert_eq!(got.body, content, "{}", self.context);
        }
        let subject = manifest["subject"]["digest"].as_str().unwrap();
        let listed = self.sound.get(&format!("/v2/demo/referrers/{subject}")).await.expect(200);
        let listed = listed.json()["manifests"].as_array().unwrap().len();
        assert_eq!(listed, 1, "{}", self.context);
        self.sound.registry.cancel_uploads(std::time::Duration::ZERO).await.unwrap();
        assert_eq!(self.sound.uploads().await, 0, "{}", self.context);
    }
}

/// The offset at which a client continues. The range of an empty upload is 0-0 too.
fn upload_size(response: &Response) -> usize {
    let last: usize = response.header("range").strip_prefix("0-").unwrap().parse().unwrap();
    if last == 0 { 0 } else { last + 1 }
}

const CHUNKED: &[u8] = b"pushed in chunks";
const WHOLE: &[u8] = b"pushed whole";
const MOUNTED: &[u8] = b"mounted from another repository";
const CONTENTS: [&[u8]; 4] = [CHUNKED, WHOLE, MOUNTED, b"{}"];

fn manifest() -> Value {
    let mut manifest = image(&[CHUNKED, WHOLE, MOUNTED]);
    manifest["subject"] = descriptor(OCI_MANIFEST, b"a subject");
    manifest
}

/// Runs `work` with a fault at each of its calls in turn, of every kind. Returns the number of calls.
async fn at_every_call<F: Future<Output = ()>>(
    prepare: impl AsyncFn(&Service),
    work: impl Fn(Arc<Client>) -> F,
) -> u64 {
    let prepared = Service::new();
    prepare(&prepared).await;
    let mut calls = 0;
    for kind in KINDS {
        for fault in [Fault::Before(kind), Fault::LostAnswer(kind)] {
            for n in 0.. {
                let context = format!("{fault:?} at call {n}");
                let client = Arc::new(Client::over(prepared.store.fork(), context));
                client.driver.fail_nth(n, fault);
                work(client.clone()).await;
                if client.driver.struck() == 0 {
                    break;
                }
                calls += 1;
            }
        }
    }
    calls
}

async fn nothing(_: &Service) {}

#[tokio::test]
async fn an_image_is_pushed_although_any_one_call_fails() {
    let prepare = async |sound: &Service| {
        sound.push_blob("other", MOUNTED).await;
        sound.push_blob("demo", "{}").await;
    };
    let calls = at_every_call(prepare, async |client| {
        client.push_in_chunks("demo", CHUNKED).await;
        client.push_whole("demo", WHOLE).await;
        client.mount("demo", "other", MOUNTED).await;
        client.push_manifest("/v2/demo/manifests/v1", &manifest()).await;
        client.check(&manifest()).await;
    });
    let calls = calls.await;
    assert!(calls > 6 * 30, "{calls}");
}

async fn push_all(sound: &Service) {
    for content in CONTENTS {
        sound.push_blob("demo", content).await;
    }
    sound.push_manifest("demo", "v1", OCI_MANIFEST, &manifest()).await;
}

#[tokio::test]
async fn an_image_is_pulled_although_any_one_call_fails() {
    let calls = at_every_call(push_all, async |client| {
        let got = client.pull("/v2/demo/manifests/v1", None).await;
        assert_eq!(got.body, manifest().to_string());
        let by_digest = format!("/v2/demo/manifests/{}", digest(&got.body));
        client.pull(&by_digest, None).await;
        for content in CONTENTS {
            assert_eq!(client.pull(&blob("demo", content), None).await.body, content);
        }
        let part = client.pull(&blob("demo", CHUNKED), Some("bytes=3-7")).await.expect(206);
        assert_eq!(part.body, CHUNKED[3..=7]);
        for uri in ["/v2/demo/manifests/v1", &blob("demo", WHOLE)] {
            client.send("HEAD", uri, &[], b"").await.expect(200);
        }
        let tags = client.pull("/v2/demo/tags/list", None).await.json();
        // A list leaves out a tag that cannot be read, except after a fault that may be repeated.
        let is_bad = client.context.contains("Other") && tags["tags"] == json!([]);
        assert!(is_bad || tags["tags"] == json!(["v1"]), "{}: {tags}", client.context);
        let names = client.pull("/v2/_catalog", None).await.json();
        assert_eq!(names["repositories"], json!(["demo"]));
        let uri = format!("/v2/demo/referrers/{}", digest(b"a subject"));
        assert_eq!(client.pull(&uri, None).await.json()["manifests"].as_array().unwrap().len(), 1);
    });
    assert!(calls.await > 6 * 20);
}

#[tokio::test]
async fn everything_is_deleted_although_any_one_call_fails() {
    let calls = at_every_call(push_all, async |client| {
        let own = digest(manifest().to_string().as_bytes());
        let content = manifest().to_string();
        client.sound.send("PUT", "/v2/demo/manifests/v2", &[], content).await.expect(201);
        client.delete("/v2/demo/manifests/v2").await;
        client.sound.get("/v2/demo/manifests/v1").await.expect(200);
        client.delete(&format!("/v2/demo/manifests/{own}")).await;
        client.sound.get("/v2/demo/manifests/v1").await.expect(404);
        let uri = format!("/v2/demo/referrers/{}", digest(b"a subject"));
        let listed = client.sound.get(&uri).await.expect(200).json();
        assert_eq!(listed["manifests"], json!([]), "{}", client.context);
        client.delete(&blob("demo", WHOLE)).await;
        let upload = client.sound.start("demo").await;
        client.sound.patch(&upload, "0-1", "hi").await.expect(202);
        let gone = client.send("DELETE", &upload, &[], b"").await.status;
        assert!(gone == 204 || gone == 404, "{}: {gone}", client.context);
        client.sound.get(&upload).await.expect(404);
        assert_eq!(client.sound.uploads().await, 0, "{}", client.context);
    });
    let calls = calls.await;
    assert!(calls > 6 * 8, "{calls}");
}

// Time is paused, because the lease of a collection that was cut off ends after a minute.
#[tokio::test(start_paused = true)]
async fn a_failed_collection_deletes_nothing_used_and_can_be_repeated() {
    let prepare = async |sound: &Service| {
        push_all(sound).await;
        sound.push_blob("demo", "unused").await;
        let untagged = digest(image(&[WHOLE]).to_string().as_bytes());
        sound.push_manifest("demo", &untagged, OCI_MANIFEST, &image(&[WHOLE])).await;
    };
    let options = GcOptions {
        grace: std::time::Duration::ZERO,
        upload_ttl: std::time::Duration::ZERO,
        untagged: true,
        ..GcOptions::default()
    };
    let calls = at_every_call(prepare, |client| {
        let options = options.clone();
        async move {
            let first = client.faulty.registry.collect(&options).await;
            client.check(&manifest()).await;
            let second = client.sound.registry.collect(&options).await.unwrap();
            // A collection that skipped a file reports it.
            let left = (second.blobs, second.untagged_manifests, second.links) != (0, 0, 0);
            let is_reported = first.map_or(true, |report| report.skipped > 0);
            assert!(is_reported || !left, "{}: {second:?}", client.context);
            client.check(&manifest()).await;
            client.sound.get(&blob("demo", b"unused")).await.expect(404);
        }
    });
    assert!(calls.await > 6 * 20);
}

#[tokio::test]
async fn a_full_store_is_507_and_loses_nothing() {
    let full = ErrorKind::StorageFull { needed: None, available: None };
    for n in 0.. {
        let client = Client::new(format!("full at write {n}"));
        client.sound.push_blob("demo", "{}").await;
        let mut writes = 0;
        client.driver.plan(move |call| {
            let is_write = matches!(
                call.operation,
                Operation::Write | Operation::PutContent | Operation::Writer | Operation::Sync
            );
            writes += u64::from(is_write);
            (is_write && writes == n + 1).then_some(Fault::Before(full))
        });
        let uri = format!("/v2/demo/blobs/uploads/?digest={}", digest(WHOLE));
        let first = client.once("POST", &uri, &[], WHOLE).await.unwrap();
        assert!(first.status == 201 || first.status == 507, "{}: {first:?}", client.context);
        client.push_in_chunks("demo", CHUNKED).await;
        client.push_whole("demo", WHOLE).await;
        let manifest = image(&[WHOLE, CHUNKED]).to_string();
        let headers = [("content-type", OCI_MANIFEST)];
        let (v1, content) = ("/v2/demo/manifests/v1", manifest.as_bytes());
        let put = client.once("PUT", v1, &headers, content).await.unwrap();
        assert!(put.status == 201 || put.status == 507, "{}: {put:?}", client.context);
        client.send("PUT", v1, &headers, content).await.expect(201);
        assert_eq!(client.sound.get(v1).await.expect(200).body, manifest);
        if client.driver.struck() == 0 {
            assert!(n > 5);
            break;
        }
    }
}

#[tokio::test]
async fn errors_of_the_driver_are_not_shown_to_clients() {
    at_every_call(nothing, async |client| {
        let response = client.once("POST", "/v2/demo/blobs/uploads/", &[], b"").await.unwrap();
        let text = String::from_utf8_lossy(&response.body);
        assert!(!text.contains("injected") && !text.contains("/docker/"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn an_upload_is_resumed_to_its_end_although_any_one_call_fails() {
    let calls = at_every_call(nothing, async |client| {
        client.push_resuming("demo", CHUNKED).await;
    });
    assert!(calls.await > 6 * 15);
}

#[tokio::test]
async fn an_upload_is_resumed_to_its_end_where_every_third_call_fails() {
    for kind in [ErrorKind::Unavailable, ErrorKind::Timeout] {
        for fault in [Fault::Before(kind), Fault::LostAnswer(kind)] {
            for phase in 0..3 {
                let client = Client::new(format!("{fault:?} at every third call from {phase}"));
                client.driver.plan(move |call| (call.index % 3 == phase).then_some(fault));
                client.push_resuming("demo", CHUNKED).await;
            }
        }
    }
}

#[tokio::test]
async fn an_upload_is_resumed_to_its_end_where_calls_fail_at_random() {
    for seed in 0..300_u64 {
        let client = Client::new(format!("seed {seed}"));
        let mut state = seed;
        client.driver.plan(move |_| {
            // SplitMix64.
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let random = mixed ^ (mixed >> 31);
            let kind = KINDS[(random >> 8) as usize % KINDS.len()];
            match random % 6 {
                0 => Some(Fault::Before(kind)),
                1 => Some(Fault::LostAnswer(kind)),
                _ => None,
            }
        });
        client.push_resuming("demo", CHUNKED).await;
    }
}

/// An upload of `hello` that was finished with a digest of another algorithm than its note has, and whose closing
/// request failed while it was read.
async fn staged() -> (Client, String) {
    let client = Client::new(String::new());
    let upload = client.faulty.start("demo").await;
    client.faulty.patch(&upload, "0-4", "hello").await.expect(202);
    client.driver.plan(|call| {
        let fails = call.operation == Operation::Read && call.path.as_str().contains("_uploads");
        fails.then_some(Fault::Before(ErrorKind::Unavailable))
    });
    let uri = with_digest(&upload, &sha512(b"hello"));
    client.faulty.send("PUT", &uri, &[], "").await.expect(503);
    client.driver.plan(|_| None);
    (client, upload)
}

#[tokio::test]
async fn an_upload_that_is_read_for_its_digest_reports_its_size() {
    let (client, upload) = staged().await;
    client.faulty.assert_upload_size(&upload, "0-4").await;
    client.faulty.put(&upload, b"hello").await.expect(201);
    client.faulty.get(&upload).await.expect(404);
    assert_eq!(client.sound.uploads().await, 0);
}

#[tokio::test]
async fn an_upload_that_is_read_for_its_digest_accepts_more() {
    let (client, upload) = staged().await;
    let response = client.faulty.patch(&upload, "0-4", "hello").await.expect(416);
    assert_eq!(response.header("range"), "0-4");
    client.faulty.patch(&upload, "5-10", " world").await.expect(202);
    client.faulty.assert_upload_size(&upload, "0-10").await;
    client.faulty.put(&upload, b"hello world").await.expect(201);
    client.faulty.get(&upload).await.expect(404);
    client.assert_published("demo", b"hello world").await;
}

#[tokio::test]
async fn an_upload_that_is_read_for_its_digest_accepts_its_last_chunk() {
    let (client, upload) = staged().await;
    let uri = with_digest(&upload, &digest(b"hello world"));
    let range = [("content-range", "5-10")];
    client.faulty.send("PUT", &uri, &range, " world").await.expect(201);
    client.faulty.get(&upload).await.expect(404);
    client.assert_published("demo", b"hello world").await;
}

#[tokio::test]
async fn an_upload_that_is_read_for_its_digest_can_be_cancelled() {
    let (client, upload) = staged().await;
    client.faulty.delete(&upload).await.expect(204);
    client.faulty.get(&upload).await.expect(404);
    client.faulty.put(&upload, b"hello").await.expect(404);
}

#[tokio::test]
async fn a_download_whose_first_read_fails_is_503() {
    for kind in KINDS {
        let client = Client::new(format!("{kind:?}"));
        client.sound.push_blob("demo", WHOLE).await;
        client
            .driver
            .plan(move |call| (call.operation == Operation::Read).then_some(Fault::Before(kind)));
        for headers in [&[][..], &[("range", "bytes=3-7")]] {
            let response = client.once("GET", &blob("demo", WHOLE), headers, b"").await;
            response.expect("the connection is closed without a response").expect(503);
        }
    }
}
