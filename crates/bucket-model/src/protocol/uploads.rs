//! `uploads.rs`: uploads by their paths, and the end of commits that were cut off.

use super::{
    namespace::{self, At},
    objects::{Decision, decide, remove, remove_object},
};
use crate::{
    rules::Rule,
    run::{Deletes, Failure, Result, Run},
    store::{Commit, Expect, Extent, Found, Journal, Key, Nonce, Object, Path},
};

/// What is at the key of an upload.
pub(crate) enum JournalAt {
    Nothing(Expect),
    Upload(Journal, Nonce),
}

impl JournalAt {
    /// `JournalAt::state`.
    pub(crate) fn state(&self) -> Expect {
        match self {
            Self::Nothing(expect) => *expect,
            Self::Upload(_, tag) => Expect::Tag(*tag),
        }
    }

    /// `JournalAt::is_fenced`.
    pub(crate) fn is_fenced(&self, run: &Run<'_>) -> bool {
        run.keeps(Rule::FencedUpload)
            && match self {
                Self::Nothing(expect) => *expect != Expect::Absent,
                Self::Upload(journal, _) => journal.fenced,
            }
    }
}

/// `Backend::journal`.
pub(crate) fn journal(run: &mut Run<'_>, path: Path) -> Result<JournalAt> {
    match run.get(Key::Journal(path))? {
        None => Ok(JournalAt::Nothing(Expect::Absent)),
        Some(Found { tag, object: Object::Journal(journal), .. }) => {
            Ok(JournalAt::Upload(journal, tag))
        }
        Some(Found { tag, object: Object::Tombstone(_), .. }) => {
            Ok(JournalAt::Nothing(Expect::Tag(tag)))
        }
        Some(_) => Err(Failure::Corrupted.into()),
    }
}

/// `Backend::settled_journal`.
pub(crate) fn settled_journal(run: &mut Run<'_>, path: Path) -> Result<JournalAt> {
    loop {
        match journal(run, path)? {
            JournalAt::Upload(journal, tag) if journal.commit.is_some() => {
                settle(run, path, journal, tag)?;
            }
            at => return Ok(at),
        }
    }
}

/// `Backend::settle`.
fn settle(run: &mut Run<'_>, path: Path, mut journal: Journal, tag: Nonce) -> Result<()> {
    let key = Key::Journal(path);
    let Some(mut commit) = journal.commit else { return Ok(()) };
    let mut tag = tag;
    if !commit.fenced {
        commit.fenced = run.keeps(Rule::FenceOnce);
        journal.commit = Some(commit);
        let sealed = run.seal(Object::Journal(journal.clone()));
        match decide(run, key, &sealed, Expect::Tag(tag))? {
            Decision::Won(won) => tag = won,
            Decision::Lost(_) => return Ok(()),
        }
    }
    let looks = run.keeps(Rule::LookForCommit);
    let undone = match run.keeps(Rule::FenceDestination) {
        true => namespace::fence(run, commit.dest, |at| looks && published(at, commit))?,
        false => !published(&namespace::at(run, commit.dest)?, commit),
    };
    if !undone {
        remove(run, key, tag, journal.fenced)?;
        return Ok(());
    }
    journal.commit = None;
    let sealed = run.seal(Object::Journal(journal));
    decide(run, key, &sealed, Expect::Tag(tag))?;
    Ok(())
}

/// `uploads::published`.
fn published(at: &At, commit: Commit) -> bool {
    match at {
        At::File(file) => file.record.origin.is_some_and(|origin| origin.commit == commit.nonce),
        At::Nothing(_) => false,
    }
}

/// `Backend::cancel_upload`.
pub(crate) fn cancel_upload(run: &mut Run<'_>, path: Path) -> Result<()> {
    let mut id = None;
    loop {
        let JournalAt::Upload(journal, tag) = settled_journal(run, path)? else {
            return Err(Failure::NotFound.into());
        };
        if *id.get_or_insert(journal.id) != journal.id && run.keeps(Rule::CancelOnce) {
            return Err(Failure::NotFound.into());
        }
        namespace::hint(run, &journal_extents(&journal))?;
        if end_journal(run, path, tag, journal.fenced)? {
            return Ok(());
        }
    }
}

/// `Backend::end_journal`.
fn end_journal(run: &mut Run<'_>, path: Path, tag: Nonce, fenced: bool) -> Result<bool> {
    let key = Key::Journal(path);
    let sealed = run.seal(Object::Tombstone(Vec::new()));
    match decide(run, key, &sealed, Expect::Tag(tag))? {
        Decision::Lost(_) => Ok(false),
        Decision::Won(tag) => {
            if run.settings.deletes == Deletes::Conditional && !fenced {
                remove_object(run, key, tag, false)?;
            }
            Ok(true)
        }
    }
}

/// `uploads::journal_extents`.
pub(crate) fn journal_extents(journal: &Journal) -> Vec<Extent> {
    let mut extents = journal.extents.clone();
    if journal.owner.is_some() {
        extents.push(Extent { id: journal.id, name: journal.id });
    }
    extents
}
