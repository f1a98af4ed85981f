//! [`Tree`]: the namespace, a tree of directories.

use std::sync::Arc;

use storage_driver::{Error, ErrorKind, Metadata, Path, Version};

use crate::{
    Usage,
    blob::FileBlob,
    budget::{Budget, Charge},
    map::{Drain, Map},
    name::Name,
    time::Timestamp,
};

/// The namespace: directories of files and directories.
///
/// Names are kept a component at a time, so that a listing costs its children, a directory moves
/// with everything in it by one reference, and `/ab` is nowhere near `/a`. Clones share everything
/// that is not changed since; see [`Map`].
///
/// No directory is empty, but the root may be.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    root: Arc<Dir>,
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dir {
    pub(crate) children: Map<Node>,
    /// No path below is longer than this, counted in bytes from here. What is removed does not
    /// lower it.
    longest: usize,
    /// The root has none.
    _charge: Option<Charge>,
}

/// A file or directory.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    File(File),
    Dir(Arc<Dir>),
}

/// A file: committed content.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) blob: FileBlob,
    pub(crate) modified: Timestamp,
    pub(crate) version: u64,
}

impl File {
    pub(crate) fn version(&self) -> Version {
        Version::from(self.version)
    }

    pub(crate) fn size(&self) -> u64 {
        self.blob.rope().len()
    }

    pub(crate) fn metadata(&self, path: &Path) -> Metadata {
        Metadata::new(path.clone(), self.size(), self.modified.into(), self.version())
    }
}

/// Something that was taken out of a tree, to be dropped once no lock is held.
#[must_use = "it may be large: drop it outside of the lock"]
#[derive(Debug)]
pub(crate) struct Removed(
    #[cfg_attr(not(test), expect(dead_code, reason = "held to be dropped"))] Option<Node>,
);

impl Tree {
    pub(crate) fn new() -> Self {
        Self { root: Arc::default() }
    }

