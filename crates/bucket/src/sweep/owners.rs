//! Owners: whether anything names their data.

use std::{collections::HashSet, pin::pin};

use futures::TryStreamExt;
use storage_driver::{Path, Result};

use super::Sweep;
use crate::{
    envelope::tombstone,
    namespace::At,
    nonce,
    objects::{Decision, Expect, Item, Listing, Tag},
    owner::{self, Holder, Owner},
    record::Extent,
    uploads::JournalAt,
};

const HINTS: &str = "!trash/";
/// The name that traces have in the place of an owner's.
const TRACES: &str = "-";
const OWNERS: &str = "!owners/";
/// So many hints of one owner are removed at most; the others go with the next sweep.
const MOST_HINTS: usize = 1000;

/// The hints of one owner.
#[derive(Default)]
struct Hints {
    id: String,
    /// Those that are older than the grace: not all of them, if they are many.
    old: Vec<String>,
    /// There are younger ones: data that was let go of a moment ago may still be read.
    young: bool,
}

/// What names the data of an owner.
enum Named {
    /// An upload. It may name more later.
    ByUpload,
    /// Records, which name these extents; none if there are none.
    ByFiles(HashSet<String>),
}

impl Sweep<'_> {
    /// Looks at the owners that hints point at, and removes the traces of lives that ended long ago.
    pub(super) async fn hinted(&mut self) -> Result<()> {
        let objects = &self.backend.objects;
        let mut pages = pin!(objects.pages_below(HINTS));
        let mut hints = Hints::default();
        while let Some(items) = pages.try_next().await? {
            let mut traces = Vec::new();
            for item in items {
                let Some((id, _)) = item.key[HINTS.len()..].split_once('/') else { continue };
                let is_old = self.age.has_passed(&item);
                if id == TRACES {
                    traces.extend(is_old.then_some(item.key));
                    continue;
                }
                if id != hints.id {
                    let next = Hints { id: id.to_owned(), ..Hints::default() };
                    self.follow(std::mem::replace(&mut hints, next)).await?;
                }
                if !is_old {
                    hints.young = true;
                } else if hints.old.len() < MOST_HINTS {
                    hints.old.push(item.key);
                }
            }
            self.report.markers += self.remove(traces).await?;
        }
        self.follow(hints).await
    }

    /// Looks at an owner if one of its hints is old. Its data goes if all of them are.
    async fn follow(&mut self, hints: Hints) -> Result<()> {
        if hints.old.is_empty() {
            self.report.waiting += u64::from(hints.young);
        } else if self.examine(&hints.id, !hints.young).await? {
            self.report.markers += self.remove(hints.old).await?;
        }
        Ok(())
    }

    /// Looks at every owner. What nothing names gets a hint now, so that the grace of readers begins now.
    pub(super) async fn every_owner(&mut self) -> Result<()> {
        let mut pages = pin!(self.backend.objects.pages_below(OWNERS));
        while let Some(items) = pages.try_next().await? {
            let age = self.age;
            for item in items.iter().filter(|item| age.has_passed(item)) {
                let hinted = self.age.grace.is_zero();
                self.examine(&item.key[OWNERS.len()..], hinted).await?;
            }
        }
        Ok(())
    }

    /// Removes the data of `id` that nothing names, if a hint to it is old. Returns whether its hints have served
    /// their purpose.
    async fn examine(&mut self, id: &str, hinted: bool) -> Result<bool> {
        let objects = &self.backend.objects;
        let key = owner::key(id);
        self.report.examined += 1;
        let Some(found) = objects.look(&key).await? else { return Ok(true) };
        let mut owner = Owner::of(&key, &found)?;
        if !owner.dying {
            if !self.age.is_over(found.modified) {
                self.report.waiting += 1;
                return Ok(false);
            }
            match self.named(id, &owner).await? {
                Named::ByUpload => return Ok(true),
                Named::ByFiles(extents) if !extents.is_empty() => {
                    if self.deep {
                        self.remove_loose(id, &owner, found.tag, &extents).await?;
                    }
                    return Ok(true);
                }
                Named::ByFiles(_) => {}
            }
            if !hinted {
                self.hint_once(id).await?;
                self.report.waiting += 1;
                return Ok(false);
            }
            owner.dying = true;
            let expect = Expect::Tag(found.tag);
            if let Decision::Lost(_) = objects.decide(&key, &owner.seal(), &expect).await? {
                // A holder was added at this moment.
                self.report.waiting += 1;
                return Ok(false);
            }
        }
        self.remove_data(id, |_| true).await?;
        objects.delete_final(&key).await?;
        Ok(true)
    }

    /// Whether a writer of extents of `id` may still be at work: its upload is open, or its owner is young.
    pub(super) async fn may_be_written(&self, id: &str) -> Result<bool> {
        let key = owner::key(id);
        let Some(found) = self.backend.objects.look(&key).await? else { return Ok(false) };
        let owner = Owner::of(&key, &found)?;
        if owner.dying {
            return Ok(false);
        }
        Ok(!self.age.is_over(found.modified)
            || matches!(self.named(id, &owner).await?, Named::ByUpload))
    }

    async fn hint_once(&self, id: &str) -> Result<()> {
        let objects = &self.backend.objects;
        let prefix = format!("{HINTS}{id}/");
        let listing = Listing { prefix, limit: Some(1), ..Listing::default() };
        if objects.list(&listing, None).await?.items.is_empty() {
            objects.put_hint(&format!("{HINTS}{id}/{}", nonce::fresh()), tombstone()).await?;
        }
        Ok(())
    }

    /// What names extents of `id`.
    async fn named(&self, id: &str, owner: &Owner) -> Result<Named> {
        let mut files = Vec::new();
        // Uploads first. A commit puts its record before it ends its upload: in the other order both could be missed.
        for holder in &owner.holders {
            match holder {
                Holder::File(path) => files.push(Path::parse(path)?),
                Holder::Upload(path) => {
                    let at = self.backend.glance(&Path::parse(path)?).await?;
                    if let JournalAt::Upload(journal, _) = at
                        && (journal.id == id || journal.extents.iter().any(|it| it.id == id))
                    {
                        return Ok(Named::ByUpload);
                    }
                }
            }
        }
        let mut extents = HashSet::new();
        for path in files {
            if let At::File(file) = self.backend.at(&path).await? {
                let named = file.record.extents().iter().filter(|extent| extent.id == id);
                extents.extend(named.map(Extent::key));
            }
        }
        Ok(Named::ByFiles(extents))
    }

    /// Removes the extents of an upload that has ended which no record names: those of fenced writers.
    async fn remove_loose(
        &mut self,
        id: &str,
        owner: &Owner,
        tag: Tag,
        named: &HashSet<String>,
    ) -> Result<()> {
        let age = self.age;
        let is_loose = |item: &Item| age.has_passed(item) && !named.contains(&item.key);
        let objects = &self.backend.objects;
        let mut pages = pin!(objects.pages_below(format!("!data/{id}/")));
        let mut found = false;
        while let (false, Some(items)) = (found, pages.try_next().await?) {
            found = items.iter().any(is_loose);
        }
        // The files were looked at one after the other. If the owner is the same, none of them was renamed meanwhile.
        let expect = Expect::Tag(tag);
        if found
            && let Decision::Won(_) =
                objects.decide(&owner::key(id), &owner.seal(), &expect).await?
        {
            self.remove_data(id, is_loose).await?;
        }
        Ok(())
    }

    pub(super) async fn remove_data(
        &mut self,
        id: &str,
        which: impl Fn(&Item) -> bool,
    ) -> Result<()> {
        let mut pages = pin!(self.backend.objects.pages_below(format!("!data/{id}/")));
        while let Some(items) = pages.try_next().await? {
            let items: Vec<Item> = items.into_iter().filter(&which).collect();
            self.report.bytes += items.iter().filter_map(|item| item.size).sum::<u64>();
            self.report.objects += self.remove(items.into_iter().map(|item| item.key)).await?;
        }
        Ok(())
    }
}
