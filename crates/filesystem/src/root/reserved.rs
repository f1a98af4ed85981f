//! [`Reserved`]: the driver's own directories, for content before it is published and after it is deleted.

use std::{
    os::fd::OwnedFd,
    path::{Path as FsPath, PathBuf},
    sync::{Mutex, PoisonError},
};

use rustix::{io::Errno, path::Arg};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    Durability, clock,
    error::{at_place, explain, explain_own},
    root::place::require_at,
    settings::Settings,
    sys::{Kind, Sys, write::write_all},
};

/// The name of the directory that holds them. It is not a part of the namespace: `~` is in no path.
pub(crate) const RESERVED: &str = "~storage-driver";

/// The content of the lock file: the layout, and whether the last process ended in order.
const OPEN: &str = "storage-driver 1 open\n";
const SHUT: &str = "storage-driver 1 shut\n";

/// The driver's own directories. No other process has them open.
#[derive(Debug)]
pub(crate) struct Reserved {
    /// The directory of the store in which they lie.
    pub(crate) at: Path,
    /// Their place on this machine.
    pub(crate) place: PathBuf,
    /// Content that is not published yet.
    pub(crate) staging: OwnedFd,
    /// Deleted content that is not removed yet.
    pub(crate) trash: OwnedFd,
    /// Whether the file system can create files without a name and name them later.
    pub(crate) has_unnamed: bool,
    lock: Mutex<Option<OwnedFd>>,
}

/// [`Reserved`] directories that were opened, and the facts that were found.
pub(crate) struct Opened {
    pub(crate) reserved: Reserved,
    /// The directory itself.
    pub(crate) dir: OwnedFd,
    /// An upper bound of the times that earlier processes gave to files, in nanoseconds since 1970.
    pub(crate) last: i64,
    /// The resolution of the file system's times, in nanoseconds.
    pub(crate) step: i64,
    /// Whether the process that had them open last ended in order.
    pub(crate) ended_in_order: bool,
}

impl Reserved {
    /// Opens the reserved directories in the directory `at` of the store, which is open as `above` and is at
    /// `location`. Creates missing ones, and locks them.
    pub(crate) fn open(
        sys: &Sys,
        above: &OwnedFd,
        at: Path,
        location: &FsPath,
        settings: Settings,
    ) -> Result<Opened> {
        let place = location.join(RESERVED);
        let dir = make(sys, above, location, RESERVED, settings)?;
        let (lock, ended_in_order) =
            take_lock(sys, &dir, settings).map_err(|error| at_place(error, place.join("lock")))?;
        let staging = make(sys, &dir, &place, "staging", settings)?;
        let trash = make(sys, &dir, &place, "trash", settings)?;
        // No commit of an earlier process is later than the last change of these directories, even if the system's
        // clock was set back since.
        let mut last = 0;
        for dir in [&staging, &trash] {
            let found = sys.stat(dir).map_err(|errno| at_place(explain(errno), &place))?;
            let modified = found.modified;
            last = last.max(i64::try_from(modified).unwrap_or(0));
        }
        clear_probe(sys, &staging, &trash);
        let step = finest_step(sys, &staging, settings)
            .map_err(|error| at_place(error, place.join("staging").join(PROBE)))?;
        let has_unnamed = can_name(sys, &staging, settings);
        let lock = Mutex::new(Some(lock));
        let reserved = Self { at, place, staging, trash, has_unnamed, lock };
        Ok(Opened { reserved, dir, last, step, ended_in_order })
    }

    /// Records that the process ended in order, if it did, and releases the lock.
    pub(crate) fn close(&self, sys: &Sys, in_order: bool) -> Result<()> {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(lock) = lock.filter(|_| in_order) else { return Ok(()) };
        write_all(sys, &lock, &[SHUT.into()], 0)
            .map_err(|(_, errno)| at_place(explain(errno), self.place.join("lock")))
    }

