//! [`Child`]: the nodes of a map.

use std::{cmp::Ordering, mem, sync::Arc as StdArc};

use arrayvec::ArrayVec;
use triomphe::Arc;

use super::key::{Key, Named, between, equal, is_whole};
use crate::{
    budget::Budget,
    slab::block::{Block, Header},
    work,
};

/// The most entries or children of a node.
pub(super) const FANOUT: usize = 32;
/// The least, but for the root. A node that has less is joined with a neighbour. With half of the fan-out, the
/// halves of a joined node that has to be cut again would soon be too small again.
pub(super) const LEAST: usize = FANOUT / 4;
/// By how much a node grows. It does not double, because there are many of them.
const GROWTH: usize = 4;

#[derive(Debug)]
pub(super) enum Child<V> {
    Leaf(Leaf<V>),
    Inner(Arc<Inner<V>>),
}

/// One allocation: a search reads one place in memory. The entries come first, in order, and then up to
/// [`GROWTH`] spare slots, or as many as there are entries after removals. An entry is inserted and removed in
/// place, unless a clone shares the leaf or there is no spare slot.
#[derive(Debug)]
pub(super) struct Leaf<V>(pub(super) Block<Index, Slot<V>>);

/// A leaf counts with the estimates for its entries.
#[derive(Debug)]
pub(super) struct Index;

impl Header for Index {
    fn reserved(&self, _items: usize) -> (u64, u64) {
        (0, 0)
    }
}

#[derive(Debug, Clone)]
pub(super) struct Slot<V> {
    pub(super) head: u64,
    /// `None` in a spare slot, and while the leaf is made anew.
    pub(super) value: Option<V>,
}

/// The head of a spare slot orders after the heads of all names, which are ASCII.
const SPARE: u64 = u64::MAX;

/// The heads are stored apart from their children, so that a search reads few cache lines.
#[derive(Debug, Clone)]
pub(super) struct Inner<V> {
    pub(super) heads: Vec<u64>,
    pub(super) branches: Vec<Branch<V>>,
}

#[derive(Debug)]
pub(super) struct Branch<V> {
    /// The whole separator if it is longer than 8 bytes, else nothing: separators of at most 8 bytes equal
    /// their head, so equal heads are never out of order.
    pub(super) first: Box<str>,
    pub(super) child: Child<V>,
}

/// A branch with the head of its text.
pub(super) type Half<V> = (u64, Branch<V>);

impl<V> Clone for Child<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<V> Clone for Leaf<V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<V> Clone for Branch<V> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), child: self.child.clone() }
    }
}

