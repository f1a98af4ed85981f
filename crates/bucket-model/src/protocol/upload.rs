//! `upload.rs` and `extents.rs`: one opening of an upload, and what it does to its journal.

use super::{
    Precondition, namespace,
    objects::{Decision, decide, remove},
    owner,
};
use crate::{
    rules::Rule,
    run::{Failure, Result, Run, Stop},
    store::{Commit, Expect, Extent, Holder, Journal, Key, Nonce, Object, Origin, Path},
};

/// One opening of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Upload {
    pub(crate) path: Path,
    /// The state that is kept.
    pub(crate) journal: Journal,
    /// That of the journal's object.
    tag: Nonce,
    /// The owner, once there is one.
    owner: Option<Nonce>,
    /// Extents that are complete and not kept.
    done: Vec<Extent>,
}

impl Upload {
    /// `Upload::new`.
    pub(crate) fn new(path: Path, journal: Journal, tag: Nonce) -> Self {
        Self { path, owner: journal.owner, journal, tag, done: Vec::new() }
    }

    /// The path, the id and the extents that are kept.
    pub(crate) fn kept(&self) -> (Path, Nonce, &[Extent]) {
        (self.path, self.journal.id, &self.journal.extents)
    }

    /// The journal as this opening has left it, where no commit has begun (`Recent::keep`).
    pub(crate) fn left(self, path: Path) -> Option<(Journal, Nonce)> {
        (self.path == path && self.journal.commit.is_none()).then_some((self.journal, self.tag))
    }

    /// `Upload::spill` with `ExtentWriter::put`.
    pub(crate) fn write(&mut self, run: &mut Run<'_>) -> Result<()> {
        if self.owner.is_none() && run.keeps(Rule::OwnerFirst) {
            let holder = Holder::Upload(self.path);
            let (owner, shared) = owner::create(run, self.journal.id, holder)?;
            self.owner = Some(owner);
            self.journal.shared |= shared;
        }
        let extent = Extent { id: self.journal.id, name: run.fresh() };
        run.put_fresh(Key::Data(extent), Object::Data)?;
        self.done.push(extent);
        Ok(())
    }

    /// `Upload::keep`.
    pub(crate) fn keep(&mut self, run: &mut Run<'_>) -> Result<()> {
        let journal = self.gathered();
        self.swap(run, journal)
    }

    /// `Upload::gathered`.
    fn gathered(&self) -> Journal {
        let mut journal = self.journal.clone();
        journal.extents.extend(&self.done);
        journal.owner = self.owner;
        journal
    }

    /// `Upload::swap`.
    fn swap(&mut self, run: &mut Run<'_>, journal: Journal) -> Result<()> {
        let sealed = run.seal(Object::Journal(journal.clone()));
        let expect = match run.keeps(Rule::JournalSwap) {
            true => Expect::Tag(self.tag),
            false => Expect::Any,
        };
        match decide(run, Key::Journal(self.path), &sealed, expect)? {
            Decision::Won(tag) => {
                self.tag = tag;
                self.done.drain(..journal.extents.len() - self.journal.extents.len());
                self.journal = journal;
                Ok(())
            }
            Decision::Lost(_) => Err(Failure::Fenced.into()),
        }
    }

    /// `StillOurs::check`.
    pub(crate) fn check(&mut self, run: &mut Run<'_>) -> Result<()> {
        self.swap(run, self.journal.clone())
    }

    /// `Upload::commit`.
    pub(crate) fn commit(
        &mut self,
        run: &mut Run<'_>,
        dest: Path,
        condition: Precondition,
    ) -> Result<()> {
        let extents = self.gathered().extents;
        if let Err(error) = self.hold_for(run, dest, &extents) {
            if let Stop::Failed(_) = error {
                self.keep(run)?;
            }
            return Err(error);
        }
        let mut journal = self.gathered();
        let commit = Commit { dest, nonce: run.fresh(), fenced: false };
        let mut record = namespace::new_record(run, extents);
        record.origin = Some(Origin { upload: self.path, commit: commit.nonce });
        if run.keeps(Rule::Announce) {
            journal.commit = Some(commit);
        }
        self.swap(run, journal)?;
        match namespace::replace(run, dest, condition, record, Some(self)) {
            Ok(()) => {
                // Its errors are ignored.
                match remove(run, Key::Journal(self.path), self.tag, self.journal.fenced) {
                    Err(Stop::Pending(step)) => Err(Stop::Pending(step)),
                    _ => Ok(()),
                }
            }
            Err(Stop::Failed(failure)) => {
                if failure == Failure::PreconditionFailed {
                    self.journal.commit = None;
                    self.keep(run)?;
                } else if failure != Failure::Fenced {
                    match self.keep(run) {
                        Err(Stop::Pending(step)) => return Err(Stop::Pending(step)),
                        Err(failed) if !run.keeps(Rule::Unknown) => return Err(failed),
                        _ => {}
                    }
                }
                Err(failure.into())
            }
            Err(pending) => Err(pending),
        }
    }

    /// `Upload::hold_for`.
    fn hold_for(&mut self, run: &mut Run<'_>, dest: Path, extents: &[Extent]) -> Result<()> {
        if !run.keeps(Rule::Hold) {
            return Ok(());
        }
        let id = self.journal.id;
        let (own, shared): (Vec<_>, Vec<_>) = extents.iter().partition(|extent| extent.id == id);
        if !own.is_empty() {
            let known = self.owner.filter(|_| !self.journal.shared);
            let known = known.map(|tag| (tag, vec![Holder::Upload(self.path)]));
            self.owner = Some(owner::add(run, id, Holder::File(dest), known)?);
            self.journal.shared = true;
        }
        namespace::hold(run, &shared, Holder::File(dest))
    }
}
