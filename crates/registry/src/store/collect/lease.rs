//! [`Lease`]: the right to collect, for economy. Nothing depends on it.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use futures::future::{Either, select};
use storage_driver::{Payload, Precondition, Version};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::skipped::Result;
use crate::{layout, store::base::Store};

/// The time after which a lease that does not change is taken over.
const STALE: Duration = Duration::from_secs(60);
/// How often the holder changes it.
const RENEWAL: Duration = Duration::from_secs(15);
/// How often a node that waits looks at it.
const POLL: Duration = Duration::from_secs(2);
/// More than a lease has: the name of a node, and a number.
const LEASE_BYTES: u64 = 4 << 10;

/// A lease that this node holds.
pub(super) struct Lease<'a> {
    store: &'a Store,
    version: Version,
    taken: SystemTime,
}

/// A lease as it is in the store.
struct Found {
    holder: String,
    version: Version,
}

impl Store {
    /// Takes the lease, or returns the name of the node that holds it. Whether a holder still works is known after 15
    /// seconds, or after a minute if it does not.
    pub(super) async fn take_lease(&self) -> Result<Result<Lease<'_>, String>> {
        let mut first: Option<(Found, Instant)> = None;
        loop {
            let precondition = match (self.find_lease().await?, &first) {
                (None, None) => Precondition::IfAbsent,
                // It has ended just now.
                (None, Some((gone, _))) => return Ok(Err(gone.holder.clone())),
                (Some(found), None) => {
                    first = Some((found, Instant::now()));
                    continue;
                }
                (Some(found), Some((first, _))) if found.version != first.version => {
                    return Ok(Err(found.holder));
                }
                (Some(found), Some((_, since))) if since.elapsed() >= STALE => {
                    tracing::warn!(node = found.holder, "this node does not collect any more");
                    Precondition::IfVersion(found.version)
                }
                (Some(_), Some(_)) => {
                    sleep(POLL).await;
                    continue;
                }
            };
            match self.put_lease(precondition).await {
                Err(error) if error.is_precondition_failed() => {}
                put => {
                    let (version, taken) = put?;
                    return Ok(Ok(Lease { store: self, version, taken }));
                }
            }
        }
    }

    /// The name of the node that holds the lease; empty if it has ended.
    pub(super) async fn lease_holder(&self) -> Result<String> {
        Ok(self.find_lease().await?.map(|found| found.holder).unwrap_or_default())
    }

    async fn find_lease(&self) -> Result<Option<Found>> {
        let content = match self.driver.get_content(&layout::lease(), LEASE_BYTES).await {
            Err(error) if error.is_not_found() => return Ok(None),
            content => content?,
        };
        let version = content.metadata().version.clone();
        let text = content.into_bytes();
        let text = String::from_utf8_lossy(&text);
        Ok(Some(Found { holder: text.lines().next().unwrap_or_default().to_owned(), version }))
    }

    /// Writes a text that no lease has had before, so that it has another version with every driver.
    async fn put_lease(&self, precondition: Precondition) -> Result<(Version, SystemTime)> {
        let text = format!("{}\n{}\n", self.options.node, Uuid::new_v4());
        let (path, text) = (layout::lease(), Payload::from(text));
        let lease = self.driver.put_content(&path, text, precondition).await?;
        Ok((lease.version, lease.modified))
    }
}

impl Lease<'_> {
    /// When it was taken, by the clock of the store.
    pub(super) fn taken(&self) -> SystemTime {
        self.taken
    }

    /// Renews the lease until `work` has ended. `None` if another node took it over: `work` is dropped then.
    pub(super) async fn keep_during<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        match select(pin!(work), pin!(self.renew_until_lost())).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }

    async fn renew_until_lost(&mut self) {
        loop {
            sleep(RENEWAL).await;
            let same = Precondition::IfVersion(self.version.clone());
            match self.store.put_lease(same).await {
                Ok((version, _)) => self.version = version,
                Err(error) if error.is_precondition_failed() => return,
                // It is tried again. The work continues: it is safe without a lease.
                Err(error) => tracing::warn!(%error, "the lease of a collection cannot be renewed"),
            }
        }
    }

    /// Ends the lease. If that fails, it ends by itself.
    pub(super) async fn release(self) {
        let same = Precondition::IfVersion(self.version);
        if let Err(error) = self.store.deleted(&layout::lease(), same).await {
            tracing::warn!(%error, "the lease of a collection cannot be released");
        }
    }
}
