//! Reading directories: their names in order, one window at a time, and the files below.

use std::{mem::MaybeUninit, os::fd::AsFd};

use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};
use storage_driver::{Error, ErrorKind, Path};

use crate::{
    error::{at_place, explain, is_nothing},
    root::{Root, reserved::RESERVED},
    sys::{Kind, Resolve, Result, Sys},
};

/// The maximum size of the names of a [`Window`], in bytes: 8 MiB, about 100,000 names of 64 bytes. While it is
/// filled it may hold twice as much. In tests, a few names fill a window.
const WINDOW: usize = if cfg!(test) { 2 << 10 } else { 8 << 20 };

/// The memory of a name in a window in addition to its text, in bytes.
const NAME: usize = size_of::<Name>();

/// An entry of a directory whose name is a component of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    pub(crate) text: Box<str>,
    pub(crate) kind: NameKind,
}

/// The kind of an entry, as the directory states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum NameKind {
    File,
    Dir,
    /// Some file systems do not state it.
    Unknown,
}

/// The names of a directory that follow one name, sorted: all of them, or as many as a window holds.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// In reverse order, so that the next one is popped.
    names: Vec<Name>,
    /// Whether more names follow.
    more: bool,
    last: Option<Box<str>>,
}

impl Window {
    /// Reads the open directory from its beginning, and takes the names after `after`.
    pub(crate) fn read(root: &Root, dir: impl AsFd, after: Option<&str>) -> Result<Self> {
        // It may have been read before.
        root.sys.rewind(dir.as_fd())?;
        let (mut names, mut bytes, mut more) = (Vec::<Name>::new(), 0, false);
        // The window is full up to this name.
        let mut bound: Option<Box<str>> = None;
        each_name(root, dir, |text, kind| {
            if after.is_some_and(|after| text <= after) {
                return true;
            }
            if bound.as_deref().is_some_and(|bound| text > bound) {
                more = true;
                return true;
            }
            bytes += text.len() + NAME;
            names.push(Name { text: text.into(), kind });
            if bytes > 2 * WINDOW {
                let half = names.len() / 2;
                names.select_nth_unstable(half);
                names.truncate(half + 1);
                bytes = names.iter().map(|name| name.text.len() + NAME).sum();
                bound = names.last().map(|name| name.text.clone());
                more = true;
            }
            true
        })?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        let last = names.first().map(|name| name.text.clone());
        Ok(Self { names, more, last })
    }

    /// The next name of this window.
    pub(crate) fn next(&mut self) -> Option<Name> {
        self.names.pop()
    }

    /// The name after which the next window begins, if there is one.
    pub(crate) fn next_after(&self) -> Option<&str> {
        if self.more { self.last.as_deref() } else { None }
    }

    /// Puts back the name that was returned last.
    pub(crate) fn put_back(&mut self, name: Name) {
        self.names.push(name);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// The names of a directory in order, one window after the other.
#[derive(Debug)]
pub(crate) struct Names {
    after: Option<Box<str>>,
    pub(crate) window: Option<Window>,
}

impl Names {
    pub(crate) fn new(after: Option<&str>) -> Self {
        Self { after: after.map(Box::from), window: None }
    }

    /// The next name of the open directory `dir`, which is read where a window begins.
    pub(crate) fn next(&mut self, root: &Root, dir: impl AsFd) -> Result<Option<Name>> {
        loop {
            let window = match &mut self.window {
                Some(window) => window,
                None => {
                    let window = Window::read(root, dir.as_fd(), self.after.as_deref())?;
                    self.window.insert(window)
                }
            };
            if let Some(name) = window.next() {
                return Ok(Some(name));
            }
            let Some(next) = window.next_after() else { return Ok(None) };
            self.after = Some(next.into());
            self.window = None;
        }
    }
}

/// Calls `found` with each valid name in the open directory, in no order, until it returns `false`. It starts at the
/// position of the descriptor, which is the beginning if the directory was just opened. Other names are skipped, and
/// reported in the log once.
fn each_name(
    root: &Root,
    dir: impl AsFd,
    mut found: impl FnMut(&str, NameKind) -> bool,
) -> Result<()> {
    each_entry(root, dir, |name, ours| match ours {
        Some((text, kind)) => found(text, kind),
        None => {
            root.warn_foreign_once(name);
            true
        }
    })
}

/// Calls `found` with each name in the open directory, with its text and kind if it may be part of the store, until it
/// returns `false`. It starts at the position of the descriptor.
fn each_entry(
    root: &Root,
    dir: impl AsFd,
    mut found: impl FnMut(&[u8], Option<(&str, NameKind)>) -> bool,
) -> Result<()> {
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    root.sys.read_dir()?;
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Err(Errno::INTR) => continue,
            // The directory was removed while it was open.
            Err(Errno::NOENT) => break,
            entry => entry?,
        };
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." || name == RESERVED.as_bytes() {
            continue;
        }
        let text = std::str::from_utf8(name).ok();
        let valid = text.filter(|text| Path::root().join(text).is_ok());
        let kind = match entry.file_type() {
            FileType::RegularFile => Some(NameKind::File),
            FileType::Directory => Some(NameKind::Dir),
            FileType::Unknown => Some(NameKind::Unknown),
            _ => None,
        };
        if !found(name, valid.zip(kind)) {
            break;
        }
    }
    Ok(())
}

