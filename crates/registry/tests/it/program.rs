//! The running program: its output, its signals, and its exit codes.
#![cfg(all(unix, feature = "program"))]

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn registry(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    command.args(arguments).env_clear().stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// `registry serve`, which is killed at the end of the test.
struct Serving {
    child: Child,
    url: String,
    log: BufReader<ChildStderr>,
}

impl Serving {
    fn new(arguments: &[&str]) -> Self {
        Self::start(registry(&["serve", "--listen=127.0.0.1:0"]).args(arguments))
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim_end().strip_prefix("listening on ").unwrap().to_owned();
        let log = BufReader::new(child.stderr.take().unwrap());
        Self { child, url, log }
    }

    fn address(&self) -> SocketAddr {
        self.url.split_once("://").unwrap().1.parse().unwrap()
    }

    /// The status line, the headers and the body of a response.
    fn get(&self, path: &str) -> String {
        get(self.address(), path)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// Reads the log up to the line that has `text`.
    fn wait_for(&mut self, text: &str) -> String {
        let mut lines = (&mut self.log).lines().map(Result::unwrap);
        lines.find(|line| line.contains(text)).unwrap()
    }

    fn end(mut self) -> (ExitStatus, String) {
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        (self.child.wait().unwrap(), log)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    send(address, "GET", path, "")
}

/// A request without a body; `headers` are lines.
fn send(address: SocketAddr, method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{method} {path} HTTP/1.0\r\nhost: a\r\n{headers}\r\n").unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

/// The single line of a program that ends with exit code 1.
fn failure(arguments: &[&str]) -> String {
    let output = registry(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn it_serves_at_the_address_that_it_prints() {
    let serving = Serving::new(&[]);
    assert!(serving.url.starts_with("http://127.0.0.1:"));
    let response = serving.get("/v2/");
    assert!(response.starts_with("HTTP/1.0 200"), "{response}");
}

#[test]
fn a_signal_stops_it() {
    for signal in [Signal::TERM, Signal::INT] {
        let serving = Serving::new(&[]);
        serving.signal(signal);
        let (status, log) = serving.end();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn a_second_signal_stops_it_at_once() {
    let mut serving = Serving::new(&[]);
    // An incomplete request delays the shutdown.
    let mut stream = TcpStream::connect(serving.address()).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    // Connections are accepted in order, so the first has been accepted now.
    serving.get("/v2/");
    serving.signal(Signal::TERM);
    serving.wait_for("stopping");
    serving.signal(Signal::TERM);
    let (status, log) = serving.end();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("at once"), "{log}");
}

#[test]
fn health_fails_as_soon_as_it_stops_while_requests_are_served() {
    let mut serving = Serving::new(&["--shutdown-delay=1h"]);
    assert!(serving.get("/healthz").starts_with("HTTP/1.0 200"));
    serving.signal(Signal::TERM);
    serving.wait_for("stopping");
    let response = serving.get("/healthz");
    assert!(
        response.starts_with("HTTP/1.0 503") && response.contains("shutting down"),
        "{response}"
    );
    assert!(serving.get("/livez").starts_with("HTTP/1.0 200"));
    assert!(serving.get("/v2/").starts_with("HTTP/1.0 200"));
}

#[test]
fn it_ends_after_the_delay_of_its_shutdown() {
    let serving = Serving::new(&["--shutdown-delay=10ms"]);
    serving.signal(Signal::TERM);
    assert!(serving.end().0.success());
}

#[test]
fn health_fails_at_the_separate_listener_until_requests_in_flight_have_ended() {
    let mut serving = Serving::new(&["--metrics-listen=127.0.0.1:0", "--log-format=json"]);
    let line: serde_json::Value = serde_json::from_str(&serving.wait_for("\"metrics\"")).unwrap();
    let health = line["fields"]["address"].as_str().unwrap().parse().unwrap();
    let mut upload = TcpStream::connect(serving.address()).unwrap();
    // The digest of `abcde`.
    let digest = "36bbe50ed96841d10443bcb670d6554f0a34b761be67ec9c4a8ad2c0c44ca42c";
    let uri = format!("/v2/demo/blobs/uploads/?digest=sha256:{digest}");
    write!(upload, "POST {uri} HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nab").unwrap();
    // Connections are accepted in order, so that of the upload has been accepted now.
    serving.get("/v2/");
    serving.signal(Signal::TERM);
    serving.wait_for("stopping");
    assert!(get(health, "/healthz").starts_with("HTTP/1.0 503"));
    upload.write_all(b"cde").unwrap();
    let mut response = String::new();
    upload.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
    assert!(serving.end().0.success());
}

#[test]
fn a_token_is_valid_after_a_restart_with_the_same_key() {
    let directory = TempDir::new().unwrap();
    let (users, key) = (passwords(&directory), directory.path().join("token.key"));
    fs::write(&key, "k".repeat(32)).unwrap();
    let store = format!("file://{}", directory.path().join("store").display());
    let arguments: [&str; 6] =
        ["--htpasswd", &users, "--token-key", key.to_str().unwrap(), "--storage", &store];
    let alice = "authorization: Basic YWxpY2U6c2VjcmV0\r\n";
    let first = Serving::new(&arguments);
    let scope = "repository:demo:pull,push";
    let issued = send(first.address(), "GET", &format!("/token?scope={scope}"), alice);
    let body = issued.split_once("\r\n\r\n").unwrap().1;
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let token = format!("authorization: Bearer {}\r\n", body["token"].as_str().unwrap());
    let begun = send(first.address(), "POST", "/v2/demo/blobs/uploads/", &token);
    let upload = begun.lines().find_map(|line| line.strip_prefix("location: ")).unwrap().to_owned();
    first.signal(Signal::TERM);
    assert!(first.end().0.success());
    let second = Serving::new(&arguments);
    let status = send(second.address(), "GET", &upload, &token);
    assert!(status.starts_with("HTTP/1.0 204"), "{status}");
}

#[test]
fn redirects_without_effect_are_a_warning() {
    let mut serving = Serving::new(&["--redirect=always"]);
    assert!(serving.wait_for("`redirect` has no effect").contains("WARN"));
}

#[test]
fn a_check_says_what_the_store_can_do() {
    let directory = TempDir::new().unwrap();
    let store = format!("file://{}", directory.path().display());
    let output = registry(&["check", "--storage", &store]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        &*format!("store: {store}\n"),
        "driver: filesystem\n",
        "content outlives the process: yes\n",
        "garbage collection: yes\n",
        "the store can be used\n",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[test]
fn a_check_of_a_store_that_cannot_be_opened_fails_in_one_line() {
    let text = failure(&["check", "--storage=file:///proc/registry"]);
    assert!(text.starts_with("registry: cannot use the store file:///proc/registry: "), "{text}");
}

#[test]
fn metrics_are_on_the_main_listener() {
    let response = Serving::new(&[]).get("/metrics");
    assert!(response.starts_with("HTTP/1.0 200"), "{response}");
}

#[test]
fn metrics_may_have_a_separate_listener() {
    let mut serving = Serving::new(&["--metrics-listen=127.0.0.1:0", "--log-format=json"]);
    let line = serving.wait_for("\"metrics\"");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = line["fields"]["address"].as_str().unwrap().parse().unwrap();
    assert!(get(address, "/metrics").starts_with("HTTP/1.0 200"));
    assert!(get(address, "/healthz").starts_with("HTTP/1.0 200"));
    assert!(get(address, "/v2/").starts_with("HTTP/1.0 404"));
    assert!(serving.get("/metrics").starts_with("HTTP/1.0 404"));
    assert!(serving.get("/healthz").starts_with("HTTP/1.0 404"));
    assert!(serving.get("/livez").starts_with("HTTP/1.0 200"));
}

#[test]
fn a_name_can_be_listened_at() {
    let serving = Serving::start(&mut registry(&["serve", "--listen=localhost:0"]));
    assert!(serving.get("/v2/").starts_with("HTTP/1.0 200"));
}

#[test]
fn a_port_alone_is_listened_at_on_all_interfaces() {
    let serving = Serving::start(&mut registry(&["serve", "--listen=:0"]));
    let port = serving.address().port();
    assert!(get(([127, 0, 0, 1], port).into(), "/v2/").starts_with("HTTP/1.0 200"));
    // On a system with IPv6.
    if TcpListener::bind("[::1]:0").is_ok() {
        let address = format!("[::1]:{port}").parse().unwrap();
        assert!(get(address, "/v2/").starts_with("HTTP/1.0 200"));
    }
}

#[test]
fn a_name_without_an_address_is_an_error() {
    let text = failure(&["serve", "--listen=no-such-host.invalid:0", "--log=error"]);
    assert!(text.starts_with("registry: cannot listen at no-such-host.invalid:0: "), "{text}");
}

/// A file of passwords with the user `alice`, whose password is `secret`.
fn passwords(directory: &TempDir) -> String {
    let file = directory.path().join("htpasswd");
    fs::write(&file, format!("alice:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_hangup_reads_the_passwords_again_and_keeps_them_if_they_are_gone() {
    let directory = TempDir::new().unwrap();
    let file = passwords(&directory);
    let mut serving = Serving::new(&["--htpasswd", &file]);
    fs::write(&file, "").unwrap();
    serving.signal(Signal::HUP);
    let line = serving.wait_for("the old passwords are kept");
    assert!(
        line.contains("WARN") && line.contains(&format!("{file}: the file has no users")),
        "{line}"
    );
    fs::write(&file, format!("bob:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
    serving.signal(Signal::HUP);
    serving.wait_for("the passwords have changed");
}

#[test]
fn open_access_on_a_public_address_is_a_warning() {
    let directory = TempDir::new().unwrap();
    let file = passwords(&directory);
    let start = |arguments: &[&str]| Serving::start(registry(&["serve"]).args(arguments));
    let mut open = start(&["--listen=0.0.0.0:0"]);
    assert!(open.wait_for("may push and delete").contains("WARN"));
    let mut plain = start(&["--listen=0.0.0.0:0", "--htpasswd", &file]);
    assert!(plain.wait_for("in plain text").contains("WARN"));
    for arguments in [
        &["--listen=127.0.0.1:0"][..],
        &["--listen=127.0.0.1:0", "--htpasswd", &file],
        &["--listen=0.0.0.0:0", "--htpasswd", &file, "--trust-proxy"],
        &["--listen=0.0.0.0:0", "--htpasswd", &file, "--external-url=https://a"],
    ] {
        let serving = start(arguments);
        serving.signal(Signal::TERM);
        let (_, log) = serving.end();
        assert!(!log.contains("WARN"), "{arguments:?}: {log}");
    }
}

#[test]
fn a_request_is_logged_with_the_client_that_a_trusted_proxy_names_and_the_user() {
    let directory = TempDir::new().unwrap();
    let file = passwords(&directory);
    let mut serving = Serving::new(&["--htpasswd", &file, "--trust-proxy", "--log-format=json"]);
    let mut stream = TcpStream::connect(serving.address()).unwrap();
    let credentials = "YWxpY2U6c2VjcmV0";
    write!(
        stream,
        "GET /v2/a/tags/list HTTP/1.0\r\nhost: a\r\nauthorization: Basic {credentials}\r\n\
         x-forwarded-for: 203.0.113.1, 192.0.2.7\r\n\r\n"
    )
    .unwrap();
    let line = serving.wait_for("response sent");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(line["span"]["client"], "192.0.2.7", "{line}");
    assert_eq!(line["span"]["user"], "alice", "{line}");
    assert!(!line.to_string().contains(credentials), "{line}");
}

#[test]
fn a_hangup_reads_the_certificate_again() {
    let directory = TempDir::new().unwrap();
    let [certificate, key] = ["a.crt", "a.key"].map(|name| directory.path().join(name));
    let replace = || {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(&certificate, cert.pem()).unwrap();
        fs::write(&key, signing_key.serialize_pem()).unwrap();
    };
    replace();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let mut serving = Serving::new(&["--tls-cert", certificate, "--tls-key", key]);
    assert!(serving.url.starts_with("https://"));
    replace();
    serving.signal(Signal::HUP);
    serving.wait_for("the certificate has changed");
    fs::write(key, "no key").unwrap();
    serving.signal(Signal::HUP);
    serving.wait_for("the old certificate is kept");
}

#[test]
fn a_port_in_use_is_an_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = failure(&["serve", "--listen", &address, "--log=error"]);
    assert!(text.starts_with(&format!("registry: cannot listen at {address}: ")), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_store_that_is_open_already_is_an_error() {
    let directory = TempDir::new().unwrap();
    let storage = format!("file://{}", directory.path().display());
    let _serving = Serving::new(&["--storage", &storage]);
    let text = failure(&["gc", "--storage", &storage]);
    assert!(text.starts_with(&format!("registry: cannot use the store {storage}: ")), "{text}");
    let cause = format!("unavailable: {}", directory.path().display());
    assert!(text.contains(&cause) && text.contains("another process"), "{text}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_registry_writes_nothing_and_is_healthy() {
    let directory = TempDir::new().unwrap();
    let storage = format!("file://{}", directory.path().display());
    let by_url = format!("{storage}?read_only=true");
    for arguments in [&["--read-only", "--storage", &storage][..], &["--storage", &by_url]] {
        let serving = Serving::new(arguments);
        assert!(serving.get("/healthz").starts_with("HTTP/1.0 200"));
        assert!(serving.get("/v2/a/manifests/b").starts_with("HTTP/1.0 404"));
        let mut stream = TcpStream::connect(serving.address()).unwrap();
        write!(stream, "POST /v2/a/blobs/uploads/ HTTP/1.0\r\nhost: a\r\n\r\n").unwrap();
        let mut response = String::new();
        stream.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.0 405"), "{response}");
        serving.signal(Signal::TERM);
        let (status, log) = serving.end();
        assert!(status.success() && !log.contains("ERROR"), "{log}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_read_only_registry_serves_a_store_that_another_process_has_open() {
    let directory = TempDir::new().unwrap();
    let storage = format!("file://{}", directory.path().display());
    let _serving = Serving::new(&["--storage", &storage]);
    let other = Serving::new(&["--storage", &storage, "--read-only"]);
    assert!(other.get("/healthz").starts_with("HTTP/1.0 200"));
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_is_reached_by_a_link_is_named_at_the_start() {
    let [directory, other] = [(); 2].map(|()| TempDir::new().unwrap());
    let tree = directory.path().join("docker/registry/v2");
    fs::create_dir_all(&tree).unwrap();
    std::os::unix::fs::symlink(other.path(), tree.join("blobs")).unwrap();
    let storage = format!("file://{}", directory.path().display());
    let text = failure(&["serve", "--listen=127.0.0.1:0", "--storage", &storage]);
    assert!(text.contains(tree.join("blobs").to_str().unwrap()), "{text}");
}

#[test]
fn a_missing_certificate_is_an_error() {
    let text = failure(&["serve", "--tls-cert=absent.crt", "--tls-key=absent.key"]);
    assert!(text.starts_with("registry: absent.crt: "), "{text}");
}

#[test]
fn garbage_is_reported() {
    let output = registry(&["gc", "--dry-run"]).output().unwrap();
    assert!(output.status.success());
    assert!(!output.stdout.is_empty());
}

#[test]
fn a_dry_run_does_not_create_a_missing_store() {
    let directory = TempDir::new().unwrap();
    let root = directory.path().join("missing");
    let storage = format!("--storage=file://{}", root.display());
    let output = registry(&["gc", "--dry-run", &storage]).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && error.contains("missing"), "{error}");
    assert!(!root.exists());
}

#[test]
fn a_dry_run_counts_the_garbage_of_a_store() {
    let directory = TempDir::new().unwrap();
    let storage = format!("--storage=file://{}", directory.path().display());
    assert!(registry(&["gc", &storage]).output().unwrap().status.success());
    let output = registry(&["gc", "--dry-run", &storage]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8(output.stdout).unwrap().starts_with("0 blobs"));
}
