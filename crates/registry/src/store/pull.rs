//! Manifests of a repository: pull.

use std::sync::Arc;

use storage_driver::Metadata;

use super::{
    base::{Hold, Store},
    cache::ManifestSummary,
    error::{Error, Result},
    manifest::{DOCKER_LIST, Manifest, OCI_INDEX},
    manifests::{SMALL, Served},
};
use crate::{
    digest::Digest,
    layout,
    name::{Name, Reference},
};

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
}
