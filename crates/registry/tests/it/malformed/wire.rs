//! Bytes on a connection, for the parser of HTTP.

use storage_driver_registry::TestRegistry;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::{random::Random, setting};
use crate::support::digest;

/// Sends bytes on a new connection, and returns the response.
async fn exchange(registry: &TestRegistry, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(registry.address()).await.unwrap();
    // The server may close the connection first.
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
    let mut response = Vec::new();
    let _ = stream.read_to_end(&mut response).await;
    String::from_utf8_lossy(&response).into_owned()
}

/// Asserts that no response in `text` is a 5xx.
fn assert_no_failure(sent: &[u8], text: &str) {
    let start = String::from_utf8_lossy(&sent[..sent.len().min(300)]).into_owned();
    for line in text.lines().filter(|line| line.starts_with("HTTP/1.")) {
        assert!(!line["HTTP/1.1 ".len()..].starts_with('5'), "{start:?}: {line}");
    }
}

async fn assert_alive(registry: &TestRegistry) {
    let request = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let response = exchange(registry, request).await;
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}

#[tokio::test]
async fn malformed_bytes_on_a_connection_break_nothing() {
    let registry = TestRegistry::start().await.unwrap();
    let post = "POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\n";
    let put = "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n";
    let long = "x".repeat(1 << 20);
    let flood: String = (0..1000).map(|n| format!("x-{n}: y\r\n")).collect();
    let cases = [
        "\r\n\r\n".to_owned(),
        "GET\r\n\r\n".to_owned(),
        "GET /v2/\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/9.9\r\n\r\n".to_owned(),
        "GET v2 HTTP/1.1\r\n\r\n".to_owned(),
        "\0\0\0\0".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}".to_owned(),
        format!("GET /{long} HTTP/1.1\r\nHost: x\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\nx: {long}\r\n\r\n"),
        format!("GET /v2/ HTTP/1.1\r\n{flood}\r\n"),
        "GET /v2/ HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/1.1\r\n: x\r\n\r\n".to_owned(),
        "GET /v2/ HTTP/1.1\r\nx : y\r\n\r\n".to_owned(),
        "GET /v2/%zz/tags/list HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET http://[::1/v2/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"),
        format!("{post}Content-Length: -1\r\n\r\nhello"),
        format!("{post}Content-Length: 99999999999999999999999\r\n\r\nhello"),
        format!("{post}Content-Length: 5, 5\r\n\r\nhello"),
        format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        format!("{post}Transfer-Encoding: gzip\r\n\r\nhello"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5\r\nhel"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n"),
        format!("{put}Transfer-Encoding: chunked\r\n\r\n5;{long}\r\nhello\r\n0\r\n\r\n"),
        format!("{put}Content-Length: 100\r\n\r\n{{"),
        format!("{put}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
        format!("{put}Content-Length: 2\r\n\r\n{{}}GARBAGE\r\n\r\n"),
    ];
    for case in cases {
        let response = exchange(&registry, case.as_bytes()).await;
        assert_no_failure(case.as_bytes(), &response);
        assert_alive(&registry).await;
    }
    registry.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_without_exactly_one_valid_host_is_400() {
    let registry = TestRegistry::start().await.unwrap();
    let request = |version: &str, headers: &str| {
        format!("GET /v2/ HTTP/{version}\r\n{headers}Connection: close\r\n\r\n")
    };
    for (version, headers, status) in [
        ("1.1", "", 400),
        ("1.1", "Host: a\r\nHost: a\r\n", 400),
        ("1.1", "Host: a\r\nhost: b\r\n", 400),
        ("1.0", "Host: a\r\nHost: b\r\n", 400),
        ("1.1", "Host: a b\r\n", 400),
        ("1.1", "Host: user@a\r\n", 400),
        ("1.1", "Host: a/b\r\n", 400),
        ("1.1", "Host: a:port\r\n", 400),
        ("1.1", "Host: \u{fc}\r\n", 400),
        ("1.1", "Host: a:5000\r\n", 200),
        ("1.1", "Host: [::1]:5000\r\n", 200),
        ("1.0", "", 200),
    ] {
        let response = exchange(&registry, request(version, headers).as_bytes()).await;
        let expected = format!("HTTP/{version} {status} ");
        assert!(response.starts_with(&expected), "{headers:?}: {response}");
    }
    let absolute = "GET http://a/v2/ HTTP/1.1\r\nConnection: close\r\n";
    let response = exchange(&registry, format!("{absolute}\r\n").as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
    let response = exchange(&registry, format!("{absolute}Host: a\r\n\r\n").as_bytes()).await;
    assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
    registry.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_that_are_refused_before_they_are_routed_get_the_same_security_headers() {
    let registry = TestRegistry::start().await.unwrap();
    let large = format!("Host: a\r\nX: {}\r\n", "a".repeat(100_000));
    for (headers, status) in [("", 400), (&*large, 431)] {
        let request = format!("GET /v2/ HTTP/1.1\r\n{headers}Connection: close\r\n\r\n");
        let response = exchange(&registry, request.as_bytes()).await;
        assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{response}");
        assert!(response.contains("x-content-type-options: nosniff\r\n"), "{response}");
        assert!(
            response.contains("content-security-policy: default-src 'none'; sandbox\r\n"),
            "{response}"
        );
    }
    registry.shutdown().await.unwrap();
}

#[tokio::test]
async fn requests_with_changed_bytes_break_nothing() {
    let registry = TestRegistry::start().await.unwrap();
    let named = digest(b"hello");
    let valid = [
        format!("POST /v2/a/blobs/uploads/?digest={named} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
        format!("GET /v2/a/blobs/{named} HTTP/1.1\r\nHost: x\r\nRange: bytes=1-3\r\nConnection: close\r\n\r\n"),
        "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\n{}\r\n0\r\n\r\n".to_owned(),
    ];
    let mut random = Random(setting("MALFORMED_SEED", 1) | 1);
    for _ in 0..setting("MALFORMED_REQUESTS", 10_000) / 20 {
        let mut bytes = random.pick(&valid).into_bytes();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes.insert(at, random.below(256) as u8),
                _ => drop(bytes.remove(at)),
            }
        }
        let response = exchange(&registry, &bytes).await;
        assert_no_failure(&bytes, &response);
    }
    assert_alive(&registry).await;
    registry.shutdown().await.unwrap();
}
