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
//! A push that takes longer than half of the grace checks all its blobs again after its links are written, where
//! the next marking sees them. So the argument holds for any grace.
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

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{
    ErrorKind, Metadata, Operation, Path, Precondition, StorageDriverExt, Version, WalkOptions,
};

use super::{
    base::{Link, Store},
    error::Error,
    files::{CONCURRENCY, age, is_nothing, warn_unreadable},
    manifest::{Manifest, Marks},
    uploads::stale::is_stale,
};
use crate::{digest::Digest, layout, name::Name, options::GcOptions};

type Result<T, E = storage_driver::Error> = std::result::Result<T, E>;

/// The result of a collection; of a dry run, what a collection would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GcReport {
    /// The number of repositories.
    pub repositories: u64,
    /// Blobs and manifests that are in use.
    pub used: u64,
    /// Unused blobs and manifests that are younger than the grace.
    pub recent: u64,
    /// Untagged manifests that were deleted from their repositories.
    pub untagged_manifests: u64,
    /// Blobs and manifests that were deleted.
    pub blobs: u64,
    /// The size of the deleted blobs and manifests, in bytes.
    pub bytes: u64,
    /// Deleted links whose blob does not exist.
    pub links: u64,
    /// Abandoned uploads that were cancelled, and deleted leftovers of uploads.
    pub uploads: u64,
    /// Files that could not be read or deleted. The log names each, and everything that may depend on it is
    /// kept.
    pub skipped: u64,
}

impl fmt::Display for GcReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repositories,
            used,
            recent,
            untagged_manifests,
            blobs,
            bytes,
            links,
            uploads,
            ..
        } = self;
        write!(
            f,
            "{blobs} blobs with {bytes} bytes, {untagged_manifests} untagged manifests, {links} links and \
             {uploads} uploads deleted; {used} blobs used by {repositories} repositories, {recent} unused but recent"
        )?;
        match self.skipped {
            0 => Ok(()),
            skipped => write!(f, "; {skipped} unreadable files skipped, see the log"),
        }
    }
}

/// A manifest of a repository.
struct Revision {
    /// `None` if it is lost.
    link: Option<Metadata>,
    /// What it refers to; an error if that cannot be known.
    read: Result<Marks>,
}

impl Revision {
    fn references(&self) -> &[Digest] {
        self.read.as_ref().map_or(&[], |marks| &marks.references)
    }

    fn children(&self) -> &[Digest] {
        self.read.as_ref().map_or(&[], |marks| &marks.children)
    }

    fn subject(&self) -> Option<Digest> {
        self.read.as_ref().ok()?.subject
    }

    fn is_younger_than(&self, grace: Duration) -> bool {
        self.link.as_ref().is_some_and(|link| age(link) < grace)
    }
}

/// The files that a collection could not read or delete.
#[derive(Default)]
struct Skipped(HashSet<Path>);

impl Skipped {
    /// Adds a file, and logs it once.
    fn add(&mut self, path: &Path, error: &storage_driver::Error) {
        if self.0.insert(path.clone()) {
            warn_unreadable(path, error);
        }
    }

    /// The outcome for one file, if the collection can continue.
    fn pass<T>(&mut self, path: &Path, outcome: Result<T>) -> Result<Option<T>> {
        match outcome {
            Err(error) if !error.is_retryable() => {
                self.add(path, &error);
                Ok(None)
            }
            outcome => outcome.map(Some),
        }
    }
}

fn corrupted(cause: &'static str) -> storage_driver::Error {
    storage_driver::Error::new(ErrorKind::Corrupted).with_source(cause)
}

/// A blob that is not in use, in the version that was listed.
struct Candidate {
    path: Path,
    digest: Digest,
    version: Version,
    size: u64,
}

/// The manifests that a dry run treats as deleted.
type Gone = HashSet<(Name, Digest)>;

impl Store {
    /// Deletes garbage.
    pub(crate) async fn collect(&self, options: &GcOptions) -> Result<GcReport> {
        let is_safe = self.capabilities.touch && self.capabilities.preconditions;
        if !is_safe && !options.dry_run {
            let cause = "a collection needs a driver with touch and preconditions";
            let error = storage_driver::Error::new(ErrorKind::Unsupported).with_source(cause);
            return Err(error.context(self.driver.name(), Operation::Delete, &layout::blobs()));
        }
        let (mut report, mut skipped) = (GcReport::default(), Skipped::default());
        self.sweep_uploads(options, &mut report, &mut skipped).await?;
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        report.repositories = names.len() as u64;
        let mut gone = Gone::new();
        if options.untagged {
            for name in &names {
                self.drop_untagged(name, options, &mut gone, &mut report, &mut skipped).await?;
            }
        }
        let mut used = self.mark(&gone, &mut skipped).await?;
        let candidates = self.candidates(options, &used, &mut report).await?;
        if !candidates.is_empty() {
            used = self.mark(&gone, &mut skipped).await?;
        }
        let mut doomed = HashSet::new();
        for candidate in candidates.iter().filter(|it| !used.contains(&it.digest)) {
            let precondition = Precondition::IfVersion(candidate.version.clone());
            if options.dry_run {
                doomed.insert(candidate.digest);
            } else {
                let deleted = self.deleted(&candidate.path, precondition).await;
                if skipped.pass(&candidate.path, deleted)? != Some(true) {
                    continue;
                }
            }
            report.blobs += 1;
            report.bytes += candidate.size;
        }
        for name in &names {
            self.sweep_links(name, options, &used, &doomed, &mut report, &mut skipped).await?;
        }
        report.used = used.len() as u64;
        report.skipped = skipped.0.len() as u64;
        Ok(report)
    }

