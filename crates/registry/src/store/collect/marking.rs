//! The first step of a collection: which content is in use.

use std::collections::{HashMap, HashSet};

use futures::{StreamExt, TryStreamExt, future::ready};
use storage_driver::{Metadata, Path, WalkOptions};

use super::{
    Terms,
    skipped::{Gone, Result, Skipped, corrupted},
};
use crate::{
    digest::Digest,
    layout,
    name::Name,
    store::{
        base::{Link, Store},
        error::Error,
        files::{CONCURRENCY, is_nothing},
        manifest::{Manifest, Marks},
    },
};

/// A manifest of a repository.
pub(super) struct Revision {
    /// `None` if it is lost.
    pub(super) link: Option<Metadata>,
    /// Its references; an error if they cannot be known.
    pub(super) read: Result<Marks>,
}

impl Revision {
    pub(super) fn references(&self) -> &[Digest] {
        self.read.as_ref().map_or(&[], |marks| &marks.references)
    }

    pub(super) fn children(&self) -> &[Digest] {
        self.read.as_ref().map_or(&[], |marks| &marks.children)
    }

    pub(super) fn subject(&self) -> Option<Digest> {
        self.read.as_ref().ok()?.subject
    }

    pub(super) fn is_recent(&self, terms: &Terms<'_>) -> bool {
        self.link.as_ref().is_some_and(|link| terms.age(link) < terms.options.grace)
    }
}

impl Store {
    /// All manifests, and everything that they refer to.
    pub(super) async fn mark(&self, gone: &Gone, skipped: &mut Skipped) -> Result<HashSet<Digest>> {
        let mut used = HashSet::new();
        let mut names = std::pin::pin!(self.all_repositories());
        while let Some(name) = names.try_next().await? {
            let mut is_judged = true;
            for (digest, revision) in self.revisions(&name, skipped).await? {
                if gone.contains(&(name.clone(), digest)) {
                    continue;
                }
                used.insert(digest);
                match revision.read {
                    Ok(marks) => used.extend(marks.references),
                    Err(error) => {
                        skipped.add(&layout::blob(&digest), &error);
                        is_judged = false;
                    }
                }
            }
            if !is_judged {
                // All manifests of the repository are marked already.
                let mut layers = std::pin::pin!(self.files_below(&layout::layers(&name), "link"));
                while let Some((digest, _)) = layers.try_next().await? {
                    used.insert(digest);
                }
            }
        }
        Ok(used)
    }

    /// The manifests of a repository, with their references.
    pub(super) async fn revisions(
        &self,
        name: &Name,
        skipped: &mut Skipped,
    ) -> Result<HashMap<Digest, Revision>> {
        let links = self.files_below(&layout::revisions(name), "link");
        let revisions = links.map_ok(|(digest, link)| async move {
            let read = match self.read_manifest(&digest, |content| Manifest::marks(content)).await {
                Ok(Some(marks)) => Ok(marks),
                // Deleted since the link was found.
                Ok(None) if self.file(&link.path).await.is_ok_and(|link| link.is_none()) => {
                    return Ok(None);
                }
                Ok(None) => Err(corrupted("the content of a manifest is missing or damaged")),
                Err(error) => Err(error.into_driver()),
            };
            Ok(Some((digest, Revision { link: Some(link), read })))
        });
        let revisions = revisions.try_buffer_unordered(CONCURRENCY);
        let mut revisions: HashMap<Digest, Revision> =
            revisions.try_filter_map(|revision| ready(Ok(revision))).try_collect().await?;
        self.add_unlinked(name, &mut revisions, skipped).await?;
        Ok(revisions)
    }

    /// Adds the manifests that are not among `revisions`, but that a tag or an index leads to: their links are
    /// lost, or they were pushed since the links were listed.
    async fn add_unlinked(
        &self,
        name: &Name,
        revisions: &mut HashMap<Digest, Revision>,
        skipped: &mut Skipped,
    ) -> Result<()> {
        let tags = self.all_tags(name).map_err(Error::into_driver);
        let named =
            tags.map_ok(async |tag| match self.read_link(&layout::current(name, &tag)).await {
                Ok(Link::To(digest, _)) => Ok(Some(digest)),
                Err(error) if error.is_retryable() => Err(error),
                _ => Ok(None),
            });
        let named = named.try_buffer_unordered(CONCURRENCY).try_filter_map(|it| ready(Ok(it)));
        let mut leads: Vec<Digest> = named.try_collect().await?;
        leads.extend(revisions.values().flat_map(Revision::children));
        while let Some(digest) = leads.pop() {
            if revisions.contains_key(&digest) {
                continue;
            }
            let marks = match self.read_manifest(&digest, |content| Manifest::marks(content)).await
            {
                Ok(Some(marks)) => marks,
                Err(error) if error.is_retryable() => return Err(error.into_driver()),
                // There is no such manifest to be kept.
                _ => continue,
            };
            leads.extend(&marks.children);
            let path = layout::revision(name, &digest);
            let link = self.file(&path).await.map_err(Error::into_driver)?;
            if link.is_none() {
                skipped.add(&path, &corrupted("the link of a manifest that is in use is missing"));
            }
            revisions.insert(digest, Revision { link, read: Ok(marks) });
        }
        Ok(())
    }

    /// The files below a directory whose paths end in the algorithm, the digits and `name`.
    pub(super) fn files_below<'a>(
        &'a self,
        dir: &Path,
        name: &'static str,
    ) -> impl futures::Stream<Item = Result<(Digest, Metadata)>> + Send + 'a {
        let walk = self.driver.walk(dir, WalkOptions::new());
        walk.filter_map(move |entry| async move {
            let entry = match entry {
                Ok(entry) if entry.is_file() && entry.name() == name => entry,
                Err(error) if !is_nothing(&error) => return Some(Err(error)),
                _ => return None,
            };
            let mut parts = entry.path().components().rev().skip(1);
            let (hex, mut algorithm) = (parts.next()?, parts.next()?);
            if algorithm.len() == 2 {
                // The path of a blob has the first two digits in between.
                algorithm = parts.next()?;
            }
            let digest = layout::digest(algorithm, hex)?;
            let file = self.described(&entry).await.transpose()?;
            Some(file.map(|file| (digest, file)))
        })
    }
}
