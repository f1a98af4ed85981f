//! [`Layout`]: an OCI image layout, a directory of images.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{digest, program::read};

/// A directory of images.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) root: PathBuf,
}

impl Layout {
    pub(crate) fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The image that is tagged `tag`, as an argument of skopeo.
    pub(crate) fn oci(&self, tag: &str) -> String {
        format!("oci:{}", self.image(tag))
    }

    /// The same as an argument of umoci.
    pub(crate) fn image(&self, tag: &str) -> String {
        format!("{}:{tag}", self.root.display())
    }

    /// Every blob, by its digest.
    pub(crate) fn blobs(&self) -> BTreeMap<String, Vec<u8>> {
        let files = fs::read_dir(self.root.join("blobs/sha256")).unwrap().map(Result::unwrap);
        files
            .map(|file| {
                let name = file.file_name().into_string().unwrap();
                (format!("sha256:{name}"), read(file.path()))
            })
            .collect()
    }

    /// The blob of `digest`.
    #[track_caller]
    pub(crate) fn blob(&self, digest: &str) -> Vec<u8> {
        read(self.path(digest))
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.root.join("blobs").join(digest.replace(':', "/"))
    }

    /// The descriptor of the manifest that is tagged `tag`.
    #[track_caller]
    pub(crate) fn tagged(&self, tag: &str) -> Value {
        let index = parse(&read(self.root.join("index.json")));
        let manifests = index["manifests"].as_array().unwrap();
        let named = |it: &&Value| it["annotations"]["org.opencontainers.image.ref.name"] == tag;
        manifests.iter().find(named).unwrap_or_else(|| panic!("no {tag} in {index}")).clone()
    }

    /// The manifest that is tagged `tag`, byte for byte.
    #[track_caller]
    pub(crate) fn manifest(&self, tag: &str) -> Vec<u8> {
        self.blob(self.tagged(tag)["digest"].as_str().unwrap())
    }

    /// The digests of the manifest that is tagged `tag`, of its configuration and of its layers.
    #[track_caller]
    pub(crate) fn closure(&self, tag: &str) -> Vec<String> {
        let text = |it: &Value| it["digest"].as_str().unwrap().to_owned();
        let manifest = parse(&self.manifest(tag));
        let layers = manifest["layers"].as_array().unwrap().iter().map(text);
        [text(&self.tagged(tag)), text(&manifest["config"])].into_iter().chain(layers).collect()
    }

    /// Adds an index of existing images, each for a platform.
    pub(crate) fn add_index(&self, tag: &str, images: &[(&str, &str)]) {
        let entry = |&(image, architecture): &(&str, &str)| {
            let manifest = self.manifest(image);
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest(&manifest),
                "size": manifest.len(),
                "platform": { "architecture": architecture, "os": "linux" },
            })
        };
        let media_type = "application/vnd.oci.image.index.v1+json";
        let manifests: Vec<Value> = images.iter().map(entry).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests })
            .to_string();
        fs::write(self.path(&digest(index.as_bytes())), &index).unwrap();
        let file = self.root.join("index.json");
        let mut top = parse(&read(&file));
        top["manifests"].as_array_mut().unwrap().push(json!({
            "mediaType": media_type,
            "digest": digest(index.as_bytes()),
            "size": index.len(),
            "annotations": { "org.opencontainers.image.ref.name": tag },
        }));
        fs::write(file, top.to_string()).unwrap();
    }
}

/// Parses JSON.
#[track_caller]
pub(crate) fn parse(text: &[u8]) -> Value {
    serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)))
}

/// Asserts that every blob of `expected` is in `layout`, byte for byte.
#[track_caller]
pub(crate) fn assert_same_image(pulled: &Layout, pushed: &Layout, tag: &str) {
    assert_eq!(pulled.tagged(tag)["digest"], pushed.tagged(tag)["digest"]);
    for digest in pushed.closure(tag) {
        assert!(pulled.blob(&digest) == pushed.blob(&digest), "{digest}");
    }
    assert_eq!(
        fs::read_dir(pulled.root.join(Path::new("blobs/sha256"))).unwrap().count(),
        pushed.closure(tag).len()
    );
}
