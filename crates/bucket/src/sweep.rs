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
use storage_driver::{Result, SweepOptions, SweepReport};

use crate::{backend::Backend, envelope::tombstone, lease::Lease, nonce, objects::Item};

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
            let mut report = SweepReport::new();
            report.skipped = true;
            return Ok(report);
        };
        let report = lease.hold_during(self.sweep_now(options)).await;
        lease.release().await;
        report
    }

    async fn sweep_now(&self, options: &SweepOptions) -> Result<SweepReport> {
        let now = self.server_time().await?;
        let age = Age { now, grace: options.grace.unwrap_or(self.grace) };
        let report = SweepReport::new();
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
            self.report.markers += self.remove(old.map(|item| item.key)).await?;
        }
        Ok(())
    }
}
