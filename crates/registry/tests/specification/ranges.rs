//! "A registry SHOULD support the `Range` request header in accordance with RFC 9110": 27.

use crate::support::{Answer, Service, blob, digest};

const CONTENT: &[u8] = b"0123456789";

async fn ranged(headers: &[(&str, &str)]) -> Answer {
    let service = Service::new();
    service.push_blob("demo", CONTENT).await;
    service.send("GET", &blob("demo", CONTENT), headers, "").await
}

async fn part(range: &str) -> Answer {
    ranged(&[("range", range)]).await
}

#[tokio::test]
async fn a_range_is_given_as_206() {
    let got = part("bytes=2-5").await.expect(206);
    assert_eq!(got.body, "2345");
    assert_eq!(got.header("content-range"), "bytes 2-5/10");
    assert_eq!(got.header("content-length"), "4");
    assert_eq!(got.header("docker-content-digest"), digest(CONTENT));
}

#[tokio::test]
async fn a_range_of_one_byte_is_given() {
    let got = part("bytes=9-9").await.expect(206);
    assert_eq!((&*got.body, got.header("content-range")), (&b"9"[..], "bytes 9-9/10"));
}

#[tokio::test]
async fn a_range_without_an_end_goes_to_the_end() {
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
async fn a_range_behind_the_end_is_416_with_the_size() {
    for range in ["bytes=10-", "bytes=10-12", "bytes=99999999999999999999-", "bytes=-0"] {
        let answer = part(range).await.expect(416);
        assert_eq!(answer.header("content-range"), "bytes */10", "{range}");
    }
}

#[tokio::test]
async fn a_range_of_an_empty_blob_is_416() {
    let service = Service::new();
    service.push_blob("demo", "").await;
    let range = [("range", "bytes=0-0")];
    let answer = service.send("GET", &blob("demo", b""), &range, "").await.expect(416);
    assert_eq!(answer.header("content-range"), "bytes */0");
}

#[tokio::test]
async fn what_is_no_single_range_gives_the_whole() {
    for range in ["bytes=5-2", "bytes=a-b", "bytes", "lines=1-2", "bytes=0-1,3-4", "bytes=-", "="] {
        assert_eq!(part(range).await.expect(200).body, CONTENT, "{range}");
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
async fn a_blob_says_that_it_takes_ranges_and_its_tag() {
    let got = ranged(&[]).await.expect(200);
    assert_eq!(got.header("accept-ranges"), "bytes");
    assert_eq!(got.header("etag"), format!("\"{}\"", digest(CONTENT)));
}

#[tokio::test]
async fn whoever_has_a_blob_already_is_told_304() {
    let tag = format!("\"{}\"", digest(CONTENT));
    for header in [&*tag, "*", &format!("\"other\", W/{tag}")] {
        let answer = ranged(&[("if-none-match", header)]).await.expect(304);
        assert!(answer.body.is_empty(), "{header}");
    }
    ranged(&[("if-none-match", "\"other\"")]).await.expect(200);
}

#[tokio::test]
async fn head_takes_no_range() {
    let service = Service::new();
    service.push_blob("demo", CONTENT).await;
    let range = [("range", "bytes=2-5")];
    let answer = service.send("HEAD", &blob("demo", CONTENT), &range, "").await.expect(200);
    assert_eq!(answer.header("content-length"), "10");
}
