//! Decisive writes of files: each takes effect once or never, also if responses are lost and other processes
//! replace or delete the file meanwhile.
//!
//! After a lost response the key may look as before, although the write has taken effect: another process may have
//! deleted what it wrote. Repeating it would make it take effect twice, over what others have read meanwhile. So
//!
//! - a record says which states were there before it, a tombstone too ([`Lineage`]);
//! - a deletion leaves a *trace* under the name of the life that it ends, before it takes effect;
//! - a create whose outcome is unknown fences the path before it is repeated: from then on the path is never absent
//!   until the sweeper's grace has passed, so that the first request cannot take effect late. The trace says whether
//!   it did before.
//!
//! What remains unknown is reported as `Unavailable`: a swap whose response was lost, after which another process has
//! deleted the file by a DELETE, or has changed it more often than a lineage remembers.

use storage_driver::{Error, ErrorKind, Result};

use super::{
    Expect, Found, Objects, Removal, Tag,
    decide::{ATTEMPTS, hopeless, pause_after, refused, undecided, wrote},
};
use crate::{
    envelope::{Sealed, tombstone},
    lineage::Lineage,
    nonce,
};

/// The state of a file's key that a write replaces.
#[derive(Debug, Clone)]
pub(crate) struct State {
    pub(crate) tag: Tag,
    /// Its nonce. An object of someone else has the beginning of its ETag instead.
    pub(crate) nonce: String,
    pub(crate) lineage: Lineage,
}

impl State {
    pub(crate) fn of(found: &Found) -> Self {
        let (nonce, lineage) = match &found.envelope {
            Some(envelope) => (envelope.nonce.clone(), Lineage::of(envelope)),
            None => (short(&found.tag.text()), Lineage::default()),
        };
        Self { tag: found.tag.clone(), nonce, lineage }
    }

    /// Whether it is the state `nonce` or came after it.
    pub(crate) fn follows(&self, nonce: &str) -> bool {
        self.nonce == nonce || self.lineage.contains(nonce)
    }

    /// Whether it is the state `nonce`, or knows all that came after that.
    fn remembers(&self, nonce: &str) -> bool {
        self.nonce == nonce || self.lineage.remembers(nonce)
    }

    /// A tombstone that replaces it.
    pub(crate) fn tombstone(&self) -> Sealed {
        self.successor().tombstone()
    }

    /// The lineage of what replaces it.
    pub(crate) fn successor(&self) -> Lineage {
        self.lineage.followed_by(&self.nonce)
    }
}

/// How a decisive write of a file ended.
#[derive(Debug)]
pub(crate) enum Published {
    /// It took effect. It may have been replaced since.
    Done,
    /// It did not: this is there instead.
    Lost(Option<Box<Found>>),
    /// A create that has taken effect and was deleted, or has not taken effect yet. The path has to be fenced to find
    /// out.
    Doubt,
}

/// As much of an ETag as a nonce has characters.
fn short(etag: &str) -> String {
    etag.chars().filter(char::is_ascii_alphanumeric).take(nonce::LENGTH).collect()
}

/// The key of the trace of a life that has ended.
fn trace(life: &str) -> String {
    format!("!trash/-/{life}")
}

impl Objects {
    /// Replaces the state `before` by `sealed`, whose lineage is that of [a successor](State::successor).
    pub(crate) async fn publish(
        &self,
        key: &str,
        sealed: &Sealed,
        before: Option<&State>,
    ) -> Result<Published> {
        let expect = before.map_or(Expect::Absent, |state| Expect::Tag(state.tag.clone()));
        let mut attempt = 0;
        // Whether a request may have taken effect.
        let mut in_doubt = false;
        loop {
            let error = match self.put_if(key, sealed, &expect).await {
                Ok(_) => return Ok(Published::Done),
                Err(error) => error,
            };
            if let Some(error) = hopeless(&error) {
                return Err(error);
            }
            in_doubt |= !refused(&error);
            match self.look(key).await {
                Ok(found)
                    if found.as_ref().is_some_and(|it| State::of(it).follows(&sealed.nonce)) =>
                {
                    return Ok(Published::Done);
                }
                Ok(_) if in_doubt && before.is_none() => return Ok(Published::Doubt),
                Ok(found) if !expect.holds(found.as_ref()) => {
                    if !in_doubt {
                        return Ok(Published::Lost(found.map(Box::new)));
                    }
                    return match self.decided(sealed, before, found.as_ref()).await? {
                        Some(true) => Ok(Published::Done),
                        Some(false) => Ok(Published::Lost(found.map(Box::new))),
                        None => Err(unknown(error)),
                    };
                }
                // Nothing has happened yet. Or that is not known: then it is found out next time.
                Ok(_) | Err(_) => {}
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(undecided(error));
            }
            pause_after(&error, attempt).await;
        }
    }

    /// Whether a swap of `before` took effect, after which the key has another state that does not know it.
    async fn decided(
        &self,
        sealed: &Sealed,
        before: Option<&State>,
        found: Option<&Found>,
    ) -> Result<Option<bool>> {
        Ok(match before {
            // What came after the state before was something else.
            Some(before)
                if found.is_some_and(|found| State::of(found).remembers(&before.nonce)) =>
            {
                Some(false)
            }
            Some(before) if before.lineage.life.is_some() => None,
            _ => Some(self.has_ended(&sealed.nonce).await?),
        })
    }

    /// Deletes a file: by a conditional DELETE, or else by a tombstone.
    pub(crate) async fn withdraw(&self, key: &str, state: &State) -> Result<Removal> {
        if let Some(life) = &state.lineage.life {
            self.put_hint(&trace(life), tombstone()).await?;
        }
        let fenced = state.lineage.is_fenced();
        if self.deletes_tell() && !fenced {
            return self.remove_object(key, &state.tag, Some(&state.nonce)).await;
        }
        let sealed = state.tombstone();
        Ok(match self.publish(key, &sealed, Some(state)).await? {
            Published::Lost(None) | Published::Doubt => Removal::Gone,
            Published::Lost(Some(found)) => Removal::Changed(found),
            Published::Done => {
                if self.deletes_conditionally()
                    && !fenced
                    && let Some(found) = self.look(key).await?
                    && wrote(&found, &sealed.nonce)
                {
                    self.remove_object(key, &found.tag, None).await?;
                }
                Removal::Done
            }
        })
    }

    /// Whether a life has ended that the state `nonce` began.
    pub(crate) async fn has_ended(&self, nonce: &str) -> Result<bool> {
        Ok(self.size(&trace(nonce)).await?.is_some())
    }
}

fn unknown(error: object_store::Error) -> Error {
    Error::new(ErrorKind::Unavailable).with_source(format!(
        "whether the write took effect is unknown: its response was lost ({error}), and other processes have deleted \
         the file or changed it many times since"
    ))
}
