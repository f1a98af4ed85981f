//! `opening.rs`: the swap of the journal that fences the writer before it.

use super::{
    namespace,
    objects::{Decision, Published, create_once, decide},
    upload::Upload,
    uploads::{self, JournalAt, journal_extents},
};
use crate::{
    rules::Rule,
    run::{Failure, Result, Run},
    store::{Expect, Holder, Journal, Key, Object, Path},
};

/// `Backend::create`.
pub(crate) fn create(run: &mut Run<'_>, path: Path) -> Result<Upload> {
    let key = Key::Journal(path);
    let mut journal = new_journal(run);
    let mut expect = Expect::Absent;
    loop {
        if run.keeps(Rule::FreshId) {
            journal.id = run.fresh();
        }
        let sealed = run.seal(Object::Journal(journal.clone()));
        if expect == Expect::Absent && run.keeps(Rule::FencedUpload) {
            match create_once(run, key, &sealed)? {
                Published::Done => return Ok(Upload::new(path, journal, sealed.nonce)),
                Published::Lost(_) => {}
                Published::Doubt => journal.fenced = true,
            }
        } else if let Decision::Won(tag) = decide(run, key, &sealed, expect)? {
            return Ok(Upload::new(path, journal, tag));
        }
        expect = match uploads::settled_journal(run, path)? {
            JournalAt::Nothing(expect) => {
                journal.fenced |= expect != Expect::Absent;
                expect
            }
            JournalAt::Upload(earlier, tag) => {
                namespace::hint(run, &journal_extents(&earlier))?;
                journal.fenced |= earlier.fenced;
                Expect::Tag(tag)
            }
        };
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
        if !run.keeps(Rule::FenceSwap) {
            return Ok(Upload::new(path, journal, tag));
        }
        let sealed = run.seal(Object::Journal(journal.clone()));
        if let Decision::Won(tag) = decide(run, Key::Journal(path), &sealed, Expect::Tag(tag))? {
            return Ok(Upload::new(path, journal, tag));
        }
    }
}

/// `Backend::append`. The version that it starts from is left out: its commit has a condition of the caller.
pub(crate) fn append(run: &mut Run<'_>, path: Path) -> Result<Upload> {
    loop {
        let file = namespace::file(run, path)?;
        let JournalAt::Nothing(expect) = uploads::settled_journal(run, path)? else {
            return Err(Failure::InProgress.into());
        };
        let mut journal = new_journal(run);
        namespace::hold(run, &file.record.extents, Holder::Upload(path))?;
        journal.extents = file.record.extents;
        let sealed = run.seal(Object::Journal(journal.clone()));
        if let Decision::Won(tag) = decide(run, Key::Journal(path), &sealed, expect)? {
            return Ok(Upload::new(path, journal, tag));
        }
    }
}
