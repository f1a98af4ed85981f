//! `sweep.rs` and `sweep/`: removes what nothing names any more.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    namespace::{self, At},
    objects::{Decision, decide, remove_object},
    uploads::{self, JournalAt},
};
use crate::{
    rules::Rule,
    run::{Deletes, Failure, Item, Listing, Result, Run},
    store::{Expect, Extent, Holder, Key, Nonce, Object, Owner},
};

/// `sweep::Sweep`, with its age.
#[derive(Clone, Copy)]
struct Sweep {
    now: u8,
    deep: bool,
}

/// What names the data of an owner.
enum Named {
    ByUpload,
    ByFiles(Vec<Extent>),
}

/// `Backend::sweep`.
pub(crate) fn sweep(run: &mut Run<'_>, deep: bool) -> Result<()> {
    let sweep = Sweep { now: run.server_time()?, deep };
    sweep.hinted(run)?;
    if deep {
        sweep.every_owner(run)?;
        sweep.ownerless_data(run)?;
        sweep.tombstones(run)?;
    }
    Ok(())
}

impl Sweep {
    /// `Age::is_over`.
    fn is_over(self, run: &Run<'_>, modified: u8) -> bool {
        modified < self.now || !run.keeps(Rule::Grace)
    }

    /// `Sweep::hinted` and `follow`.
    fn hinted(self, run: &mut Run<'_>) -> Result<()> {
        let mut hints: BTreeMap<Nonce, Vec<Item>> = BTreeMap::new();
        for item in run.list(Listing::Hints)? {
            match item.key {
                Key::Hint(id, _) => hints.entry(id).or_default().push(item),
                key if self.is_over(run, item.modified) => run.delete_final(key)?,
                _ => {}
            }
        }
        for (id, items) in hints {
            let (old, young): (Vec<_>, Vec<_>) =
                items.into_iter().partition(|item| self.is_over(run, item.modified));
            if !old.is_empty() && self.examine(run, id, young.is_empty())? {
                for item in old {
                    run.delete_final(item.key)?;
                }
            }
        }
        Ok(())
    }

    /// `Sweep::every_owner`.
    fn every_owner(self, run: &mut Run<'_>) -> Result<()> {
        if run.keeps(Rule::EveryOwner) {
            for item in run.list(Listing::Owners)? {
                if let Key::Owner(id) = item.key
                    && self.is_over(run, item.modified)
                {
                    self.examine(run, id, false)?;
                }
            }
        }
        Ok(())
    }

    /// `Sweep::examine`.
    fn examine(self, run: &mut Run<'_>, id: Nonce, hinted: bool) -> Result<bool> {
        let key = Key::Owner(id);
        let Some(found) = run.get(key)? else { return Ok(true) };
        let Object::Owner(mut owner) = found.object else {
            return Err(Failure::Corrupted.into());
        };
        if !owner.dying {
            if run.keeps(Rule::AgeAfterRead) && !self.is_over(run, found.modified) {
                return Ok(false);
            }
            match named(run, id, &owner)? {
                Named::ByUpload => return Ok(true),
                Named::ByFiles(extents) if !extents.is_empty() => {
                    if self.deep && run.keeps(Rule::Loose) {
                        self.remove_loose(run, id, &owner, found.tag, &extents)?;
                    }
                    return Ok(true);
                }
                Named::ByFiles(_) => {}
            }
            if !hinted {
                hint_once(run, id)?;
                return Ok(false);
            }
            owner.dying = true;
            if run.keeps(Rule::Dying) {
                let sealed = run.seal(Object::Owner(owner));
                let decision = decide(run, key, &sealed, Expect::Tag(found.tag))?;
                if let Decision::Lost(_) = decision {
                    return Ok(false);
                }
            }
        }
        remove_data(run, id, |_| true)?;
        run.delete_final(key)?;
        Ok(true)
    }

