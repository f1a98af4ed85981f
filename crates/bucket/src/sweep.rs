//! The sweeper: removes the data that nothing names any more.
//!
//! It may be interrupted anywhere and run anywhere, also many times at once. Whether data is named is decided by
//! a swap of its owner, never by a clock; the grace only keeps the data for readers that are still open.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use storage_driver::{Path, Result};

use crate::{
    backend::Backend,
    envelope::{Kind, TOMBSTONE_LENGTH, tombstone},
    namespace::At,
    nonce,
    objects::{Decision, Expect, Item, Listing, Removal, Tag},
    owner::{self, Holder, Owner},
    uploads::JournalAt,
};

/// What a sweep looks at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Look at all data and at all tombstones, not only where a hint points. It finds what crashed processes have
    /// left, and costs a few requests for each file that is not small.
    pub deep: bool,
    /// How long data stays that nothing names any more, instead of the grace that the driver was opened with.
    pub grace: Option<Duration>,
}

impl SweepOptions {
    /// Only where hints point.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything.
    #[must_use]
    pub fn deep(mut self) -> Self {
        self.deep = true;
        self
    }

    /// Sets the [`grace`](Self::grace).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// How many owners it looked at.
    pub examined: u64,
    /// How many objects with data it removed.
    pub extents: u64,
    /// How many bytes those had.
    pub bytes: u64,
    /// How many hints and probes it removed.
    pub hints: u64,
    /// How many tombstones it removed.
    pub tombstones: u64,
    /// How many tombstones it found and left: younger than the grace, or in a store without conditional deletions.
    pub tombstones_left: u64,
    /// How many of the examined owners wait until the grace has passed.
    pub waiting: u64,
}

/// What the sweeper knows of the server's clock.
struct Age {
    now: SystemTime,
    grace: Duration,
}

impl Age {
    /// Whether something of that time is older than the grace. Both times are the server's.
    fn is_over(&self, time: Option<SystemTime>) -> bool {
        time.and_then(|time| self.now.duration_since(time).ok())
            .is_some_and(|age| age >= self.grace)
    }
}

/// The hints of one owner.
#[derive(Default)]
struct Hints {
    keys: Vec<String>,
    /// One of them is older than the grace.
    old: bool,
}

impl Backend {
    pub(crate) async fn sweep(self: &Arc<Self>, options: &SweepOptions) -> Result<SweepReport> {
        let age =
            Age { now: self.server_time().await?, grace: options.grace.unwrap_or(self.grace) };
        let mut report = SweepReport::default();
        let mut owners = self.hints(&age).await?;
        for (id, hints) in &owners {
            match hints.old {
                true => self.examine(id, hints, options.deep, &age, &mut report).await?,
                false => report.waiting += 1,
            }
        }
        if options.deep {
            owners.retain(|_, hints| hints.old);
            self.examine_all(&owners, &age, &mut report).await?;
            self.bury(&age, &mut report).await?;
        }
        for prefix in ["!probe/", "!time/"] {
            self.remove_old(prefix, &age, &mut report).await?;
        }
        Ok(report)
    }

    /// The time of the server's clock, in which objects are dated.
    async fn server_time(&self) -> Result<SystemTime> {
        let key = format!("!time/{}", nonce::fresh());
        self.objects.put_hint(&key, tombstone()).await?;
        let found = self.objects.look(&key).await?;
        self.objects.delete_final(&key).await?;
        Ok(found.map_or(SystemTime::UNIX_EPOCH, |found| found.modified))
    }

