//! A bucket of Ceph: one that distribution's S3 driver filled is served as it is, and a node that serves many clients
//! takes little memory.

use std::{
    io::Write,
    net::TcpListener,
    process::{Child, Stdio},
    thread,
};

use crate::{
    skopeo::{PULL, PUSH},
    support::{
        curl::Curl,
        digest,
        fixture::{Fixture, LARGE, SMALL},
        layout::{Layout, assert_same_image},
        program::{Program, text},
        served::Served,
    },
};

#[path = "../../../bucket/tests/servers/server.rs"]
mod server;

pub(crate) static CEPH: server::Server = server::Server::new("ceph");

/// Where distribution keeps its files in the bucket.
const ROOT: &str = "distribution";

/// Debian's docker-registry on the bucket.
struct Distribution {
    process: Child,
    address: String,
}

impl Distribution {
    fn start(program: &Program, variables: &[(&str, &str)]) -> Self {
        let value = |name| variables.iter().find(|(key, _)| *key == name).unwrap().1;
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut config = tempfile::NamedTempFile::new().unwrap();
        write!(
            config,
            "version: 0.1\nlog: {{level: error}}\nhttp: {{addr: '{free}'}}\nstorage:\n  s3:\n    \
             {{regionendpoint: '{}', accesskey: '{}', secretkey: '{}', region: us-east-1, bucket: '{}', \
             secure: false, rootdirectory: /{ROOT}}}\n",
            value("AWS_ENDPOINT"),
            value("AWS_ACCESS_KEY_ID"),
            value("AWS_SECRET_ACCESS_KEY"),
            value("AWS_BUCKET"),
        )
        .unwrap();
        let mut command = program.command();
        // Without `AWS_CA_BUNDLE` above all, which its S3 client cannot read.
        command.env_clear().args(["serve", text(config.path())]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let started = Self { process, address: free.to_string() };
        let curl = Program::find("curl").unwrap();
        let retry = ["--silent", "--fail", "--retry", "60", "--retry-delay", "1"];
        let target = format!("http://{free}/v2/");
        curl.run(&[&retry[..], &["--retry-connrefused", &target]].concat());
        started
    }
}

impl Drop for Distribution {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn a_bucket_that_distribution_filled_is_served() {
    let (Some(skopeo), Some(distribution), Some(_), Some(fixture)) = (
        Program::find("skopeo"),
        Program::find("docker-registry"),
        Program::find("curl"),
        Fixture::shared(),
    ) else {
        return;
    };
    let Some(access) = CEPH.access() else { return };
    let variables: Vec<(&str, &str)> = access.variables().collect();

    let theirs = Distribution::start(&distribution, &variables);
    for tag in [SMALL, LARGE] {
        let image = format!("docker://{}/some/image:{tag}", theirs.address);
        skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(tag), &image]].concat());
    }
    drop(theirs);

    let ours = Served::spawn_with(&format!("s3://registry/{ROOT}"), &variables);
    for tag in [SMALL, LARGE] {
        let folder = tempfile::tempdir().unwrap();
        let pulled = Layout::at(folder.path().join("pulled"));
        let image = ours.docker(&format!("some/image:{tag}"));
        skopeo.run(&[&PULL[..], &[&image, &pulled.oci(tag)]].concat());
        assert_same_image(&pulled, &fixture.layout, tag);
    }

    // What this registry pushes next to it can be pulled too, and blobs that are there are used.
    let image = ours.docker("other/image:v1");
    skopeo.run(&[&PUSH[..], &[&fixture.layout.oci(LARGE), &image]].concat());
    let told = skopeo.run(&["inspect", "--raw", "--tls-verify=false", &image]);
    assert_eq!(told.as_bytes(), fixture.layout.manifest(LARGE));
}

/// How many clients push, and how many pull, at once.
const CLIENTS: u8 = 16;
/// The size of each blob.
const BLOB: usize = 64 << 20;

/// The content of a blob, which differs from the others.
fn blob(number: u8) -> Vec<u8> {
    let mut content = vec![number; BLOB];
    content[..8].copy_from_slice(b"content:");
    content
}

/// Pushes a blob, and returns its digest.
fn push(curl: &Curl, number: u8) -> String {
    let content = blob(number);
    let digest = digest(&content);
    let target = format!("{}?digest={digest}", curl.begin("many/blobs"));
    let pushed = curl.ask(&["--max-time", "600", "-X", "PUT"], &target, Some(&content));
    assert_eq!(pushed.status, 201, "{pushed:?}");
    digest
}

#[test]
#[ignore = "starts Ceph, and installs it if it is missing"]
fn a_node_has_less_than_128_mib_while_16_clients_push_and_16_pull() {
    let Some(program) = Curl::find() else { return };
    let Some(access) = CEPH.access() else { return };
    let variables: Vec<(&str, &str)> = access.variables().collect();
    let served = Served::spawn_with("s3://registry/memory", &variables);
    let curl = Curl::new(&program, &served);
    let pushed = push(&curl, 0);
    let target = format!("http://{}/v2/many/blobs/blobs/{pushed}", served.address);
    let pull = ["--silent", "--fail", "--noproxy", "*", "--output", "/dev/null", &target];
    thread::scope(|scope| {
        for number in 1..=CLIENTS {
            let (curl, program) = (&curl, &program);
            scope.spawn(move || push(curl, number));
            scope.spawn(move || program.run(&pull));
        }
    });
    let peak = served.peak_memory();
    assert!(peak < 128, "{peak} MiB at the peak");
}
