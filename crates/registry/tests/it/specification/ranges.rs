//! "A registry SHOULD support the `Range` request header in accordance with RFC 9110": 27.

use std::sync::Arc;

use inmemory::InMemory;
use storage_driver::{ErrorKind, Operation};
use storage_driver_conformance::layers::{Fault, Faulty};
use storage_driver_registry::Metrics;

use crate::support::{Response, Service, blob, digest};

const CONTENT: &[u8] = b"0123456789";

async fn ranged(headers: &[(&str, &str)]) -> Response {
    ranged_of(CONTENT, headers).await
}

async fn ranged_of(content: &'static [u8], headers: &[(&str, &str)]) -> Response {
    let service = Service::new();
    service.push_blob("demo", content).await;
    service.send("GET", &blob("demo", content), headers, "").await
}

async fn part(range: &str) -> Response {
    ranged(&[("range", range)]).await
}

/// The digits of [`CONTENT`], 100 times: several small parts of it, with their headers, are smaller than the whole.
const LARGE: &[u8] = {
    const DIGITS: [[u8; 10]; 100] = [*b"0123456789"; 100];
    DIGITS.as_flattened()
};

/// Several ranges of [`LARGE`].
async fn several(ranges: &str) -> Response {
    ranged_of(LARGE, &[("range", ranges)]).await
}

#[tokio::test]
async fn a_range_is_206() {
    let got = part("bytes=2-5").await.expect(206);
    assert_eq!(got.body, "2345");
    assert_eq!(got.header("content-range"), "bytes 2-5/10");
    assert_eq!(got.header("content-length"), "4");
    assert_eq!(got.header("docker-content-digest"), digest(CONTENT));
}

#[tokio::test]
async fn a_range_of_one_byte_is_206() {
    let got = part("bytes=9-9").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"9"[..], "bytes 9-9/10"));
}

#[tokio::test]
async fn a_range_without_an_end_extends_to_the_end() {
    let got = part("bytes=7-").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"789"[..], "bytes 7-9/10"));
}

#[tokio::test]
async fn a_range_past_the_end_is_cut_there() {
    let got = part("bytes=7-99999999999999999999999").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"789"[..], "bytes 7-9/10"));
}

#[tokio::test]
async fn a_suffix_is_the_last_bytes() {
    let got = part("bytes=-3").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"789"[..], "bytes 7-9/10"));
}

#[tokio::test]
async fn a_suffix_longer_than_the_blob_is_all_of_it() {
    let got = part("bytes=-99").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (CONTENT, "bytes 0-9/10"));
}

#[tokio::test]
async fn a_range_past_the_end_is_416_with_the_size() {
    for range in ["bytes=10-", "bytes=10-12", "bytes=99999999999999999999-", "bytes=-0"] {
        let response = part(range).await.expect(416);
        assert_eq!(response.header("content-range"), "bytes */10", "{range}");
    }
}

#[tokio::test]
async fn a_range_of_an_empty_blob_is_416() {
    let service = Service::new();
    service.push_blob("demo", "").await;
    let range = [("range", "bytes=0-0")];
    let response = service.send("GET", &blob("demo", b""), &range, "").await.expect(416);
    assert_eq!(response.header("content-range"), "bytes */0");
}

#[tokio::test]
async fn a_malformed_range_is_416_with_the_size() {
    let malformed = [
        "bytes=5-2",
        "bytes=500-0",
        "bytes=a-b",
        "bytes=-",
        "bytes=",
        "bytes=,",
        "bytes=1",
        "bytes=0-1,5-2",
        "bytes=0-1-2",
        "bytes=+1-2",
        "BYTES=5-2",
    ];
    for range in malformed {
        let response = part(range).await.expect(416);
        assert_eq!(response.header("content-range"), "bytes */10", "{range}");
    }
    ranged(&[("range", "bytes=0-1"), ("range", "bytes=3-4")]).await.expect(416);
}

#[tokio::test]
async fn a_range_of_another_unit_is_ignored() {
    for range in ["lines=1-2", "bytes", "=", "0-1"] {
        assert_eq!(part(range).await.expect(200).body, CONTENT, "{range}");
    }
}

#[tokio::test]
async fn a_range_of_a_missing_blob_is_404() {
    let service = Service::new();
    for range in ["bytes=0-1", "bytes=0-0,2-3", "bytes=5-2"] {
        service.send("GET", &blob("demo", CONTENT), &[("range", range)], "").await.expect(404);
    }
}

