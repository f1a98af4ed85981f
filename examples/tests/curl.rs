//! The `registry_service` example as a client meets it: the program, an ephemeral port, `curl`.

use std::{
    io::{self, BufRead, BufReader, Write},
    process::{Child, Command, Output, Stdio},
};

use sha2::{Digest, Sha256};
use support::example;

mod support;

/// The service, on a port of its own. Killed when a test fails.
struct Service {
    program: Child,
    address: String,
}

impl Service {
    /// `None`, with a word on standard error, where there is no `curl` to talk to it.
    fn start() -> Option<Self> {
        if Command::new("curl").arg("--version").output().is_err() {
            let _ = writeln!(io::stderr(), "SKIPPED: there is no curl on this machine");
            return None;
        }
        let mut program = example("registry_service").spawn().unwrap();
        let mut line = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap().to_owned();
        Some(Self { program, address })
    }

    /// The answer to a request: its head, in lower case, and its body.
    fn curl(&self, args: &[&str], target: &str, body: &[u8]) -> (String, Vec<u8>) {
        let url = if target.starts_with('/') {
            format!("{}{target}", self.address)
        } else {
            target.to_owned()
        };
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--include", "--noproxy", "*", "--max-time", "60"]);
        if !body.is_empty() {
            // Without `Expect` there is no interim answer in front of the one that counts.
            curl.args(["--data-binary", "@-", "--header", "Expect:"]);
        }
        curl.args(args).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut curl = curl.stderr(Stdio::piped()).spawn().unwrap();
        curl.stdin.take().unwrap().write_all(body).unwrap();
        let Output { status, stdout, stderr } = curl.wait_with_output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        let end = stdout.windows(4).position(|end| end == b"\r\n\r\n").unwrap() + 4;
        let head = String::from_utf8(stdout[..end].to_vec()).unwrap().to_lowercase();
        (head, stdout[end..].to_vec())
    }

    fn begin(&self) -> String {
        let (head, _) = self.curl(&["-X", "POST"], "/v2/demo/blobs/uploads/", b"");
        assert!(head.starts_with("http/1.1 202"), "{head}");
        header(&head, "location").to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let found = head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

#[test]
fn a_blob_is_pushed_in_chunks_resumed_ranged_and_deleted() {
    let Some(service) = Service::start() else { return };
    let whole: Vec<u8> = (0..2_500_000_u32).map(|n| (n % 253) as u8).collect();
    let (first, second) = whole.split_at(1_000_003);
    let upload = service.begin();

    let range = "Content-Range: 0-1000002";
    let (head, _) = service.curl(&["-X", "PATCH", "-H", range], &upload, first);
    assert!(head.starts_with("http/1.1 202"), "{head}");
    assert_eq!(header(&head, "range"), "0-1000002");

    let range = "Content-Range: 900000-2399999";
    let (head, _) = service.curl(&["-X", "PATCH", "-H", range], &upload, b"x");
    assert!(head.starts_with("http/1.1 416"), "{head}");
    assert_eq!(header(&head, "range"), "0-1000002");

    let (head, _) = service.curl(&[], &upload, b"");
    assert!(head.starts_with("http/1.1 204"), "{head}");
    assert_eq!(header(&head, "range"), "0-1000002");

    let range = "Content-Range: 1000003-2499999";
    let (head, _) = service.curl(&["-X", "PATCH", "-H", range], &upload, second);
    assert!(head.starts_with("http/1.1 202"), "{head}");

    let wrong = format!("{upload}?digest={}", digest(b"something else"));
    let (head, _) = service.curl(&["-X", "PUT"], &wrong, b"");
    assert!(head.starts_with("http/1.1 400"), "{head}");

    let blob = format!("/v2/demo/blobs/{}", digest(&whole));
    let (head, _) = service.curl(&["--head"], &blob, b"");
    assert!(head.starts_with("http/1.1 404"), "{head}");

    let right = format!("{upload}?digest={}", digest(&whole));
    let (head, _) = service.curl(&["-X", "PUT"], &right, b"");
    assert!(head.starts_with("http/1.1 201"), "{head}");
    assert_eq!(header(&head, "location"), blob);

    let (head, body) = service.curl(&[], &blob, b"");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(header(&head, "accept-ranges"), "bytes");
    assert!(body == whole);

    let (head, body) = service.curl(&["--range", "999999-1500000"], &blob, b"");
    assert!(head.starts_with("http/1.1 206"), "{head}");
    assert_eq!(header(&head, "content-range"), "bytes 999999-1500000/2500000");
    assert!(body == whole[999_999..=1_500_000]);

    let (head, _) = service.curl(&["--range", "2500000-"], &blob, b"");
    assert!(head.starts_with("http/1.1 416"), "{head}");
    assert_eq!(header(&head, "content-range"), "bytes */2500000");

    let (head, _) = service.curl(&["--head"], &blob, b"");
    assert!(head.starts_with("http/1.1 200"), "{head}");
    assert_eq!(header(&head, "content-length"), "2500000");

    let (head, _) = service.curl(&["-X", "DELETE"], &blob, b"");
    assert!(head.starts_with("http/1.1 202"), "{head}");
    let (head, _) = service.curl(&[], &blob, b"");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[test]
fn an_upload_is_cancelled() {
    let Some(service) = Service::start() else { return };
    let upload = service.begin();
    let (head, _) = service.curl(&["-X", "DELETE"], &upload, b"");
    assert!(head.starts_with("http/1.1 204"), "{head}");
    let (head, _) = service.curl(&[], &upload, b"");
    assert!(head.starts_with("http/1.1 404"), "{head}");
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_it_in_order() {
    let Some(mut service) = Service::start() else { return };
    service.begin();
    let pid = service.program.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    assert_eq!(service.program.wait().unwrap().code(), Some(0));
}

#[test]
fn a_port_that_is_none_is_refused() {
    let output = example("registry_service").arg("http").output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr, "registry_service: \"http\" is not a port\n");
}
