//! Tests that observe system calls and make them fail.

mod calls;
mod disk;
mod faults;
mod listing;
mod mounts;
mod old;
mod power;
mod read_only;
mod waits;

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{Path, StorageDriver, StorageDriverExt, Version, WalkOptions};

use crate::{Durability, Filesystem, FilesystemBuilder, sys::probe::Probe};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A driver over a directory, whose system calls pass through a probe.
struct Fixture {
    driver: Filesystem,
    probe: Arc<Probe>,
    root: tempfile::TempDir,
}

impl Fixture {
    async fn new(durability: Durability) -> Self {
        Self::with_mounts(durability, &[]).await
    }

    /// A root with mounts at these directories, as far as the driver can see.
    async fn with_mounts(durability: Durability, mounts: &[&str]) -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), durability, mounts).await
    }

    /// A root in memory if the system has such a place: its syncs cost nothing.
    async fn fast(durability: Durability, mounts: &[&str]) -> Self {
        Self::in_dir(fast_directory(), durability, mounts).await
    }

    async fn in_dir(root: tempfile::TempDir, durability: Durability, mounts: &[&str]) -> Self {
        let places = mounts.iter().map(|mount| root.path().canonicalize().unwrap().join(mount));
        let places: Vec<_> = places.collect();
        places.iter().for_each(|place| std::fs::create_dir_all(place).unwrap());
        let probe = Arc::new(Probe::mounted(places));
        let driver = Self::open(&root, &probe, durability).await;
        Self { driver, probe, root }
    }

    /// A root that counts as one in memory, wherever it is.
    async fn in_memory() -> Self {
        let (root, probe) = (fast_directory(), Arc::new(Probe::in_memory()));
        let driver = Self::open(&root, &probe, Durability::None).await;
        // What the opening starts in the background makes calls too.
        while driver.store().emptying.load(std::sync::atomic::Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        Self { driver, probe, root }
    }

    async fn open(
        root: &tempfile::TempDir,
        probe: &Arc<Probe>,
        durability: Durability,
    ) -> Filesystem {
        let builder = FilesystemBuilder::default().durability(durability).probe(Arc::clone(probe));
        builder.open(root.path()).await.unwrap()
    }

    /// The names in one of the reserved directories of the root.
    fn reserved(&self, name: &str) -> Vec<String> {
        self.reserved_at("", name)
    }

    /// The names in one of the reserved directories of a mount.
    fn reserved_at(&self, mount: &str, name: &str) -> Vec<String> {
        let dir = self.root.path().join(mount).join(crate::root::reserved::RESERVED).join(name);
        let names = std::fs::read_dir(dir).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

/// A directory in memory, if there is such a place.
fn fast_directory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// All that a caller can see: files with their content and version, uploads with their size and note.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Everything {
    files: BTreeMap<Path, (Bytes, Version)>,
    uploads: BTreeMap<Path, (u64, Bytes)>,
}

/// Files with their bytes, uploads with their sizes and notes.
type Contents<'a> = (BTreeMap<&'a Path, &'a Bytes>, &'a BTreeMap<Path, (u64, Bytes)>);

impl Everything {
    async fn of(driver: &dyn StorageDriver) -> Self {
        let mut all = Self::default();
        let mut walk = driver.walk(&Path::root(), WalkOptions::new());
        while let Some(entry) = walk.try_next().await.unwrap() {
            if entry.is_file() {
                let content = driver.get_content(entry.path(), 64 << 20).await.unwrap();
                assert_eq!(Some(content.metadata()), entry.metadata());
                let version = content.metadata().version.clone();
                all.files.insert(entry.path().clone(), (content.into_bytes(), version));
            }
        }
        let mut uploads = driver.uploads_all(&Path::root());
        while let Some(upload) = uploads.try_next().await.unwrap() {
            assert_eq!(driver.upload(&upload.path).await.unwrap().as_ref(), Some(&upload));
            all.uploads.insert(upload.path, (upload.size.unwrap(), upload.note.unwrap()));
        }
        all
    }

    /// The same without versions, which differ from run to run.
    fn contents(&self) -> Contents<'_> {
        (self.files.iter().map(|(path, (bytes, _))| (path, bytes)).collect(), &self.uploads)
    }
}
