//! The sweeper: removes the data that nothing names any more.
//!
//! It may be interrupted anywhere and run anywhere, also many times at once. Data is removed after a swap of its owner,
//! which fails if a holder was added meanwhile. The grace is for readers that are open, and for processes that have
//! added a holder and not yet put the record.

mod leftovers;
mod owners;

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::Result;

use crate::{backend::Backend, envelope::tombstone, lease::Lease, nonce, objects::Item};

/// What a sweep looks at.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Look at all data, all tombstones and all multipart uploads, not only where a hint points. It finds what crashed
    /// processes have left, and costs a few requests for each file that is not small.
    pub deep: bool,
    /// How long data stays that nothing names any more, instead of the grace that the driver was opened with.
    pub grace: Option<Duration>,
    /// Sweep only if no other process does, under a lease of this time. A process that has stopped loses the lease when
    /// this one has seen no sign of it for as long, which takes two sweeps. For economy: without a lease, sweeps of
    /// many processes are as safe, and send the same requests many times.
    pub lease: Option<Duration>,
}

impl SweepOptions {
    /// Only where hints point.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything.
    #[must_use]
    pub fn deep(mut self) -> Self {
        self.deep = true;
        self
    }

    /// Sets the [`lease`](Self::lease).
    #[must_use]
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = Some(time);
        self
    }

    /// Sets the [`grace`](Self::grace).
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }
}

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// How many owners it looked at.
    pub examined: u64,
    /// How many objects with data it removed.
    pub extents: u64,
    /// How many bytes those had.
    pub bytes: u64,
    /// How many hints and probes it removed.
    pub hints: u64,
    /// How many tombstones it removed.
    pub tombstones: u64,
    /// How many tombstones it found and left: younger than the grace, or in a store without conditional deletions.
    pub tombstones_left: u64,
    /// How many of the examined owners wait until the grace has passed.
    pub waiting: u64,
    /// How many multipart uploads it aborted.
    pub multiparts: u64,
    /// Another process held the lease, and nothing was looked at.
    pub skipped: bool,
}

/// How many objects are removed at once.
const PARALLEL: usize = 16;

/// What the sweeper knows of the server's clock.
#[derive(Debug, Clone, Copy)]
struct Age {
    now: SystemTime,
    grace: Duration,
}

impl Age {
    /// Whether something of that time is older than the grace. Both times are the server's.
    fn is_over(&self, time: SystemTime) -> bool {
        self.now.duration_since(time).is_ok_and(|age| age >= self.grace)
    }

    fn has_passed(&self, item: &Item) -> bool {
        item.modified.is_some_and(|time| self.is_over(time))
    }
}

/// A sweep under way.
struct Sweep<'a> {
    backend: &'a Backend,
    age: Age,
    deep: bool,
    report: SweepReport,
}

impl Backend {
    pub(crate) async fn sweep(self: &Arc<Self>, options: &SweepOptions) -> Result<SweepReport> {
        let Some(time) = options.lease else { return self.sweep_now(options).await };
        let lease = Lease::take(&self.objects, "sweep", time, &self.sightings).await?;
        let Some(mut lease) = lease else {
            return Ok(SweepReport { skipped: true, ..SweepReport::default() });
        };
        let report = lease.hold_during(self.sweep_now(options)).await;
        lease.release().await;
        report
    }

    async fn sweep_now(&self, options: &SweepOptions) -> Result<SweepReport> {
        let now = self.server_time().await?;
        let age = Age { now, grace: options.grace.unwrap_or(self.grace) };
        let report = SweepReport::default();
        let mut sweep = Sweep { backend: self, age, deep: options.deep, report };
        sweep.hinted().await?;
        if options.deep {
            sweep.every_owner().await?;
            sweep.ownerless_data().await?;
            sweep.multiparts().await?;
            sweep.tombstones().await?;
        }
        for prefix in ["!probe/", "!time/"] {
            sweep.scratch(prefix).await?;
        }
        Ok(sweep.report)
    }

    /// The time of the server's clock, in which objects are dated.
    async fn server_time(&self) -> Result<SystemTime> {
        let key = format!("!time/{}", nonce::fresh());
        self.objects.put_hint(&key, tombstone()).await?;
        let found = self.objects.look(&key).await?;
        self.objects.delete_final(&key).await?;
        Ok(found.map_or(SystemTime::UNIX_EPOCH, |found| found.modified))
    }
}

impl Sweep<'_> {
    /// Removes objects that nothing can write any more, many at once.
    async fn remove(&self, keys: impl IntoIterator<Item = String>) -> Result<u64> {
        let objects = &self.backend.objects;
        let removals = keys.into_iter().map(|key| async move { objects.delete_final(&key).await });
        let removals = stream::iter(removals).buffer_unordered(PARALLEL);
        removals.try_fold(0, async |count, ()| Ok(count + 1)).await
    }

    /// Removes the old objects below a prefix.
    async fn scratch(&mut self, prefix: &str) -> Result<()> {
        let mut pages = pin!(self.backend.objects.pages_below(prefix));
        while let Some(items) = pages.try_next().await? {
            let old = items.into_iter().filter(|item| self.age.has_passed(item));
            self.report.hints += self.remove(old.map(|item| item.key)).await?;
        }
        Ok(())
    }
}
