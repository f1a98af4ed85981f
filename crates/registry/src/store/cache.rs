//! [`Cache`]: manifests, and files that were seen a moment ago.
//!
//! It is bounded in bytes and belongs to one process. Other processes push, delete and collect on the same store, and
//! tell this one nothing. A response is right all the same, because content is cached, while its existence is asked:
//!
//! - **A manifest** never changes under its digest. Whether a repository has it is asked by its link, with every
//!   pull. A link that exists has content: a push [holds](super::base::Store::hold) the content before it writes the
//!   link, and a collection keeps the content of every link. So the content needs no request, nor a hold of its own
//!   when the link is held.
//! - **The content of a blob** was seen, and held, at most [`TRUST`] ago. A collection does not delete content for half
//!   of its grace after it was held, and no entry is used for longer than that. Clients delete links, which are
//!   asked, and not content. A minute is the bound for what no rule covers: a collection with a shorter
//!   grace than this process knows, and files that an operator removes. Until then a `HEAD` reports a blob that is
//!   gone; a push of a manifest does not use the cache, and names the blob that is missing.
//! - **The link of a manifest that a tag names** was seen at most [`TRUST`] ago. The tag itself is read with every
//!   pull. The deletion of a manifest deletes its tags before it returns, so no tag names a deleted manifest, except
//!   during a deletion, or after one that was cut off. Then the tag can still be pulled for a minute.
//!
//! With a grace of zero no file is trusted.

