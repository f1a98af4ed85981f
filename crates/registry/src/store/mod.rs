//! [`Store`]: a registry's content on a driver, without HTTP.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use storage_driver::{Capabilities, Metadata, Payload, Precondition, StorageDriver};

use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    layout,
    name::Name,
    options::Options,
};

pub(crate) mod accept;
mod blobs;
mod catalog;
pub(crate) mod collect;
pub(crate) mod conditions;
mod locks;
pub(crate) mod manifest;
mod manifests;
mod referrers;
mod tags;
mod uploads;

pub(crate) use self::{
    tags::Page,
    uploads::{Chunk, Standing, Upload},
};

/// What a link may hold: a digest, and perhaps the end of a line.
const LINK_BYTES: u64 = 256;

/// How many small operations of one request are under way at once.
const CONCURRENCY: usize = 16;

/// The content of a registry.
#[derive(Debug)]
pub(crate) struct Store {
    pub(crate) driver: Arc<dyn StorageDriver>,
    capabilities: Capabilities,
    pub(crate) options: Options,
    uploads: uploads::Uploads,
    locks: locks::Locks,
}

impl Store {
    pub(crate) fn new(driver: Arc<dyn StorageDriver>, options: Options) -> Self {
        let capabilities = driver.capabilities();
        let (uploads, locks) = (uploads::Uploads::default(), locks::Locks::default());
        Self { driver, capabilities, options, uploads, locks }
    }

    /// The digest that a link holds; `None` where there is no link.
    async fn link(&self, path: &storage_driver::Path) -> Result<Option<Digest>> {
        let content = match self.driver.get_content(path, LINK_BYTES).await {
            Ok(content) => content.into_bytes(),
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let digest = std::str::from_utf8(&content).ok().map(str::trim_end).map(Digest::parse);
        match digest {
            Some(Ok(digest)) => Ok(Some(digest)),
            _ => Err(Error::new(Code::Unknown, "a link in the registry's store is damaged")),
        }
    }

    async fn put_link(&self, path: &storage_driver::Path, digest: &Digest) -> Result<Metadata> {
        let content = Payload::from(digest.to_string());
        Ok(self.driver.put_content(path, content, Precondition::None).await?)
    }

    /// What `stat` says of a file; `None` where there is none.
    async fn file(&self, path: &storage_driver::Path) -> Result<Option<Metadata>> {
        match self.driver.stat(path).await.and_then(storage_driver::Stat::into_file) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) if error.kind() == storage_driver::ErrorKind::IsADirectory => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn is_dir(&self, path: &storage_driver::Path) -> Result<bool> {
        match self.driver.stat(path).await {
            Ok(stat) => Ok(stat.is_dir()),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes sure that what a client is about to be told exists is not collected before it can make
    /// use of that: content that has lain for half of the grace period is given a new version, on
    /// which a collector's deletion fails. `false` if it has just been collected.
    async fn hold(&self, file: &Metadata) -> Result<bool> {
        if !self.capabilities.touch || age(file) < self.options.grace / 2 {
            return Ok(true);
        }
        match self.driver.touch(&file.path).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a repository is there: something was pushed to it and not all of it was deleted.
    pub(crate) async fn has_repository(&self, name: &Name) -> Result<bool> {
        Ok(self.is_dir(&layout::manifests(name)).await?
            || self.is_dir(&layout::layers(name)).await?)
    }
}

/// How long a file has not been changed. One from the future has no age.
fn age(file: &Metadata) -> Duration {
    SystemTime::now().duration_since(file.modified).unwrap_or_default()
}
