//! Garbage collection, while clients push.
//!
//! Clients are not stopped and nothing is locked. The order of the steps makes this safe:
//!
//! ```text
//! mark ─▶ candidates: not marked, older than the grace, each with its version ─▶ mark again ─▶ delete
//! ```
//!
//! The second marking sees every manifest that was pushed before the candidates were listed. The blobs of a
//! manifest that is pushed later may be candidates. But a client that learns of a blob, or refers to it, gives it a
//! new version if the blob is older than half of the grace ([`Store::hold`]), and candidates are. A deletion names
//! the version that was listed, and fails on a newer one.
//!
//! A push that takes longer than half of the grace checks all its blobs again after its links and tags are written,
//! where the next marking sees them. So the argument holds for any grace.
//!
//! # Many nodes
//!
//! Two collections at once are safe: what one has deleted, the other does not find, and what clients have changed since,
//! neither deletes. They would only do the work twice. So a node collects while it holds a *lease*, a small file
//! outside of distribution's tree, with a text that changes as long as the node works. A node that finds it watches it.
//! If it changes, another node collects. If it does not change for a minute, by the clock of the node that watches, the
//! holder is gone, and its successor begins anew. No two clocks are compared, and nothing but economy depends on it.
//!
//! Ages are by the clock of the store: the present is the time of the lease that was just written. A node whose clock is
//! wrong deletes neither early nor never. [`Store::hold`] does not rely on the clock of the node alone either (see
//! `StoreClock`). This is as good as the driver's times: a driver that dates files by the clock of its process, as
//! `filesystem` does, and `bucket`, needs clocks on all nodes that agree within a small part of the grace.
//!
//! # When the new version cannot be written
//!
//! A full or broken store can refuse the new version. The consequence depends on the request ([`Hold`]):
//!
//! - A **manifest push** fails. This keeps the argument above sound: no manifest gets a 201 whose blobs a running
//!   collection may still delete.
//! - A **read**, a **mount** and an **upload** of an existing blob succeed, and the failure is logged. The blob may
//!   be collected before a manifest refers to it. The manifest push checks each blob again, and its response names
//!   the missing one.
//!
//! With `read_only` nothing is touched: there are no pushes to protect, and such a store must not be collected.
//!
//! # Damage
//!
//! Damage, such as a power cut leaves, must neither stop a collection nor let it delete content that may be in
//! use. Each file that cannot be read is logged with its path and counted in [`GcReport::skipped`], and everything
//! that may depend on it is kept:
//!
//! - A **manifest** whose link is lost is kept, with everything that it refers to, if a tag or an index leads to
//!   it.
//! - A **tag** whose link cannot be read may name any manifest: no untagged manifest of its repository is
//!   deleted.
//! - A **manifest** that is missing, cannot be read, or does not match its digest may refer to everything in its
//!   repository: all blobs and manifests that are linked there count as used.
//!
//! A module imports only modules that are listed above it:
//!
//! ```text
//! report    skipped   lease
//! marking
//! untagged  sweeping
//! ```

mod lease;
mod marking;
mod report;
mod skipped;
mod sweeping;
mod untagged;

use std::{
    collections::HashSet,
    pin::pin,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{ErrorKind, Metadata, Operation, Path, Precondition, SweepOptions, Version};

pub use self::report::GcReport;
use self::skipped::{Gone, Result, Skipped};
use super::{
    base::Store,
    files::{CONCURRENCY, age},
};
use crate::{digest::Digest, layout, name::Name, options::GcOptions};

/// A blob that is not in use, in the version that was listed.
struct Candidate {
    path: Path,
    digest: Digest,
    version: Version,
    size: u64,
}

/// What a collection deletes, and the time by which it judges ages.
struct Terms<'a> {
    options: &'a GcOptions,
    /// By the clock of the store.
    now: SystemTime,
}

impl Terms<'_> {
    fn age(&self, file: &Metadata) -> Duration {
        age(file, self.now)
    }
}