impl<V: Named> Child<V> {
    /// The root above `left` and the right half that was cut off it, if one was.
    pub(super) fn grown(left: Self, right: Option<Half<V>>) -> Self {
        let Some((head, right)) = right else { return left };
        let left = Branch { first: Box::from(""), child: left };
        Self::Inner(Arc::new(Inner { heads: vec![0, head], branches: vec![left, right] }))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.len(),
            Self::Inner(inner) => inner.branches.len(),
        }
    }

    /// How many levels are below; 0 of a leaf.
    pub(super) fn height(&self) -> usize {
        let below = |child: &Self| match child {
            Self::Leaf(_) => None,
            Self::Inner(inner) => inner.branches.first().map(|branch| branch.child.clone()),
        };
        std::iter::successors(below(self), below).count()
    }

    pub(super) fn first_leaf(&self) -> &Leaf<V> {
        match self {
            Self::Leaf(leaf) => leaf,
            Self::Inner(inner) => inner.branches[0].child.first_leaf(),
        }
    }

    pub(super) fn last_leaf(&self) -> &Leaf<V> {
        match self {
            Self::Leaf(leaf) => leaf,
            Self::Inner(inner) => inner.branches[inner.branches.len() - 1].child.last_leaf(),
        }
    }

    /// Sets the separator before the first child, of this node and of all first nodes below: where nodes
    /// are joined, it separates two children.
    pub(super) fn set_first(&mut self, separator: &(u64, Box<str>)) {
        if let Self::Inner(inner) = self {
            let inner = Arc::make_mut(inner);
            inner.heads[0] = separator.0;
            inner.branches[0].first = separator.1.clone();
            inner.branches[0].child.set_first(separator);
        }
    }

    /// Joins `right` to the last node `levels` below; returns a right half if that is too much for one
    /// node.
    pub(super) fn append(&mut self, levels: usize, right: Half<V>) -> Option<Half<V>> {
        work::count(1);
        match self {
            Self::Inner(inner) if levels > 0 => {
                let inner = Arc::make_mut(inner);
                let last = inner.branches.len() - 1;
                if let Some(half) = inner.branches[last].child.append(levels - 1, right) {
                    inner.insert(last + 1, half);
                }
                inner.split()
            }
            _ => self.join(right),
        }
    }

    /// Joins `left` to the first node `levels` below, with this separator in between; returns a right half if
    /// that is too much for one node.
    pub(super) fn prepend(
        &mut self,
        levels: usize,
        left: Self,
        separator: (u64, Box<str>),
    ) -> Option<Half<V>> {
        work::count(1);
        match self {
            Self::Inner(inner) if levels > 0 => {
                let inner = Arc::make_mut(inner);
                inner.heads[0] = 0;
                inner.branches[0].first = Box::from("");
                let half = inner.branches[0].child.prepend(levels - 1, left, separator);
                half.into_iter().for_each(|half| inner.insert(1, half));
                inner.split()
            }
            _ => {
                let child = mem::replace(self, left);
                self.join((separator.0, Branch { first: separator.1, child }))
            }
        }
    }

    /// Puts in a value; returns the one that had its name, and the right half if the node had to be cut in
    /// two.
    pub(super) fn insert(&mut self, head: u64, value: V) -> (Option<V>, Option<Half<V>>) {
        match self {
            Self::Leaf(leaf) => match leaf.search(head, || value.name()) {
                Ok(index) => (leaf.value_mut(index).map(|old| mem::replace(old, value)), None),
                Err(index) => (None, leaf.insert(index, Slot { head, value: Some(value) })),
            },
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let index = inner.index_of(head, || value.name());
                let (old, right) = inner.branches[index].child.insert(head, value);
                if let Some(right) = right {
                    inner.insert(index + 1, right);
                }
                (old, inner.split())
            }
        }
    }

    pub(super) fn remove(&mut self, key: Key<'_>) -> Option<V> {
        match self {
            Self::Leaf(leaf) => {
                let index = leaf.search(key.head, || key.text).ok()?;
                leaf.remove(index)
            }
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let index = inner.index_of(key.head, || key.text);
                let child = &mut inner.branches[index].child;
                let removed = child.remove(key);
                if child.len() < LEAST {
                    // Joined with a neighbour; if the two are too many for one, cut in halves again.
                    let left = index.saturating_sub(1);
                    if left + 1 < inner.branches.len() {
                        let right = inner.remove(left + 1);
                        if let Some(right) = inner.branches[left].child.join(right) {
                            inner.insert(left + 1, right);
                        }
                    }
                }
                removed
            }
        }
    }

    /// Appends everything of the next child; returns a right half if that is too much for one node.
    fn join(&mut self, (head, next): Half<V>) -> Option<Half<V>> {
        match (self, next.child) {
            (Self::Leaf(leaf), Self::Leaf(mut next)) => {
                let mut slots = leaf.take();
                slots.extend(next.take());
                leaf.fill(slots)
            }
            (Self::Inner(inner), Self::Inner(next)) => {
                let inner = Arc::make_mut(inner);
                let Inner { heads, branches } = Arc::unwrap_or_clone(next);
                inner.heads.extend(heads);
                inner.branches.extend(branches);
                inner.split()
            }
            // All leaves are on one level.
            (_, child) => Some((head, Branch { child, ..next })),
        }
    }
}

impl<V> Leaf<V> {
    /// A leaf of these entries.
    pub(super) fn new(budget: &StdArc<Budget>, mut slots: Slots<V>) -> Self {
        while !slots.len().is_multiple_of(GROWTH) {
            slots.push(Slot::spare());
        }
        Self(Block::of(budget, Index, slots.into_iter()))
    }

    /// The entry at this index; `None` from the end on.
    pub(super) fn entry(&self, index: usize) -> Option<&V> {
        self.0.items().get(index)?.value.as_ref()
    }

    /// The slots of entries.
    pub(super) fn slots(&self) -> &[Slot<V>] {
        &self.0.items()[..self.len()]
    }

    pub(super) fn len(&self) -> usize {
        self.0.items().partition_point(|slot| slot.head != SPARE)
    }
}

