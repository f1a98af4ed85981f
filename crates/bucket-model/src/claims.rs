//! [`Claim`]: what has to hold, and [`Ghost`], what the checker remembers to judge it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    protocol::Op,
    run::{Deletes, Failure},
    scenario::Scenario,
    store::{Extent, Key, Nonce, Object, OpId, Path, Record, Request, Store},
};

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Claim {
    /// An operation takes effect at most once, and not after it has ended. Where its outcome is not known to the
    /// caller, it may take effect later.
    Once,
    /// An operation that succeeded took effect, and one that failed for a reason did not.
    Truthful,
    /// A writer changes neither its upload nor a file after another writer was opened.
    Fenced,
    /// A file is whole: all of its extents are there, and they are those that its writer kept.
    Whole,
    /// An upload whose commit took effect has ended.
    Ended,
    /// Data that was kept stays until the upload is committed, cancelled or created anew.
    Kept,
    /// The sweeper takes nothing that a record or a journal names.
    Named,
    /// Operations do not keep each other from their ends: none sends more than 60 requests.
    Ends,
    /// Where the scenario asks for it: no operation ends with an unknown outcome.
    Certain,
    /// No operation finds what the protocol does not allow.
    Sound,
    /// After all processes have ended, three deep sweeps, a grace apart, leave nothing that is not named.
    Leftovers,
}

/// What the checker remembers. The protocol does not know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Ghost {
    /// Which operations that may still take effect did so already, and where.
    effects: BTreeSet<(OpId, Key)>,
    /// Operations whose outcome is not known.
    pub(crate) unsure: BTreeSet<OpId>,
    /// The commits that took effect.
    published: BTreeSet<Nonce>,
    /// The ids of the uploads that they ended.
    ended: BTreeSet<Nonce>,
    /// The actor that has opened each upload last.
    writers: BTreeMap<Path, u8>,
    /// What was acknowledged of each upload: its id and extents.
    kept: BTreeMap<Path, (Nonce, Vec<Extent>)>,
}

/// What a client sees at a key: the version of a file, the id of an upload.
pub(crate) fn view(store: &Store, key: Key) -> Option<Nonce> {
    match key {
        Key::File(path) => Some(store.record(path)?.version),
        Key::Journal(path) => {
            let journal = store.journal(path)?;
            // As `Backend::upload` sees it.
            let is_published = journal.commit.is_some_and(|commit| {
                let origin = store.record(commit.dest).and_then(|record| record.origin);
                origin.is_some_and(|origin| origin.commit == commit.nonce)
            });
            (!is_published).then_some(journal.id)
        }
        _ => None,
    }
}

impl Ghost {
    /// Judges a request that took effect. `before` was the view of its key, `has_ended` says whether its operation had
    /// ended with a known outcome.
    pub(crate) fn applied(
        &mut self,
        scenario: &Scenario,
        store: &Store,
        request: &Request,
        before: Option<Nonce>,
        has_ended: bool,
    ) -> Result<(), Claim> {
        let op = request.sender;
        if let Some((_, Object::Record(record))) = &request.put {
            self.publish(store, record)?;
        }
        let after = view(store, request.key);
        let changed = before != after;
        if let Some(upload) = scenario.writes(op)
            && self.writers.get(&upload) != Some(&op.actor)
        {
            // The journal of an upload whose commit took effect may be removed by any actor.
            let journal = request.key == Key::Journal(upload) && (before, after) != (None, None);
            if journal || changed && matches!(request.key, Key::File(_)) {
                return Err(Claim::Fenced);
            }
        }
        // To open an upload anew discards it, as to open it twice does.
        let again = changed
            && !self.effects.insert((op, request.key))
            && !matches!(scenario.op(op.actor, op.place), Some(Op::Create(_) | Op::Append(_)));
        if changed && has_ended || again {
            return Err(Claim::Once);
        }
        let uploads = store.objects.keys().filter(|key| matches!(key, Key::Journal(_)));
        if uploads.filter_map(|key| view(store, *key)).any(|id| self.ended.contains(&id)) {
            return Err(Claim::Ended);
        }
        if let Key::Journal(path) = request.key
            && !self.is_kept(store, path)
        {
            match scenario.op(op.actor, op.place) {
                Some(Op::Create(_) | Op::Cancel(_) | Op::Delete(_)) => {}
                _ => return Err(Claim::Kept),
            }
            self.kept.remove(&path);
        }
        Ok(())
    }

    fn publish(&mut self, store: &Store, record: &Record) -> Result<(), Claim> {
        let Some(origin) = record.origin.filter(|it| self.published.insert(it.commit)) else {
            return Ok(());
        };
        self.ended.extend(store.journal(origin.upload).map(|journal| journal.id));
        match self.kept.remove(&origin.upload) {
            Some((_, extents)) if !record.extents.starts_with(&extents) => Err(Claim::Whole),
            _ => Ok(()),
        }
    }

