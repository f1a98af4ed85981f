//! [`SegmentBuilder`]: content that grows.

use std::sync::Arc;

use bytes::Bytes;
use storage_driver::{Error, Payload};

use crate::{
    blob::{Blob, FileBlob, UploadBlob},
    budget::{Budget, Owner},
    buffer::Buffer,
    rope::Rope,
    segment::{self, OVERHEAD, Origin},
    work,
};

/// Content that grows: sealed segments, and an open tail into which small pieces are packed.
///
/// # What happens to a `Bytes`
///
/// It is *adopted*, without a copy, if it has at least [`MIN_ADOPTED`] bytes and keeps hardly more memory
/// alive: because it is the only reference to its buffer, at most one part in 64 of which is unused, or because
/// the caller declared it [exclusive](storage_driver::WriterOptions::exclusive_buffers). Otherwise it is
/// *copied* into the tail, so that a slice of a read buffer never pins the buffer, and tiny pieces take no more
/// memory than their bytes.
///
/// # The tail
///
/// Its capacity is what has been packed so far, from [`MIN_TAIL`] up to one segment: a small file
/// wastes little, and a large one consists of full segments. A full tail becomes a segment as it is;
/// a tail that must be sealed early frees what it has not used. No byte is ever moved twice.
#[derive(Debug)]
pub(crate) struct SegmentBuilder {
    budget: Arc<Budget>,
    segment_size: usize,
    /// The size that the caller expects the whole to have.
    size_hint: Option<u64>,
    rope: Rope,
    tail: Buffer,
    /// Bytes packed since a buffer was adopted.
    packed: usize,
    /// Bytes of memory of this builder's own segments, including the tail's capacity.
    own: u64,
    /// The content that is extended; its segments are the beginning of the rope.
    base: Option<UploadBlob>,
}

/// Smaller pieces are packed: the pointers to a segment should not cost more than a percent of it.
pub(crate) const MIN_ADOPTED: usize = 16 << 10;
/// The capacity of the first tail, unless a size hint or the piece to pack needs another.
pub(crate) const MIN_TAIL: usize = 4 << 10;
/// An append shares what the last commit of the file added if that is more than this, and copies it
/// otherwise, so that many small appends do not leave as many small segments.
const SHARE: u64 = 64 << 10;

impl SegmentBuilder {
    pub(crate) fn new(budget: Arc<Budget>, segment_size: usize, size_hint: Option<u64>) -> Self {
        Self {
            budget,
            segment_size,
            size_hint,
            rope: Rope::Empty,
            tail: Buffer::new(),
            packed: 0,
            own: 0,
            base: None,
        }
    }

    /// Starts as the content of `base`.
    pub(crate) fn extending(mut self, base: UploadBlob) -> Self {
        self.rope = base.rope().clone();
        self.base = Some(base);
        self
    }

    pub(crate) fn len(&self) -> u64 {
        self.rope.len() + self.tail.len() as u64
    }

    /// Accepts all of `data`, or nothing.
    pub(crate) fn write(&mut self, data: Bytes, exclusive: bool) -> Result<(), Error> {
        match self.adopt(data, exclusive)? {
            Some(data) => self.pack(&data),
            None => Ok(()),
        }
    }

    /// Accepts `data` if it can be adopted; returns it if it has to be copied.
    pub(crate) fn adopt(&mut self, data: Bytes, exclusive: bool) -> Result<Option<Bytes>, Error> {
        if data.len() < MIN_ADOPTED {
            return Ok(Some(data));
        }
        if exclusive {
            self.grow(data.len(), 1)?;
            self.push(segment::seal_exclusive(data, &self.budget));
            return Ok(None);
        }
        match Origin::of(data) {
            Origin::Exact(buffer) => {
                self.grow(buffer.capacity(), 1)?;
                self.push(segment::seal(buffer, &self.budget));
                Ok(None)
            }
            Origin::Wasteful(buffer) => Ok(Some(buffer.into())),
            Origin::Shared(data) => Ok(Some(data)),
        }
    }

    /// Appends an adopted segment.
    fn push(&mut self, segment: Bytes) {
        self.seal_tail();
        self.packed = 0;
        self.rope.push(segment);
    }

    /// Copies all of `data` into the tail and as many more as it takes, or nothing.
    pub(crate) fn pack(&mut self, data: &[u8]) -> Result<(), Error> {
        self.unshare_base(data.len())?;
        let room = self.tail.room();
        let (now, mut rest) = data.split_at(room.min(data.len()));
        // All memory is reserved before any is used, so that a full store accepts nothing.
        let capacities = self.plan(rest.len());
        self.grow(capacities.total, capacities.count)?;

        self.tail.extend_from_slice(now);
        self.packed += now.len();
        while !rest.is_empty() {
            self.seal_tail();
            let capacity = self.next_capacity(rest.len());
            self.tail = self.budget.buffer(capacity);
            let (now, later) = rest.split_at(capacity.min(rest.len()));
            self.tail.extend_from_slice(now);
            self.packed += now.len();
            rest = later;
        }
        Ok(())
    }

