//! Opening a root: creating missing directories, taking the lock, and recovering after the last process. The time it takes
//! grows with the uploads in progress, not with the tree.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{CStr, CString},
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path as FsPath,
    sync::Arc,
};

use bytes::Bytes;
use rustix::{
    fs::{Dir, RenameFlags},
    io::Errno,
};
use storage_driver::{Error, ErrorKind, Path, Result};

use crate::{
    clock::{self, Clock},
    error::{at_place, explain, explain_own},
    root::{
        Root,
        mounts::Mount,
        reserved::{self, RESERVED, Reserved},
        search,
    },
    settings::Settings,
    store::{Own, Store, blocking::BlockingTasks},
    sys::{FileStat, Kind, Resolve, Sys},
    upload::{
        Upload,
        record::{Kept, Record},
        uploads::Uploads,
    },
};

/// Opens the root at `location`. It is created if it is missing, unless it is read-only.
pub(crate) fn open(
    sys: Sys,
    location: &FsPath,
    settings: Settings,
    work: BlockingTasks,
) -> Result<Uploads> {
    let location = &*std::path::absolute(location).map_err(Error::from)?;
    let named = |errno: Errno| at_place(explain_root(errno), location);
    if !settings.read_only {
        make_root(location, settings.dir_mode).map_err(|error| at_place(error, location))?;
    }
    let dir = sys.open_root(location).map_err(named)?;
    let mounts = Mount::open_all(&sys, &dir, location)?;
    let in_memory = mounts.is_empty() && sys.is_in_memory(&dir).map_err(named)?;
    let (own, uploads) = match settings.read_only {
        true => {
            let place = location.join(RESERVED).join("lock");
            require_layout(&sys, &dir).map_err(|error| at_place(error, place))?;
            (None, BTreeMap::new())
        }
        false => {
            let (own, uploads) = open_own(&sys, &dir, location, &mounts, settings)?;
            (Some(own), uploads)
        }
    };
    let root = Root::new(sys, location.to_owned(), dir, mounts, settings);
    search::require_no_linked_dir(&root)?;
    Ok(Uploads::new(Arc::new(Store::new(root, work, in_memory, own)), uploads))
}

/// Opens what the driver needs for writing, and recovers it.
fn open_own(
    sys: &Sys,
    root: &OwnedFd,
    location: &FsPath,
    mounts: &[Mount],
    settings: Settings,
) -> Result<(Own, BTreeMap<Path, Arc<Upload>>)> {
    let opened = Reserved::open(sys, root, Path::root(), location, settings)?;
    let named = |errno: Errno| at_place(explain(errno), &opened.reserved.place);
    let place = &opened.reserved.place;
    let uploads_dir = reserved::make(sys, &opened.dir, place, "uploads", settings)?;
    let modified = sys.stat(&uploads_dir).map_err(named)?.modified;
    reserved::sync_opened(sys, root, &opened, settings).map_err(named)?;
    let mut last = opened.last.max(i64::try_from(modified).unwrap_or(0));
    let mut step = opened.step;
    let mut all = vec![Arc::new(opened.reserved)];
    for Mount { at, place, dir } in mounts {
        let opened = Reserved::open(sys, dir, at.clone(), place, settings)?;
        let named = |errno: Errno| at_place(explain(errno), &opened.reserved.place);
        reserved::sync_opened(sys, dir, &opened, settings).map_err(named)?;
        (last, step) = (last.max(opened.last), step.max(opened.step));
        all.push(Arc::new(opened.reserved));
    }
    let clock = Clock::new(last, step);
    for reserved in &all {
        let Reserved { staging, trash, .. } = &**reserved;
        let named = |errno: Errno| reserved.explain("staging", errno);
        for name in names_in(sys, staging).map_err(named)? {
            let moved = format!("{:016x}", clock.next());
            sys.rename((staging, &*name), (trash, &moved), RenameFlags::empty()).map_err(named)?;
        }
    }
    let uploads_dir = Arc::new(uploads_dir);
    let uploads = recover_uploads(sys, &uploads_dir, &all[0], &clock)?;
    Ok((Own { reserved: all, uploads_dir, clock }, uploads))
}

