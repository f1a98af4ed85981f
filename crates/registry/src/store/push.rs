//! Pushes of manifests, and why they need no lock.
//!
//! A push writes several files, and a deletion removes several. Any number of nodes do both on one store. Each step
//! is one operation of the driver on one file, and the order of the steps is what keeps the files together:
//!
//! ```text
//! push      content ─▶ revision ─▶ media type, referrer ─▶ tags ─▶ is the revision still there? ── yes ─▶ 201
//!           ▲                                                                      │
//!           └───────────────────────────────── no ─────────────────────────────────┘
//! deletion  tags that name it ─▶ revision ─▶ tags that name it and were set since ─▶ media type, referrer ─▶ 202
//! ```
//!
//! A manifest is in a repository exactly while its revision is there. A tag whose revision is gone cannot be pulled.
//!
//! - **No tag is left that names nothing.** Take the moment at which a deletion removes the revision. A push that looks
//!   at the revision after this moment finds that it is gone, and begins again, unless yet another push has put it
//!   back. A push that looked before had set its tags before, so that the second pass of the deletion finds them.
//! - **A push that succeeded is undone only by a deletion that follows it.** The second pass deletes a tag only if it
//!   names the manifest, and the revision was absent after the tag was read, and the tag still has the version that was
//!   read. A tag of a push that wrote its revision after the deletion removed it is kept. A push that begins again writes
//!   its tags again, so that they have a new version.
//! - **The first pass comes first** because a deletion that is interrupted before it removes the revision can then be
//!   repeated: the manifest is there, with fewer tags. A deletion that is interrupted later, or a push that is interrupted
//!   between its tags and its last look while a deletion ran, can leave a tag that names nothing. It is a 404. A
//!   repetition of the deletion deletes it, and a repetition of the push makes it whole. A collection reports it and keeps
//!   what it leads to, because a power cut leaves the same picture.
//! - **Media type and referrer** are deleted in the versions that were there before the revision was removed. A push writes
//!   them after its revision, so that those of a later push are kept. Without the revision they are invisible.
//! - **Conditions** and immutable tags are checked in the step that changes the revision or the tag: the driver refuses to
//!   change another version than the one that was checked. With immutable tags, a deletion changes no tag. If the second
//!   pass finds that a tag leads to the manifest now, the revision is put back, and the deletion is refused.
//! - **The children of an index** are looked up before the first write and after the last one. If one is missing, the push
//!   is withdrawn and fails. If all are there, a later deletion of a child finds a complete index with its tags: the
//!   outcome is the same as if the child was deleted after the push.
//! - **A push that is refused** after it has written something (a child is gone, a condition does not hold any more, a tag
//!   is immutable) is withdrawn. A withdrawal takes back only the versions that this
//!   push wrote: a tag names again what it named before, and the revision is deleted if no other push wrote it. Of two
//!   pushes of the same new index, both of which fail, the second may leave it.
//!
//! Every loop here makes one more round only because another client changed the same file, so that one of them makes
//! progress.
//!
//! # Without `preconditions`
//!
//! A driver without preconditions deletes and replaces whatever version is there. Two clients that change one tag at the
//! same moment can then lose the change of one of them, also within one process: a deletion of a manifest can take a tag
//! that has just moved to another manifest, and an immutable tag can move.

use std::time::Instant;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use storage_driver::{Metadata, Payload, Precondition, ReadRange, StorageDriverExt};

use super::{
    base::{Hold, Store},
    conditions::{Conditions, UNCONDITIONAL},
    error::{DigestMismatch, Error, Result},
    files::CONCURRENCY,
    manifest::{Checked, Manifest, Referred},
    tags::SetTag,
};
use crate::{
    digest::{Algorithm, Digest},
    layout,
    name::{Name, Reference, Tag},
};

/// The result of a push.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

/// A push in progress.
struct Push<'a> {
    store: &'a Store,
    name: &'a Name,
    digest: Digest,
    content: Bytes,
    references: Vec<Referred>,
    children: Vec<Referred>,
    subject: Option<Digest>,
    /// The media type, if it is not in the content.
    noted: Option<&'a str>,
    /// The conditions of the revision. It is written under them once.
    of_revision: &'a Conditions,
    of_tags: &'a Conditions,
    /// The revision, if this push created it.
    revision: Option<Metadata>,
    tags: Vec<(&'a Tag, Option<SetTag>)>,
}

