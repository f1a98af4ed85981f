//! `owner.rs`: who may name the extents of an upload.

use super::objects::{Decision, decide};
use crate::{
    rules::Rule,
    run::{Failure, Result, Run},
    store::{Expect, Found, Holder, Key, Nonce, Object, Owner},
};

/// `owner::create`: its tag, and whether it was there before.
pub(crate) fn create(run: &mut Run<'_>, id: Nonce, holder: Holder) -> Result<(Nonce, bool)> {
    let owner = Owner { holders: vec![holder], dying: false };
    let sealed = run.seal(Object::Owner(owner));
    match decide(run, Key::Owner(id), &sealed, Expect::Absent)? {
        Decision::Won(tag) => Ok((tag, false)),
        Decision::Lost(_) if run.keeps(Rule::OwnerShared) => {
            Ok((add(run, id, holder, None)?, true))
        }
        Decision::Lost(_) => Err(Failure::Corrupted.into()),
    }
}

/// `owner::add`.
pub(crate) fn add(
    run: &mut Run<'_>,
    id: Nonce,
    holder: Holder,
    known: Option<(Nonce, Vec<Holder>)>,
) -> Result<Nonce> {
    let mut state = match known {
        Some((tag, holders)) => Some((tag, Owner { holders, dying: false })),
        None => of(run.get(Key::Owner(id))?)?,
    };
    loop {
        let Some((tag, mut owner)) = state.filter(|(_, owner)| !owner.dying) else {
            return Err(Failure::ContentChanged.into());
        };
        if !owner.holders.contains(&holder) {
            owner.holders.push(holder);
        } else if !run.keeps(Rule::HoldAgain) {
            return Ok(tag);
        }
        let sealed = run.seal(Object::Owner(owner));
        match decide(run, Key::Owner(id), &sealed, Expect::Tag(tag))? {
            Decision::Won(tag) => return Ok(tag),
            Decision::Lost(found) => state = of(found)?,
        }
    }
}

fn of(found: Option<Found>) -> Result<Option<(Nonce, Owner)>> {
    match found {
        None => Ok(None),
        Some(Found { tag, object: Object::Owner(owner), .. }) => Ok(Some((tag, owner))),
        Some(_) => Err(Failure::Corrupted.into()),
    }
}