    /// All manifests, and everything that they refer to.
    async fn mark(&self, gone: &Gone, skipped: &mut Skipped) -> Result<HashSet<Digest>> {
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

    /// The manifests of a repository, with what they refer to.
    async fn revisions(
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
    fn files_below<'a>(
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

    /// The blobs that are not in use and older than the grace.
    async fn candidates(
        &self,
        options: &GcOptions,
        used: &HashSet<Digest>,
        report: &mut GcReport,
    ) -> Result<Vec<Candidate>> {
        let mut blobs = std::pin::pin!(self.files_below(&layout::blobs(), "data"));
        let mut candidates = Vec::new();
        while let Some((digest, file)) = blobs.try_next().await? {
            if used.contains(&digest) {
                continue;
            }
            if age(&file) < options.grace {
                report.recent += 1;
                continue;
            }
            let Metadata { path, version, size, .. } = file;
            candidates.push(Candidate { path, digest, version, size });
        }
        Ok(candidates)
    }

    /// Deletes the manifests of a repository that neither a tag nor another manifest leads to. A manifest with a
    /// subject is kept as long as the subject.
    async fn drop_untagged(
        &self,
        name: &Name,
        options: &GcOptions,
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
        let recent = revisions.iter().filter(|(_, it)| it.is_younger_than(options.grace));
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
        for (digest, revision) in revisions.iter().filter(|(digest, _)| !kept.contains(*digest)) {
            let Some(link) = &revision.link else { continue };
            if options.dry_run {
                gone.insert((name.clone(), *digest));
            } else {
                let deleted = self.drop_revision(name, digest, revision, link).await;
                if skipped.pass(&link.path, deleted)? != Some(true) {
                    continue;
                }
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
        let mut links = std::pin::pin!(links.try_buffer_unordered(CONCURRENCY));
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
        // In the versions before the link is deleted: a push of the same manifest writes them after the
        // link, and they are kept.
        let mut others = vec![layout::media_type(name, digest)];
        others.extend(revision.subject().map(|it| layout::referrer(name, &it, digest)));
        let others = stream::iter(others).then(async |path| self.file(&path).await);
        let others = others.try_filter_map(|it| ready(Ok(it))).try_collect::<Vec<_>>().await;
        let others = others.map_err(Error::into_driver)?;
        if !self.deleted(&link.path, Precondition::IfVersion(link.version.clone())).await? {
            return Ok(false);
        }
        for file in others {
            self.deleted(&file.path, Precondition::IfVersion(file.version)).await?;
        }
        Ok(true)
    }

    /// Deletes the links of a repository to blobs that do not exist. A dry run passes the blobs that it treats as
    /// deleted in `doomed`.
    async fn sweep_links(
        &self,
        name: &Name,
        options: &GcOptions,
        used: &HashSet<Digest>,
        doomed: &HashSet<Digest>,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        // An upload writes its link just before its blob. A short grace must not delete it in between.
        let grace = options.grace.max(Duration::from_secs(60 * 60));
        let mut links = std::pin::pin!(self.files_below(&layout::layers(name), "link"));
        while let Some((digest, link)) = links.try_next().await? {
            if used.contains(&digest) || age(&link) < grace {
                continue;
            }
            let swept = async {
                let seen = Precondition::IfVersion(link.version);
                let is_there =
                    !doomed.contains(&digest) && self.driver.exists(&layout::blob(&digest)).await?;
                Ok(!is_there && (options.dry_run || self.deleted(&link.path, seen).await?))
            };
            let swept = swept.await;
            report.links += u64::from(skipped.pass(&link.path, swept)? == Some(true));
        }
        Ok(())
    }

    /// Cancels abandoned uploads, and deletes leftovers of others.
    async fn sweep_uploads(
        &self,
        options: &GcOptions,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        let (root, ttl) = (layout::repositories(), options.upload_ttl);
        if options.dry_run {
            let mut uploads = self.driver.uploads_all(&root);
            while let Some(upload) = uploads.try_next().await? {
                report.uploads += u64::from(is_stale(&upload, ttl));
            }
        } else {
            report.uploads += self.cancel_stale(ttl).await?;
        }
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        for name in &names {
            report.uploads += self.sweep_leftovers(name, options, skipped).await?;
        }
        Ok(())
    }

    /// Deletes old files among the uploads of a repository: staged uploads, and files of distribution or an older
    /// version of this registry.
    async fn sweep_leftovers(
        &self,
        name: &Name,
        options: &GcOptions,
        skipped: &mut Skipped,
    ) -> Result<u64> {
        let files = self.files_with_versions(&layout::uploads(name)).await?;
        let mut count = 0;
        for file in files.into_iter().filter(|file| age(file) >= options.upload_ttl) {
            let deleted = match options.dry_run {
                true => Ok(true),
                false => self.deleted(&file.path, Precondition::IfVersion(file.version)).await,
            };
            count += u64::from(skipped.pass(&file.path, deleted)? == Some(true));
        }
        Ok(count)
    }
}
