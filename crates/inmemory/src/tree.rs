//! [`Tree`]: the namespace, a tree of directories.

use storage_driver::{Error, ErrorKind, Path};
use triomphe::Arc;

use crate::{
    Usage,
    budget::{Budget, Charge},
    file::{File, cut, first_of},
    map::{Drain, Iter, Map, Named},
    work::ENTRIES,
};

/// The namespace: directories of files and directories.
///
/// Names are kept a component at a time, so that a listing costs its children, a directory moves
/// with everything in it by one reference, and `/ab` is nowhere near `/a`. Clones share everything
/// that is not changed since; see [`Map`].
///
/// A directory with a single file in it, or with a single directory that has a single file, and so
/// on, is no directory here but a [`File`] whose text has several components. It becomes one of its
/// own when a second file comes. (A registry has a directory around every blob.)
///
/// No directory is empty, but the root may be.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    root: Arc<Dir>,
    /// Counts the changes, so that what was found can be known to stand still.
    changes: u64,
}

/// A directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dir {
    name: Box<str>,
    dirs: Map<Arc<Dir>>,
    files: Map<File>,
    /// No path below is longer than this, counted in bytes from here. What is removed does not
    /// lower it.
    longest: usize,
    /// The root has none.
    _charge: Option<Charge>,
}

impl Named for Arc<Dir> {
    fn name(&self) -> &str {
        &self.name
    }
}

/// A directory of the namespace, which may be in a file's text.
#[derive(Debug, Clone)]
pub(crate) enum Directory {
    Real(Arc<Dir>),
    /// What is below begins so many bytes into the text of the file.
    Implied(File, usize),
}

/// What is at a path.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    File(&'a File),
    Dir(Directory),
}

/// Something that was taken out of a tree.
#[must_use = "it may be large: free it, outside of the lock"]
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) file: Option<File>,
    pub(crate) dir: Option<Arc<Dir>>,
}

impl From<Tree> for Removed {
    fn from(tree: Tree) -> Self {
        Self { file: None, dir: Some(tree.root) }
    }
}

impl Tree {
    /// A number that is another after every change.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// What is at `path`.
    pub(crate) fn get(&self, path: &Path) -> Option<Found<'_>> {
        if path.is_root() {
            return Some(Found::Dir(Directory::Real(Arc::clone(&self.root))));
        }
        let (dir, rest) = self.descend(path);
        if let Some(file) = dir.files.get(first_of(rest)) {
            return match file.text().strip_prefix(rest) {
                Some("") => Some(Found::File(file)),
                Some(below) if below.starts_with('/') => {
                    Some(Found::Dir(Directory::Implied(file.clone(), rest.len() + 1)))
                }
                _ => None,
            };
        }
        dir.dirs.get(rest).map(|dir| Found::Dir(Directory::Real(Arc::clone(dir))))
    }

    /// The last directory above `path` that is one of its own, and the path from there on.
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

    /// Looks for the place that a commit at `path` would take.
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
            return if is_dir { conflict() } else { Ok(Plan { rest, there: There::Nothing }) };
        };
        let text = file.text();
        let common = common(text, rest);
        if text == rest {
            Ok(Plan { rest, there: There::File(file) })
        } else if common == text.len() || common == rest.len() {
            conflict()
        } else {
            Ok(Plan { rest, there: There::Beside(file, common) })
        }
    }

    /// Puts `node` at the place that was made for it in this very tree.
    pub(crate) fn fill(&mut self, path: &Path, place: Place, node: Node) -> Removed {
        let text = &path.as_str()[1..];
        let rest = &text[text.len() - place.rest..];
        let Some(dir) = self.open(text, rest.len(), node.longest()) else {
            return Removed::from(node);
        };
        let mut charges = place.charges.into_iter();
        let Some((beside, common)) = place.beside else {
            return dir.put(node.inside(above(rest), &mut charges));
        };
        // What was the beginning of a file's text becomes directories, the last of them with both.
        let mut both = Dir::named(last_of(&rest[..common]), charges.next());
        let inner = &rest[common + 1..];
        let _ = both.put(Node::File(beside));
        let _ = both.put(node.inside(above(inner), &mut charges));
        let old = dir.files.remove(first_of(rest));
        let top = Node::Dir(Arc::new(both)).inside(above(&rest[..common]), &mut charges);
        let _ = dir.put(top);
        Removed { file: old, dir: None }
    }

    /// The directory from which `rest` bytes of `text` are left, to be changed. Something is going to
    /// be at `text` that has paths of `below` bytes below it. `None` if there is no such directory.
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

    /// Takes out what is at `path`, which is not the root, and the directories above that would be
    /// empty without it.
    pub(crate) fn remove(&mut self, path: &Path) -> Removed {
        let text = &path.as_str()[1..];
        let (mut dir, mut rest) = (&self.root, text);
        // The highest directory that goes is the one below the last that has other children.
        let mut stays = rest;
        loop {
            if dir.has_many() {
                stays = rest;
            }
            match cut(rest) {
                Some((name, below)) => match dir.dirs.get(name) {
                    Some(next) => (dir, rest) = (next, below),
                    None => break,
                },
                None => break,
            }
        }
        let is_there = match dir.files.get(first_of(rest)) {
            Some(file) => common(file.text(), rest) == rest.len(),
            None => dir.dirs.get(rest).is_some(),
        };
        if !is_there {
            return Removed::default();
        }
        let Some(dir) = self.open(text, stays.len(), 0) else { return Removed::default() };
        let name = first_of(stays);
        Removed { file: dir.files.remove(name), dir: dir.dirs.remove(name) }
    }
}

