//! Opening a root: making what is missing, taking the lock, and putting in order what the last
//! process left. The time it takes grows with the uploads in progress, not with the tree.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    os::fd::OwnedFd,
    path::Path as FsPath,
    sync::Arc,
};

use rustix::{
    fs::{Dir, RenameFlags},
    io::Errno,
};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    Durability,
    clock::{self, Clock},
    error::explain,
    record::Record,
    store::{Opened, RESERVED, Settings, Store},
    sys::{Resolve, Sys},
    upload::Upload,
    work::Work,
    write::write_all,
};

/// What the lock file says: which layout this is, and whether the last process ended in order.
const OPEN: &str = "storage-driver 1 open\n";
const SHUT: &str = "storage-driver 1 shut\n";

/// Opens the root at `location`, which is made if it is not there.
pub(crate) fn open(sys: Sys, location: &FsPath, settings: Settings, work: Work) -> Result<Store> {
    let named = |errno: Errno| in_root(location, explain_root(errno));
    make_root(location, settings.dir_mode).map_err(|e| in_root(location, e))?;
    let root = sys.open_root(location).map_err(named)?;
    let reserved = make_reserved(&sys, &root, RESERVED, settings).map_err(named)?;
    let (lock, ended_in_order) =
        take_lock(&sys, &reserved, settings).map_err(|error| in_root(location, error))?;
    let [staging, uploads_dir, trash] =
        ["staging", "uploads", "trash"].map(|name| make_reserved(&sys, &reserved, name, settings));
    let (staging, uploads_dir, trash) =
        (staging.map_err(named)?, uploads_dir.map_err(named)?, trash.map_err(named)?);
    if settings.durability == Durability::Full {
        // Their own names; and what the last process did and had no time to sync.
        let synced = if ended_in_order {
            [&root, &reserved].into_iter().try_for_each(|dir| ignore_unsyncable(sys.sync_dir(dir)))
        } else {
            sys.sync_all(&root)
        };
        synced.map_err(named)?;
    }
    // No commit of an earlier process is later than the last change to these, whatever has been done
    // to the system's clock since.
    let mut last = 0;
    for dir in [&staging, &uploads_dir, &trash] {
        let modified = sys.stat(dir).map_err(named)?.modified;
        last = last.max(i64::try_from(modified).unwrap_or(0));
    }
    let clock =
        Clock::new(last, finest_step(&sys, &staging, settings).map_err(|e| in_root(location, e))?);
    for name in names_in(&sys, &staging).map_err(named)? {
        let moved = format!("{:016x}", clock.next());
        sys.rename((&staging, name.as_str()), (&trash, &moved), RenameFlags::empty())
            .map_err(named)?;
    }
    let uploads = recover_uploads(&sys, &uploads_dir, location).map_err(named)?;
    let in_memory = sys.is_in_memory(&root).map_err(named)?;
    let has_unnamed = can_name(&sys, &staging, settings);
    let location = location.to_owned();
    let opened = Opened {
        location,
        root,
        staging,
        uploads_dir,
        trash,
        lock,
        in_memory,
        has_unnamed,
        clock,
        uploads,
    };
    Ok(Store::new(sys, settings, work, opened))
}

/// Writes down that the process ended in order, and gives up the lock.
pub(crate) fn close(store: &Store) -> Result<()> {
    let lock = store.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(lock) = lock else { return Ok(()) };
    if !store.fresh.is_empty() {
        // Something could not be synced. Who opens the root next syncs everything.
        return Ok(());
    }
    write_all(&store.sys, &lock, &[SHUT.into()], 0).map_err(|(_, errno)| store.explain(errno))
}

/// An error that names the root, for there is no path in the store to blame.
fn in_root(location: &FsPath, error: Error) -> Error {
    let kind = error.kind();
    let cause = match std::error::Error::source(&error) {
        Some(source) => format!("{}: {source}", location.display()),
        None => location.display().to_string(),
    };
    Error::new(kind).with_source(cause)
}

