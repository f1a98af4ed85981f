//! [`Store`]: the committed files of an open root, and lookups in it.
//!
//! Each kind of change is in its own module: [`staging`](crate::store::staging) makes content,
//! [`publish`](crate::store::publish) gives it its name, [`dirs`](crate::store::dirs) creates and removes directories,
//! [`change`](crate::store::change) renames, touches and deletes. All of them may wait for a disk: they run on a
//! blocking thread, under the [`Locks`] that their documentation names.

pub(crate) mod blocking;
pub(crate) mod buffers;
pub(crate) mod change;
mod dirs;
pub(crate) mod list;
mod publish;
pub(crate) mod reader;
pub(crate) mod staging;
mod trash;
pub(crate) mod walk;
pub(crate) mod windows;

use std::{
    fmt,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use rustix::{fs::StatVfsMountFlags, io::Errno};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    clock::Clock,
    error::{at_place, explain, is_nothing, not_found},
    root::{
        Root,
        locks::Locks,
        mounts::Mount,
        place::require_at,
        reserved::Reserved,
        search,
        syncs::{DirSyncs, FreshDirs},
    },
    store::{blocking::BlockingTasks, buffers::Buffers, windows::Windows},
    sys::{FileStat, Kind, Resolve, write::write_all},
};

/// A file of at most this size, 1 MiB, is written, synced and removed under locks. For a larger file, other
/// operations would wait too long. In tests, a few pages are large.
pub(crate) const SMALL: u64 = if cfg!(test) { 16 << 10 } else { 1 << 20 };

/// The committed files of an open root, which is locked unless it is read-only.
pub(crate) struct Store {
    pub(crate) root: Root,
    /// Our own directories, in the root and in each mount; none for a read-only root.
    pub(crate) reserved: Vec<Arc<Reserved>>,
    /// Content and records of uploads in progress; `None` for a read-only root.
    pub(crate) uploads_dir: Option<Arc<OwnedFd>>,
    pub(crate) clock: Clock,
    pub(crate) locks: Locks,
    pub(crate) work: BlockingTasks,
    pub(crate) fresh: FreshDirs,
    pub(crate) syncs: DirSyncs,
    pub(crate) buffers: Buffers,
    pub(crate) windows: Windows,
    pub(crate) closed: AtomicBool,
    /// Whether reading never waits for a disk.
    pub(crate) in_memory: bool,
    /// Whether anything was moved to the trash since it was emptied last.
    pub(crate) littered: AtomicBool,
    /// Whether the trash is being emptied.
    pub(crate) emptying: AtomicBool,
}

/// What the driver opens for writing.
pub(crate) struct Own {
    /// That of the root, then those of the mounts in the order of their paths.
    pub(crate) reserved: Vec<Arc<Reserved>>,
    pub(crate) uploads_dir: Arc<OwnedFd>,
    pub(crate) clock: Clock,
}

impl Store {
    /// A store over an open root. `own` is `None` for a read-only root.
    pub(crate) fn new(root: Root, work: BlockingTasks, in_memory: bool, own: Option<Own>) -> Self {
        let (reserved, uploads_dir, clock) = match own {
            Some(Own { reserved, uploads_dir, clock }) => (reserved, Some(uploads_dir), clock),
            // No file is given a time.
            None => (Vec::new(), None, Clock::new(0, 1)),
        };
        Self {
            root,
            reserved,
            uploads_dir,
            clock,
            locks: Locks::default(),
            work,
            fresh: FreshDirs::default(),
            syncs: DirSyncs::default(),
            buffers: Buffers::default(),
            windows: Windows::default(),
            closed: AtomicBool::new(false),
            in_memory,
            littered: AtomicBool::new(true),
            emptying: AtomicBool::new(false),
        }
    }