impl Store {
    /// Deletes garbage, unless another node does.
    pub(crate) async fn collect(&self, options: &GcOptions) -> Result<GcReport> {
        let is_safe = self.capabilities.touch && self.capabilities.preconditions;
        let mut report = GcReport { node: self.options.node.clone(), ..GcReport::default() };
        if options.dry_run {
            // It writes nothing, so it may not know the time of the store.
            self.collect_by(&Terms { options, now: self.clock.now() }, &mut report).await?;
            return Ok(report);
        }
        if !is_safe {
            let cause = "a collection needs a driver with touch and preconditions";
            let error = storage_driver::Error::new(ErrorKind::Unsupported).with_source(cause);
            return Err(error.context(self.driver.name(), Operation::Delete, &layout::blobs()));
        }
        let mut lease = match self.take_lease().await? {
            Ok(lease) => lease,
            Err(holder) => return Ok(GcReport { held_by: Some(holder), ..report }),
        };
        let terms = Terms { options, now: lease.taken() };
        let collected = lease.keep_during(self.collect_by(&terms, &mut report)).await;
        match collected {
            Some(collected) => {
                lease.release().await;
                collected?;
            }
            None => report.held_by = Some(self.lease_holder().await?),
        }
        Ok(report)
    }

    async fn collect_by(&self, terms: &Terms<'_>, report: &mut GcReport) -> Result<()> {
        let options = terms.options;
        let mut skipped = Skipped::default();
        self.sweep_uploads(terms, report, &mut skipped).await?;
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        report.repositories = names.len() as u64;
        let mut gone = Gone::new();
        if options.untagged {
            for name in &names {
                self.drop_untagged(name, terms, &mut gone, report, &mut skipped).await?;
            }
        }
        let mut used = self.mark(&gone, &mut skipped).await?;
        let candidates = self.candidates(terms, &used, report).await?;
        if !candidates.is_empty() {
            used = self.mark(&gone, &mut skipped).await?;
        }
        let mut doomed = HashSet::new();
        let unused = candidates.into_iter().filter(|it| !used.contains(&it.digest));
        let deletions =
            stream::iter(unused).map(|Candidate { path, digest, version, size }| async move {
                let deleted = self.delete_seen(terms, &path, version).await;
                (path, digest, size, deleted)
            });
        let mut deletions = pin!(deletions.buffer_unordered(CONCURRENCY));
        while let Some((path, digest, size, deleted)) = deletions.next().await {
            if skipped.pass(&path, deleted)? != Some(true) {
                continue;
            }
            if options.dry_run {
                doomed.insert(digest);
            }
            report.blobs += 1;
            report.bytes += size;
        }
        for name in &names {
            self.sweep_links(name, terms, &used, &doomed, report, &mut skipped).await?;
        }
        report.used = used.len() as u64;
        report.skipped = skipped.count();
        if !options.dry_run {
            let sweep = SweepOptions::new();
            let sweep = if options.deep { sweep.deep() } else { sweep };
            report.sweep = self.driver.sweep(sweep).await?;
        }
        Ok(())
    }

    /// Deletes a file, unless it has changed since it was seen in this version. A dry run deletes nothing, and says that it
    /// has.
    async fn delete_seen(&self, terms: &Terms<'_>, path: &Path, seen: Version) -> Result<bool> {
        match terms.options.dry_run {
            true => Ok(true),
            false => self.deleted(path, Precondition::IfVersion(seen)).await,
        }
    }

    /// The blobs that are not in use and older than the grace.
    async fn candidates(
        &self,
        terms: &Terms<'_>,
        used: &HashSet<Digest>,
        report: &mut GcReport,
    ) -> Result<Vec<Candidate>> {
        let mut blobs = pin!(self.files_below(&layout::blobs(), "data"));
        let mut candidates = Vec::new();
        while let Some((digest, file)) = blobs.try_next().await? {
            if used.contains(&digest) {
                continue;
            }
            if terms.age(&file) < terms.options.grace {
                report.recent += 1;
                continue;
            }
            let Metadata { path, version, size, .. } = file;
            candidates.push(Candidate { path, digest, version, size });
        }
        Ok(candidates)
    }
}
