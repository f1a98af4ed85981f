//! [`Entries`]: the entries of a directory, and of all below it, at one moment.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use storage_driver::{Entry, Path, Result, WalkSource};

use crate::{
    map::Iter,
    tree::{Dir, Node},
};

/// The children of a directory, as entries.
pub(crate) struct Children {
    path: Path,
    nodes: Iter<Node>,
}

impl Children {
    /// The children of `dir`, which is at `path`, that order after `start`.
    pub(crate) fn after(dir: &Dir, path: &Path, start: Option<&Path>) -> Option<Self> {
        let name = match start {
            None => None,
            Some(start) => match start.strip_prefix(path) {
                Some(below) => below.split('/').next().filter(|name| !name.is_empty()),
                // Before all of them, or after.
                None if start < path => None,
                None => return None,
            },
        };
        Some(Self { path: path.clone(), nodes: dir.children.iter_after(name) })
    }

    fn next_node(&mut self) -> Option<(Path, Node)> {
        let (name, node) = self.nodes.next()?;
        // No path in the tree is longer than a path may be.
        Some((self.path.join(name.as_str()).ok()?, node))
    }
}

fn entry(path: Path, node: &Node) -> Entry {
    match node {
        Node::File(file) => Entry::file(file.metadata(&path)),
        Node::Dir(_) => Entry::directory(path),
    }
}

impl Iterator for Children {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        self.next_node().map(|(path, node)| entry(path, &node))
    }
}

/// Everything below a directory, depth first, as it was when the walk began.
pub(crate) struct Descent {
    /// The directories from the start of the walk to where it stands.
    open: Vec<Children>,
    /// The directory given last, to be opened next.
    below: Option<(Path, Arc<Dir>)>,
}

impl Descent {
    /// What is below `dir`, which is at `path`, and orders after `start`.
    pub(crate) fn after(dir: &Arc<Dir>, path: &Path, start: Option<&Path>) -> Self {
        let mut open = Vec::from_iter(Children::after(dir, path, start));
        // A start below is reached through directories that are not given again.
        let names = start.and_then(|start| start.strip_prefix(path)).unwrap_or_default();
        let (mut dir, mut path) = (dir, path.clone());
        for name in names.split('/') {
            let (Some(Node::Dir(below)), Ok(joined)) = (dir.children.get(name), path.join(name))
            else {
                break;
            };
            (dir, path) = (below, joined);
            open.extend(Children::after(dir, &path, start));
        }
        Self { open, below: None }
    }
}

impl WalkSource for Descent {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        if let Some((path, dir)) = self.below.take() {
            self.open.extend(Children::after(&dir, &path, None));
        }
        while let Some(children) = self.open.last_mut() {
            if let Some((path, node)) = children.next_node() {
                let entry = entry(path, &node);
                if let Node::Dir(dir) = node {
                    self.below = Some((entry.path().clone(), dir));
                }
                return Poll::Ready(Some(Ok(entry)));
            }
            self.open.pop();
        }
        Poll::Ready(None)
    }

    fn skip_dir(&mut self) {
        self.below = None;
    }
}
