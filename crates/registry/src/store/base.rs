//! [`Store`]: the content of a registry, and how links and files are read, written and held.

use std::{error::Error as _, sync::Arc, time::Instant};

use futures::{StreamExt, TryStreamExt};
use storage_driver::{
    Capabilities, Entry, Metadata, Path, Payload, Precondition, StorageDriver, Version, WalkOptions,
};

use super::{
    budget::Budget,
    cache::{Cache, TRUST},
    clock::StoreClock,
    error::Result,
    files::{age, is_damage, is_nothing, is_whole, warn_unreadable},
    throttle::Throttle,
    uploads::{hashed::HashThreads, open_uploads::OpenUploads, sessions::UploadSessions},
};
use crate::{digest::Digest, layout, metrics::CacheMetrics, name::Name, options::Options};

/// The largest link: a digest, and perhaps the end of a line.
const LINK_BYTES: u64 = 256;

/// The content of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Link {
    To(Digest, Version),
    Missing,
    /// There is something else than a digest.
    Damaged,
}

/// The consequence if content cannot be protected from a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The request reads: it succeeds, and the failure is logged.
    IfPossible,
    /// The request is the push of a manifest that refers to the content: it fails.
    Required,
}

/// The content of a registry on a driver.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) driver: Arc<dyn StorageDriver>,
    pub(super) capabilities: Capabilities,
    pub(crate) options: Options,
    pub(crate) budget: Budget,
    pub(super) cache: Cache,
    pub(super) sessions: UploadSessions,
    pub(super) open_uploads: OpenUploads,
    pub(super) hash_threads: HashThreads,
    pub(super) clock: StoreClock,
    touch_failures: Throttle,
}

impl Store {
    pub(crate) fn new(
        driver: Arc<dyn StorageDriver>,
        options: Options,
        cache: CacheMetrics,
    ) -> Self {
        let capabilities = driver.capabilities();
        let budget = Budget::new(options.manifest_memory());
        let cache = Cache::new(options.cache_memory, cache);
        Self {
            driver,
            capabilities,
            options,
            budget,
            cache,
            sessions: UploadSessions::default(),
            open_uploads: OpenUploads::default(),
            hash_threads: HashThreads::default(),
            clock: StoreClock::default(),
            touch_failures: Throttle::default(),
        }
    }

    /// Reads a link. Damage is a result, not an error: it concerns this link alone.
    pub(super) async fn read_link(&self, path: &Path) -> storage_driver::Result<Link> {
        let content = match self.driver.get_content(path, LINK_BYTES).await {
            Ok(content) => content,
            Err(error) if error.is_not_found() => return Ok(Link::Missing),
            Err(error) if is_damage(&error) => return Ok(Link::Damaged),
            Err(error) => return Err(error),
        };
        let version = content.metadata().version.clone();
        let content = content.into_bytes();
        let digest = std::str::from_utf8(&content).ok().map(str::trim_end).map(Digest::parse);
        match digest {
            Some(Ok(digest)) => Ok(Link::To(digest, version)),
            _ => Ok(Link::Damaged),
        }
    }

    /// The digest in a link; `None` if the link is missing or damaged.
    pub(super) async fn link(&self, path: &Path) -> Result<Option<Digest>> {
        match self.read_link(path).await? {
            Link::To(digest, _) => Ok(Some(digest)),
            Link::Missing => Ok(None),
            Link::Damaged => {
                tracing::warn!(%path, "this link is damaged and is treated as missing");
                Ok(None)
            }
        }
    }

    /// Reads a link for work on many files, which one bad file must not stop: a link that cannot be read
    /// counts as damaged, and is logged.
    ///
    /// # Errors
    ///
    /// Those that concern the store, and not this link alone.
    pub(super) async fn inspect_link(&self, path: &Path) -> storage_driver::Result<Link> {
        match self.read_link(path).await {
            Ok(Link::Damaged) => {
                tracing::warn!(%path, "this link is damaged and is skipped");
                Ok(Link::Damaged)
            }
            Err(error) if !error.is_retryable() => {
                warn_unreadable(path, &error);
                Ok(Link::Damaged)
            }
            read => read,
        }
    }

    pub(super) async fn put_link(
        &self,
        path: &Path,
        digest: &Digest,
    ) -> storage_driver::Result<Metadata> {
        self.put_link_if(path, digest, Precondition::None).await
    }

    pub(super) async fn put_link_if(
        &self,
        path: &Path,
        digest: &Digest,
        precondition: Precondition,
    ) -> storage_driver::Result<Metadata> {
        let sent = Instant::now();
        let content = Payload::from(digest.to_string());
        let link = self.driver.put_content(path, content, precondition).await?;
        self.clock.saw(sent, link.modified);
        Ok(link)
    }