/// The parts of a `multipart/byteranges`: the `Content-Range` and the content of each.
fn parts(response: &Response) -> Vec<(String, String)> {
    let kind = response.header("content-type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert_eq!(response.header("content-length"), response.body.len().to_string());
    assert_eq!(response.header("content-range"), "");
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let text = text.strip_suffix(&format!("\r\n--{boundary}--\r\n")).unwrap();
    let delimiter = format!("\r\n--{boundary}\r\n");
    let parts = text.split(&delimiter).skip(1);
    let parts = parts.map(|part| {
        let (head, content) = part.split_once("\r\n\r\n").unwrap();
        let mut lines = head.split("\r\n");
        assert_eq!(lines.next(), Some("Content-Type: application/octet-stream"));
        let range = lines.next().unwrap().strip_prefix("Content-Range: bytes ").unwrap();
        assert_eq!(lines.next(), None);
        (range.to_owned(), content.to_owned())
    });
    parts.collect()
}

#[track_caller]
fn assert_parts(response: &Response, expected: &[(&str, &str)]) {
    let parts = parts(response);
    let parts: Vec<(&str, &str)> = parts.iter().map(|(a, b)| (&**a, &**b)).collect();
    assert_eq!(parts, expected);
}

#[tokio::test]
async fn several_ranges_are_parts_in_the_order_of_the_request() {
    let got = several("bytes=6-7, 0-1,-1").await.expect(206);
    assert_parts(&got, &[("6-7/1000", "67"), ("0-1/1000", "01"), ("999-999/1000", "9")]);
    assert_eq!(got.header("etag"), format!("\"{}\"", digest(LARGE)));
}

#[tokio::test]
async fn ranges_that_overlap_are_one_part_in_the_place_of_the_first() {
    let got = several("bytes=8-8,3-4,0-1,4-5").await.expect(206);
    assert_parts(&got, &[("8-8/1000", "8"), ("3-5/1000", "345"), ("0-1/1000", "01")]);
    let got = part("bytes=2-4,3-3,2-2").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"234"[..], "bytes 2-4/10"));
}

// podman expects one part for each range, and requests files that are adjacent.
#[tokio::test]
async fn adjacent_ranges_are_separate_parts() {
    let got = several("bytes=2-3,4-5").await.expect(206);
    assert_parts(&got, &[("2-3/1000", "23"), ("4-5/1000", "45")]);
}

#[tokio::test]
async fn ranges_past_the_end_are_left_out_of_several() {
    let got = several("bytes=0-1,2000-3000,998-9999").await.expect(206);
    assert_parts(&got, &[("0-1/1000", "01"), ("998-999/1000", "89")]);
}

#[tokio::test]
async fn a_single_satisfiable_range_of_several_is_no_multipart() {
    let got = part("bytes=20-30,2-3,-0").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"23"[..], "bytes 2-3/10"));
    assert_eq!(got.header("content-type"), "application/octet-stream");
}

#[tokio::test]
async fn several_ranges_past_the_end_are_416() {
    let response = part("bytes=10-11,20-,-0").await.expect(416);
    assert_eq!(response.header("content-range"), "bytes */10");
}

#[tokio::test]
async fn ranges_of_more_bytes_than_the_blob_give_the_whole() {
    for range in ["bytes=0-,0-0", "bytes=0-5,0-5", "bytes=-9,0-1"] {
        let got = part(range).await.expect(200);
        assert_eq!((&*got.body, got.header("content-length")), (CONTENT, "10"), "{range}");
    }
}

#[tokio::test]
async fn parts_that_are_larger_than_the_blob_with_their_headers_give_the_whole() {
    let ranges = |count| {
        let ranges: Vec<_> = (0..count).map(|n| format!("{0}-{0}", n * 10)).collect();
        format!("bytes={}", ranges.join(","))
    };
    let mut statuses = Vec::new();
    for count in 2..=20 {
        let got = several(&ranges(count)).await;
        assert!(got.body.len() <= LARGE.len(), "{count} ranges: {} bytes", got.body.len());
        statuses.push(got.status.as_u16());
    }
    assert!(statuses.is_sorted_by(|one, next| one >= next), "{statuses:?}");
    assert_eq!((statuses[0], statuses[18]), (206, 200));
    let got = part("bytes=0-0,2-2").await.expect(200);
    assert_eq!((&*got.body, got.header("content-length")), (CONTENT, "10"));
}

#[tokio::test]
async fn if_range_is_heeded_for_several_ranges() {
    let tag = format!("\"{}\"", digest(LARGE));
    let range = ("range", "bytes=0-0,2-2");
    ranged_of(LARGE, &[range, ("if-range", &tag)]).await.expect(206);
    ranged_of(LARGE, &[range, ("if-range", "\"other\"")]).await.expect(200);
    ranged(&[("range", "bytes=5-2"), ("if-range", "\"other\"")]).await.expect(200);
}

