//! curl, with the requests of crane: blobs pushed whole, in chunks, by a mount, and resumed.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use crate::{
    on_each_storage,
    support::{
        curl::{Curl, Response, finish},
        digest,
        random::Random,
        served::{Served, Storage},
    },
};

on_each_storage! {
    a_blob_is_pushed_as_a_stream,
    a_blob_is_pushed_over_http_2,
    a_blob_is_pushed_in_chunks,
    a_chunk_out_of_order_is_refused,
    a_blob_is_pushed_by_one_put,
    a_blob_is_pushed_by_one_post,
    a_blob_of_another_digest_is_refused,
    a_blob_is_mounted_from_another_repository,
    an_upload_continues_after_its_client_died,
    a_manifest_is_pushed_by_tag_and_by_digest,
}

const LEN: usize = 2_500_003;

fn content() -> Vec<u8> {
    Random::new(1).bytes(LEN)
}

/// Asserts that `repository` has the blob, byte for byte.
#[track_caller]
fn assert_pushed(curl: &Curl, repository: &str, content: &[u8]) {
    let digest = digest(content);
    let blob = format!("/v2/{repository}/blobs/{digest}");
    let response = curl.ask(&["--head"], &blob, None);
    assert_eq!(response.status, 200, "{response:?}");
    assert_eq!(response.header("content-length"), content.len().to_string());
    assert_eq!(response.header("docker-content-digest"), digest);
    let response = curl.ask(&[], &blob, None);
    assert_eq!(response.status, 200);
    assert!(response.body == content);
}

#[track_caller]
fn push_by_post_patch_put(curl: &Curl, options: &[&str], content: &[u8]) {
    let digest = digest(content);
    let blob = format!("/v2/some/image/blobs/{digest}");
    let response = curl.ask(&[options, &["--head"]].concat(), &blob, None);
    assert_eq!(response.status, 404);
    let upload = curl.begin("some/image");
    let response = curl.ask(&[options, &["-X", "PATCH"]].concat(), &upload, Some(content));
    assert_eq!(response.status, 202, "{response:?}");
    assert_eq!(response.header("range"), format!("0-{}", content.len() - 1));
    let end = finish(response.header("location"), &digest);
    let response = curl.ask(&[options, &["-X", "PUT"]].concat(), &end, None);
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.header("docker-content-digest"), digest);
    let response = curl.ask(&[options, &["--head"]].concat(), response.header("location"), None);
    assert_eq!(response.status, 200);
}

fn a_blob_is_pushed_as_a_stream(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    // From standard input: the length is unknown, and the body is sent in pieces.
    push_by_post_patch_put(&curl, &["--http1.1"], &content());
    assert_pushed(&curl, "some/image", &content());
}

fn a_blob_is_pushed_over_http_2(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    push_by_post_patch_put(&curl, &["--http2-prior-knowledge"], &content());
    assert_pushed(&curl, "some/image", &content());
}

/// A PATCH of `content`, which begins at `start`.
#[track_caller]
fn patch(curl: &Curl, upload: &str, start: usize, content: &[u8]) -> Response {
    try_patch(curl, upload, start, content).unwrap()
}

fn try_patch(curl: &Curl, upload: &str, start: usize, content: &[u8]) -> Result<Response, String> {
    let range = format!("Content-Range: {start}-{}", start + content.len() - 1);
    let length = format!("Content-Length: {}", content.len());
    let whole = ["-X", "PATCH", "-H", &range, "-H", "Transfer-Encoding:", "-H", &length];
    curl.try_ask(&whole, upload, Some(content))
}

fn a_blob_is_pushed_in_chunks(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let content = content();
    let mut upload = curl.begin("some/image");
    for (n, chunk) in content.chunks(1 << 20).enumerate() {
        let start = n << 20;
        let response = patch(&curl, &upload, start, chunk);
        assert_eq!(response.status, 202, "{response:?}");
        assert_eq!(response.header("range"), format!("0-{}", start + chunk.len() - 1));
        upload = response.header("location").to_owned();
    }
    let response = curl.ask(&["-X", "PUT"], &finish(&upload, &digest(&content)), None);
    assert_eq!(response.status, 201, "{response:?}");
    assert_pushed(&curl, "some/image", &content);
}

fn a_chunk_out_of_order_is_refused(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let upload = curl.begin("some/image");
    let response = patch(&curl, &upload, 0, b"first");
    assert_eq!(response.status, 202, "{response:?}");
    let upload = response.header("location").to_owned();
    let response = patch(&curl, &upload, 6, b"third");
    assert_eq!(response.status, 416, "{response:?}");
    let response = curl.ask(&[], &upload, None);
    assert_eq!(response.status, 204, "{response:?}");
    assert_eq!(response.header("range"), "0-4");
}

