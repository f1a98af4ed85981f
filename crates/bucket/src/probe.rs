//! The probe at every opening: a few requests that show whether conditions are honoured.

use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use storage_driver::{Error, ErrorKind, Result};

use crate::{
    envelope::{Sealed, tombstone},
    error::{explain, status},
    http::delete_if,
    nonce,
    objects::{Listing, Objects, Removal, Tag, decide::pause},
};

/// What a store does that this driver cannot work on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsuitable {
    /// Two creates of one key succeed.
    #[error(
        "the bucket accepted a second create of one key (it ignores If-None-Match); is versioning on? \
         Use a bucket without versioning, or a server that honours conditional puts"
    )]
    IgnoresCreate,
    /// A swap with a wrong ETag succeeds.
    #[error(
        "the bucket accepted a put with a wrong ETag (it ignores If-Match); use a server that honours \
         conditional puts"
    )]
    IgnoresMatch,
    /// A swap with the right ETag fails.
    #[error(
        "the bucket refused a put with the right ETag; is versioning on? Use a bucket without versioning, \
         or a server that honours conditional puts"
    )]
    RefusesMatch,
    /// Two creates of one key succeed if they are sent at the same time.
    #[error(
        "the bucket accepted two creates of one key that were sent at the same time; use a server whose \
         conditional puts are atomic"
    )]
    RacingCreates,
    /// What was stored is not there afterwards.
    #[error("the bucket lost an object that it had just acknowledged")]
    LosesPuts,
    /// A listing does not have an object that was stored before.
    #[error(
        "a listing did not show an object that the bucket had acknowledged before; use a server whose \
         listings are consistent"
    )]
    ListsLate,
}

impl From<Unsuitable> for Error {
    fn from(cause: Unsuitable) -> Self {
        Self::new(ErrorKind::Unsupported).with_source(cause)
    }
}

/// How a put ended, as the object itself shows.
enum Put {
    Stored,
    Refused,
}

/// Probes the store, and tells `objects` how it wants its conditions. Returns the first reason not to use it.
///
/// # Errors
///
/// Those of the requests. They show nothing about the store.
pub(crate) async fn probe(objects: &Objects) -> Result<Option<Unsuitable>> {
    let prefix = format!("!probe/{}/", nonce::fresh());
    let key = format!("{prefix}0");
    let mut lie = probe_creates(objects, &key).await?;
    let Some(first) = objects.look(&key).await? else { return Ok(Some(Unsuitable::LosesPuts)) };
    let listing = Listing { prefix, ..Listing::default() };
    let page = objects.list(&listing, None).await?;
    if !page.items.iter().any(|item| item.key == key) {
        lie = lie.or(Some(Unsuitable::ListsLate));
    }
    lie = lie.or(probe_swaps(objects, &key, &first.tag).await?);
    let Some(last) = objects.look(&key).await? else { return Ok(Some(Unsuitable::LosesPuts)) };
    if objects.clients().can_condition_delete {
        let honoured = refuses_deletion(objects, &key, &first.tag).await?;
        objects.set_deletes_conditionally(honoured);
        if honoured {
            objects.remove_object(&key, &last.tag).await?;
            let again = objects.remove_object(&key, &last.tag).await?;
            objects.set_deletes_tell(matches!(again, Removal::Gone));
            return Ok(lie);
        }
    }
    objects.delete_final(&key).await?;
    Ok(lie)
}

/// Whether one of several creates of a key succeeds, at the same time and one after the other.
async fn probe_creates(objects: &Objects, key: &str) -> Result<Option<Unsuitable>> {
    let sealed = [tombstone(), tombstone(), tombstone()];
    let create = |sealed| put(objects, key, sealed, PutMode::Create);
    let (one, two) = futures::join!(create(&sealed[0]), create(&sealed[1]));
    let raced = [one?, two?];
    Ok(match (create(&sealed[2]).await?, raced) {
        (Put::Stored, _) => Some(Unsuitable::IgnoresCreate),
        (Put::Refused, [Put::Stored, Put::Stored]) => Some(Unsuitable::RacingCreates),
        (Put::Refused, [Put::Refused, Put::Refused]) => Some(Unsuitable::LosesPuts),
        (Put::Refused, _) => None,
    })
}

/// Whether a put is refused with a wrong ETag, and accepted with the right one. Tells `objects` how the server wants
/// ETags.
async fn probe_swaps(objects: &Objects, key: &str, tag: &Tag) -> Result<Option<Unsuitable>> {
    let wrong = UpdateVersion {
        e_tag: Some("\"00000000000000000000000000000000\"".to_owned()),
        version: Some("1".to_owned()),
    };
    if let Put::Stored = put(objects, key, &tombstone(), PutMode::Update(wrong)).await? {
        return Ok(Some(Unsuitable::IgnoresMatch));
    }
    for quoted in [true, false] {
        objects.set_quoted(quoted);
        if let Put::Stored = put(objects, key, &tombstone(), objects.update(tag)).await? {
            return Ok(None);
        }
    }
    Ok(Some(Unsuitable::RefusesMatch))
}

/// How often a request is repeated that the server has not responded to. It shows nothing: a lie would pass.
const ATTEMPTS: u32 = 4;

/// Whether the server has decided about a failed request.
fn is_response(error: &object_store::Error) -> bool {
    use object_store::Error as Engine;
    matches!(
        error,
        Engine::AlreadyExists { .. } | Engine::Precondition { .. } | Engine::NotFound { .. }
    ) || status(error).is_some_and(|code| code != 429 && code != 503)
}

/// Whether the server refuses to delete an object under the ETag of an earlier state. A server that ignores the
/// condition deletes, and says so or not.
async fn refuses_deletion(objects: &Objects, key: &str, stale: &Tag) -> Result<bool> {
    let location = objects.key(key)?;
    let mut attempt = 0;
    loop {
        let delete = objects.clients().decisive.delete(&location);
        let Err(error) = delete_if(objects.condition(stale), delete).await else {
            return Ok(false);
        };
        let remains = objects.look(key).await?.is_some();
        if !remains || is_response(&error) {
            return Ok(remains && matches!(error, object_store::Error::Precondition { .. }));
        }
        attempt += 1;
        if attempt == ATTEMPTS {
            return Err(explain(error));
        }
        pause(attempt).await;
    }
}

async fn put(objects: &Objects, key: &str, sealed: &Sealed, mode: PutMode) -> Result<Put> {
    let location = objects.key(key)?;
    let mut attempt = 0;
    loop {
        let options = PutOptions { mode: mode.clone(), ..objects.options() };
        let payload = sealed.bytes.clone().into();
        let error = match objects.clients().decisive.put_opts(&location, payload, options).await {
            Ok(_) => return Ok(Put::Stored),
            Err(
                error @ (object_store::Error::PermissionDenied { .. }
                | object_store::Error::Unauthenticated { .. }
                | object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. }),
            ) => return Err(explain(error)),
            Err(error) => error,
        };
        let found = objects.look(key).await?;
        let is_stored = found.is_some();
        if found.and_then(|found| found.envelope).is_some_and(|it| it.nonce == sealed.nonce) {
            return Ok(Put::Stored);
        }
        if is_response(&error) && is_stored {
            return Ok(Put::Refused);
        }
        attempt += 1;
        // A bucket that does not exist, for example.
        if is_response(&error) || attempt == ATTEMPTS {
            return Err(explain(error));
        }
        pause(attempt).await;
    }
}
