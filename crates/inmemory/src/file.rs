//! [`File`]: committed content with its metadata, as an entry of a directory.

use std::{cmp::Ordering, iter, sync::Arc};

use bytes::Bytes;
use storage_driver::{Error, Metadata, Path, Payload, Version};

use crate::{
    blob::{Blob, FileBlob},
    budget::{Budget, Charge, Owner},
    map::Named,
    rope::Rope,
    slab::block::{Block, Header},
    sync::{AtomicU32, Ordering::AcqRel, Ordering::Relaxed},
    time::Timestamp,
    usage::Usage,
    work,
};

/// Content of up to so many bytes is stored with its name; longer content is a [`Blob`](crate::blob::Blob).
pub(crate) const SMALL: usize = 4 << 10;

/// A file as an entry of a directory: one pointer to one allocation.
///
/// Its *text* is its path relative to the directory. That is more than a name where this is the only file
/// below: the directories in between are then implied by the text, and cost nothing.
///
/// ```text
///  File ─▶ │ count, length │ Small { modified, version, owners, length of text } │ text │ content │
///  File ─▶ │ count, length │ Large ─┐                                           │ text │
///                                   └─▶ { modified, version, blob }
/// ```
///
/// A clone, which a fork makes, owns the content too. Readers are no owners.
#[derive(Debug)]
pub(crate) struct File(Block<Head>);

#[derive(Debug)]
enum Head {
    Small {
        stamp: Stamp,
        /// How many [`File`]s refer to it. All other references are readers.
        owners: AtomicU32,
        /// The length of the text.
        text: u16,
    },
    Large(Box<Large>),
}

#[derive(Debug)]
struct Large {
    stamp: Stamp,
    blob: FileBlob,
    _charge: Charge,
}

/// The time and the version of a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) modified: Timestamp,
    pub(crate) version: u64,
}

impl Stamp {
    /// The stamp of a file that is not committed yet.
    pub(crate) const NONE: Self = Self { modified: Timestamp(0), version: 0 };
}

