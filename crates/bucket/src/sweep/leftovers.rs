//! What crashed processes leave: data without an owner, tombstones.

use std::pin::pin;

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::Result;

use super::{PARALLEL, Sweep};
use crate::{
    envelope::Kind,
    objects::{Listing, Removal},
    owner,
};

const DATA: &str = "!data/";

impl Sweep<'_> {
    /// Removes data that has no owner: a writer that was fenced long ago has stored it after its owner was removed.
    /// Owners are made before their data, and never twice.
    pub(super) async fn ownerless_data(&mut self) -> Result<()> {
        let objects = &self.backend.objects;
        let listing = Listing { prefix: DATA.to_owned(), by_directory: true, ..Listing::default() };
        let mut pages = pin!(objects.pages(listing));
        while let Some(items) = pages.try_next().await? {
            let ids = items.into_iter().filter(|item| item.size.is_none());
            let looks = ids.map(|item| async move {
                let id = item.key[DATA.len()..].to_owned();
                let owner = objects.size(&owner::key(&id)).await?;
                Ok::<_, storage_driver::Error>(owner.is_none().then_some(id))
            });
            let ownerless: Vec<_> =
                stream::iter(looks).buffer_unordered(PARALLEL).try_collect().await?;
            for id in ownerless.into_iter().flatten() {
                let age = self.age;
                self.remove_data(&id, |item| age.has_passed(item)).await?;
            }
        }
        Ok(())
    }

    /// Aborts old multipart uploads that no writer can complete any more, or that no record would name.
    pub(super) async fn multiparts(&mut self) -> Result<()> {
        let objects = &self.backend.objects;
        let mut pages = pin!(objects.multiparts(DATA));
        while let Some(multiparts) = pages.try_next().await? {
            let old =
                multiparts.into_iter().filter(|it| it.begun.is_some_and(|at| self.age.is_over(at)));
            for multipart in old {
                let id = multipart.key.strip_prefix(DATA).and_then(|rest| rest.split('/').next());
                if let Some(id) = id
                    && !self.may_be_written(id).await?
                {
                    objects.abort(&multipart).await?;
                    self.report.multiparts += 1;
                }
            }
        }
        Ok(())
    }

    /// Removes old tombstones, where a DELETE can be conditional.
    pub(super) async fn tombstones(&mut self) -> Result<()> {
        let objects = &self.backend.objects;
        let mut pages = pin!(objects.pages_below(""));
        while let Some(items) = pages.try_next().await? {
            for item in items {
                let is_hint = ["!trash/", "!probe/", "!time/", "!health"]
                    .iter()
                    .any(|prefix| item.key.starts_with(prefix));
                if is_hint || !item.may_be_tombstone() {
                    continue;
                }
                if !objects.deletes_conditionally() || !self.age.has_passed(&item) {
                    // Of uploads nothing else has this length. Of files it may be content.
                    let is_tombstone = item.key.starts_with("!uploads/")
                        || objects.look(&item.key).await?.is_some_and(|it| it.is(Kind::Tombstone));
                    self.report.tombstones_left += u64::from(is_tombstone);
                    continue;
                }
                let found = objects.look(&item.key).await?;
                if let Some(found) = found.filter(|found| found.is(Kind::Tombstone))
                    && self.age.is_over(found.modified)
                    && let Removal::Done =
                        objects.remove_object(&item.key, &found.tag, None).await?
                {
                    self.report.tombstones += 1;
                }
            }
        }
        Ok(())
    }
}
