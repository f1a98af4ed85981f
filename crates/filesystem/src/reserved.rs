//! [`Reserved`]: the driver's own directories, where content is made before it is published, and
//! where it goes when it is deleted.

use std::{
    os::fd::OwnedFd,
    path::{Path as FsPath, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{io::Errno, path::Arg};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    Durability, clock,
    error::{at_place, explain},
    place::require_at,
    settings::Settings,
    sys::Sys,
    write::write_all,
};

/// The name of the directory that holds them. It is not a part of the namespace: `~` is in no path.
pub(crate) const RESERVED: &str = "~storage-driver";

/// What the lock file says: which layout this is, and whether the last process ended in order.
const OPEN: &str = "storage-driver 1 open\n";
const SHUT: &str = "storage-driver 1 shut\n";

/// The driver's own directories. No other process has them open.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// The directory of the store in which they lie.
    pub(crate) at: Path,
    /// Where they are on this machine.
    pub(crate) place: PathBuf,
    /// Content that is being made.
    pub(crate) staging: OwnedFd,
    /// What was deleted and is yet to be removed.
    pub(crate) trash: OwnedFd,
    /// Whether files without a name can be made, and given one.
    pub(crate) has_unnamed: bool,
    lock: Mutex<Option<OwnedFd>>,
}

/// [`Reserved`] directories that were opened, and what else was found.
pub(crate) struct Opened {
    pub(crate) reserved: Reserved,
    /// The directory itself.
    pub(crate) dir: OwnedFd,
    /// The latest time that an earlier process gave to a file, at most. In nanoseconds since 1970.
    pub(crate) last: i64,
    /// The finest step of time that the file system keeps, in nanoseconds.
    pub(crate) step: i64,
    /// Whether the process that had them open last ended in order.
    pub(crate) ended_in_order: bool,
}

impl Reserved {
    /// Opens the reserved directories in the directory `at` of the store, which is open as `above`
    /// and lies at `location`. Makes those that are missing, and locks them.
    pub(crate) fn open(
        sys: &Sys,
        above: &OwnedFd,
        at: Path,
        location: &FsPath,
        settings: Settings,
    ) -> Result<Opened> {
        let place = location.join(RESERVED);
        let named = |errno| at_place(explain(errno), &place);
        let dir = make(sys, above, RESERVED, settings).map_err(named)?;
        let (lock, ended_in_order) =
            take_lock(sys, &dir, settings).map_err(|error| at_place(error, &place))?;
        let staging = make(sys, &dir, "staging", settings).map_err(named)?;
        let trash = make(sys, &dir, "trash", settings).map_err(named)?;
        // No commit of an earlier process is later than the last change to these, whatever has been
        // done to the system's clock since.
        let mut last = 0;
        for dir in [&staging, &trash] {
            let modified = sys.stat(dir).map_err(named)?.modified;
            last = last.max(i64::try_from(modified).unwrap_or(0));
        }
        let step = finest_step(sys, &staging, settings).map_err(|e| at_place(e, &place))?;
        let has_unnamed = can_name(sys, &staging, settings);
        let lock = Mutex::new(Some(lock));
        let reserved = Self { at, place, staging, trash, has_unnamed, lock };
        Ok(Opened { reserved, dir, last, step, ended_in_order })
    }

    /// Writes down that the process ended in order, if that is so, and gives up the lock.
    pub(crate) fn close(&self, sys: &Sys, in_order: bool) -> Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(lock) = lock.filter(|_| in_order) else { return Ok(()) };
        write_all(sys, &lock, &[SHUT.into()], 0)
            .map_err(|(_, errno)| at_place(explain(errno), self.place.join("lock")))
    }

    /// Removes a file of our own; what is none, and cannot be removed so, becomes trash of this name.
    pub(crate) fn remove(
        &self,
        sys: &Sys,
        file: (&OwnedFd, impl Arg + Copy),
        name: &str,
    ) -> crate::sys::Result<()> {
        match sys.unlink(file.0, file.1) {
            Err(Errno::ISDIR | Errno::PERM) => sys.rename_new(file, (&self.trash, name)),
            result => result,
        }
    }

    /// Fails if another program has removed one of these directories.
    pub(crate) fn require_present(&self, sys: &Sys) -> Result<()> {
        require_at(sys, &self.staging, &self.place.join("staging"))?;
        require_at(sys, &self.trash, &self.place.join("trash"))
    }

    /// An error about one of these directories.
    pub(crate) fn explain(&self, name: &str, errno: Errno) -> Error {
        at_place(explain(errno), self.place.join(name))
    }
}