    /// All hints, by the ids that they are about, as far as they matter to this sweep.
    async fn hints(&self, age: &Age) -> Result<BTreeMap<String, Hints>> {
        let listing = Listing { prefix: "!trash/".to_owned(), ..Listing::default() };
        let mut owners: BTreeMap<String, Hints> = BTreeMap::new();
        let mut token = None;
        loop {
            let page = self.objects.list(&listing, token).await?;
            for item in page.items {
                let Some((id, _)) = item.key["!trash/".len()..].split_once('/') else { continue };
                let hints = owners.entry(id.to_owned()).or_default();
                hints.old |= age.is_over(item.modified);
                hints.keys.push(item.key);
            }
            token = page.token;
            if token.is_none() {
                return Ok(owners);
            }
        }
    }

    /// Removes the data of `id` if no holder names it.
    async fn examine(
        self: &Arc<Self>,
        id: &str,
        hints: &Hints,
        deep: bool,
        age: &Age,
        report: &mut SweepReport,
    ) -> Result<()> {
        let key = owner::key(id);
        report.examined += 1;
        if let Some(found) = self.objects.look(&key).await? {
            let mut owner = Owner::of(&key, &found)?;
            if !owner.dying {
                if !age.is_over(Some(found.modified)) {
                    report.waiting += 1;
                    return Ok(());
                }
                let (named, in_upload) = self.is_named(id, &owner).await?;
                if named {
                    if deep && !in_upload {
                        self.remove_loose(id, found.tag, &owner, age, report).await?;
                    }
                    return self.forget(&hints.keys, report).await;
                }
                owner.dying = true;
                let expect = Expect::Tag(found.tag);
                if let Decision::Lost(_) = self.objects.decide(&key, &owner.seal(), &expect).await?
                {
                    // A holder was added at this moment.
                    report.waiting += 1;
                    return Ok(());
                }
            }
            self.remove_data(id, |_| true, None, report).await?;
            self.objects.delete_final(&key).await?;
        }
        self.forget(&hints.keys, report).await
    }

    /// Whether a holder names extents of `id`, and whether one of them is an upload.
    async fn is_named(self: &Arc<Self>, id: &str, owner: &Owner) -> Result<(bool, bool)> {
        let mut named = false;
        for holder in &owner.holders {
            match holder {
                Holder::File(path) => {
                    let at = self.at(&Path::parse(path)?).await?;
                    named |= matches!(at, At::File(file) if
                        file.record.extents().iter().any(|extent| extent.id == id));
                }
                Holder::Upload(path) => {
                    let at = self.journal(&Path::parse(path)?).await?;
                    if let JournalAt::Upload(journal, _) = at
                        && (journal.id == id
                            || journal.extents.iter().any(|extent| extent.id == id))
                    {
                        return Ok((true, true));
                    }
                }
            }
        }
        Ok((named, false))
    }

    /// Removes the extents of fenced openings, which no record names. `tag` is the state of the owner before its
    /// holders were looked at.
    ///
    /// The owner is written anew before anything is removed. If a holder was added since, its record may name an
    /// extent that was not seen in another one, and nothing is removed. Afterwards nothing can name these extents:
    /// the upload has ended, and a record gets its extents from another record.
    async fn remove_loose(
        self: &Arc<Self>,
        id: &str,
        tag: Tag,
        owner: &Owner,
        age: &Age,
        report: &mut SweepReport,
    ) -> Result<()> {
        let mut named = Vec::new();
        for holder in &owner.holders {
            if let Holder::File(path) = holder
                && let At::File(file) = self.at(&Path::parse(path)?).await?
            {
                named.extend(file.record.extents().iter().map(crate::record::Extent::key));
            }
        }
        let is_loose = |item: &Item| age.is_over(item.modified) && !named.contains(&item.key);
        self.remove_data(id, is_loose, Some((tag, owner)), report).await
    }

