//! [`Store`]: a root that is open, and how to look at what is in it.
//!
//! What it does stands in files of its own: [`staging`](crate::staging) makes content,
//! [`publish`](crate::publish) gives it its name, [`dirs`](crate::dirs) makes and removes directories,
//! [`change`](crate::change) renames, touches and deletes. All of it may wait for a disk, and runs on a
//! thread for that, under the [`Locks`] that its doc names.

use std::{
    collections::BTreeMap,
    fmt,
    os::fd::OwnedFd,
    path::{Path as FsPath, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use rustix::{fs::StatVfsMountFlags, io::Errno};
use storage_driver::{Error, ErrorKind, Metadata, Path, Result, Version};

use crate::{
    Durability,
    buffers::Buffers,
    clock::{Clock, to_system},
    durability::{DirSyncs, FreshDirs},
    error::{at_place, explain, is_nothing, not_found},
    list::Windows,
    locks::Locks,
    mounts::Mount,
    names,
    reserved::Reserved,
    sys::{self, Facts, Kind, Resolve, Sys},
    trash,
    upload::Upload,
    work::Work,
    write::write_all,
};

/// A file of at most this size, 1 MiB, is written, synced and removed while locks are held. With a larger
/// one, that would keep other operations waiting too long. In tests, a few pages are large.
pub(crate) const SMALL: u64 = if cfg!(test) { 16 << 10 } else { 1 << 20 };

/// What a driver was opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    pub(crate) file_mode: u32,
    pub(crate) dir_mode: u32,
    pub(crate) read_only: bool,
}

/// A root that is open; locked, unless it is only read.
pub(crate) struct Store {
    pub(crate) sys: Sys,
    pub(crate) location: PathBuf,
    pub(crate) root: OwnedFd,
    /// The directories of the store that are on file systems of their own.
    pub(crate) mounts: Vec<Mount>,
    /// Our own directories: in the root, and in each of the mounts; none if the root is only read.
    pub(crate) reserved: Vec<Arc<Reserved>>,
    /// Content and records of uploads in progress; `None` if the root is only read.
    pub(crate) uploads_dir: Option<Arc<OwnedFd>>,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) locks: Locks,
    pub(crate) work: Work,
    pub(crate) fresh: FreshDirs,
    pub(crate) syncs: DirSyncs,
    pub(crate) buffers: Buffers,
    pub(crate) windows: Windows,
    pub(crate) uploads: Mutex<BTreeMap<Path, Arc<Upload>>>,
    pub(crate) closed: AtomicBool,
    /// Whether reading never waits for a disk.
    pub(crate) in_memory: bool,
    /// Whether something was put into the trash since it was emptied last.
    pub(crate) littered: AtomicBool,
    /// Whether the trash is being emptied.
    emptying: AtomicBool,
    /// Whether the log was told of files that are not ours.
    said_foreign: AtomicBool,
}

/// A root that was opened.
pub(crate) struct Opened {
    pub(crate) location: PathBuf,
    pub(crate) root: OwnedFd,
    pub(crate) mounts: Vec<Mount>,
    pub(crate) in_memory: bool,
    /// `None` if it is only read.
    pub(crate) own: Option<Own>,
}

/// What the driver opens in order to write.
pub(crate) struct Own {
    /// That of the root first, then those of mounts in the order of their paths.
    pub(crate) reserved: Vec<Arc<Reserved>>,
    pub(crate) uploads_dir: Arc<OwnedFd>,
    pub(crate) clock: Clock,
    pub(crate) uploads: BTreeMap<Path, Arc<Upload>>,
}

impl Store {
    pub(crate) fn new(sys: Sys, settings: Settings, work: Work, opened: Opened) -> Self {
        let Opened { location, root, mounts, in_memory, own } = opened;
        let (reserved, uploads_dir, clock, uploads) = match own {
            Some(Own { reserved, uploads_dir, clock, uploads }) => {
                (reserved, Some(uploads_dir), clock, uploads)
            }
            // No time is given to a file.
            None => (Vec::new(), None, Clock::new(0, 1), BTreeMap::new()),
        };
        Self {
            sys,
            location,
            root,
            mounts,
            reserved,
            uploads_dir,
            settings,
            clock,
            locks: Locks::default(),
            work,
            fresh: FreshDirs::default(),
            syncs: DirSyncs::default(),
            buffers: Buffers::default(),
            windows: Windows::default(),
            uploads: Mutex::new(uploads),
            closed: AtomicBool::new(false),
            in_memory,
            littered: AtomicBool::new(true),
            emptying: AtomicBool::new(false),
            said_foreign: AtomicBool::new(false),
        }
    }

