//! [`Manifest`]: the parts of a manifest of any kind that a registry reads.
//!
//! There are two ways to read it. A stored manifest is read at least as leniently as by Go's decoder: a field of an
//! unexpected type counts as absent, and a reference counts if any reader could see it. A pushed manifest is
//! [checked](Manifest::check): fields that are needed to keep content or to serve it must be valid, and all
//! others are ignored.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::{
    error::{Error, Result},
    json::{Object, Value},
    media_type,
};
use crate::digest::Digest;

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Docker's first format, with signatures.
const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// Layers that must not be distributed, by Docker and by older versions of the specification. They may be absent if
/// their descriptor has URLs.
const FOREIGN: [&str; 4] = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
];

/// The shortest reference in JSON, in bytes: `"digest":"sha256:` and the digits.
const SHORTEST_REFERENCE: usize = 82;

/// The size of a manifest's annotations that a list of referrers repeats, in bytes of JSON.
const MAX_ANNOTATIONS: usize = 64 << 10;

/// The fields that are read.
const FIELDS: [&str; 10] = [
    "annotations",
    "artifactType",
    "blobs",
    "config",
    "fsLayers",
    "layers",
    "manifests",
    "mediaType",
    "schemaVersion",
    "subject",
];

/// The number of occurrences of these fields in a manifest, in total.
const MAX_FIELDS: usize = 64;

/// A view of a manifest.
#[derive(Debug)]
pub(crate) struct Manifest<'a> {
    content: &'a [u8],
    /// In the order of the content, at most [`MAX_FIELDS`].
    fields: Vec<(&'static str, Value<'a>)>,
}

/// The parts of a manifest that a list of referrers repeats.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Description {
    /// At most [`MAX_ARTIFACT_TYPE`](Self::MAX_ARTIFACT_TYPE) bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) artifact_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Box<RawValue>>,
}

impl Description {
    pub(crate) const MAX_ARTIFACT_TYPE: usize = 255;
}

/// A reference of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Referred {
    /// A configuration or a layer.
    Blob(Digest),
    /// The child of an index: a manifest, or a blob, as in the caches that BuildKit exports.
    Child(Digest),
    /// A layer that has URLs elsewhere. It may be absent.
    Elsewhere(Digest),
}

impl Referred {
    pub(crate) fn digest(&self) -> Digest {
        let (Self::Blob(digest) | Self::Child(digest) | Self::Elsewhere(digest)) = self;
        *digest
    }
}

/// The result of [checking](Manifest::check) a pushed manifest.
#[derive(Debug)]
pub(crate) struct Checked {
    /// Each once, in order.
    pub(crate) references: Vec<Referred>,
    pub(crate) subject: Option<Digest>,
    /// Whether the content has a media type.
    pub(crate) is_typed: bool,
}

/// The parts of a manifest that a collection reads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    /// All references, each once.
    pub(crate) references: Vec<Digest>,
    /// Those of the references that are manifests.
    pub(crate) children: Vec<Digest>,
    pub(crate) subject: Option<Digest>,
}

/// Where a descriptor is, as in `layers[3]`.
#[derive(Debug, Clone, Copy)]
struct Place {
    field: &'static str,
    index: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.index {
            Some(index) => write!(f, "{}[{index}]", self.field),
            None => f.write_str(self.field),
        }
    }
}

impl<'a> Manifest<'a> {
    /// Reads a manifest that is being pushed as `content_type`.
    ///
    /// # Errors
    ///
    /// [`Error::ManifestInvalid`], which names the field, if a required part cannot be understood.
    pub(crate) fn check(content: &'a [u8], content_type: Option<&str>) -> Result<Checked> {
        let manifest = Self::parse(content)?;
        let field = manifest.media_type()?;
        let media_type = field.as_deref();
        for (place, text) in [("Content-Type", content_type), ("mediaType", media_type)] {
            if text.is_some_and(|text| !media_type::is_safe(text)) {
                return Err(invalid(format_args!(
                    "{place} is not a media type of 255 bytes at most that begins with \
                     application/ and that browsers do not render"
                )));
            }
        }
        if let (Some(header), Some(field)) = (content_type, media_type)
            && !header.eq_ignore_ascii_case(field)
        {
            return Err(invalid(format_args!("mediaType is {field}, but Content-Type {header}")));
        }
        let kind = media_type.or(content_type).unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with("application/vnd.docker.distribution.manifest.v1+") {
            return Err(invalid("manifests of Docker's schema 1 are not supported"));
        }
        manifest.check_shape(&kind)?;
        Ok(Checked {
            references: manifest.references()?,
            subject: manifest.subject()?,
            is_typed: manifest.own_type().is_some(),
        })
    }