    /// What is at `path`.
    pub(crate) fn get(&self, path: &Path) -> Option<Found<'_>> {
        let mut found = Found::Dir(&self.root);
        for name in path.components() {
            let Found::Dir(dir) = found else { return None };
            found = match dir.children.get(name)? {
                Node::File(file) => Found::File(file),
                Node::Dir(dir) => Found::Dir(dir),
            };
        }
        Some(found)
    }

    /// The directory at `path`.
    ///
    /// # Errors
    ///
    /// `NotADirectory`, `PathNotFound`.
    pub(crate) fn dir(&self, path: &Path) -> Result<&Arc<Dir>, Error> {
        match self.get(path) {
            Some(Found::Dir(dir)) => Ok(dir),
            Some(Found::File(_)) => Err(Error::new(ErrorKind::NotADirectory).at(path)),
            None => Err(Error::new(ErrorKind::PathNotFound).at(path)),
        }
    }

    /// The file at `path`.
    ///
    /// # Errors
    ///
    /// `IsADirectory`, `PathNotFound`.
    pub(crate) fn file(&self, path: &Path) -> Result<&File, Error> {
        match self.get(path) {
            Some(Found::File(file)) => Ok(file),
            Some(Found::Dir(_)) => Err(Error::new(ErrorKind::IsADirectory).at(path)),
            None => Err(Error::new(ErrorKind::PathNotFound).at(path)),
        }
    }

    /// The file that a commit at `path` would replace, if one is there.
    ///
    /// # Errors
    ///
    /// `PathConflict` at a directory or under a file.
    pub(crate) fn replaced(&self, path: &Path) -> Result<Option<&File>, Error> {
        let conflict = || Error::new(ErrorKind::PathConflict).at(path);
        let mut dir = &self.root;
        let mut names = path.components().peekable();
        while let Some(name) = names.next() {
            match dir.children.get(name) {
                None => return Ok(None),
                Some(Node::Dir(below)) if names.peek().is_some() => dir = below,
                Some(Node::File(file)) if names.peek().is_none() => return Ok(Some(file)),
                Some(_) => return Err(conflict()),
            }
        }
        Err(conflict())
    }

    /// Puts `node` at `path`, where nothing, or a file, is, [unless there is a
    /// conflict](Self::replaced).
    ///
    /// # Errors
    ///
    /// `StorageFull`, and nothing has changed.
    pub(crate) fn insert(
        &mut self,
        path: &Path,
        node: Node,
        budget: &Arc<Budget>,
    ) -> Result<Removed, Error> {
        let place = self.reserve(path, budget)?;
        Ok(self.fill(place, path, node))
    }

    /// Makes what [`fill`](Self::fill) will need to put something at `path`, and changes nothing.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn reserve(&self, path: &Path, budget: &Arc<Budget>) -> Result<Place, Error> {
        let mut names = path.components().peekable();
        let mut dir = &self.root;
        let mut depth = 0;
        while let Some(name) = names.next() {
            match dir.children.get(name) {
                Some(Node::Dir(below)) => dir = below,
                Some(Node::File(_)) => return Ok(Place { depth, name: None, below: Vec::new() }),
                None => {
                    let below = names.map(|below| {
                        let charge = Charge::new(budget, Usage::DIRECTORY)?;
                        Ok((Name::new(below, budget)?, charge))
                    });
                    let below = below.collect::<Result<_, Error>>()?;
                    return Ok(Place { depth, name: Some(Name::new(name, budget)?), below });
                }
            }
            depth += 1;
        }
        Ok(Place { depth, name: None, below: Vec::new() })
    }

    /// Puts `node` at `path`, for which `place` was made of this very tree.
    pub(crate) fn fill(&mut self, place: Place, path: &Path, mut node: Node) -> Removed {
        let mut longest = match &node {
            Node::File(_) => 0,
            Node::Dir(dir) => dir.longest,
        };
        let mut length = path.as_str().len() + longest;
        for (name, charge) in place.below.into_iter().rev() {
            longest += name.as_str().len() + 1;
            node = Node::Dir(Arc::new(Dir::of(name, node, longest, charge)));
        }
        let mut dir = Arc::make_mut(&mut self.root);
        let mut names = path.components();
        for name in names.by_ref().take(place.depth) {
            dir.longest = dir.longest.max(length);
            length -= name.len() + 1;
            dir = match dir.children.get_mut(name) {
                Some(Node::Dir(below)) => Arc::make_mut(below),
                _ => return Removed(Some(node)),
            };
        }
        dir.longest = dir.longest.max(length);
        Removed(match (place.name, names.next()) {
            (Some(name), _) => dir.children.insert(name, node),
            (None, Some(name)) => {
                dir.children.get_mut(name).map(|old| std::mem::replace(old, node))
            }
            (None, None) => Some(node),
        })
    }

    /// Takes out what is at `path`, which is not the root, and the directories above that would be
    /// empty without it.
    pub(crate) fn remove(&mut self, path: &Path) -> Removed {
        // The highest directory that goes is the one below the last that has other children.
        let names: Vec<&str> = path.components().collect();
        let mut dir = &self.root;
        let mut stays = 0;
        for (depth, name) in names.iter().enumerate() {
            if dir.children.has_many() {
                stays = depth;
            }
            match dir.children.get(name) {
                Some(Node::Dir(below)) => dir = below,
                Some(Node::File(_)) if depth + 1 == names.len() => {}
                _ => return Removed(None),
            }
        }
        let mut dir = Arc::make_mut(&mut self.root);
        for above in &names[..stays] {
            match dir.children.get_mut(above) {
                Some(Node::Dir(below)) => dir = Arc::make_mut(below),
                _ => return Removed(None),
            }
        }
        Removed(names.get(stays).and_then(|name| dir.children.remove(name)))
    }

    /// Whether everything in `dir` may move to `to` without a path becoming too long.
    pub(crate) fn fits(dir: &Dir, to: &Path) -> bool {
        let room = Path::MAX_BYTES - to.as_str().len();
        // The bound is quick, and nearly always enough.
        dir.longest <= room || dir.longest_now() <= room
    }
}

/// What [`Tree::fill`] needs to put something at a path.
#[derive(Debug)]
pub(crate) struct Place {
    /// How many directories above exist, the root not counted.
    depth: usize,
    /// The name to put into the last of them; none where a file is replaced.
    name: Option<Name>,
    /// What to make below that name: for each directory its only child's name, and its charge.
    below: Vec<(Name, Charge)>,
}

/// What is at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Found<'a> {
    File(&'a File),
    Dir(&'a Arc<Dir>),
}

impl Dir {
    /// A directory with one child.
    fn of(name: Name, node: Node, longest: usize, charge: Charge) -> Self {
        let mut children = Map::default();
        children.insert(name, node);
        Self { children, longest, _charge: Some(charge) }
    }

    /// The length of the longest path below, exactly.
    fn longest_now(&self) -> usize {
        let mut longest = 0;
        let mut open = vec![(0, self.children.iter_after(None))];
        while let Some((above, children)) = open.last_mut() {
            let Some((name, node)) = children.next() else {
                open.pop();
                continue;
            };
            let length = *above + name.as_str().len() + 1;
            match node {
                Node::File(_) => longest = longest.max(length),
                Node::Dir(dir) => open.push((length, dir.children.iter_after(None))),
            }
        }
        longest
    }
}

impl Drop for Dir {
    /// Drops what is below level by level: directories two thousand deep must not recurse two
    /// thousand deep.
    fn drop(&mut self) {
        let mut open: Vec<Drain<Node>> = vec![self.children.drain()];
        while let Some(children) = open.last_mut() {
            match children.next() {
                Some(Node::File(file)) => drop(file),
                Some(Node::Dir(dir)) => {
                    if let Some(mut dir) = Arc::into_inner(dir) {
                        open.push(dir.children.drain());
                    }
                }
                None => drop(open.pop()),
            }
        }
    }
}

#[cfg(test)]
mod tests;
