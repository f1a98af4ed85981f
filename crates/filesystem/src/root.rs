//! [`Root`]: an open directory, and how paths are resolved in it.

pub(crate) mod locks;
pub(crate) mod mounts;
pub(crate) mod names;
pub(crate) mod place;
pub(crate) mod reserved;
pub(crate) mod search;
pub(crate) mod syncs;

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
    root::{mounts::Mount, place::require_at},
    settings::Settings,
    sys::{self, FileStat, Kind, Resolve, Sys},
};

/// An open root.
pub(crate) struct Root {
    pub(crate) sys: Sys,
    pub(crate) location: PathBuf,
    /// The root itself.
    pub(crate) dir: OwnedFd,
    /// The directories of the store on which other file systems are mounted.
    pub(crate) mounts: Vec<Mount>,
    pub(crate) settings: Settings,
    /// Whether the log has reported files that are not part of the store.
    warned_foreign: AtomicBool,
}

impl Root {
    pub(crate) fn new(
        sys: Sys,
        location: PathBuf,
        dir: OwnedFd,
        mounts: Vec<Mount>,
        settings: Settings,
    ) -> Self {
        let warned_foreign = AtomicBool::new(false);
        Self { sys, location, dir, mounts, settings, warned_foreign }
    }

    /// Fails if the root is no longer at its location, or a mount at, above or below `path` is gone.
    fn require_places(&self, path: &Path) -> Result<()> {
        require_at(&self.sys, &self.dir, &self.location)?;
        let touched = |at: &Path| at.starts_with(path) || path.starts_with(at);
        let mut mounts = self.mounts.iter().filter(|mount| touched(&mount.at));
        mounts.try_for_each(|mount| require_at(&self.sys, &mount.dir, &mount.place))
    }

    /// Whether something is mounted at or below a path.
    pub(crate) fn is_mount_below(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| mount.at.starts_with(path))
    }

    /// Fails if the store is on several file systems: a rename between two is not possible.
    pub(crate) fn require_one_file_system(&self) -> Result<()> {
        let Some(mount) = self.mounts.first() else { return Ok(()) };
        let cause = "a file system is mounted here: in a store on several, nothing is renamed";
        Err(at_place(Error::new(ErrorKind::Unsupported).with_source(cause), &mount.place))
    }

    /// Whether content at `path` is on another file system than the uploads.
    pub(crate) fn is_elsewhere(&self, path: &Path) -> bool {
        self.mounts.iter().any(|mount| path.starts_with(&mount.at) && *path != mount.at)
    }

    /// The place of a path on this machine.
    pub(crate) fn place_of(&self, path: &Path) -> PathBuf {
        self.location.join(self.relative(path))
    }

    /// Replaces the result of an operation on `path` by an error, if it may be wrong because the root is gone.
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

    /// A path relative to the root, for the system.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a str {
        if path.is_root() { "." } else { &path.as_str()[1..] }
    }

    pub(crate) fn open_dir(&self, path: &Path) -> sys::Result<OwnedFd> {
        self.sys.open_dir(&self.dir, self.relative(path))
    }

    pub(crate) fn metadata(&self, path: &Path, facts: &FileStat) -> Metadata {
        Metadata::new(path.clone(), facts.size, to_system(facts.modified), version(facts))
    }

    /// Reports in the log, once, that the root has files that are not part of the store.
    pub(crate) fn warn_foreign_once(&self, name: &[u8]) {
        if !self.warned_foreign.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                root = %self.location.display(),
                name = %String::from_utf8_lossy(name).escape_debug(),
                "the root has files that are not part of the store: the driver neither shows nor changes them"
            );
        }
    }

    /// Opens the file at a path, and returns its metadata.
    pub(crate) fn open_file(
        &self,
        path: &Path,
        resolve: Resolve,
    ) -> sys::Result<(OwnedFd, FileStat)> {
        // Only a regular file is opened for reading. It is checked again once it is open, because another program
        // may have replaced it in between.
        let relative = self.relative(path);
        let place = self.sys.open_path(&self.dir, relative, resolve)?;
        match self.sys.stat(&place)?.kind {
            Kind::File => {}
            Kind::Dir => return Err(Errno::ISDIR),
            Kind::Other => return Err(Errno::NOENT),
        }
        let file = self.sys.open_file(&self.dir, relative, resolve)?;
        let facts = self.sys.stat(&file)?;
        match facts.kind {
            Kind::File => Ok((file, facts)),
            Kind::Dir => Err(Errno::ISDIR),
            Kind::Other => Err(Errno::NOENT),
        }
    }
}

/// The version of a file, which differs whenever its content differs. The time is unique among the files that the
/// driver committed; inode and size tell apart files that another program has written.
pub(crate) fn version(facts: &FileStat) -> Version {
    Version::new(format!("{:x}-{:x}-{:x}", facts.modified, facts.inode, facts.size))
}