/// Records that the process ended in order, and releases the locks.
pub(crate) fn close(store: &Store) -> Result<()> {
    // If a directory could not be synced, the next opening syncs everything.
    let in_order = store.fresh.is_empty();
    let reserved = store.reserved.iter();
    reserved.map(|reserved| reserved.close(&store.root.sys, in_order)).fold(Ok(()), Result::and)
}

fn explain_root(errno: Errno) -> Error {
    match errno {
        Errno::NOTDIR => Error::new(ErrorKind::NotADirectory).with_source(io::Error::from(errno)),
        errno => explain(errno),
    }
}

fn make_root(location: &FsPath, mode: u32) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let made = std::fs::DirBuilder::new().recursive(true).mode(mode).create(location);
    made.map_err(|error| match Errno::from_io_error(&error) {
        Some(errno) => explain_root(errno),
        None => Error::from(error),
    })
}

/// Fails if there is a reserved directory and it has the layout of another version.
fn require_layout(sys: &Sys, root: &OwnedFd) -> Result<()> {
    match sys.open_file(root, &format!("{RESERVED}/lock"), Resolve::Fully) {
        Ok(lock) => reserved::require_layout(sys, &lock).map(drop),
        // Where there is no directory of ours, no driver has been.
        Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
        Err(errno) => Err(explain_own(errno)),
    }
}

/// An upload in progress whose record and data were found.
struct Found {
    /// The name of its files.
    name: String,
    record: Record,
    data: FileStat,
}

/// The content of the directory of uploads.
#[derive(Default)]
struct Scan {
    /// The latest at each path.
    uploads: BTreeMap<Path, Found>,
    /// Files that belong to none of them.
    stray: Vec<CString>,
    /// Records that cannot be read, of uploads with data.
    unreadable: Vec<String>,
}

impl Scan {
    fn read(sys: &Sys, dir: &OwnedFd) -> crate::sys::Result<Self> {
        let mut scan = Self::default();
        let mut data = HashMap::new();
        let mut records = Vec::new();
        for file in names_in(sys, dir)? {
            let text = file.to_str().unwrap_or_default();
            if let Some(name) = text.strip_suffix(".record") {
                records.push(name.to_owned());
            } else if let Some(name) = text.strip_suffix(".data") {
                match sys.stat_at(dir, text) {
                    Ok(facts) if facts.kind == Kind::File => {
                        data.insert(name.to_owned(), facts);
                    }
                    Ok(_) => scan.stray.push(file),
                    // Another process, which has the root open, has removed it.
                    Err(Errno::NOENT) => {}
                    Err(errno) => return Err(errno),
                }
            } else {
                scan.stray.push(file);
            }
        }
        // Names are times: of two at one path, the later has replaced the earlier.
        records.sort_unstable();
        for name in records {
            let record = read_record(sys, dir, &format!("{name}.record"))?;
            match (record, data.remove(&name)) {
                (Some(record), Some(data)) => {
                    let path = record.header.path.clone();
                    if let Some(earlier) = scan.uploads.insert(path, Found { name, record, data }) {
                        scan.discard(&earlier.name);
                    }
                }
                (record, data) => {
                    // The upload was published, or never kept.
                    scan.discard(&name);
                    if record.is_none() && data.is_some_and(|data| data.size > 0) {
                        scan.unreadable.push(name);
                    }
                }
            }
        }
        let unkept = data.keys().map(|name| file_name(name, "data"));
        scan.stray.extend(unkept);
        Ok(scan)
    }

    /// The record goes first: without it, the data belongs to no upload.
    fn discard(&mut self, name: &str) {
        self.stray.extend([file_name(name, "record"), file_name(name, "data")]);
    }
}

fn file_name(name: &str, extension: &str) -> CString {
    // It was read from a directory, so there is no NUL byte in it.
    CString::new(format!("{name}.{extension}")).unwrap_or_default()
}

