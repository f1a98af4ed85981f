//! [`Store`]: the tree of committed files, and every change to it.
//!
//! All that is here may wait for a disk, and runs on a thread for that, under the
//! [`Locks`](crate::locks::Locks) that its doc names.

use std::{
    collections::BTreeMap,
    fmt,
    os::fd::OwnedFd,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::Bytes;
use rustix::{fs::RenameFlags, io::Errno};
use storage_driver::{Error, ErrorKind, Metadata, Path, Payload, Precondition, Result, Version};

use crate::{
    Durability,
    buffers::Buffers,
    clock::{Clock, to_system},
    durability::{DirSyncs, FreshDirs},
    error::{explain, is_nothing, not_found},
    list::Windows,
    locks::Locks,
    names::{self, NameKind},
    sys::{self, Facts, Kind, Resolve, Sys},
    trash,
    upload::Upload,
    work::Work,
    write::write_all,
};

/// The directory in the root that is not a part of the namespace: `~` is in no path.
pub(crate) const RESERVED: &str = "~storage-driver";

/// A file of at most so many bytes, 1 MiB, is removed on the spot; freeing the blocks of a larger one
/// takes time that nobody should wait for.
const SMALL: u64 = 1 << 20;

/// How often a step is tried again when directories vanish under it because others remove what they
/// think is empty.
const TRIES: usize = 1000;

/// What a driver was opened with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) durability: Durability,
    pub(crate) file_mode: u32,
    pub(crate) dir_mode: u32,
}

/// A root that is open, and locked.
pub(crate) struct Store {
    pub(crate) sys: Sys,
    pub(crate) location: PathBuf,
    pub(crate) root: OwnedFd,
    /// Content that is being made.
    pub(crate) staging: OwnedFd,
    /// Content and records of uploads in progress.
    pub(crate) uploads_dir: OwnedFd,
    /// What was deleted and is yet to be removed.
    pub(crate) trash: OwnedFd,
    pub(crate) lock: Mutex<Option<OwnedFd>>,
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
    /// Whether files without a name can be made, and given one.
    pub(crate) has_unnamed: bool,
    /// Whether something was put into the trash since it was emptied last.
    littered: AtomicBool,
    /// Whether the trash is being emptied.
    emptying: AtomicBool,
    /// Whether the log was told of files that are not ours.
    said_foreign: AtomicBool,
}

/// The parts of a [`Store`] that opening finds or makes.
pub(crate) struct Opened {
    pub(crate) location: PathBuf,
    pub(crate) root: OwnedFd,
    pub(crate) staging: OwnedFd,
    pub(crate) uploads_dir: OwnedFd,
    pub(crate) trash: OwnedFd,
    pub(crate) lock: OwnedFd,
    pub(crate) in_memory: bool,
    pub(crate) has_unnamed: bool,
    pub(crate) clock: Clock,
    pub(crate) uploads: BTreeMap<Path, Arc<Upload>>,
}

/// A file that is to get a name.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// It has none yet.
    Unnamed(&'a OwnedFd),
    /// It is one of our own.
    Reserved(&'a OwnedFd, &'a str),
    /// Callers see it already.
    Committed(&'a OwnedFd, &'a str),
}

