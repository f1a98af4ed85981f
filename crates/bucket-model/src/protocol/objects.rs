//! `objects/decide.rs` and `objects/publish.rs`: decisive writes, which are read back after a failure.

use crate::{
    rules::Rule,
    run::{Deletes, Failure, Reply, Result, Run, Sealed},
    store::{Expect, Found, Key, Lineage, Nonce, Object},
};

/// `decide::ATTEMPTS`. More of them only repeat the same steps.
const ATTEMPTS: u8 = 2;
/// `lineage::REMEMBERED_BY_A_TOMBSTONE`: records remember more.
const REMEMBERED: usize = 8;

/// How a decisive write ended.
pub(crate) enum Decision {
    /// It took effect. The tag is that of the new state.
    Won(Nonce),
    /// It did not: this is there instead.
    Lost(Option<Found>),
}

/// How a removal ended.
pub(crate) enum Removal {
    Done,
    /// Another actor has removed it.
    Gone,
    Changed(Found),
}

/// How a decisive write of a file ended.
pub(crate) enum Published {
    Done,
    Lost(Option<Found>),
    /// A create that has taken effect and was deleted, or has not taken effect yet.
    Doubt,
}

/// The state of a file's key that a write replaces.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) tag: Nonce,
    pub(crate) lineage: Lineage,
}

impl State {
    /// `State::of` with `Lineage::of`.
    pub(crate) fn of(found: &Found) -> Self {
        let lineage = match &found.object {
            Object::Record(record) => {
                let life = record.lineage.life.or(Some(found.tag));
                Lineage { life, ..record.lineage.clone() }
            }
            Object::Tombstone(history) => {
                Lineage { life: None, history: history.clone(), fenced: true }
            }
            _ => Lineage::default(),
        };
        Self { tag: found.tag, lineage }
    }

    /// `State::follows`.
    pub(crate) fn follows(&self, nonce: Nonce) -> bool {
        self.tag == nonce
            || self.lineage.life == Some(nonce)
            || self.lineage.history.contains(&nonce)
    }

    /// `State::remembers`.
    fn remembers(&self, nonce: Nonce) -> bool {
        self.tag == nonce || self.lineage.history.contains(&nonce)
    }

    /// `State::tombstone`.
    pub(crate) fn tombstone(&self, run: &Run<'_>) -> Object {
        Object::Tombstone(match run.keeps(Rule::Buried) {
            true => self.successor(run).history,
            false => vec![self.tag],
        })
    }

    /// `State::successor`.
    pub(crate) fn successor(&self, run: &Run<'_>) -> Lineage {
        let mut history = Vec::new();
        let mut life = self.lineage.life;
        if run.keeps(Rule::Lineage) {
            let all = self.lineage.history.iter().copied().chain([self.tag]);
            history =
                all.skip((self.lineage.history.len() + 1).saturating_sub(REMEMBERED)).collect();
        } else {
            life = None;
        }
        Lineage { life, history, fenced: self.lineage.fenced }
    }
}

fn holds(expect: Expect, found: Option<&Found>) -> bool {
    match (expect, found) {
        (Expect::Any, _) | (Expect::Absent, None) => true,
        (Expect::Tag(tag), Some(found)) => found.tag == tag,
        _ => false,
    }
}

/// `Objects::decide`.
pub(crate) fn decide(
    run: &mut Run<'_>,
    key: Key,
    sealed: &Sealed,
    expect: Expect,
) -> Result<Decision> {
    for _ in 0..ATTEMPTS {
        if run.put_if(key, sealed, expect)? == Reply::Done {
            return Ok(Decision::Won(sealed.nonce));
        }
        let found = run.get(key)?;
        if found.as_ref().is_some_and(|found| found.tag == sealed.nonce) {
            return Ok(Decision::Won(sealed.nonce));
        }
        if !holds(expect, found.as_ref()) {
            return Ok(Decision::Lost(found));
        }
    }
    Err(Failure::Unavailable.into())
}

/// How a write that begins an upload ended.
pub(crate) enum Begun {
    Done(Nonce),
    Lost,
    /// It may still be under way.
    Doubt,
}

/// `Objects::begin`.
pub(crate) fn begin(run: &mut Run<'_>, key: Key, sealed: &Sealed, expect: Expect) -> Result<Begun> {
    if expect != Expect::Absent
        || run.settings.deletes == Deletes::Tombstones
        || !run.keeps(Rule::FencedUpload)
    {
        return Ok(match decide(run, key, sealed, expect)? {
            Decision::Won(tag) => Begun::Done(tag),
            Decision::Lost(_) => Begun::Lost,
        });
    }
    let reply = run.put_if(key, sealed, expect)?;
    if reply == Reply::Done {
        return Ok(Begun::Done(sealed.nonce));
    }
    if run.get(key)?.is_some_and(|found| found.tag == sealed.nonce) {
        return Ok(Begun::Done(sealed.nonce));
    }
    if reply != Reply::Lost {
        return Ok(Begun::Lost);
    }
    let tombstone = run.seal(Object::Tombstone(Vec::new()));
    Ok(match decide(run, key, &tombstone, expect)? {
        Decision::Lost(Some(found)) if found.tag == sealed.nonce => Begun::Done(sealed.nonce),
        _ => Begun::Doubt,
    })
}