/// The ranges that podman requests for the missing files of a zstd:chunked layer.
fn every_thousandth(ranges: u64) -> String {
    let ranges = (0..ranges).map(|n| format!("{}-{}", n * 1000, n * 1000 + 9));
    format!("bytes={}", ranges.collect::<Vec<_>>().join(","))
}

#[tokio::test]
async fn a_partial_pull_of_1024_ranges_reads_no_more_than_it_asks_for() {
    let metrics = Metrics::new();
    let store = InMemory::new();
    let driver = metrics.driver(Arc::new(store.clone()));
    let service = Service::on(driver, store, |builder| builder);
    let content: Vec<u8> = (0..1_100_000_u32).map(|n| b'a' + (n / 1000 % 26) as u8).collect();
    service.push_blob("demo", content.clone()).await;
    let ranges = every_thousandth(1024);
    let headers = [("range", &*ranges)];
    let got = service.send("GET", &blob("demo", &content), &headers, "").await.expect(206);
    let parts = parts(&got);
    assert_eq!(parts.len(), 1024);
    for (n, (range, part)) in parts.iter().enumerate() {
        assert_eq!(*range, format!("{}-{}/1100000", n * 1000, n * 1000 + 9));
        assert_eq!(part.as_bytes(), &content[n * 1000..n * 1000 + 10]);
    }
    let text = metrics.encode();
    let read = text.lines().find_map(|it| it.strip_prefix("registry_storage_read_bytes_total "));
    let read: u64 = read.unwrap().parse().unwrap();
    // Includes the links of the repository.
    assert!((10_240..12_000).contains(&read), "{read}");
}

#[tokio::test]
async fn more_than_1024_ranges_give_the_whole() {
    let service = Service::new();
    service.push_blob("demo", vec![0; 1_100_000]).await;
    let ranges = every_thousandth(1025);
    let headers = [("range", &*ranges)];
    let uri = blob("demo", &vec![0; 1_100_000]);
    service.send("GET", &uri, &headers, "").await.expect(200);
}

#[tokio::test]
async fn a_blob_whose_first_read_fails_is_503() {
    let store = InMemory::new();
    let faulty = Faulty::new(store.clone());
    let service = Service::on(Arc::new(faulty.clone()), store, |builder| builder);
    service.push_blob("demo", LARGE).await;
    faulty.plan(|call| {
        (call.operation == Operation::Read).then_some(Fault::Before(ErrorKind::Unavailable))
    });
    for range in ["", "bytes=0-1", "bytes=0-1,4-5"] {
        let headers = [("range", range)];
        let headers = if range.is_empty() { &headers[..0] } else { &headers };
        service.send("GET", &blob("demo", LARGE), headers, "").await.expect(503);
    }
}

#[tokio::test]
async fn if_range_with_the_tag_of_the_blob_gives_the_range() {
    let tag = format!("\"{}\"", digest(CONTENT));
    let got = ranged(&[("range", "bytes=2-5"), ("if-range", &tag)]).await.expect(206);
    assert_eq!(got.body, "2345");
}

#[tokio::test]
async fn if_range_with_another_tag_gives_the_whole() {
    for tag in ["\"other\"", "Wed, 21 Oct 2015 07:28:00 GMT", "W/\"weak\""] {
        let got = ranged(&[("range", "bytes=2-5"), ("if-range", tag)]).await.expect(200);
        assert_eq!(got.body, CONTENT);
    }
}

#[tokio::test]
async fn a_blob_announces_ranges_and_its_entity_tag() {
    let got = ranged(&[]).await.expect(200);
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert_eq!(got.header("etag"), format!("\"{}\"", digest(CONTENT)));
}

#[tokio::test]
async fn a_client_that_has_the_blob_already_gets_304() {
    let tag = format!("\"{}\"", digest(CONTENT));
    for header in [&*tag, "*", &format!("\"other\", W/{tag}")] {
        let response = ranged(&[("if-none-match", header)]).await.expect(304);
        assert!(response.body.is_empty(), "{header}");
    }
    ranged(&[("if-none-match", "\"other\"")]).await.expect(200);
}

#[tokio::test]
async fn head_takes_no_range() {
    let service = Service::new();
    service.push_blob("demo", CONTENT).await;
    let range = [("range", "bytes=2-5")];
    let response = service.send("HEAD", &blob("demo", CONTENT), &range, "").await.expect(200);
    assert_eq!(response.header("content-length"), "10");
}