impl Store {
    pub(crate) fn new(sys: Sys, settings: Settings, work: Work, opened: Opened) -> Self {
        let Opened { location, root, staging, uploads_dir, trash, .. } = opened;
        let Opened { lock, in_memory, has_unnamed, clock, uploads, .. } = opened;
        Self {
            sys,
            location,
            root,
            staging,
            uploads_dir,
            trash,
            lock: Mutex::new(Some(lock)),
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
            has_unnamed,
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
        let available =
            self.sys.stat_fs(&self.root).ok().map(|fs| fs.f_bavail.saturating_mul(fs.f_frsize));
        let source = std::io::Error::from(errno);
        Error::new(ErrorKind::StorageFull { needed: None, available }).with_source(source)
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

    // ---- making content

    /// Makes a file without a name, or with one in the staging directory where that is not possible.
    pub(crate) fn stage(self: &Arc<Self>) -> Result<Staged> {
        let mode = self.settings.file_mode;
        let name = (!self.has_unnamed).then(|| self.new_name());
        let file = match &name {
            None => self.sys.create_unnamed(&self.staging, mode),
            Some(name) => self.sys.create(&self.staging, name, mode),
        };
        let file = file.map_err(|errno| self.explain(errno))?;
        Ok(Staged { store: Arc::clone(self), name, file, published: false })
    }

    /// Makes a file with this content.
    pub(crate) fn stage_content(self: &Arc<Self>, content: &Payload) -> Result<Staged> {
        let staged = self.stage()?;
        let parts: Vec<Bytes> = content.parts().cloned().collect();
        write_all(&self.sys, &staged.file, &parts, 0).map_err(|(_, errno)| self.explain(errno))?;
        Ok(staged)
    }

    /// Makes a file with the content of the file at `from`.
    pub(crate) fn stage_copy(self: &Arc<Self>, from: &Path) -> Result<Staged> {
        let (source, facts) =
            self.open_file(from, Resolve::Fully).map_err(|e| self.explain_open(from, e))?;
        let staged = self.stage()?;
        self.copy_file(&source, &facts, &staged.file)?;
        if facts.size > SMALL {
            // While no lock is held.
            self.sync_content(&staged.file)?;
        }
        Ok(staged)
    }

    /// Copies a whole file into an empty one, or shares its blocks.
    pub(crate) fn copy_file(&self, source: &OwnedFd, facts: &Facts, to: &OwnedFd) -> Result<()> {
        if self.sys.clone_file(source, to).is_ok() {
            return Ok(());
        }
        let mut offset = 0;
        while offset < facts.size {
            let length = (facts.size - offset).min(64 << 20) as usize;
            let copied = match self.sys.copy_range(source, to, offset, length) {
                Err(Errno::INVAL | Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.copy_piece(source, to, offset)
                }
                result => result,
            };
            match copied.map_err(|errno| self.explain(errno))? {
                // Somebody else has cut it short.
                0 => return Err(ErrorKind::ContentChanged.into()),
                copied => offset += copied as u64,
            }
        }
        Ok(())
    }

    fn copy_piece(&self, source: &OwnedFd, to: &OwnedFd, offset: u64) -> sys::Result<usize> {
        let mut buffer = self.buffers.get(Buffers::SIZE);
        let length = self.sys.read(source, buffer.as_mut(), offset)?;
        let piece = buffer.into_bytes(length);
        write_all(&self.sys, to, &[piece], offset).map_err(|(_, errno)| errno)?;
        Ok(length)
    }

    /// Makes content durable before it has its time.
    pub(crate) fn sync_content(&self, file: &OwnedFd) -> Result<()> {
        if self.settings.durability == Durability::None {
            return Ok(());
        }
        self.sys.sync_data(file).map_err(|errno| self.explain(errno))
    }

    // ---- publishing

    /// Gives a file that was made its name. Under the lock of `dest`.
    pub(crate) fn publish_staged(
        &self,
        mut staged: Staged,
        dest: &Path,
        precondition: &Precondition,
    ) -> Result<Metadata> {
        let facts = self.stamp(&staged.file)?;
        self.sync_whole(&staged.file)?;
        let source = match &staged.name {
            None => Source::Unnamed(&staged.file),
            Some(name) => Source::Reserved(&self.staging, name),
        };
        self.place(source, dest, &|current| precondition.check(current))?;
        staged.published = true;
        Ok(self.metadata(dest, &facts))
    }

    /// Gives a file the time that makes its version unique, and says what it then is.
    pub(crate) fn stamp(&self, file: &OwnedFd) -> Result<Facts> {
        let facts = self.sys.stat(file).map_err(explain)?;
        let modified = self.clock.next();
        self.sys.set_modified(file, modified).map_err(|errno| self.explain(errno))?;
        Ok(Facts { modified: modified.into(), ..facts })
    }

    /// Makes a file durable, with its time.
    pub(crate) fn sync_whole(&self, file: &OwnedFd) -> Result<()> {
        if self.settings.durability == Durability::None {
            return Ok(());
        }
        self.sys.sync_file(file).map_err(|errno| self.explain(errno))
    }

    /// Moves a file to `dest`, if `check` agrees to the version that is there. Under the lock of
    /// `dest`. If it fails, the file is where it was, and so is what was at `dest`.
    pub(crate) fn place(
        &self,
        from: Source<'_>,
        dest: &Path,
        check: &impl Fn(Option<&Version>) -> Result<()>,
    ) -> Result<()> {
        let (parent, name) = split(dest)?;
        for _ in 0..TRIES {
            let dir = match self.open_dir(&parent) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => {
                    check(None)?;
                    match self.make_dir(&parent) {
                        Ok(Some(dir)) => dir,
                        Ok(None) => continue,
                        Err(error) => {
                            self.prune(&parent);
                            return Err(error);
                        }
                    }
                }
                Err(errno) => return Err(conflict(errno)),
            };
            match self.sync_fresh(&parent) {
                Ok(()) => {}
                // One of them was removed again.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(self.undone(&parent, self.explain(errno))),
            }
            if matches!(from, Source::Unnamed(_)) && check(None).is_ok() {
                // It never replaces what is there, so that there is no need to look first.
                match self.place_new(from, (&dir, name)) {
                    Ok(()) => return Ok(()),
                    Err(Errno::EXIST) => {}
                    Err(Errno::NOENT) => continue,
                    Err(errno) => return Err(self.undone(&parent, self.explain(errno))),
                }
            }
            let current = match self.sys.stat_at(&dir, name) {
                Ok(facts) => Some(facts),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(self.undone(&parent, explain(errno))),
            };
            let done = match current {
                None => {
                    check(None).map_err(|error| self.undone(&parent, error))?;
                    self.place_new(from, (&dir, name))
                }
                Some(facts) if facts.kind == Kind::File => {
                    check(Some(&version(&facts)))?;
                    self.replace(from, (&dir, name), &facts)
                }
                Some(facts) if facts.kind == Kind::Dir => {
                    self.make_way(dest)?;
                    continue;
                }
                Some(_) => return Err(ErrorKind::PathConflict.into()),
            };
            match done {
                Ok(()) => return Ok(()),
                // The directory was removed because it was empty, or somebody else put something
                // here: look again.
                Err(Errno::NOENT | Errno::EXIST | Errno::ISDIR) => {}
                Err(errno) => return Err(self.undone(&parent, self.explain(errno))),
            }
        }
        Err(ErrorKind::Unavailable.into())
    }

    /// Removes directories that were made for nothing.
    fn undone(&self, parent: &Path, error: Error) -> Error {
        self.prune(parent);
        error
    }

    /// Gives a file, or a directory, a name that nothing has.
    fn place_new(&self, from: Source<'_>, to: (&OwnedFd, &str)) -> sys::Result<()> {
        match from {
            Source::Unnamed(file) => self.sys.name(file, to)?,
            Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                self.sys.rename_new((dir, name), to)?;
            }
        }
        self.sync_move(from, to.0).inspect_err(|_| {
            let _ = match from {
                Source::Unnamed(_) => self.sys.unlink(to.0, to.1),
                Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                    self.sys.rename_new(to, (dir, name))
                }
            };
        })
    }

    /// Gives a file the name of another. That one is held until the change is durable, so that it can
    /// come back.
    fn replace(&self, from: Source<'_>, to: (&OwnedFd, &str), replaced: &Facts) -> sys::Result<()> {
        let (named, hold) = (self.new_name(), self.new_name());
        let hold = (&self.staging, hold.as_str());
        let old = match from {
            Source::Unnamed(file) => {
                self.sys.name(file, (&self.staging, &named))?;
                (&self.staging, named.as_str())
            }
            Source::Reserved(dir, name) | Source::Committed(dir, name) => (dir, name),
        };
        let wanted = self.settings.durability == Durability::Full || replaced.size > SMALL;
        let held = if wanted {
            match self.sys.link(to, hold) {
                Ok(()) => Ok(true),
                // No second names on this file system, or no more of this file.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => Ok(false),
                Err(errno) => Err(errno),
            }
        } else {
            Ok(false)
        };
        let moved = held.and_then(|held| {
            let moved = self.sys.rename(old, to, RenameFlags::empty()).and_then(|()| {
                self.sync_move(from, to.0).inspect_err(|_| {
                    if held {
                        let _ = self.sys.rename_new(to, old);
                        let _ = self.sys.rename(hold, to, RenameFlags::empty());
                    }
                })
            });
            if held {
                self.discard(hold, replaced.size);
            }
            moved
        });
        if moved.is_err() && matches!(from, Source::Unnamed(_)) {
            let _ = self.sys.unlink(old.0, old.1);
        }
        moved
    }

    /// Makes a move durable: the new name first, then that the old one is gone.
    fn sync_move(&self, from: Source<'_>, dir: &OwnedFd) -> sys::Result<()> {
        self.sync_dir(dir)?;
        match from {
            Source::Committed(from, _) => self.sync_dir(from),
            Source::Unnamed(_) | Source::Reserved(..) => Ok(()),
        }
    }

    /// Removes the directory at `path` if no caller can see it.
    fn make_way(&self, path: &Path) -> Result<()> {
        if names::has_file_below(self, path).map_err(explain)? {
            return Err(ErrorKind::PathConflict.into());
        }
        names::prune_below(self, path).map_err(explain)?;
        match names::look(self, path, Resolve::Fully).map_err(explain)? {
            // Somebody else's files are in it.
            Some(facts) if facts.kind == Kind::Dir => Err(ErrorKind::PathConflict.into()),
            _ => Ok(()),
        }
    }

    // ---- directories

    /// Makes the directory at `path` and those above it, and opens it. `None` if one of them was
    /// removed again meanwhile.
    fn make_dir(&self, path: &Path) -> Result<Option<OwnedFd>> {
        let mut missing = vec![path.clone()];
        let mut dir = loop {
            let above = missing.last().and_then(Path::parent).unwrap_or_else(Path::root);
            match self.open_dir(&above) {
                Ok(dir) => break dir,
                Err(Errno::NOENT) if !above.is_root() => missing.push(above),
                Err(errno) => return Err(conflict(errno)),
            }
        };
        while let Some(path) = missing.pop() {
            let (_, name) = split(&path)?;
            // Before it can be seen: who publishes below has to know.
            if self.settings.durability == Durability::Full {
                self.fresh.add(path.as_str());
            }
            match self.sys.mkdir(&dir, name, self.settings.dir_mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(self.explain(errno)),
            }
            dir = match self.sys.open_dir(&dir, name) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(conflict(errno)),
            };
        }
        Ok(Some(dir))
    }

    /// Makes the name of the directory at `path` durable, and of those above it, where that is new.
    ///
    /// That comes before anything is moved there: a power cut that kept the move and not the
    /// directory would take with it what was moved.
    fn sync_fresh(&self, path: &Path) -> sys::Result<()> {
        let mut path = path.clone();
        while let Some(above) = path.parent().filter(|_| !self.fresh.is_empty()) {
            if let Some(generation) = self.fresh.generation(path.as_str()) {
                self.syncs.sync(&self.sys, self.open_dir(&above)?)?;
                self.fresh.remove(path.as_str(), generation);
            }
            path = above;
        }
        Ok(())
    }

    /// Makes a change to the entries of an open directory durable.
    fn sync_dir(&self, dir: &OwnedFd) -> sys::Result<()> {
        if self.settings.durability != Durability::Full {
            return Ok(());
        }
        self.syncs.sync(&self.sys, dir)
    }

    /// Removes the directory at `path`, and those above it, as far as they are empty.
    pub(crate) fn prune(&self, path: &Path) {
        let mut path = path.clone();
        while let Some(above) = path.parent() {
            // One that stays is seen by nobody, and goes with the next that is removed below it.
            if !self.remove_dir_if_empty(&path).unwrap_or(false) {
                break;
            }
            path = above;
        }
    }

    pub(crate) fn remove_dir_if_empty(&self, path: &Path) -> sys::Result<bool> {
        let Ok((parent, name)) = split(path) else { return Ok(false) };
        let generation = self.fresh.generation(path.as_str());
        let dir = match self.open_dir(&parent) {
            Err(errno) if is_nothing(errno) => return Ok(false),
            dir => dir?,
        };
        match self.sys.rmdir(&dir, name) {
            Ok(()) => {
                if let Some(generation) = generation {
                    self.fresh.remove(path.as_str(), generation);
                }
                Ok(true)
            }
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::BUSY) => {
                Ok(false)
            }
            Err(errno) => Err(errno),
        }
    }

    // ---- changing what is there

    /// Moves the file at `from` to `to`. Under the locks of both.
    pub(crate) fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<Metadata> {
        let facts = self.file(from)?;
        if from == to {
            precondition.check(Some(&version(&facts))).map_err(|error| error.at(to))?;
            return Ok(self.metadata(to, &facts));
        }
        let (parent, name) = split(from)?;
        let dir = self.open_dir(&parent).map_err(not_found)?;
        let source = Source::Committed(&dir, name);
        self.place(source, to, &|current| precondition.check(current))
            .map_err(|error| error.at(to))?;
        self.prune(&parent);
        Ok(self.metadata(to, &facts))
    }

    /// Moves the directory at `from` to `to`. Under the lock of the whole tree.
    pub(crate) fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        match names::look(self, from, Resolve::Fully).map_err(explain)?.map(|facts| facts.kind) {
            Some(Kind::File) => return Err(ErrorKind::NotADirectory.into()),
            Some(Kind::Dir) if self.is_visible(from)? => {}
            _ => return Err(ErrorKind::PathNotFound.into()),
        }
        if from == to {
            return Ok(());
        }
        let conflict = || Error::new(ErrorKind::PathConflict).at(to);
        if to.starts_with(from) {
            return Err(conflict());
        }
        let (from_parent, from_name) = split(from)?;
        let (to_parent, to_name) = split(to)?;
        match names::look(self, to, Resolve::Fully).map_err(explain)?.map(|facts| facts.kind) {
            None => {}
            Some(Kind::Dir) => self.make_way(to).map_err(|error| error.at(to))?,
            Some(_) => return Err(conflict()),
        }
        let growth = to.as_str().len().saturating_sub(from.as_str().len());
        if growth > 0 {
            let longest = names::longest_below(self, from).map_err(explain)?;
            if longest + growth > Path::MAX_BYTES {
                return Err(Error::new(ErrorKind::InvalidPath).at(to));
            }
        }
        let above = self.open_dir(&from_parent).map_err(not_found)?;
        let dir = match self.open_dir(&to_parent) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => match self.make_dir(&to_parent) {
                Ok(Some(dir)) => dir,
                Ok(None) => return Err(ErrorKind::Unavailable.into()),
                Err(error) => return Err(self.undone(&to_parent, error).at(to)),
            },
            Err(errno) => return Err(self::conflict(errno).at(to)),
        };
        let source = Source::Committed(&above, from_name);
        let moved =
            self.sync_fresh(&to_parent).and_then(|()| self.place_new(source, (&dir, to_name)));
        if let Err(errno) = moved {
            return Err(self.undone(&to_parent, self.explain(errno)));
        }
        self.prune(&from_parent);
        Ok(())
    }

    /// Gives a file a new time, and so a new version. Under its lock.
    pub(crate) fn touch(&self, path: &Path) -> Result<Metadata> {
        let (file, before) =
            self.open_file(path, Resolve::Fully).map_err(|e| self.explain_open(path, e))?;
        let facts = self.stamp(&file)?;
        if let Err(error) = self.sync_whole(&file) {
            if let Ok(modified) = i64::try_from(before.modified) {
                let _ = self.sys.set_modified(&file, modified);
            }
            return Err(error);
        }
        Ok(self.metadata(path, &facts))
    }

    /// Removes the file at `path`, if it is one. Under its lock. `false` if it is a directory that a
    /// caller can see, of which nothing was changed.
    pub(crate) fn delete_file(&self, path: &Path, precondition: &Precondition) -> Result<Removed> {
        let facts = match names::look(self, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::File => facts,
            Some(facts) if facts.kind == Kind::Dir && self.is_visible(path)? => {
                return Ok(Removed::IsADirectory);
            }
            _ => return Ok(Removed::Nothing),
        };
        precondition.check(Some(&version(&facts)))?;
        let (parent, name) = split(path)?;
        let dir = self.open_dir(&parent).map_err(not_found)?;
        self.move_aside((&dir, name), facts.size)?;
        self.prune(&parent);
        Ok(Removed::Done)
    }

    /// Removes the directory at `path` with all that is ours below. Under the lock of the whole
    /// tree.
    pub(crate) fn delete_dir(&self, path: &Path, shared: bool) -> Result<()> {
        let (parent, name) = split(path)?;
        if shared {
            return self.delete_below(path);
        }
        let dir = self.open_dir(&parent).map_err(not_found)?;
        self.move_aside((&dir, name), u64::MAX)?;
        self.prune(&parent);
        Ok(())
    }

    /// Moves an entry into the trash, from where it is removed: at once if it is small.
    fn move_aside(&self, from: (&OwnedFd, &str), size: u64) -> Result<()> {
        let name = self.new_name();
        let to = (&self.trash, name.as_str());
        let moved = self.sys.rename_new(from, to).and_then(|()| {
            self.sync_dir(from.0).inspect_err(|_| {
                let _ = self.sys.rename_new(to, from);
            })
        });
        moved.map_err(|errno| self.explain(errno))?;
        // What cannot be removed at once is trash.
        if size > SMALL || self.sys.unlink(to.0, to.1).is_err() {
            self.littered.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Removes what is ours below a directory, one by one, and leaves what is somebody else's.
    fn delete_below(&self, path: &Path) -> Result<()> {
        let mut files = Vec::new();
        names::descend(self, path, |path, kind| {
            if kind == NameKind::File {
                files.push(path.clone());
            }
            true
        })
        .map_err(explain)?;
        for file in files {
            self.delete_file(&file, &Precondition::None)?;
        }
        Ok(())
    }

    /// Writes a byte, to see whether that can be done.
    pub(crate) fn try_writing(&self) -> Result<()> {
        let name = self.new_name();
        let file = self.sys.create(&self.staging, &name, self.settings.file_mode);
        let written = file.and_then(|file| {
            let parts = [Bytes::from_static(b"x")];
            write_all(&self.sys, &file, &parts, 0).map_err(|(_, errno)| errno)
        });
        let _ = self.sys.unlink(&self.staging, &*name);
        written.map_err(|errno| self.explain(errno))
    }

    // ---- leftovers

    /// Removes a file of our own that nobody needs.
    pub(crate) fn discard(&self, file: (&OwnedFd, &str), size: u64) {
        if size > SMALL && self.sys.rename_new(file, (&self.trash, &self.new_name())).is_ok() {
            self.littered.store(true, Ordering::Release);
        } else {
            // What is left is removed when the store is opened next.
            let _ = self.sys.unlink(file.0, file.1);
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

/// What a deletion found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Done,
    Nothing,
    IsADirectory,
}

/// The version of a file: what changes whenever its content does. The time is unique among all that
/// were committed here; the rest is for files that another program has written.
pub(crate) fn version(facts: &Facts) -> Version {
    Version::new(format!("{:x}-{:x}-{:x}", facts.modified, facts.inode, facts.size))
}

/// A path as a directory and a name in it.
fn split(path: &Path) -> Result<(Path, &str)> {
    path.parent().zip(path.name()).ok_or_else(|| Error::new(ErrorKind::InvalidPath).at(path))
}

/// The answer about a path that cannot be made: something is in the way.
fn conflict(errno: Errno) -> Error {
    if is_nothing(errno) { ErrorKind::PathConflict.into() } else { explain(errno) }
}

/// A file that is complete but for its name. One that has a name in the staging directory is removed
/// when it is dropped unpublished; one that has none goes by itself.
pub(crate) struct Staged {
    store: Arc<Store>,
    name: Option<String>,
    pub(crate) file: OwnedFd,
    published: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Some(name) = self.name.as_ref().filter(|_| !self.published) else { return };
        let size = self.store.sys.stat(&self.file).map_or(0, |facts| facts.size);
        self.store.discard((&self.store.staging, name), size);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("location", &self.location)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
