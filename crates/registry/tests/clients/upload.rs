//! curl, as crane pushes: blobs whole, in chunks, mounted, and taken up again.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use crate::{
    on_each_storage,
    support::{
        curl::{Answer, Curl, finish},
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

/// Whether `repository` has the blob, byte for byte.
#[track_caller]
fn assert_there(curl: &Curl, repository: &str, content: &[u8]) {
    let digest = digest(content);
    let blob = format!("/v2/{repository}/blobs/{digest}");
    let answer = curl.ask(&["--head"], &blob, None);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-length"), content.len().to_string());
    assert_eq!(answer.header("docker-content-digest"), digest);
    let answer = curl.ask(&[], &blob, None);
    assert_eq!(answer.status, 200);
    assert!(answer.body == content);
}

#[track_caller]
fn push_by_post_patch_put(curl: &Curl, options: &[&str], content: &[u8]) {
    let digest = digest(content);
    let blob = format!("/v2/some/image/blobs/{digest}");
    let answer = curl.ask(&[options, &["--head"]].concat(), &blob, None);
    assert_eq!(answer.status, 404);
    let upload = curl.begin("some/image");
    let answer = curl.ask(&[options, &["-X", "PATCH"]].concat(), &upload, Some(content));
    assert_eq!(answer.status, 202, "{answer:?}");
    assert_eq!(answer.header("range"), format!("0-{}", content.len() - 1));
    let end = finish(answer.header("location"), &digest);
    let answer = curl.ask(&[options, &["-X", "PUT"]].concat(), &end, None);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("docker-content-digest"), digest);
    let answer = curl.ask(&[options, &["--head"]].concat(), answer.header("location"), None);
    assert_eq!(answer.status, 200);
}

fn a_blob_is_pushed_as_a_stream(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    // From standard input: its length is not known, and it is sent in pieces as they come.
    push_by_post_patch_put(&curl, &["--http1.1"], &content());
    assert_there(&curl, "some/image", &content());
}

fn a_blob_is_pushed_over_http_2(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    push_by_post_patch_put(&curl, &["--http2-prior-knowledge"], &content());
    assert_there(&curl, "some/image", &content());
}

/// A PATCH of `content`, which begins at `start`.
#[track_caller]
fn patch(curl: &Curl, upload: &str, start: usize, content: &[u8]) -> Answer {
    try_patch(curl, upload, start, content).unwrap()
}

fn try_patch(curl: &Curl, upload: &str, start: usize, content: &[u8]) -> Result<Answer, String> {
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
        let answer = patch(&curl, &upload, start, chunk);
        assert_eq!(answer.status, 202, "{answer:?}");
        assert_eq!(answer.header("range"), format!("0-{}", start + chunk.len() - 1));
        upload = answer.header("location").to_owned();
    }
    let answer = curl.ask(&["-X", "PUT"], &finish(&upload, &digest(&content)), None);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_there(&curl, "some/image", &content);
}

fn a_chunk_out_of_order_is_refused(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let upload = curl.begin("some/image");
    let answer = patch(&curl, &upload, 0, b"first");
    assert_eq!(answer.status, 202, "{answer:?}");
    let upload = answer.header("location").to_owned();
    let answer = patch(&curl, &upload, 6, b"third");
    assert_eq!(answer.status, 416, "{answer:?}");
    let answer = curl.ask(&[], &upload, None);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("range"), "0-4");
}

fn a_blob_is_pushed_by_one_put(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let end = finish(&curl.begin("some/image"), &digest(&content()));
    let answer = curl.ask(&["-X", "PUT"], &end, Some(&content()));
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_there(&curl, "some/image", &content());
}

fn a_blob_is_pushed_by_one_post(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let digest = digest(&content());
    let uploads = format!("/v2/some/image/blobs/uploads/?digest={digest}");
    let answer = curl.ask(&["-X", "POST"], &uploads, Some(&content()));
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_there(&curl, "some/image", &content());
}

fn a_blob_of_another_digest_is_refused(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let other = digest(b"something else");
    let end = finish(&curl.begin("some/image"), &other);
    let answer = curl.ask(&["-X", "PUT"], &end, Some(&content()));
    assert_eq!(answer.status, 400);
    assert_eq!(answer.code(), "DIGEST_INVALID");
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
    // It is not there yet: an upload begins instead.
    let answer = curl.ask(&["-X", "POST"], &mount, None);
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(!answer.header("location").is_empty());
    push_by_post_patch_put(&curl, &[], &content());
    let answer = curl.ask(&["-X", "POST"], &mount, None);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("docker-content-digest"), digest);
    assert_there(&curl, "some/other", &content());
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

    // What the dead client sent may still arrive: then what was told is too little by now, and the rest
    // is refused, as early as it can be.
    let deadline = Instant::now() + Duration::from_secs(30);
    let upload = loop {
        let told = curl.ask(&[], &upload, None);
        assert_eq!(told.status, 204, "{told:?}");
        let last: usize = told.header("range").split_once('-').unwrap().1.parse().unwrap();
        // Of nothing at all it is said in the same words as of one byte.
        let kept = if last == 0 { 0 } else { last + 1 };
        assert!(kept <= first.len(), "{kept}");
        match try_patch(&curl, told.header("location"), kept, &content[kept..]) {
            Ok(answer) if answer.status == 202 => break answer.header("location").to_owned(),
            refused => assert!(Instant::now() < deadline, "{refused:?}"),
        }
    };
    let answer = curl.ask(&["-X", "PUT"], &finish(&upload, &digest(&content)), None);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_there(&curl, "some/image", &content);
}

fn a_manifest_is_pushed_by_tag_and_by_digest(storage: Storage) {
    let Some(curl) = Curl::find() else { return };
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    push_by_post_patch_put(&curl, &[], b"{}");
    let media_type = "application/vnd.oci.image.manifest.v1+json";
    // The spaces are a part of it.
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
        let answer = curl.ask(&put, &target, Some(manifest.as_bytes()));
        assert_eq!(answer.status, 201, "{answer:?}");
        assert_eq!(answer.header("docker-content-digest"), digest);
        let answer = curl.ask(&["-H", &format!("Accept: {media_type}")], &target, None);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), media_type);
        assert_eq!(answer.body, manifest.as_bytes());
    }
}
