//! [`Record`]: the object at the key of a file.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_driver::{Metadata, Path, Result, Version};

use crate::{
    envelope::{self, Envelope, Kind, Sealed},
    error::corrupted,
    lineage::Lineage,
    nonce, time,
};

/// A file of up to this many bytes lies in its record.
pub(crate) const MAX_INLINE: usize = 1 << 20;

/// A part of a file's content: an object that never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    /// The upload that it was written in; its owner says who may name it.
    #[serde(rename = "i")]
    pub(crate) id: String,
    /// Its name among those of the upload.
    #[serde(rename = "n")]
    pub(crate) name: String,
    /// Its size in bytes.
    #[serde(rename = "l")]
    pub(crate) length: u64,
}

impl Extent {
    pub(crate) fn key(&self) -> String {
        format!("!data/{}/{}", self.id, self.name)
    }
}

/// The upload that a record was committed from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Origin {
    #[serde(rename = "u")]
    pub(crate) upload: String,
    /// A nonce of the commit.
    #[serde(rename = "c")]
    pub(crate) commit: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    #[serde(rename = "v")]
    version: String,
    #[serde(rename = "s")]
    size: u64,
    #[serde(rename = "m")]
    modified: u64,
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    extents: Vec<Extent>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(flatten)]
    lineage: Lineage,
}

/// Where the bytes of a file are.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    /// In the record. Only as many as were read.
    Inline(Bytes),
    /// In these, one after the other.
    Extents(Vec<Extent>),
    /// In the object at the key of the file, which is no record.
    Foreign,
}

/// The record of a file.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) version: Version,
    pub(crate) size: u64,
    pub(crate) modified: u64,
    pub(crate) body: Body,
    pub(crate) origin: Option<Origin>,
}

impl Record {
    /// A record of a new version.
    pub(crate) fn new(size: u64, modified: u64, body: Body) -> Self {
        let version = Version::new(nonce::fresh());
        Self { version, size, modified, body, origin: None }
    }

    pub(crate) fn parse(key: &str, envelope: &Envelope) -> Result<Self> {
        let header: Header = envelope.header().map_err(|error| corrupted(key, error))?;
        let body = match header.extents.is_empty() {
            true => Body::Inline(envelope.body.clone()),
            false => Body::Extents(header.extents),
        };
        Ok(Self {
            version: Version::new(header.version),
            size: header.size,
            modified: header.modified,
            body,
            origin: header.origin,
        })
    }

    /// The bytes of the object under a fresh nonce. An inline body has to be whole.
    pub(crate) fn seal(&self, lineage: Lineage) -> Sealed {
        let (extents, body) = match &self.body {
            Body::Inline(bytes) => (Vec::new(), bytes.clone()),
            Body::Extents(extents) => (extents.clone(), Bytes::new()),
            // It becomes extents before it is sealed.
            Body::Foreign => (Vec::new(), Bytes::new()),
        };
        let header = Header {
            version: self.version.as_str().to_owned(),
            size: self.size,
            modified: self.modified,
            extents,
            origin: self.origin.clone(),
            lineage,
        };
        envelope::seal(Kind::Record, &header, &[body])
    }

    pub(crate) fn metadata(&self, path: &Path) -> Metadata {
        let modified = time::from_nanos(self.modified);
        Metadata::new(path.clone(), self.size, modified, self.version.clone())
    }

    pub(crate) fn extents(&self) -> &[Extent] {
        match &self.body {
            Body::Inline(_) | Body::Foreign => &[],
            Body::Extents(extents) => extents,
        }
    }

    /// Whether the body that was read is all of it.
    pub(crate) fn is_whole(&self) -> bool {
        match &self.body {
            Body::Inline(bytes) => bytes.len() as u64 == self.size,
            Body::Extents(_) | Body::Foreign => true,
        }
    }
}
