//! [`Map`]: the children of a directory, sorted by name.

use std::sync::Arc;

use crate::name::{Key, Name};

/// The most entries or children of a node; half of it is the least, but for the root.
const FANOUT: usize = 32;

/// A sorted map from names, whose clones share all that is not changed since.
///
/// A B+ tree of nodes that are referenced, not owned. A change goes in place through nodes that
/// nobody else holds, and copies those that a clone holds too: at most one a level, of at most 32
/// entries each, however large the map. So a clone is a reference, and the first change after it
/// costs what every change costs, and a little more.
///
/// ```text
///  root ─▶ Inner { first: [a│k│t], nodes: [•│•│•] }      `first` of a node: the first name in it
///                                   │
///                   Leaf { entries: [(a, …)│(c, …)│(h, …)] }
/// ```
#[derive(Debug)]
pub(crate) struct Map<V> {
    root: Option<Arc<Node<V>>>,
}

#[derive(Debug, Clone)]
enum Node<V> {
    Leaf(Vec<(Name, V)>),
    /// Each child with the first name in it, or one that once was and still comes before the rest.
    Inner(Vec<(Name, Arc<Node<V>>)>),
}

impl<V> Default for Map<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<V> Clone for Map<V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<V: Clone> Map<V> {
    /// Whether there are at least two entries.
    pub(crate) fn has_many(&self) -> bool {
        match self.root.as_deref() {
            None => false,
            Some(Node::Leaf(entries)) => entries.len() > 1,
            Some(Node::Inner(_)) => true,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        let key = Key::from(name);
        let mut node = self.root.as_deref()?;
        loop {
            match node {
                Node::Inner(nodes) => node = &nodes[child_of(nodes, key)].1,
                Node::Leaf(entries) => {
                    let index = search(entries, key).ok()?;
                    return Some(&entries[index].1);
                }
            }
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        // Looked for first, so that a name that is not there copies nothing.
        self.get(name)?;
        let key = Key::from(name);
        let mut node = Arc::make_mut(self.root.as_mut()?);
        loop {
            match node {
                Node::Inner(nodes) => {
                    let index = child_of(nodes, key);
                    node = Arc::make_mut(&mut nodes[index].1);
                }
                Node::Leaf(entries) => {
                    let index = search(entries, key).ok()?;
                    return Some(&mut entries[index].1);
                }
            }
        }
    }

    /// Puts `value` under a name that is not in the map yet; one that is gets the new value.
    pub(crate) fn insert(&mut self, name: Name, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            self.root = Some(Arc::new(Node::Leaf(vec![(name, value)])));
            return None;
        };
        let (old, split) = Arc::make_mut(root).insert(name, value);
        if let Some(right) = split {
            let left = (root.first().clone(), Arc::clone(root));
            *root = Arc::new(Node::Inner(vec![left, right]));
        }
        old
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        self.get(name)?;
        let root = self.root.as_mut()?;
        let removed = Arc::make_mut(root).remove(Key::from(name));
        // A root with one child, or none, is one level too many.
        match &**root {
            Node::Leaf(entries) if entries.is_empty() => self.root = None,
            Node::Inner(nodes) if nodes.len() == 1 => *root = Arc::clone(&nodes[0].1),
            _ => {}
        }
        removed
    }

    /// The entries in order, from the first, or after a name.
    pub(crate) fn iter_after(&self, start: Option<&str>) -> Iter<V> {
        let start = start.map(Key::from);
        let mut iter = Iter { levels: Vec::new() };
        let mut next = self.root.as_ref();
        while let Some(node) = next {
            let index = match (&**node, start) {
                (_, None) => 0,
                (Node::Inner(nodes), Some(start)) => child_of(nodes, start),
                (Node::Leaf(entries), Some(start)) => {
                    search(entries, start).map_or_else(|index| index, |index| index + 1)
                }
            };
            iter.levels.push((Arc::clone(node), index));
            next = match &**node {
                Node::Inner(nodes) => nodes.get(index).map(|(_, node)| node),
                Node::Leaf(_) => None,
            };
        }
        iter
    }

    /// Takes out every value that nobody else holds.
    pub(crate) fn drain(&mut self) -> Drain<V> {
        Drain { nodes: self.root.take().into_iter().collect(), entries: Vec::new().into_iter() }
    }
}

fn search<T>(entries: &[(Name, T)], key: Key<'_>) -> Result<usize, usize> {
    entries.binary_search_by(|(other, _)| other.cmp(key))
}

/// The child that holds `key`, if any does.
fn child_of<T>(nodes: &[(Name, T)], key: Key<'_>) -> usize {
    match search(nodes, key) {
        Ok(index) => index,
        Err(index) => index.saturating_sub(1),
    }
}

type Child<V> = (Name, Arc<Node<V>>);

impl<V: Clone> Node<V> {
    /// The first name in it. No node is empty but the root of an empty map, which is none.
    fn first(&self) -> &Name {
        match self {
            Self::Leaf(entries) => &entries[0].0,
            Self::Inner(nodes) => &nodes[0].0,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Leaf(entries) => entries.len(),
            Self::Inner(nodes) => nodes.len(),
        }
    }