    /// Reads a stored manifest.
    pub(crate) fn parse(content: &'a [u8]) -> Result<Self> {
        let value = Value::parse(content)
            .map_err(|error| invalid(format_args!("the manifest is not JSON: {error}")))?;
        let root = value.as_object().ok_or_else(|| invalid("the manifest is not an object"))?;
        let mut fields = Vec::new();
        for (key, value) in root.members() {
            let Some(field) = FIELDS.into_iter().find(|field| key.names(field)) else { continue };
            if fields.len() == MAX_FIELDS {
                return Err(invalid(format_args!("{field} occurs too often")));
            }
            fields.push((field, value));
        }
        Ok(Self { content, fields })
    }

    /// The values of `field`, in order.
    fn all(&self, field: &'static str) -> impl DoubleEndedIterator<Item = Value<'a>> {
        self.fields.iter().filter(move |(name, _)| *name == field).map(|(_, value)| *value)
    }

    /// The values of `field` that are not `null`, in order.
    fn given(&self, field: &'static str) -> impl DoubleEndedIterator<Item = Value<'a>> {
        self.all(field).filter(|value| !matches!(value, Value::Null))
    }

    /// The last string among the values of `field`, if that is not empty, as Go reads it.
    fn text(&self, field: &'static str) -> Option<Cow<'a, str>> {
        let text = self.given(field).filter_map(Value::as_text).next_back()?.read();
        Some(text).filter(|text| !text.is_empty())
    }

    fn config(&self) -> Option<Object<'a>> {
        self.given("config").filter_map(Value::as_object).next_back()
    }

    /// The value of `mediaType`, which must be unique.
    fn media_type(&self) -> Result<Option<Cow<'a, str>>> {
        let mut found: Option<Cow<'a, str>> = None;
        for value in self.given("mediaType") {
            let text = value.as_text().ok_or_else(|| invalid("mediaType is not a string"))?.read();
            if found.as_ref().is_some_and(|found| *found != text) {
                return Err(invalid("mediaType has several values"));
            }
            found = Some(text);
        }
        Ok(found.filter(|text| !text.is_empty()))
    }

    fn check_shape(&self, kind: &str) -> Result<()> {
        let (image, index) = (self.is_image(), self.is_index());
        // Content that can be read in two ways was used to swap images: CVE-2021-41190.
        if image && index {
            return Err(invalid("it has layers or a config and manifests, and cannot be both"));
        }
        let needed: &[&str] = match kind {
            OCI_MANIFEST | DOCKER_MANIFEST => &["config", "layers"],
            OCI_INDEX | DOCKER_LIST => &["manifests"],
            _ => &[],
        };
        let has = |field: &str| match field {
            "config" => self.given("config").next().is_some(),
            "layers" => self.all("layers").next().is_some(),
            _ => index,
        };
        if let Some(missing) = needed.iter().find(|field| !has(field)) {
            return Err(invalid(format_args!("{missing} is missing, which {kind} has")));
        }
        let mut versions = self.given("schemaVersion").map(Value::as_size).peekable();
        if (!needed.is_empty() || image || index)
            && (versions.peek().is_none() || !versions.all(|version| version == Some(2)))
        {
            return Err(invalid("schemaVersion is not 2"));
        }
        Ok(())
    }

    /// A list that is `null` is an empty list: Go writes it so.
    fn is_image(&self) -> bool {
        self.given("config").next().is_some() || self.all("layers").next().is_some()
    }

    fn is_index(&self) -> bool {
        self.all("manifests").next().is_some()
    }

    /// The media type of the content, if it has one. A type that browsers render is replaced.
    pub(crate) fn own_type(&self) -> Option<String> {
        if let Some(own) = self.text("mediaType") {
            let own = Some(&*own).filter(|own| media_type::is_safe(own));
            return Some(own.unwrap_or(media_type::UNKNOWN).to_owned());
        }
        let is_old = self.all("fsLayers").next().is_some();
        match (self.is_index(), self.is_image(), is_old) {
            (true, ..) => Some(OCI_INDEX),
            (false, true, _) => Some(OCI_MANIFEST),
            (false, false, true) => Some(DOCKER_SCHEMA_1),
            (false, false, false) => None,
        }
        .map(str::to_owned)
    }

    /// Every value in the place of a descriptor, except the subject.
    fn descriptors(&self) -> impl Iterator<Item = Result<(Place, Value<'a>)>> + '_ {
        let config = self.given("config");
        let config = config.map(|value| Ok((Place { field: "config", index: None }, value)));
        let lists =
            ["layers", "blobs", "manifests", "fsLayers"].into_iter().flat_map(move |field| {
                let lists = self.given(field);
                lists.flat_map(move |list| {
                    let items = list.as_array().map(|array| array.items().enumerate());
                    let refused = items
                        .is_none()
                        .then(|| Err(invalid(format_args!("{field} is not a list"))));
                    let items = items.into_iter().flatten();
                    refused.into_iter().chain(
                        items.map(move |(at, item)| Ok((Place { field, index: Some(at) }, item))),
                    )
                })
            });
        config.chain(lists)
    }

    /// Its references, each once. If keys occur several times, these are all that any reader could see.
    pub(crate) fn references(&self) -> Result<Vec<Referred>> {
        let mut found = Vec::with_capacity(self.content.len() / SHORTEST_REFERENCE + 1);
        for descriptor in self.descriptors() {
            let (place, value) = descriptor?;
            let object = match value {
                Value::Object(object) => object,
                // Go reads an empty descriptor.
                Value::Null => Object::default(),
                _ => return Err(invalid(format_args!("{place} is not an object"))),
            };
            let key = if place.field == "fsLayers" { "blobSum" } else { "digest" };
            let elsewhere = is_elsewhere(object);
            let mut digests = object.given(key).map(|value| digest(value)).peekable();
            if digests.peek().is_none() && !elsewhere {
                return Err(invalid(format_args!("{place}.{key} is missing")));
            }
            for digest in digests {
                found.push(match (digest, place.field) {
                    (Some(digest), _) if elsewhere => Referred::Elsewhere(digest),
                    (None, _) if elsewhere => continue,
                    (Some(digest), "manifests") => Referred::Child(digest),
                    (Some(digest), _) => Referred::Blob(digest),
                    (None, _) => {
                        return Err(invalid(format_args!("{place}.{key} is not a digest")));
                    }
                });
            }
        }
        found.sort_unstable();
        found.dedup();
        found.shrink_to_fit();
        Ok(found)
    }

    /// Reads `content` for a collection. In content that is not a manifest, every digest is a reference.
    pub(crate) fn marks(content: &[u8]) -> Marks {
        let manifest = Manifest::parse(content);
        let subject = manifest.as_ref().ok().and_then(|it| it.subject().ok().flatten());
        let children = manifest.as_ref().map(|it| it.manifests().collect()).unwrap_or_default();
        let mut digests: Vec<Digest> = match manifest.and_then(|it| it.references()) {
            Ok(references) => references.iter().map(Referred::digest).collect(),
            Err(_) => {
                let words = content.split(|byte| !(byte.is_ascii_alphanumeric() || *byte == b':'));
                let words = words.filter_map(|word| std::str::from_utf8(word).ok());
                words.filter_map(|word| Digest::parse(word).ok()).collect()
            }
        };
        digests.sort_unstable();
        digests.dedup();
        Marks { references: digests, children, subject }
    }

    /// The digests of the children that are manifests by their media type, or have none. Others are blobs, as in
    /// the caches that BuildKit exports.
    fn manifests(&self) -> impl Iterator<Item = Digest> {
        let is_manifest = |child: &Object<'_>| {
            let known = [OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];
            child.text("mediaType").is_none_or(|it| known.contains(&it.as_ref()))
        };
        let manifests = self.listed().filter(is_manifest);
        manifests.flat_map(|child| child.given("digest").filter_map(digest))
    }

    /// The digest of its subject: the last one, as Go reads it.
    pub(crate) fn subject(&self) -> Result<Option<Digest>> {
        let Some(subject) = self.given("subject").next_back() else { return Ok(None) };
        let subject = subject.as_object().ok_or_else(|| invalid("subject is not an object"))?;
        let named = subject.given("digest").last().and_then(digest);
        named.map(Some).ok_or_else(|| invalid("subject.digest is not a digest"))
    }

    /// The well-formed descriptors of an index.
    fn listed(&self) -> impl Iterator<Item = Object<'a>> {
        let lists = self.given("manifests").filter_map(Value::as_array);
        lists.flat_map(|list| list.items().filter_map(Value::as_object))
    }

