//! [`Map`]: the files, or the directories, of a directory, sorted by name.

mod cut;
pub(crate) mod drain;
pub(crate) mod iter;
mod key;
mod node;

use std::sync::Arc as StdArc;

use triomphe::Arc;

use self::{
    drain::Drain,
    iter::Iter,
    key::Key,
    node::{Child, Leaf, Slot, Slots},
};
use crate::{budget::Budget, work};

pub(crate) use self::key::Named;

/// A sorted map from names, whose clones share all that is not changed since.
///
/// A B+ tree of reference-counted nodes. A change is made in place in nodes that have no other owner, and
/// copies those that a clone holds too: at most one a level, of at most 32 entries each, however large the
/// map. So a clone is a reference, and the first change after it costs little more than any other.
///
/// Each entry is stored with its head, the first eight bytes of its name, so that a search rarely reads the
/// names themselves, which are elsewhere in memory.
///
/// ```text
///  root ─▶ Inner [ "" │ "k" │ "tr" ]        before each child a separator: it orders after the names
///                       │                   before it, and not after the names in it
///             Leaf [ head, k… │ head, m… │ head, s… ]
/// ```
#[derive(Debug)]
pub(crate) struct Map<V> {
    root: Option<Child<V>>,
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

impl<V: Named> Map<V> {
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there are at least two entries.
    pub(crate) fn has_many(&self) -> bool {
        match &self.root {
            None => false,
            Some(Child::Leaf(leaf)) => leaf.len() > 1,
            Some(Child::Inner(_)) => true,
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&V> {
        work::count(1);
        let mut child = self.root.as_ref()?;
        let key = Key::from(name);
        loop {
            match child {
                Child::Inner(inner) => {
                    child = &inner.branches[inner.index_of(key.head, || key.text)].child
                }
                Child::Leaf(leaf) => {
                    let index = leaf.search(key.head, || key.text).ok()?;
                    return leaf.entry(index);
                }
            }
        }
    }

    /// The first entry that orders after `name`.
    pub(crate) fn next_after(&self, name: &str) -> Option<&V> {
        work::count(1);
        let key = Key::from(name);
        let (mut child, mut sibling) = (self.root.as_ref()?, None);
        loop {
            match child {
                Child::Inner(inner) => {
                    let index = inner.index_of(key.head, || key.text);
                    let next = inner.branches.get(index + 1).map(|branch| &branch.child);
                    (child, sibling) = (&inner.branches[index].child, next.or(sibling));
                }
                Child::Leaf(leaf) => {
                    let search = leaf.search(key.head, || key.text);
                    let index = search.map_or_else(|index| index, |index| index + 1);
                    let slot =
                        leaf.slots().get(index).or_else(|| sibling?.first_leaf().slots().first());
                    return slot?.value.as_ref();
                }
            }
        }
    }

    /// The entry of this name, to be changed. Nodes that a clone holds too are copied on the way, even if
    /// the name is not there: call [`get`](Self::get) first.
    pub(crate) fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        let key = Key::from(name);
        let mut child = self.root.as_mut()?;
        loop {
            match child {
                Child::Inner(inner) => {
                    let inner = Arc::make_mut(inner);
                    let index = inner.index_of(key.head, || key.text);
                    child = &mut inner.branches[index].child;
                }
                Child::Leaf(leaf) => {
                    let index = leaf.search(key.head, || key.text).ok()?;
                    return leaf.value_mut(index);
                }
            }
        }
    }

    /// Puts in `value` under its name; returns the entry that had that name before. The leaves are in the slabs of
    /// `budget`.
    pub(crate) fn insert(&mut self, budget: &StdArc<Budget>, value: V) -> Option<V> {
        work::count(1);
        let head = Key::from(value.name()).head;
        let Some(mut root) = self.root.take() else {
            let first = Slots::from_iter([Slot { head, value: Some(value) }]);
            self.root = Some(Child::Leaf(Leaf::new(budget, first)));
            return None;
        };
        let (old, cut_off) = root.insert(head, value);
        self.root = Some(Child::grown(root, cut_off));
        old
    }

    /// Takes out the entry of this name. For names that are not there, see [`get_mut`](Self::get_mut).
    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        work::count(1);
        let root = self.root.as_mut()?;
        let removed = root.remove(Key::from(name));
        // A root with one child, or none, is one level too many.
        match root {
            Child::Leaf(leaf) if leaf.len() == 0 => self.root = None,
            Child::Inner(inner) if inner.branches.len() == 1 => {
                *root = inner.branches[0].child.clone();
            }
            _ => {}
        }
        removed
    }

    /// Takes out the entries from `start` on and before `end`. Takes a few steps a level, however many
    /// entries there are.
    pub(crate) fn take_range(&mut self, start: &str, end: Option<&str>) -> Self {
        let after = end.map(|end| self.split_off(end));
        let taken = self.split_off(start);
        if let Some(after) = after {
            self.root = cut::join(self.root.take(), after.root);
        }
        taken
    }

    /// Takes out the entries that do not order before `at`.
    fn split_off(&mut self, at: &str) -> Self {
        let Some(root) = self.root.take() else { return Self::default() };
        let (left, mut right) = cut::split(root, Key::from(at));
        // Names may come that order before all that is there now.
        right.iter_mut().for_each(|root| root.set_first(&(0, Box::from(""))));
        self.root = left;
        Self { root: right }
    }

    /// The entries in order, from the first, or after a name.
    pub(crate) fn iter_after(&self, start: Option<&str>) -> Iter<V> {
        let start = start.map(Key::from);
        let mut iter = Iter { inners: Vec::new(), leaf: None };
        let mut next = self.root.clone();
        while let Some(child) = next.take() {
            match child {
                Child::Inner(inner) => {
                    let index = start.map_or(0, |start| inner.index_of(start.head, || start.text));
                    next = inner.branches.get(index).map(|branch| branch.child.clone());
                    iter.inners.push((inner, index));
                }
                Child::Leaf(leaf) => {
                    let index = start.map(|start| {
                        leaf.search(start.head, || start.text).map_or_else(|i| i, |i| i + 1)
                    });
                    iter.leaf = Some((leaf, index.unwrap_or(0)));
                }
            }
        }
        iter
    }

    /// Takes out every value of the nodes that have no other owner.
    pub(crate) fn drain(&mut self) -> Drain<V> {
        self.drain_with(false)
    }

    /// Takes out every value; clones those of the nodes that others hold too.
    pub(crate) fn drain_all(&mut self) -> Drain<V> {
        self.drain_with(true)
    }

    fn drain_with(&mut self, shared: bool) -> Drain<V> {
        let children = self.root.take().into_iter().collect();
        Drain { children, values: Vec::new().into_iter(), shared }
    }
}

#[cfg(test)]
mod tests;
