//! Interchange with CNCF distribution: Debian's `docker-registry` serves a store that this registry wrote, and
//! the reverse. The tests are skipped, with a message, where it is not installed (`apt-get install docker-registry
//! curl`).

use std::{
    collections::BTreeSet,
    io::Write,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use crate::support::{
    OCI_INDEX, OCI_MANIFEST, Service, blob, descriptor, digest, image, index, with_digest,
};
use inmemory::InMemory;
use serde_json::json;
use storage_driver_registry::GcOptions;
use storage_driver_url::Location;

/// Distribution's registry on a directory.
struct Distribution {
    config: tempfile::NamedTempFile,
    address: String,
}

/// The same, serving.
struct Serving {
    process: Child,
    url: String,
}

impl Distribution {
    /// `None`, after a message, if it is not installed.
    fn on(root: &Path) -> Option<Self> {
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
            "version: 0.1\nlog: {{level: error}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n\
             \x20 delete: {{enabled: true}}\nhttp: {{addr: '{free}'}}\n",
            root.display()
        )
        .unwrap();
        Some(Self { config, address: free.to_string() })
    }

    fn serve(&self) -> Serving {
        let process = self.command("serve").spawn().unwrap();
        let serving = Serving { process, url: format!("http://{}", self.address) };
        serving.curl(&["--retry", "60", "--retry-connrefused", "--retry-max-time", "60"], "/v2/");
        serving
    }

    fn command(&self, command: &str) -> Command {
        let mut program = Command::new("docker-registry");
        program.arg(command).arg(self.config.path());
        program.stdout(Stdio::null()).stderr(Stdio::null());
        program
    }
}

