//! [`Payload`]: bytes in one or more parts.

use std::{
    collections::{LinkedList, VecDeque, linked_list, vec_deque},
    fmt,
    io::IoSlice,
    ops::{Bound, RangeBounds},
};

use bytes::{Buf, Bytes, BytesMut};

/// Bytes in one or more parts, so that no large contiguous allocation is needed.
///
/// [`put_content`](crate::StorageDriver::put_content) takes one, [`Content`](crate::Content) contains one. It is a
/// [`Buf`]. A `clone` shares the parts and copies nothing.
///
/// ```text
///  first        rest: a list of blocks of up to 128 parts, so that not even
///  ┌───────┐    the list of the parts of a huge payload is one large allocation
///  │ Bytes │ ─▶ ┌ Bytes │ Bytes │ … ┐ ─▶ ┌ Bytes │ … ┐
///  └───────┘    └───────┴───────┴───┘    └───────┴───┘
/// ```
///
/// A payload of one part, the usual case, needs no allocation of its own.
///
/// ```
/// use bytes::Bytes;
/// use storage_driver::Payload;
///
/// let payload = Payload::from_iter([Bytes::from("one "), Bytes::from("two")]);
/// assert_eq!(payload.len(), 7);
/// assert_eq!(payload.parts().count(), 2);
/// assert_eq!(payload.into_bytes(), "one two");
/// ```
#[derive(Clone, Default)]
pub struct Payload {
    /// Empty only if the whole payload is.
    first: Bytes,
    /// No part and no block in it is empty.
    rest: LinkedList<VecDeque<Bytes>>,
    len: usize,
}

const BLOCK: usize = 128;

impl Payload {
    /// An empty payload.
    pub const fn new() -> Self {
        Self { first: Bytes::new(), rest: LinkedList::new(), len: 0 }
    }

    /// The number of bytes.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether the payload is empty.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends `part`. An empty part adds nothing.
    pub fn push(&mut self, part: Bytes) {
        if part.is_empty() {
            return;
        }
        self.len += part.len();
        if self.first.is_empty() {
            self.first = part;
            return;
        }
        match self.rest.back_mut() {
            Some(block) if block.len() < BLOCK => block.push_back(part),
            _ => self.rest.push_back(VecDeque::from([part])),
        }
    }

    /// The parts. None of them is empty.
    pub fn parts(&self) -> Iter<'_> {
        self.into_iter()
    }

    /// The bytes of `range`, sharing the parts. A range that reaches past the end is clipped.
    ///
    /// ```
    /// # use storage_driver::Payload;
    /// assert_eq!(Payload::from("one two").slice(4..9), Payload::from("two"));
    /// ```
    #[must_use]
    pub fn slice(&self, range: impl RangeBounds<usize>) -> Self {
        let start = match range.start_bound() {
            Bound::Included(&start) => start,
            Bound::Excluded(&before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let stop = match range.end_bound() {
            Bound::Included(&last) => last.saturating_add(1),
            Bound::Excluded(&end) => end,
            Bound::Unbounded => self.len,
        };
        let mut end = 0;
        let cut = |part: &Bytes| {
            let begin = end;
            end += part.len();
            let offset = |at: usize| at.clamp(begin, end) - begin;
            part.slice(offset(start)..offset(stop.max(start)))
        };
        self.parts().map(cut).collect()
    }

    /// The bytes in one contiguous part: without a copy if there is one part, otherwise an allocation of
    /// [`len`](Self::len) bytes and a copy.
    pub fn into_bytes(mut self) -> Bytes {
        self.copy_to_bytes(self.len)
    }

    fn pop(&mut self) -> Option<Bytes> {
        if self.first.is_empty() {
            return None;
        }
        let next = self.rest.front_mut().and_then(VecDeque::pop_front).unwrap_or_default();
        if self.rest.front().is_some_and(VecDeque::is_empty) {
            self.rest.pop_front();
        }
        let part = std::mem::replace(&mut self.first, next);
        self.len -= part.len();
        Some(part)
    }
}

impl Buf for Payload {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let filled = slices.iter_mut().zip(self.parts());
        filled.map(|(slice, part)| *slice = IoSlice::new(part)).count()
    }

    /// # Panics
    ///
    /// If `count` is more than the remaining length, as documented on [`Buf`].
    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len, "cannot advance {count} bytes, {} left", self.len);
        while count >= self.first.len() && count > 0 {
            count -= self.first.len();
            self.pop();
        }
        self.first.advance(count);
        self.len -= count;
    }

    /// # Panics
    ///
    /// If `count` is more than the remaining length, as documented on [`Buf`].
    fn copy_to_bytes(&mut self, count: usize) -> Bytes {
        assert!(count <= self.len, "cannot take {count} bytes, {} left", self.len);
        if count == self.first.len() {
            return self.pop().unwrap_or_default();
        }
        if count < self.first.len() {
            self.len -= count;
            return self.first.split_to(count);
        }
        let mut bytes = BytesMut::with_capacity(count);
        while bytes.len() < count {
            let step = (count - bytes.len()).min(self.first.len());
            bytes.extend_from_slice(&self.first[..step]);
            self.advance(step);
        }
        bytes.freeze()
    }
}

