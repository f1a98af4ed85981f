//! TLS: the negotiated protocol, and certificates that are replaced while the server runs.
use std::{fs, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use axum::{Extension, Router, routing};
use http::uri::Scheme;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use storage_driver_registry::{Server, Shutdown, Tls, TlsError};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

/// A directory with a certificate and its key.
struct Pair {
    directory: TempDir,
}

impl Pair {
    fn new() -> (Self, CertificateDer<'static>) {
        let pair = Self { directory: TempDir::new().unwrap() };
        let certificate = pair.replace();
        (pair, certificate)
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("certificate.pem")
    }

    fn key(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    fn replace(&self) -> CertificateDer<'static> {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.certificate(), cert.pem()).unwrap();
        fs::write(self.key(), signing_key.serialize_pem()).unwrap();
        cert.der().clone()
    }

    async fn load(&self) -> Result<Tls, TlsError> {
        Tls::load(self.certificate(), self.key()).await
    }
}

async fn serve(tls: Tls) -> SocketAddr {
    let scheme = |Extension(scheme): Extension<Scheme>| async move { scheme.to_string() };
    let router = Router::new()
        .route("/", routing::get(|| async { "hello" }))
        .route("/scheme", routing::get(scheme));
    let server = Server::bind("127.0.0.1:0", router).await.unwrap().tls(tls);
    let address = server.local_addr().unwrap();
    tokio::spawn(server.run(Shutdown::new()));
    address
}

/// A connection by a client that trusts `trusted` alone.
async fn connect(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn get(path: &str) -> String {
    let (pair, certificate) = Pair::new();
    let address = serve(pair.load().await.unwrap()).await;
    let mut stream = connect(address, &certificate, &[]).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn a_request_is_served_over_tls() {
    let response = get("/").await;
    assert!(response.ends_with("hello"), "{response}");
}

#[tokio::test]
async fn a_handler_knows_that_the_request_came_over_tls() {
    let response = get("/scheme").await;
    assert!(response.ends_with("\r\n\r\nhttps"), "{response}");
}

#[tokio::test]
async fn http_2_is_agreed_on_before_http_1() {
    let (pair, certificate) = Pair::new();
    let address = serve(pair.load().await.unwrap()).await;
    for (offered, agreed) in [(&["http/1.1", "h2"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(address, &certificate, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(agreed.as_bytes()));
    }
}

#[tokio::test]
async fn a_new_connection_sees_the_new_certificate() {
    let (pair, old) = Pair::new();
    let tls = pair.load().await.unwrap();
    let address = serve(tls.clone()).await;
    connect(address, &old, &[]).await.unwrap();
    assert!(!tls.reload().await.unwrap());

    let new = pair.replace();
    assert!(tls.reload().await.unwrap());
    connect(address, &new, &[]).await.unwrap();
    assert!(connect(address, &old, &[]).await.is_err());
}

#[tokio::test]
async fn a_bad_pair_keeps_the_old_one() {
    let (pair, certificate) = Pair::new();
    let tls = pair.load().await.unwrap();
    let address = serve(tls.clone()).await;

    fs::write(pair.key(), KeyPair::generate().unwrap().serialize_pem()).unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::Pair { .. })));
    fs::write(pair.certificate(), "-----BEGIN CERTIFICATE-----\n?").unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::File { .. })));
    fs::remove_file(pair.certificate()).unwrap();
    assert!(matches!(tls.reload().await, Err(TlsError::File { .. })));

    connect(address, &certificate, &[]).await.unwrap();
}

#[tokio::test]
async fn files_without_a_certificate_or_a_key_are_not_loaded() {
    let (pair, _) = Pair::new();
    let (certificate, key) = (pair.certificate(), pair.key());
    let swapped = Tls::load(&key, &certificate).await.unwrap_err();
    assert!(swapped.to_string().contains("key.pem"), "{swapped}");
    let absent = Tls::load(&certificate, "/absent").await.unwrap_err();
    assert!(absent.to_string().starts_with("/absent: "), "{absent}");
}

#[tokio::test]
async fn files_may_begin_with_a_byte_order_mark() {
    let (pair, certificate) = Pair::new();
    for file in [pair.certificate(), pair.key()] {
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("\u{feff}{text}")).unwrap();
    }
    let address = serve(pair.load().await.unwrap()).await;
    connect(address, &certificate, &[]).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watch_takes_the_new_certificate() {
    let (pair, _) = Pair::new();
    let tls = pair.load().await.unwrap();
    let new = pair.replace();
    let watch = tokio::spawn({
        let tls = tls.clone();
        async move { tls.watch(Duration::from_secs(60)).await }
    });
    tokio::time::sleep(Duration::from_secs(61)).await;
    // A reload that the watch began ends first.
    assert!(!tls.reload().await.unwrap());
    watch.abort();
    tokio::time::resume();
    connect(serve(tls).await, &new, &[]).await.unwrap();
}

/// Sends `request` without TLS, and returns the response.
async fn send_plain(request: &str) -> Vec<u8> {
    let (pair, _) = Pair::new();
    let address = serve(pair.load().await.unwrap()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    response
}

#[tokio::test]
async fn plain_http_gets_a_response_that_asks_for_tls() {
    for request in ["GET / HTTP/1.1\r\nhost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let response = String::from_utf8(send_plain(request).await).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "), "{response}");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{response}");
        assert_eq!(body, "Client sent an HTTP request to an HTTPS server.\n");
    }
}

#[tokio::test]
async fn the_response_to_plain_http_can_be_read_while_a_body_is_sent() {
    let head = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1048576\r\n\r\n";
    let response = send_plain(&format!("{head}{}", "x".repeat(1 << 20))).await;
    assert!(response.starts_with(b"HTTP/1.1 400 "));
}

#[tokio::test]
async fn data_that_is_neither_http_nor_tls_gets_an_alert() {
    let response = send_plain("\u{1}\u{2}\u{3}\u{4}\u{5}").await;
    assert!(!response.starts_with(b"HTTP"), "{response:?}");
}