    /// Puts in an entry; gives back the value that was there, and the right half if it had to be
    /// cut in two.
    fn insert(&mut self, name: Name, value: V) -> (Option<V>, Option<Child<V>>) {
        match self {
            Self::Leaf(entries) => match search(entries, name.key()) {
                Ok(index) => (Some(std::mem::replace(&mut entries[index].1, value)), None),
                Err(index) => {
                    entries.insert(index, (name, value));
                    (None, split(entries).map(|right| Self::child(Self::Leaf(right))))
                }
            },
            Self::Inner(nodes) => {
                let index = child_of(nodes, name.key());
                let (old, right) = Arc::make_mut(&mut nodes[index].1).insert(name, value);
                if let Some(right) = right {
                    nodes.insert(index + 1, right);
                }
                (old, split(nodes).map(|right| Self::child(Self::Inner(right))))
            }
        }
    }

    fn child(node: Self) -> Child<V> {
        (node.first().clone(), Arc::new(node))
    }

    fn remove(&mut self, key: Key<'_>) -> Option<V> {
        match self {
            Self::Leaf(entries) => {
                let index = search(entries, key).ok()?;
                Some(entries.remove(index).1)
            }
            Self::Inner(nodes) => {
                let index = child_of(nodes, key);
                let child = &mut nodes[index].1;
                let removed = Arc::make_mut(child).remove(key);
                if child.len() < FANOUT / 2 {
                    // Joined with a neighbour; if the two are too many for one, cut in halves again.
                    let left = index.saturating_sub(1);
                    if left + 1 < nodes.len() {
                        let (_, right) = nodes.remove(left + 1);
                        let node = Arc::make_mut(&mut nodes[left].1);
                        if let Some(right) = node.join(Arc::unwrap_or_clone(right)) {
                            nodes.insert(left + 1, right);
                        }
                    }
                }
                removed
            }
        }
    }

    /// Puts everything of the next node behind what is here; gives back a right half if that is too
    /// much for one.
    fn join(&mut self, next: Self) -> Option<Child<V>> {
        match (self, next) {
            (Self::Leaf(entries), Self::Leaf(more)) => {
                entries.extend(more);
                split(entries).map(|right| Self::child(Self::Leaf(right)))
            }
            (Self::Inner(nodes), Self::Inner(more)) => {
                nodes.extend(more);
                split(nodes).map(|right| Self::child(Self::Inner(right)))
            }
            // All leaves are on one level.
            (_, next) => Some(Self::child(next)),
        }
    }
}

/// Cuts off the right half of what has grown past the fan-out.
fn split<T>(entries: &mut Vec<T>) -> Option<Vec<T>> {
    (entries.len() > FANOUT).then(|| entries.split_off(entries.len() / 2))
}

/// The entries of a [`Map`] as it was: it holds the nodes, not the map.
#[derive(Debug)]
pub(crate) struct Iter<V> {
    /// The nodes from the root down, each with the index of what comes next: in a leaf the next
    /// entry, above it the child that the walk is in.
    levels: Vec<(Arc<Node<V>>, usize)>,
}

impl<V: Clone> Iterator for Iter<V> {
    type Item = (Name, V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (node, index) = self.levels.last_mut()?;
            match &**node {
                Node::Leaf(entries) => {
                    if let Some(entry) = entries.get(*index) {
                        *index += 1;
                        return Some(entry.clone());
                    }
                    self.levels.pop();
                    self.levels.last_mut()?.1 += 1;
                }
                Node::Inner(nodes) => match nodes.get(*index) {
                    Some((_, child)) => {
                        let child = Arc::clone(child);
                        self.levels.push((child, 0));
                    }
                    None => {
                        self.levels.pop();
                        self.levels.last_mut()?.1 += 1;
                    }
                },
            }
        }
    }
}

/// Every value of a [`Map`], taken out; what others hold too is left to them.
#[derive(Debug)]
pub(crate) struct Drain<V> {
    nodes: Vec<Arc<Node<V>>>,
    entries: std::vec::IntoIter<(Name, V)>,
}

impl<V> Iterator for Drain<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        loop {
            if let Some((_, value)) = self.entries.next() {
                return Some(value);
            }
            match Arc::into_inner(self.nodes.pop()?) {
                Some(Node::Leaf(entries)) => self.entries = entries.into_iter(),
                Some(Node::Inner(nodes)) => {
                    self.nodes.extend(nodes.into_iter().map(|(_, node)| node));
                }
                None => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