fn a_blob_is_pushed_by_one_put(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let end = finish(&curl.begin("some/image"), &digest(&content()));
    let response = curl.ask(&["-X", "PUT"], &end, Some(&content()));
    assert_eq!(response.status, 201, "{response:?}");
    assert_pushed(&curl, "some/image", &content());
}

fn a_blob_is_pushed_by_one_post(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let digest = digest(&content());
    let uploads = format!("/v2/some/image/blobs/uploads/?digest={digest}");
    let response = curl.ask(&["-X", "POST"], &uploads, Some(&content()));
    assert_eq!(response.status, 201, "{response:?}");
    assert_pushed(&curl, "some/image", &content());
}

fn a_blob_of_another_digest_is_refused(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let other = digest(b"something else");
    let end = finish(&curl.begin("some/image"), &other);
    let response = curl.ask(&["-X", "PUT"], &end, Some(&content()));
    assert_eq!(response.status, 400);
    assert_eq!(response.code(), "DIGEST_INVALID");
    for digest in [other, digest(&content())] {
        let blob = format!("/v2/some/image/blobs/{digest}");
        assert_eq!(curl.ask(&["--head"], &blob, None).status, 404);
    }
}

fn a_blob_is_mounted_from_another_repository(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let digest = digest(&content());
    let mount = format!("/v2/some/other/blobs/uploads/?mount={digest}&from=some/image");
    // The blob does not exist yet, so an upload begins instead.
    let response = curl.ask(&["-X", "POST"], &mount, None);
    assert_eq!(response.status, 202, "{response:?}");
    assert!(!response.header("location").is_empty());
    push_by_post_patch_put(&curl, &[], &content());
    let response = curl.ask(&["-X", "POST"], &mount, None);
    assert_eq!(response.status, 201, "{response:?}");
    assert_eq!(response.header("docker-content-digest"), digest);
    assert_pushed(&curl, "some/other", &content());
}

fn an_upload_continues_after_its_client_died(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let content = content();
    let upload = curl.begin("some/image");
    let (first, _) = content.split_at(1_500_000);
    let mut client = curl.spawn(&["-X", "PATCH"], &upload, true);
    client.stdin.as_mut().unwrap().write_all(first).unwrap();
    client.kill().unwrap();
    client.wait().unwrap();

    // Bytes of the dead client may still arrive. Then the reported size is outdated, and the next chunk is refused
    // at its beginning.
    let deadline = Instant::now() + Duration::from_secs(30);
    let upload = loop {
        let status = curl.ask(&[], &upload, None);
        assert_eq!(status.status, 204, "{status:?}");
        let last: usize = status.header("range").split_once('-').unwrap().1.parse().unwrap();
        // The range of an empty upload is the same as that of one byte.
        let kept = if last == 0 { 0 } else { last + 1 };
        assert!(kept <= first.len(), "{kept}");
        match try_patch(&curl, status.header("location"), kept, &content[kept..]) {
            Ok(response) if response.status == 202 => break response.header("location").to_owned(),
            refused => assert!(Instant::now() < deadline, "{refused:?}"),
        }
    };
    let response = curl.ask(&["-X", "PUT"], &finish(&upload, &digest(&content)), None);
    assert_eq!(response.status, 201, "{response:?}");
    assert_pushed(&curl, "some/image", &content);
}

fn a_manifest_is_pushed_by_tag_and_by_digest(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    push_by_post_patch_put(&curl, &[], b"{}");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    // The spaces are part of the content.
    let manifest = format!(
        "{{ \"schemaVersion\": 2,\n  \"mediaType\": \"{media_type}\",\n  \"config\": {{\
         \"mediaType\": \"application/vnd.oci.empty.v1+json\", \"digest\": \"{}\", \"size\": 2 }},\n\
         \"artifactType\": \"application/x.test\", \"layers\": [] }}\n",
        digest(b"{}")
    );
    let digest = digest(manifest.as_bytes());
    let content_type = format!("Content-Type: {media_type}");
    let put = ["-X", "PUT", "-H", &content_type];
    for reference in ["v1", &digest] {
        let target = format!("/v2/some/image/manifests/{reference}");
        let response = curl.ask(&put, &target, Some(manifest.as_bytes()));
        assert_eq!(response.status, 201, "{response:?}");
        assert_eq!(response.header("docker-content-digest"), digest);
        let response = curl.ask(&["-H", &format!("Accept: {media_type}")], &target, None);
        assert_eq!(response.status, 200, "{response:?}");
        assert_eq!(response.header("content-type"), media_type);
        assert_eq!(response.body, manifest.as_bytes());
    }
}