    /// Fails once the driver was shut down.
    pub(crate) fn require_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable).with_source("the driver was shut down"));
        }
        Ok(())
    }

    /// Fails once the driver was shut down, or if the root is read-only.
    pub(crate) fn require_writable(&self) -> Result<()> {
        self.require_open()?;
        if self.root.settings.read_only { Err(read_only()) } else { Ok(()) }
    }

    /// Our own directories for content at a path.
    pub(crate) fn reserved_for(&self, path: &Path) -> Result<&Arc<Reserved>> {
        // The name of a directory on which something is mounted is not on that mount.
        let mut mounts = self.reserved.iter().skip(1).rev();
        let mount = mounts.find(|reserved| path.starts_with(&reserved.at) && *path != reserved.at);
        mount.or(self.reserved.first()).ok_or_else(read_only)
    }

    /// The directory of the uploads.
    pub(crate) fn uploads_dir(&self) -> Result<&Arc<OwnedFd>> {
        self.uploads_dir.as_ref().ok_or_else(read_only)
    }

    /// A name that no file in the reserved directories has, or had.
    pub(crate) fn new_name(&self) -> String {
        format!("{:016x}", self.clock.next())
    }

    /// The error for `errno`, with the free space if the disk is full.
    pub(crate) fn explain(&self, errno: Errno) -> Error {
        let error = explain(errno);
        if !matches!(error.kind(), ErrorKind::StorageFull { .. }) {
            return error;
        }
        if !self.root.mounts.is_empty() {
            // It is not known which of the file systems is full.
            return error;
        }
        let available = self
            .root
            .sys
            .stat_fs(&self.root.dir)
            .ok()
            .map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        let source = std::io::Error::from(errno);
        Error::new(ErrorKind::StorageFull { needed: None, available }).with_source(source)
    }

    /// The error for a path that cannot be created because a file, link or device is in its place or above it.
    pub(crate) fn conflict(&self, path: &Path, errno: Errno) -> Error {
        if !is_nothing(errno) {
            return explain(errno);
        }
        let error = Error::new(ErrorKind::PathConflict);
        let is_other = |at: &Path| {
            let found = search::lookup(&self.root, at, Resolve::Fully);
            matches!(found, Ok(Some(facts)) if facts.kind == Kind::Other)
        };
        let upwards = std::iter::successors(Some(path.clone()), Path::parent);
        match upwards.filter(|at| !at.is_root()).find(is_other) {
            Some(at) => {
                let cause = "a symbolic link or a special file, which the driver does not follow";
                at_place(error.with_source(cause), self.root.place_of(&at))
            }
            None => error,
        }
    }

    /// An error of a move to or from a path.
    pub(crate) fn explain_move(&self, path: &Path, errno: Errno) -> Error {
        if errno != Errno::XDEV {
            return self.explain(errno);
        }
        let cause = "it is on another file system than when the root was opened: open it again";
        let error = Error::new(ErrorKind::Unavailable).with_source(cause);
        at_place(error, self.root.place_of(path))
    }

    /// The error of a change that used these directories: that one of them is gone, or else `error`.
    pub(crate) fn own_error(&self, reserved: &Reserved, error: Error) -> Error {
        reserved.require_present(&self.root.sys).err().unwrap_or(error)
    }

    // ---- lookups

    /// The file at a path.
    pub(crate) fn file(&self, path: &Path) -> Result<FileStat> {
        match search::lookup(&self.root, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::File => Ok(facts),
            Some(facts) if facts.kind == Kind::Dir && self.is_visible(path)? => {
                Err(ErrorKind::IsADirectory.into())
            }
            _ => Err(ErrorKind::PathNotFound.into()),
        }
    }

    /// Whether callers see the directory at `path`: it is the root, or has a file below.
    pub(crate) fn is_visible(&self, path: &Path) -> Result<bool> {
        Ok(path.is_root() || search::has_file_below(&self.root, path).map_err(explain)?)
    }

    /// The error for a caller's file that could not be opened.
    pub(crate) fn explain_open(&self, path: &Path, errno: Errno) -> Error {
        if errno != Errno::ISDIR {
            return not_found(errno);
        }
        match self.is_visible(path) {
            Ok(true) => ErrorKind::IsADirectory.into(),
            Ok(false) => ErrorKind::PathNotFound.into(),
            Err(error) => error,
        }
    }

    /// Writes a byte, to check that content can be written.
    fn try_writing(&self, reserved: &Reserved) -> Result<()> {
        let fs =
            self.root.sys.stat_fs(&reserved.staging).map_err(|e| reserved.explain("staging", e))?;
        if fs.f_flag.contains(StatVfsMountFlags::RDONLY) {
            let error = Error::new(ErrorKind::PermissionDenied).with_source("mounted read-only");
            return Err(at_place(error, &reserved.place));
        }
        if fs.f_bavail == 0 {
            let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
            return Err(at_place(full.into(), &reserved.place));
        }
        let name = self.new_name();
        let file = self.root.sys.create(&reserved.staging, &name, self.root.settings.file_mode);
        let written = file.and_then(|file| {
            let parts = [Bytes::from_static(b"x")];
            write_all(&self.root.sys, &file, &parts, 0).map_err(|(_, errno)| errno)
        });
        let _ = self.root.sys.unlink(&reserved.staging, &*name);
        written.map_err(|errno| at_place(self.explain(errno), reserved.place.join("staging")))
    }

    /// Whether content can be written, or the error.
    pub(crate) fn write_health(&self) -> Result<()> {
        self.require_writable()?;
        Mount::require_all(&self.root.mounts, &self.root.sys, &self.root.location)?;
        for reserved in &self.reserved {
            reserved.require_present(&self.root.sys)?;
            self.try_writing(reserved)?;
        }
        let own = self.reserved_for(&Path::root())?;
        require_at(&self.root.sys, self.uploads_dir()?, &own.place.join("uploads"))
    }

    // ---- leftovers

    /// Removes a file of the driver that is no longer needed, on the file system of these directories.
    pub(crate) fn discard(&self, reserved: &Reserved, file: (&OwnedFd, &str), size: u64) {
        let name = self.new_name();
        if size > SMALL && self.root.sys.rename_new(file, (&reserved.trash, &name)).is_ok() {
            self.littered.store(true, Ordering::Release);
        } else {
            // If that fails, the file is removed when the store is opened next.
            let _ = reserved.remove(&self.root.sys, file, &name);
        }
    }
}

/// The error of a change in a read-only root.
fn read_only() -> Error {
    Error::new(ErrorKind::Unsupported).with_source("the root was opened to be read only")
}

/// Splits a path into a directory and a name.
pub(crate) fn split(path: &Path) -> Result<(Path, &str)> {
    path.parent().zip(path.name()).ok_or_else(|| Error::new(ErrorKind::InvalidPath).at(path))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("location", &self.root.location)
            .field("settings", &self.root.settings)
            .finish_non_exhaustive()
    }
}