    /// `Sweep::remove_loose`.
    fn remove_loose(
        self,
        run: &mut Run<'_>,
        id: Nonce,
        owner: &Owner,
        tag: Nonce,
        named: &[Extent],
    ) -> Result<()> {
        let grace = run.keeps(Rule::Grace);
        let is_loose = |item: &Item, named: &[Extent]| match item.key {
            Key::Data(extent) => (item.modified < self.now || !grace) && !named.contains(&extent),
            _ => false,
        };
        if !run.list(Listing::Data(id))?.iter().any(|item| is_loose(item, named)) {
            return Ok(());
        }
        let mut named = named.to_vec();
        if !run.keeps(Rule::OneLook) {
            named = match self::named(run, id, owner)? {
                Named::ByFiles(extents) => extents,
                Named::ByUpload => return Ok(()),
            };
        }
        if run.keeps(Rule::LooseSwap) {
            let sealed = run.seal(Object::Owner(owner.clone()));
            let decision = decide(run, Key::Owner(id), &sealed, Expect::Tag(tag))?;
            if let Decision::Lost(_) = decision {
                return Ok(());
            }
        }
        remove_data(run, id, |item| is_loose(item, &named))
    }

    /// `Sweep::ownerless_data`.
    fn ownerless_data(self, run: &mut Run<'_>) -> Result<()> {
        if !run.keeps(Rule::Ownerless) {
            return Ok(());
        }
        let items = run.list(Listing::AllData)?;
        let ids: BTreeSet<Nonce> = items
            .iter()
            .filter_map(|item| match item.key {
                Key::Data(extent) => Some(extent.id),
                _ => None,
            })
            .collect();
        for id in ids {
            if run.get(Key::Owner(id))?.is_none() {
                remove_data(run, id, |item| item.modified < self.now)?;
            }
        }
        Ok(())
    }

    /// `Sweep::tombstones`.
    fn tombstones(self, run: &mut Run<'_>) -> Result<()> {
        if run.settings.deletes == Deletes::Tombstones || !run.keeps(Rule::Bury) {
            return Ok(());
        }
        for item in run.list(Listing::Tombstones)? {
            if !self.is_over(run, item.modified) {
                continue;
            }
            if let Some(found) = run.get(item.key)?
                && matches!(found.object, Object::Tombstone(_))
                && (self.is_over(run, found.modified) || !run.keeps(Rule::AgeAfterRead))
            {
                remove_object(run, item.key, found.tag, false)?;
            }
        }
        Ok(())
    }
}

/// `Sweep::hint_once`.
fn hint_once(run: &mut Run<'_>, id: Nonce) -> Result<()> {
    let hints = run.list(Listing::Hints)?;
    if !hints.iter().any(|item| matches!(item.key, Key::Hint(of, _) if of == id)) {
        let nonce = run.fresh();
        run.put_fresh(Key::Hint(id, nonce), Object::Hint)?;
    }
    Ok(())
}

/// `Sweep::named`.
fn named(run: &mut Run<'_>, id: Nonce, owner: &Owner) -> Result<Named> {
    let mut holders = owner.holders.clone();
    if run.keeps(Rule::UploadsFirst) {
        holders.sort_by_key(|holder| matches!(holder, Holder::File(_)));
    }
    let mut extents = Vec::new();
    for holder in holders {
        match holder {
            Holder::File(path) => {
                if let At::File(file) = namespace::at(run, path)? {
                    extents.extend(file.record.extents.iter().filter(|extent| extent.id == id));
                }
            }
            Holder::Upload(path) => {
                if let JournalAt::Upload(journal, _) = uploads::journal(run, path)?
                    && (journal.id == id || journal.extents.iter().any(|it| it.id == id))
                {
                    return Ok(Named::ByUpload);
                }
            }
        }
    }
    Ok(Named::ByFiles(extents))
}

/// `Sweep::remove_data`.
fn remove_data(run: &mut Run<'_>, id: Nonce, which: impl Fn(&Item) -> bool) -> Result<()> {
    for item in run.list(Listing::Data(id))? {
        if which(&item) {
            run.delete_final(item.key)?;
        }
    }
    Ok(())
}
