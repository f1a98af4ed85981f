//! The probe at every opening: a few requests that show whether conditions are honoured.

use object_store::{ObjectStore, PutMode, PutOptions, UpdateVersion};
use storage_driver::{Error, ErrorKind, Result};

use crate::{
    envelope::{Sealed, tombstone},
    error::{explain, status},
    nonce,
    objects::{
        Listing, Objects, Removal, Tag,
        decide::{ATTEMPTS, hopeless, pause, wrote},
    },
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
    let directory = format!("!probe/{}/", nonce::fresh());
    let key = format!("{directory}a/b");
    let mut lie = probe_creates(objects, &key).await?;
    let Some(first) = objects.look(&key).await? else { return Ok(Some(Unsuitable::LosesPuts)) };
    let listing = Listing { prefix: directory.clone(), ..Listing::default() };
    let page = objects.list(&listing, None).await?;
    if !page.items.iter().any(|item| item.key == key) {
        lie = lie.or(Some(Unsuitable::ListsLate));
    }
    lie = lie.or(probe_swaps(objects, &key, &first.tag).await?);
    let Some(last) = objects.look(&key).await? else { return Ok(Some(Unsuitable::LosesPuts)) };
    if objects.can_delete_if(&key).await? {
        let honoured = honours_delete(objects, &key, &first.tag).await?;
        objects.set_deletes_conditionally(honoured);
        if honoured {
            objects.remove_object(&key, &last.tag, None).await?;
            let again = objects.remove_object(&key, &last.tag, None).await?;
            objects.set_deletes_tell(matches!(again, Removal::Gone));
            let listing = Listing { prefix: directory, by_directory: true, ..Listing::default() };
            objects.set_keeps_directories(!objects.list(&listing, None).await?.items.is_empty());
            return Ok(lie);
        }
    }
    objects.set_deletes_conditionally(false);
    // What is left here decides nothing.
    if let Err(error) = objects.delete_final(&key).await {
        tracing::debug!(%error, key, "the object of the probe was not removed");
    }
    Ok(lie)
}

/// Asks whether the store can be read, and prepares `objects` for all that may be in it.
pub(crate) async fn read(objects: &Objects) -> Result<()> {
    // Tombstones may be there, whatever the server does with conditions.
    objects.set_deletes_conditionally(false);
    objects.list(&Listing { limit: Some(1), ..Listing::default() }, None).await?;
    Ok(())
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
    // Twice, because a 500 can also be a failure of the server.
    for quoted in [true, false, true, false] {
        objects.set_quoted(quoted);
        if let Put::Stored = put(objects, key, &tombstone(), objects.update(tag)).await? {
            return Ok(None);
        }
    }
    Ok(Some(Unsuitable::RefusesMatch))
}

/// Whether a DELETE with the ETag of an earlier state is refused. A server that ignores the condition deletes the
/// object, and says so or not.
async fn honours_delete(objects: &Objects, key: &str, stale: &Tag) -> Result<bool> {
    let location = objects.key(key)?;
    let mut attempt = 0;
    loop {
        let Err(error) = objects.delete_if(&location, stale).await else { return Ok(false) };
        // A request that was lost shows nothing, except that it may have deleted the object.
        let remains = objects.look(key).await?.is_some();
        if !remains || is_response(&error) || hopeless(&error).is_some() {
            return Ok(remains);
        }
        attempt += 1;
        if attempt == ATTEMPTS {
            return Err(explain(error));
        }
        pause(attempt).await;
    }
}

/// Puts an object. A failure that says nothing of the condition is no refusal: the put is repeated.
async fn put(objects: &Objects, key: &str, sealed: &Sealed, mode: PutMode) -> Result<Put> {
    let location = objects.key(key)?;
    let mut attempt = 0;
    loop {
        let options = PutOptions { mode: mode.clone(), ..objects.options() };
        let payload = sealed.bytes.clone();
        let put = objects.clients().decisive.put_opts(&location, payload, options).await;
        let Err(error) = put else { return Ok(Put::Stored) };
        if let Some(error) = hopeless(&error) {
            return Err(error);
        }
        match objects.look(key).await? {
            Some(found) if wrote(&found, &sealed.nonce) => return Ok(Put::Stored),
            Some(_) if is_response(&error) => return Ok(Put::Refused),
            _ => {}
        }
        attempt += 1;
        if attempt == ATTEMPTS {
            return Err(explain(error));
        }
        pause(attempt).await;
    }
}

/// Whether the server has judged a request: by 4xx, or by the 500 that Ceph gives to losers.
fn is_response(error: &object_store::Error) -> bool {
    use object_store::Error as Engine;
    match error {
        Engine::Precondition { .. } | Engine::AlreadyExists { .. } | Engine::NotFound { .. } => {
            true
        }
        _ => matches!(status(error), Some(500)),
    }
}
