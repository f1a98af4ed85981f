//! [`Iter`]: the entries of a map, in order.

use triomphe::Arc;

use super::node::{Child, Inner, Leaf};
use crate::work;

/// The entries of a [`Map`](super::Map) as it was: it holds the nodes, not the map.
#[derive(Debug)]
pub(crate) struct Iter<V> {
    /// The nodes from the root down, each with the child that the walk is in.
    pub(super) inners: Vec<(Arc<Inner<V>>, usize)>,
    /// With the index of the next entry.
    pub(super) leaf: Option<(Leaf<V>, usize)>,
}

impl<V> Iter<V> {
    /// The next entry.
    pub(crate) fn peek(&mut self) -> Option<&V> {
        while self.leaf.as_ref().is_some_and(|(leaf, index)| leaf.entry(*index).is_none()) {
            self.leaf = self.next_leaf();
        }
        self.leaf.as_ref().and_then(|(leaf, index)| leaf.entry(*index))
    }

    /// Passes the next entry, which was [looked at](Self::peek).
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
