//! Deletion of blobs, tags and manifests by clients.

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use storage_driver::Precondition;

use super::{
    base::Store,
    conditions::Conditions,
    error::{Error, Result},
    files::{is_nothing, warn_unreadable},
    manifest::Manifest,
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
            self.require_untagged(name, self.all_tags(name), digest).await?;
        }
        match self.driver.delete(&layout::layer(name, digest), Precondition::None).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Err(Error::BlobUnknown(*digest)),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes a tag, if `conditions` hold.
    pub(crate) async fn delete_tag(
        &self,
        name: &Name,
        tag: &Tag,
        conditions: &Conditions,
    ) -> Result<()> {
        let _shared = self.locks.push(name).await;
        if !conditions.is_none() {
            return self.delete_tag_if(name, tag, conditions).await;
        }
        match self.driver.delete_dir(&layout::tag(name, tag)).await {
            Err(error) if is_nothing(&error) => Err(Error::manifest_unknown(tag)),
            deleted => Ok(deleted?),
        }
    }

    /// Deletes a manifest, and every tag that names it, if `conditions` hold.
    ///
    /// With a driver that has preconditions, tags are found and deleted during pushes: a tag that moves
    /// meanwhile is kept. Pushes only wait for the deletion of the manifest itself.
    pub(crate) async fn delete_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<()> {
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(Error::manifest_unknown(digest));
        }
        // The content of a digest never changes, so that no update can be lost in between.
        conditions.check(Some(digest))?;
        let mut deletion = self.locks.delete(name);
        let has_preconditions = self.capabilities.preconditions;
        if has_preconditions {
            self.delete_or_refuse(name, self.all_tags(name), digest).await?;
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

        let set_meanwhile = deletion.exclude().await;
        let tags = match has_preconditions {
            true => stream::iter(set_meanwhile.into_iter().map(Ok)).left_stream(),
            false => self.all_tags(name).right_stream(),
        };
        self.delete_or_refuse(name, tags, digest).await?;
        // The revision last, so that an interrupted deletion can be repeated.
        if let Some(subject) = subject {
            let referrer = layout::referrer(name, &subject, digest);
            self.driver.delete_many(&[referrer]).await?;
        }
        self.delete_dir_if_any(&layout::revision_dir(name, digest)).await
    }

    async fn delete_or_refuse(
        &self,
        name: &Name,
        tags: impl Stream<Item = Result<Tag>> + Send,
        digest: &Digest,
    ) -> Result<()> {
        match self.options.immutable_tags {
            true => self.require_untagged(name, tags, digest).await,
            false => self.delete_tags_of(name, tags, digest).await,
        }
    }
}
