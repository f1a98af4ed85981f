//! [`Lease`]: who does a job that one process should do. For economy only: nothing rests on it.
//!
//! The holder changes the object again and again. A challenger takes it over when it has seen the same state for the
//! time of the lease, by its own monotonic clock: no two clocks are compared.

use std::{
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures::future::{Either, select};
use storage_driver::Result;
use tokio::time::Instant;

use crate::{
    envelope::{self, Kind, Sealed},
    objects::{Decision, Expect, Objects, Tag},
};

/// What a process has seen of a lease.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<Option<(Tag, Instant)>>);

impl Sightings {
    /// Whether a state has been the same for `time`.
    fn is_stale(&self, tag: &Tag, time: Duration) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*seen {
            Some((known, since)) if known == tag => since.elapsed() >= time,
            _ => {
                *seen = Some((tag.clone(), Instant::now()));
                false
            }
        }
    }
}

/// A lease that is held.
#[derive(Debug)]
pub(crate) struct Lease<'a> {
    objects: &'a Objects,
    key: String,
    tag: Tag,
    time: Duration,
}

impl<'a> Lease<'a> {
    /// Takes the lease `name` if it is free, or if its holder has not renewed it for `time`.
    pub(crate) async fn take(
        objects: &'a Objects,
        name: &str,
        time: Duration,
        sightings: &Sightings,
    ) -> Result<Option<Self>> {
        let key = format!("!leases/{name}");
        let expect = match objects.look(&key).await? {
            None => Expect::Absent,
            Some(found) if found.is(Kind::Tombstone) => Expect::Tag(found.tag),
            Some(found) if sightings.is_stale(&found.tag, time) => Expect::Tag(found.tag),
            Some(_) => return Ok(None),
        };
        Ok(match objects.decide(&key, &sealed(), &expect).await? {
            Decision::Won(tag) => Some(Self { objects, key, tag, time }),
            Decision::Lost(_) => None,
        })
    }

    /// Does a job, and renews the lease meanwhile. The job is done to its end also if the lease is lost.
    pub(crate) async fn hold_during<T>(&mut self, job: impl Future<Output = T>) -> T {
        let mut job = pin!(job);
        loop {
            let pause = pin!(tokio::time::sleep(self.time / 3));
            match select(job.as_mut(), pause).await {
                Either::Left((result, _)) => return result,
                Either::Right(((), _)) => {}
            }
            // A renewal that was begun is awaited: otherwise its tag would be unknown.
            match select(job.as_mut(), pin!(self.renew())).await {
                Either::Left((result, renewal)) => {
                    renewal.await;
                    return result;
                }
                Either::Right(((), _)) => {}
            }
        }
    }

    async fn renew(&mut self) {
        let expect = Expect::Tag(self.tag.clone());
        match self.objects.decide(&self.key, &sealed(), &expect).await {
            Ok(Decision::Won(tag)) => self.tag = tag,
            // The job continues: nothing rests on the lease.
            Ok(Decision::Lost(_)) => tracing::debug!(key = self.key, "a lease was lost"),
            // Perhaps it works next time.
            Err(error) => tracing::debug!(%error, key = self.key, "a lease was not renewed"),
        }
    }

    /// Gives the lease back.
    pub(crate) async fn release(self) {
        if let Err(error) = self.objects.remove(&self.key, &self.tag, false).await {
            tracing::debug!(%error, key = self.key, "a lease was not released");
        }
    }
}

fn sealed() -> Sealed {
    envelope::seal(Kind::Lease, &(), &[])
}
