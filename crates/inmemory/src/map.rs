//! [`Map`]: the files, or the directories, of a directory, sorted by name.

use std::{cmp::Ordering, sync::Arc};

/// The most entries or children of a node; half of it is the least, but for the root.
const FANOUT: usize = 32;
/// A leaf that is full grows by so much at a time, not to twice its size: nearly all memory of a
/// large map is in its leaves.
const GROWTH: usize = 4;

/// What a [`Map`] can hold: things that know their own name.
pub(crate) trait Named: Clone {
    fn name(&self) -> &str;

    /// How the name orders to `other`.
    fn order(&self, other: &str) -> Ordering {
        self.name().cmp(other)
    }
}

/// A sorted map from names, whose clones share all that is not changed since.
///
/// A B+ tree of nodes that are referenced, not owned. A change goes in place through nodes that
/// nobody else holds, and copies those that a clone holds too: at most one a level, of at most 32
/// entries each, however large the map. So a clone is a reference, and the first change after it
/// costs what every change costs, and a little more.
///
/// Beside each entry stands its [`head`], so that a search nearly always goes without a look at the
/// names themselves, which are elsewhere in memory.
///
/// ```text
///  root ─▶ Inner [ "" │ "k" │ "tr" ]        before each child a text that orders after all that is
///                       │                   before it, and not after anything in it
///             Leaf [ head, k… │ head, m… │ head, s… ]
/// ```
#[derive(Debug)]
pub(crate) struct Map<V> {
    root: Option<Child<V>>,
}

#[derive(Debug)]
enum Child<V> {
    Leaf(Arc<Leaf<V>>),
    Inner(Arc<Inner<V>>),
}

#[derive(Debug, Clone)]
struct Leaf<V> {
    entries: Vec<(u64, V)>,
}

#[derive(Debug, Clone)]
struct Inner<V> {
    branches: Vec<Branch<V>>,
}

#[derive(Debug)]
struct Branch<V> {
    head: u64,
    first: Arc<str>,
    child: Child<V>,
}

/// A name to look for.
#[derive(Clone, Copy)]
struct Key<'a> {
    head: u64,
    text: &'a str,
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self { head: head(text), text }
    }
}

/// The first eight bytes as a number that orders as they do; zeros where there are fewer, which is
/// no byte of a name.
fn head(text: &str) -> u64 {
    let bytes = text.as_bytes();
    match bytes.first_chunk() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(first)
        }
    }
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

impl<V> Clone for Child<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(Arc::clone(leaf)),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<V> Clone for Branch<V> {
    fn clone(&self) -> Self {
        Self { head: self.head, first: Arc::clone(&self.first), child: self.child.clone() }
    }
}

