//! [`Journal`]: the object that holds the state of an upload. A swap of it is the fence.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_driver::{Path, Result, UploadInfo};

use crate::{
    envelope::{self, Envelope, Kind, Sealed},
    error::corrupted,
    nonce,
    objects::Tag,
    record::Extent,
    time,
};

/// Content of up to this many bytes lies in the journal, until more follows. An upload in small chunks has extents of
/// about this size.
pub(crate) const MAX_TAIL: usize = 1 << 20;

/// The key of the journal of the upload at `path`. The `!` at its end makes it differ from every directory of
/// journals: servers on a file system, such as SeaweedFS, create no object where they have a directory.
pub(crate) fn key(path: &Path) -> String {
    format!("!uploads{path}/!")
}

/// The path whose journal has this key.
pub(crate) fn path_of(key: &str) -> Option<Path> {
    Path::parse(key.strip_prefix("!uploads")?.strip_suffix("/!")?).ok()
}

/// A commit that was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit {
    /// The destination.
    #[serde(rename = "d")]
    pub(crate) dest: String,
    /// A nonce, which is in the origin of the record that it publishes.
    #[serde(rename = "c")]
    pub(crate) nonce: String,
    /// Its writer is fenced, by a process that settles it.
    #[serde(rename = "f", default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fenced: bool,
}

impl Commit {
    /// A commit to `dest` that is about to begin.
    pub(crate) fn new(dest: &Path) -> Self {
        Self { dest: dest.as_str().to_owned(), nonce: nonce::fresh(), fenced: false }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Header {
    #[serde(rename = "i")]
    id: String,
    #[serde(rename = "k")]
    created: u64,
    #[serde(rename = "m")]
    modified: u64,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    base: Option<String>,
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    owner: Option<Tag>,
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    extents: Vec<Extent>,
    #[serde(rename = "t")]
    tail: u64,
    #[serde(rename = "n", default)]
    note: usize,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    commit: Option<Commit>,
    #[serde(rename = "w", default, skip_serializing_if = "std::ops::Not::not")]
    fenced: bool,
}

/// The state of an upload, as it was kept.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    /// The name of its extents.
    pub(crate) id: String,
    pub(crate) created: u64,
    pub(crate) modified: u64,
    /// The version that an append started from.
    pub(crate) base: Option<String>,
    /// The state of the owner of its extents, if it has one: saves a read.
    pub(crate) owner: Option<Tag>,
    /// The owner has other holders than the journal: destinations of commits that were tried.
    pub(crate) shared: bool,
    pub(crate) extents: Vec<Extent>,
    /// Content behind the extents, as far as it was read.
    pub(crate) tail: Bytes,
    /// The length of that content, in bytes.
    tail_length: u64,
    pub(crate) note: Bytes,
    pub(crate) commit: Option<Commit>,
    /// A create of an upload at this path may still be under way, and must not find the key absent: the end of this
    /// upload leaves a tombstone.
    pub(crate) fenced: bool,
}

impl Journal {
    /// An upload without content.
    pub(crate) fn new(id: String, now: u64) -> Self {
        Self {
            id,
            created: now,
            modified: now,
            base: None,
            owner: None,
            shared: false,
            extents: Vec::new(),
            tail: Bytes::new(),
            tail_length: 0,
            note: Bytes::new(),
            commit: None,
            fenced: false,
        }
    }

    pub(crate) fn parse(key: &str, envelope: &Envelope) -> Result<Self> {
        let header: Header = envelope.header().map_err(|error| corrupted(key, error))?;
        if header.note > envelope.body.len() {
            return Err(corrupted(key, "it is shorter than its header says"));
        }
        Ok(Self {
            id: header.id,
            created: header.created,
            modified: header.modified,
            base: header.base,
            owner: header.owner,
            shared: header.shared,
            extents: header.extents,
            tail: envelope.body.slice(header.note..),
            tail_length: header.tail,
            note: envelope.body.slice(..header.note),
            commit: header.commit,
            fenced: header.fenced,
        })
    }

    /// The bytes of the object under a fresh nonce.
    pub(crate) fn seal(&self) -> Sealed {
        let header = Header {
            id: self.id.clone(),
            created: self.created,
            modified: self.modified,
            base: self.base.clone(),
            owner: self.owner.clone(),
            shared: self.shared,
            extents: self.extents.clone(),
            tail: self.tail_length,
            note: self.note.len(),
            commit: self.commit.clone(),
            fenced: self.fenced,
        };
        envelope::seal(Kind::Journal, &header, &[self.note.clone(), self.tail.clone()])
    }

    pub(crate) fn size(&self) -> u64 {
        self.extents.iter().map(|extent| extent.length).sum::<u64>() + self.tail_length
    }

    pub(crate) fn set_tail(&mut self, tail: Bytes) {
        self.tail_length = tail.len() as u64;
        self.tail = tail;
    }

    /// Whether all of its content was read.
    pub(crate) fn is_whole(&self) -> bool {
        self.tail.len() as u64 == self.tail_length
    }

    pub(crate) fn info(&self, path: &Path) -> UploadInfo {
        let (created, modified) = (time::from_nanos(self.created), time::from_nanos(self.modified));
        UploadInfo::new(path.clone(), created, modified, Some(self.size()))
            .with_note(self.note.clone())
    }
}