    /// Removes the extents of `id` that `which` selects. If a state of their owner is given, nothing is removed unless
    /// it can be written anew.
    async fn remove_data(
        &self,
        id: &str,
        which: impl Fn(&Item) -> bool,
        mut unchanged: Option<(Tag, &Owner)>,
        report: &mut SweepReport,
    ) -> Result<()> {
        let listing = Listing { prefix: format!("!data/{id}/"), ..Listing::default() };
        let mut token = None;
        loop {
            let page = self.objects.list(&listing, token).await?;
            for item in page.items.into_iter().filter(|item| which(item)) {
                if let Some((tag, owner)) = unchanged.take() {
                    let expect = Expect::Tag(tag);
                    let decision =
                        self.objects.decide(&owner::key(id), &owner.seal(), &expect).await?;
                    if let Decision::Lost(_) = decision {
                        report.waiting += 1;
                        return Ok(());
                    }
                }
                self.objects.delete_final(&item.key).await?;
                report.extents += 1;
                report.bytes += item.size.unwrap_or_default();
            }
            token = page.token;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    async fn forget(&self, hints: &[String], report: &mut SweepReport) -> Result<()> {
        for key in hints {
            self.objects.delete_final(key).await?;
            report.hints += 1;
        }
        Ok(())
    }

    /// Looks at every owner without an old hint. What nothing names gets a hint now, so that the grace of readers
    /// begins now.
    async fn examine_all(
        self: &Arc<Self>,
        done: &BTreeMap<String, Hints>,
        age: &Age,
        report: &mut SweepReport,
    ) -> Result<()> {
        let listing = Listing { prefix: "!owners/".to_owned(), ..Listing::default() };
        let mut token = None;
        loop {
            let page = self.objects.list(&listing, token).await?;
            for item in page.items {
                let id = &item.key["!owners/".len()..];
                if done.contains_key(id) || !age.is_over(item.modified) {
                    continue;
                }
                report.examined += 1;
                let Some(found) = self.objects.look(&item.key).await? else { continue };
                let owner = Owner::of(&item.key, &found)?;
                let (named, in_upload) = match owner.dying {
                    true => (false, false),
                    false => self.is_named(id, &owner).await?,
                };
                if !named && age.grace.is_zero() {
                    let hints = Hints::default();
                    self.examine(id, &hints, false, age, report).await?;
                } else if !named {
                    let key = format!("!trash/{id}/{}", nonce::fresh());
                    self.objects.put_hint(&key, tombstone()).await?;
                    report.waiting += 1;
                } else if !in_upload {
                    self.remove_loose(id, found.tag, &owner, age, report).await?;
                }
            }
            token = page.token;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    /// Removes old tombstones, where a DELETE can be conditional.
    async fn bury(self: &Arc<Self>, age: &Age, report: &mut SweepReport) -> Result<()> {
        let mut token = None;
        loop {
            let page = self.objects.list(&Listing::default(), token).await?;
            for item in page.items {
                let is_hint = ["!trash/", "!probe/", "!time/", "!health"]
                    .iter()
                    .any(|prefix| item.key.starts_with(prefix));
                if is_hint || item.size != Some(TOMBSTONE_LENGTH as u64) {
                    continue;
                }
                let found = self.objects.look(&item.key).await?;
                let Some(found) = found.filter(|found| found.is(Kind::Tombstone)) else { continue };
                if !self.objects.deletes_conditionally() || !age.is_over(item.modified) {
                    report.tombstones_left += 1;
                } else if let Removal::Done =
                    self.objects.remove_object(&item.key, &found.tag).await?
                {
                    report.tombstones += 1;
                }
            }
            token = page.token;
            if token.is_none() {
                return Ok(());
            }
        }
    }

    async fn remove_old(&self, prefix: &str, age: &Age, report: &mut SweepReport) -> Result<()> {
        let listing = Listing { prefix: prefix.to_owned(), ..Listing::default() };
        let mut token = None;
        loop {
            let page = self.objects.list(&listing, token).await?;
            for item in page.items.into_iter().filter(|item| age.is_over(item.modified)) {
                self.objects.delete_final(&item.key).await?;
                report.hints += 1;
            }
            token = page.token;
            if token.is_none() {
                return Ok(());
            }
        }
    }
}