impl<V: Named> Map<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there are at least two entries.
    pub(crate) fn has_many(&self) -> bool {
        match &self.root {
            None => false,
            Some(Child::Leaf(leaf)) => leaf.entries.len() > 1,
            Some(Child::Inner(_)) => true,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        let mut child = self.root.as_ref()?;
        let key = Key::from(name);
        loop {
            match child {
                Child::Inner(inner) => child = &inner.branches[inner.index_of(key)].child,
                Child::Leaf(leaf) => {
                    let index = leaf.search(key).ok()?;
                    return Some(&leaf.entries[index].1);
                }
            }
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        // Looked for first, so that a name that is not there copies nothing.
        self.get(name)?;
        let key = Key::from(name);
        let mut child = self.root.as_mut()?;
        loop {
            match child {
                Child::Inner(inner) => {
                    let inner = Arc::make_mut(inner);
                    let index = inner.index_of(key);
                    child = &mut inner.branches[index].child;
                }
                Child::Leaf(leaf) => {
                    let leaf = Arc::make_mut(leaf);
                    let index = leaf.search(key).ok()?;
                    return Some(&mut leaf.entries[index].1);
                }
            }
        }
    }

    /// Puts in `value` under its name; gives back what had that name before.
    pub(crate) fn insert(&mut self, value: V) -> Option<V> {
        let Some(root) = &mut self.root else {
            let entries = vec![(head(value.name()), value)];
            self.root = Some(Child::Leaf(Arc::new(Leaf { entries })));
            return None;
        };
        let (old, split) = root.insert(value);
        if let Some(right) = split {
            let left = Branch { head: 0, first: Arc::from(""), child: root.clone() };
            *root = Child::Inner(Arc::new(Inner { branches: vec![left, right] }));
        }
        old
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        self.get(name)?;
        let root = self.root.as_mut()?;
        let removed = root.remove(Key::from(name));
        // A root with one child, or none, is one level too many.
        match root {
            Child::Leaf(leaf) if leaf.entries.is_empty() => self.root = None,
            Child::Inner(inner) if inner.branches.len() == 1 => {
                *root = inner.branches[0].child.clone();
            }
            _ => {}
        }
        removed
    }

    /// The entries in order, from the first, or after a name.
    pub(crate) fn iter_after(&self, start: Option<&str>) -> Iter<V> {
        let start = start.map(Key::from);
        let mut iter = Iter { inners: Vec::new(), leaf: None };
        let mut next = self.root.clone();
        while let Some(child) = next.take() {
            match child {
                Child::Inner(inner) => {
                    let index = start.map_or(0, |start| inner.index_of(start));
                    next = inner.branches.get(index).map(|branch| branch.child.clone());
                    iter.inners.push((inner, index));
                }
                Child::Leaf(leaf) => {
                    let index = start.map(|start| leaf.search(start).map_or_else(|i| i, |i| i + 1));
                    iter.leaf = Some((leaf, index.unwrap_or(0)));
                }
            }
        }
        iter
    }

    /// Takes out every value that nobody else holds.
    pub(crate) fn drain(&mut self) -> Drain<V> {
        Drain { children: self.root.take().into_iter().collect(), entries: Vec::new().into_iter() }
    }
}

impl<V: Named> Child<V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.entries.len(),
            Self::Inner(inner) => inner.branches.len(),
        }
    }

    /// Puts in a value; gives back the one that had its name, and the right half if what is here
    /// had to be cut in two.
    fn insert(&mut self, value: V) -> (Option<V>, Option<Branch<V>>) {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let key = Key::from(value.name());
                match leaf.search(key) {
                    Ok(index) => (Some(std::mem::replace(&mut leaf.entries[index].1, value)), None),
                    Err(index) => {
                        if leaf.entries.len() == leaf.entries.capacity() {
                            leaf.entries.reserve_exact(GROWTH);
                        }
                        leaf.entries.insert(index, (key.head, value));
                        (None, leaf.split())
                    }
                }
            }
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let index = inner.index_of(Key::from(value.name()));
                let (old, right) = inner.branches[index].child.insert(value);
                if let Some(right) = right {
                    inner.branches.insert(index + 1, right);
                }
                (old, inner.split())
            }
        }
    }

    fn remove(&mut self, key: Key<'_>) -> Option<V> {
        match self {
            Self::Leaf(leaf) => {
                let leaf = Arc::make_mut(leaf);
                let index = leaf.search(key).ok()?;
                Some(leaf.entries.remove(index).1)
            }
            Self::Inner(inner) => {
                let branches = &mut Arc::make_mut(inner).branches;
                let index = index_of(branches, key);
                let child = &mut branches[index].child;
                let removed = child.remove(key);
                if child.len() < FANOUT / 2 {
                    // Joined with a neighbour; if the two are too many for one, cut in halves again.
                    let left = index.saturating_sub(1);
                    if left + 1 < branches.len() {
                        let right = branches.remove(left + 1);
                        if let Some(right) = branches[left].child.join(right) {
                            branches.insert(left + 1, right);
                        }
                    }
                }
                removed
            }
        }
    }

    /// Puts everything of the next child behind what is here; gives back a right half if that is
    /// too much for one.
    fn join(&mut self, next: Branch<V>) -> Option<Branch<V>> {
        match (self, next.child) {
            (Self::Leaf(leaf), Self::Leaf(next)) => {
                let leaf = Arc::make_mut(leaf);
                let more = Arc::unwrap_or_clone(next).entries;
                leaf.entries.reserve_exact(more.len());
                leaf.entries.extend(more);
                leaf.split()
            }
            (Self::Inner(inner), Self::Inner(next)) => {
                let inner = Arc::make_mut(inner);
                inner.branches.extend(Arc::unwrap_or_clone(next).branches);
                inner.split()
            }
            // All leaves are on one level.
            (_, child) => Some(Branch { child, ..next }),
        }
    }
}