use std::{fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use quick_cache::{Weighter, sync};
use storage_driver::{Metadata, Path};
use tokio::time::Instant;

use crate::{
    digest::Digest,
    metrics::{CacheLookup, CacheMetrics},
};

/// The longest time for which a file that was seen is taken as still there.
pub(super) const TRUST: Duration = Duration::from_secs(60);

/// What an entry takes in the tables of the cache, at most.
const OVERHEAD: u64 = 256;
/// The typical size of an entry, by which the tables are sized.
const TYPICAL: u64 = 4096;

/// What is served of a manifest, in any repository.
#[derive(Debug, Clone)]
pub(super) struct ManifestSummary {
    /// `None`: the repository has noted the type that it was pushed with.
    pub(super) own_type: Option<String>,
    pub(super) size: u64,
    /// The child for clients that do not accept indexes.
    pub(super) default_child: Option<Digest>,
    /// `None` if it is too large to be held in memory for a client.
    pub(super) content: Option<Bytes>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    Manifest(Digest),
    File(Path),
}

#[derive(Debug, Clone)]
enum Entry {
    Manifest(Arc<ManifestSummary>),
    File(Metadata, Instant),
}

#[derive(Clone)]
struct Bytewise;

impl Weighter<Key, Entry> for Bytewise {
    fn weight(&self, _: &Key, entry: &Entry) -> u64 {
        let bytes = match entry {
            Entry::Manifest(manifest) => {
                manifest.content.as_ref().map_or(0, Bytes::len)
                    + manifest.own_type.as_ref().map_or(0, String::len)
            }
            Entry::File(file, _) => file.path.as_str().len(),
        };
        OVERHEAD + bytes as u64
    }
}

/// A bounded cache; without capacity, it holds nothing.
pub(super) struct Cache {
    entries: Option<sync::Cache<Key, Entry, Bytewise>>,
    metrics: CacheMetrics,
}

impl Cache {
    /// A cache of at most `capacity` bytes.
    pub(super) fn new(capacity: u64, metrics: CacheMetrics) -> Self {
        metrics.set_capacity(capacity);
        let entries = (capacity > 0).then(|| {
            let items = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(1);
            sync::Cache::with_weighter(items, capacity, Bytewise)
        });
        Self { entries, metrics }
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Option<Arc<ManifestSummary>> {
        let entry = self.entries.as_ref()?.get(&Key::Manifest(*digest));
        self.metrics.count(CacheLookup::Manifest, entry.is_some());
        match entry {
            Some(Entry::Manifest(manifest)) => Some(manifest),
            _ => None,
        }
    }

    pub(super) fn keep_manifest(&self, digest: &Digest, manifest: &ManifestSummary) {
        if self.entries.is_none() {
            return;
        }
        // A copy: a slice would keep the whole buffer of the driver alive.
        let content = manifest.content.as_deref().map(Bytes::copy_from_slice);
        let manifest = Arc::new(ManifestSummary { content, ..manifest.clone() });
        self.insert(Key::Manifest(*digest), Entry::Manifest(manifest));
    }

    /// The metadata of a file that was seen at most `trust` ago.
    pub(super) fn file(&self, path: &Path, trust: Duration) -> Option<Metadata> {
        let entry = self.entries.as_ref()?.get(&Key::File(path.clone()));
        let file = match entry {
            Some(Entry::File(file, seen)) if seen.elapsed() < trust => Some(file),
            _ => None,
        };
        self.metrics.count(CacheLookup::File, file.is_some());
        file
    }

    pub(super) fn keep_file(&self, file: &Metadata) {
        let entry = Entry::File(file.clone(), Instant::now());
        self.insert(Key::File(file.path.clone()), entry);
    }

    pub(super) fn forget_file(&self, path: &Path) {
        if let Some(entries) = &self.entries {
            entries.remove(&Key::File(path.clone()));
        }
    }

    /// Forgets all files: a collection may have deleted them.
    pub(super) fn forget_files(&self) {
        if let Some(entries) = &self.entries {
            entries.retain(|key, _| matches!(key, Key::Manifest(_)));
        }
    }

    fn insert(&self, key: Key, entry: Entry) {
        if let Some(entries) = &self.entries {
            entries.insert(key, entry);
            self.metrics.set_used(entries.weight());
        }
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use storage_driver::Version;
    use tokio::time::advance;

    use super::*;
    use crate::digest::Algorithm;

    fn manifest(size: usize) -> ManifestSummary {
        let content = Some(vec![0; size].into());
        ManifestSummary { own_type: None, size: size as u64, default_child: None, content }
    }

    fn file(path: &str) -> Metadata {
        let path = Path::parse(path).unwrap();
        Metadata::new(path, 1, SystemTime::UNIX_EPOCH, Version::from(1_u64))
    }

    fn digest(number: usize) -> Digest {
        Digest::of(Algorithm::Sha256, &number.to_be_bytes())
    }

    #[test]
    fn it_never_holds_more_than_its_capacity() {
        let cache = Cache::new(64 << 10, CacheMetrics::default());
        for number in 0..1000 {
            cache.keep_manifest(&digest(number), &manifest(1000));
            assert!(cache.entries.as_ref().unwrap().weight() <= 64 << 10);
        }
        assert!(cache.manifest(&digest(999)).is_some());
    }

    #[test]
    fn without_capacity_it_holds_nothing() {
        let cache = Cache::new(0, CacheMetrics::default());
        cache.keep_manifest(&digest(1), &manifest(1));
        cache.keep_file(&file("/a"));
        assert!(cache.manifest(&digest(1)).is_none());
        assert!(cache.file(&file("/a").path, TRUST).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_is_trusted_for_a_time_only() {
        let cache = Cache::new(1 << 20, CacheMetrics::default());
        let (file, second) = (file("/a"), Duration::from_secs(1));
        cache.keep_file(&file);
        advance(TRUST - second).await;
        assert!(cache.file(&file.path, TRUST).is_some());
        assert!(cache.file(&file.path, Duration::ZERO).is_none());
        advance(second).await;
        assert!(cache.file(&file.path, TRUST).is_none());
    }

    #[test]
    fn a_collection_forgets_files_and_no_manifests() {
        let cache = Cache::new(1 << 20, CacheMetrics::default());
        cache.keep_file(&file("/a"));
        cache.keep_manifest(&digest(1), &manifest(1));
        cache.forget_files();
        assert!(cache.file(&file("/a").path, TRUST).is_none());
        assert!(cache.manifest(&digest(1)).is_some());
    }
}
