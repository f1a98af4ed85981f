//! Manifests that neither a tag nor another manifest leads to.

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
};

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::{Metadata, Precondition};

use super::{
    Terms,
    marking::Revision,
    report::GcReport,
    skipped::{Gone, Result, Skipped, corrupted},
};
use crate::{
    digest::Digest,
    layout,
    name::Name,
    store::{
        base::{Link, Store},
        error::Error,
        files::CONCURRENCY,
    },
};

impl Store {
    /// Deletes the manifests of a repository that neither a tag nor another manifest leads to. A manifest with a
    /// subject is kept as long as the subject.
    pub(super) async fn drop_untagged(
        &self,
        name: &Name,
        terms: &Terms<'_>,
        gone: &mut Gone,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        // Before the tags: a manifest that is tagged after this has a new link.
        let revisions = self.revisions(name, skipped).await?;
        let Some(tagged) = self.all_tagged(name, skipped).await? else { return Ok(()) };
        let mut is_judged = true;
        for (digest, revision) in &revisions {
            if let Err(error) = &revision.read {
                skipped.add(&layout::blob(digest), error);
                is_judged = false;
            }
        }
        if !is_judged {
            return Ok(());
        }
        let recent = revisions.iter().filter(|(_, it)| it.is_recent(terms));
        let mut reached: Vec<Digest> =
            tagged.into_iter().chain(recent.map(|(it, _)| *it)).collect();
        let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for (digest, revision) in &revisions {
            if let Some(subject) = revision.subject() {
                referrers.entry(subject).or_default().push(*digest);
            }
        }
        let mut kept = HashSet::new();
        while let Some(digest) = reached.pop() {
            if kept.insert(digest) {
                let children = revisions.get(&digest).map(Revision::references).unwrap_or_default();
                let referrers = referrers.get(&digest).into_iter().flatten();
                reached.extend(children.iter().chain(referrers).copied());
            }
        }
        let dropped = revisions.into_iter().filter(|(digest, _)| !kept.contains(digest));
        let linked = dropped.filter_map(|(digest, mut revision)| {
            let link = revision.link.take()?;
            Some((digest, revision, link))
        });
        let drops = stream::iter(linked).map(|(digest, revision, link)| async move {
            let deleted = match terms.options.dry_run {
                true => Ok(true),
                false => self.drop_revision(name, &digest, &revision, &link).await,
            };
            (digest, link.path, deleted)
        });
        let mut drops = pin!(drops.buffer_unordered(CONCURRENCY));
        while let Some((digest, path, deleted)) = drops.next().await {
            if skipped.pass(&path, deleted)? != Some(true) {
                continue;
            }
            if terms.options.dry_run {
                gone.insert((name.clone(), digest));
            }
            report.untagged_manifests += 1;
        }
        Ok(())
    }

    /// The manifests that the tags of a repository name; `None` if a tag cannot be read. A tag whose link is lost
    /// counts for every manifest that it has named.
    async fn all_tagged(&self, name: &Name, skipped: &mut Skipped) -> Result<Option<Vec<Digest>>> {
        let links = self.all_tags(name).map_err(Error::into_driver);
        let links = links.map_ok(|tag| async move {
            let path = layout::current(name, &tag);
            let link = self.read_link(&path).await;
            let named: Vec<Digest> = match link {
                Ok(Link::Missing) => {
                    let named = self.files_below(&layout::tag_indexes(name, &tag), "link");
                    named.map_ok(|(digest, _)| digest).try_collect().await?
                }
                _ => Vec::new(),
            };
            Ok((path, link, named))
        });
        let mut links = pin!(links.try_buffer_unordered(CONCURRENCY));
        let (mut tagged, mut is_judged) = (Vec::new(), true);
        while let Some((path, link, named)) = links.try_next().await? {
            let error = match link {
                Ok(Link::To(digest, _)) => {
                    tagged.push(digest);
                    continue;
                }
                Ok(Link::Missing) => {
                    if !named.is_empty() {
                        skipped.add(&path, &corrupted("the link of a tag is missing"));
                    }
                    tagged.extend(named);
                    continue;
                }
                Ok(Link::Damaged) => corrupted("the link of a tag holds no digest"),
                Err(error) => error,
            };
            skipped.add(&path, &error);
            is_judged = false;
        }
        Ok(is_judged.then_some(tagged))
    }

    /// Deletes a manifest from its repository. Returns `false` if it was pushed again meanwhile.
    async fn drop_revision(
        &self,
        name: &Name,
        digest: &Digest,
        revision: &Revision,
        link: &Metadata,
    ) -> Result<bool> {
        let attached = self.attached(name, digest, revision.subject().as_ref()).await;
        let attached = attached.map_err(Error::into_driver)?;
        if !self.deleted(&link.path, Precondition::IfVersion(link.version.clone())).await? {
            return Ok(false);
        }
        self.delete_unchanged(attached).await?;
        Ok(true)
    }
}
