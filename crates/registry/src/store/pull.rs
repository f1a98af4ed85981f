//! Manifests of a repository: pull.

use std::sync::Arc;

use bytes::Bytes;
use storage_driver::{ErrorKind, Metadata, ReadRange, Reader, StorageDriverExt};

use super::{
    base::{Hold, Store},
    cache::ManifestSummary,
    error::{Error, Result},
    files::is_no_file,
    manifest::{DOCKER_LIST, Manifest, OCI_INDEX},
    media_type,
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Reference},
};

/// The largest manifest, in bytes, that is read in one call.
const SMALL: u64 = 64 << 10;

/// A manifest to be served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// `None` if it is larger than [`SMALL`]: it is then not held in memory for a client.
    pub(crate) content: Option<Bytes>,
}

/// A manifest in a list.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) size: u64,
}

/// What a client gets of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pull {
    Content,
    /// By `HEAD`: the client learns that the manifest exists, so its link is [held](Store::hold).
    Head,
}

impl Store {
    /// Finds a manifest of a media type that the client `accepts`.
    pub(crate) async fn manifest(
        &self,
        name: &Name,
        reference: &Reference,
        pull: Pull,
        accepts: impl Fn(&str) -> bool,
    ) -> Result<Served> {
        let (digest, link) = match reference {
            Reference::Digest(digest) => (*digest, None),
            Reference::Tag(tag) => match self.link(&layout::current(name, tag)).await? {
                Some(digest) => (digest, self.seen(&layout::revision(name, &digest))),
                None => return Err(Error::manifest_unknown(tag)),
            },
        };
        let (served, child) = self.served(name, &digest, link, pull).await?;
        if accepts(&served.media_type) {
            return Ok(served);
        }
        if let (Reference::Tag(_), DOCKER_LIST | OCI_INDEX) = (reference, &*served.media_type)
            && let Some(child) = child
        {
            let (child, _) = self.served(name, &child, None, pull).await?;
            if accepts(&child.media_type) {
                return Ok(child);
            }
        }
        Err(Error::NotAcceptable { media_type: served.media_type })
    }

    /// A manifest of the repository by its digest, and its child for clients that do not accept indexes. `link` is its
    /// link, if that was seen a moment ago.
    async fn served(
        &self,
        name: &Name,
        digest: &Digest,
        link: Option<Metadata>,
        pull: Pull,
    ) -> Result<(Served, Option<Digest>)> {
        let unknown = || Error::manifest_unknown(digest);
        let is_held = |link: &Metadata| pull == Pull::Content || !self.needs_touch(link);
        let link = match link.filter(is_held) {
            Some(link) => link,
            None => {
                let link = self.file(&layout::revision(name, digest)).await?.ok_or_else(unknown)?;
                self.cache.keep_file(&link);
                link
            }
        };
        if pull == Pull::Head && !self.hold(&link, Hold::IfPossible).await? {
            self.cache.forget_file(&link.path);
            return Err(unknown());
        }
        let manifest = match self.cache.manifest(digest) {
            Some(manifest) => manifest,
            None => self.summary(digest).await?.ok_or_else(unknown)?,
        };
        let media_type = match &manifest.own_type {
            Some(own) => own.clone(),
            None => self.noted_type(name, digest).await?,
        };
        let (size, content) = (manifest.size, manifest.content.clone());
        Ok((Served { digest: *digest, media_type, size, content }, manifest.default_child))
    }

    /// Reads what is served of a manifest, and keeps it in the cache.
    async fn summary(&self, digest: &Digest) -> Result<Option<Arc<ManifestSummary>>> {
        let summary = self.read_manifest(digest, |content| {
            let manifest = Manifest::parse(content).ok();
            let size = content.len() as u64;
            ManifestSummary {
                own_type: manifest.as_ref().and_then(Manifest::own_type),
                size,
                default_child: manifest.as_ref().and_then(Manifest::default_child),
                content: (size <= SMALL).then(|| content.clone()),
            }
        });
        let summary = summary.await?;
        Ok(summary.map(|summary| {
            self.cache.keep_manifest(digest, &summary);
            Arc::new(summary)
        }))
    }

    /// A manifest of the repository by its digest, and the result of `read`; `None` if it cannot be parsed.
    pub(crate) async fn manifest_of<T>(
        &self,
        name: &Name,
        digest: &Digest,
        read: impl FnOnce(&Manifest<'_>) -> T,
    ) -> Result<(Described, Option<T>)> {
        if self.file(&layout::revision(name, digest)).await?.is_none() {
            return Err(Error::manifest_unknown(digest));
        }
        let found = self.read_manifest(digest, |content| {
            let manifest = Manifest::parse(content).ok();
            let own = manifest.as_ref().and_then(Manifest::own_type);
            (content.len() as u64, own, manifest.as_ref().map(read))
        });
        let (size, own, read) = found.await?.ok_or_else(|| Error::manifest_unknown(digest))?;
        let media_type = match own {
            Some(own) => own,
            None => self.noted_type(name, digest).await?,
        };
        Ok((Described { digest: *digest, media_type, size }, read))
    }

    /// The result of `read` for the content of a manifest of any repository; `None` if the content is missing
    /// or damaged. Damaged content counts as missing, so that clients push it again.
    ///
    /// The content is in memory during `read`, and counted by the [`Budget`](super::budget::Budget).
    pub(crate) async fn read_manifest<T>(
        &self,
        digest: &Digest,
        read: impl FnOnce(&Bytes) -> T,
    ) -> Result<Option<T>> {
        let path = layout::blob(digest);
        let mut limit = SMALL;
        loop {
            // Twice: the content, and its parsed form.
            let _held = self.budget.read(limit.saturating_mul(2)).await?;
            match self.driver.get_content(&path, limit).await {
                Ok(content) => {
                    let content = content.into_bytes();
                    if Digest::of(digest.algorithm(), &content) == *digest {
                        return Ok(Some(read(&content)));
                    }
                    tracing::warn!(%path, "this manifest is damaged and is treated as missing");
                    return Ok(None);
                }
                Err(error) if is_no_file(&error) => return Ok(None),
                Err(error) => match error.kind() {
                    ErrorKind::ContentTooLarge { size, .. }
                        if size > limit && size <= self.options.max_stored_manifest() =>
                    {
                        limit = size;
                    }
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Opens the content of a manifest, and reads the first bytes.
    pub(crate) async fn manifest_reader(&self, digest: &Digest) -> Result<Reader> {
        let opened = self.read_content(digest, ReadRange::Full).await;
        opened.map_err(|error| match error {
            Error::BlobUnknown(digest) => Error::manifest_unknown(digest),
            _ => error,
        })
    }

    async fn noted_type(&self, name: &Name, digest: &Digest) -> Result<String> {
        match self.driver.get_bytes(&layout::media_type(name, digest), 1024).await {
            Ok(noted) => {
                let noted = std::str::from_utf8(&noted).ok().filter(|it| media_type::is_safe(it));
                Ok(noted.unwrap_or(media_type::UNKNOWN).to_owned())
            }
            Err(error) if error.is_not_found() => Ok("application/json".to_owned()),
            Err(error) if matches!(error.kind(), ErrorKind::ContentTooLarge { .. }) => {
                Ok(media_type::UNKNOWN.to_owned())
            }
            Err(error) => Err(error.into()),
        }
    }
}
