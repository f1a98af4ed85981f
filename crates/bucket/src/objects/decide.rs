//! Decisive writes: compare-and-swap on one object, by nonces.
//!
//! A failed request may have taken effect all the same, and a lost response is reported as defeat when the
//! request is repeated. So the engine never repeats these requests. After any failure the object is read
//! back: our nonce in it is success, the state that we expected means that nothing has happened yet, and
//! anything else is defeat.

use std::time::Duration;

use object_store::{ObjectStore, ObjectStoreExt};
use storage_driver::{Error, ErrorKind, Result};

use super::{Found, Objects, Tag, ours};
use crate::{
    envelope::{Sealed, tombstone},
    error::{explain, status},
    http::delete_if,
};

/// What has to be at a key for a write to take effect.
#[derive(Debug, Clone)]
pub(crate) enum Expect {
    Absent,
    Tag(Tag),
}

impl Expect {
    fn holds(&self, found: Option<&Found>) -> bool {
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
const ATTEMPTS: u32 = 6;

impl Objects {
    /// Writes `sealed` if `expect` holds.
    pub(crate) async fn decide(
        &self,
        key: &str,
        sealed: &Sealed,
        expect: &Expect,
    ) -> Result<Decision> {
        let location = self.key(key)?;
        let mut attempt = 0;
        loop {
            let mut options = ours();
            options.mode = self.mode(expect);
            let payload = sealed.bytes.clone().into();
            let error = match self.clients.decisive.put_opts(&location, payload, options).await {
                Ok(put) => return Ok(Decision::Won(Tag::new(put.e_tag, put.version))),
                Err(error) => error,
            };
            if let Some(error) = hopeless(&error) {
                return Err(error);
            }
            match self.look(key).await {
                Ok(Some(found)) if wrote(&found, &sealed.nonce) => {
                    return Ok(Decision::Won(found.tag));
                }
                Ok(found) if !expect.holds(found.as_ref()) => {
                    return Ok(Decision::Lost(found.map(Box::new)));
                }
                // Nothing has happened yet. Or that is not known: then it is found out next time.
                Ok(_) | Err(_) => {}
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(undecided(error));
            }
            pause(attempt).await;
        }
    }

    /// Makes a key absent if `tag` is there: by a conditional DELETE, or else by a tombstone.
    pub(crate) async fn remove(&self, key: &str, tag: &Tag) -> Result<Removal> {
        if self.deletes_tell() {
            return self.remove_object(key, tag).await;
        }
        let expect = Expect::Tag(tag.clone());
        Ok(match self.decide(key, &tombstone(), &expect).await? {
            Decision::Won(tag) => {
                if self.deletes_conditionally() {
                    self.remove_object(key, &tag).await?;
                }
                Removal::Done
            }
            Decision::Lost(None) => Removal::Gone,
            Decision::Lost(Some(found)) => Removal::Changed(found),
        })
    }

    /// Removes an object by a conditional DELETE.
    pub(crate) async fn remove_object(&self, key: &str, tag: &Tag) -> Result<Removal> {
        let location = self.key(key)?;
        let mut attempt = 0;
        loop {
            let condition = self.etag(tag).unwrap_or_default();
            let delete = self.clients.decisive.delete(&location);
            let error = match delete_if(condition, delete).await {
                Ok(()) => return Ok(Removal::Done),
                Err(object_store::Error::NotFound { .. }) if attempt == 0 => {
                    return Ok(Removal::Gone);
                }
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
                    return Ok(Removal::Changed(Box::new(found)));
                }
                Ok(Some(_)) | Err(_) => {}
            }
            attempt += 1;
            if attempt == ATTEMPTS {
                return Err(undecided(error));
            }
            pause(attempt).await;
        }
    }
}

/// Whether the object is what was written under `nonce`.
fn wrote(found: &Found, nonce: &str) -> bool {
    found.envelope.as_ref().is_some_and(|envelope| envelope.nonce == nonce)
}

/// The error of a request that no repetition makes succeed.
fn hopeless(error: &object_store::Error) -> Option<Error> {
    use object_store::Error as Engine;
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
fn refused(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::Precondition { .. } | object_store::Error::NotFound { .. })
}

fn undecided(error: object_store::Error) -> Error {
    let error = explain(error);
    match error.kind() {
        ErrorKind::Timeout | ErrorKind::StorageFull { .. } => error,
        _ => Error::new(ErrorKind::Unavailable).with_source(error),
    }
}

/// Waits longer each time, and never as long as another process.
pub(crate) async fn pause(attempt: u32) {
    let limit = 10_u64 << attempt.min(7);
    let random = u64::from(crate::nonce::random()[0]);
    tokio::time::sleep(Duration::from_millis(limit / 2 + limit * random / 512)).await;
}
