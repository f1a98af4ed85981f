//! Abandoned uploads, and links without a blob.

use std::{collections::HashSet, pin::pin, time::Duration};

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::StorageDriverExt;

use super::{
    Terms,
    report::GcReport,
    skipped::{Result, Skipped},
};
use crate::{
    digest::Digest,
    layout,
    name::Name,
    store::{base::Store, files::CONCURRENCY, uploads::stale::is_stale},
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
        let links = self.files_below(&layout::layers(name), "link");
        let links = links
            .try_filter(|(digest, link)| ready(!used.contains(digest) && terms.age(link) >= grace));
        let sweeps = links.map_ok(|(digest, link)| async move {
            let swept = async {
                let is_there =
                    !doomed.contains(&digest) && self.driver.exists(&layout::blob(&digest)).await?;
                Ok(!is_there && self.delete_seen(terms, &link.path, link.version).await?)
            };
            let swept = swept.await;
            Ok((link.path, swept))
        });
        let mut sweeps = pin!(sweeps.try_buffer_unordered(CONCURRENCY));
        while let Some((path, swept)) = sweeps.try_next().await? {
            report.links += u64::from(skipped.pass(&path, swept)? == Some(true));
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
        let stale = files.into_iter().filter(|it| terms.age(it) >= terms.options.upload_ttl);
        let deletions = stream::iter(stale).map(|file| async move {
            let deleted = self.delete_seen(terms, &file.path, file.version).await;
            (file.path, deleted)
        });
        let mut deletions = pin!(deletions.buffer_unordered(CONCURRENCY));
        let mut count = 0;
        while let Some((path, deleted)) = deletions.next().await {
            count += u64::from(skipped.pass(&path, deleted)? == Some(true));
        }
        Ok(count)
    }
}
