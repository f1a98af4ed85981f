//! [`Store`]: a registry's content on a driver, without HTTP.

use std::{
    error::Error as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use futures::{StreamExt, TryStreamExt};
use storage_driver::{
    Capabilities, Entry, ErrorKind, Metadata, Path, Payload, Precondition, Stat, StorageDriver,
    Version, WalkOptions,
};

use crate::{digest::Digest, error::Result, layout, name::Name, options::Options};

pub(crate) mod accept;
mod blobs;
mod budget;
mod catalog;
pub(crate) mod collect;
pub(crate) mod conditions;
mod json;
mod keyed;
mod locks;
pub(crate) mod manifest;
mod manifests;
mod media_type;
mod referrers;
mod tags;
mod throttle;
mod uploads;

pub(crate) use self::{
    budget::{Budget, Held},
    referrers::Referrers,
    tags::Page,
    uploads::{Chunk, Standing, Upload},
};

/// What a link may hold: a digest, and perhaps the end of a line.
const LINK_BYTES: u64 = 256;

/// How many small operations of one request are under way at once.
const CONCURRENCY: usize = 16;

/// What is at the path of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Link {
    To(Digest, Version),
    Missing,
    /// Something that holds no digest.
    Damaged,
}

/// What happens if content cannot be protected from a collection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// The client reads. That succeeds all the same, and the failure is logged.
    IfPossible,
    /// The client refers to the content in a manifest, which has to fail.
    Required,
}

/// The content of a registry.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) driver: Arc<dyn StorageDriver>,
    capabilities: Capabilities,
    pub(crate) options: Options,
    pub(crate) budget: Budget,
    uploads: uploads::Uploads,
    open_uploads: uploads::OpenUploads,
    locks: locks::Locks,
    touch_failures: throttle::Throttle,
}

impl Store {
    pub(crate) fn new(driver: Arc<dyn StorageDriver>, options: Options) -> Self {
        let capabilities = driver.capabilities();
        let budget = Budget::new(options.manifest_memory());
        Self {
            driver,
            capabilities,
            options,
            budget,
            uploads: uploads::Uploads::default(),
            open_uploads: uploads::OpenUploads::default(),
            locks: locks::Locks::default(),
            touch_failures: throttle::Throttle::default(),
        }
    }

