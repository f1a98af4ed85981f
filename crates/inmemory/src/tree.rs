//! [`Tree`]: the namespace, a tree of directories.

use std::sync::Arc as StdArc;

use storage_driver::{Error, ErrorKind, Path};
use triomphe::Arc;

use crate::{
    budget::{Budget, Charge},
    dir::{Dir, Directory, Node, Removed},
    file::{File, cut, first_of},
    usage::Usage,
};

/// The namespace: directories of files and directories.
///
/// Each directory stores the names of its children, so that a listing costs its children, a directory moves
/// with everything in it by one reference, and `/ab` is unrelated to `/a`. Clones share everything that
/// was not changed since; see [`Map`](crate::map::Map).
///
/// A directory with a single file below it is not stored: it is implied by the [`File`], whose text then has
/// several components. A directory is made when a second file needs it. (A registry has a directory around
/// every blob.)
///
/// No directory is empty, but the root may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    root: Arc<Dir>,
    /// Counts the changes, to detect that the tree has not changed in between.
    changes: u64,
}

/// The file or directory at a path.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    File(&'a File),
    Dir(Directory),
}

impl From<Tree> for Removed {
    fn from(tree: Tree) -> Self {
        Self { file: None, dir: Some(tree.root) }
    }
}

impl Tree {
    /// A number that differs after every change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// The file or directory at `path`.
    pub(crate) fn get(&self, path: &Path) -> Option<Found<'_>> {
        if path.is_root() {
            return Some(Found::Dir(Directory::Real(Arc::clone(&self.root))));
        }
        let (dir, rest) = self.descend(path);
        if let Some(file) = dir.files.get(first_of(rest)) {
            return match file.below(rest)? {
                0 => Some(Found::File(file)),
                _ => Some(Found::Dir(Directory::Implied(file.clone(), rest.len() + 1))),
            };
        }
        dir.dirs.get(rest).map(|dir| Found::Dir(Directory::Real(Arc::clone(dir))))
    }

    /// The lowest stored directory above `path`, and the path relative to it.
    fn descend<'a>(&self, path: &'a Path) -> (&Dir, &'a str) {
        let mut dir = &self.root;
        let mut rest = &path.as_str()[1..];
        while let Some((name, below)) = cut(rest)
            && let Some(next) = dir.dirs.get(name)
        {
            (dir, rest) = (next, below);
        }
        (dir, rest)
    }

    /// The directory at `path`.
    ///
    /// # Errors
    ///
    /// `NotADirectory`, `PathNotFound`.
    pub(crate) fn dir(&self, path: &Path) -> Result<Directory, Error> {
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

    /// # Errors
    ///
    /// `IsADirectory`.
    pub(crate) fn require_no_dir(&self, path: &Path) -> Result<(), Error> {
        match self.get(path) {
            Some(Found::Dir(_)) => Err(Error::new(ErrorKind::IsADirectory).at(path)),
            Some(Found::File(_)) | None => Ok(()),
        }
    }

    /// Finds the place that a commit at `path` would take.
    ///
    /// # Errors
    ///
    /// `PathConflict` at a directory or under a file.
    pub(crate) fn plan<'a, 'p>(&'a self, path: &'p Path) -> Result<Plan<'a, 'p>, Error> {
        let conflict = || Err(Error::new(ErrorKind::PathConflict).at(path));
        let (dir, rest) = self.descend(path);
        let name = first_of(rest);
        let Some(file) = dir.files.get(name) else {
            // The root is a directory without a name.
            let is_dir = rest.is_empty() || dir.dirs.get(name).is_some();
            return if is_dir {
                conflict()
            } else {
                Ok(Plan { path, rest, there: There::Nothing })
            };
        };
        if file.below(rest) == Some(0) {
            return Ok(Plan { path, rest, there: There::File(file) });
        }
        let text = file.text();
        let common = common(text, rest);
        if common == text.len() || common == rest.len() {
            conflict()
        } else {
            Ok(Plan { path, rest, there: There::Sibling(file, common) })
        }
    }

    /// Puts `node` into the place that was made for it in this very tree.
    pub(crate) fn fill(
        &mut self,
        budget: &StdArc<Budget>,
        place: Place<'_>,
        node: Node,
    ) -> Removed {
        let text = &place.path.as_str()[1..];
        let rest = &text[text.len() - place.rest..];
        let Some(dir) = self.open(text, rest.len(), node.longest()) else {
            return Removed::from(node);
        };
        let mut charges = place.charges.into_iter();
        let Some((sibling, common)) = place.sibling else {
            return dir.put(budget, node.inside(above(rest), budget, &mut charges));
        };
        // The common beginning of the two texts becomes directories, the last of which contains both.
        let mut both = Dir::named(last_of(&rest[..common]), charges.next());
        let inner = &rest[common + 1..];
        let _ = both.put(budget, Node::File(sibling));
        let _ = both.put(budget, node.inside(above(inner), budget, &mut charges));
        let old = dir.files.remove(first_of(rest));
        let top = above(&rest[..common]);
        let top = Node::Dir(Arc::new(both)).inside(top, budget, &mut charges);
        let _ = dir.put(budget, top);
        Removed { file: old, dir: None }
    }

    /// The directory relative to which `rest` bytes of `text` are left, to be changed. A node with paths of
    /// `below` bytes below it will be put at `text`. `None` if there is no such directory.
    fn open(&mut self, text: &str, rest: usize, below: usize) -> Option<&mut Dir> {
        self.changes += 1;
        let mut dir = Arc::make_mut(&mut self.root);
        let mut left = text;
        loop {
            dir.longest = dir.longest.max(1 + left.len() + below);
            if left.len() == rest {
                return Some(dir);
            }
            let (name, next) = cut(left)?;
            dir = Arc::make_mut(dir.dirs.get_mut(name)?);
            left = next;
        }
    }

    /// Finds the file or directory at `path`, which is not the root, to be [removed](Self::remove_found).
    pub(crate) fn find(&self, path: &Path) -> Option<Removable<'_>> {
        let (mut dir, mut rest) = (&self.root, &path.as_str()[1..]);
        // The highest directory to be removed is the one below the lowest that has other children.
        let mut stays = rest;
        loop {
            if dir.has_many() {
                stays = rest;
            }
            match cut(rest).and_then(|(name, below)| Some((dir.dirs.get(name)?, below))) {
                Some((next, below)) => (dir, rest) = (next, below),
                None => break,
            }
        }
        let stays = stays.len();
        match dir.files.get(first_of(rest)) {
            Some(file) => {
                let is_file = file.below(rest)? == 0;
                Some(Removable { file: is_file.then_some(file), stays })
            }
            None => dir.dirs.get(rest).map(|_| Removable { file: None, stays }),
        }
    }

    /// Removes the file or directory at `path`, which is not the root, and the directories above that would be
    /// empty without it.
    pub(crate) fn remove(&mut self, path: &Path) -> Removed {
        let found = self.find(path).map(|found| found.stays);
        found.map(|stays| self.remove_found(path, stays)).unwrap_or_default()
    }

    /// As [`remove`](Self::remove), for what was found at `path` in this very tree, with its
    /// [`stays`](Removable::stays).
    pub(crate) fn remove_found(&mut self, path: &Path, stays: usize) -> Removed {
        let text = &path.as_str()[1..];
        let name = first_of(&text[text.len() - stays..]);
        let Some(dir) = self.open(text, stays, 0) else { return Removed::default() };
        let file = dir.files.remove(name);
        // A name has one entry.
        let dir = if file.is_none() { dir.dirs.remove(name) } else { None };
        Removed { file, dir }
    }
}

