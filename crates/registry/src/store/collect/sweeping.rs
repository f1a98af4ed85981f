//! Abandoned uploads, and links without a blob.

use std::{collections::HashSet, time::Duration};

use futures::TryStreamExt;
use storage_driver::{Precondition, StorageDriverExt};

use super::{
    Terms,
    report::GcReport,
    skipped::{Result, Skipped},
};
use crate::{
    digest::Digest,
    layout,
    name::Name,
    store::{base::Store, uploads::stale::is_stale},
};

impl Store {
    /// Deletes the links of a repository to blobs that do not exist. A dry run passes the blobs that it treats as
    /// deleted in `doomed`.
    pub(super) async fn sweep_links(
        &self,
        name: &Name,
        terms: &Terms<'_>,
        used: &HashSet<Digest>,
        doomed: &HashSet<Digest>,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        // An upload writes its link just before its blob. A short grace must not delete it in between.
        let grace = terms.options.grace.max(Duration::from_secs(60 * 60));
        let mut links = std::pin::pin!(self.files_below(&layout::layers(name), "link"));
        while let Some((digest, link)) = links.try_next().await? {
            if used.contains(&digest) || terms.age(&link) < grace {
                continue;
            }
            let swept = async {
                let seen = Precondition::IfVersion(link.version);
                let is_there =
                    !doomed.contains(&digest) && self.driver.exists(&layout::blob(&digest)).await?;
                Ok(!is_there && (terms.options.dry_run || self.deleted(&link.path, seen).await?))
            };
            let swept = swept.await;
            report.links += u64::from(skipped.pass(&link.path, swept)? == Some(true));
        }
        Ok(())
    }

    /// Cancels abandoned uploads, and deletes leftovers of others.
    pub(super) async fn sweep_uploads(
        &self,
        terms: &Terms<'_>,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        let (root, ttl) = (layout::repositories(), terms.options.upload_ttl);
        if terms.options.dry_run {
            let mut uploads = self.driver.uploads_all(&root);
            while let Some(upload) = uploads.try_next().await? {
                report.uploads += u64::from(is_stale(&upload, ttl, terms.now));
            }
        } else {
            report.uploads += self.cancel_stale(ttl).await?;
        }
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        for name in &names {
            report.uploads += self.sweep_leftovers(name, terms, skipped).await?;
        }
        Ok(())
    }

    /// Deletes old files among the uploads of a repository: staged uploads, and files of distribution or an older
    /// version of this registry.
    async fn sweep_leftovers(
        &self,
        name: &Name,
        terms: &Terms<'_>,
        skipped: &mut Skipped,
    ) -> Result<u64> {
        let files = self.files_with_versions(&layout::uploads(name)).await?;
        let mut count = 0;
        for file in files.into_iter().filter(|it| terms.age(it) >= terms.options.upload_ttl) {
            let deleted = match terms.options.dry_run {
                true => Ok(true),
                false => self.deleted(&file.path, Precondition::IfVersion(file.version)).await,
            };
            count += u64::from(skipped.pass(&file.path, deleted)? == Some(true));
        }
        Ok(count)
    }
}
