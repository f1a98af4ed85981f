//! [`Map`]: the files, or the directories, of a directory, sorted by name.

use std::{cmp::Ordering, mem};

use arrayvec::ArrayVec;
use triomphe::{Arc, UniqueArc};

use crate::work;

/// The most entries or children of a node; half of it is the least, but for the root.
const FANOUT: usize = 32;
/// By how much an inner node grows: not to twice its size, for there are many.
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
    Leaf(Leaf<V>),
    Inner(Arc<Inner<V>>),
}

/// One allocation, made anew with each entry that comes or goes: a search reads one place in memory,
/// and none is wasted. Nearly all memory of a large map is in its leaves.
#[derive(Debug)]
struct Leaf<V>(Arc<[Slot<V>]>);

#[derive(Debug, Clone)]
struct Slot<V> {
    head: u64,
    /// Always there, but while the leaf is made anew.
    value: Option<V>,
}

/// The heads apart from what they belong to, so that a search reads few lines of memory.
#[derive(Debug, Clone)]
struct Inner<V> {
    heads: Vec<u64>,
    branches: Vec<Branch<V>>,
}

#[derive(Debug)]
struct Branch<V> {
    /// The whole text if it is longer than its head, and else nothing: what has the same head as a
    /// text that is no longer never orders before it.
    first: Box<str>,
    child: Child<V>,
}

/// A branch with the head of its text.
type Half<V> = (u64, Branch<V>);

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
            Self::Leaf(leaf) => Self::Leaf(leaf.clone()),
            Self::Inner(inner) => Self::Inner(Arc::clone(inner)),
        }
    }
}

