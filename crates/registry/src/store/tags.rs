//! Tags of a repository.

use futures::{Stream, StreamExt, TryStreamExt, future::ready};
use http::StatusCode;
use storage_driver::{Entry, ListOptions, Path, Payload, Precondition, StorageDriverExt};

use super::{Store, conditions::Conditions, manifests::unknown};
use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    layout,
    name::{Name, Reference, Tag},
};

/// Some of a list, and whether there is more.
#[derive(Debug)]
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) more: bool,
}

impl Store {
    /// Has `tag` name `digest`, if `conditions` hold.
    pub(super) async fn put_tag(
        &self,
        name: &Name,
        tag: &Tag,
        digest: &Digest,
        conditions: &Conditions,
    ) -> Result<()> {
        self.put_link(&layout::tag_index(name, tag, digest), digest).await?;
        if !conditions.is_none() {
            let reference = Reference::Tag(tag.clone());
            return self.put_link_if(name, &reference, digest, conditions).await.map(drop);
        }
        let current = layout::current(name, tag);
        if !(self.options.immutable_tags && self.capabilities.conditional_put) {
            return self.put_link(&current, digest).await.map(drop);
        }
        let content = Payload::from(digest.to_string());
        match self.driver.put_content(&current, content, Precondition::IfAbsent).await {
            Err(error) if error.is_precondition_failed() => {
                self.require_free(name, tag, digest).await
            }
            put => Ok(put.map(drop)?),
        }
    }

    /// Refuses to move a tag that stays where it is.
    pub(super) async fn require_free(&self, name: &Name, tag: &Tag, digest: &Digest) -> Result<()> {
        match self.link(&layout::current(name, tag)).await? {
            Some(other) if other != *digest => {
                let text = format!("tag {tag} is immutable and names {other}");
                Err(Error::new(Code::Denied, text).status(StatusCode::FORBIDDEN))
            }
            _ => Ok(()),
        }
    }

    /// The tags of a repository that come after `last`, sorted by their bytes.
    pub(crate) async fn tags(
        &self,
        name: &Name,
        last: Option<&Tag>,
        limit: usize,
    ) -> Result<Page<Tag>> {
        let mut options = ListOptions::new().limit(limit);
        if let Some(last) = last {
            options = options.start_after(layout::tag(name, last));
        }
        match self.driver.list(&layout::tags(name), options).await {
            Ok(page) => Ok(Page {
                items: page.items.iter().filter_map(tag_of).collect(),
                more: page.next.is_some(),
            }),
            Err(error) if error.is_not_found() => {
                if self.has_repository(name).await? {
                    return Ok(Page { items: Vec::new(), more: false });
                }
                Err(Error::new(Code::NameUnknown, "no such repository"))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All tags of a repository; none, if it is not there.
    pub(crate) fn all_tags<'a>(
        &'a self,
        name: &Name,
    ) -> impl Stream<Item = Result<Tag>> + Send + use<'a> {
        let tags: Path = layout::tags(name);
        let entries = self.driver.list_all(&tags);
        let found = entries.filter_map(|entry| {
            ready(match entry {
                Ok(entry) => tag_of(&entry).map(Ok),
                Err(error) if error.is_not_found() => None,
                Err(error) => Some(Err(error)),
            })
        });
        found.map_err(Error::from)
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
        match self.driver.delete(&layout::tag(name, tag), Precondition::None).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Err(unknown(tag)),
            Err(error) => Err(error.into()),
        }
    }

    /// The manifest that a tag names.
    pub(crate) async fn tagged(&self, name: &Name, tag: &Tag) -> Result<Option<Digest>> {
        self.link(&layout::current(name, tag)).await
    }
}

fn tag_of(entry: &Entry) -> Option<Tag> {
    Tag::parse(entry.name()).ok().filter(|_| entry.is_dir())
}