    /// Fails once the driver was shut down.
    pub(crate) fn require_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable).with_source("the driver was shut down"));
        }
        Ok(())
    }

    /// Fails once the driver was shut down, or if the root is only read.
    pub(crate) fn require_writable(&self) -> Result<()> {
        self.require_open()?;
        if self.settings.read_only { Err(read_only()) } else { Ok(()) }
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

    /// What an operation on `path` answers, if `result` may be wrong because the root has gone.
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

    pub(crate) fn uploads(&self) -> MutexGuard<'_, BTreeMap<Path, Arc<Upload>>> {
        self.uploads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path as the system takes it, beneath the root.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> &'a str {
        if path.is_root() { "." } else { &path.as_str()[1..] }
    }

    pub(crate) fn open_dir(&self, path: &Path) -> sys::Result<OwnedFd> {
        self.sys.open_dir(&self.root, self.relative(path))
    }

    /// A name that no file in the reserved directories has, or had.
    pub(crate) fn new_name(&self) -> String {
        format!("{:016x}", self.clock.next())
    }

    pub(crate) fn metadata(&self, path: &Path, facts: &Facts) -> Metadata {
        Metadata::new(path.clone(), facts.size, to_system(facts.modified), version(facts))
    }

    /// Says in the log, once, that there are files that are not ours.
    pub(crate) fn say_foreign(&self, name: &[u8]) {
        if !self.said_foreign.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                root = %self.location.display(),
                name = %String::from_utf8_lossy(name).escape_debug(),
                "the root holds what is no path of the store: it is neither shown nor touched"
            );
        }
    }

    /// An error with what is left on the disk, if it is full.
    pub(crate) fn explain(&self, errno: Errno) -> Error {
        let error = explain(errno);
        if !matches!(error.kind(), ErrorKind::StorageFull { .. }) {
            return error;
        }
        if !self.mounts.is_empty() {
            // It is not known here which file system is full.
            return error;
        }
        let available =
            self.sys.stat_fs(&self.root).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        let source = std::io::Error::from(errno);
        Error::new(ErrorKind::StorageFull { needed: None, available }).with_source(source)
    }

    /// The error for a path that cannot be created because something is in the way.
    pub(crate) fn conflict(&self, path: &Path, errno: Errno) -> Error {
        if !is_nothing(errno) {
            return explain(errno);
        }
        let error = Error::new(ErrorKind::PathConflict);
        let is_other = |at: &Path| {
            let found = names::look(self, at, Resolve::Fully);
            matches!(found, Ok(Some(facts)) if facts.kind == Kind::Other)
        };
        let upwards = std::iter::successors(Some(path.clone()), Path::parent);
        match upwards.filter(|at| !at.is_root()).find(is_other) {
            Some(at) => {
                let cause = "a symbolic link or a special file, which the driver does not follow";
                at_place(error.with_source(cause), self.place_of(&at))
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
        at_place(error, self.place_of(path))
    }

    // ---- looking

    /// The file at a path.
    pub(crate) fn file(&self, path: &Path) -> Result<Facts> {
        match names::look(self, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::File => Ok(facts),
            Some(facts) if facts.kind == Kind::Dir && self.is_visible(path)? => {
                Err(ErrorKind::IsADirectory.into())
            }
            _ => Err(ErrorKind::PathNotFound.into()),
        }
    }

    /// Whether the directory at `path` is one for a caller: the root, or one with a file below.
    pub(crate) fn is_visible(&self, path: &Path) -> Result<bool> {
        Ok(path.is_root() || names::has_file_below(self, path).map_err(explain)?)
    }

    /// Opens the file at a path, and knows it.
    pub(crate) fn open_file(&self, path: &Path, resolve: Resolve) -> sys::Result<(OwnedFd, Facts)> {
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

    /// What opening a file for a caller answers if it failed.
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

    /// Writes a byte, to see whether that can be done.
    fn try_writing(&self, reserved: &Reserved) -> Result<()> {
        let fs = self.sys.stat_fs(&reserved.staging).map_err(|e| reserved.explain("staging", e))?;
        if fs.f_flag.contains(StatVfsMountFlags::RDONLY) {
            let error = Error::new(ErrorKind::PermissionDenied).with_source("mounted read-only");
            return Err(at_place(error, &reserved.place));
        }
        if fs.f_bavail == 0 {
            let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
            return Err(at_place(full.into(), &reserved.place));
        }
        let name = self.new_name();
        let file = self.sys.create(&reserved.staging, &name, self.settings.file_mode);
        let written = file.and_then(|file| {
            let parts = [Bytes::from_static(b"x")];
            write_all(&self.sys, &file, &parts, 0).map_err(|(_, errno)| errno)
        });
        let _ = self.sys.unlink(&reserved.staging, &*name);
        written.map_err(|errno| at_place(self.explain(errno), reserved.place.join("staging")))
    }

    /// Whether content can be written, and why not.
    pub(crate) fn write_health(&self) -> Result<()> {
        self.require_writable()?;
        Mount::require_all(&self.mounts, &self.sys, &self.location)?;
        for reserved in &self.reserved {
            reserved.require_present(&self.sys)?;
            self.try_writing(reserved)?;
        }
        let own = self.reserved_for(&Path::root())?;
        require_at(&self.sys, self.uploads_dir()?, &own.place.join("uploads"))
    }

    // ---- leftovers

    /// Removes a file of the driver that is no longer needed, on the file system of these directories.
    pub(crate) fn discard(&self, reserved: &Reserved, file: (&OwnedFd, &str), size: u64) {
        let name = self.new_name();
        if size > SMALL && self.sys.rename_new(file, (&reserved.trash, &name)).is_ok() {
            self.littered.store(true, Ordering::Release);
        } else {
            // What is left is removed when the store is opened next.
            let _ = reserved.remove(&self.sys, file, &name);
        }
    }

    /// Begins to remove what is in the trash, if there is something and that does not go on already.
    pub(crate) fn empty_trash(self: &Arc<Self>) {
        if !self.littered.load(Ordering::Acquire) || self.emptying.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = Arc::clone(self);
        self.work.start(move || {
            while store.littered.swap(false, Ordering::AcqRel) {
                if let Err(errno) = trash::empty(&store) {
                    tracing::warn!(
                        root = %store.location.display(),
                        error = %std::io::Error::from(errno),
                        "what was deleted could not all be removed yet"
                    );
                }
            }
            store.emptying.store(false, Ordering::Release);
        });
    }
}

/// Fails if an open directory is no longer at a place: it was removed, renamed, replaced or unmounted.
pub(crate) fn require_at(sys: &Sys, dir: &OwnedFd, place: &FsPath) -> Result<()> {
    let opened = sys.stat(dir).map_err(|errno| at_place(explain(errno), place))?;
    let cause = match sys.stat_place(place) {
        Ok(facts) if facts.is_same(&opened) => return Ok(()),
        // The process has given up the privilege to look at it since.
        Err(Errno::ACCESS) => return Ok(()),
        Ok(_) => "another directory or file system is there since it was opened",
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => {
            "it was removed or renamed since it was opened"
        }
        Err(errno) => return Err(at_place(explain(errno), place)),
    };
    Err(at_place(Error::new(ErrorKind::Unavailable).with_source(cause), place))
}

/// The answer to what would change a root that is only read.
fn read_only() -> Error {
    Error::new(ErrorKind::Unsupported).with_source("the root was opened to be read only")
}

/// The version of a file: what changes whenever its content does. The time is unique among all that
/// were committed here; the rest is for files that another program has written.
pub(crate) fn version(facts: &Facts) -> Version {
    Version::new(format!("{:x}-{:x}-{:x}", facts.modified, facts.inode, facts.size))
}

/// A path as a directory and a name in it.
pub(crate) fn split(path: &Path) -> Result<(Path, &str)> {
    path.parent().zip(path.name()).ok_or_else(|| Error::new(ErrorKind::InvalidPath).at(path))
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("location", &self.location)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
