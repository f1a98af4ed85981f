//! [`Known`]: what clients were promised, and [`violations`]: what a node does not keep of it.
//!
//! The tests of this module are about the checker: it reports a registry that has lost something.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use http::Method;
use serde_json::{Value, json};

use crate::{
    http::{Response, send},
    support::digest,
};

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// A repository and the digest of a manifest.
pub(crate) type Name = (&'static str, String);

/// What the clients know.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Manifests whose push succeeded, with their content.
    pub(crate) acknowledged: BTreeMap<Name, Vec<u8>>,
    /// Deletions that were asked for, whatever came of them.
    pub(crate) deleted: BTreeSet<Name>,
    /// How often each operation ended with each status; 0 is no response.
    pub(crate) ended: BTreeMap<(&'static str, u16), u64>,
}

/// A manifest with a configuration and a layer.
pub(crate) fn manifest(config: &[u8], layer: &[u8]) -> Vec<u8> {
    let descriptor = |content: &[u8]| json!({ "mediaType": "application/x.test", "digest": digest(content), "size": content.len() });
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/x.test",
        "config": descriptor(config), "layers": [descriptor(layer)],
    });
    manifest.to_string().into_bytes()
}

/// The digests and sizes of the blobs of a manifest.
pub(crate) fn blobs(manifest: &[u8]) -> Vec<(String, u64)> {
    let manifest: Value = serde_json::from_slice(manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let descriptors = layers.chain([&manifest["config"]]);
    descriptors
        .map(|it| (it["digest"].as_str().unwrap().to_owned(), it["size"].as_u64().unwrap()))
        .collect()
}

async fn ask(node: SocketAddr, method: Method, target: &str) -> Response {
    send(node, method, target, &[("accept", MANIFEST)], "").await.unwrap()
}

/// What of the promises does not hold at a node:
///
/// - every tag names a manifest;
/// - every manifest whose push succeeded is there, byte for byte, unless its deletion was asked for;
/// - every blob that these manifests name is there, with its size and content.
pub(crate) async fn violations(
    node: SocketAddr,
    repositories: &[&'static str],
    known: &Known,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut expected = BTreeMap::new();
    for &repository in repositories {
        for tag in tags(node, repository).await {
            let named = ask(node, Method::GET, &format!("/v2/{repository}/manifests/{tag}")).await;
            match named.status {
                200 => {
                    drop(expected.insert((repository, digest(&named.body)), named.body.to_vec()))
                }
                _ => found.push(format!("{repository}:{tag} names nothing")),
            }
        }
    }
    let promised = known.acknowledged.iter().filter(|(name, _)| !known.deleted.contains(*name));
    expected.extend(promised.map(|(name, content)| (name.clone(), content.clone())));
    for ((repository, name), content) in expected {
        let got = ask(node, Method::GET, &format!("/v2/{repository}/manifests/{name}")).await;
        match got.status {
            200 if got.body == content => {}
            200 => found.push(format!("{repository}@{name} has another content")),
            _ => found.push(format!("{repository}@{name} was pushed and not deleted, and is gone")),
        }
        for (blob, size) in blobs(&content) {
            let got = ask(node, Method::GET, &format!("/v2/{repository}/blobs/{blob}")).await;
            match got.status {
                200 if got.body.len() as u64 == size && digest(&got.body) == blob => {}
                200 => found.push(format!("{repository}@{name}: blob {blob} has another content")),
                _ => found.push(format!("{repository}@{name} names the missing blob {blob}")),
            }
        }
    }
    found
}

async fn tags(node: SocketAddr, repository: &str) -> Vec<String> {
    let listed = ask(node, Method::GET, &format!("/v2/{repository}/tags/list")).await;
    if listed.status == 404 {
        return Vec::new();
    }
    let listed = listed.expect(200).json();
    let tags = listed["tags"].as_array().unwrap().iter();
    tags.map(|tag| tag.as_str().unwrap().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use inmemory::InMemory;
    use storage_driver::{Path, StorageDriver, StorageDriverExt};
    use storage_driver_registry::TestRegistry;

    use super::*;
    use crate::cluster::{begin, finish};

    const REPOSITORY: &str = "one";
    const CONFIG: &[u8] = b"{}";
    const LAYER: &[u8] = b"a layer";

    /// A registry with an image, and what its client knows. The store can be damaged.
    struct History {
        registry: TestRegistry,
        store: InMemory,
        known: Known,
    }

    impl History {
        async fn of_a_push() -> Self {
            let store = InMemory::new();
            let driver = Arc::new(store.clone());
            let registry = TestRegistry::start_on(driver, |builder| builder).await.unwrap();
            let node = registry.address();
            for content in [CONFIG, LAYER] {
                let location = begin(node, REPOSITORY).await;
                finish(node, &location, content, content).await.expect(201);
            }
            let content = manifest(CONFIG, LAYER);
            let target = format!("/v2/{REPOSITORY}/manifests/v1");
            let kind = [("content-type", MANIFEST)];
            let put = send(node, Method::PUT, &target, &kind, content.clone()).await.unwrap();
            put.expect(201);
            let mut known = Known::default();
            known.acknowledged.insert((REPOSITORY, digest(&content)), content);
            Self { registry, store, known }
        }

        fn path(&self, pattern: &str, content: &[u8]) -> Path {
            let digest = digest(content);
            let hex = digest.strip_prefix("sha256:").unwrap();
            let path = pattern.replace("AB", &hex[..2]).replace("HEX", hex);
            Path::parse(format!("/docker/registry/v2/{path}")).unwrap()
        }

        async fn lose(&self, pattern: &str, content: &[u8]) {
            self.store.delete(&self.path(pattern, content), Default::default()).await.unwrap();
        }

        async fn assert_found(&self, expected: &[&str]) {
            let found =
                violations(self.registry.address(), &[REPOSITORY, "two"], &self.known).await;
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(found.contains(expected), "{found}");
            }
        }
    }

    const BLOB: &str = "blobs/sha256/AB/HEX/data";
    const REVISION: &str = "repositories/one/_manifests/revisions/sha256/HEX/link";

    #[tokio::test]
    async fn nothing_is_found_in_a_registry_that_is_whole() {
        History::of_a_push().await.assert_found(&[]).await;
    }

    #[tokio::test]
    async fn a_lost_blob_is_found() {
        for content in [CONFIG, LAYER] {
            let history = History::of_a_push().await;
            history.lose(BLOB, content).await;
            history.assert_found(&[&format!("names the missing blob {}", digest(content))]).await;
        }
    }

    #[tokio::test]
    async fn a_blob_with_another_content_is_found() {
        let history = History::of_a_push().await;
        history.store.put(&history.path(BLOB, LAYER), "another").await.unwrap();
        history.assert_found(&["has another content"]).await;
    }

    #[tokio::test]
    async fn a_lost_manifest_is_found_and_so_is_the_tag_that_names_it() {
        let history = History::of_a_push().await;
        history.lose(REVISION, &manifest(CONFIG, LAYER)).await;
        history.assert_found(&["one:v1 names nothing", "was pushed and not deleted"]).await;
    }

    #[tokio::test]
    async fn a_lost_manifest_without_a_tag_is_found() {
        let history = History::of_a_push().await;
        let tag = Path::parse("/docker/registry/v2/repositories/one/_manifests/tags/v1").unwrap();
        history.store.delete_dir(&tag).await.unwrap();
        history.assert_found(&[]).await;
        history.lose(REVISION, &manifest(CONFIG, LAYER)).await;
        history.assert_found(&["was pushed and not deleted"]).await;
    }

    #[tokio::test]
    async fn a_manifest_whose_deletion_was_asked_for_may_be_gone() {
        let mut history = History::of_a_push().await;
        let content = manifest(CONFIG, LAYER);
        let target = format!("/v2/{REPOSITORY}/manifests/{}", digest(&content));
        history.known.deleted.insert((REPOSITORY, digest(&content)));
        let node = history.registry.address();
        send(node, Method::DELETE, &target, &[], "").await.unwrap().expect(202);
        history.assert_found(&[]).await;
    }
}
