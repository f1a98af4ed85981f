//! [`Root`]: an open directory, and how paths are resolved in it.

use std::{
    os::fd::OwnedFd,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind, Metadata, Path, Result, Version};

use crate::{
    clock::to_system,
    error::at_place,
    mounts::Mount,
    place::require_at,
    settings::Settings,
    sys::{self, FileStat, Kind, Resolve, Sys},
};

/// A root that is open.
pub(crate) struct Root {
    pub(crate) sys: Sys,
    pub(crate) location: PathBuf,
    pub(crate) root: OwnedFd,
    /// The directories of the store that are on file systems of their own.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) settings: Settings,
    /// Whether files that are not part of the store were reported in the log.
    warned_foreign: AtomicBool,
}

impl Root {
    pub(crate) fn new(
        sys: Sys,
        location: PathBuf,
        root: OwnedFd,
        mounts: Vec<Mount>,
        settings: Settings,
    ) -> Self {
        let warned_foreign = AtomicBool::new(false);
        Self { sys, location, root, mounts, settings, warned_foreign }
    }

    /// Fails if the root is no longer at its location, or a mount at, above or below `path` is gone.
    fn require_places(&self, path: &Path) -> Result<()> {
        require_at(&self.sys, &self.root, &self.location)?;
        let touched = |at: &Path| at.starts_with(path) || path.starts_with(at);
        let mut mounts = self.mounts.iter().filter(|mount| touched(&mount.at));
        mounts.try_for_each(|mount| require_at(&self.sys, &mount.dir, &mount.place))
    }

    /// Whether something is mounted at or below a path.
    pub(crate) fn is_mount_below(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.at.starts_with(path))
    }

    /// Fails if the store is on several file systems: nothing is renamed from one to another.
    pub(crate) fn require_one_file_system(&self) -> Result<()> {
        let Some(mount) = self.mounts.first() else { return Ok(()) };
        let cause = "a file system is mounted here: in a store on several, nothing is renamed";
        Err(at_place(Error::new(ErrorKind::Unsupported).with_source(cause), &mount.place))
    }

    /// Whether content at `path` is on another file system than the uploads.
    pub(crate) fn is_elsewhere(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| path.starts_with(&mount.at) && *path != mount.at)
    }

    /// Where a path is on this machine.
    pub(crate) fn place_of(&self, path: &Path) -> PathBuf {
        self.location.join(self.relative(path))
    }

    /// The result of an operation on `path`, whose `result` may be wrong because the root is gone.
    pub(crate) fn check_root<T>(&self, path: &Path, result: Result<T>) -> Result<T> {
        use ErrorKind::{Other, PathNotFound, PermissionDenied, Unavailable};
        let doubtful = match &result {
            Ok(_) => path.is_root(),
            Err(error) => {
                matches!(error.kind(), PathNotFound | Unavailable | PermissionDenied | Other)
            }
        };
        if doubtful {
            self.require_places(path)?;
        }
        result
    }

    /// A path as the system takes it, beneath the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a str {
        if path.is_root() { "." } else { &path.as_str()[1..] }
    }

    pub(crate) fn open_dir(&self, path: &Path) -> sys::Result<OwnedFd> {
        self.sys.open_dir(&self.root, self.relative(path))
    }

    pub(crate) fn metadata(&self, path: &Path, facts: &FileStat) -> Metadata {
        Metadata::new(path.clone(), facts.size, to_system(facts.modified), version(facts))
    }

    /// Says in the log, once, that there are files that are not ours.
    pub(crate) fn warn_foreign_once(&self, name: &[u8]) {
        if !self.warned_foreign.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                root = %self.location.display(),
                name = %String::from_utf8_lossy(name).escape_debug(),
                "the root holds what is no path of the store: it is neither shown nor touched"
            );
        }
    }

    /// Opens the file at a path, and knows it.
    pub(crate) fn open_file(
        &self,
        path: &Path,
        resolve: Resolve,
    ) -> sys::Result<(OwnedFd, FileStat)> {
        // What is no regular file is not opened; and what was opened is looked at again, because
        // another may have come in between.
        let relative = self.relative(path);
        let place = self.sys.open_path(&self.root, relative, resolve)?;
        match self.sys.stat(&place)?.kind {
            Kind::File => {}
            Kind::Dir => return Err(Errno::ISDIR),
            Kind::Other => return Err(Errno::NOENT),
        }
        let file = self.sys.open_file(&self.root, relative, resolve)?;
        let facts = self.sys.stat(&file)?;
        match facts.kind {
            Kind::File => Ok((file, facts)),
            Kind::Dir => Err(Errno::ISDIR),
            Kind::Other => Err(Errno::NOENT),
        }
    }
}

/// The version of a file: what changes whenever its content does. The time is unique among all that
/// were committed here; the rest is for files that another program has written.
pub(crate) fn version(facts: &FileStat) -> Version {
    Version::new(format!("{:x}-{:x}-{:x}", facts.modified, facts.inode, facts.size))
}