    /// Reads a link. Damage is a result, not an error: it concerns this link alone.
    async fn read_link(&self, path: &Path) -> storage_driver::Result<Link> {
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

    /// The digest that a link holds; `None` where there is no link, or a damaged one.
    async fn link(&self, path: &Path) -> Result<Option<Digest>> {
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
    /// is damaged, and the log says so.
    ///
    /// # Errors
    ///
    /// Those that concern the store rather than this link.
    async fn inspect_link(&self, path: &Path) -> storage_driver::Result<Link> {
        match self.read_link(path).await {
            Ok(Link::Damaged) => {
                tracing::warn!(%path, "this link is damaged and is passed over");
                Ok(Link::Damaged)
            }
            Err(error) if !error.is_retryable() => {
                warn_unreadable(path, &error);
                Ok(Link::Damaged)
            }
            read => read,
        }
    }

    async fn put_link(&self, path: &Path, digest: &Digest) -> storage_driver::Result<Metadata> {
        let content = Payload::from(digest.to_string());
        self.driver.put_content(path, content, Precondition::None).await
    }

    /// Deletes a file as it was seen. `false` if it has changed since, or is gone.
    async fn deleted(&self, path: &Path, seen: Precondition) -> storage_driver::Result<bool> {
        match self.driver.delete(path, seen).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_not_found() || error.is_precondition_failed() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `IfVersion` where the driver has it.
    fn if_version(&self, version: Version) -> Precondition {
        match self.capabilities.preconditions {
            true => Precondition::IfVersion(version),
            false => Precondition::None,
        }
    }

    /// What `stat` says of a file; `None` where there is none.
    async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        match self.driver.stat(path).await.and_then(Stat::into_file) {
            Ok(file) => Ok(Some(file)),
            Err(error) if is_no_file(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is known of a file that a walk gave, if it is still there.
    async fn described(&self, entry: &Entry) -> storage_driver::Result<Option<Metadata>> {
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

    /// The files below a directory, as they are; none, if it is not there.
    async fn files_with_versions(&self, dir: &Path) -> storage_driver::Result<Vec<Metadata>> {
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

    async fn is_dir(&self, path: &Path) -> Result<bool> {
        match self.driver.stat(path).await {
            Ok(stat) => Ok(stat.is_dir()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What is known of the content of a blob or manifest, whatever repository it is in.
    async fn content(&self, digest: &Digest) -> Result<Option<Metadata>> {
        let file = self.file(&layout::blob(digest)).await?;
        Ok(file.filter(|file| is_whole(file, digest)))
    }

    /// Protects a file that a client is told of from a collection that runs at the same time: a file
    /// that is older than half of the grace gets a new version, so that a deletion of the version that
    /// the collector saw fails. Returns `false` if the file has been collected.
    ///
    /// # Errors
    ///
    /// With [`Hold::IfPossible`], none of writing: see [`collect`] for why that is safe.
    async fn hold(&self, file: &Metadata, hold: Hold) -> Result<bool> {
        let young = age(file) < self.options.grace / 2;
        if young || !self.capabilities.touch || self.options.read_only {
            return Ok(true);
        }
        match (self.driver.touch(&file.path, Precondition::None).await, hold) {
            (Ok(_), _) => Ok(true),
            (Err(error), _) if error.is_not_found() => Ok(false),
            (Err(error), Hold::Required) => Err(error.into()),
            (Err(error), Hold::IfPossible) => {
                if self.touch_failures.admit() {
                    let source = error.source().map(ToString::to_string);
                    let text = "content is served that a collection may take";
                    tracing::warn!(%error, source, text);
                }
                Ok(true)
            }
        }
    }

    /// Whether a repository is there: something was pushed to it and not all of it was deleted.
    pub(crate) async fn has_repository(&self, name: &Name) -> Result<bool> {
        Ok(self.is_dir(&layout::manifests(name)).await?
            || self.is_dir(&layout::layers(name)).await?)
    }
}

/// Makes a call that may be made twice, and makes it again at once if the store says that it may succeed
/// then. A second failure is the result.
async fn retry<T, F>(mut call: impl FnMut() -> F) -> storage_driver::Result<T>
where
    F: Future<Output = storage_driver::Result<T>>,
{
    match call().await {
        Err(error) if error.is_retryable() => call().await,
        result => result,
    }
}

/// Whether an error says that the file itself is wrong, rather than that the store cannot be read.
fn is_damage(error: &storage_driver::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IsADirectory | ErrorKind::ContentTooLarge { .. } | ErrorKind::Corrupted
    )
}

/// Whether a file can be the content that `digest` names, as far as its size says. A power cut can leave
/// an empty file in place of content. Clients that are told that it is missing push it again.
fn is_whole(file: &Metadata, digest: &Digest) -> bool {
    file.size > 0 || *digest == Digest::of(digest.algorithm(), b"")
}

/// Whether an error says that no file is at a path.
fn is_no_file(error: &storage_driver::Error) -> bool {
    error.is_not_found() || error.kind() == ErrorKind::IsADirectory
}

/// Whether an error says that no directory is at a path.
fn is_nothing(error: &storage_driver::Error) -> bool {
    error.is_not_found() || error.kind() == ErrorKind::NotADirectory
}

fn warn_unreadable(path: &Path, error: &storage_driver::Error) {
    let source = error.source().map(ToString::to_string);
    tracing::warn!(%path, %error, source, "this file cannot be read and is passed over");
}

/// How long a file has not been changed. One from the future has no age.
fn age(file: &Metadata) -> Duration {
    SystemTime::now().duration_since(file.modified).unwrap_or_default()
}