impl Store {
    /// Stores a manifest and sets `tags`, if `conditions` hold for the manifest that `reference` names now.
    pub(crate) async fn put_manifest(
        &self,
        name: &Name,
        reference: &Reference,
        tags: &[Tag],
        content_type: Option<&str>,
        conditions: &Conditions,
        content: Bytes,
    ) -> Result<Pushed> {
        let Checked { references, subject, is_typed } = Manifest::check(&content, content_type)?;
        let children = references.iter().filter(|it| matches!(it, Referred::Child(_)));
        let digest = digest_of(&content, reference)?;
        let (of_revision, of_tags) = match reference {
            Reference::Digest(_) => (conditions, &UNCONDITIONAL),
            Reference::Tag(_) => (&UNCONDITIONAL, conditions),
        };
        let mut push = Push {
            store: self,
            name,
            digest,
            content,
            children: children.copied().collect(),
            references,
            subject,
            noted: content_type.filter(|_| !is_typed),
            of_revision,
            of_tags,
            revision: None,
            tags: tags.iter().map(|tag| (tag, None)).collect(),
        };
        match push.run().await {
            Err(error) if error.is_refusal() => {
                push.withdraw().await?;
                Err(error)
            }
            pushed => pushed.map(|()| Pushed { digest, subject }),
        }
    }

    /// Checks that the references of a manifest are in the repository, and holds them.
    async fn require(&self, name: &Name, references: &[Referred]) -> Result<()> {
        stream::iter(references.iter().map(Ok))
            .try_for_each_concurrent(CONCURRENCY, |referred| async move {
                let (digest, found) = match referred {
                    Referred::Blob(digest) | Referred::Elsewhere(digest) => {
                        (digest, self.held_blob(name, digest, Hold::Required).await.map(drop))
                    }
                    Referred::Child(digest) => (digest, self.hold_child(name, digest).await),
                };
                let may_be_absent = match referred {
                    Referred::Blob(_) => false,
                    Referred::Elsewhere(_) => true,
                    Referred::Child(_) => self.options.sparse_indexes,
                };
                match found {
                    Err(Error::BlobUnknown(_) | Error::ManifestUnknown(_)) => match may_be_absent {
                        true => Ok(()),
                        false => Err(Error::ReferenceUnknown(*digest)),
                    },
                    found => found,
                }
            })
            .await
    }

    /// Checks that the child of an index is in the repository, as a manifest or as a blob, and holds it.
    async fn hold_child(&self, name: &Name, digest: &Digest) -> Result<()> {
        match self.held_manifest(name, digest, Hold::Required).await {
            Err(Error::ManifestUnknown(_)) => {
                self.held_blob(name, digest, Hold::Required).await.map(drop)
            }
            held => held,
        }
    }

    /// Stores the content of a manifest. The same content is kept. Damaged content is replaced.
    async fn put_manifest_blob(&self, digest: &Digest, content: Bytes) -> Result<()> {
        let path = layout::blob(digest);
        // Most manifests are new: then one call does it.
        let mut precondition = self.capabilities.preconditions.then_some(Precondition::IfAbsent);
        loop {
            if let Some(precondition) = precondition {
                let content = Payload::from(content.clone());
                match self.driver.put_content(&path, content, precondition).await {
                    Ok(_) => return Ok(()),
                    Err(error) if error.is_precondition_failed() => {}
                    Err(error) => return Err(error.into()),
                }
            }
            precondition = match self.file(&path).await? {
                Some(file) if self.has_content(&file, &content).await? => {
                    match self.hold(&file, Hold::Required).await? {
                        true => return Ok(()),
                        false => None,
                    }
                }
                Some(damaged) => {
                    tracing::warn!(%path, "this manifest is damaged and is replaced");
                    Some(self.if_version(damaged.version))
                }
                None => Some(self.if_unchanged(None)),
            };
        }
    }

    /// Whether a file has this content. A file that cannot be read does not.
    async fn has_content(&self, file: &Metadata, content: &[u8]) -> Result<bool> {
        if file.size != content.len() as u64 {
            return Ok(false);
        }
        let compare: storage_driver::Result<bool> = async {
            let mut reader = self.driver.reader(&file.path, ReadRange::default()).await?;
            let mut rest = content;
            while let Some(chunk) = reader.try_next().await? {
                match rest.strip_prefix(&*chunk) {
                    Some(more) => rest = more,
                    None => return Ok(false),
                }
            }
            Ok(rest.is_empty())
        }
        .await;
        match compare {
            Err(error) if error.is_retryable() => Err(error.into()),
            compared => Ok(compared.unwrap_or(false)),
        }
    }
}