fn explain_root(errno: Errno) -> Error {
    match errno {
        Errno::NOTDIR => Error::new(ErrorKind::NotADirectory).with_source(io::Error::from(errno)),
        errno => explain(errno),
    }
}

fn make_root(location: &FsPath, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(mode).create(location).map_err(Error::from)
}

/// Makes a directory of our own, and opens it.
fn make_reserved(
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
    let mut text = [0; 64];
    let length = sys.read(&file, &mut text, 0).map_err(explain)?;
    let ended_in_order = match &text[..length] {
        text if text == SHUT.as_bytes() => true,
        text if OPEN.as_bytes().starts_with(text) => false,
        _ => {
            let cause = "its layout is of another version of this driver";
            return Err(Error::new(ErrorKind::Unsupported).with_source(cause));
        }
    };
    write_all(sys, &file, &[OPEN.into()], 0).map_err(|(_, errno)| explain(errno))?;
    Ok((file, ended_in_order))
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

/// Finds the uploads in progress, and removes what is none.
fn recover_uploads(
    sys: &Sys,
    dir: &OwnedFd,
    location: &FsPath,
) -> crate::sys::Result<BTreeMap<Path, Arc<Upload>>> {
    let mut sizes = HashMap::new();
    let mut records = Vec::new();
    for file in names_in(sys, dir)? {
        if let Some(name) = file.strip_suffix(".record") {
            records.push(name.to_owned());
        } else if let Some(name) = file.strip_suffix(".data") {
            sizes.insert(name.to_owned(), sys.stat_at(dir, &file)?.size);
        } else {
            sys.unlink(dir, &*file)?;
        }
    }
    // Names are times: of two at one path, the later has replaced the earlier.
    records.sort_unstable();
    let mut uploads = BTreeMap::<Path, Arc<Upload>>::new();
    for name in records {
        let file = format!("{name}.record");
        let record = read_record(sys, dir, &file)?;
        let whole = record.filter(|record| {
            let size = sizes.get(&name).copied();
            if size.is_some_and(|size| size < record.kept.size) {
                tracing::warn!(
                    root = %location.display(),
                    path = %record.header.path,
                    "an upload in progress has lost data that was kept: it is discarded"
                );
            }
            size.is_some_and(|size| size >= record.kept.size)
        });
        match whole {
            Some(record) => {
                sizes.remove(&name);
                let (path, kept) = (record.header.path.clone(), record.kept.size);
                let upload = Upload::recovered(name, record);
                sys.truncate(sys.open_write(dir, &upload.data_name())?, kept)?;
                if let Some(earlier) = uploads.insert(path, Arc::new(upload)) {
                    sys.unlink(dir, &*earlier.record_name())?;
                    sys.unlink(dir, &*earlier.data_name())?;
                }
            }
            // It was published, or never kept.
            None => sys.unlink(dir, &*file)?,
        }
    }
    for name in sizes.keys() {
        sys.unlink(dir, &*format!("{name}.data"))?;
    }
    Ok(uploads)
}

fn read_record(sys: &Sys, dir: &OwnedFd, name: &str) -> crate::sys::Result<Option<Record>> {
    let file = sys.open_file(dir, name, Resolve::Fully)?;
    let mut text = vec![0; Record::MOST];
    let mut length = 0;
    loop {
        match sys.read(&file, &mut text[length..], length as u64)? {
            0 => return Ok(Record::parse(&text[..length])),
            read => length += read,
        }
    }
}

fn names_in(sys: &Sys, dir: &OwnedFd) -> crate::sys::Result<Vec<String>> {
    sys.read_dir()?;
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != "." && name != ".." {
            names.push(name);
        }
    }
    Ok(names)
}

fn ignore_unsyncable(result: crate::sys::Result<()>) -> crate::sys::Result<()> {
    match result {
        Err(Errno::INVAL) => Ok(()),
        result => result,
    }
}
