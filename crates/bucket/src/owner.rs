//! [`Owner`]: who may name the extents of one upload.
//!
//! A holder is added before it names an extent, each time anew, so that the owner's ETag changes. The sweeper
//! reads an owner, looks at all holders, and swaps that very state to *dying* before it removes anything.

use serde::{Deserialize, Serialize};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    envelope::{self, Envelope, Kind, Sealed},
    error::corrupted,
    objects::{Decision, Expect, Found, Objects, Tag},
};

/// The key of the owner of the extents named `id`.
pub(crate) fn key(id: &str) -> String {
    format!("!owners/{id}")
}

/// Who may name an extent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Holder {
    /// The record of a file.
    #[serde(rename = "f")]
    File(String),
    /// The journal of an upload.
    #[serde(rename = "u")]
    Upload(String),
}

impl Holder {
    pub(crate) fn file(path: &Path) -> Self {
        Self::File(path.as_str().to_owned())
    }

    pub(crate) fn upload(path: &Path) -> Self {
        Self::Upload(path.as_str().to_owned())
    }
}

/// The owner of extents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Owner {
    #[serde(rename = "h")]
    pub(crate) holders: Vec<Holder>,
    /// Its extents are being removed, and nothing may name them any more.
    #[serde(rename = "x", default)]
    pub(crate) dying: bool,
}

impl Owner {
    pub(crate) fn parse(key: &str, envelope: &Envelope) -> Result<Self> {
        envelope.header().map_err(|error| corrupted(key, error))
    }

    pub(crate) fn seal(&self) -> Sealed {
        envelope::seal(Kind::Owner, self, &[])
    }

    pub(crate) fn of(key: &str, found: &Found) -> Result<Self> {
        match &found.envelope {
            Some(envelope) if envelope.kind == Kind::Owner => Self::parse(key, envelope),
            _ => Err(corrupted(key, "it is no owner")),
        }
    }
}

/// Makes the owner of new extents.
pub(crate) async fn create(objects: &Objects, id: &str, holder: Holder) -> Result<Tag> {
    let owner = Owner { holders: vec![holder.clone()], dying: false };
    match objects.decide(&key(id), &owner.seal(), &Expect::Absent).await? {
        Decision::Won(tag) => Ok(tag),
        // An earlier opening of the upload has made it, and ended before the journal could say so.
        Decision::Lost(_) => add(objects, id, holder, None).await,
    }
}

/// Adds a holder. `known` is its state if the caller knows that; it saves a read if nothing was changed since.
///
/// # Errors
///
/// `ContentChanged` if the extents are being removed: what named them has been replaced.
pub(crate) async fn add(
    objects: &Objects,
    id: &str,
    holder: Holder,
    known: Option<(Tag, Vec<Holder>)>,
) -> Result<Tag> {
    let key = key(id);
    let mut state = match known {
        Some((tag, holders)) => Some((tag, Owner { holders, dying: false })),
        None => read(objects, &key).await?,
    };
    loop {
        let Some((tag, mut owner)) = state.filter(|(_, owner)| !owner.dying) else {
            let text = format!("the extents of {id} are being removed");
            return Err(Error::new(ErrorKind::ContentChanged).with_source(text));
        };
        if !owner.holders.contains(&holder) {
            owner.holders.push(holder.clone());
        }
        match objects.decide(&key, &owner.seal(), &Expect::Tag(tag)).await? {
            Decision::Won(tag) => return Ok(tag),
            Decision::Lost(None) => state = None,
            Decision::Lost(Some(found)) => {
                state = Some((found.tag.clone(), Owner::of(&key, &found)?));
            }
        }
    }
}

async fn read(objects: &Objects, key: &str) -> Result<Option<(Tag, Owner)>> {
    match objects.look(key).await? {
        None => Ok(None),
        Some(found) => Ok(Some((found.tag.clone(), Owner::of(key, &found)?))),
    }
}
