//! Reading directories: their names in order, one window at a time.

use std::{mem::MaybeUninit, os::fd::AsFd, sync::Arc};

use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};
use storage_driver::Path;

use crate::{
    error::is_nothing,
    root::{Root, reserved::RESERVED},
    sys::{Kind, Result, Sys},
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
    after: Option<Box<str>>,
    names: Vec<Name>,
    /// Whether more names follow.
    more: bool,
    /// The memory of the names, in bytes.
    pub(crate) bytes: usize,
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
        names.sort_unstable();
        Ok(Self { after: after.map(Box::from), names, more, bytes })
    }

    /// Whether the first name after `after` is in this window, or there is none in the directory.
    pub(crate) fn covers(&self, after: Option<&str>) -> bool {
        let last = self.names.last().map(|name| &*name.text);
        self.after.as_deref() <= after && (!self.more || after < last)
    }

    /// The position of the first name after `after`.
    fn position(&self, after: Option<&str>) -> usize {
        after.map_or(0, |after| self.names.partition_point(|name| *name.text <= *after))
    }

    /// The number of names.
    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}

/// The names of a directory in order, one window after the other.
#[derive(Debug)]
pub(crate) struct Names {
    after: Option<Box<str>>,
    window: Option<Arc<Window>>,
    /// The position of the next name in the window.
    next: usize,
}

impl Names {
    pub(crate) fn new(after: Option<&str>) -> Self {
        Self { after: after.map(Box::from), window: None, next: 0 }
    }

    /// The next name of the directory; `read` returns the window that follows a name.
    pub(crate) fn next<E>(
        &mut self,
        mut read: impl FnMut(Option<&str>) -> std::result::Result<Arc<Window>, E>,
    ) -> std::result::Result<Option<Name>, E> {
        loop {
            let window = match &mut self.window {
                Some(window) => window,
                None => {
                    let window = read(self.after.as_deref())?;
                    self.next = window.position(self.after.as_deref());
                    self.window.insert(window)
                }
            };
            if let Some(name) = window.names.get(self.next) {
                self.next += 1;
                return Ok(Some(name.clone()));
            }
            let last = window.names.last().filter(|_| window.more);
            let Some(last) = last else { return Ok(None) };
            self.after = Some(last.text.clone());
            self.window = None;
        }
    }
}

/// Calls `found` with each valid name in the open directory, in no order, until it returns `false`. It starts at the
/// position of the descriptor, which is the beginning if the directory was just opened. Other names are skipped, and
/// reported in the log once.
pub(crate) fn each_name(
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
pub(crate) fn each_entry(
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
            let window = Window::read(&root, &root.dir, after.as_deref()).unwrap();
            let names: Vec<String> = window.names.iter().map(|name| (*name.text).into()).collect();
            after = names.last().cloned();
            windows.push(names);
            if !window.more {
                return windows;
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