impl Serving {
    /// The body of the response; with `--include`, after its head.
    fn curl(&self, options: &[&str], path: &str) -> String {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url.clone() + path };
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--show-error", "--fail", "--noproxy", "*"]).args(options).arg(&url);
        let response = curl.output().unwrap();
        let error = String::from_utf8_lossy(&response.stderr);
        assert!(response.status.success(), "{url}: {error}");
        String::from_utf8(response.stdout).unwrap()
    }

    fn push_blob(&self, name: &str, content: &str) {
        let begun = self.curl(&["-X", "POST", "-i"], &format!("/v2/{name}/blobs/uploads/"));
        let location = begun.lines().find_map(|line| line.strip_prefix("Location: ")).unwrap();
        let finish = with_digest(location.trim(), &digest(content.as_bytes()));
        let octets = "Content-Type: application/octet-stream";
        self.curl(&["-X", "PUT", "-H", octets, "--data-binary", content], &finish);
    }

    fn push_manifest(&self, name: &str, tag: &str, media_type: &str, manifest: &str) {
        let content_type = format!("Content-Type: {media_type}");
        let options = ["-X", "PUT", "-H", &content_type, "--data-binary", manifest];
        self.curl(&options, &format!("/v2/{name}/manifests/{tag}"));
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs `work` on our registry on a directory.
async fn ours<T>(root: &Path, work: impl AsyncFnOnce(&Service) -> T) -> T {
    let location = format!("file://{}?durability=none", root.display());
    let driver = location.parse::<Location>().unwrap().open().await.unwrap();
    let grace =
        |builder: storage_driver_registry::RegistryBuilder| builder.gc_grace(Duration::ZERO);
    let service = Service::on(Arc::clone(&driver), InMemory::new(), grace);
    let done = work(&service).await;
    driver.shutdown().await.unwrap();
    done
}

const ACCEPT: [&str; 2] = ["-H", "Accept: application/vnd.oci.image.manifest.v1+json"];

#[tokio::test]
async fn distribution_serves_our_store() {
    let root = tempfile::tempdir().unwrap();
    let Some(distribution) = Distribution::on(root.path()) else { return };
    let manifest = image(&[b"a layer"]).to_string();
    ours(root.path(), async |service| {
        service.push_image("some/app", "v1", "a layer").await;
        service.push_image("some/app", "v2", "a layer").await;
        let mut about = image(&[b"a layer"]);
        about["subject"] = descriptor(OCI_MANIFEST, manifest.as_bytes());
        service.push_manifest("some/app", "signature", OCI_MANIFEST, &about).await;
    })
    .await;

    let serving = distribution.serve();
    let read = |path: &str| serving.curl(&ACCEPT, path);
    assert_eq!(read("/v2/some/app/manifests/v1"), manifest);
    let by_digest = format!("/v2/some/app/manifests/{}", digest(manifest.as_bytes()));
    assert_eq!(read(&by_digest), manifest);
    assert_eq!(read(&blob("some/app", b"a layer")), "a layer");
    let tags: serde_json::Value = serde_json::from_str(&read("/v2/some/app/tags/list")).unwrap();
    // Debian's version does not sort them.
    let tags: Vec<_> =
        tags["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    assert_eq!(BTreeSet::from_iter(tags), BTreeSet::from(["signature", "v1", "v2"]));
    let catalog: serde_json::Value = serde_json::from_str(&read("/v2/_catalog")).unwrap();
    assert_eq!(catalog["repositories"], json!(["some/app"]));

    serving.curl(&["-X", "DELETE"], &by_digest);
    drop(serving);
    ours(root.path(), async |service| {
        service.get("/v2/some/app/manifests/v1").await.expect(404);
        service.get("/v2/some/app/manifests/signature").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn distribution_collects_the_garbage_of_our_store() {
    let root = tempfile::tempdir().unwrap();
    let Some(distribution) = Distribution::on(root.path()) else { return };
    ours(root.path(), async |service| {
        service.push_image("some/app", "v1", "a layer").await;
        service.push_blob("some/app", "unused").await;
    })
    .await;
    assert!(distribution.command("garbage-collect").status().unwrap().success());
    ours(root.path(), async |service| {
        service.get(&blob("some/app", b"unused")).await.expect(404);
        assert_eq!(service.get(&blob("some/app", b"a layer")).await.expect(200).body, "a layer");
        service.get("/v2/some/app/manifests/v1").await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn we_serve_the_store_of_distribution_and_collect_its_garbage() {
    let root = tempfile::tempdir().unwrap();
    let Some(distribution) = Distribution::on(root.path()) else { return };
    let manifest = image(&[b"a layer"]).to_string();
    let listed = index(&[&digest(manifest.as_bytes())]).to_string();
    let serving = distribution.serve();
    for content in ["{}", "a layer", "unused"] {
        serving.push_blob("some/app", content);
    }
    serving.push_manifest("some/app", "v1", OCI_MANIFEST, &manifest);
    serving.push_manifest("some/app", "all", OCI_INDEX, &listed);
    drop(serving);

    ours(root.path(), async |service| {
        let options = GcOptions { grace: Duration::ZERO, ..GcOptions::default() };
        let report = service.registry.collect(&options).await.unwrap();
        assert_eq!((report.blobs, report.bytes), (1, "unused".len() as u64));

        let got = service.get("/v2/some/app/manifests/v1").await.expect(200);
        assert_eq!(
            (got.body.as_ref(), got.header("content-type")),
            (manifest.as_bytes(), OCI_MANIFEST)
        );
        let got = service.get("/v2/some/app/manifests/all").await.expect(200);
        assert_eq!((got.body.as_ref(), got.header("content-type")), (listed.as_bytes(), OCI_INDEX));
        assert_eq!(service.get(&blob("some/app", b"a layer")).await.expect(200).body, "a layer");
        let tags = service.get("/v2/some/app/tags/list").await.expect(200).json();
        assert_eq!(tags["tags"], json!(["all", "v1"]));
        let catalog = service.get("/v2/_catalog").await.expect(200).json();
        assert_eq!(catalog["repositories"], json!(["some/app"]));

        service.delete("/v2/some/app/manifests/v1").await.expect(202);
        service.get("/v2/some/app/manifests/v1").await.expect(404);
    })
    .await;
}