/// The kind of an entry, looked up if the directory does not state it. `None` if it is gone, or not part of the
/// store.
pub(crate) fn kind_of(sys: &Sys, dir: impl AsFd, name: &Name) -> Result<Option<NameKind>> {
    if name.kind != NameKind::Unknown {
        return Ok(Some(name.kind));
    }
    match sys.stat_at(dir, &name.text) {
        Ok(facts) => Ok(match facts.kind {
            Kind::File => Some(NameKind::File),
            Kind::Dir => Some(NameKind::Dir),
            Kind::Other => None,
        }),
        Err(errno) if is_nothing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Whether a file is among the first entries of the directory `name` in the open directory `dir`. That nearly always
/// shows, at little cost, that the directory has a file below it.
pub(crate) fn begins_with_a_file(root: &Root, dir: impl AsFd, name: &str) -> Result<bool> {
    let dir = match root.sys.open_dir(dir, name) {
        Err(errno) if is_nothing(errno) => return Ok(false),
        dir => dir?,
    };
    let mut buffer = [MaybeUninit::uninit(); 512];
    let mut entries = RawDir::new(&dir, &mut buffer);
    root.sys.read_dir()?;
    while let Some(Ok(entry)) = entries.next() {
        let text = entry.file_name().to_str().ok();
        let valid = text.is_some_and(|text| Path::root().join(text).is_ok());
        if valid && entry.file_type() == FileType::RegularFile {
            return Ok(true);
        }
        if entries.is_buffer_empty() {
            break;
        }
    }
    Ok(false)
}

/// Whether a committed file is anywhere below the directory `path`, so that callers see the directory.
pub(crate) fn has_file_below(root: &Root, path: &Path) -> Result<bool> {
    Ok(file_below(root, path)?.is_some())
}

/// Some file below the directory `path`.
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

/// The metadata of a path: `None` if nothing of the store can be there.
pub(crate) fn lookup(
    root: &Root,
    path: &Path,
    resolve: Resolve,
) -> Result<Option<crate::sys::FileStat>> {
    match root.sys.open_path(&root.dir, root.relative(path), resolve) {
        Ok(fd) => root.sys.stat(&fd).map(Some),
        Err(errno) if is_nothing(errno) => Ok(None),
        Err(errno) => Err(errno),
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;
    use crate::{Durability, settings::Settings};

    /// All windows of a directory with these names.
    async fn windows(names: &BTreeSet<String>, after: Option<&str>) -> Vec<Vec<String>> {
        let dir = tempfile::tempdir().unwrap();
        names.iter().for_each(|name| fs::write(dir.path().join(name), "").unwrap());
        let sys = Sys::default();
        let open = sys.open_root(dir.path()).unwrap();
        let settings = Settings {
            durability: Durability::None,
            file_mode: 0o600,
            dir_mode: 0o700,
            read_only: true,
        };
        let root = Root::new(sys, dir.path().to_owned(), open, Vec::new(), settings);
        let mut windows = Vec::new();
        let mut after = after.map(str::to_owned);
        loop {
            let mut window = Window::read(&root, &root.dir, after.as_deref()).unwrap();
            let mut names = Vec::new();
            while let Some(name) = window.next() {
                names.push(name.text.into());
            }
            windows.push(names);
            match window.next_after() {
                Some(next) => after = Some(next.to_owned()),
                None => return windows,
            }
        }
    }

    fn names(count: usize) -> BTreeSet<String> {
        // In an order that a directory would not have by itself.
        (0..count).map(|n| format!("{:08x}", (n as u32).wrapping_mul(2_654_435_761))).collect()
    }

    #[tokio::test]
    async fn the_windows_of_a_directory_have_each_name_once_and_in_order() {
        let names = names(1000);
        let windows = windows(&names, None).await;
        assert!(windows.len() > 5, "{}", windows.len());
        assert!(windows.concat().iter().eq(names.iter()));
    }

    #[tokio::test]
    async fn a_window_holds_at_most_twice_its_size() {
        for window in windows(&names(1000), None).await {
            let bytes: usize = window.iter().map(|name| name.len() + NAME).sum();
            assert!(bytes <= 2 * WINDOW + 8 + NAME, "{bytes}");
        }
    }

    #[tokio::test]
    async fn a_window_begins_after_a_name_that_need_not_exist() {
        let names = names(300);
        for after in ["7fffffff", "0", "ffffffff0"] {
            let expected = names.range(after.to_owned()..).filter(|name| *name != after);
            assert!(windows(&names, Some(after)).await.concat().iter().eq(expected), "{after}");
        }
    }
}