/// `Objects::publish`.
pub(crate) fn publish(
    run: &mut Run<'_>,
    key: Key,
    sealed: &Sealed,
    before: Option<&State>,
) -> Result<Published> {
    let expect = before.map_or(Expect::Absent, |state| Expect::Tag(state.tag));
    let mut in_doubt = false;
    for _ in 0..ATTEMPTS {
        let reply = run.put_if(key, sealed, expect)?;
        if reply == Reply::Done {
            return Ok(Published::Done);
        }
        in_doubt |= reply == Reply::Lost;
        let found = run.get(key)?;
        if found.as_ref().is_some_and(|found| State::of(found).follows(sealed.nonce)) {
            return Ok(Published::Done);
        }
        if in_doubt && before.is_none() && run.keeps(Rule::Doubt) {
            return Ok(Published::Doubt);
        }
        if !holds(expect, found.as_ref()) {
            if !in_doubt {
                return Ok(Published::Lost(found));
            }
            return match decided(run, sealed.nonce, before, found.as_ref())? {
                Some(true) => Ok(Published::Done),
                Some(false) => Ok(Published::Lost(found)),
                None => Err(Failure::Unavailable.into()),
            };
        }
    }
    Err(Failure::Unavailable.into())
}

/// `Objects::decided`.
fn decided(
    run: &mut Run<'_>,
    nonce: Nonce,
    before: Option<&State>,
    found: Option<&Found>,
) -> Result<Option<bool>> {
    match before {
        Some(before) if found.is_some_and(|found| State::of(found).remembers(before.tag)) => {
            Ok(Some(false))
        }
        Some(before) if before.lineage.life.is_some() => Ok(None),
        _ => Ok(Some(has_ended(run, nonce)?)),
    }
}

/// `Objects::has_ended`.
pub(crate) fn has_ended(run: &mut Run<'_>, life: Nonce) -> Result<bool> {
    Ok(run.get(Key::Trace(life))?.is_some())
}

/// `Objects::withdraw`.
pub(crate) fn withdraw(run: &mut Run<'_>, key: Key, state: &State) -> Result<Removal> {
    if let Some(life) = state.lineage.life.filter(|_| run.keeps(Rule::Trace)) {
        run.put_fresh(Key::Trace(life), Object::Hint)?;
    }
    let fenced = state.lineage.fenced && run.keeps(Rule::FencedLife);
    if run.settings.deletes == Deletes::Conditional && !fenced {
        return remove_object(run, key, state.tag, true);
    }
    let sealed = run.seal(state.tombstone(run));
    Ok(match publish(run, key, &sealed, Some(state))? {
        Published::Done => Removal::Done,
        Published::Lost(None) | Published::Doubt => Removal::Gone,
        Published::Lost(Some(found)) => Removal::Changed(found),
    })
}

/// `Objects::remove`. If it is fenced, a tombstone stays.
pub(crate) fn remove(run: &mut Run<'_>, key: Key, tag: Nonce, fenced: bool) -> Result<Removal> {
    if run.settings.deletes == Deletes::Conditional && !fenced {
        return remove_object(run, key, tag, false);
    }
    let sealed = run.seal(Object::Tombstone(Vec::new()));
    Ok(match decide(run, key, &sealed, Expect::Tag(tag))? {
        Decision::Won(_) => Removal::Done,
        Decision::Lost(None) => Removal::Gone,
        Decision::Lost(Some(found)) => Removal::Changed(found),
    })
}

/// `Objects::remove_object`. A record tells a removal whose response was lost from a replacement.
pub(crate) fn remove_object(
    run: &mut Run<'_>,
    key: Key,
    tag: Nonce,
    is_record: bool,
) -> Result<Removal> {
    let mut in_doubt = false;
    for attempt in 0..ATTEMPTS {
        match run.delete_if(key, tag)? {
            Reply::Done => return Ok(Removal::Done),
            Reply::NotFound if attempt == 0 => return Ok(Removal::Gone),
            reply => in_doubt |= attempt > 0 || reply == Reply::Lost,
        }
        match run.get(key)? {
            None if in_doubt => return Ok(Removal::Done),
            None => return Ok(Removal::Gone),
            Some(found) if found.tag != tag => {
                let removed = in_doubt && is_record && !State::of(&found).follows(tag);
                return Ok(if removed { Removal::Done } else { Removal::Changed(found) });
            }
            Some(_) => {}
        }
    }
    Err(Failure::Unavailable.into())
}