/// What a commit at a path finds there.
#[derive(Debug)]
pub(crate) struct Plan<'a, 'p> {
    /// The path from the last directory above it that is one of its own.
    rest: &'p str,
    there: There<'a>,
}

#[derive(Debug)]
enum There<'a> {
    Nothing,
    /// The file that it replaces.
    File(&'a File),
    /// A file whose text begins as `rest` does, for so many bytes, and then goes on elsewhere.
    Beside(&'a File, usize),
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
            There::Beside(_, common) => &self.rest[common + 1..],
            _ => self.rest,
        }
    }

    /// Makes what [`Tree::fill`] will need to put a file into this place, and changes nothing.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn for_file(&self, budget: &std::sync::Arc<Budget>) -> Result<Place, Error> {
        self.prepare(0, budget)
    }

    /// The same for a directory.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn for_dir(&self, budget: &std::sync::Arc<Budget>) -> Result<Place, Error> {
        self.prepare(depth(above(self.text())), budget)
    }

    fn prepare(&self, dirs: usize, budget: &std::sync::Arc<Budget>) -> Result<Place, Error> {
        let mut place = Place { rest: self.rest.len(), beside: None, charges: Vec::new() };
        let shared = match self.there {
            There::Beside(_, common) => depth(&self.rest[..common]),
            _ => 0,
        };
        for _ in 0..dirs + shared {
            place.charges.push(Charge::new(budget, Usage::DIRECTORY)?);
        }
        if let There::Beside(file, common) = self.there {
            let text = &file.text()[common + 1..];
            place.beside = Some((file.moved(budget, text, None)?, common));
        }
        Ok(place)
    }
}

/// What [`Tree::fill`] needs to put something at a path.
#[derive(Debug)]
pub(crate) struct Place {
    /// How many bytes of the path are left from the directory that it goes into.
    rest: usize,
    /// The file that has so many bytes of its text in common with `rest`, under the text that it has
    /// from there on.
    beside: Option<(File, usize)>,
    /// One for each directory that is made.
    charges: Vec<Charge>,
}

/// Something to put into a tree.
#[derive(Debug)]
pub(crate) enum Node {
    File(File),
    Dir(Arc<Dir>),
}

impl Node {
    /// The length of the longest path below.
    fn longest(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Dir(dir) => dir.longest,
        }
    }

    /// The directory inside others of these names. A file has them in its text.
    fn inside(self, names: &str, charges: &mut impl Iterator<Item = Charge>) -> Self {
        let Self::Dir(dir) = self else { return self };
        let names = names.rsplit('/').filter(|name| !name.is_empty());
        Self::Dir(names.fold(dir, |below, name| {
            let mut dir = Dir::named(name, charges.next());
            let _ = dir.put(Self::Dir(below));
            Arc::new(dir)
        }))
    }
}

impl From<Dir> for Node {
    fn from(dir: Dir) -> Self {
        Self::Dir(Arc::new(dir))
    }
}

impl From<Node> for Removed {
    fn from(node: Node) -> Self {
        match node {
            Node::File(file) => Self { file: Some(file), dir: None },
            Node::Dir(dir) => Self { file: None, dir: Some(dir) },
        }
    }
}

impl Directory {
    /// The directory of this name in it, if there is one.
    pub(crate) fn child(&self, name: &str) -> Option<Self> {
        let (file, at) = match self {
            Self::Real(dir) => match dir.dirs.get(name) {
                Some(dir) => return Some(Self::Real(Arc::clone(dir))),
                None => (dir.files.get(name)?, 0),
            },
            Self::Implied(file, at) => (file, *at),
        };
        let below = file.text()[at..].strip_prefix(name)?.strip_prefix('/')?;
        Some(Self::Implied(file.clone(), file.text().len() - below.len()))
    }