/// A file or directory that can be removed.
#[derive(Debug)]
pub(crate) struct Removable<'a> {
    /// The file; `None` for a directory.
    pub(crate) file: Option<&'a File>,
    /// How many bytes of the path are relative to the lowest directory that stays.
    pub(crate) stays: usize,
}

/// What a commit at a path would replace or meet.
#[derive(Debug)]
pub(crate) struct Plan<'a, 'p> {
    path: &'p Path,
    /// The path relative to the lowest stored directory above it.
    rest: &'p str,
    there: There<'a>,
}

#[derive(Debug)]
enum There<'a> {
    Nothing,
    /// The file that it replaces.
    File(&'a File),
    /// A file whose text has so many bytes in common with `rest` and then differs.
    Sibling(&'a File, usize),
}

impl<'a, 'p> Plan<'a, 'p> {
    /// The file that the commit replaces, if there is one.
    pub(crate) fn replaced(&self) -> Option<&'a File> {
        match self.there {
            There::File(file) => Some(file),
            _ => None,
        }
    }

    /// The text of a file in this place.
    pub(crate) fn text(&self) -> &'p str {
        match self.there {
            There::Sibling(_, common) => &self.rest[common + 1..],
            _ => self.rest,
        }
    }

    /// Makes the place for a file, and changes nothing.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn for_file(&self, budget: &StdArc<Budget>) -> Result<Place<'p>, Error> {
        self.prepare(0, budget)
    }

    /// Makes the place for a directory, and changes nothing.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn for_dir(&self, budget: &StdArc<Budget>) -> Result<Place<'p>, Error> {
        self.prepare(depth(above(self.text())), budget)
    }

    fn prepare(&self, dirs: usize, budget: &StdArc<Budget>) -> Result<Place<'p>, Error> {
        let mut place = Place {
            path: self.path,
            text: self.text(),
            rest: self.rest.len(),
            sibling: None,
            charges: Vec::new(),
        };
        let shared = match self.there {
            There::Sibling(_, common) => depth(&self.rest[..common]),
            _ => 0,
        };
        for _ in 0..dirs + shared {
            place.charges.push(Charge::new(budget, Usage::DIRECTORY)?);
        }
        if let There::Sibling(file, common) = self.there {
            let text = &file.text()[common + 1..];
            place.sibling = Some((file.moved(budget, text, None)?, common));
        }
        Ok(place)
    }
}

/// A place in a tree: everything that [`Tree::fill`] needs to put a node at a path.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    path: &'p Path,
    text: &'p str,
    /// How many bytes of the path are relative to the directory that the node is put into.
    rest: usize,
    /// The file whose text has so many bytes in common with the rest of the path, under the text that is left
    /// of it.
    sibling: Option<(File, usize)>,
    /// One for each directory that is made.
    charges: Vec<Charge>,
}

impl<'p> Place<'p> {
    pub(crate) fn path(&self) -> &'p Path {
        self.path
    }

    /// The text of a file in this place.
    pub(crate) fn text(&self) -> &'p str {
        self.text
    }
}

/// The length of the common beginning of two texts, in whole components, without the slash after them.
fn common(a: &str, b: &str) -> usize {
    let same = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let ends = |text: &str| matches!(text.as_bytes().get(same), None | Some(b'/'));
    if ends(a) && ends(b) { same } else { a[..same].rfind('/').unwrap_or(0) }
}

/// All components but the last.
fn above(text: &str) -> &str {
    text.rsplit_once('/').map_or("", |(above, _)| above)
}

fn last_of(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(_, last)| last)
}

/// How many components a text has.
fn depth(text: &str) -> usize {
    text.split('/').filter(|name| !name.is_empty()).count()
}

#[cfg(test)]
mod tests;
