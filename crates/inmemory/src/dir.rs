//! [`Dir`]: a directory of the tree.

use std::sync::Arc as StdArc;

use storage_driver::{Error, Path};
use triomphe::Arc;

use crate::{
    budget::{Budget, Charge},
    file::File,
    map::{Map, Named, drain::Drain, iter::Iter},
    usage::Usage,
    work::ENTRIES,
};

/// A directory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Dir {
    pub(crate) name: Box<str>,
    pub(crate) dirs: Map<Arc<Dir>>,
    pub(crate) files: Map<File>,
    /// An upper bound of the length of the paths below, in bytes from here. A removal does not lower it.
    pub(crate) longest: usize,
    /// The root has none.
    _charge: Option<Charge>,
}

impl Named for Arc<Dir> {
    fn name(&self) -> &str {
        &self.name
    }
}

/// A directory of the namespace, which may be implied by the text of a file.
#[derive(Debug, Clone)]
pub(crate) enum Directory {
    Real(Arc<Dir>),
    /// The part of the text that starts at this byte is below the directory.
    Implied(File, usize),
}

/// A file or directory that was taken out of a tree.
#[must_use = "it may be large: reclaim it outside of the lock"]
#[derive(Debug, Default)]
pub(crate) struct Removed {
    pub(crate) file: Option<File>,
    pub(crate) dir: Option<Arc<Dir>>,
}

/// A file or directory to be put into a tree.
#[derive(Debug)]
pub(crate) enum Node {
    File(File),
    Dir(Arc<Dir>),
}

impl Node {
    /// The length of the longest path below.
    pub(crate) fn longest(&self) -> usize {
        match self {
            Self::File(_) => 0,
            Self::Dir(dir) => dir.longest,
        }
    }

    /// The directory inside directories of these names. The text of a file contains them.
    pub(crate) fn inside(
        self,
        names: &str,
        budget: &StdArc<Budget>,
        charges: &mut impl Iterator<Item = Charge>,
    ) -> Self {
        let Self::Dir(dir) = self else { return self };
        let names = names.rsplit('/').filter(|name| !name.is_empty());
        Self::Dir(names.fold(dir, |below, name| {
            let mut dir = Dir::named(name, charges.next());
            let _ = dir.put(budget, Self::Dir(below));
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
    /// length of the longest path below, if that was measured; otherwise the measure that has to be taken is
    /// returned as the error.
    pub(crate) fn fits(&self, to: &Path, longest: Option<usize>) -> Result<bool, Measure> {
        let room = Path::MAX_BYTES - to.as_str().len();
        match self {
            // The bound is nearly always low enough.
            Self::Real(dir) if dir.longest <= room => Ok(true),
            Self::Real(dir) => match longest {
                Some(longest) => Ok(longest <= room),
                None => Err(Measure::new(Arc::clone(dir))),
            },
            Self::Implied(file, at) => Ok(1 + file.text_len() - at <= room),
        }
    }
}

impl Dir {
    /// An empty directory.
    pub(crate) fn named(name: &str, charge: Option<Charge>) -> Self {
        let (dirs, files) = (Map::default(), Map::default());
        Self { name: Box::from(name), dirs, files, longest: 0, _charge: charge }
    }

    /// The same directory under another name.
    ///
    /// # Errors
    ///
    /// `StorageFull`.
    pub(crate) fn renamed(&self, name: &str, budget: &StdArc<Budget>) -> Result<Self, Error> {
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

    pub(crate) fn has_many(&self) -> bool {
        let both = !self.dirs.is_empty() && !self.files.is_empty();
        both || self.dirs.has_many() || self.files.has_many()
    }

    pub(crate) fn put(&mut self, budget: &StdArc<Budget>, node: Node) -> Removed {
        let length = match &node {
            Node::File(file) => file.text_len(),
            Node::Dir(dir) => dir.name.len() + dir.longest,
        };
        self.longest = self.longest.max(1 + length);
        match node {
            Node::File(file) => Removed { file: self.files.insert(budget, file), dir: None },
            Node::Dir(dir) => Removed { file: None, dir: self.dirs.insert(budget, dir) },
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
    pub(crate) fn new(dir: Arc<Dir>) -> Self {
        Self { longest: 0, open: vec![(0, dir.iter_after(None))], dir }
    }

    /// The directory as it was. This may be the last reference to it.
    pub(crate) fn into_dir(self) -> Arc<Dir> {
        let Self { dir, .. } = self;
        dir
    }

    /// Looks at as many entries as one poll may; returns the length at the end.
    pub(crate) fn advance(&mut self) -> Option<usize> {
        for _ in 0..ENTRIES {
            let Some((above, (dirs, files))) = self.open.last_mut() else {
                return Some(self.longest);
            };
            if let Some(file) = files.peek() {
                self.longest = self.longest.max(*above + 1 + file.text_len());
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
    /// Drops the directories below without recursion: they may be two thousand deep.
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