    /// The memory that [`pack`](Self::pack) will take for `rest` bytes that do not fit the tail.
    fn plan(&self, mut rest: usize) -> Plan {
        let mut plan = Plan { total: 0, count: 0 };
        let mut packed = self.packed + self.tail.room();
        let mut len = self.rope.len() + self.tail.capacity() as u64;
        while rest > 0 {
            let capacity = self.capacity_after(packed, len, rest);
            plan.total += capacity;
            plan.count += 1;
            packed += capacity;
            len += capacity as u64;
            rest = rest.saturating_sub(capacity);
        }
        plan
    }

    fn next_capacity(&self, rest: usize) -> usize {
        self.capacity_after(self.packed, self.rope.len(), rest)
    }

    /// The capacity of a tail that begins when `packed` bytes were packed and there are `len` in
    /// all, for at least `rest` more.
    fn capacity_after(&self, packed: usize, len: u64, rest: usize) -> usize {
        let wanted = match self.size_hint.and_then(|hint| hint.checked_sub(len)) {
            // The announced size, and not a byte more.
            Some(announced) if announced >= rest as u64 => {
                usize::try_from(announced).unwrap_or(usize::MAX)
            }
            _ => packed.max(MIN_TAIL).max(rest),
        };
        wanted.min(self.segment_size)
    }

    /// Seals the tail, and frees what it has not used.
    pub(crate) fn seal_tail(&mut self) {
        if self.tail.capacity() == 0 {
            return;
        }
        let mut tail = std::mem::take(&mut self.tail);
        let before = tail.capacity();
        tail.shrink_to_fit(&self.budget);
        let given_back = (before - tail.capacity()) as u64;
        if !tail.is_empty() {
            self.shrink(given_back, 0);
            self.rope.push(segment::seal(tail, &self.budget));
        } else {
            self.shrink(given_back, 1);
        }
    }

    /// Copies what the last commit of the base added, if that is little, instead of sharing it: the tail then
    /// continues it.
    fn unshare_base(&mut self, room: usize) -> Result<(), Error> {
        let little = SHARE.min(self.segment_size as u64);
        let Some(base) = self.base.take_if(|base| self.own == 0 && base.own() <= little) else {
            return Ok(());
        };
        let before = base.base();
        let start = before.as_ref().map_or(0, |before| before.rope().len());
        let kept = (base.rope().len() - start) as usize;
        let capacity = kept.saturating_add(room).clamp(MIN_TAIL, self.segment_size);
        if let Err(error) = self.grow(capacity, 1) {
            self.base = Some(base);
            return Err(error);
        }
        self.rope = before.as_ref().map(|before| before.rope().clone()).unwrap_or_default();
        self.tail = self.budget.buffer(capacity);
        for part in base.rope().payload(start..start + kept as u64).parts() {
            self.tail.extend_from_slice(part);
        }
        self.packed = kept;
        self.base = before;
        Ok(())
    }

    /// The content, without the tail, which must be sealed.
    pub(crate) fn payload(&self) -> Payload {
        debug_assert_eq!(self.tail.capacity(), 0);
        self.rope.payload(0..self.rope.len())
    }

    /// Publishes the content: the builder is empty afterwards. Its tail must be sealed.
    pub(crate) fn publish(&mut self) -> Result<FileBlob, Error> {
        debug_assert_eq!(self.tail.capacity(), 0);
        let blob = FileBlob::publish(&self.budget, self.rope.clone(), self.own, &mut self.base)?;
        self.own = 0;
        self.rope = Rope::Empty;
        Ok(blob)
    }

    /// Takes out the segments of a builder that is given up, and the blob that it extends. It may be the last
    /// to hold either.
    pub(crate) fn take(&mut self) -> (Rope, Option<Arc<Blob>>) {
        let base = self.base.take().map(|base| base.blob());
        (std::mem::take(&mut self.rope), base)
    }

    fn grow(&mut self, bytes: usize, segments: u64) -> Result<(), Error> {
        let bytes = bytes as u64;
        self.budget.reserve(bytes, segments * OVERHEAD)?;
        self.budget.transfer(bytes, Owner::Unowned, Owner::Upload);
        self.own += bytes;
        Ok(())
    }

    fn shrink(&mut self, bytes: u64, segments: u64) {
        self.budget.transfer(bytes, Owner::Upload, Owner::Unowned);
        self.budget.release(bytes, segments * OVERHEAD);
        self.own -= bytes;
    }
}

impl Drop for SegmentBuilder {
    fn drop(&mut self) {
        work::count(1);
        self.budget.transfer(self.own, Owner::Upload, Owner::Unowned);
        if self.tail.capacity() > 0 {
            work::count_freed(self.tail.capacity());
            self.budget.recycle(std::mem::take(&mut self.tail), OVERHEAD);
        }
    }
}

/// The memory that a write needs in addition to the open tail.
struct Plan {
    total: usize,
    count: u64,
}

#[cfg(test)]
mod tests;
