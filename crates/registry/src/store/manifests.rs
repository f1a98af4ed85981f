//! Manifests of a repository.

use bytes::Bytes;
use storage_driver::{ErrorKind, ReadRange, Reader, StorageDriverExt};

use super::{
    base::{Hold, Store},
    error::{Error, Result},
    files::is_no_file,
    manifest::Manifest,
    media_type,
};
use crate::{digest::Digest, layout, name::Name};

/// The largest manifest, in bytes, that is read in one call.
pub(super) const SMALL: u64 = 64 << 10;

/// A manifest to be served.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) digest: Digest,
    pub(crate) media_type: String,
    pub(crate) size: u64,
    /// `None` if it is larger than [`SMALL`]: it is then not held in memory for a client.
    pub(crate) content: Option<Bytes>,
}

impl Store {
    /// Checks that a manifest is in the repository, and holds it. A collection can delete the content, and the link of an
    /// untagged manifest.
    pub(super) async fn held_manifest(
        &self,
        name: &Name,
        digest: &Digest,
        hold: Hold,
    ) -> Result<()> {
        if let Some(link) = self.file(&layout::revision(name, digest)).await?
            && self.hold(&link, hold).await?
            && let Some(content) = self.content(digest).await?
            && self.hold(&content, hold).await?
        {
            return Ok(());
        }
        Err(Error::manifest_unknown(digest))
    }

    /// Whether a manifest is in the repository.
    pub(super) async fn has_manifest(&self, name: &Name, digest: &Digest) -> Result<bool> {
        Ok(self.file(&layout::revision(name, digest)).await?.is_some())
    }

    /// A manifest of the repository by its digest, and the result of `read`; `None` if it cannot be parsed.
    pub(crate) async fn manifest_of<T>(
        &self,
        name: &Name,
        digest: &Digest,
        read: impl FnOnce(&Manifest<'_>) -> T,
    ) -> Result<(Served, Option<T>)> {
        if !self.has_manifest(name, digest).await? {
            return Err(Error::manifest_unknown(digest));
        }
        let found = self.read_manifest(digest, |content| {
            let manifest = Manifest::parse(content).ok();
            let own = manifest.as_ref().and_then(Manifest::own_type);
            let size = content.len() as u64;
            let small = (size <= SMALL).then(|| content.clone());
            (size, small, own, manifest.as_ref().map(read))
        });
        let (size, content, own, read) =
            found.await?.ok_or_else(|| Error::manifest_unknown(digest))?;
        let media_type = match own {
            Some(own) => own,
            None => self.noted_type(name, digest).await?,
        };
        Ok((Served { digest: *digest, media_type, size, content }, read))
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

    pub(super) async fn noted_type(&self, name: &Name, digest: &Digest) -> Result<String> {
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