impl File {
    /// A file of at most [`SMALL`] bytes, which are copied.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn small(
        budget: &Arc<Budget>,
        text: &str,
        content: &Payload,
        stamp: Stamp,
    ) -> Result<Self, Error> {
        budget.reserve(content.len() as u64, index(text))?;
        let parts = content.parts().map(|part| &part[..]);
        Ok(Self::reserved(budget, text, content.len(), parts, stamp))
    }

    /// As [`small`](Self::small), for content that is freed as soon as the file is there: the store may pass its
    /// capacity for that moment.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn copy_of(
        budget: &Arc<Budget>,
        text: &str,
        content: &Payload,
        stamp: Stamp,
    ) -> Result<Self, Error> {
        budget.reserve(0, index(text))?;
        budget.force(content.len() as u64, 0);
        let parts = content.parts().map(|part| &part[..]);
        Ok(Self::reserved(budget, text, content.len(), parts, stamp))
    }

    /// Reserves the memory that a file of a blob needs.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn charge(budget: &Arc<Budget>, text: &str) -> Result<Charge, Error> {
        Charge::new(budget, index(text) as usize)
    }

    /// A file of a blob, for which the text was [charged](Self::charge).
    pub(crate) fn large(text: &str, blob: FileBlob, stamp: Stamp, charge: Charge) -> Self {
        let budget = Arc::clone(charge.budget());
        let head = Head::Large(Box::new(Large { stamp, blob, _charge: charge }));
        Self(Block::new(&budget, head, text.len(), iter::once(text.as_bytes())))
    }

    /// A small file, whose memory is reserved.
    fn reserved<'a>(
        budget: &Arc<Budget>,
        text: &'a str,
        length: usize,
        content: impl Iterator<Item = &'a [u8]>,
        stamp: Stamp,
    ) -> Self {
        budget.transfer(length as u64, Owner::Unowned, Owner::Committed);
        // A text is a part of a path, whose length fits.
        let head = Head::Small { stamp, owners: AtomicU32::new(1), text: text.len() as u16 };
        let parts = iter::once(text.as_bytes()).chain(content);
        Self(Block::new(budget, head, text.len() + length, parts))
    }

    /// The same file with the stamp of its commit. It must not be shared yet.
    pub(crate) fn stamped(mut self, stamp: Stamp) -> Self {
        if let Some(Head::Small { stamp: old, .. }) = self.0.header_mut() {
            *old = stamp;
        }
        self
    }

    /// The same content under another text, with another stamp if there is one.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn copied(
        &self,
        budget: &Arc<Budget>,
        text: &str,
        stamp: Option<Stamp>,
    ) -> Result<Self, Error> {
        budget.reserve(self.content().len() as u64, index(text))?;
        Ok(self.recast(budget, text, stamp))
    }

    /// As [`copied`](Self::copied), for a file that is removed as soon as the copy is in its place: if it has no
    /// other owner, the store may pass its capacity for that moment.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn moved(
        &self,
        budget: &Arc<Budget>,
        text: &str,
        stamp: Option<Stamp>,
    ) -> Result<Self, Error> {
        if !self.0.is_unique() || text.len() > self.text_len() {
            return self.copied(budget, text, stamp);
        }
        budget.force(self.content().len() as u64, index(text));
        Ok(self.recast(budget, text, stamp))
    }

    fn recast(&self, budget: &Arc<Budget>, text: &str, stamp: Option<Stamp>) -> Self {
        let stamp = stamp.unwrap_or(self.stamp());
        match self.head() {
            Head::Small { .. } => {
                let content = self.content();
                Self::reserved(budget, text, content.len(), iter::once(content), stamp)
            }
            Head::Large(large) => {
                let charge = Charge::reserved(budget, index(text) as usize);
                Self::large(text, large.blob.clone(), stamp, charge)
            }
        }
    }

    fn head(&self) -> &Head {
        self.0.header()
    }

    /// The path relative to the directory.
    pub(crate) fn text(&self) -> &str {
        str::from_utf8(self.text_bytes()).unwrap_or_default()
    }

    /// The same without a look at each byte of it.
    fn text_bytes(&self) -> &[u8] {
        match self.head() {
            Head::Small { text, .. } => &self.0.bytes()[..usize::from(*text)],
            Head::Large(_) => self.0.bytes(),
        }
    }

    pub(crate) fn text_len(&self) -> usize {
        self.text_bytes().len()
    }

    /// How many bytes of the text follow `path`: none if that is the file, else a slash and what is below. `None` if
    /// the file is neither there nor below.
    pub(crate) fn below(&self, path: &str) -> Option<usize> {
        match self.text_bytes().strip_prefix(path.as_bytes())? {
            rest @ ([] | [b'/', ..]) => Some(rest.len()),
            _ => None,
        }
    }

    /// The content, if it is stored here.
    pub(crate) fn content(&self) -> &[u8] {
        match self.head() {
            Head::Small { text, .. } => &self.0.bytes()[usize::from(*text)..],
            Head::Large(_) => &[],
        }
    }

    pub(crate) fn stamp(&self) -> Stamp {
        match self.head() {
            Head::Small { stamp, .. } => *stamp,
            Head::Large(large) => large.stamp,
        }
    }

    pub(crate) fn version(&self) -> Version {
        Version::from(self.stamp().version)
    }

    pub(crate) fn size(&self) -> u64 {
        match self.head() {
            Head::Small { .. } => self.content().len() as u64,
            Head::Large(large) => large.blob.rope().len(),
        }
    }

    /// The content as a snapshot, without ownership.
    pub(crate) fn rope(&self) -> Rope {
        match self.head() {
            Head::Small { .. } if self.content().is_empty() => Rope::Empty,
            Head::Small { text, .. } => {
                let whole = Bytes::from_owner(Pin(self.0.clone()));
                Rope::One(whole.slice(usize::from(*text)..))
            }
            Head::Large(large) => large.blob.rope().clone(),
        }
    }

    /// The blob, if the content is one.
    pub(crate) fn blob(&self) -> Option<&FileBlob> {
        match self.head() {
            Head::Small { .. } => None,
            Head::Large(large) => Some(&large.blob),
        }
    }

    pub(crate) fn is_large(&self) -> bool {
        matches!(self.head(), Head::Large(_))
    }

    /// Drops the file and returns its blob, if it has one: perhaps the last reference.
    pub(crate) fn into_blob(self) -> Option<Arc<Blob>> {
        self.blob().map(FileBlob::blob)
    }

    pub(crate) fn metadata(&self, path: &Path) -> Metadata {
        let Stamp { modified, version } = self.stamp();
        Metadata::new(path.clone(), self.size(), modified.into(), Version::from(version))
    }
}

/// A reference to a small file by a reader.
struct Pin(Block<Head>);

impl AsRef<[u8]> for Pin {
    fn as_ref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl Header for Head {
    fn reserved(&self, bytes: usize) -> (u64, u64) {
        match self {
            Self::Small { text, .. } => {
                let text = u64::from(*text);
                (bytes as u64 - text, Usage::FILE as u64 + text)
            }
            // Its charge releases what it reserved.
            Self::Large(_) => (0, 0),
        }
    }
}

impl Clone for File {
    fn clone(&self) -> Self {
        if let Head::Small { owners, .. } = self.head() {
            owners.fetch_add(1, Relaxed);
        }
        Self(self.0.clone())
    }
}

impl Drop for File {
    fn drop(&mut self) {
        work::count(1);
        if let Head::Small { owners, .. } = self.head()
            && owners.fetch_sub(1, AcqRel) == 1
        {
            let length = self.content().len() as u64;
            self.0.budget().transfer(length, Owner::Committed, Owner::Unowned);
        }
    }
}

impl Named for File {
    fn name(&self) -> &str {
        first_of(self.text())
    }

    fn order(&self, other: &str) -> Ordering {
        // A match compares the name once, and does not search for its end.
        if self.below(other).is_some() { Ordering::Equal } else { self.name().cmp(other) }
    }
}

/// The part of the index that a file takes, without its blob.
fn index(text: &str) -> u64 {
    (Usage::FILE + text.len()) as u64
}

/// The first component of a text.
pub(crate) fn first_of(text: &str) -> &str {
    cut(text).map_or(text, |(name, _)| name)
}

/// The first component of a text and the rest, if there is more than one.
pub(crate) fn cut(text: &str) -> Option<(&str, &str)> {
    let slash = memchr::memchr(b'/', text.as_bytes())?;
    Some((&text[..slash], &text[slash + 1..]))
}

#[cfg(test)]
mod tests;
