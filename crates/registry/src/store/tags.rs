//! Tags of a repository.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use storage_driver::{Entry, ListOptions, Version};

use super::{
    base::{Link, Store},
    conditions::Conditions,
    error::{Error, Result},
    files::{CONCURRENCY, Page, is_nothing},
    manifest::{Manifest, Referred},
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Tag},
};

/// A tag that a push has set.
#[derive(Debug)]
pub(super) struct SetTag {
    /// The version that the push wrote.
    version: Version,
    /// The manifest that it named before, if the push asked for it.
    before: Option<Digest>,
}

/// Which tags of a manifest are deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagsOf {
    /// All.
    Present,
    /// Those that were read before the manifest was found to be gone.
    Gone,
}

impl Store {
    /// Sets `tag` to a manifest that exists, if `conditions` hold. `set` is what an earlier round of the same push has
    /// set. A push that may have to be withdrawn asks for the manifest that the tag named before (`may_fail`).
    ///
    /// A conditional change is made once: a second one could undo a later change of another client. Returns `None` if
    /// an earlier round made it, and another client has changed the tag since.
    pub(super) async fn put_tag(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        conditions: &Conditions,
        set: Option<SetTag>,
        may_fail: bool,
    ) -> Result<Option<SetTag>> {
        let path = layout::current(name, tag);
        let set = match set {
            Some(set) if !conditions.is_none() => {
                let same = self.if_version(set.version.clone());
                match self.put_link_if(&path, digest, same).await {
                    Ok(link) => SetTag { version: link.version, ..set },
                    Err(error) if error.is_precondition_failed() => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
            Some(set) if !self.options.immutable_tags => {
                SetTag { version: self.put_link(&path, digest).await?.version, ..set }
            }
            None if conditions.is_none() && !self.options.immutable_tags && !may_fail => {
                let link = self.put_link(&path, digest).await?;
                SetTag { version: link.version, before: None }
            }
            set => {
                let put = self.put_tag_if(name, tag, digest, conditions).await?;
                SetTag { before: set.map_or(put.before, |set| set.before), ..put }
            }
        };
        // After the current link, by which the tag is visible: a tag that is refused leaves nothing.
        self.put_link(&layout::tag_index(name, tag, digest), digest).await?;
        Ok(Some(set))
    }

    /// Sets a tag if `conditions` hold, and if it may be moved.
    ///
    /// Checking and writing are one step: if another client writes in between, the driver refuses, and the
    /// conditions are evaluated again. On a driver without `preconditions`, a concurrent write is not noticed.
    async fn put_tag_if(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<SetTag> {
        let path = layout::current(name, tag);
        loop {
            let (before, seen) = match self.read_link(&path).await? {
                Link::To(named, version) => (Some(named), self.if_version(version)),
                Link::Missing => (None, self.if_unchanged(None)),
                // It names no manifest and may be replaced.
                Link::Damaged => (None, self.if_unchanged(self.file(&path).await?)),
            };
            if !conditions.is_none() {
                conditions.check(self.if_present(name, before).await?.as_ref())?;
            }
            if let Some(named) = before.filter(|it| self.options.immutable_tags && it != digest) {
                return Err(immutable(tag, named));
            }
            match self.put_link_if(&path, digest, seen).await {
                Err(error) if error.is_precondition_failed() => {}
                put => return Ok(SetTag { version: put?.version, before }),
            }
        }
    }

    /// The manifest of a tag if it can be pulled.
    pub(super) async fn if_present(
        &self,
        name: &Name,
        named: Option<Digest>,
    ) -> Result<Option<Digest>> {
        match named {
            Some(digest) if self.has_manifest(name, &digest).await? => Ok(Some(digest)),
            _ => Ok(None),
        }
    }

    /// Takes back a tag that a push has set, unless it has changed since: it names again what it named before.
    pub(super) async fn take_back(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        set: SetTag,
    ) -> Result<()> {
        let path = layout::current(name, tag);
        let mut seen = set.version;
        if let Some(before) = set.before {
            if before == *digest {
                return Ok(());
            }
            match self.put_link_if(&path, &before, self.if_version(seen)).await {
                // As a push, it looks at the manifest again.
                Ok(_) if self.has_manifest(name, &before).await? => return Ok(()),
                Ok(link) => seen = link.version,
                Err(error) if error.is_precondition_failed() => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        self.delete_current(name, tag, seen).await?;
        Ok(())
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
    /// fails. Only damage and an interruption leave such a tag (see the module `push`). To detect it would take one
    /// more call of the driver for every tag.
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

    /// Deletes the tags of a repository that name this manifest. Returns whether there were any.
    pub(super) async fn delete_tags_of(
        &self,
        name: &Name,
        digest: &Digest,
        which: TagsOf,
    ) -> Result<bool> {
        let delete = async |tag| Ok(self.delete_tag_of(name, &tag, digest, which).await?);
        let deleted = self.all_tags(name).map_ok(delete).try_buffer_unordered(CONCURRENCY);
        deleted.try_fold(false, async |any, deleted| Ok(any | deleted)).await
    }

    /// Deletes a tag if it names this manifest. A tag that moves meanwhile is kept.
    async fn delete_tag_of(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        which: TagsOf,
    ) -> Result<bool> {
        let version = match self.inspect_link(&layout::current(name, tag)).await? {
            Link::To(named, version) if named == *digest => version,
            _ => return Ok(false),
        };
        // After the tag was read: see the module `push`.
        if which == TagsOf::Gone && self.has_manifest(name, digest).await? {
            return Ok(false);
        }
        self.delete_current(name, tag, version).await
    }

    /// Deletes a tag in the version that was seen. Returns `false` if it has changed since.
    ///
    /// It deletes file by file: a driver may lock the whole store to delete a directory, and the link has a
    /// precondition.
    async fn delete_current(&self, name: &Name, tag: &Tag, seen: Version) -> Result<bool> {
        let current = layout::current(name, tag);
        // The other files are not visible without the link. A push that sets the tag again writes them after
        // the link, and they are kept.
        let others = self.files_with_versions(&layout::tag(name, tag)).await?;
        let is_deleted = self.deleted(&current, self.if_version(seen)).await?;
        if is_deleted {
            let others = others.into_iter().filter(|file| file.path != current).collect();
            self.delete_unchanged(others).await?;
        }
        Ok(is_deleted)
    }

    /// Refuses to delete content that an immutable tag leads to: the manifest that it names, the children of an
    /// index, and their blobs.
    pub(super) async fn require_untagged(&self, name: &Name, digest: &Digest) -> Result<()> {
        let named = self.all_tags(name).map_ok(async |tag| self.inspect_tag(name, &tag).await);
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
