//! What is at a path, and below a directory.

use std::{mem::MaybeUninit, os::fd::AsFd};

use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};
use storage_driver::{Error, ErrorKind, Path};

use crate::{
    error::{at_place, explain, is_nothing},
    root::{
        Root,
        names::{Name, NameKind, each_entry, each_name, kind_of},
    },
    sys::{FileStat, Kind, Resolve, Result},
};

/// The metadata of a path: `None` if nothing of the store can be there.
pub(crate) fn lookup(root: &Root, path: &Path, resolve: Resolve) -> Result<Option<FileStat>> {
    match root.sys.open_path(&root.dir, root.relative(path), resolve) {
        Ok(fd) => root.sys.stat(&fd).map(Some),
        Err(errno) if is_nothing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// A file below the directory at `path`, which is `name` in the open directory `dir`: on the way down through the first
/// directory in each. If there is a file at all, this nearly always finds one, at little cost.
pub(crate) fn first_file(
    root: &Root,
    dir: impl AsFd,
    name: &str,
    path: &Path,
) -> Result<Option<Path>> {
    let mut path = path.clone();
    let mut opened = root.sys.open_dir(dir, name);
    loop {
        let dir = match opened {
            Err(errno) if is_nothing(errno) => return Ok(None),
            dir => dir?,
        };
        let Some(first) = first_entry(root, &dir)? else { return Ok(None) };
        // A path that is too long is not in the store.
        let Ok(child) = path.join(&*first.text) else { return Ok(None) };
        if first.kind == NameKind::File {
            return Ok(Some(child));
        }
        opened = root.sys.open_dir(&dir, &first.text);
        path = child;
    }
}

/// A file among the first entries of an open directory, or else the first directory among them.
fn first_entry(root: &Root, dir: impl AsFd) -> Result<Option<Name>> {
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut entries = RawDir::new(dir, &mut buffer);
    root.sys.read_dir()?;
    let mut found = None;
    while let Some(Ok(entry)) = entries.next() {
        let kind = match entry.file_type() {
            FileType::RegularFile => NameKind::File,
            FileType::Directory => NameKind::Dir,
            _ => continue,
        };
        let text = entry.file_name().to_str().ok();
        if let Some(text) = text.filter(|text| Path::root().join(text).is_ok())
            && (kind == NameKind::File || found.is_none())
        {
            found = Some(Name { text: text.into(), kind });
        }
        if entries.is_buffer_empty() || kind == NameKind::File && found.is_some() {
            break;
        }
    }
    Ok(found)
}

/// Whether a committed file is anywhere below the directory `path`, so that callers see the directory.
pub(crate) fn has_file_below(root: &Root, path: &Path) -> Result<bool> {
    Ok(first_file(root, &root.dir, root.relative(path), path)?.is_some()
        || file_below(root, path)?.is_some())
}

/// Some file below the directory `path`, wherever it is.
pub(crate) fn file_below(root: &Root, path: &Path) -> Result<Option<Path>> {
    let mut found = None;
    descend(root, path, |path, kind| {
        if kind == NameKind::File {
            found = Some(path.clone());
        }
        found.is_none()
    })?;
    Ok(found)
}

/// Whether a file is at the relative path `name`, without a symbolic link on the path.
pub(crate) fn is_file(root: &Root, dir: impl AsFd, name: &str) -> Result<bool> {
    match root.sys.open_path(dir, name, Resolve::Fully) {
        Ok(place) => Ok(root.sys.stat(&place)?.kind == Kind::File),
        Err(errno) if is_nothing(errno) => Ok(false),
        Err(errno) => Err(errno),
    }
}

/// The length of the longest path below the directory `path`, in bytes.
pub(crate) fn longest_below(root: &Root, path: &Path) -> Result<usize> {
    let mut longest = 0;
    descend(root, path, |path, _| {
        longest = longest.max(path.as_str().len());
        true
    })?;
    Ok(longest)
}

/// Whether anything that is not part of the store is below the directory `path`.
pub(crate) fn has_foreign_below(root: &Root, path: &Path) -> Result<bool> {
    let mut open = vec![path.clone()];
    let mut foreign = false;
    while let Some(path) = open.pop().filter(|_| !foreign) {
        let dir = match root.open_dir(&path) {
            Err(errno) if is_nothing(errno) => continue,
            dir => dir?,
        };
        each_entry(root, &dir, |_, ours| {
            match ours.and_then(|(text, kind)| Some((path.join(text).ok()?, kind))) {
                Some((child, NameKind::Dir)) => open.push(child),
                Some((_, NameKind::File)) => {}
                // If the directory does not state the kind, a deletion checks file after file.
                Some((_, NameKind::Unknown)) | None => foreign = true,
            }
            !foreign
        })?;
    }
    Ok(foreign)
}

/// Calls `found` with each valid path below a directory until it returns `false`. It holds one directory open, and the
/// names of the directories that are still to be visited.
pub(crate) fn descend(
    root: &Root,
    path: &Path,
    mut found: impl FnMut(&Path, NameKind) -> bool,
) -> Result<()> {
    let mut open = vec![path.clone()];
    while let Some(path) = open.pop() {
        let dir = match root.open_dir(&path) {
            Err(errno) if is_nothing(errno) => continue,
            dir => dir?,
        };
        let mut unknown = Vec::new();
        let mut proceed = true;
        each_name(root, &dir, |text, kind| {
            // A name that is too long for a path is foreign.
            let Ok(child) = path.join(text) else { return true };
            match kind {
                NameKind::Unknown => unknown.push(Name { text: text.into(), kind }),
                kind => {
                    proceed = found(&child, kind);
                    if kind == NameKind::Dir {
                        open.push(child);
                    }
                }
            }
            proceed
        })?;
        for name in unknown {
            let (Ok(child), Some(kind)) =
                (path.join(&*name.text), kind_of(&root.sys, &dir, &name)?)
            else {
                continue;
            };
            proceed = proceed && found(&child, kind);
            if kind == NameKind::Dir {
                open.push(child);
            }
        }
        if !proceed {
            break;
        }
    }
    Ok(())
}

/// Fails if one of the first directories of the store is a symbolic link to a directory, or to nothing, as when a disk
/// is not mounted: its content would be missing from the store, and nothing could be put there. It looks at four
/// levels, and at 1,024 entries at most.
pub(crate) fn require_no_linked_dir(root: &Root) -> storage_driver::Result<()> {
    const DEPTH: usize = 4;
    const TO_DIR: &str = "a symbolic link to a directory, which the driver does not follow: mount the \
                          directory here instead";
    const TO_NOTHING: &str = "a symbolic link to nothing, which the driver does not follow: mount the \
                              directory here instead, or remove the link";
    let mut left = 1024;
    let mut dirs = vec![Path::root()];
    let mut linked = None;
    for _ in 0..DEPTH {
        for path in std::mem::take(&mut dirs) {
            let dir = match root.open_dir(&path) {
                // It is not readable for the driver, or it is gone.
                Err(Errno::ACCESS) => continue,
                Err(errno) if is_nothing(errno) => continue,
                dir => dir.map_err(explain)?,
            };
            let read = each_entry(root, &dir, |name, ours| {
                let text = std::str::from_utf8(name).ok();
                let child = text.and_then(|text| path.join(text).ok());
                match (ours, child) {
                    (Some((_, NameKind::Dir)), Some(child)) => dirs.push(child),
                    (None, Some(child)) => match root.sys.stat_place(&root.place_of(&child)) {
                        Ok(facts) if facts.kind == Kind::Dir => linked = Some((child, TO_DIR)),
                        Err(Errno::NOENT | Errno::LOOP) => linked = Some((child, TO_NOTHING)),
                        _ => {}
                    },
                    _ => {}
                }
                left -= 1;
                linked.is_none() && left > 0
            });
            read.map_err(explain)?;
            if let Some((path, cause)) = linked {
                let error = Error::new(ErrorKind::Unsupported).with_source(cause);
                return Err(at_place(error, root.place_of(&path)));
            }
            if left == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}
