//! [`Manifest`]: what a registry reads of a manifest, whatever kind it is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    error::{Code, Error, Result},
};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Docker's first, signed.
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Docker's layers that are not to be distributed, and the specification's of old: a registry need not
/// have them, for they say where else they are.
const FOREIGN: [&str; 4] = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
];

/// What is read of a manifest. All else in it is its author's, and stays as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    /// Of the artifact manifest that the specification had for a while.
    #[serde(default)]
    blobs: Option<Vec<Descriptor>>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    /// Of Docker's schema 1, which is not taken any more, but may be in a tree of old.
    #[serde(default)]
    fs_layers: Option<Vec<FsLayer>>,
    #[serde(default)]
    subject: Option<Descriptor>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

/// What a manifest says of a thing that it refers to.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) size: u64,
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    annotations: Option<BTreeMap<String, String>>,
    #[serde(default, skip_serializing)]
    platform: Option<Platform>,
    #[serde(default, skip_serializing)]
    urls: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct FsLayer {
    blob_sum: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// What a manifest refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Referred {
    Blob(Digest),
    Manifest(Digest),
}

impl Referred {
    pub(crate) fn digest(&self) -> Digest {
        let (Self::Blob(digest) | Self::Manifest(digest)) = self;
        *digest
    }
}

impl Manifest {
    /// Reads a manifest that is being pushed as `content_type`, and refuses what is none.
    pub(crate) fn check(content: &[u8], content_type: Option<&str>) -> Result<Self> {
        let manifest = Self::parse(content)?;
        let media_type = manifest.media_type.as_deref();
        if let (Some(header), Some(field)) = (content_type, media_type)
            && header != field
        {
            let text = format!("its mediaType is {field}, its Content-Type {header}");
            return Err(invalid(text));
        }
        let kind = content_type.or(media_type).unwrap_or_default();
        if kind.starts_with("application/vnd.docker.distribution.manifest.v1+") {
            return Err(invalid("Docker's manifests of schema 1 are not taken any more"));
        }
        let (image, index) = (manifest.is_image(), manifest.manifests.is_some());
        // One content that is read as two different things is how images were swapped once:
        // CVE-2021-41190.
        if image && index {
            return Err(invalid("it has layers or a config and manifests, and cannot be both"));
        }
        let wanted = match kind {
            OCI_MANIFEST | DOCKER_MANIFEST => {
                manifest.config.is_some() && manifest.layers.is_some()
            }
            OCI_INDEX | DOCKER_LIST => index,
            _ => true,
        };
        if !wanted {
            return Err(invalid(format!("it is no {kind}")));
        }
        let known = matches!(kind, OCI_MANIFEST | OCI_INDEX | DOCKER_MANIFEST | DOCKER_LIST);
        if (known || image || index) && manifest.schema_version != Some(2) {
            return Err(invalid("its schemaVersion is not 2"));
        }
        manifest.references()?;
        manifest.subject()?;
        Ok(manifest)
    }

    /// Reads a manifest that was taken.
    pub(crate) fn parse(content: &[u8]) -> Result<Self> {
        serde_json::from_slice(content).map_err(|error| invalid(format!("not a manifest: {error}")))
    }

    fn is_image(&self) -> bool {
        self.config.is_some() || self.layers.is_some()
    }

    /// Its type, as far as it says so itself.
    pub(crate) fn own_type(&self) -> Option<&str> {
        let own = self.media_type.as_deref().filter(|own| !own.is_empty());
        own.or(match (&self.manifests, self.is_image(), &self.fs_layers) {
            (Some(_), ..) => Some(OCI_INDEX),
            (None, true, _) => Some(OCI_MANIFEST),
            (None, false, Some(_)) => Some(DOCKER_SCHEMA_1),
            (None, false, None) => None,
        })
    }

    /// What has to be there with it, foreign layers left out.
    pub(crate) fn references(&self) -> Result<Vec<Referred>> {
        let own = [&self.layers, &self.blobs].into_iter().flatten().flatten();
        let blobs = self.config.iter().chain(own);
        let blobs = blobs.filter(|blob| !blob.is_elsewhere());
        let blobs = blobs.map(|blob| blob.digest().map(Referred::Blob));
        let manifests = self.manifests.iter().flatten();
        let manifests = manifests.map(|child| child.digest().map(Referred::Manifest));
        let old = self.fs_layers.iter().flatten();
        let old = old.map(|layer| named(&layer.blob_sum).map(Referred::Blob));
        blobs.chain(manifests).chain(old).collect()
    }

