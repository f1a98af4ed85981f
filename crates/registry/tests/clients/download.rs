//! curl: blobs that are read in parts.

use std::fs;

use crate::{
    on_each_storage,
    support::{
        curl::{Curl, finish},
        digest,
        program::text,
        random::Random,
        served::{Served, Storage},
    },
};

on_each_storage! {
    a_part_is_read,
    the_end_is_read,
    a_part_past_the_end_is_refused,
    a_broken_download_continues_where_it_stopped,
    blobs_that_the_client_has_are_not_sent_again,
}

const LEN: usize = 3_000_001;

/// A registry with a blob, its content, and where it is.
fn ready(storage: Storage) -> Option<(Served, Curl, Vec<u8>, String)> {
    let curl = Curl::find()?;
    let served = Served::start(storage);
    let curl = Curl::new(&curl, &served);
    let content = Random::new(2).bytes(LEN);
    let digest = digest(&content);
    let end = finish(&curl.begin("some/image"), &digest);
    let response = curl.ask(&["-X", "PUT"], &end, Some(&content));
    assert_eq!(response.status, 201, "{response:?}");
    Some((served, curl, content, format!("/v2/some/image/blobs/{digest}")))
}

fn a_part_is_read(storage: Storage) {
    let Some((_served, curl, content, blob)) = ready(storage) else { return };
    let response = curl.ask(&["-H", "Range: bytes=999999-1500000"], &blob, None);
    assert_eq!(response.status, 206);
    assert_eq!(response.header("content-range"), format!("bytes 999999-1500000/{LEN}"));
    assert!(response.body == content[999_999..=1_500_000]);
}

fn the_end_is_read(storage: Storage) {
    let Some((_served, curl, content, blob)) = ready(storage) else { return };
    let response = curl.ask(&["-H", "Range: bytes=-1000"], &blob, None);
    assert_eq!(response.status, 206);
    assert_eq!(response.header("content-range"), format!("bytes {}-{}/{LEN}", LEN - 1000, LEN - 1));
    assert!(response.body == content[LEN - 1000..]);
}

fn a_part_past_the_end_is_refused(storage: Storage) {
    let Some((_served, curl, _, blob)) = ready(storage) else { return };
    let response = curl.ask(&["-H", &format!("Range: bytes={LEN}-")], &blob, None);
    assert_eq!(response.status, 416);
    assert_eq!(response.header("content-range"), format!("bytes */{LEN}"));
}

fn a_broken_download_continues_where_it_stopped(storage: Storage) {
    let Some((_served, curl, content, blob)) = ready(storage) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("blob");
    fs::write(&file, &content[..1_234_567]).unwrap();
    let into = ["--no-include", "--continue-at", "-", "--output", text(&file)];
    let mut going_on = curl.spawn(&into, &blob, false);
    assert!(going_on.wait().unwrap().success());
    assert!(fs::read(&file).unwrap() == content);
}

fn blobs_that_the_client_has_are_not_sent_again(storage: Storage) {
    let Some((_served, curl, _, blob)) = ready(storage) else { return };
    let first = curl.ask(&["--head"], &blob, None);
    let known = format!("If-None-Match: {}", first.header("etag"));
    let response = curl.ask(&["-H", &known], &blob, None);
    assert_eq!(response.status, 304);
    assert!(response.body.is_empty());
}
