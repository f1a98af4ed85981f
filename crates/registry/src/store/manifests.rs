//! Manifests of a repository: push and pull.

use std::time::Instant;

use bytes::Bytes;
use futures::{TryStreamExt, stream};
use storage_driver::{ErrorKind, Metadata, Payload, ReadRange, Reader, StorageDriverExt};

use super::{
    base::{Hold, Store},
    conditions::Conditions,
    error::{DigestMismatch, Error, Result},
    files::{CONCURRENCY, is_no_file},
    manifest::{Checked, Manifest, Referred},
    media_type,
};
use crate::{
    digest::{Algorithm, Digest},
    layout,
    name::{Name, Reference, Tag},
};

/// The largest manifest, in bytes, that is read in one call.
pub(super) const SMALL: u64 = 64 << 10;

/// A manifest to be served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// `None` if it is larger than [`SMALL`]: it is then not held in memory for a client.
    pub(crate) content: Option<Bytes>,
}

/// The result of a push.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub(crate) digest: Digest,
    pub(crate) subject: Option<Digest>,
}

impl Store {
    /// Stores a manifest and sets `tags`, if `conditions` hold for the manifest that `reference` names now.
    ///
    /// # An index whose child is deleted meanwhile
    ///
    /// The references are looked up under the repository's [lock](super::locks::Locks). In this process, the deletion
    /// of a manifest therefore waits for the push, or the push finds that the child is missing before it writes
    /// anything.
    ///
    /// The lock does not exclude other processes, nor the deletion of a blob, which can be a child too. So the
    /// children are looked up once more after the last write. If one is missing, the push is withdrawn and fails. If
    /// all are there, a later deletion finds a complete index with its tags: the outcome is the same as if the child
    /// was deleted after the push.
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
        let children: Vec<Referred> =
            references.iter().filter(|it| matches!(it, Referred::Child(_))).copied().collect();
        let digest = match reference {
            Reference::Tag(_) => Digest::of(Algorithm::Sha256, &content),
            Reference::Digest(expected) => {
                let digest = Digest::of(expected.algorithm(), &content);
                if digest != *expected {
                    let (found, expected) = (digest, *expected);
                    return Err(DigestMismatch { found, expected, is_deleted: false }.into());
                }
                digest
            }
        };
        let noted = content_type.filter(|_| !is_typed);
        let unconditional = Conditions::default();
        let (mut of_link, of_tag) = match reference {
            Reference::Digest(_) => (conditions, &unconditional),
            Reference::Tag(_) => (&unconditional, conditions),
        };
        let (mut is_new, mut has_tagged) = (false, false);
        loop {
            let since = Instant::now();
            let held = || since.elapsed() < self.options.gc_grace / 2;
            let push = self.locks.push(name).await;
            self.require(name, &references).await?;
            if self.options.immutable_tags {
                for tag in tags {
                    self.require_free(name, tag, &digest).await?;
                }
            }
            self.put_manifest_blob(&digest, content.clone()).await?;
            let revision = Reference::Digest(digest);
            let (link, is_created) = self.put_link_if(name, &revision, &digest, of_link).await?;
            is_new |= is_created;
            of_link = &unconditional;
            // After the link: see how a collection deletes an untagged manifest.
            if let Some(kind) = noted {
                self.driver.put(&layout::media_type(name, &digest), kind.to_owned()).await?;
            }
            if let Some(subject) = &subject {
                self.put_link(&layout::referrer(name, subject, &digest), &digest).await?;
            }
            // A conditional change is made once. A second one could undo a later change of another client.
            if !has_tagged || of_tag.is_none() {
                for tag in tags {
                    self.put_tag(&push, name, tag, &digest, of_tag).await?;
                }
                has_tagged = true;
            }
            // A collection cannot have deleted references that are still held.
            let at_risk = if held() { &children } else { &references };
            if let Err(error) = self.require(name, at_risk).await {
                if is_new && matches!(error, Error::ReferenceUnknown(_)) {
                    self.withdraw(name, tags, &digest, link).await?;
                }
                return Err(error);
            }
            match held() {
                true => return Ok(Pushed { digest, subject }),
                false => match self.held_manifest(name, &digest, Hold::Required).await {
                    Ok(()) => return Ok(Pushed { digest, subject }),
                    Err(Error::ManifestUnknown(_)) => {}
                    Err(error) => return Err(error),
                },
            }
        }
    }

    /// Takes back the push of a new manifest: its tags, where they still name it, and its link, unless another
    /// client pushed the manifest meanwhile.
    async fn withdraw(
        &self,
        name: &Name,
        tags: &[Tag],
        digest: &Digest,
        link: Metadata,
    ) -> Result<()> {
        let tags = stream::iter(tags.iter().cloned().map(Ok));
        self.delete_tags_of(name, tags, digest).await?;
        self.deleted(&link.path, self.if_version(link.version)).await?;
        Ok(())
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

    /// Checks that a manifest is in the repository, and holds it. A collection can delete the content, and the link of an
    /// untagged manifest.
    async fn held_manifest(&self, name: &Name, digest: &Digest, hold: Hold) -> Result<()> {
        if let Some(link) = self.file(&layout::revision(name, digest)).await?
            && self.hold(&link, hold).await?
            && let Some(content) = self.content(digest).await?
            && self.hold(&content, hold).await?
        {
            return Ok(());
        }
        Err(Error::manifest_unknown(digest))
    }

    /// Stores the content of a manifest. The same content is kept, which saves a write. Damaged content is
    /// replaced.
    async fn put_manifest_blob(&self, digest: &Digest, content: Bytes) -> Result<()> {
        let path = layout::blob(digest);
        loop {
            let precondition = match self.file(&path).await? {
                Some(file) if self.has_content(&file, &content).await? => {
                    match self.hold(&file, Hold::Required).await? {
                        true => return Ok(()),
                        false => continue,
                    }
                }
                Some(damaged) => {
                    tracing::warn!(%path, "this manifest is damaged and is replaced");
                    self.if_version(damaged.version)
                }
                None => self.if_unchanged(None),
            };
            let content = Payload::from(content.clone());
            match self.driver.put_content(&path, content, precondition).await {
                Ok(_) => return Ok(()),
                Err(error) if error.is_precondition_failed() => {}
                Err(error) => return Err(error.into()),
            }
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

    /// A manifest of the repository by its digest, and the result of `read`; `None` if it cannot be parsed.
    pub(crate) async fn manifest_of<T>(
        &self,
        name: &Name,
        digest: &Digest,
        read: impl FnOnce(&Manifest<'_>) -> T,
    ) -> Result<(Served, Option<T>)> {
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(Error::manifest_unknown(digest));
        }
        let found = self.read_manifest(digest, |content| {
            let manifest = Manifest::parse(content).ok();
            let own = manifest.as_ref().and_then(Manifest::own_type);
            let size = content.len() as u64;
            let small = (size <= SMALL).then(|| content.clone());
            (size, small, own, manifest.as_ref().map(read))
        });
        let (size, content, own, read) =
            found.await?.ok_or_else(|| Error::manifest_unknown(digest))?;
        let media_type = match own {
            Some(own) => own,
            None => self.noted_type(name, digest).await?,
        };
        Ok((Served { digest: *digest, media_type, size, content }, read))
    }

    /// The result of `read` for the content of a manifest of any repository; `None` if the content is missing
    /// or damaged. Damaged content counts as missing, so that clients push it again.
    ///
    /// The content is in memory during `read`, and counted by the [`Budget`](super::budget::Budget).
    pub(crate) async fn read_manifest<T>(
        &self,
        digest: &Digest,
        read: impl FnOnce(&Bytes) -> T,
    ) -> Result<Option<T>> {
        let path = layout::blob(digest);
        let mut limit = SMALL;
        loop {
            // Twice: the content, and its parsed form.
            let _held = self.budget.read(limit.saturating_mul(2)).await?;
            match self.driver.get_content(&path, limit).await {
                Ok(content) => {
                    let content = content.into_bytes();
                    if Digest::of(digest.algorithm(), &content) == *digest {
                        return Ok(Some(read(&content)));
                    }
                    tracing::warn!(%path, "this manifest is damaged and is treated as missing");
                    return Ok(None);
                }
                Err(error) if is_no_file(&error) => return Ok(None),
                Err(error) => match error.kind() {
                    ErrorKind::ContentTooLarge { size, .. }
                        if size > limit && size <= self.options.max_stored_manifest() =>
                    {
                        limit = size;
                    }
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Opens the content of a manifest, and reads the first bytes.
    pub(crate) async fn manifest_reader(&self, digest: &Digest) -> Result<Reader> {
        let opened = self.read_content(digest, ReadRange::Full).await;
        opened.map_err(|error| match error {
            Error::BlobUnknown(digest) => Error::manifest_unknown(digest),
            _ => error,
        })
    }

    pub(super) async fn noted_type(&self, name: &Name, digest: &Digest) -> Result<String> {
        match self.driver.get_bytes(&layout::media_type(name, digest), 1024).await {
            Ok(noted) => {
                let noted = std::str::from_utf8(&noted).ok().filter(|it| media_type::is_safe(it));
                Ok(noted.unwrap_or(media_type::UNKNOWN).to_owned())
            }
            Err(error) if error.is_not_found() => Ok("application/json".to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::ContentTooLarge { .. }) => {
                Ok(media_type::UNKNOWN.to_owned())
            }
            Err(error) => Err(error.into()),
        }
    }
}
