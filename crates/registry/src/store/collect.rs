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

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{
    Entry, ErrorKind, Metadata, Operation, Path, Precondition, Stat, StorageDriverExt, Version,
    WalkOptions,
};

use super::{CONCURRENCY, Store, age, manifest::Manifest};
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
}

impl fmt::Display for GcReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { repositories, used, recent, untagged_manifests, blobs, bytes, links, uploads } =
            self;
        write!(
            f,
            "{blobs} blobs with {bytes} bytes, {untagged_manifests} untagged manifests, {links} links and \
             {uploads} uploads deleted; {used} blobs used by {repositories} repositories, {recent} unused but recent"
        )
    }
}

/// A manifest of a repository.
struct Revision {
    link: Metadata,
    references: Vec<Digest>,
    subject: Option<Digest>,
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
        let needed = self.capabilities.touch && self.capabilities.conditional_put;
        if !needed {
            let cause = "a collection needs a driver with touch and conditional_put";
            let error = storage_driver::Error::new(ErrorKind::Unsupported).with_source(cause);
            return Err(error.context(self.driver.name(), Operation::Delete, &layout::blobs()));
        }
        let mut report = GcReport::default();
        self.sweep_uploads(options, &mut report).await?;
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        report.repositories = names.len() as u64;
        let mut gone = Gone::new();
        if options.untagged {
            for name in &names {
                self.drop_untagged(name, options, &mut gone, &mut report).await?;
            }
        }
        let mut used = self.mark(&gone).await?;
        let candidates = self.candidates(options, &used, &mut report).await?;
        if !candidates.is_empty() {
            used = self.mark(&gone).await?;
        }
        let mut doomed = HashSet::new();
        for candidate in candidates.iter().filter(|it| !used.contains(&it.digest)) {
            let precondition = Precondition::IfVersion(candidate.version.clone());
            if options.dry_run {
                doomed.insert(candidate.digest);
            } else if !self.deleted(&candidate.path, precondition).await? {
                continue;
            }
            report.blobs += 1;
            report.bytes += candidate.size;
        }
        for name in &names {
            self.sweep_links(name, options, &used, &doomed, &mut report).await?;
        }
        report.used = used.len() as u64;
        Ok(report)
    }

    /// Deletes a file as it was seen; `false` if it has changed, or gone, since.
    async fn deleted(&self, path: &Path, seen: Precondition) -> Result<bool> {
        match self.driver.delete(path, seen).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() || error.is_precondition_failed() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Everything that a manifest is made of, and the manifests.
    async fn mark(&self, gone: &Gone) -> Result<HashSet<Digest>> {
        let mut used = HashSet::new();
        let mut names = std::pin::pin!(self.all_repositories());
        while let Some(name) = names.try_next().await? {
            for (digest, revision) in self.revisions(&name).await? {
                if gone.contains(&(name.clone(), digest)) {
                    continue;
                }
                used.insert(digest);
                used.extend(revision.references);
            }
        }
        Ok(used)
    }

    /// The manifests of a repository, with what they refer to.
    async fn revisions(&self, name: &Name) -> Result<HashMap<Digest, Revision>> {
        let links = self.files_below(&layout::revisions(name), "link");
        let revisions = links.map_ok(|(digest, link)| async move {
            let marks = self.read_manifest(&digest, |content| Manifest::marks(content)).await;
            let (references, subject) =
                marks.map_err(crate::error::Error::into_cause)?.unwrap_or_default();
            Ok((digest, Revision { link, references, subject }))
        });
        revisions.try_buffer_unordered(CONCURRENCY).try_collect().await
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
                Err(error) if !error.is_not_found() => return Some(Err(error)),
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

    /// What is known of a file that a walk gave, if it is still there.
    async fn described(&self, entry: &Entry) -> Result<Option<Metadata>> {
        if let Some(file) = entry.metadata() {
            return Ok(Some(file.clone()));
        }
        match self.driver.stat(entry.path()).await {
            Ok(Stat::File(file)) => Ok(Some(file)),
            Ok(Stat::Directory(_)) => Ok(None),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
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
    ) -> Result<()> {
        // Before the tags: a manifest that is tagged after this has a new link.
        let revisions = self.revisions(name).await?;
        let tagged = self.all_tags(name).map_ok(|tag| async move { self.tagged(name, &tag).await });
        let tagged = tagged.try_buffer_unordered(CONCURRENCY).try_filter_map(async |it| Ok(it));
        let tagged: Vec<Digest> =
            tagged.try_collect().await.map_err(crate::error::Error::into_cause)?;
        let recent = revisions.iter().filter(|(_, it)| age(&it.link) < options.grace);
        let mut reached: Vec<Digest> =
            tagged.into_iter().chain(recent.map(|(it, _)| *it)).collect();
        let mut referrers: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for (digest, revision) in &revisions {
            if let Some(subject) = revision.subject {
                referrers.entry(subject).or_default().push(*digest);
            }
        }
        let mut kept = HashSet::new();
        while let Some(digest) = reached.pop() {
            if kept.insert(digest) {
                let references = revisions.get(&digest).map(|it| it.references.as_slice());
                let children = references.unwrap_or_default().iter().copied();
                reached
                    .extend(children.chain(referrers.get(&digest).into_iter().flatten().copied()));
            }
        }
        for (digest, revision) in revisions.iter().filter(|(digest, _)| !kept.contains(*digest)) {
            if options.dry_run {
                gone.insert((name.clone(), *digest));
            } else {
                // As they are before the link goes: whoever pushes the manifest again writes them
                // after the link, and keeps them.
                let mut beside = vec![layout::media_type(name, digest)];
                beside.extend(revision.subject.map(|it| layout::referrer(name, &it, digest)));
                let beside = stream::iter(beside).then(async |path| self.file(&path).await);
                let beside =
                    beside.try_filter_map(|it| ready(Ok(it))).try_collect::<Vec<_>>().await;
                let beside = beside.map_err(crate::error::Error::into_cause)?;
                let link = &revision.link;
                if !self.deleted(&link.path, Precondition::IfVersion(link.version.clone())).await? {
                    continue;
                }
                for file in beside {
                    self.deleted(&file.path, Precondition::IfVersion(file.version)).await?;
                }
            }
            report.untagged_manifests += 1;
        }
        Ok(())
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
    ) -> Result<()> {
        // An upload makes its link just before its blob. No grace is so short as to take it for a
        // leftover in between.
        let grace = options.grace.max(Duration::from_secs(60 * 60));
        let mut links = std::pin::pin!(self.files_below(&layout::layers(name), "link"));
        while let Some((digest, link)) = links.try_next().await? {
            if used.contains(&digest) || age(&link) < grace {
                continue;
            }
            let seen = Precondition::IfVersion(link.version);
            let is_there =
                !doomed.contains(&digest) && self.driver.exists(&layout::blob(&digest)).await?;
            if !is_there && (options.dry_run || self.deleted(&link.path, seen).await?) {
                report.links += 1;
            }
        }
        Ok(())
    }

    /// Cancels uploads to which nothing was written for long, and deletes what others left behind.
    async fn sweep_uploads(&self, options: &GcOptions, report: &mut GcReport) -> Result<()> {
        let (root, ttl) = (layout::repositories(), options.upload_ttl);
        if options.dry_run {
            let mut uploads = self.driver.uploads_all(&root);
            while let Some(upload) = uploads.try_next().await? {
                let idle = std::time::SystemTime::now().duration_since(upload.written);
                report.uploads += u64::from(idle.unwrap_or_default() >= ttl);
            }
        } else {
            report.uploads += self.cancel_stale(ttl).await?;
        }
        let names: Vec<Name> = self.all_repositories().try_collect().await?;
        for name in &names {
            report.uploads += self.sweep_leftovers(name, options).await?;
        }
        Ok(())
    }

    /// Deletes old files among the uploads of a repository: saved digests of uploads that ended, and
    /// what distribution keeps there.
    async fn sweep_leftovers(&self, name: &Name, options: &GcOptions) -> Result<u64> {
        let ttl = options.upload_ttl;
        let Ok(dir) = layout::repository(name).join("_uploads") else { return Ok(0) };
        let files = self.driver.walk(&dir, WalkOptions::new()).filter_map(|entry| async move {
            let file = match entry {
                Ok(entry) if entry.is_file() => self.described(&entry).await.transpose()?,
                Err(error) if !error.is_not_found() => Err(error),
                _ => return None,
            };
            Some(file).filter(|file| file.as_ref().map_or(true, |file| age(file) >= ttl))
        });
        let files: Vec<Metadata> = files.try_collect().await?;
        if options.dry_run {
            return Ok(files.len() as u64);
        }
        let deleted = stream::iter(files.into_iter().map(Ok));
        deleted
            .try_fold(0, |count, file| async move {
                let seen = Precondition::IfVersion(file.version.clone());
                Ok(count + u64::from(self.deleted(&file.path, seen).await?))
            })
            .await
    }

    /// Cancels the uploads to which nothing was written for `ttl`; says how many.
    pub(crate) async fn cancel_stale(&self, ttl: Duration) -> Result<u64> {
        self.driver.cancel_uploads(&layout::repositories(), ttl).await
    }
}
