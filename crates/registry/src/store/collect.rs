//! Garbage collection, while clients push.
//!
//! Nothing is stopped and nothing is locked; what makes it safe is this order:
//!
//! ```text
//! mark ─▶ candidates: not marked, older than the grace, each with its version ─▶ mark again ─▶ delete
//! ```
//!
//! A manifest that was pushed before the candidates were taken is seen by the second marking. One that
//! is pushed later finds its blobs candidates or not; whoever is told that a blob is there, or refers to
//! it, gives it a new version if it has lain for half of the grace ([`Store::hold`]), and a candidate has.
//! A deletion is of the version that was seen, and fails on a newer one.
//!
//! A push that takes longer than half of the grace makes sure of all once more when its links are there,
//! for the next marking to see: whatever the grace, what it was told is taken is there.
//!
//! # When the new version cannot be written
//!
//! A full or broken store can refuse the new version. What happens then depends on who is told
//! ([`Hold`]):
//!
//! - A **manifest push** fails. This alone keeps the argument above sound: no manifest gets a 201 whose
//!   blobs a running collection may still delete.
//! - A **read**, a **mount** and an **upload** of a blob that is there succeed, and the failure is logged.
//!   The client may then find that the blob was collected before its manifest referred to it. The
//!   manifest push checks each blob again, so the client is told which one to push.
//!
//! With `read_only` nothing is touched: there are no pushes to protect, and a collection does not belong
//! on such a store.
//!
//! # What cannot be judged
//!
//! Damage, such as a power cut leaves, must neither stop a collection nor let it delete what may be in
//! use. Each file that cannot be read is logged with its path, counted in [`GcReport::skipped`], and
//! widens what is kept:
//!
//! - A **manifest** whose link is lost is kept, with everything that it refers to, if a tag or an index leads to
//!   it.
//! - A **tag** whose link cannot be read may name any manifest: no untagged manifest of its repository is
//!   deleted.
//! - A **manifest** that is missing, cannot be read, or does not have the digest by which it is called
//!   may refer to everything in its repository: all blobs and manifests that are linked there count as
//!   used.

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

/// What a collection did, or, as a dry run, would have done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct GcReport {
    /// Repositories that were looked at.
    pub repositories: u64,
    /// Blobs and manifests that something makes use of.
    pub used: u64,
    /// Unused blobs and manifests that are not old enough.
    pub recent: u64,
    /// Manifests that no tag led to, taken from their repositories.
    pub untagged_manifests: u64,
    /// Blobs and manifests that were deleted.
    pub blobs: u64,
    /// How many bytes these had.
    pub bytes: u64,
    /// Links that led to nothing.
    pub links: u64,
    /// Uploads in progress that were cancelled, and leftovers of uploads.
    pub uploads: u64,
    /// Files that could not be read or deleted. A warning in the log names each, and everything that
    /// may depend on it is kept.
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

/// The files that a collection could not judge.
#[derive(Default)]
struct Skipped(HashSet<Path>);

impl Skipped {
    /// Notes a file, which is logged once.
    fn add(&mut self, path: &Path, error: &storage_driver::Error) {
        if self.0.insert(path.clone()) {
            warn_unreadable(path, error);
        }
    }

    /// What became of one file, if the collection can continue.
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

/// A blob that nothing makes use of, as it was seen.
struct Candidate {
    path: Path,
    digest: Digest,
    version: Version,
    size: u64,
}

/// What a dry run takes for deleted.
type Gone = HashSet<(Name, Digest)>;

impl Store {
    /// Deletes what nothing makes use of.
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

    /// Everything that a manifest is made of, and the manifests.
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
                // All manifests of the repository are marked, so that its blobs are what is left.
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

    /// The files called `name` below a directory whose paths end in algorithm, digits and `name`.
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
                // Of a blob, the first two digits are in between.
                algorithm = parts.next()?;
            }
            let digest = layout::digest(algorithm, hex)?;
            let file = self.described(&entry).await.transpose()?;
            Some(file.map(|file| (digest, file)))
        })
    }

    /// The blobs that are not used, as they are now, and old enough.
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

    /// Takes the manifests from a repository that neither a tag nor another manifest leads to. One
    /// about a subject stays as long as that does.
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

    /// The manifests that tags of a repository name; `None` if a tag cannot be read. A tag that has lost
    /// its link names every manifest that it ever named.
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

    /// Takes a manifest from its repository; `false` if it was pushed again meanwhile.
    async fn drop_revision(
        &self,
        name: &Name,
        digest: &Digest,
        revision: &Revision,
        link: &Metadata,
    ) -> Result<bool> {
        // As they are before the link goes: whoever pushes the manifest again writes them after the
        // link, and keeps them.
        let mut beside = vec![layout::media_type(name, digest)];
        beside.extend(revision.subject().map(|it| layout::referrer(name, &it, digest)));
        let beside = stream::iter(beside).then(async |path| self.file(&path).await);
        let beside = beside.try_filter_map(|it| ready(Ok(it))).try_collect::<Vec<_>>().await;
        let beside = beside.map_err(Error::into_driver)?;
        if !self.deleted(&link.path, Precondition::IfVersion(link.version.clone())).await? {
            return Ok(false);
        }
        for file in beside {
            self.deleted(&file.path, Precondition::IfVersion(file.version)).await?;
        }
        Ok(true)
    }

    /// Deletes the links of a repository to blobs that are not there, which in a dry run those in
    /// `doomed` are not.
    async fn sweep_links(
        &self,
        name: &Name,
        options: &GcOptions,
        used: &HashSet<Digest>,
        doomed: &HashSet<Digest>,
        report: &mut GcReport,
        skipped: &mut Skipped,
    ) -> Result<()> {
        // An upload makes its link just before its blob. No grace is so short as to take it for a
        // leftover in between.
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

    /// Cancels uploads to which nothing was written for long, and deletes what others left behind.
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

    /// Deletes old files among the uploads of a repository: saved digests of uploads that ended, and
    /// what distribution keeps there.
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