impl Push<'_> {
    async fn run(&mut self) -> Result<()> {
        while !self.round().await? {}
        Ok(())
    }

    /// Writes everything. Returns `false` if the manifest was deleted meanwhile.
    async fn round(&mut self) -> Result<bool> {
        let (store, name, digest) = (self.store, self.name, self.digest);
        let since = Instant::now();
        let held = || since.elapsed() < store.options.gc_grace / 2;
        store.require(name, &self.references).await?;
        if store.options.immutable_tags {
            for (tag, _) in &self.tags {
                store.require_free(name, tag, &digest).await?;
            }
        }
        store.put_manifest_blob(&digest, self.content.clone()).await?;
        self.put_revision().await?;
        // After the revision: see how a deletion removes them.
        if let Some(kind) = self.noted {
            store.driver.put(&layout::media_type(name, &digest), kind.to_owned()).await?;
        }
        if let Some(subject) = &self.subject {
            store.put_link(&layout::referrer(name, subject, &digest), &digest).await?;
        }
        let may_fail = !self.children.is_empty() || !held();
        for (tag, set) in &mut self.tags {
            let put = store.put_tag(name, tag, &digest, self.of_tags, set.take(), may_fail);
            *set = put.await?;
            if set.is_none() {
                // It succeeded in an earlier round, and was undone since, as the revision was.
                self.take_back_revision().await?;
                return Ok(true);
            }
        }
        // A collection cannot have deleted references that are still held.
        let at_risk = if held() { &self.children } else { &self.references };
        store.require(name, at_risk).await?;
        if !held() {
            return match store.held_manifest(name, &digest, Hold::Required).await {
                Err(Error::ManifestUnknown(_)) => Ok(false),
                found => found.map(|()| true),
            };
        }
        // Without tags, a deletion of the revision is a deletion of the whole.
        Ok(self.tags.is_empty() || store.has_manifest(name, &digest).await?)
    }

    /// Writes the revision, also if it is there: a collection that has seen it as untagged cannot delete it then.
    async fn put_revision(&mut self) -> Result<()> {
        let (store, path) = (self.store, layout::revision(self.name, &self.digest));
        let conditions = std::mem::replace(&mut self.of_revision, &UNCONDITIONAL);
        self.revision = None;
        let put = async |precondition| store.put_link_if(&path, &self.digest, precondition).await;
        if conditions.is_none() && store.capabilities.preconditions {
            match put(Precondition::IfAbsent).await {
                Ok(created) => self.revision = Some(created),
                Err(error) if error.is_precondition_failed() => {
                    put(Precondition::None).await?;
                }
                Err(error) => return Err(error.into()),
            }
            return Ok(());
        }
        loop {
            let seen = store.file(&path).await?;
            conditions.check(seen.as_ref().map(|_| &self.digest))?;
            let is_new = seen.is_none();
            match put(store.if_unchanged(seen)).await {
                Err(error) if error.is_precondition_failed() => {}
                done => {
                    self.revision = Some(done?).filter(|_| is_new);
                    return Ok(());
                }
            }
        }
    }

    /// Takes back what this push wrote, unless another client has written it since.
    async fn withdraw(&mut self) -> Result<()> {
        let (store, name) = (self.store, self.name);
        for (tag, set) in &mut self.tags {
            if let Some(set) = set.take() {
                store.take_back(name, tag, &self.digest, set).await?;
            }
        }
        self.take_back_revision().await
    }

    async fn take_back_revision(&mut self) -> Result<()> {
        if let Some(link) = self.revision.take() {
            self.store.deleted(&link.path, self.store.if_version(link.version)).await?;
        }
        Ok(())
    }
}

/// The digest of a manifest: by the algorithm of the digest that it is pushed by, and equal to that.
fn digest_of(content: &[u8], reference: &Reference) -> Result<Digest> {
    let Reference::Digest(expected) = reference else {
        return Ok(Digest::of(Algorithm::Sha256, content));
    };
    let (found, expected) = (Digest::of(expected.algorithm(), content), *expected);
    match found == expected {
        true => Ok(found),
        false => Err(DigestMismatch { found, expected, is_deleted: false }.into()),
    }
}