/// The parts of a [`Payload`], by reference: what iterating over `&Payload` returns.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    first: Option<&'a Bytes>,
    rest: linked_list::Iter<'a, VecDeque<Bytes>>,
    block: vec_deque::Iter<'a, Bytes>,
}

impl<'a> Iterator for Iter<'a> {
    type Item = &'a Bytes;

    fn next(&mut self) -> Option<&'a Bytes> {
        if let Some(first) = self.first.take() {
            return Some(first);
        }
        loop {
            match self.block.next() {
                Some(part) => return Some(part),
                None => self.block = self.rest.next()?.iter(),
            }
        }
    }
}

impl<'a> IntoIterator for &'a Payload {
    type Item = &'a Bytes;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        let first = Some(&self.first).filter(|part| !part.is_empty());
        Iter { first, rest: self.rest.iter(), block: vec_deque::Iter::default() }
    }
}

/// The parts of a [`Payload`], by value: what iterating over it returns.
#[derive(Debug)]
pub struct IntoIter(Payload);

impl Iterator for IntoIter {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.0.pop()
    }
}

impl IntoIterator for Payload {
    type Item = Bytes;
    type IntoIter = IntoIter;

    fn into_iter(self) -> IntoIter {
        IntoIter(self)
    }
}

impl FromIterator<Bytes> for Payload {
    fn from_iter<I: IntoIterator<Item = Bytes>>(parts: I) -> Self {
        let mut payload = Self::new();
        payload.extend(parts);
        payload
    }
}

impl Extend<Bytes> for Payload {
    fn extend<I: IntoIterator<Item = Bytes>>(&mut self, parts: I) {
        parts.into_iter().for_each(|part| self.push(part));
    }
}

impl From<Bytes> for Payload {
    fn from(bytes: Bytes) -> Self {
        Self { len: bytes.len(), first: bytes, rest: LinkedList::new() }
    }
}

macro_rules! from_one_part {
    ($($type:ty),*) => {$(
        impl From<$type> for Payload {
            fn from(bytes: $type) -> Self {
                Bytes::from(bytes).into()
            }
        }
    )*};
}

from_one_part!(BytesMut, Vec<u8>, Box<[u8]>, String, &'static [u8], &'static str);

impl<const N: usize> From<&'static [u8; N]> for Payload {
    fn from(bytes: &'static [u8; N]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl PartialEq for Payload {
    /// Payloads are equal if their bytes are, however they are split into parts.
    fn eq(&self, other: &Self) -> bool {
        if self.len != other.len {
            return false;
        }
        let (mut a, mut b) = (self.clone(), other.clone());
        while a.has_remaining() {
            let step = a.chunk().len().min(b.chunk().len());
            if a.chunk()[..step] != b.chunk()[..step] {
                return false;
            }
            a.advance(step);
            b.advance(step);
        }
        true
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes in {} parts)", self.len, self.parts().count())
    }
}