    /// The digests of the children of an index.
    pub(crate) fn children(&self) -> impl Iterator<Item = Digest> {
        self.listed().flat_map(|child| child.given("digest").filter_map(digest))
    }

    /// The child for a client that does not accept indexes, as in distribution.
    pub(crate) fn default_child(&self) -> Option<Digest> {
        let is_default = |child: &Object<'_>| {
            let platform = child.object("platform");
            let is = |key, wanted: &str| {
                platform.and_then(|it| it.text(key)).is_some_and(|text| text == wanted)
            };
            is("os", "linux") && is("architecture", "amd64")
        };
        self.listed().find(is_default)?.given("digest").last().and_then(digest)
    }

    /// Its description in a list of referrers. Annotations are repeated up to [`MAX_ANNOTATIONS`]. An annotation that
    /// does not fit is left out, and so is an artifact type that is too long.
    pub(crate) fn description(&self) -> Description {
        let config = || self.config()?.text("mediaType");
        let artifact_type = self.text("artifactType").or_else(config);
        let annotations = Some(self.annotations()).filter(|it| !it.is_empty());
        Description {
            artifact_type: artifact_type
                .filter(|it| it.len() <= Description::MAX_ARTIFACT_TYPE)
                .map(Cow::into_owned),
            annotations: annotations.and_then(|it| to_raw_value(&it).ok()),
        }
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let mut kept = BTreeMap::new();
        let mut room = MAX_ANNOTATIONS;
        let objects = self.given("annotations").filter_map(Value::as_object);
        for (key, value) in objects.flat_map(Object::members) {
            let (value, written) = match value {
                Value::Text(text) => (Some(text), text.written_len()),
                // Go reads an empty text.
                Value::Null => (None, 2),
                _ => continue,
            };
            let Some(left) = room.checked_sub(key.written_len() + written) else { continue };
            room = left;
            let value = value.map(|text| text.read().into_owned()).unwrap_or_default();
            kept.insert(key.read().into_owned(), value);
        }
        kept
    }

    /// The size of its blobs by their descriptors, in bytes.
    pub(crate) fn content_size(&self) -> u64 {
        let layers = self.given("layers").filter_map(Value::as_array);
        let layers = layers.flat_map(|list| list.items().filter_map(Value::as_object));
        let sized = layers.chain(self.config());
        let sizes = sized.filter_map(|it| it.given("size").last()?.as_size());
        sizes.fold(0, u64::saturating_add)
    }
}