    /// Deletes a file in the version that was seen. Returns `false` if it has changed since, or does not exist.
    pub(super) async fn deleted(
        &self,
        path: &Path,
        seen: Precondition,
    ) -> storage_driver::Result<bool> {
        match self.driver.delete(path, seen).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() || error.is_precondition_failed() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Deletes each of these files, unless it has changed.
    pub(super) async fn delete_unchanged(
        &self,
        files: Vec<Metadata>,
    ) -> storage_driver::Result<()> {
        for file in files {
            self.deleted(&file.path, self.if_version(file.version)).await?;
        }
        Ok(())
    }

    /// Deletes a directory with everything below it, if there is one.
    pub(super) async fn delete_dir_if_any(&self, path: &Path) -> Result<()> {
        match self.driver.delete_dir(path).await {
            Err(error) if !is_nothing(&error) => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// `IfVersion` if the driver supports it.
    pub(super) fn if_version(&self, version: Version) -> Precondition {
        match self.capabilities.preconditions {
            true => Precondition::IfVersion(version),
            false => Precondition::None,
        }
    }

    /// The precondition that a file is as it was `seen`, or still absent, if the driver supports it.
    pub(super) fn if_unchanged(&self, seen: Option<Metadata>) -> Precondition {
        match seen {
            Some(file) => self.if_version(file.version),
            None if self.capabilities.preconditions => Precondition::IfAbsent,
            None => Precondition::None,
        }
    }

    /// The metadata of a file; `None` if there is no file.
    pub(super) async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        Ok(self.driver.file(path).await?)
    }

    /// The metadata of a file that a walk returned; `None` if it does not exist any more.
    pub(super) async fn described(
        &self,
        entry: &Entry,
    ) -> storage_driver::Result<Option<Metadata>> {
        if let Some(file) = entry.metadata() {
            return Ok(Some(file.clone()));
        }
        self.driver.file(entry.path()).await
    }

    /// The files below a directory with their versions. Empty if there is no directory.
    pub(super) async fn files_with_versions(
        &self,
        dir: &Path,
    ) -> storage_driver::Result<Vec<Metadata>> {
        let walk = self.driver.walk(dir, WalkOptions::new());
        let files = walk.filter_map(|entry| async move {
            match entry {
                Ok(entry) if entry.is_file() => self.described(&entry).await.transpose(),
                Err(error) if !is_nothing(&error) => Some(Err(error)),
                _ => None,
            }
        });
        files.try_collect().await
    }

    pub(super) async fn is_dir(&self, path: &Path) -> Result<bool> {
        match self.driver.stat(path).await {
            Ok(stat) => Ok(stat.is_dir()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The metadata of the content of a blob or manifest of any repository.
    pub(super) async fn content(&self, digest: &Digest) -> Result<Option<Metadata>> {
        let file = self.file(&layout::blob(digest)).await?;
        Ok(file.filter(|file| is_whole(file, digest)))
    }

    /// The metadata of a file that was seen a moment ago, and is taken as still there: see [`cache`](super::cache).
    pub(super) fn seen(&self, path: &Path) -> Option<Metadata> {
        self.cache.file(path, TRUST.min(self.options.gc_grace / 2))
    }

    /// Forgets which files were seen, because a collection may have deleted them.
    pub(crate) fn forget_seen(&self) {
        self.cache.forget_files();
    }

    /// Whether a file has to get a new version to be [held](Self::hold).
    pub(super) fn needs_touch(&self, file: &Metadata) -> bool {
        let is_old =
            self.clock.latest().is_none_or(|now| age(file, now) >= self.options.gc_grace / 2);
        is_old && self.capabilities.touch && !self.options.read_only
    }

    /// Protects a file that a client learns of from a concurrent collection: a file that is older than half of
    /// the grace gets a new version, so that the collection cannot delete it in the version that it has seen. So
    /// does the first file of a node that does not know the time of the store: see [`StoreClock`].
    /// Returns `false` if the file was collected.
    ///
    /// # Errors
    ///
    /// With [`Hold::IfPossible`], no errors of writing. The module `collect` explains why that is safe.
    pub(super) async fn hold(&self, file: &Metadata, hold: Hold) -> Result<bool> {
        if !self.needs_touch(file) {
            return Ok(true);
        }
        let sent = Instant::now();
        match (self.driver.touch(&file.path, Precondition::None).await, hold) {
            (Ok(touched), _) => {
                self.clock.saw(sent, touched.modified);
                Ok(true)
            }
            (Err(error), _) if error.is_not_found() => Ok(false),
            (Err(error), Hold::Required) => Err(error.into()),
            (Err(error), Hold::IfPossible) => {
                if self.touch_failures.admit() {
                    let source = error.source().map(ToString::to_string);
                    let text = "content is served that a collection may delete";
                    tracing::warn!(%error, source, text);
                }
                Ok(true)
            }
        }
    }

    /// Whether a repository exists: something was pushed to it, and not all of it was deleted.
    pub(crate) async fn has_repository(&self, name: &Name) -> Result<bool> {
        Ok(self.is_dir(&layout::manifests(name)).await?
            || self.is_dir(&layout::layers(name)).await?)
    }
}
