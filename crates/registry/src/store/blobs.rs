//! Blobs of a repository: what is there, reading, deleting, mounting.

use futures::{StreamExt, TryStreamExt, future::ready, stream};
use storage_driver::{Metadata, Precondition, ReadRange, Reader};

use super::Store;
use crate::{
    digest::Digest,
    error::{Code, Error, Result},
    layout,
    name::Name,
};

impl Store {
    /// What is known of a blob of the repository. From here on it is held for whoever asks, and so is
    /// its link: a collection may have seen that lead to nothing, before the blob came back by another
    /// repository.
    pub(crate) async fn blob(&self, name: &Name, digest: &Digest) -> Result<Metadata> {
        if let Some(link) = self.file(&layout::layer(name, digest)).await?
            && self.hold(&link).await?
            && let Some(file) = self.file(&layout::blob(digest)).await?
            && self.hold(&file).await?
        {
            return Ok(file);
        }
        Err(unknown(digest))
    }

    /// Opens a blob of the repository.
    pub(crate) async fn read_blob(&self, name: &Name, digest: &Digest) -> Result<Reader> {
        if self.file(&layout::layer(name, digest)).await?.is_none() {
            return Err(unknown(digest));
        }
        self.read_content(digest, ReadRange::Full).await
    }

    /// The size of a blob of the repository, for a client that reads parts of it.
    pub(crate) async fn blob_size(&self, name: &Name, digest: &Digest) -> Result<u64> {
        if self.file(&layout::layer(name, digest)).await?.is_some()
            && let Some(file) = self.file(&layout::blob(digest)).await?
        {
            return Ok(file.size);
        }
        Err(unknown(digest))
    }

    /// Opens a range of a blob, whatever repository it is in, and reads the first bytes: a store that
    /// cannot give them is an error, rather than a response that breaks off after its headers.
    pub(crate) async fn read_content(&self, digest: &Digest, range: ReadRange) -> Result<Reader> {
        let mut reader = match self.driver.reader(&layout::blob(digest), range).await {
            Err(error) if error.is_not_found() => return Err(unknown(digest)),
            opened => opened?,
        };
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let Some(first) = reader.try_next().await? else { return Ok(reader) };
        let chunks = stream::once(ready(Ok(first))).chain(reader);
        Ok(Reader::new(self.driver.name(), metadata, range, chunks))
    }

    /// Takes a blob from the repository. Others keep it; with the last, a collection frees it.
    pub(crate) async fn delete_blob(&self, name: &Name, digest: &Digest) -> Result<()> {
        match self.driver.delete(&layout::layer(name, digest), Precondition::None).await {
            Ok(()) => Ok(()),
            Err(error) if error.is_not_found() => Err(unknown(digest)),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes a blob of one repository one of another, too; from none, if any has it. `false` if it is
    /// not there to be mounted.
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
        let Some(file) = self.file(&layout::blob(digest)).await? else { return Ok(false) };
        if !self.hold(&file).await? {
            return Ok(false);
        }
        self.put_link(&layout::layer(name, digest), digest).await?;
        Ok(true)
    }
}

pub(super) fn unknown(digest: &Digest) -> Error {
    Error::new(Code::BlobUnknown, format_args!("no blob {digest} in this repository"))
}
