//! [`Filesystem`]: the handle to an open root.

use std::{fmt, sync::Arc};

use crate::{store::Store, upload::uploads::Uploads};

/// A storage driver on a directory of a file system: see the [crate].
///
/// A clone is a handle to the same open root. The root is released by
/// [`shutdown`](storage_driver::StorageDriver::shutdown), or when the last handle, reader and writer
/// is dropped.
///
/// ```
/// # tokio_test::block_on(async {
/// # let dir = tempfile::tempdir()?;
/// use storage_driver_filesystem::Filesystem;
/// use storage_driver::{Path, StorageDriverExt};
///
/// let driver = Filesystem::open(dir.path()).await?;
/// driver.put(&Path::parse("/blobs/one")?, "content").await?;
/// assert_eq!(std::fs::read(dir.path().join("blobs/one"))?, b"content");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Clone)]
pub struct Filesystem {
    pub(crate) uploads: Arc<Uploads>,
}

impl Filesystem {
    pub(crate) fn store(&self) -> &Arc<Store> {
        &self.uploads.store
    }
}

impl fmt::Debug for Filesystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filesystem")
            .field("root", &self.store().root.location)
            .field("durability", &self.store().root.settings.durability)
            .finish_non_exhaustive()
    }
}