    /// What `content` refers to, and what it is about, for a collection: which keeps whatever is named by
    /// its digest in what it cannot read.
    pub(crate) fn marks(content: &[u8]) -> (Vec<Digest>, Option<Digest>) {
        let read = Self::parse(content).and_then(|it| Ok((it.references()?, it.subject()?)));
        match read {
            Ok((references, subject)) => {
                (references.iter().map(Referred::digest).collect(), subject)
            }
            Err(_) => {
                let text = String::from_utf8_lossy(content);
                let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'));
                (words.filter_map(|word| Digest::parse(word).ok()).collect(), None)
            }
        }
    }

    /// The manifest that it is about.
    pub(crate) fn subject(&self) -> Result<Option<Digest>> {
        self.subject.as_ref().map(Descriptor::digest).transpose()
    }

    /// The child that a client gets who knows no indexes: distribution's choice.
    pub(crate) fn default_child(&self) -> Option<Digest> {
        let is_default = |child: &&Descriptor| {
            let platform = child.platform.as_ref();
            platform.is_some_and(|it| it.os == "linux" && it.architecture == "amd64")
        };
        self.manifests.iter().flatten().find(is_default)?.digest().ok()
    }

    /// How a list of referrers describes it.
    pub(crate) fn descriptor(&self, digest: &Digest, size: u64, media_type: String) -> Descriptor {
        let named = self.artifact_type.clone().filter(|named| !named.is_empty());
        let config = self.config.as_ref().map(|config| config.media_type.clone());
        Descriptor {
            artifact_type: named.or(config.filter(|config| !config.is_empty())),
            annotations: self.annotations.clone(),
            ..Descriptor::new(digest, size, media_type)
        }
    }

    /// The children that an index lists.
    pub(crate) fn children(self) -> Vec<Descriptor> {
        self.manifests.unwrap_or_default()
    }

    /// How many bytes its blobs have, as it says.
    pub(crate) fn content_size(&self) -> u64 {
        let layers = self.layers.iter().flatten().chain(&self.config);
        layers.fold(0, |sum, layer| sum.saturating_add(layer.size))
    }
}

impl Descriptor {
    fn new(digest: &Digest, size: u64, media_type: String) -> Self {
        Self {
            media_type,
            size,
            digest: digest.to_string(),
            artifact_type: None,
            annotations: None,
            platform: None,
            urls: None,
        }
    }

    pub(crate) fn digest(&self) -> Result<Digest> {
        named(&self.digest)
    }

    fn is_elsewhere(&self) -> bool {
        let urls = self.urls.as_deref().unwrap_or_default();
        FOREIGN.contains(&self.media_type.as_str()) && !urls.is_empty()
    }
}

fn named(digest: &str) -> Result<Digest> {
    Digest::parse(digest).map_err(|_| invalid("it refers to something by no digest"))
}

fn invalid(text: impl std::fmt::Display) -> Error {
    Error::new(Code::ManifestInvalid, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Algorithm;

    #[test]
    fn the_layers_of_a_manifest_of_old_are_kept() {
        let layer = Digest::of(Algorithm::Sha256, b"layer");
        let manifest =
            format!(r#"{{"schemaVersion":1,"name":"a","fsLayers":[{{"blobSum":"{layer}"}}]}}"#);
        assert_eq!(Manifest::marks(manifest.as_bytes()), (vec![layer], None));
    }

    #[test]
    fn what_a_manifest_that_cannot_be_read_names_is_kept() {
        let digests = Algorithm::ALL.map(|algorithm| Digest::of(algorithm, b"layer"));
        let [first, second] = digests;
        let manifest = format!(r#"{{"layers":[{{"digest":"{first}","size":"many"}}, "{second}"#);
        assert_eq!(Manifest::marks(manifest.as_bytes()), (digests.to_vec(), None));
    }
}
