//! A directory or a special file in the place of a file of the registry.

use inmemory::InMemory;
use storage_driver::{Path, Precondition, StorageDriver, StorageDriverExt};

use crate::support::{EMPTY_CONFIG, OCI_MANIFEST, Service, blob, digest, image};

const V1: &str = "/v2/demo/manifests/v1";
const TAG: &str = "/docker/registry/v2/repositories/demo/_manifests/tags/v1/current/link";

fn hex(content: &[u8]) -> String {
    digest(content)["sha256:".len()..].to_owned()
}

fn layer_link(content: &[u8]) -> String {
    format!("/docker/registry/v2/repositories/demo/_layers/sha256/{}/link", hex(content))
}

fn revision(manifest: &[u8]) -> String {
    let hex = hex(manifest);
    format!("/docker/registry/v2/repositories/demo/_manifests/revisions/sha256/{hex}/link")
}

fn data(content: &[u8]) -> String {
    data_of(&digest(content))
}

fn data_of(digest: &str) -> String {
    let hex = &digest["sha256:".len()..];
    format!("/docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])
}

const LINKED: &[u8] = b"a blob whose link is obstructed";
const STORED: &[u8] = b"a blob whose content is obstructed";

/// The paths that are obstructed: a link and the content of a blob, the link of a tag, and that of a manifest.
fn obstructed() -> [String; 4] {
    let untagged = image(&[b"untagged"]).to_string();
    [layer_link(LINKED), data(STORED), TAG.to_owned(), revision(untagged.as_bytes())]
}

/// Asserts that pushes to obstructed files fail with their paths, and that others succeed.
async fn assert_pushes_name_their_paths(service: &Service) {
    let [link, data, tag, revision] = obstructed();
    for (content, path) in [(LINKED, link), (STORED, data)] {
        let upload = service.start("demo").await;
        service.send("PATCH", &upload, &[], content).await.expect(202);
        let whole = format!("/v2/demo/blobs/uploads/?digest={}", digest(content));
        for refused in
            [service.put(&upload, content).await, service.send("POST", &whole, &[], content).await]
        {
            let message = refused.expect(500).json()["errors"][0]["message"].to_string();
            assert!(message.contains(&path), "{message}");
        }
        service.head(&blob("demo", content)).await.expect(404);
    }
    service.push_blob("demo", EMPTY_CONFIG).await;
    service.push_blob("demo", "untagged").await;
    let (empty, untagged) = (image(&[]), image(&[b"untagged"]));
    let by_digest = format!("/v2/demo/manifests/{}", digest(untagged.to_string().as_bytes()));
    for (uri, manifest, path) in [(V1, empty, tag), (&by_digest, untagged, revision)] {
        let refused = service.put_manifest(uri, OCI_MANIFEST, &manifest).await;
        let message = refused.expect(500).json()["errors"][0]["message"].to_string();
        assert!(message.contains(&path), "{message}");
        service.get(uri).await.expect(404);
    }
    service.push_image("demo", "v2", "another").await;
    let tags = service.get("/v2/demo/tags/list").await.expect(200).json();
    assert_eq!(tags["tags"], serde_json::json!(["v2"]));
    service.registry.collect(&storage_driver_registry::GcOptions::default()).await.unwrap();
    service.get("/v2/demo/manifests/v2").await.expect(200);
}

#[tokio::test]
async fn content_that_was_replaced_by_a_directory_is_unknown() {
    let service = Service::new();
    let pushed = service.push_image("demo", "v1", "layer").await;
    for digest in [&digest(b"layer"), &pushed] {
        let path = Path::parse(data_of(digest)).unwrap();
        service.store.delete(&path, Precondition::None).await.unwrap();
        service.store.put(&path.join("file").unwrap(), "").await.unwrap();
    }
    let manifest = format!("/v2/demo/manifests/{pushed}");
    for uri in [&blob("demo", b"layer"), &manifest, "/v2/demo/manifests/v1"] {
        service.get(uri).await.expect(404);
        service.head(uri).await.expect(404);
    }
    service.delete(&manifest).await.expect(202);
}

#[tokio::test]
async fn a_push_to_a_directory_in_place_of_a_file_fails_with_its_path() {
    let service = Service::new();
    for path in obstructed() {
        let path = Path::parse(path).unwrap().join("file").unwrap();
        service.store.put(&path, "").await.unwrap();
    }
    assert_pushes_name_their_paths(&service).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_push_to_a_special_file_in_place_of_a_file_fails_with_its_path() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn fifo(path: &std::path::Path) {
        mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    }
    fn link_to_nothing(path: &std::path::Path) {
        symlink("missing", path).unwrap();
    }
    for make in [fifo as fn(&std::path::Path), link_to_nothing] {
        let root = tempfile::tempdir().unwrap();
        for path in obstructed() {
            let path = root.path().join(path.trim_start_matches('/'));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            make(&path);
        }
        let location = format!("file://{}?durability=none", root.path().display());
        let location: storage_driver_url::Location = location.parse().unwrap();
        let driver = location.open().await.unwrap();
        let service = Service::on(driver.clone(), InMemory::new(), |builder| builder);
        assert_pushes_name_their_paths(&service).await;
        driver.shutdown().await.unwrap();
    }
}
