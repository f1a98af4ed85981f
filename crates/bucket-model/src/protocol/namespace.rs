//! `namespace.rs`, `namespace/change.rs`, `namespace/remove.rs`: what is at a path, and how one state follows another.

use super::{
    Precondition,
    objects::{Published, Removal, State, has_ended, publish, remove, withdraw},
    owner,
    upload::Upload,
    uploads,
};
use crate::{
    rules::Rule,
    run::{Failure, Result, Run, Stop},
    store::{Extent, Found, Holder, Key, Lineage, Nonce, Object, Origin, Path, Record},
};

/// What is at a path.
pub(crate) enum At {
    /// No file. A tombstone may be in its place.
    Nothing(Option<State>),
    File(File),
}

pub(crate) struct File {
    state: State,
    pub(crate) record: Record,
}

impl At {
    pub(crate) fn of(found: Option<Found>) -> Result<Self> {
        let Some(found) = found else { return Ok(Self::Nothing(None)) };
        let state = State::of(&found);
        match found.object {
            Object::Tombstone(_) => Ok(Self::Nothing(Some(state))),
            Object::Record(record) => Ok(Self::File(File { state, record })),
            _ => Err(Failure::Corrupted.into()),
        }
    }

    pub(crate) fn version(&self) -> Option<Nonce> {
        match self {
            Self::Nothing(_) => None,
            Self::File(file) => Some(file.record.version),
        }
    }

    fn state(&self) -> Option<&State> {
        match self {
            Self::Nothing(state) => state.as_ref(),
            Self::File(file) => Some(&file.state),
        }
    }
}

/// `Backend::at` and `whole`.
pub(crate) fn at(run: &mut Run<'_>, path: Path) -> Result<At> {
    At::of(run.get(Key::File(path))?)
}

/// `Backend::whole_file`.
pub(crate) fn file(run: &mut Run<'_>, path: Path) -> Result<File> {
    match at(run, path)? {
        At::File(file) => Ok(file),
        At::Nothing(_) => Err(Failure::NotFound.into()),
    }
}

/// `Backend::let_go`.
fn let_go(run: &mut Run<'_>, record: &Record) -> Result<()> {
    hint(run, &record.extents)?;
    settle_origin(run, record.origin)
}

/// `Backend::hint`.
pub(crate) fn hint(run: &mut Run<'_>, extents: &[Extent]) -> Result<()> {
    if run.settings.sweeps {
        for id in ids(extents) {
            let nonce = run.fresh();
            run.put_fresh(Key::Hint(id, nonce), Object::Hint)?;
        }
    }
    Ok(())
}

