//! [`Children`] and [`Descent`]: the entries of a directory, and everything below it, at one moment.

use std::task::{Context, Poll, ready};

use storage_driver::{Entry, Path, Result, WalkOptions, WalkSource};
use triomphe::Arc;

use crate::{
    dir::{Dir, Directory},
    file::{File, first_of},
    map::{Named, iter::Iter},
    reclaimer::{Reclaimer, Snapshot},
    work::{self, ENTRIES},
};

/// The children of a directory, as entries.
pub(crate) struct Children {
    path: Path,
    nodes: Nodes,
    names_only: bool,
}

enum Nodes {
    Real(Iter<Arc<Dir>>, Iter<File>),
    /// The only child, whose name starts at this byte of the text of the file.
    Implied(Option<(File, usize)>),
}

impl Children {
    /// The children of `dir`, the directory at `path`, that order after `start`; without metadata under
    /// `names_only`.
    pub(crate) fn after(
        dir: &Directory,
        path: &Path,
        start: Option<&Path>,
        names_only: bool,
    ) -> Option<Self> {
        let name = match start {
            None => None,
            Some(start) => match start.strip_prefix(path) {
                Some(below) => below.split('/').next().filter(|name| !name.is_empty()),
                // Before all of them, or after.
                None if start < path => None,
                None => return None,
            },
        };
        let nodes = match dir {
            Directory::Real(dir) => {
                let (dirs, files) = dir.iter_after(name);
                Nodes::Real(dirs, files)
            }
            Directory::Implied(file, at) => {
                let is_after = name.is_none_or(|start| first_of(&file.text()[*at..]) > start);
                Nodes::Implied(is_after.then(|| (file.clone(), *at)))
            }
        };
        Some(Self { path: path.clone(), nodes, names_only })
    }

    /// The next child, with its directory if it is one.
    fn next_child(&mut self) -> Option<(Entry, Option<Directory>)> {
        // No path in the tree is longer than a path may be.
        match &mut self.nodes {
            Nodes::Real(dirs, files) => match (dirs.peek(), files.peek()) {
                (dir, Some(file)) if dir.is_none_or(|dir| dir.order(file.name()).is_gt()) => {
                    let child = child(&self.path, file, 0, self.names_only);
                    files.advance();
                    child
                }
                (Some(dir), _) => {
                    let path = self.path.join(dir.name()).ok()?;
                    let dir = Directory::Real(Arc::clone(dir));
                    dirs.advance();
                    Some((Entry::directory(path), Some(dir)))
                }
                _ => None,
            },
            Nodes::Implied(file) => {
                let (file, at) = file.take()?;
                child(&self.path, &file, at, self.names_only)
            }
        }
    }
}

/// The child of the directory at `path` that the text of `file` names from `at` on.
fn child(
    path: &Path,
    file: &File,
    at: usize,
    names_only: bool,
) -> Option<(Entry, Option<Directory>)> {
    let rest = &file.text()[at..];
    let name = first_of(rest);
    let path = path.join(name).ok()?;
    Some(if name == rest && names_only {
        (Entry::bare_file(path), None)
    } else if name == rest {
        (Entry::file(file.metadata(&path)), None)
    } else {
        let below = Directory::Implied(file.clone(), at + name.len() + 1);
        (Entry::directory(path), Some(below))
    })
}

impl Iterator for Children {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.next_child().map(|(entry, _)| entry)
    }
}

/// Everything below a directory, depth first, as it was when the walk began.
pub(crate) struct Descent<'a> {
    /// The directories from the start of the walk down to its position.
    open: Vec<Children>,
    /// The directory that was returned last, to be opened next.
    below: Option<(Path, Directory)>,
    names_only: bool,
    /// How many entries are returned before the walk yields to other tasks.
    until_yield: usize,
    /// The directory of the walk. It holds everything that the fields above refer to, so that these free
    /// nothing.
    start: Snapshot<'a>,
}

impl<'a> Descent<'a> {
    /// What `options` ask for of everything below `dir`, the directory at `path`.
    pub(crate) fn new(
        dir: Directory,
        path: &Path,
        options: WalkOptions,
        reclaimer: &'a Reclaimer,
    ) -> Self {
        let (start, names_only) = (options.start_after.as_ref(), options.names_only);
        let mut open = Vec::from_iter(Children::after(&dir, path, start, names_only));
        // A start below is reached through directories that are not returned.
        let names = start.and_then(|start| start.strip_prefix(path)).unwrap_or_default();
        let (mut last, mut path) = (dir.clone(), path.clone());
        for name in names.split('/') {
            let (Some(below), Ok(joined)) = (last.child(name), path.join(name)) else { break };
            (last, path) = (below, joined);
            open.extend(Children::after(&last, &path, start, names_only));
        }
        let start = Snapshot::new(dir, reclaimer);
        Self { open, below: None, names_only, until_yield: ENTRIES, start }
    }
}

impl WalkSource for Descent<'_> {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        if self.until_yield == 0 {
            self.until_yield = ENTRIES;
            return work::pending(cx);
        }
        self.until_yield -= 1;
        if let Some((path, dir)) = self.below.take() {
            self.open.extend(Children::after(&dir, &path, None, self.names_only));
        }
        while let Some(children) = self.open.last_mut() {
            if let Some((entry, dir)) = children.next_child() {
                self.below = dir.map(|dir| (entry.path().clone(), dir));
                return Poll::Ready(Some(Ok(entry)));
            }
            self.open.pop();
        }
        ready!(self.start.poll_release(cx));
        Poll::Ready(None)
    }

    fn skip_dir(&mut self) {
        self.below = None;
    }
}

#[cfg(test)]
mod tests;
