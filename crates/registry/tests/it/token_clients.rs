//! Real clients and a registry with passwords and anonymous pulls: skopeo, podman, buildah, docker, curl. The tests
//! of a client that is not installed are skipped, with a message.
use std::{fs, io, net::SocketAddr, process::Output, sync::Arc};

use inmemory::InMemory;
use serde_json::json;
use storage_driver_registry::{AccessRules, Htpasswd, Registry, Server, Shutdown, Tokens};
use tempfile::TempDir;
use tokio::process::Command;

use crate::support::{EMPTY_CONFIG, OCI_MANIFEST, descriptor, digest};

/// A registry with the user `alice`, and a directory for the client's files.
struct Service {
    address: SocketAddr,
    directory: TempDir,
    shutdown: Shutdown,
}

impl Service {
    async fn new(rules: AccessRules) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("htpasswd");
        fs::write(&file, format!("alice:{}\n", bcrypt::hash("secret", 4).unwrap())).unwrap();
        let users = Htpasswd::open(file).await.unwrap().with_rules(rules);
        let tokens = Tokens::new(Arc::new(users));
        let builder = Registry::builder(Arc::new(InMemory::new()));
        let registry = builder.authorize(Arc::new(tokens.clone())).build();
        let router = registry.router().merge(tokens.router());
        let server = Server::bind("127.0.0.1:0", router).await.unwrap();
        let address = server.local_addr().unwrap();
        let shutdown = Shutdown::new();
        tokio::spawn(server.run(shutdown.clone()));
        write_image(&directory);
        let settings = directory.path().join(".config/containers");
        fs::create_dir_all(&settings).unwrap();
        // Independent of the machine's policy for signatures.
        let policy = r#"{"default":[{"type":"insecureAcceptAnything"}]}"#;
        fs::write(settings.join("policy.json"), policy).unwrap();
        Self { address, directory, shutdown }
    }

    /// Runs a client. In its arguments, `@` is the address of the registry, and `~` the directory. `None` if the client
    /// is not installed.
    async fn run(&self, line: &str) -> Option<Output> {
        let directory = self.directory.path().to_str().unwrap();
        let words = line
            .split_whitespace()
            .map(|word| word.replace('@', &self.address.to_string()).replace('~', directory));
        let words: Vec<String> = words.collect();
        let output = Command::new(&words[0])
            .args(&words[1..])
            .current_dir(directory)
            .env("HOME", directory)
            .env("REGISTRY_AUTH_FILE", format!("{directory}/auth.json"))
            .kill_on_drop(true)
            .output()
            .await;
        match output {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                eprintln!("SKIPPED: {} is not installed", words[0]);
                None
            }
            output => Some(output.unwrap()),
        }
    }

    /// Runs one client after the other. Returns `false` if one is not installed.
    async fn all_succeed(&self, lines: &[&str]) -> bool {
        for line in lines {
            let Some(output) = self.run(line).await else { return false };
            assert!(output.status.success(), "{line}: {output:?}");
        }
        true
    }

    async fn fails_with(&self, line: &str, reasons: &[&str]) {
        let Some(output) = self.run(line).await else { return };
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{line}: {error}");
        assert!(reasons.iter().any(|reason| error.contains(reason)), "{line}: {error}");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shutdown.start();
    }
}

/// An image of one layer, as `oci:image:latest`.
fn write_image(directory: &TempDir) {
    let image = directory.path().join("image");
    let blobs = image.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let add = |content: &[u8]| {
        fs::write(blobs.join(digest(content).trim_start_matches("sha256:")), content).unwrap();
    };
    // The end of an archive, which is an empty archive.
    let layer = [0; 1024];
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": { "type": "layers", "diff_ids": [digest(&layer)] },
    });
    let config = config.to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer)],
    });
    let manifest = manifest.to_string();
    for content in [&layer[..], config.as_bytes(), manifest.as_bytes(), EMPTY_CONFIG] {
        add(content);
    }
    let mut entry = descriptor(OCI_MANIFEST, manifest.as_bytes());
    entry["annotations"] = json!({ "org.opencontainers.image.ref.name": "latest" });
    let index = json!({ "schemaVersion": 2, "manifests": [entry] });
    fs::write(image.join("index.json"), index.to_string()).unwrap();
    fs::write(image.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
}

fn anonymous_pull() -> AccessRules {
    AccessRules { anonymous_pull: true, ..AccessRules::default() }
}

const LOGIN: &str = "skopeo login --tls-verify=false -u alice -p secret @";
const LOGOUT: &str = "skopeo logout @";
const PUSH: &str = "skopeo copy --dest-tls-verify=false oci:image:latest docker://@/team/a:1";
const PULL: &str = "skopeo copy --src-tls-verify=false docker://@/team/a:1 dir:pulled";

