//! Interchange with CNCF distribution: Debian's `docker-registry` serves a tree that this driver wrote, and this driver
//! reads a tree that it wrote. If it is not installed (`apt-get install docker-registry curl`), the tests print that they
//! are skipped.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    path::Path as FsPath,
    process::{Child, Command, Stdio},
};

use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use storage_driver::{Entry, Path, StorageDriver, StorageDriverExt, WalkOptions};
use storage_driver_filesystem::Filesystem;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Distribution's registry, serving a directory.
struct Registry {
    process: Child,
    url: String,
    _config: tempfile::NamedTempFile,
}

impl Registry {
    /// `None`, after a message, if it cannot be run.
    fn serve(root: &FsPath) -> Option<Self> {
        for program in ["docker-registry", "curl"] {
            let found = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            if found.is_err() {
                let _ = writeln!(std::io::stderr(), "left out: {program} is not installed");
                return None;
            }
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut config = tempfile::NamedTempFile::new().unwrap();
        write!(
            config,
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem:\n    rootdirectory: {}\n\
             http: {{addr: '{free}'}}\n",
            root.display()
        )
        .unwrap();
        let process = Command::new("docker-registry")
            .args(["serve".as_ref(), config.path()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let registry = Self { process, url: format!("http://{free}"), _config: config };
        registry.curl(&["--retry", "60", "--retry-connrefused", "--retry-max-time", "60"], "/v2/");
        Some(registry)
    }

    /// The output of curl.
    fn curl(&self, options: &[&str], path: &str) -> String {
        String::from_utf8(self.bytes(options, path)).unwrap()
    }

    fn bytes(&self, options: &[&str], path: &str) -> Vec<u8> {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url.clone() + path };
        let command = Command::new("curl")
            .args(["--silent", "--show-error", "--fail", "--noproxy", "*"])
            .args(options)
            .arg(url)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&command.stderr);
        assert!(command.status.success(), "curl {path}: {error}");
        command.stdout
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn blob_path(digest: &str) -> Path {
    path(&format!("/docker/registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]))
}

/// A layer, a configuration, and the manifest that names them.
fn image() -> [Vec<u8>; 3] {
    let layer: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    let config = b"{\"architecture\":\"amd64\",\"os\":\"linux\"}".to_vec();
    let manifest = format!(
        "{{\"schemaVersion\":2,\"mediaType\":\"{MANIFEST}\",\
         \"config\":{{\"mediaType\":\"application/vnd.oci.image.config.v1+json\",\
         \"digest\":\"sha256:{}\",\"size\":{}}},\
         \"layers\":[{{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\
         \"digest\":\"sha256:{}\",\"size\":{}}}]}}",
        digest(&config),
        config.len(),
        digest(&layer),
        layer.len()
    );
    [layer, config, manifest.into_bytes()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn distribution_serves_a_tree_of_this_driver() {
    let root = tempfile::tempdir().unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    let [layer, config, manifest] = image();
    for blob in [&layer, &config, &manifest] {
        // As a registry does: uploaded at one path, and committed to another.
        let session = path("/docker/registry/v2/repositories/our/image/_uploads/1/data");
        let mut writer = driver.create(&session).await.unwrap();
        writer.write_bytes(blob.clone()).await.unwrap();
        let none = storage_driver::Precondition::None;
        writer.commit_to(&blob_path(&digest(blob)), none).await.unwrap();
    }
    let repository = "/docker/registry/v2/repositories/our/image";
    let mut links = Vec::new();
    for blob in [&layer, &config] {
        links.push((format!("_layers/sha256/{}/link", digest(blob)), digest(blob)));
    }
    let revision = digest(&manifest);
    links.push((format!("_manifests/revisions/sha256/{revision}/link"), revision.clone()));
    links.push(("_manifests/tags/latest/current/link".to_owned(), revision.clone()));
    let index = format!("_manifests/tags/latest/index/sha256/{revision}/link");
    links.push((index, revision.clone()));
    for (link, digest) in links {
        let link = path(&format!("{repository}/{link}"));
        driver.put(&link, format!("sha256:{digest}")).await.unwrap();
    }
    // An upload in progress and the driver's own files do not disturb it.
    let mut writer = driver.create(&path("/docker/registry/v2/unfinished")).await.unwrap();
    writer.write_bytes("half").await.unwrap();
    writer.suspend().await.unwrap();

    let Some(registry) = Registry::serve(root.path()) else { return };
    let accept = ["--header", &format!("Accept: {MANIFEST}")];
    assert_eq!(registry.bytes(&accept, "/v2/our/image/manifests/latest"), manifest);
    let blob = format!("/v2/our/image/blobs/sha256:{}", digest(&layer));
    assert_eq!(registry.bytes(&[], &blob), layer);
    let tags = registry.curl(&[], "/v2/our/image/tags/list");
    assert_eq!(tags.trim(), "{\"name\":\"our/image\",\"tags\":[\"latest\"]}");
    let catalog = registry.curl(&[], "/v2/_catalog");
    assert_eq!(catalog.trim(), "{\"repositories\":[\"our/image\"]}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn this_driver_reads_a_tree_of_distribution() {
    let root = tempfile::tempdir().unwrap();
    let Some(registry) = Registry::serve(root.path()) else { return };
    let [layer, config, manifest] = image();
    let upload = tempfile::NamedTempFile::new().unwrap();
    for blob in [&layer, &config] {
        fs::write(upload.path(), blob).unwrap();
        let post = ["--request", "POST", "--output", "/dev/null", "--write-out"];
        let location = registry
            .curl(&[&post[..], &["%header{location}"]].concat(), "/v2/their/image/blobs/uploads/");
        let digest = format!("digest=sha256:{}", digest(blob));
        let separator = if location.contains('?') { '&' } else { '?' };
        let file = format!("@{}", upload.path().display());
        let put = ["--request", "PUT", "--data-binary", &file, "--header"];
        let binary = ["Content-Type: application/octet-stream"];
        registry.curl(&[&put[..], &binary].concat(), &format!("{location}{separator}{digest}"));
    }
    fs::write(upload.path(), &manifest).unwrap();
    let file = format!("@{}", upload.path().display());
    let media = format!("Content-Type: {MANIFEST}");
    let put = ["--request", "PUT", "--data-binary", &file, "--header", &media];
    registry.curl(&put, "/v2/their/image/manifests/v1");
    drop(registry);

    let driver = Filesystem::open(root.path()).await.unwrap();
    for blob in [&layer, &config, &manifest] {
        let content = driver.get_bytes(&blob_path(&digest(blob)), 1 << 30).await.unwrap();
        assert_eq!(content, *blob);
    }
    let tag = "/docker/registry/v2/repositories/their/image/_manifests/tags/v1/current/link";
    let link = driver.get_bytes(&path(tag), 99).await.unwrap();
    assert_eq!(link, format!("sha256:{}", digest(&manifest)));
    let walk = driver.walk(&Path::root(), WalkOptions::new());
    let entries: Vec<Entry> = walk.try_collect().await.unwrap();
    let files = entries.iter().filter(|entry| entry.is_file()).count();
    // Three blobs, two layers, one revision, and two links of the tag.
    assert_eq!(files, 8, "{entries:#?}");
    // Files of distribution can be replaced and removed.
    driver.put(&path(tag), "sha256:other").await.unwrap();
    driver.delete_dir(&path("/docker")).await.unwrap();
    assert!(!root.path().join("docker").exists());
}
