//! [`Drain`]: the values of a map that is taken apart.

use triomphe::{Arc, UniqueArc};

use super::node::Child;
use crate::work;

/// The values of a [`Map`](super::Map), taken out. An item is `None` where a step gave no value, because of a node
/// that was opened or that is left to others.
#[derive(Debug)]
pub(crate) struct Drain<V> {
    pub(super) children: Vec<Child<V>>,
    pub(super) values: std::vec::IntoIter<V>,
    /// Whether to clone the values of nodes that others hold too.
    pub(super) shared: bool,
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
                if let Some(slots) = leaf.0.items_mut() {
                    let values = slots.iter_mut().filter_map(|slot| slot.value.take());
                    self.values = values.collect::<Vec<_>>().into_iter();
                } else if self.shared {
                    let values = leaf.0.items().iter().filter_map(|slot| slot.value.clone());
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