/// Makes a directory of our own, and opens it.
pub(crate) fn make(
    sys: &Sys,
    at: &OwnedFd,
    name: &str,
    settings: Settings,
) -> crate::sys::Result<OwnedFd> {
    match sys.mkdir(at, name, settings.dir_mode) {
        Ok(()) | Err(Errno::EXIST) => sys.open_dir(at, name),
        Err(errno) => Err(errno),
    }
}

/// Takes the lock; says too whether the process that had it last ended in order.
fn take_lock(sys: &Sys, reserved: &OwnedFd, settings: Settings) -> Result<(OwnedFd, bool)> {
    let file = match sys.create(reserved, "lock", settings.file_mode) {
        Err(Errno::EXIST) => sys.open_write(reserved, "lock"),
        file => file,
    };
    let file = file.map_err(explain)?;
    match sys.lock(&file) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let cause = "another process, or another driver in this one, has it open";
            return Err(Error::new(ErrorKind::Unavailable).with_source(cause));
        }
        Err(errno) => return Err(explain(errno)),
    }
    let ended_in_order = require_layout(sys, &file)?;
    write_all(sys, &file, &[OPEN.into()], 0).map_err(|(_, errno)| explain(errno))?;
    Ok((file, ended_in_order))
}

/// Fails if a lock file says that the layout is not this one; else says whether the process that had
/// the lock last ended in order.
pub(crate) fn require_layout(sys: &Sys, lock: &OwnedFd) -> Result<bool> {
    let mut text = [0; 64];
    let length = sys.read(lock, &mut text, 0).map_err(explain)?;
    match &text[..length] {
        text if text == SHUT.as_bytes() => Ok(true),
        text if OPEN.as_bytes().starts_with(text) => Ok(false),
        _ => {
            let cause = "its layout is of another version of this driver";
            Err(Error::new(ErrorKind::Unsupported).with_source(cause))
        }
    }
}

/// The finest step of time that the file system keeps, in nanoseconds.
fn finest_step(sys: &Sys, staging: &OwnedFd, settings: Settings) -> Result<i64> {
    /// Coarser than this, and two commits in a row would have to wait for each other.
    const COARSEST: i64 = 1_000_000;
    let name = "probe";
    let _ = sys.unlink(staging, name);
    let file = sys.create(staging, name, settings.file_mode).map_err(explain)?;
    let odd = clock::now() / 1_000_000_000 * 1_000_000_000 + 123_456_789;
    let kept = sys.set_modified(&file, odd).and_then(|()| sys.stat(&file));
    let removed = sys.unlink(staging, name);
    let kept = i64::try_from(kept.map_err(explain)?.modified).unwrap_or(0);
    removed.map_err(explain)?;
    let steps = std::iter::successors(Some(1), |step| Some(step * 10));
    let step = steps.take_while(|&step| step <= COARSEST).find(|step| odd / step * step == kept);
    step.ok_or_else(|| {
        let cause = "its file system keeps times too coarsely to tell two versions apart";
        Error::new(ErrorKind::Unsupported).with_source(cause)
    })
}

/// Whether a file can be made without a name and be given one later: not on every file system.
fn can_name(sys: &Sys, staging: &OwnedFd, settings: Settings) -> bool {
    let name = "probe";
    let named = sys
        .create_unnamed(staging, settings.file_mode)
        .and_then(|file| sys.name(&file, (staging, name)))
        .and_then(|()| sys.unlink(staging, name));
    named.is_ok()
}

/// Whether what happened last is synced: the names of directories of our own, which were just made,
/// or all that a process that did not end in order had no time for.
pub(crate) fn sync_opened(
    sys: &Sys,
    above: &OwnedFd,
    opened: &Opened,
    settings: Settings,
) -> crate::sys::Result<()> {
    if settings.durability != Durability::Full {
        return Ok(());
    }
    if !opened.ended_in_order {
        return sys.sync_all(above);
    }
    [above, &opened.dir].into_iter().try_for_each(|dir| match sys.sync_dir(dir) {
        // There are file systems that have no sync of a directory, and need none.
        Err(Errno::INVAL) => Ok(()),
        result => result,
    })
}