impl<V: Named> Leaf<V> {
    fn search(&self, key: Key<'_>) -> Result<usize, usize> {
        self.entries.binary_search_by(|(head, value)| {
            head.cmp(&key.head).then_with(|| value.order(key.text))
        })
    }

    /// Cuts off the right half if there are more entries than the fan-out.
    fn split(&mut self) -> Option<Branch<V>> {
        if self.entries.len() <= FANOUT {
            return None;
        }
        let entries = self.entries.split_off(self.entries.len() / 2);
        self.entries.shrink_to_fit();
        let last = self.entries.last().map_or("", |(_, value)| value.name());
        let first = between(last, entries[0].1.name());
        let child = Child::Leaf(Arc::new(Leaf { entries }));
        Some(Branch { head: head(first.as_ref()), first, child })
    }
}

/// The shortest beginning of `right` that orders after `left`, which orders before it.
fn between(left: &str, right: &str) -> Arc<str> {
    let common = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    Arc::from(right.get(..=common).unwrap_or(right))
}

/// The child that holds `key`, if any does.
fn index_of<V>(branches: &[Branch<V>], key: Key<'_>) -> usize {
    let after = branches.partition_point(|branch| {
        (branch.head.cmp(&key.head)).then_with(|| (*branch.first).cmp(key.text)).is_le()
    });
    after.saturating_sub(1)
}

impl<V> Inner<V> {
    fn index_of(&self, key: Key<'_>) -> usize {
        index_of(&self.branches, key)
    }

    /// Cuts off the right half if there are more children than the fan-out.
    fn split(&mut self) -> Option<Branch<V>> {
        if self.branches.len() <= FANOUT {
            return None;
        }
        let branches = self.branches.split_off(self.branches.len() / 2);
        let (head, first) = (branches[0].head, Arc::clone(&branches[0].first));
        Some(Branch { head, first, child: Child::Inner(Arc::new(Inner { branches })) })
    }
}

/// The entries of a [`Map`] as it was: it holds the nodes, not the map.
#[derive(Debug)]
pub(crate) struct Iter<V> {
    /// The nodes from the root down, each with the child that the walk is in.
    inners: Vec<(Arc<Inner<V>>, usize)>,
    /// With the entry that comes next.
    leaf: Option<(Arc<Leaf<V>>, usize)>,
}

impl<V> Iter<V> {
    /// What comes next.
    pub(crate) fn peek(&mut self) -> Option<&V> {
        while self.leaf.as_ref().is_some_and(|(leaf, index)| *index == leaf.entries.len()) {
            self.leaf = self.next_leaf();
        }
        self.leaf.as_ref().map(|(leaf, index)| &leaf.entries[*index].1)
    }

    /// Goes past what comes next, which was [looked at](Self::peek).
    pub(crate) fn advance(&mut self) {
        if let Some((_, index)) = &mut self.leaf {
            *index += 1;
        }
    }

    fn next_leaf(&mut self) -> Option<(Arc<Leaf<V>>, usize)> {
        // Up to where there is a next child, and down along the first ones.
        let mut child = loop {
            let (inner, index) = self.inners.last_mut()?;
            *index += 1;
            if let Some(branch) = inner.branches.get(*index) {
                break branch.child.clone();
            }
            self.inners.pop();
        };
        loop {
            match child {
                Child::Leaf(leaf) => return Some((leaf, 0)),
                Child::Inner(inner) => {
                    child = inner.branches.first()?.child.clone();
                    self.inners.push((inner, 0));
                }
            }
        }
    }
}

/// Every value of a [`Map`], taken out; what others hold too is left to them.
#[derive(Debug)]
pub(crate) struct Drain<V> {
    children: Vec<Child<V>>,
    entries: std::vec::IntoIter<(u64, V)>,
}

impl<V> Iterator for Drain<V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        loop {
            if let Some((_, value)) = self.entries.next() {
                return Some(value);
            }
            match self.children.pop()? {
                Child::Leaf(leaf) => {
                    self.entries =
                        Arc::into_inner(leaf).map(|l| l.entries).unwrap_or_default().into_iter();
                }
                Child::Inner(inner) => {
                    let branches = Arc::into_inner(inner).map(|i| i.branches).unwrap_or_default();
                    self.children.extend(branches.into_iter().map(|branch| branch.child));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