/// `hold::ids`.
fn ids(extents: &[Extent]) -> Vec<Nonce> {
    let mut ids: Vec<Nonce> = extents.iter().map(|extent| extent.id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// `Backend::settle_origin`.
fn settle_origin(run: &mut Run<'_>, origin: Option<Origin>) -> Result<()> {
    let Some(origin) = origin.filter(|_| run.keeps(Rule::SettleOrigin)) else { return Ok(()) };
    while let uploads::JournalAt::Upload(journal, tag) = uploads::journal(run, origin.upload)? {
        if journal.commit.is_none_or(|commit| commit.nonce != origin.commit) {
            break;
        }
        remove(run, Key::Journal(origin.upload), tag, journal.fenced)?;
    }
    Ok(())
}

/// `Backend::replace`. The guard of a commit is its upload.
pub(crate) fn replace(
    run: &mut Run<'_>,
    path: Path,
    condition: Precondition,
    mut record: Record,
    mut guard: Option<&mut Upload>,
) -> Result<()> {
    let key = Key::File(path);
    let reads = matches!(condition, Precondition::IfVersion(_));
    let mut current = if reads { at(run, path)? } else { At::Nothing(None) };
    let mut guarded = reads && run.keeps(Rule::GuardAfterRead);
    loop {
        condition.check(current.version())?;
        if let At::File(file) = &current {
            let_go(run, &file.record)?;
        }
        if guarded && let Some(upload) = &mut guard {
            upload.check(run)?;
        }
        let before = current.state();
        record.lineage = before.map(|state| state.successor(run)).unwrap_or_default();
        let sealed = run.seal(Object::Record(record.clone()));
        match publish(run, key, &sealed, before)? {
            Published::Done => return Ok(()),
            Published::Lost(found) => current = At::of(found)?,
            Published::Doubt => {
                let is_there = |at: &At| at.state().is_some_and(|it| it.follows(sealed.nonce));
                if !fence(run, path, is_there)? || has_ended(run, sealed.nonce)? {
                    return Ok(());
                }
                current = at(run, path)?;
            }
        }
        guarded = run.keeps(Rule::Guard);
    }
}

/// `Backend::fence`.
pub(crate) fn fence(run: &mut Run<'_>, path: Path, is_there: impl Fn(&At) -> bool) -> Result<bool> {
    loop {
        let at = at(run, path)?;
        if is_there(&at) {
            return Ok(false);
        }
        let before = at.state();
        let object = match &at {
            At::Nothing(None) => Object::Tombstone(Vec::new()),
            At::Nothing(Some(state)) => state.tombstone(run),
            At::File(file) => {
                let lineage = Lineage { fenced: true, ..file.state.successor(run) };
                Object::Record(Record { lineage, ..file.record.clone() })
            }
        };
        let sealed = run.seal(object);
        if let Published::Done = publish(run, Key::File(path), &sealed, before)? {
            return Ok(true);
        }
    }
}

/// `Backend::put`: a file in its record, or in an extent.
pub(crate) fn put(
    run: &mut Run<'_>,
    path: Path,
    large: bool,
    condition: Precondition,
) -> Result<()> {
    let mut extents = Vec::new();
    if large {
        if condition != Precondition::None {
            condition.check(at(run, path)?.version())?;
        }
        let id = run.fresh();
        owner::create(run, id, Holder::File(path))?;
        let extent = Extent { id, name: run.fresh() };
        run.put_fresh(Key::Data(extent), Object::Data)?;
        extents.push(extent);
    }
    let record = new_record(run, extents.clone());
    let result = replace(run, path, condition, record, None);
    if let Err(Stop::Failed(_)) = result {
        hint(run, &extents)?;
    }
    result
}

/// `Record::new`.
pub(crate) fn new_record(run: &mut Run<'_>, extents: Vec<Extent>) -> Record {
    Record { version: run.fresh(), extents, origin: None, lineage: Lineage::default() }
}

/// `Backend::rename`, without a condition. In the code the version stays; here it says which operation put the record.
pub(crate) fn rename(run: &mut Run<'_>, from: Path, to: Path) -> Result<()> {
    let file = file(run, from)?;
    hold(run, &file.record.extents, Holder::File(to))?;
    let record = new_record(run, file.record.extents.clone());
    replace(run, to, Precondition::None, record, None)?;
    settle_origin(run, file.record.origin)?;
    withdraw(run, Key::File(from), &file.state)?;
    Ok(())
}

/// `Backend::hold` and `share`.
pub(crate) fn hold(run: &mut Run<'_>, extents: &[Extent], holder: Holder) -> Result<()> {
    if run.keeps(Rule::Hold) {
        for id in ids(extents) {
            owner::add(run, id, holder, None)?;
        }
    }
    Ok(())
}

/// `Backend::delete`, without a condition.
pub(crate) fn delete(run: &mut Run<'_>, path: Path) -> Result<()> {
    let at = at(run, path)?;
    let upload = matches!(uploads::journal(run, path)?, uploads::JournalAt::Upload(..));
    match remove_file(run, path, at) {
        Err(Stop::Failed(Failure::NotFound)) if upload => {}
        result => result?,
    }
    if upload {
        match uploads::cancel_upload(run, path) {
            Err(Stop::Failed(Failure::NotFound)) => {}
            result => result?,
        }
    }
    Ok(())
}

/// `Backend::remove_file`.
fn remove_file(run: &mut Run<'_>, path: Path, mut at: At) -> Result<()> {
    loop {
        let At::File(file) = &at else { return Err(Failure::NotFound.into()) };
        let_go(run, &file.record)?;
        match withdraw(run, Key::File(path), &file.state)? {
            Removal::Done => return Ok(()),
            Removal::Gone => return Err(Failure::NotFound.into()),
            Removal::Changed(found) => at = At::of(Some(found))?,
        }
    }
}
