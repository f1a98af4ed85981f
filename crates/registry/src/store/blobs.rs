//! Blobs of a repository: look up, read, mount.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{Metadata, ReadRange, Reader, RedirectMethod};

use super::{
    base::{Hold, Store},
    error::{Error, Result},
    files::{is_no_file, is_whole},
};
use crate::{digest::Digest, layout, name::Name};

impl Store {
    /// The metadata of a blob of the repository, for a client that learns that it exists: see
    /// [`Store::hold`].
    pub(crate) async fn blob(&self, name: &Name, digest: &Digest) -> Result<Metadata> {
        self.held_blob(name, digest, Hold::IfPossible).await
    }

    /// As [`blob`](Self::blob). The link is held too: a collection may have seen it without its blob, before
    /// another repository pushed the blob again.
    pub(super) async fn held_blob(
        &self,
        name: &Name,
        digest: &Digest,
        hold: Hold,
    ) -> Result<Metadata> {
        let unknown = Err(Error::BlobUnknown(*digest));
        match self.file(&layout::layer(name, digest)).await? {
            Some(link) if self.hold(&link, hold).await? => {}
            _ => return unknown,
        }
        // A push does not rely on what was seen before.
        if hold == Hold::IfPossible
            && let Some(file) = self.seen(&layout::blob(digest)).filter(|it| !self.needs_touch(it))
        {
            return Ok(file);
        }
        match self.content(digest).await? {
            Some(file) if self.hold(&file, hold).await? => {
                self.cache.keep_file(&file);
                Ok(file)
            }
            _ => unknown,
        }
    }

    /// Opens a blob of the repository.
    pub(crate) async fn read_blob(&self, name: &Name, digest: &Digest) -> Result<Reader> {
        if self.file(&layout::layer(name, digest)).await?.is_none() {
            return Err(Error::BlobUnknown(*digest));
        }
        self.read_content(digest, ReadRange::Full).await
    }

    /// The size of a blob of the repository, for a client that reads parts of it.
    pub(crate) async fn blob_size(&self, name: &Name, digest: &Digest) -> Result<u64> {
        if self.file(&layout::layer(name, digest)).await?.is_none() {
            return Err(Error::BlobUnknown(*digest));
        }
        if let Some(file) = self.seen(&layout::blob(digest)) {
            return Ok(file.size);
        }
        let file = self.content(digest).await?.ok_or(Error::BlobUnknown(*digest))?;
        self.cache.keep_file(&file);
        Ok(file.size)
    }

    /// Whether the driver has URLs for clients.
    pub(crate) fn has_urls(&self) -> bool {
        self.capabilities.redirect
    }

    /// A URL with which a client reads a blob of any repository from the store, if there is one.
    pub(crate) async fn blob_url(
        &self,
        digest: &Digest,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        let path = layout::blob(digest);
        match self.driver.redirect_url(&path, RedirectMethod::Get, expires_in).await {
            Err(error) if is_no_file(&error) => Err(Error::BlobUnknown(*digest)),
            url => Ok(url?),
        }
    }

    /// Opens a range of a blob of any repository, and reads the first bytes. If that fails, the
    /// client gets an error instead of a response that breaks off after its headers.
    pub(crate) async fn read_content(&self, digest: &Digest, range: ReadRange) -> Result<Reader> {
        let mut reader = match self.driver.reader(&layout::blob(digest), range).await {
            Err(error) if is_no_file(&error) => return Err(Error::BlobUnknown(*digest)),
            opened => opened?,
        };
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        if !is_whole(&metadata, digest) {
            return Err(Error::BlobUnknown(*digest));
        }
        let first = match reader.try_next().await {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(reader),
            Err(error) => return Err(Error::Unreadable(error)),
        };
        let chunks = stream::once(ready(Ok(first))).chain(reader);
        Ok(Reader::new(self.driver.name(), metadata, range, chunks))
    }

    /// Adds a blob of the repository `from`, or of any repository, to another one. Returns `false` if there is no
    /// such blob.
    pub(crate) async fn mount(
        &self,
        name: &Name,
        digest: &Digest,
        from: Option<&Name>,
    ) -> Result<bool> {
        if let Some(from) = from
            && self.file(&layout::layer(from, digest)).await?.is_none()
        {
            return Ok(false);
        }
        let Some(file) = self.content(digest).await? else { return Ok(false) };
        if !self.hold(&file, Hold::IfPossible).await? {
            return Ok(false);
        }
        self.put_link(&layout::layer(name, digest), digest).await?;
        Ok(true)
    }
}
