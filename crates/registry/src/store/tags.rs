//! Tags of a repository.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use storage_driver::{Entry, ListOptions, Path, Payload};

use super::{
    base::{Link, Store},
    conditions::Conditions,
    error::{Error, Result},
    files::{CONCURRENCY, Page, is_nothing},
    locks::Push,
    manifest::{Manifest, Referred},
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Reference, Tag},
};

impl Store {
    /// Sets `tag` to a manifest that exists, if `conditions` hold.
    pub(super) async fn put_tag(
        &self,
        push: &Push<'_>,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<()> {
        push.set(tag);
        let current = layout::current(name, tag);
        // A tag is visible by its current link, which is written first: after any interruption, each visible
        // tag can be pulled.
        if !conditions.is_none() {
            let reference = Reference::Tag(tag.clone());
            self.put_link_if(name, &reference, digest, conditions).await?;
        } else if self.options.immutable_tags {
            self.put_immutable(&current, tag, digest).await?;
        } else {
            self.put_link(&current, digest).await?;
        }
        self.put_link(&layout::tag_index(name, tag, digest), digest).await?;
        Ok(())
    }

    /// Sets a tag that does not exist, or names this manifest already.
    async fn put_immutable(&self, current: &Path, tag: &Tag, digest: &Digest) -> Result<()> {
        loop {
            let seen = match self.read_link(current).await? {
                Link::To(named, _) if named == *digest => return Ok(()),
                Link::To(named, _) => return Err(immutable(tag, named)),
                Link::Missing => None,
                // It names no manifest and may be replaced.
                Link::Damaged => self.file(current).await?,
            };
            let content = Payload::from(digest.to_string());
            match self.driver.put_content(current, content, self.if_unchanged(seen)).await {
                Err(error) if error.is_precondition_failed() => {}
                put => return Ok(put.map(drop)?),
            }
        }
    }

    /// Refuses to move an immutable tag.
    pub(super) async fn require_free(&self, name: &Name, tag: &Tag, digest: &Digest) -> Result<()> {
        match self.link(&layout::current(name, tag)).await? {
            Some(other) if other != *digest => Err(immutable(tag, other)),
            _ => Ok(()),
        }
    }

    /// The tags of a repository that come after `last`, sorted by their bytes. A tag whose link cannot
    /// be read is left out.
    ///
    /// A tag whose link names a manifest that is not in the repository is listed, although a pull of it
    /// fails. Only damage leaves such a tag. To detect it would take one more call of the driver for every
    /// tag.
    pub(crate) async fn tags(
        &self,
        name: &Name,
        last: Option<&Tag>,
        limit: usize,
    ) -> Result<Page<Tag>> {
        let mut options = ListOptions::new().limit(limit.saturating_add(1)).names_only();
        if let Some(last) = last {
            options = options.start_after(layout::tag(name, last));
        }
        let tags = self.list_tags(name, options).map_ok(|tag| async move {
            let link = self.inspect_link(&layout::current(name, &tag)).await?;
            Ok(matches!(link, Link::To(..)).then_some(tag))
        });
        let readable = tags.try_buffered(CONCURRENCY).try_filter_map(async |tag| Ok(tag));
        let mut items: Vec<Tag> = readable.take(limit.saturating_add(1)).try_collect().await?;
        if items.is_empty() && !self.has_repository(name).await? {
            return Err(Error::RepositoryUnknown);
        }
        let more = items.len() > limit;
        items.truncate(limit);
        Ok(Page { items, more })
    }

    /// All tags of a repository. Empty if there is no repository.
    pub(super) fn all_tags(&self, name: &Name) -> impl Stream<Item = Result<Tag>> + Send {
        self.list_tags(name, ListOptions::new().names_only())
    }

