//! The probe at every opening: a few requests that show whether conditions are honoured.

use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};
use storage_driver::{Error, ErrorKind, Result};

use crate::{
    envelope::{Sealed, tombstone},
    error::{explain, status},
    http::delete_if,
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
    /// What was stored is not there afterwards.
    #[error("the bucket lost an object that it had just acknowledged")]
    LosesPuts,
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

/// Probes the store, and tells `objects` how it wants its conditions.
pub(crate) async fn probe(objects: &Objects) -> Result<()> {
    let directory = format!("!probe/{}/", nonce::fresh());
    let key = format!("{directory}a/b");
    let first = tombstone();
    if let Put::Refused = put(objects, &key, &first, PutMode::Create).await? {
        return Err(Unsuitable::LosesPuts.into());
    }
    let second = tombstone();
    if let Put::Stored = put(objects, &key, &second, PutMode::Create).await? {
        return Err(Unsuitable::IgnoresCreate.into());
    }
    let wrong = UpdateVersion {
        e_tag: Some("\"00000000000000000000000000000000\"".to_owned()),
        version: Some("1".to_owned()),
    };
    if let Put::Stored = put(objects, &key, &second, PutMode::Update(wrong)).await? {
        return Err(Unsuitable::IgnoresMatch.into());
    }
    let mut tag = objects.look(&key).await?.ok_or(Unsuitable::LosesPuts)?.tag;
    let mut accepted = false;
    // Twice, because a 500 can also be a failure of the server.
    for quoted in [true, false, true, false] {
        objects.set_quoted(quoted);
        let next = tombstone();
        if let Put::Stored = put(objects, &key, &next, objects.update(&tag)).await? {
            accepted = true;
            break;
        }
    }
    if !accepted {
        return Err(Unsuitable::RefusesMatch.into());
    }
    let stale = tag;
    tag = objects.look(&key).await?.ok_or(Unsuitable::LosesPuts)?.tag;
    if objects.clients().can_condition_delete {
        let honoured = honours_delete(objects, &key, &stale).await?;
        objects.set_deletes_conditionally(honoured);
        if honoured {
            objects.remove_object(&key, &tag, None).await?;
            let again = objects.remove_object(&key, &tag, None).await?;
            objects.set_deletes_tell(matches!(again, Removal::Gone));
            let listing = Listing { prefix: directory, by_directory: true, ..Listing::default() };
            objects.set_keeps_directories(!objects.list(&listing, None).await?.items.is_empty());
            return Ok(());
        }
    }
    // What is left here decides nothing.
    if let Err(error) = objects.delete_final(&key).await {
        tracing::debug!(%error, key, "the object of the probe was not removed");
    }
    Ok(())
}

/// Whether a DELETE with the ETag of an earlier state is refused. A server that ignores the condition deletes the
/// object, and says so or not.
async fn honours_delete(objects: &Objects, key: &str, stale: &Tag) -> Result<bool> {
    let location = objects.key(key)?;
    let mut attempt = 0;
    loop {
        let delete = objects.clients().decisive.delete(&location);
        let Err(error) = delete_if(objects.condition(stale), delete).await else {
            return Ok(false);
        };
        // A request that was lost shows nothing.
        if is_response(&error) || hopeless(&error).is_some() {
            return Ok(objects.look(key).await?.is_some());
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
        let payload = sealed.bytes.clone().into();
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
