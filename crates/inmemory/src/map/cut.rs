//! A tree of nodes that is cut in two, and two that are joined: the way to take out a range of names in a few
//! steps a level.

use triomphe::Arc;

use super::{
    key::{Key, Named, between},
    node::{Branch, Child, Inner, Leaf, Slot, Slots},
};
use crate::work;

/// What orders before `key`, and the rest.
pub(super) fn split<V: Named>(
    root: Child<V>,
    key: Key<'_>,
) -> (Option<Child<V>>, Option<Child<V>>) {
    work::count(1);
    match root {
        Child::Leaf(mut leaf) => {
            let at = leaf.search(key.head, || key.text).unwrap_or_else(|at| at);
            let budget = leaf.0.budget_arc();
            let mut left = leaf.take();
            let right: Slots<V> = left.drain(at..).collect();
            let tree = |slots: Slots<V>| {
                (!slots.is_empty()).then(|| Child::Leaf(Leaf::new(&budget, slots)))
            };
            (tree(left), tree(right))
        }
        Child::Inner(inner) => {
            let index = inner.index_of(key.head, || key.text);
            let Inner { mut heads, mut branches } = Arc::unwrap_or_clone(inner);
            let after = tree_of(heads.split_off(index + 1), branches.split_off(index + 1));
            heads.pop();
            let child = branches.pop().map(|branch| branch.child);
            let (left, right) = child.map_or((None, None), |child| split(child, key));
            (join(tree_of(heads, branches), left), join(right, after))
        }
    }
}

/// The entries of both trees; all those of `right` order after those of `left`.
pub(super) fn join<V: Named>(left: Option<Child<V>>, right: Option<Child<V>>) -> Option<Child<V>> {
    let (mut left, mut right) = match (left, right) {
        (Some(left), Some(right)) => (left, right),
        (left, right) => return left.or(right),
    };
    let separator = {
        let last = left.last_leaf().slots().last().and_then(Slot::name).unwrap_or_default();
        let first = right.first_leaf().slots().first().and_then(Slot::name).unwrap_or_default();
        between(last, first)
    };
    right.set_first(&separator);
    let (left_height, right_height) = (left.height(), right.height());
    Some(if left_height >= right_height {
        let half = (separator.0, Branch { first: separator.1, child: right });
        let cut_off = left.append(left_height - right_height, half);
        Child::grown(left, cut_off)
    } else {
        let cut_off = right.prepend(right_height - left_height, left, separator);
        Child::grown(right, cut_off)
    })
}

/// The tree of these branches, which may be none or one.
fn tree_of<V>(heads: Vec<u64>, mut branches: Vec<Branch<V>>) -> Option<Child<V>> {
    match branches.len() {
        0 | 1 => branches.pop().map(|branch| branch.child),
        _ => Some(Child::Inner(Arc::new(Inner { heads, branches }))),
    }
}