    fn is_kept(&self, store: &Store, path: Path) -> bool {
        let Some((id, extents)) = self.kept.get(&path) else { return true };
        let journal = store.journal(path);
        journal.is_some_and(|journal| journal.id == *id && journal.extents.starts_with(extents))
    }

    /// Judges the end of an operation. `kept` is the path, the id and the extents of the upload that its actor has open.
    pub(crate) fn ended(
        &mut self,
        scenario: &Scenario,
        op: OpId,
        result: Result<(), Failure>,
        kept: Option<(Path, Nonce, &[Extent])>,
    ) -> Result<(), Claim> {
        let Some(kind) = scenario.op(op.actor, op.place) else { return Ok(()) };
        let effects: Vec<Key> =
            self.effects.iter().filter(|(by, _)| *by == op).map(|(_, key)| *key).collect();
        match result {
            Err(Failure::Unavailable) if scenario.certain => return Err(Claim::Certain),
            Err(Failure::Unavailable) => {
                self.unsure.insert(op);
                return Ok(());
            }
            Err(Failure::Corrupted) => return Err(Claim::Sound),
            // After a lost response, the end of an upload cannot be told from that by another process.
            Err(Failure::NotFound) if matches!(kind, Op::Cancel(_)) => {}
            Err(_) if !effects.is_empty() => return Err(Claim::Truthful),
            Err(_) => {}
            Ok(()) => {
                if !required(scenario, kind).is_none_or(|key| effects.contains(&key)) {
                    return Err(Claim::Truthful);
                }
                if let Some(path) = kind.opens() {
                    self.writers.insert(path, op.actor);
                }
                if kind == Op::Sync
                    && let Some((path, id, extents)) = kept
                {
                    self.kept.insert(path, (id, extents.to_vec()));
                }
            }
        }
        self.effects.retain(|(by, _)| *by != op);
        Ok(())
    }
}

/// What an operation that succeeded has changed.
fn required(scenario: &Scenario, op: Op) -> Option<Key> {
    match op {
        Op::Create(path) | Op::Append(path) | Op::Cancel(path) => Some(Key::Journal(path)),
        Op::Commit(path, _) | Op::Put(path, _) | Op::PutLarge(path, _) | Op::Rename(_, path) => {
            Some(Key::File(path))
        }
        // After a lost response, a DELETE cannot be told from that of another process.
        Op::Delete(path) if scenario.deletes == Deletes::Tombstones => Some(Key::File(path)),
        _ => None,
    }
}

/// What has to hold of the objects in every state.
pub(crate) fn check(store: &Store) -> Result<(), Claim> {
    for (key, found) in &store.objects {
        let (extents, claim): (&[Extent], _) = match &found.object {
            Object::Record(record) => (&record.extents, Claim::Whole),
            Object::Journal(journal) => (&journal.extents, Claim::Named),
            _ => continue,
        };
        debug_assert!(matches!(key, Key::File(_) | Key::Journal(_)));
        for extent in extents {
            if store.get(Key::Data(*extent)).is_none() {
                return Err(claim);
            }
            match store.get(Key::Owner(extent.id)).map(|owner| &owner.object) {
                Some(Object::Owner(owner)) if !owner.dying => {}
                _ => return Err(Claim::Named),
            }
        }
    }
    Ok(())
}

/// Whether everything in the store is named.
pub(crate) fn is_swept(store: &Store, deletes: Deletes) -> bool {
    let journals = || {
        store.objects.values().filter_map(|found| match &found.object {
            Object::Journal(journal) => Some(journal),
            _ => None,
        })
    };
    let named: BTreeSet<Extent> = store
        .objects
        .values()
        .flat_map(|found| match &found.object {
            Object::Record(record) => record.extents.clone(),
            Object::Journal(journal) => journal.extents.clone(),
            _ => Vec::new(),
        })
        .collect();
    // What a fenced writer left of an upload goes when the upload ends.
    let in_use = |id: Nonce| {
        journals().any(|journal| journal.id == id) || named.iter().any(|extent| extent.id == id)
    };
    let in_progress = |id: Nonce| {
        journals().any(|it| it.id == id || it.extents.iter().any(|extent| extent.id == id))
    };
    store.objects.iter().all(|(key, found)| match key {
        Key::Data(extent) => named.contains(extent) || in_progress(extent.id),
        Key::Owner(id) => in_use(*id),
        Key::Hint(..) | Key::Trace(_) => false,
        Key::File(_) | Key::Journal(_) => {
            deletes == Deletes::Tombstones || !matches!(found.object, Object::Tombstone(_))
        }
    })
}