impl<V: Named> Leaf<V> {
    /// The text is read only if there are entries with its head.
    pub(super) fn search<'a>(
        &self,
        head: u64,
        text: impl FnOnce() -> &'a str,
    ) -> Result<usize, usize> {
        let (start, end) = equal(self.0.items().iter().map(|slot| slot.head), head);
        let same = &self.0.items()[start..end];
        if same.is_empty() {
            return Err(start);
        }
        if is_whole(head) {
            return Ok(start);
        }
        let text = text();
        let order = |slot: &Slot<V>| slot.value.as_ref().map(|value| value.order(text));
        let found = same.binary_search_by(|slot| order(slot).unwrap_or(Ordering::Less));
        found.map(|index| start + index).map_err(|index| start + index)
    }

    pub(super) fn value_mut(&mut self, index: usize) -> Option<&mut V> {
        if !self.0.is_unique() {
            let slots = self.0.items().iter().cloned();
            self.0 = Block::of(&self.0.budget_arc(), Index, slots);
        }
        self.0.items_mut()?.get_mut(index)?.value.as_mut()
    }

    /// Puts in an entry; returns the right half if there are then more than the fan-out.
    fn insert(&mut self, index: usize, slot: Slot<V>) -> Option<Half<V>> {
        let len = self.len();
        if len < self.0.items().len()
            && let Some(slots) = self.0.items_mut()
        {
            slots[len] = slot;
            slots[index..=len].rotate_right(1);
            return None;
        }
        let mut slots = self.take();
        slots.insert(index, slot);
        self.fill(slots)
    }

    /// Takes out an entry. The leaf is made anew where it is shared, or more than half of it would be spare.
    fn remove(&mut self, index: usize) -> Option<V> {
        let len = self.len();
        if 2 * (len - 1) >= self.0.items().len()
            && let Some(slots) = self.0.items_mut()
        {
            slots[index..len].rotate_left(1);
            return mem::replace(&mut slots[len - 1], Slot::spare()).value;
        }
        let mut slots = self.take();
        let removed = slots.remove(index).value;
        self.fill(slots);
        removed
    }

    /// Takes everything out, to be [filled](Self::fill) in again.
    pub(super) fn take(&mut self) -> Slots<V> {
        let len = self.len();
        match self.0.items_mut() {
            Some(slots) => {
                let take = |slot: &mut Slot<V>| Slot { head: slot.head, value: slot.value.take() };
                slots[..len].iter_mut().map(take).collect()
            }
            None => self.0.items()[..len].iter().cloned().collect(),
        }
    }

    /// Fills in these; returns the right half if they are more than the fan-out.
    fn fill(&mut self, mut slots: Slots<V>) -> Option<Half<V>> {
        let budget = self.0.budget_arc();
        // Names are read only here: they are elsewhere in memory.
        let right = (slots.len() > FANOUT).then(|| {
            let right: Slots<V> = slots.drain(slots.len() / 2..).collect();
            let left = slots.last().and_then(Slot::name).unwrap_or_default();
            let (head, first) = between(left, right[0].name().unwrap_or_default());
            (head, Branch { first, child: Child::Leaf(Self::new(&budget, right)) })
        });
        *self = Self::new(&budget, slots);
        right
    }
}

/// The slots of at most two leaves.
pub(super) type Slots<V> = ArrayVec<Slot<V>, { 2 * FANOUT }>;

impl<V> Slot<V> {
    fn spare() -> Self {
        Self { head: SPARE, value: None }
    }
}

impl<V: Named> Slot<V> {
    pub(super) fn name(&self) -> Option<&str> {
        self.value.as_ref().map(V::name)
    }
}

impl<V> Inner<V> {
    fn insert(&mut self, index: usize, (head, branch): Half<V>) {
        if self.heads.len() == self.heads.capacity() {
            self.heads.reserve_exact(GROWTH);
            self.branches.reserve_exact(GROWTH);
        }
        self.heads.insert(index, head);
        self.branches.insert(index, branch);
    }

    fn remove(&mut self, index: usize) -> Half<V> {
        (self.heads.remove(index), self.branches.remove(index))
    }

    /// The child that would contain the name.
    pub(super) fn index_of<'a>(&self, head: u64, text: impl FnOnce() -> &'a str) -> usize {
        let (start, end) = equal(self.heads.iter().copied(), head);
        let same = &self.branches[start..end];
        if same.is_empty() {
            return start.saturating_sub(1);
        }
        let text = text();
        let after = start + same.partition_point(|branch| *branch.first <= *text);
        after.saturating_sub(1)
    }

    /// Cuts off the right half if there are more children than the fan-out.
    fn split(&mut self) -> Option<Half<V>> {
        if self.branches.len() <= FANOUT {
            return None;
        }
        let half = self.branches.len() / 2;
        let (heads, branches) = (self.heads.split_off(half), self.branches.split_off(half));
        self.heads.shrink_to_fit();
        self.branches.shrink_to_fit();
        let first = branches[0].first.clone();
        Some((heads[0], Branch { first, child: Child::Inner(Arc::new(Inner { heads, branches })) }))
    }
}
