//! [`Named`] entries, and [`Key`]: a name with its head.

use std::cmp::Ordering;

/// An entry of a [`Map`](super::Map): it knows its own name.
pub(crate) trait Named: Clone {
    fn name(&self) -> &str;

    /// How the name orders to `other`.
    fn order(&self, other: &str) -> Ordering {
        self.name().cmp(other)
    }
}

/// A name to look for.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub(super) head: u64,
    pub(super) text: &'a str,
}

impl<'a> From<&'a str> for Key<'a> {
    fn from(text: &'a str) -> Self {
        Self { head: head(text), text }
    }
}

/// The first eight bytes as a number that orders as they do. A shorter text is filled with zeros, which are
/// no bytes of a name.
pub(super) fn head(text: &str) -> u64 {
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

/// The separator of two names: the shortest beginning of `right` that orders after `left`. Its head, and the
/// whole if that is longer.
pub(super) fn between(left: &str, right: &str) -> (u64, Box<str>) {
    let common = left.bytes().zip(right.bytes()).take_while(|(a, b)| a == b).count();
    let first = right.get(..=common).unwrap_or(right);
    (head(first), Box::from(if first.len() > size_of::<u64>() { first } else { "" }))
}

/// Whether names with this head are equal, because all of a name is in it.
pub(super) fn is_whole(head: u64) -> bool {
    head.trailing_zeros() >= u8::BITS
}

/// The range of sorted heads that are equal to `head`.
///
/// It compares all of them: the cache lines of a node are then fetched in parallel, while each step of a
/// binary search would wait for the line of the step before.
pub(super) fn equal(heads: impl Iterator<Item = u64> + Clone, head: u64) -> (usize, usize) {
    let start: usize = heads.clone().map(|other| usize::from(other < head)).sum();
    (start, start + heads.skip(start).take_while(|&other| other == head).count())
}
