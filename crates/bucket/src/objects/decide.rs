//! Decisive writes: compare-and-swap on one object, by nonces.
//!
//! A failed request may have taken effect all the same, and a lost response is reported as defeat when the
//! request is repeated. So the engine never repeats these requests. After any failure the object is read
//! back: our nonce in it is success, the state that we expected means that nothing has happened yet, and
//! anything else is defeat.

use std::time::Duration;

use object_store::{ObjectStore, PutOptions};
use storage_driver::{Error, ErrorKind, Result};

use super::{Found, Objects, State, Tag, ours};
use crate::{
    access::AccessError,
    envelope::{Sealed, tombstone},
    error::{explain, is_absent, status},
};

/// What has to be at a key for a write to take effect.
#[derive(Debug, Clone)]
pub(crate) enum Expect {
    Absent,
    Tag(Tag),
}

impl Expect {
    pub(super) fn holds(&self, found: Option<&Found>) -> bool {
        match (self, found) {
            (Self::Absent, None) => true,
            (Self::Tag(tag), Some(found)) => *tag == found.tag,
            _ => false,
        }
    }
}

/// How a decisive write ended.
#[derive(Debug)]
pub(crate) enum Decision {
    /// It took effect. The tag is that of the new state.
    Won(Tag),
    /// It did not: this is there instead.
    Lost(Option<Box<Found>>),
}

/// How a write that begins an upload ended.
#[derive(Debug)]
pub(crate) enum Begun {
    /// It took effect. The tag is that of the new state.
    Done(Tag),
    /// It did not.
    Lost,
    /// It did not, and it may still be under way. A tombstone is in its place, or what another process has put there.
    Doubt,
}

/// How a conditional removal ended.
#[derive(Debug)]
pub(crate) enum Removal {
    /// It took effect.
    Done,
    /// Someone else has removed it.
    Gone,
    /// Something else is there.
    Changed(Box<Found>),
}

/// How often a write is repeated whose outcome is that nothing happened.
pub(crate) const ATTEMPTS: u32 = 6;

impl Objects {
    /// Writes `sealed` if `expect` holds.
    pub(crate) async fn decide(
        &self,
        key: &str,
        sealed: &Sealed,
        expect: &Expect,
    ) -> Result<Decision> {
        Ok(self.decide_with_doubt(key, sealed, expect).await?.0)
    }