#[tokio::test]
async fn skopeo_pushes_with_a_login_and_pulls_without() {
    let service = Service::new(anonymous_pull()).await;
    service.all_succeed(&[LOGIN, PUSH, PULL, LOGOUT, PULL]).await;
}

#[tokio::test]
async fn skopeo_does_not_push_without_a_login() {
    let service = Service::new(anonymous_pull()).await;
    service.fails_with(PUSH, &["unauthorized", "authentication required"]).await;
}

#[tokio::test]
async fn skopeo_pulls_with_a_login_from_a_private_repository() {
    let service = Service::new(AccessRules::default()).await;
    if service.all_succeed(&[LOGIN, PUSH, PULL, LOGOUT]).await {
        service.fails_with(PULL, &["unauthorized", "authentication required"]).await;
    }
}

#[tokio::test]
async fn skopeo_does_not_log_in_with_a_wrong_password() {
    let service = Service::new(anonymous_pull()).await;
    let line = "skopeo login --tls-verify=false -u alice -p wrong @";
    service.fails_with(line, &["invalid username/password", "unauthorized"]).await;
}

#[tokio::test]
async fn skopeo_copies_from_one_repository_to_another() {
    let service = Service::new(anonymous_pull()).await;
    let copy = "skopeo copy --src-tls-verify=false --dest-tls-verify=false \
        docker://@/team/a:1 docker://@/team/b:1";
    service.all_succeed(&[LOGIN, PUSH, copy]).await;
}

#[tokio::test]
async fn skopeo_reports_a_missing_permission() {
    let rules = r#"access = [{ repositories = "other", users = ["alice"], actions = ["push"] }]"#;
    let service = Service::new(toml::from_str(rules).unwrap()).await;
    if service.all_succeed(&[LOGIN]).await {
        service.fails_with(PUSH, &["403 (Forbidden)", "denied"]).await;
    }
}

#[tokio::test]
async fn skopeo_deletes_with_a_login() {
    let service = Service::new(anonymous_pull()).await;
    let delete = "skopeo delete --tls-verify=false docker://@/team/a:1";
    if service.all_succeed(&[LOGIN, PUSH, delete]).await {
        service.fails_with(PULL, &["manifest unknown", "unknown"]).await;
    }
}

/// For podman and buildah, which have the same arguments.
async fn pushes_with_a_login_and_pulls_without(client: &str) {
    let service = Service::new(anonymous_pull()).await;
    let line =
        |rest: &str| format!("{client} --root ~/root --runroot ~/run --storage-driver vfs {rest}");
    let [login, take, push, logout, forget, pull, push_again] = [
        "login --tls-verify=false -u alice -p secret @",
        "pull -q oci:image:latest",
        "push -q --tls-verify=false localhost/image:latest docker://@/team/a:1",
        "logout @",
        "rmi -f localhost/image:latest",
        "pull -q --tls-verify=false @/team/a:1",
        "push -q --tls-verify=false @/team/a:1 docker://@/team/b:1",
    ]
    .map(line);
    if service.all_succeed(&[&login, &take, &push, &logout, &forget, &pull]).await {
        service.fails_with(&push_again, &["unauthorized", "authentication required"]).await;
    }
}

#[tokio::test]
async fn podman_pushes_with_a_login_and_pulls_without() {
    pushes_with_a_login_and_pulls_without("podman").await;
}

#[tokio::test]
async fn buildah_pushes_with_a_login_and_pulls_without() {
    pushes_with_a_login_and_pulls_without("buildah").await;
}

#[tokio::test]
async fn docker_reads_without_a_login_and_writes_with_one() {
    let service = Service::new(anonymous_pull()).await;
    let inspect = "docker manifest inspect --insecure @/team/a:1";
    let list = "docker manifest create --insecure @/team/list:1 @/team/a:1";
    let push = "docker manifest push --insecure @/team/list:1";
    if !service.all_succeed(&[LOGIN, PUSH, LOGOUT, inspect, list]).await {
        return;
    }
    service.fails_with(push, &["unauthorized", "authentication required", "denied"]).await;
    // `docker login` needs a daemon. It writes the same file.
    service.all_succeed(&[LOGIN]).await;
    let directory = service.directory.path();
    fs::create_dir_all(directory.join(".docker")).unwrap();
    fs::copy(directory.join("auth.json"), directory.join(".docker/config.json")).unwrap();
    service.all_succeed(&[push, inspect]).await;
}

#[tokio::test]
async fn curl_has_a_password_at_once() {
    let service = Service::new(AccessRules::default()).await;
    let with = "curl -sf -u alice:secret http://@/v2/_catalog";
    if service.all_succeed(&[with]).await {
        let without = service.run("curl -sf http://@/v2/_catalog").await.unwrap();
        assert!(!without.status.success());
    }
}
