//! `opening.rs`: the swap of the journal that fences the writer before it.

use super::{
    namespace,
    objects::{Begun, Decision, begin, decide},
    upload::Upload,
    uploads::{self, JournalAt, journal_extents},
};
use crate::{
    rules::Rule,
    run::{Failure, Result, Run},
    store::{Expect, Holder, Journal, Key, Nonce, Object, Path},
};

/// `Backend::create`.
pub(crate) fn create(run: &mut Run<'_>, path: Path) -> Result<Upload> {
    let key = Key::Journal(path);
    let mut journal = new_journal(run);
    let mut before = JournalAt::Nothing(Expect::Absent);
    let mut in_doubt = false;
    loop {
        if let JournalAt::Upload(earlier, _) = &before {
            namespace::hint(run, &journal_extents(earlier))?;
        }
        if run.keeps(Rule::FreshId) {
            journal.id = run.fresh();
        }
        journal.fenced = in_doubt || before.is_fenced(run);
        let sealed = run.seal(Object::Journal(journal.clone()));
        match begin(run, key, &sealed, before.state())? {
            Begun::Done(tag) => return Ok(Upload::new(path, journal, tag)),
            Begun::Lost => {}
            Begun::Doubt => in_doubt = true,
        }
        before = uploads::settled_journal(run, path)?;
    }
}

/// `Journal::new`.
fn new_journal(run: &mut Run<'_>) -> Journal {
    Journal {
        id: run.fresh(),
        owner: None,
        extents: Vec::new(),
        commit: None,
        shared: false,
        fenced: false,
    }
}

/// `Backend::resume`.
pub(crate) fn resume(run: &mut Run<'_>, path: Path) -> Result<Upload> {
    loop {
        let JournalAt::Upload(journal, tag) = uploads::settled_journal(run, path)? else {
            return Err(Failure::NotFound.into());
        };
        if let Some(upload) = swap(run, path, journal, tag)? {
            return Ok(upload);
        }
    }
}

/// `Backend::resume` with a journal that its process remembers (`recent.rs`).
pub(crate) fn reopen(run: &mut Run<'_>, path: Path, left: Option<Upload>) -> Result<Upload> {
    let Some((journal, tag)) = left.and_then(|left| left.left(path)) else {
        return resume(run, path);
    };
    if !run.keeps(Rule::ReopenSwap) {
        return Ok(Upload::new(path, journal, tag));
    }
    match swap(run, path, journal, tag)? {
        Some(upload) => Ok(upload),
        None => resume(run, path),
    }
}

/// `Backend::reopen`.
fn swap(run: &mut Run<'_>, path: Path, journal: Journal, tag: Nonce) -> Result<Option<Upload>> {
    if !run.keeps(Rule::FenceSwap) {
        return Ok(Some(Upload::new(path, journal, tag)));
    }
    let sealed = run.seal(Object::Journal(journal.clone()));
    Ok(match decide(run, Key::Journal(path), &sealed, Expect::Tag(tag))? {
        Decision::Won(tag) => Some(Upload::new(path, journal, tag)),
        Decision::Lost(_) => None,
    })
}

/// `Backend::append`. The version that it starts from is left out: its commit has a condition of the caller.
pub(crate) fn append(run: &mut Run<'_>, path: Path) -> Result<Upload> {
    let mut in_doubt = false;
    loop {
        let file = namespace::file(run, path)?;
        let before = uploads::settled_journal(run, path)?;
        if let JournalAt::Upload(..) = before {
            return Err(Failure::InProgress.into());
        }
        let mut journal = new_journal(run);
        journal.fenced = in_doubt || before.is_fenced(run);
        namespace::hold(run, &file.record.extents, Holder::Upload(path))?;
        journal.extents = file.record.extents;
        let sealed = run.seal(Object::Journal(journal.clone()));
        match begin(run, Key::Journal(path), &sealed, before.state())? {
            Begun::Done(tag) => return Ok(Upload::new(path, journal, tag)),
            Begun::Lost => {}
            Begun::Doubt => in_doubt = true,
        }
    }
}