fn digest(value: Value<'_>) -> Option<Digest> {
    Digest::parse(&value.as_text()?.read()).ok()
}

fn is_elsewhere(descriptor: Object<'_>) -> bool {
    let mut types = descriptor.given("mediaType").peekable();
    let is_foreign = |value: Value<'_>| {
        value.as_text().is_some_and(|text| FOREIGN.contains(&text.read().as_ref()))
    };
    types.peek().is_some()
        && types.all(is_foreign)
        && descriptor
            .given("urls")
            .filter_map(Value::as_array)
            .any(|urls| urls.items().any(|url| url.as_text().is_some()))
}

fn invalid(text: impl fmt::Display) -> Error {
    Error::ManifestInvalid(text.to_string())
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
        assert_eq!(Manifest::marks(manifest.as_bytes()).references, [layer]);
    }

    #[test]
    fn digests_in_an_unreadable_manifest_are_kept() {
        let digests = Algorithm::ALL.map(|algorithm| Digest::of(algorithm, b"layer"));
        let [first, second] = digests;
        let manifest = format!(r#"{{"layers":[{{"digest":"{first}","size":"many"}}, "{second}"#);
        assert_eq!(Manifest::marks(manifest.as_bytes()).references, digests);
    }

    #[test]
    fn a_layer_that_is_named_many_times_is_kept_as_one_digest() {
        let layer = Digest::of(Algorithm::Sha256, b"layer");
        let descriptor = format!(r#"{{"digest":"{layer}"}}"#);
        let manifest = format!(r#"{{"layers":[{}]}}"#, vec![descriptor; 43_236].join(","));
        let digests = Manifest::marks(manifest.as_bytes()).references;
        assert_eq!((digests.len(), digests.capacity()), (1, 1));
    }
}
