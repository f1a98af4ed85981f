//! [`FilesystemBuilder`]: how a root is opened.

use std::{path::PathBuf, sync::Arc};

use storage_driver::{Error, ErrorKind, Operation, Path, Result};
use tokio::runtime::Handle;

use crate::{
    Durability, Filesystem,
    driver::NAME,
    recovery,
    settings::Settings,
    store::blocking::{BlockingTasks, broken},
    sys::Sys,
};

/// The settings with which a [`Filesystem`] is opened. [`Filesystem::builder`] returns one.
///
/// ```
/// # tokio_test::block_on(async {
/// # let root = tempfile::tempdir()?;
/// # let root = root.path().join("registry");
/// use storage_driver_filesystem::{Durability, Filesystem};
///
/// let driver = Filesystem::builder()
///     .durability(Durability::Data)
///     .file_mode(0o640)
///     .dir_mode(0o750)
///     .open(&root)
///     .await?;
/// # let _ = driver;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it opens a root"]
pub struct FilesystemBuilder {
    settings: Settings,
    sys: Sys,
}

impl Filesystem {
    /// Opens a directory with the defaults of [`FilesystemBuilder`].
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// # let root = dir.path().join("registry");
    /// let driver = storage_driver_filesystem::Filesystem::open(&root).await?;
    /// assert!(root.is_dir());
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// As [`FilesystemBuilder::open`].
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        Self::builder().open(root).await
    }

    /// Returns a builder, which opens a directory with other settings.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// let driver = storage_driver_filesystem::Filesystem::builder().read_only(true).open(dir.path()).await?;
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn builder() -> FilesystemBuilder {
        FilesystemBuilder::default()
    }
}

impl Default for FilesystemBuilder {
    fn default() -> Self {
        let settings = Settings {
            durability: Durability::Full,
            file_mode: 0o600,
            dir_mode: 0o700,
            read_only: false,
        };
        Self { settings, sys: Sys::default() }
    }
}

impl FilesystemBuilder {
    /// What is durable when an operation returns. [`Durability::Full`] by default.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// use storage_driver_filesystem::{Durability, Filesystem};
    ///
    /// let driver = Filesystem::builder().durability(Durability::Data).open(dir.path()).await?;
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn durability(mut self, durability: Durability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// The permissions of new files, minus the process's umask. `0o600` by default: only the owner's.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// let driver = storage_driver_filesystem::Filesystem::builder().file_mode(0o640).open(dir.path()).await?;
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.settings.file_mode = mode & 0o777;
        self
    }

    /// The permissions of new directories, minus the process's umask. `0o700` by default.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// let driver = storage_driver_filesystem::Filesystem::builder().dir_mode(0o750).open(dir.path()).await?;
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn dir_mode(mut self, mode: u32) -> Self {
        self.settings.dir_mode = mode & 0o777;
        self
    }

    /// Whether the root is read-only. `false` by default.
    ///
    /// Opening such a root creates no file, takes no lock, and recovers nothing, so that it works on a
    /// read-only mount, without the permission to write, and while another process serves the root.
    /// The root must exist. The driver then claims no operation in its
    /// [`Capabilities`](storage_driver::Capabilities), and an operation that would change something fails
    /// with [`Unsupported`](ErrorKind::Unsupported) before any effect; `health` reports that content can be
    /// read and not written.
    ///
    /// If another process serves the root, each operation sees the files that are committed at that moment:
    /// a file is read whole, as it was when its reader was opened. A file that it sees may not be durable
    /// yet: if the other process fails to sync it, that process undoes the commit.
    /// [`uploads`](storage_driver::StorageDriver::uploads) returns what is kept on the disk, which may
    /// be less than the other process has accepted.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// use storage_driver::StorageDriver;
    ///
    /// let driver = storage_driver_filesystem::Filesystem::builder().read_only(true).open(dir.path()).await?;
    /// assert!(!driver.capabilities().rename_file);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.settings.read_only = read_only;
        self
    }

    /// Makes system calls through the probe of a test.
    #[cfg(test)]
    pub(crate) fn probe(mut self, probe: Arc<crate::sys::probe::Probe>) -> Self {
        self.sys.probe = Some(probe);
        self
    }

    /// Opens the directory `root`: creates it if it is missing, takes the lock on it, and recovers after a crash. A
    /// [`read_only`](Self::read_only) root is only opened.
    ///
    /// Call it inside a tokio runtime. From then on the driver works on the blocking threads of that runtime,
    /// also if its methods are called from another one.
    ///
    /// # Errors
    ///
    /// The cause names the place. [`Unavailable`](ErrorKind::Unavailable) if the root, or something
    /// that is mounted below it, is open in another process or in this one, if a root to be read only
    /// is missing, or outside of a runtime. [`Unsupported`](ErrorKind::Unsupported) if the file
    /// system keeps times more coarsely than to a millisecond, which versions are made of; if one of
    /// the first directories is a symbolic link; if something is mounted on the driver's own
    /// directories; if the layout is that of a later version.
    /// [`NotADirectory`](ErrorKind::NotADirectory) if the root, or one of the driver's own directories, is
    /// something else, and [`IsADirectory`](ErrorKind::IsADirectory) if the lock is a directory.
    /// [`PermissionDenied`](ErrorKind::PermissionDenied) and other errors of the system.
    ///
    /// # Cancel safety
    ///
    /// Call it again. The root may stay locked for a moment.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// # let dir = tempfile::tempdir()?;
    /// use storage_driver_filesystem::Filesystem;
    ///
    /// let driver = Filesystem::builder().open(dir.path()).await?;
    /// let error = Filesystem::builder().open(dir.path()).await.unwrap_err();
    /// // One process opens a root at a time.
    /// assert!(error.to_string().starts_with("filesystem: open /: "));
    /// # drop(driver);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    pub async fn open(self, root: impl Into<PathBuf>) -> Result<Filesystem> {
        let root = root.into();
        let Self { settings, sys } = self;
        let opened = async {
            let runtime = Handle::try_current()
                .map_err(|error| Error::new(ErrorKind::Unavailable).with_source(error))?;
            let work = BlockingTasks::new(runtime.clone());
            let opening =
                runtime.spawn_blocking(move || recovery::open(sys, &root, settings, work));
            opening.await.unwrap_or_else(|error| Err(broken(error)))
        };
        let uploads = opened.await;
        let uploads = uploads.map_err(|e| e.context(NAME, Operation::Open, &Path::root()))?;
        uploads.store.empty_trash();
        Ok(Filesystem { uploads: Arc::new(uploads) })
    }
}