/// Finds the uploads in progress, and removes all other files.
fn recover_uploads(
    sys: &Sys,
    dir: &Arc<OwnedFd>,
    reserved: &Reserved,
    clock: &Clock,
) -> Result<BTreeMap<Path, Arc<Upload>>> {
    let named = |errno: Errno| reserved.explain("uploads", errno);
    let scan = Scan::read(sys, dir).map_err(named)?;
    for name in scan.unreadable {
        let record = reserved.place.join(format!("uploads/{name}.record"));
        tracing::warn!(
            record = %record.display(),
            "the record of an upload in progress cannot be read: the upload is discarded"
        );
    }
    for file in scan.stray {
        let name = format!("{:016x}", clock.next());
        match reserved.remove(sys, (dir, &file), &name) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(named(errno)),
        }
    }
    let mut uploads = BTreeMap::new();
    for (path, Found { name, mut record, data }) in scan.uploads {
        let file = reserved.place.join(format!("uploads/{name}.data"));
        let is_cut = data.size < record.kept.size;
        if is_cut {
            tracing::warn!(
                file = %file.display(),
                path = %path,
                kept = record.kept.size,
                found = data.size,
                "the data of an upload in progress was cut short: the upload is resumed from there"
            );
            record.kept.size = data.size;
            // The note belongs to more bytes than are left.
            record.kept.note = Bytes::new();
        }
        let kept = record.kept.size;
        let upload = Upload::recovered(Arc::clone(dir), name, record, data, is_cut);
        let opened = sys.open_write(dir, &upload.data_name());
        opened
            .and_then(|opened| sys.truncate(opened, kept))
            .map_err(|e| at_place(explain(e), file))?;
        uploads.insert(path, Arc::new(upload));
    }
    Ok(uploads)
}

/// The uploads in progress in a read-only root, as they are kept.
pub(crate) fn read_uploads(store: &Store) -> Result<BTreeMap<Path, storage_driver::UploadInfo>> {
    let place = store.root.location.join(RESERVED);
    let sys = &store.root.sys;
    // Where there is no directory of ours, no driver has been.
    let reserved = match sys.open_dir(&store.root.dir, RESERVED) {
        Err(Errno::NOENT | Errno::NOTDIR) => return Ok(BTreeMap::new()),
        reserved => reserved.map_err(|errno| at_place(explain_own(errno), &place))?,
    };
    let scan = match sys.open_dir(&reserved, "uploads") {
        Err(Errno::NOENT) => Ok(Scan::default()),
        dir => dir.and_then(|dir| Scan::read(sys, &dir)),
    };
    let scan = scan.map_err(|errno| at_place(explain_own(errno), place.join("uploads")))?;
    let uploads = scan.uploads.into_iter().map(|(path, Found { record, data, .. })| {
        let [started, written] =
            [record.header.started, record.kept.written].map(|time| clock::to_system(time.into()));
        let Kept { size, note, .. } = record.kept;
        let (size, note) = if data.size < size { (data.size, Bytes::new()) } else { (size, note) };
        let info = storage_driver::UploadInfo::new(path.clone(), started, written, Some(size));
        (path, info.with_note(note))
    });
    Ok(uploads.collect())
}

/// Reads the record in a file; `None` if it is not a valid record.
fn read_record(sys: &Sys, dir: &OwnedFd, name: &str) -> crate::sys::Result<Option<Record>> {
    match sys.stat_at(dir, name) {
        Ok(facts) if facts.kind == Kind::File => {}
        Ok(_) | Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(errno),
    }
    let file = match sys.open_file(dir, name, Resolve::Fully) {
        Err(Errno::NOENT) => return Ok(None),
        file => file?,
    };
    let mut text = vec![0; Record::MOST];
    let mut length = 0;
    loop {
        match sys.read(&file, &mut text[length..], length as u64)? {
            0 => return Ok(Record::parse(&text[..length])),
            read => length += read,
        }
    }
}

fn names_in(sys: &Sys, dir: impl AsFd) -> crate::sys::Result<Vec<CString>> {
    sys.read_dir()?;
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name: &CStr = entry.file_name();
        if name != c"." && name != c".." {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
