//! Referrers: the manifests of a repository that are about another.

use futures::{StreamExt, TryStreamExt, stream};
use storage_driver::WalkOptions;

use super::{
    CONCURRENCY, Store,
    accept::Accept,
    manifest::{Descriptor, Manifest},
};
use crate::{
    digest::Digest,
    error::{Code, Result},
    layout,
    name::{Name, Reference, Tag},
};

/// Some of the referrers, and behind which one the others come.
#[derive(Debug)]
pub(crate) struct Referrers {
    pub(crate) items: Vec<Descriptor>,
    pub(crate) next: Option<Digest>,
}

impl Store {
    /// Describes the manifests whose subject is `subject` and that come after `last`, by their
    /// digests: at most `limit`.
    ///
    /// Those that clients listed themselves, under the tag of the specification's fallback, are
    /// among the first.
    pub(crate) async fn referrers(
        &self,
        name: &Name,
        subject: &Digest,
        last: Option<&Digest>,
        limit: usize,
    ) -> Result<Referrers> {
        let mut digests = self.referring(name, subject, last, limit + 1).await?;
        let more = digests.len() > limit;
        digests.truncate(limit);
        let next = digests.last().copied().filter(|_| more);
        let described = digests.iter().map(|digest| self.describe(name, *digest, None));
        let described = stream::iter(described.collect::<Vec<_>>()).buffered(CONCURRENCY);
        let mut items: Vec<Descriptor> =
            described.try_filter_map(async |it| Ok(it)).try_collect().await?;
        if last.is_none() {
            for digest in self.listed_by_clients(name, subject).await? {
                let is_new = !digests.contains(&digest);
                if is_new && let Some(found) = self.describe(name, digest, Some(subject)).await? {
                    items.push(found);
                }
            }
        }
        Ok(Referrers { items, next })
    }

    async fn referring(
        &self,
        name: &Name,
        subject: &Digest,
        last: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<Digest>> {
        let dir = layout::referrers(name, subject);
        let mut options = WalkOptions::new();
        if let Some(last) = last {
            options = options.start_after(layout::referrer(name, subject, last));
        }
        let mut walk = self.driver.walk(&dir, options);
        let mut digests = Vec::new();
        while digests.len() < limit {
            match walk.try_next().await {
                Ok(Some(entry)) if entry.is_file() => {
                    let parts: Vec<&str> = entry.path().components().rev().take(3).collect();
                    if let ["link", hex, algorithm] = parts[..] {
                        digests.extend(layout::digest(algorithm, hex));
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(digests)
    }

    /// What is to be said of a referrer, if it is there and, where that is not known, about `subject`.
    async fn describe(
        &self,
        name: &Name,
        digest: Digest,
        subject: Option<&Digest>,
    ) -> Result<Option<Descriptor>> {
        let served = match self.manifest_of(name, &digest).await {
            Ok(served) => served,
            Err(error) if error.code() == Code::ManifestUnknown => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(manifest) = Manifest::parse(&served.content) else { return Ok(None) };
        if subject.is_some() && manifest.subject().ok().flatten().as_ref() != subject {
            return Ok(None);
        }
        let size = served.content.len() as u64;
        Ok(Some(manifest.descriptor(&digest, size, served.media_type)))
    }

    /// The index that clients of registries without this list kept under a tag.
    async fn listed_by_clients(&self, name: &Name, subject: &Digest) -> Result<Vec<Digest>> {
        let hex = subject.hex();
        let tag = format!("{}-{}", subject.algorithm().as_str(), &hex[..64]);
        let everything = Accept::everything();
        let index = match self.manifest(name, &Reference::Tag(Tag::parse(&tag)?), &everything).await
        {
            Ok(index) => index,
            Err(error) if error.code() == Code::ManifestUnknown => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let children = Manifest::parse(&index.content)?.children();
        Ok(children.iter().filter_map(|child| child.digest().ok()).collect())
    }
}