    /// The tags of a repository, page by page, readable or not.
    fn list_tags(
        &self,
        name: &Name,
        options: ListOptions,
    ) -> impl Stream<Item = Result<Tag>> + Send + use<'_> {
        let tags = layout::tags(name);
        let pages = stream::try_unfold(Some(options), move |options| {
            let tags = tags.clone();
            async move {
                let Some(mut options) = options else { return Ok(None) };
                let page = match self.driver.list(&tags, options.clone()).await {
                    Ok(page) => page,
                    Err(error) if is_nothing(&error) => return Ok(None),
                    Err(error) => return Err(Error::from(error)),
                };
                let next = page.next.map(|next| {
                    options.start_after = Some(next);
                    options
                });
                let tags: Vec<Tag> = page.items.iter().filter_map(tag_of).collect();
                Ok(Some((stream::iter(tags.into_iter().map(Ok)), next)))
            }
        });
        pages.try_flatten()
    }

    /// Deletes those of `tags` that name this manifest.
    pub(super) async fn delete_tags_of(
        &self,
        name: &Name,
        tags: impl Stream<Item = Result<Tag>>,
        digest: &Digest,
    ) -> Result<()> {
        let delete = async |tag| Ok(self.delete_tag_of(name, &tag, digest).await?);
        tags.try_for_each_concurrent(CONCURRENCY, delete).await
    }

    /// Deletes a tag if it names this manifest. A tag that moves meanwhile is kept.
    ///
    /// It deletes file by file: a driver may lock the whole store to delete a directory, and the link has a
    /// precondition.
    async fn delete_tag_of(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
    ) -> storage_driver::Result<()> {
        let current = layout::current(name, tag);
        let seen = match self.inspect_link(&current).await? {
            Link::To(named, version) if named == *digest => self.if_version(version),
            _ => return Ok(()),
        };
        // The other files are not visible without the link. A push that sets the tag again writes them after
        // the link, and they are kept.
        let others = self.files_with_versions(&layout::tag(name, tag)).await?;
        if self.deleted(&current, seen).await? {
            for file in others.into_iter().filter(|file| file.path != current) {
                self.deleted(&file.path, self.if_version(file.version)).await?;
            }
        }
        Ok(())
    }

    /// Refuses to delete content that an immutable tag leads to: the manifest that it names, the children of an
    /// index, and their blobs.
    pub(super) async fn require_untagged(
        &self,
        name: &Name,
        tags: impl Stream<Item = Result<Tag>>,
        digest: &Digest,
    ) -> Result<()> {
        let named = tags.map_ok(async |tag| self.inspect_tag(name, &tag).await);
        let named = named.try_buffer_unordered(CONCURRENCY).try_filter_map(async |it| Ok(it));
        let mut level: HashSet<Digest> = named.try_collect().await?;
        let mut seen = HashSet::new();
        while !level.is_empty() {
            let read = level.iter().map(|manifest| self.references_of(manifest));
            let read = stream::iter(read.collect::<Vec<_>>()).buffer_unordered(CONCURRENCY);
            let references: Vec<Vec<Referred>> = read.try_collect().await?;
            let references = || references.iter().flatten();
            if level.contains(digest) || references().any(|it| it.digest() == *digest) {
                return Err(Error::Undeletable);
            }
            let children = references().filter(|it| matches!(it, Referred::Child(_)));
            let children: HashSet<Digest> = children.map(Referred::digest).collect();
            seen.extend(level);
            level = children.difference(&seen).copied().collect();
        }
        Ok(())
    }

    /// The references of a manifest; empty if it cannot be read.
    async fn references_of(&self, digest: &Digest) -> Result<Vec<Referred>> {
        let references = |content: &Bytes| Manifest::parse(content)?.references();
        match self.read_manifest(digest, references).await {
            Err(error) if error.is_retryable() => Err(error),
            Ok(Some(Ok(references))) => Ok(references),
            _ => Ok(Vec::new()),
        }
    }

    /// The manifest that a tag names.
    pub(crate) async fn tagged(&self, name: &Name, tag: &Tag) -> Result<Option<Digest>> {
        self.link(&layout::current(name, tag)).await
    }

    /// The manifest that a tag names; `None` if the tag cannot be read.
    async fn inspect_tag(&self, name: &Name, tag: &Tag) -> Result<Option<Digest>> {
        match self.inspect_link(&layout::current(name, tag)).await? {
            Link::To(digest, _) => Ok(Some(digest)),
            Link::Missing | Link::Damaged => Ok(None),
        }
    }
}

fn immutable(tag: &Tag, named: Digest) -> Error {
    Error::TagImmutable { tag: tag.clone(), named }
}

fn tag_of(entry: &Entry) -> Option<Tag> {
    Tag::parse(entry.name()).ok().filter(|_| entry.is_dir())
}