    /// The same, and whether a write that is reported as lost may have taken effect and was replaced since.
    pub(crate) async fn decide_with_doubt(
        &self,
        key: &str,
        sealed: &Sealed,
        expect: &Expect,
    ) -> Result<(Decision, bool)> {
        let mut attempt = 0;
        let mut in_doubt = false;
        loop {
            let error = match self.put_if(key, sealed, expect).await {
                Ok(tag) => return Ok((Decision::Won(tag), false)),
                Err(error) => error,
            };
            if let Some(error) = hopeless(&error) {
                return Err(error);
            }
            in_doubt |= !refused(&error);
            match self.look(key).await {
                Ok(Some(found)) if wrote(&found, &sealed.nonce) => {
                    return Ok((Decision::Won(found.tag), false));
                }
                Ok(found) if !expect.holds(found.as_ref()) => {
                    return Ok((Decision::Lost(found.map(Box::new)), in_doubt));
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

    /// Writes the first state of an upload if `expect` holds.
    ///
    /// Where a DELETE can make the key absent again, a create is sent only once: a second one may win, and the first
    /// one take effect when the upload has ended. If its outcome is unknown, a tombstone takes its place.
    pub(crate) async fn begin(&self, key: &str, sealed: &Sealed, expect: &Expect) -> Result<Begun> {
        if !matches!(expect, Expect::Absent) || !self.deletes_conditionally() {
            return Ok(match self.decide(key, sealed, expect).await? {
                Decision::Won(tag) => Begun::Done(tag),
                Decision::Lost(_) => Begun::Lost,
            });
        }
        let error = match self.put_if(key, sealed, expect).await {
            Ok(tag) => return Ok(Begun::Done(tag)),
            Err(error) => error,
        };
        if let Some(error) = hopeless(&error) {
            return Err(error);
        }
        match self.look(key).await {
            Ok(Some(found)) if wrote(&found, &sealed.nonce) => return Ok(Begun::Done(found.tag)),
            _ if refused(&error) => return Ok(Begun::Lost),
            _ => pause_after(&error, 1).await,
        }
        Ok(match self.decide(key, &tombstone(), expect).await? {
            Decision::Lost(Some(found)) if wrote(&found, &sealed.nonce) => Begun::Done(found.tag),
            _ => Begun::Doubt,
        })
    }

    /// Sends one conditional put.
    pub(super) async fn put_if(
        &self,
        key: &str,
        sealed: &Sealed,
        expect: &Expect,
    ) -> object_store::Result<Tag> {
        let location = self.engine_key(key)?;
        let options = PutOptions { mode: self.mode(expect), ..ours() };
        let payload = sealed.bytes.clone();
        let put = self.clients.decisive.put_opts(&location, payload, options).await?;
        Ok(Tag::new(put.e_tag, put.version))
    }

    /// Makes a key absent if `tag` is there: by a conditional DELETE, or else by a tombstone. If it is `fenced`, a
    /// tombstone stays in any case.
    pub(crate) async fn remove(&self, key: &str, tag: &Tag, fenced: bool) -> Result<Removal> {
        if self.deletes_tell() && !fenced {
            return self.remove_object(key, tag, None).await;
        }
        let expect = Expect::Tag(tag.clone());
        Ok(match self.decide(key, &tombstone(), &expect).await? {
            Decision::Won(tag) => {
                if self.deletes_conditionally() && !fenced {
                    self.remove_object(key, &tag, None).await?;
                }
                Removal::Done
            }
            Decision::Lost(None) => Removal::Gone,
            Decision::Lost(Some(found)) => Removal::Changed(found),
        })
    }

    /// Removes an object by a conditional DELETE.
    ///
    /// With the `nonce` of a record, a removal whose response was lost is told from a replacement: the record that is
    /// there instead knows the states before it.
    pub(crate) async fn remove_object(
        &self,
        key: &str,
        tag: &Tag,
        nonce: Option<&str>,
    ) -> Result<Removal> {
        let location = self.key(key)?;
        let mut attempt = 0;
        loop {
            let error = match self.delete_if(&location, tag).await {
                Ok(()) => return Ok(Removal::Done),
                Err(error) if attempt == 0 && is_absent(&error) => return Ok(Removal::Gone),
                Err(error) => error,
            };
            if let Some(error) = hopeless(&error) {
                return Err(error);
            }
            match self.look(key).await {
                // After a lost response it cannot be told from a removal by another process.
                Ok(None) if attempt > 0 || !refused(&error) => return Ok(Removal::Done),
                Ok(None) => return Ok(Removal::Gone),
                Ok(Some(found)) if found.tag != *tag => {
                    let in_doubt = attempt > 0 || !refused(&error);
                    // Then the object belongs to a later life, and another deletion would end that life.
                    let removed =
                        in_doubt && nonce.is_some_and(|nonce| !State::of(&found).follows(nonce));
                    return Ok(match removed {
                        true => Removal::Done,
                        false => Removal::Changed(Box::new(found)),
                    });
                }
                Ok(Some(_)) | Err(_) => {}
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(undecided(error));
            }
            pause_after(&error, attempt).await;
        }
    }
}

/// Whether the object is what was written under `nonce`.
pub(crate) fn wrote(found: &Found, nonce: &str) -> bool {
    found.envelope.as_ref().is_some_and(|envelope| envelope.nonce == nonce)
}

/// The error of a request that no repetition makes succeed.
pub(crate) fn hopeless(error: &object_store::Error) -> Option<Error> {
    use object_store::Error as Engine;
    if let Some(access) = AccessError::of(error) {
        return Some(Error::new(access.kind()).with_source(access));
    }
    let kind = match error {
        Engine::PermissionDenied { .. } | Engine::Unauthenticated { .. } => {
            ErrorKind::PermissionDenied
        }
        Engine::NotSupported { .. } | Engine::NotImplemented { .. } => ErrorKind::Unsupported,
        _ => match status(error) {
            Some(507) => ErrorKind::StorageFull { needed: None, available: None },
            Some(400 | 405 | 411 | 413 | 501) => ErrorKind::Other,
            _ => return None,
        },
    };
    Some(Error::new(kind).with_source(error.to_string()))
}

/// Whether the server has said that the condition does not hold.
pub(super) fn refused(error: &object_store::Error) -> bool {
    use object_store::Error as Engine;
    matches!(
        error,
        Engine::Precondition { .. } | Engine::AlreadyExists { .. } | Engine::NotFound { .. }
    )
}

pub(super) fn undecided(error: object_store::Error) -> Error {
    let error = explain(error);
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::StorageFull { .. } => error,
        _ => Error::new(ErrorKind::Unavailable).with_source(error),
    }
}

/// Sends a request until it succeeds or fails for good. It gets the number of the attempt, beginning at 0.
pub(crate) async fn repeat<T, F>(attempts: u32, mut request: impl FnMut(u32) -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut attempt = 0;
    loop {
        match request(attempt).await {
            Err(error) if error.is_retryable() && attempt + 1 < attempts => {
                attempt += 1;
                pause(attempt).await;
            }
            result => return result,
        }
    }
}

/// Waits longer each time, and never as long as another process.
pub(crate) async fn pause(attempt: u32) {
    pause_at_least(10, attempt).await;
}

/// The same after an error: longer if the server asks for less.
pub(super) async fn pause_after(error: &object_store::Error, attempt: u32) {
    let throttled = matches!(status(error), Some(429 | 503));
    pause_at_least(if throttled { 400 } else { 10 }, attempt).await;
}

async fn pause_at_least(millis: u64, attempt: u32) {
    let limit = millis << attempt.min(7);
    let random = u64::from(crate::nonce::random()[0]);
    tokio::time::sleep(Duration::from_millis(limit / 2 + limit * random / 512)).await;
}
