//! Referrers: the manifests of a repository whose subject is another manifest.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use storage_driver::{Entry, ListOptions};

use super::{
    base::Store,
    budget::Reservation,
    error::{Error, Result},
    files::CONCURRENCY,
    manifest::{Description, Manifest},
    manifests::Served,
};
use crate::{
    digest::{Algorithm, Digest},
    layout,
    name::{Name, Tag},
};

/// A page ends when its descriptors have this many bytes.
const PAGE_BYTES: u64 = 4 << 20;

/// A page of referrers.
#[derive(Debug)]
pub(crate) struct Referrers {
    /// Descriptors.
    pub(crate) items: Vec<Box<RawValue>>,
    /// The last one, if more follow.
    pub(crate) next: Option<Digest>,
    /// The memory that they use.
    pub(crate) reservation: Reservation,
}

impl Store {
    /// Describes the manifests whose subject is `subject` and that come after `last`, sorted by their
    /// digests: at most `limit`, and about 4 MiB. A `filter` selects an artifact type. Other manifests count for the
    /// limit too, so that a page can be empty without being the last.
    ///
    /// Manifests that clients list themselves, in the index of the referrers tag schema, are included.
    pub(crate) async fn referrers(
        &self,
        name: &Name,
        subject: &Digest,
        last: Option<&Digest>,
        filter: Option<&str>,
        limit: usize,
    ) -> Result<Referrers> {
        let mut candidates = Smallest::new(last, limit + 1);
        self.referring(name, subject, &mut candidates).await?;
        self.listed_by_clients(name, subject, &mut candidates).await?;
        let mut digests: Vec<Digest> = candidates.digests.into_iter().collect();
        let mut is_last_page = digests.len() <= limit;
        digests.truncate(limit);

        let (mut items, mut reservation, mut bytes) = (Vec::new(), self.budget.reserve(), 0);
        let mut end = digests.last().copied();
        let described = digests.iter().map(|digest| self.describe(name, digest, subject, filter));
        let described = described.collect::<Vec<_>>();
        let mut described =
            stream::iter(described).buffered(CONCURRENCY).zip(stream::iter(&digests));
        while let Some((item, digest)) = described.next().await {
            let Some(item) = item? else { continue };
            bytes += item.get().len() as u64;
            // The descriptors, and their text while it grows.
            reservation.resize(bytes.saturating_mul(3))?;
            items.push(item);
            if bytes >= PAGE_BYTES {
                is_last_page &= end == Some(*digest);
                end = Some(*digest);
                break;
            }
        }
        Ok(Referrers { items, next: end.filter(|_| !is_last_page), reservation })
    }

    /// The manifests that were pushed with this subject.
    async fn referring(&self, name: &Name, subject: &Digest, found: &mut Smallest) -> Result<()> {
        for algorithm in Algorithm::ALL {
            let dir = layout::referrers(name, subject, algorithm);
            let mut options = ListOptions::new().limit(found.limit).names_only();
            match found.after {
                Some(after) if after.algorithm() > algorithm => continue,
                Some(after) if after.algorithm() == algorithm => {
                    options = options.start_after(layout::referrer_dir(name, subject, &after));
                }
                _ => {}
            }
            loop {
                let page = match self.driver.list(&dir, options.clone()).await {
                    Ok(page) => page,
                    Err(error) if error.is_not_found() => break,
                    Err(error) => return Err(error.into()),
                };
                let names = page.items.iter().map(Entry::name);
                names
                    .filter_map(|hex| layout::digest(algorithm.as_str(), hex))
                    .for_each(|digest| found.insert(digest));
                match page.next.filter(|_| found.digests.len() < found.limit) {
                    Some(next) => options = options.start_after(next),
                    None => break,
                }
            }
        }
        Ok(())
    }

    /// The index that clients maintain for registries without a list of referrers.
    async fn listed_by_clients(
        &self,
        name: &Name,
        subject: &Digest,
        found: &mut Smallest,
    ) -> Result<()> {
        let hex = subject.hex();
        let tag = Tag::parse(&format!("{}-{}", subject.algorithm().as_str(), &hex[..64]));
        let tag = tag.map_err(Error::internal)?;
        let Some(index) = self.tagged(name, &tag).await? else { return Ok(()) };
        let children = |index: &Manifest<'_>| {
            index.children().for_each(|digest| found.insert(digest));
        };
        match self.manifest_of(name, &index, children).await {
            Ok(_) | Err(Error::ManifestUnknown(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The descriptor of a referrer, if it exists and has this subject.
    async fn describe(
        &self,
        name: &Name,
        digest: &Digest,
        subject: &Digest,
        filter: Option<&str>,
    ) -> Result<Option<Box<RawValue>>> {
        let described = self.manifest_of(name, digest, |manifest| {
            let is_about_it = manifest.subject().is_ok_and(|it| it.as_ref() == Some(subject));
            is_about_it.then(|| manifest.description())
        });
        let (served, description) = match described.await {
            Ok((served, Some(Some(description)))) => (served, description),
            Ok(_) => return Ok(None),
            Err(Error::ManifestUnknown(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        if filter.is_some_and(|filter| description.artifact_type.as_deref() != Some(filter)) {
            return Ok(None);
        }
        let Served { media_type, size, .. } = served;
        let descriptor = Descriptor { media_type, size, digest: digest.to_string(), description };
        to_raw_value(&descriptor).map(Some).map_err(Error::internal)
    }
}

/// A descriptor in a list of referrers.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    size: u64,
    digest: String,
    #[serde(flatten)]
    description: Description,
}

/// Collects the smallest digests.
#[derive(Debug)]
struct Smallest {
    after: Option<Digest>,
    limit: usize,
    digests: BTreeSet<Digest>,
}

impl Smallest {
    /// Keeps at most `limit` of the digests that are larger than `after`.
    fn new(after: Option<&Digest>, limit: usize) -> Self {
        Self { after: after.copied(), limit, digests: BTreeSet::new() }
    }

    fn insert(&mut self, digest: Digest) {
        if self.after.is_none_or(|after| digest > after) {
            self.digests.insert(digest);
            if self.digests.len() > self.limit {
                self.digests.pop_last();
            }
        }
    }
}