    /// Removes one of our own files. A directory in its place is moved to the trash, under this name.
    pub(crate) fn remove(
        &self,
        sys: &Sys,
        file: (&OwnedFd, impl Arg + Copy),
        name: &str,
    ) -> crate::sys::Result<()> {
        remove(sys, file, (&self.trash, name))
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

/// Removes a file. A directory in its place becomes the entry `trash`.
fn remove(
    sys: &Sys,
    file: (&OwnedFd, impl Arg + Copy),
    trash: (&OwnedFd, &str),
) -> crate::sys::Result<()> {
    match sys.unlink(file.0, file.1) {
        Err(Errno::ISDIR | Errno::PERM) => sys.rename_new(file, trash),
        result => result,
    }
}

/// Creates one of our own directories in the open directory `at`, which is at `place`, and opens it.
pub(crate) fn make(
    sys: &Sys,
    at: &OwnedFd,
    place: &FsPath,
    name: &str,
    settings: Settings,
) -> Result<OwnedFd> {
    let opened = match sys.mkdir(at, name, settings.dir_mode) {
        Ok(()) | Err(Errno::EXIST) => sys.open_dir(at, name),
        Err(errno) => Err(errno),
    };
    opened.map_err(|errno| at_place(explain_own(errno), place.join(name)))
}

/// Takes the lock. Returns whether the process that had it last ended in order.
fn take_lock(sys: &Sys, reserved: &OwnedFd, settings: Settings) -> Result<(OwnedFd, bool)> {
    let file = match sys.create(reserved, "lock", settings.file_mode) {
        Err(Errno::EXIST) => sys.open_write(reserved, "lock"),
        file => file,
    };
    let file = file.map_err(explain_own)?;
    if sys.stat(&file).map_err(explain)?.kind != Kind::File {
        let cause =
            "this is not a regular file, and the driver needs one of this name: move it away";
        return Err(Error::new(ErrorKind::Unsupported).with_source(cause));
    }
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

/// Fails if the lock file is of another layout. Returns whether the process that had the lock last ended in order.
pub(crate) fn require_layout(sys: &Sys, lock: &OwnedFd) -> Result<bool> {
    let mut text = [0; 64];
    let length = sys.read(lock, &mut text, 0).map_err(explain_own)?;
    match &text[..length] {
        text if text == SHUT.as_bytes() => Ok(true),
        text if OPEN.as_bytes().starts_with(text) => Ok(false),
        _ => {
            let cause = "its layout is of another version of this driver";
            Err(Error::new(ErrorKind::Unsupported).with_source(cause))
        }
    }
}

/// The file in the staging directory with which the features of the file system are tested.
const PROBE: &str = "probe";

/// Removes the file of an earlier test, or anything that another program has put in its place.
fn clear_probe(sys: &Sys, staging: &OwnedFd, trash: &OwnedFd) {
    // If that fails, the test fails and names the file.
    let _ = remove(sys, (staging, PROBE), (trash, &format!("{:016x}", clock::now())));
}

/// The resolution of the file system's times, in nanoseconds.
fn finest_step(sys: &Sys, staging: &OwnedFd, settings: Settings) -> Result<i64> {
    /// With coarser times, two commits in a row would have to wait for each other.
    const COARSEST: i64 = 1_000_000;
    let file = sys.create(staging, PROBE, settings.file_mode).map_err(explain)?;
    let odd = clock::now() / 1_000_000_000 * 1_000_000_000 + 123_456_789;
    let kept = sys.set_modified(&file, odd).and_then(|()| sys.stat(&file));
    let removed = sys.unlink(staging, PROBE);
    let kept = i64::try_from(kept.map_err(explain)?.modified).unwrap_or(0);
    removed.map_err(explain)?;
    let steps = std::iter::successors(Some(1), |step| Some(step * 10));
    let step = steps.take_while(|&step| step <= COARSEST).find(|step| odd / step * step == kept);
    step.ok_or_else(|| {
        let cause = "its file system keeps times too coarsely to tell two versions apart";
        Error::new(ErrorKind::Unsupported).with_source(cause)
    })
}

/// Whether the file system can create a file without a name and name it later.
fn can_name(sys: &Sys, staging: &OwnedFd, settings: Settings) -> bool {
    let named = sys
        .create_unnamed(staging, settings.file_mode)
        .and_then(|file| sys.name(&file, (staging, PROBE)))
        .and_then(|()| sys.unlink(staging, PROBE));
    named.is_ok()
}

/// Syncs the names of our own directories, which may be new. After a process that did not end in order, syncs the
/// whole file system.
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
        // Some file systems have no sync of a directory, and need none.
        Err(Errno::INVAL) => Ok(()),
        result => result,
    })
}