impl<V> Clone for Leaf<V> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<V> Clone for Branch<V> {
    fn clone(&self) -> Self {
        Self { first: self.first.clone(), child: self.child.clone() }
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
            Some(Child::Leaf(leaf)) => leaf.0.len() > 1,
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
                    return leaf.0[index].value.as_ref();
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
                    let slot = leaf.0.get(index).or_else(|| sibling?.first_leaf().0.first());
                    return slot?.value.as_ref();
                }
            }
        }
    }

    /// Looks for an entry to change it. Nodes that a clone holds too are copied on the way, also if
    /// the name is not there: look before.
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

    /// Puts in `value` under its name; gives back what had that name before.
    pub(crate) fn insert(&mut self, value: V) -> Option<V> {
        work::count(1);
        let Some(root) = &mut self.root else {
            let slot = Slot { head: Key::from(value.name()).head, value: Some(value) };
            self.root = Some(Child::Leaf(Leaf::from_iter([slot])));
            return None;
        };
        let (old, split) = root.insert(Key::from(value.name()).head, value);
        self.grow(split);
        old
    }

    /// Takes out what has this name; as to names that are not there, see
    /// [`get_mut`](Self::get_mut).
    pub(crate) fn remove(&mut self, name: &str) -> Option<V> {
        work::count(1);
        let root = self.root.as_mut()?;
        let removed = root.remove(Key::from(name));
        // A root with one child, or none, is one level too many.
        match root {
            Child::Leaf(leaf) if leaf.0.is_empty() => self.root = None,
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
        after.into_iter().for_each(|after| self.append(after));
        taken
    }

    /// Takes out the entries that do not order before `at`.
    fn split_off(&mut self, at: &str) -> Self {
        let Some(root) = self.root.take() else { return Self::default() };
        let (left, mut right) = root.split_at(Key::from(at));
        // Names may come that order before all that is there now.
        right.root.iter_mut().for_each(|root| root.set_first(&(0, Box::from(""))));
        *self = left;
        right
    }

    /// Puts in the entries of `next`, all of which order after those here.
    fn append(&mut self, mut next: Self) {
        let (Some(left), Some(right)) = (&mut self.root, &mut next.root) else {
            if self.root.is_none() {
                *self = next;
            }
            return;
        };
        let separator = {
            let last = left.last_leaf().0.last().and_then(Slot::name).unwrap_or_default();
            let first = right.first_leaf().0.first().and_then(Slot::name).unwrap_or_default();
            between(last, first)
        };
        right.set_first(&separator);
        let (left_height, right_height) = (left.height(), right.height());
        if left_height >= right_height {
            let child = right.clone();
            next.root = None;
            let half = (separator.0, Branch { first: separator.1, child });
            let split = left.append(left_height - right_height, half);
            self.grow(split);
        } else {
            let left = left.clone();
            self.root = None;
            let split = right.prepend(right_height - left_height, left, separator);
            *self = next;
            self.grow(split);
        }
    }

    /// Puts a new root above the old one and the right half that was cut off it, if one was.
    fn grow(&mut self, right: Option<Half<V>>) {
        let Some(left) = self.root.take() else { return };
        self.root = Some(match right {
            None => left,
            Some((head, right)) => {
                let left = Branch { first: Box::from(""), child: left };
                Child::Inner(Arc::new(Inner { heads: vec![0, head], branches: vec![left, right] }))
            }
        });
    }

    /// The map of these branches, which may be none or one.
    fn of(heads: Vec<u64>, mut branches: Vec<Branch<V>>) -> Self {
        let root = match branches.len() {
            0 | 1 => branches.pop().map(|branch| branch.child),
            _ => Some(Child::Inner(Arc::new(Inner { heads, branches }))),
        };
        Self { root }
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

impl<V: Named> Child<V> {
    fn len(&self) -> usize {
        match self {
            Self::Leaf(leaf) => leaf.0.len(),
            Self::Inner(inner) => inner.branches.len(),
        }
    }

    /// How many levels are below; 0 of a leaf.
    fn height(&self) -> usize {
        let below = |child: &Self| match child {
            Self::Leaf(_) => None,
            Self::Inner(inner) => inner.branches.first().map(|branch| branch.child.clone()),
        };
        std::iter::successors(below(self), below).count()
    }

    fn first_leaf(&self) -> &Leaf<V> {
        match self {
            Self::Leaf(leaf) => leaf,
            Self::Inner(inner) => inner.branches[0].child.first_leaf(),
        }
    }

    fn last_leaf(&self) -> &Leaf<V> {
        match self {
            Self::Leaf(leaf) => leaf,
            Self::Inner(inner) => inner.branches[inner.branches.len() - 1].child.last_leaf(),
        }
    }

    /// Sets the text before the first child, of this node and of all first nodes below: where nodes
    /// are joined, it comes to stand between two children.
    fn set_first(&mut self, separator: &(u64, Box<str>)) {
        if let Self::Inner(inner) = self {
            let inner = Arc::make_mut(inner);
            inner.heads[0] = separator.0;
            inner.branches[0].first = separator.1.clone();
            inner.branches[0].child.set_first(separator);
        }
    }

    /// What orders before `key`, and the rest.
    fn split_at(self, key: Key<'_>) -> (Map<V>, Map<V>) {
        work::count(1);
        match self {
            Self::Leaf(mut leaf) => {
                let at = leaf.search(key.head, || key.text).unwrap_or_else(|at| at);
                let mut left = leaf.take();
                let right: Slots<V> = left.drain(at..).collect();
                let map = |slots: Slots<V>| Map {
                    root: (!slots.is_empty()).then(|| Self::Leaf(slots.into_iter().collect())),
                };
                (map(left), map(right))
            }
            Self::Inner(inner) => {
                let index = inner.index_of(key.head, || key.text);
                let Inner { mut heads, mut branches } = Arc::unwrap_or_clone(inner);
                let after = Map::of(heads.split_off(index + 1), branches.split_off(index + 1));
                heads.pop();
                let child = branches.pop().map(|branch| branch.child);
                let (left, mut right) =
                    child.map_or_else(Default::default, |child| child.split_at(key));
                let mut before = Map::of(heads, branches);
                before.append(left);
                right.append(after);
                (before, right)
            }
        }
    }

    /// Puts what follows behind the last node `levels` below; gives back a right half if that is too
    /// much for one.
    fn append(&mut self, levels: usize, right: Half<V>) -> Option<Half<V>> {
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

    /// Puts what comes before in front of the first node `levels` below, between which and it is
    /// this separator; gives back a right half if that is too much for one.
    fn prepend(
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

    /// Puts in a value; gives back the one that had its name, and the right half if what is here
    /// had to be cut in two.
    fn insert(&mut self, head: u64, value: V) -> (Option<V>, Option<Half<V>>) {
        match self {
            Self::Leaf(leaf) => match leaf.search(head, || value.name()) {
                Ok(index) => (leaf.value_mut(index).map(|old| mem::replace(old, value)), None),
                Err(index) => {
                    let mut slots = leaf.take();
                    slots.insert(index, Slot { head, value: Some(value) });
                    (None, leaf.fill(slots))
                }
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

    fn remove(&mut self, key: Key<'_>) -> Option<V> {
        match self {
            Self::Leaf(leaf) => {
                let index = leaf.search(key.head, || key.text).ok()?;
                let mut slots = leaf.take();
                let removed = slots.remove(index).value;
                leaf.fill(slots);
                removed
            }
            Self::Inner(inner) => {
                let inner = Arc::make_mut(inner);
                let index = inner.index_of(key.head, || key.text);
                let child = &mut inner.branches[index].child;
                let removed = child.remove(key);
                if child.len() < FANOUT / 2 {
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

    /// Puts everything of the next child behind what is here; gives back a right half if that is
    /// too much for one.
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

impl<V> FromIterator<Slot<V>> for Leaf<V> {
    fn from_iter<I: IntoIterator<Item = Slot<V>>>(slots: I) -> Self {
        Self(slots.into_iter().collect())
    }
}

impl<V: Named> Leaf<V> {
    /// The text is asked for only if there are others with its head.
    fn search<'a>(&self, head: u64, text: impl FnOnce() -> &'a str) -> Result<usize, usize> {
        let (start, end) = equal(self.0.iter().map(|slot| slot.head), head);
        let same = &self.0[start..end];
        if same.is_empty() {
            return Err(start);
        }
        let text = text();
        let order = |slot: &Slot<V>| slot.value.as_ref().map(|value| value.order(text));
        let found = same.binary_search_by(|slot| order(slot).unwrap_or(Ordering::Less));
        found.map(|index| start + index).map_err(|index| start + index)
    }

    fn value_mut(&mut self, index: usize) -> Option<&mut V> {
        if !self.0.is_unique() {
            self.0 = self.0.iter().cloned().collect();
        }
        Arc::get_mut(&mut self.0)?.get_mut(index)?.value.as_mut()
    }

    /// Takes everything out, to be [filled](Self::fill) in again.
    fn take(&mut self) -> Slots<V> {
        match Arc::get_mut(&mut self.0) {
            Some(slots) => {
                let take = |slot: &mut Slot<V>| Slot { head: slot.head, value: slot.value.take() };
                slots.iter_mut().map(take).collect()
            }
            None => self.0.iter().cloned().collect(),
        }
    }

    /// Fills in these; gives back the right half if they are more than the fan-out.
    fn fill(&mut self, mut slots: Slots<V>) -> Option<Half<V>> {
        // Names are looked at only for this: they are elsewhere in memory.
        let right = (slots.len() > FANOUT).then(|| {
            let right: Slots<V> = slots.drain(slots.len() / 2..).collect();
            let left = slots.last().and_then(Slot::name).unwrap_or_default();
            let (head, first) = between(left, right[0].name().unwrap_or_default());
            (head, Branch { first, child: Child::Leaf(right.into_iter().collect()) })
        });
        *self = slots.into_iter().collect();
        right
    }
}

/// What two leaves hold at most.
type Slots<V> = ArrayVec<Slot<V>, { 2 * FANOUT }>;

impl<V: Named> Slot<V> {
    fn name(&self) -> Option<&str> {
        self.value.as_ref().map(V::name)
    }
}

/// The shortest beginning of `right` that orders after `left`, which orders before it: its head, and
/// the whole if that is longer.
fn between(left: &str, right: &str) -> (u64, Box<str>) {
    let common = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    let first = right.get(..=common).unwrap_or(right);
    (head(first), Box::from(if first.len() > size_of::<u64>() { first } else { "" }))
}

/// Where among sorted heads those that are equal to `head` begin and end.
///
/// It looks at each. A node is a few lines of memory that are fetched at once then, one for the
/// other, while each step of a binary search would wait for the line of the one before.
fn equal(heads: impl Iterator<Item = u64>, head: u64) -> (usize, usize) {
    heads.fold((0, 0), |(start, end), other| {
        (start + usize::from(other < head), end + usize::from(other <= head))
    })
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

    /// The child that holds `key`, if any does.
    fn index_of<'a>(&self, head: u64, text: impl FnOnce() -> &'a str) -> usize {
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

/// The entries of a [`Map`] as it was: it holds the nodes, not the map.
#[derive(Debug)]
pub(crate) struct Iter<V> {
    /// The nodes from the root down, each with the child that the walk is in.
    inners: Vec<(Arc<Inner<V>>, usize)>,
    /// With the entry that comes next.
    leaf: Option<(Leaf<V>, usize)>,
}

impl<V> Iter<V> {
    /// What comes next.
    pub(crate) fn peek(&mut self) -> Option<&V> {
        while self.leaf.as_ref().is_some_and(|(leaf, index)| *index == leaf.0.len()) {
            self.leaf = self.next_leaf();
        }
        self.leaf.as_ref().and_then(|(leaf, index)| leaf.0[*index].value.as_ref())
    }

    /// Goes past what comes next, which was [looked at](Self::peek).
    pub(crate) fn advance(&mut self) {
        work::count(1);
        if let Some((_, index)) = &mut self.leaf {
            *index += 1;
        }
    }

    fn next_leaf(&mut self) -> Option<(Leaf<V>, usize)> {
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

/// The values of a [`Map`], taken out. An item is `None` where a step gave no value, because of a node
/// that was opened or that is left to others.
#[derive(Debug)]
pub(crate) struct Drain<V> {
    children: Vec<Child<V>>,
    values: std::vec::IntoIter<V>,
    /// Whether to clone the values of nodes that others hold too.
    shared: bool,
}

impl<V: Clone> Iterator for Drain<V> {
    type Item = Option<V>;

    fn next(&mut self) -> Option<Option<V>> {
        work::count(1);
        if let Some(value) = self.values.next() {
            return Some(Some(value));
        }
        match self.children.pop()? {
            Child::Leaf(mut leaf) => {
                if let Some(slots) = Arc::get_mut(&mut leaf.0) {
                    let values = slots.iter_mut().filter_map(|slot| slot.value.take());
                    self.values = values.collect::<Vec<_>>().into_iter();
                } else if self.shared {
                    let values = leaf.0.iter().filter_map(|slot| slot.value.clone());
                    self.values = values.collect::<Vec<_>>().into_iter();
                }
            }
            Child::Inner(inner) => match Arc::try_unique(inner).map(UniqueArc::into_inner) {
                Ok(inner) => {
                    self.children.extend(inner.branches.into_iter().map(|branch| branch.child));
                }
                Err(inner) if self.shared => {
                    self.children.extend(inner.branches.iter().map(|branch| branch.child.clone()));
                }
                Err(_) => {}
            },
        }
        Some(None)
    }
}

#[cfg(test)]
mod tests;