    /// Whether everything in it may move to `to` without a path becoming too long. `longest` is the
    /// length of the longest path below, if that was measured; what is to be measured is returned
    /// if it was not and has to be.
    pub(crate) fn fits(&self, to: &Path, longest: Option<usize>) -> Result<bool, Measure> {
        let room = Path::MAX_BYTES - to.as_str().len();
        match self {
            // The bound is nearly always enough.
            Self::Real(dir) if dir.longest <= room => Ok(true),
            Self::Real(dir) => match longest {
                Some(longest) => Ok(longest <= room),
                None => Err(Measure::new(Arc::clone(dir))),
            },
            Self::Implied(file, at) => Ok(1 + file.text().len() - at <= room),
        }
    }
}

impl Dir {
    /// An empty directory.
    fn named(name: &str, charge: Option<Charge>) -> Self {
        let (dirs, files) = (Map::default(), Map::default());
        Self { name: Box::from(name), dirs, files, longest: 0, _charge: charge }
    }

    /// The same directory under another name.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn renamed(
        &self,
        name: &str,
        budget: &std::sync::Arc<Budget>,
    ) -> Result<Self, Error> {
        let charge = Charge::new(budget, Usage::DIRECTORY)?;
        let (dirs, files) = (self.dirs.clone(), self.files.clone());
        Ok(Self {
            name: Box::from(name),
            dirs,
            files,
            longest: self.longest,
            _charge: Some(charge),
        })
    }

    fn has_many(&self) -> bool {
        let both = !self.dirs.is_empty() && !self.files.is_empty();
        both || self.dirs.has_many() || self.files.has_many()
    }

    fn put(&mut self, node: Node) -> Removed {
        let length = match &node {
            Node::File(file) => file.text().len(),
            Node::Dir(dir) => dir.name.len() + dir.longest,
        };
        self.longest = self.longest.max(1 + length);
        match node {
            Node::File(file) => Removed { file: self.files.insert(file), dir: None },
            Node::Dir(dir) => Removed { file: None, dir: self.dirs.insert(dir) },
        }
    }

    /// The directories and the files in it, whose names order after `start`.
    pub(crate) fn iter_after(&self, start: Option<&str>) -> Listing {
        (self.dirs.iter_after(start), self.files.iter_after(start))
    }

    /// Takes out everything in it.
    pub(crate) fn drain(&mut self) -> (Drain<Arc<Self>>, Drain<File>) {
        (self.dirs.drain(), self.files.drain())
    }
}

/// The directories and the files of a directory, in order.
type Listing = (Iter<Arc<Dir>>, Iter<File>);

/// Finds the length of the longest path below a directory, a part at a time.
pub(crate) struct Measure {
    longest: usize,
    /// The directories from the start on, with the length of the path to each.
    open: Vec<(usize, Listing)>,
    dir: Arc<Dir>,
}

impl Measure {
    fn new(dir: Arc<Dir>) -> Self {
        Self { longest: 0, open: vec![(0, dir.iter_after(None))], dir }
    }

    /// The directory as it was. This may be the last to hold it.
    pub(crate) fn into_dir(self) -> Arc<Dir> {
        let Self { dir, .. } = self;
        dir
    }

    /// Looks at so many entries as one poll may; gives the length at the end.
    pub(crate) fn advance(&mut self) -> Option<usize> {
        for _ in 0..ENTRIES {
            let Some((above, (dirs, files))) = self.open.last_mut() else {
                return Some(self.longest);
            };
            if let Some(file) = files.peek() {
                self.longest = self.longest.max(*above + 1 + file.text().len());
                files.advance();
            } else if let Some(dir) = dirs.peek() {
                let next = (*above + 1 + dir.name.len(), dir.iter_after(None));
                dirs.advance();
                self.open.push(next);
            } else {
                self.open.pop();
            }
        }
        None
    }
}

impl Drop for Dir {
    /// Drops what is below level by level: directories two thousand deep must not recurse two
    /// thousand deep.
    fn drop(&mut self) {
        let mut open: Vec<Drain<Arc<Self>>> = vec![self.dirs.drain()];
        while let Some(dirs) = open.last_mut() {
            match dirs.next() {
                Some(dir) => {
                    if let Some(mut dir) = dir.and_then(Arc::into_unique) {
                        open.push(dir.dirs.drain());
                    }
                }
                None => drop(open.pop()),
            }
        }
    }
}

/// How many bytes two texts have in common at their beginning, in whole components, without the
/// slash behind.
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
