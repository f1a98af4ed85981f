//! Listing: the children of a directory in order, one page at a time.

use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use storage_driver::{Entry, Error, ErrorKind, ListOptions, Page, Path, Result};

use crate::{
    error::{explain, is_nothing},
    root::{
        names::{self, Name, NameKind, Names},
        search,
    },
    store::Store,
    sys::{Kind, Resolve},
};

/// The page that `options` asks for.
pub(crate) fn list(store: &Store, path: &Path, options: &ListOptions) -> Result<Page<Entry>> {
    let dir = open(store, path)?;
    let after = match after(path, options.start_after.as_ref()) {
        After::Name(name) => Some(name),
        After::Beginning => None,
        After::End => {
            require_visible(store, path)?;
            return Ok(Page::new(Vec::new(), None));
        }
    };
    let mut names = Names::new(after);
    let mut items = Vec::new();
    let mut next = None;
    let mut hint = None;
    let read = |after: Option<&str>| store.windows.get(&store.root, path, &dir, after);
    while let Some(name) = names.next(read).map_err(explain)? {
        let entry = match options.names_only {
            true => bare_entry(store, path, &dir, &name)?,
            false => child(store, path, &dir, &name, &mut hint)?,
        };
        let Some(entry) = entry else { continue };
        if items.len() == options.limit {
            // It belongs to the next page.
            let last = items.last().map(|entry: &Entry| entry.path().clone());
            // The directory itself comes before all its children.
            next = last.or_else(|| options.start_after.clone()).or_else(|| Some(path.clone()));
            break;
        }
        items.push(entry);
    }
    if items.is_empty() && next.is_none() {
        require_visible(store, path)?;
    }
    Ok(Page::new(items, next))
}

fn require_visible(store: &Store, path: &Path) -> Result<()> {
    if store.is_visible(path)? { Ok(()) } else { Err(ErrorKind::PathNotFound.into()) }
}

/// Opens a directory for a listing.
pub(crate) fn open(store: &Store, path: &Path) -> Result<OwnedFd> {
    store.root.open_dir(path).map_err(|errno| match errno {
        Errno::NOTDIR => match search::lookup(&store.root, path, Resolve::Fully) {
            Ok(Some(facts)) if facts.kind == Kind::File => Error::new(ErrorKind::NotADirectory),
            Ok(_) => ErrorKind::PathNotFound.into(),
            Err(errno) => explain(errno),
        },
        errno if is_nothing(errno) => ErrorKind::PathNotFound.into(),
        errno => explain(errno),
    })
}

/// Where in a directory a listing begins, if it starts after a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum After<'a> {
    Beginning,
    /// After this child, and all below it.
    Name(&'a str),
    End,
}

pub(crate) fn after<'a>(dir: &Path, start: Option<&'a Path>) -> After<'a> {
    let Some(start) = start else { return After::Beginning };
    match start.strip_prefix(dir) {
        Some("") => After::Beginning,
        Some(rest) => After::Name(rest.split('/').next().unwrap_or(rest)),
        None if start < dir => After::Beginning,
        None => After::End,
    }
}

/// The entry of a child of the open directory `dir`; `None` if callers do not see it.
///
/// `hint` is where a file was found below an earlier child: siblings tend to have the same layout.
fn child(
    store: &Store,
    path: &Path,
    dir: &OwnedFd,
    name: &Name,
    hint: &mut Option<String>,
) -> Result<Option<Entry>> {
    let root = &store.root;
    entry(store, path, dir, name, |path| {
        if let Some(hint) = hint {
            let likely = format!("{}/{hint}", name.text);
            if search::is_file(root, dir, &likely).map_err(explain)? {
                return Ok(true);
            }
        }
        let found = match search::first_file(root, dir, &name.text, path).map_err(explain)? {
            Some(found) => Some(found),
            None => search::file_below(root, path).map_err(explain)?,
        };
        let below = found.as_ref().and_then(|found| found.strip_prefix(path));
        // The name of a file directly below differs from child to child.
        if let Some(below) = below.filter(|below| below.contains('/')) {
            *hint = Some(below.to_owned());
        }
        Ok(found.is_some())
    })
}

/// The entry of a child in a listing of names only, from what the directory states, without a lookup of the child. A
/// directory has an entry even if there is no file in it.
fn bare_entry(store: &Store, path: &Path, dir: &OwnedFd, name: &Name) -> Result<Option<Entry>> {
    // A name that makes a path too long is not in the store.
    let Ok(child) = path.join(&*name.text) else { return Ok(None) };
    let kind = names::kind_of(&store.root.sys, dir, name).map_err(explain)?;
    Ok(kind.map(|kind| match kind {
        NameKind::Dir => Entry::directory(child),
        NameKind::File | NameKind::Unknown => Entry::bare_file(child),
    }))
}

/// The entry of a child; `visible` decides whether callers see a directory.
pub(crate) fn entry(
    store: &Store,
    path: &Path,
    dir: impl AsFd,
    name: &Name,
    visible: impl FnOnce(&Path) -> Result<bool>,
) -> Result<Option<Entry>> {
    // Too long for a path: a foreign file.
    let Ok(child) = path.join(&*name.text) else { return Ok(None) };
    let is_dir = match name.kind {
        NameKind::Dir => true,
        NameKind::File | NameKind::Unknown => match store.root.sys.stat_at(dir.as_fd(), &name.text)
        {
            Ok(facts) if facts.kind == Kind::File => {
                return Ok(Some(Entry::file(store.root.metadata(&child, &facts))));
            }
            Ok(facts) => facts.kind == Kind::Dir,
            Err(errno) if is_nothing(errno) => false,
            Err(errno) => return Err(explain(errno)),
        },
    };
    Ok(if is_dir && visible(&child)? { Some(Entry::directory(child)) } else { None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[test]
    fn a_listing_starts_after_a_child_and_everything_below_it() {
        let dir = path("/d");
        let start = |text: &str| path(text);
        assert_eq!(after(&dir, None), After::Beginning);
        assert_eq!(after(&dir, Some(&start("/d"))), After::Beginning);
        assert_eq!(after(&dir, Some(&start("/c/x"))), After::Beginning);
        assert_eq!(after(&dir, Some(&start("/d/m"))), After::Name("m"));
        assert_eq!(after(&dir, Some(&start("/d/m/n/o"))), After::Name("m"));
        assert_eq!(after(&dir, Some(&start("/d-e"))), After::End);
        assert_eq!(after(&dir, Some(&start("/e"))), After::End);
    }
}
