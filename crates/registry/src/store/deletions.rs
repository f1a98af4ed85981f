//! Deletion of blobs, tags and manifests by clients. The module `push` explains the order of their steps.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{Metadata, Path, Precondition};

use super::{
    base::Store,
    conditions::Conditions,
    error::{Error, Result},
    files::{is_nothing, warn_unreadable},
    manifest::Manifest,
    tags::TagsOf,
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Tag},
};

impl Store {
    /// Deletes a blob from the repository. Other repositories keep it. A collection deletes its content after the
    /// last one.
    pub(crate) async fn delete_blob(&self, name: &Name, digest: &Digest) -> Result<()> {
        if self.options.immutable_tags {
            self.require_untagged(name, digest).await?;
        }
        let link = layout::layer(name, digest);
        match self.driver.delete(&link, Precondition::None).await {
            Ok(()) => self.keep_tagged(name, digest, &link).await,
            Err(error) if error.is_not_found() => Err(Error::BlobUnknown(*digest)),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a deleted link back if an immutable tag has come to lead to its content meanwhile.
    async fn keep_tagged(&self, name: &Name, digest: &Digest, link: &Path) -> Result<()> {
        if !self.options.immutable_tags {
            return Ok(());
        }
        let refused = self.require_untagged(name, digest).await;
        if matches!(refused, Err(Error::Undeletable)) {
            match self.put_link_if(link, digest, self.if_unchanged(None)).await {
                Err(error) if !error.is_precondition_failed() => return Err(error.into()),
                _ => {}
            }
        }
        refused
    }

    /// Deletes a tag, if `conditions` hold.
    pub(crate) async fn delete_tag(
        &self,
        name: &Name,
        tag: &Tag,
        conditions: &Conditions,
    ) -> Result<()> {
        if !conditions.is_none() {
            return self.delete_tag_if(name, tag, conditions).await;
        }
        match self.driver.delete_dir(&layout::tag(name, tag)).await {
            Err(error) if is_nothing(&error) => Err(Error::manifest_unknown(tag)),
            deleted => Ok(deleted?),
        }
    }

    /// Deletes a manifest, and every tag that names it, if `conditions` hold. Of a manifest that does not exist, it
    /// deletes the tags that an interrupted deletion has left.
    ///
    /// A tag that moves meanwhile is kept.
    pub(crate) async fn delete_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<()> {
        let is_immutable = self.options.immutable_tags;
        let was_there = self.has_manifest(name, digest).await?;
        if !was_there {
            return match conditions.is_none()
                && !is_immutable
                && self.delete_tags_of(name, digest, TagsOf::Gone).await?
            {
                true => Ok(()),
                false => Err(Error::manifest_unknown(digest)),
            };
        }
        // The content of a digest never changes, so that no update can be lost in between.
        conditions.check(Some(digest))?;
        match is_immutable {
            true => self.require_untagged(name, digest).await?,
            false => drop(self.delete_tags_of(name, digest, TagsOf::Present).await?),
        }
        let subject = |content: &Bytes| Manifest::parse(content).ok()?.subject().ok()?;
        let subject = match self.read_manifest(digest, subject).await {
            Ok(subject) => subject.flatten(),
            Err(error) if error.is_retryable() => return Err(error),
            Err(error) => {
                warn_unreadable(&layout::blob(digest), &error.into_driver());
                None
            }
        };
        let attached = self.attached(name, digest, subject.as_ref()).await?;
        let revision = layout::revision(name, digest);
        self.deleted(&revision, Precondition::None).await?;
        self.keep_tagged(name, digest, &revision).await?;
        if !is_immutable {
            self.delete_tags_of(name, digest, TagsOf::Gone).await?;
        }
        Ok(self.delete_unchanged(attached).await?)
    }

    /// The files that belong to a revision: its media type, and the link by which it is a referrer. A deletion deletes
    /// the versions that were there before the revision was deleted. A push writes them after the revision, so that
    /// those of a later push are kept.
    pub(super) async fn attached(
        &self,
        name: &Name,
        digest: &Digest,
        subject: Option<&Digest>,
    ) -> Result<Vec<Metadata>> {
        let mut paths = vec![layout::media_type(name, digest)];
        paths.extend(subject.map(|subject| layout::referrer(name, subject, digest)));
        let files = stream::iter(paths).then(async |path| self.file(&path).await);
        files.try_filter_map(|file| ready(Ok(file))).try_collect().await
    }
}
