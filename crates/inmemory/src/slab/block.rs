//! [`Block`]: a header and items in one slot, with a count of references.

use std::{
    marker::PhantomData,
    ptr::{self, NonNull},
    slice,
    sync::Arc,
};

use super::{budget_arc_of, budget_of, free};
use crate::{
    budget::Budget,
    sync::{AtomicU32, Ordering::AcqRel, Ordering::Acquire, Ordering::Relaxed},
};

/// A shared reference to a header and items that are stored with it: bytes, unless others are named. The memory is in
/// the slabs of a budget, which it keeps alive.
#[derive(Debug)]
pub(crate) struct Block<H: Header, T = u8>(NonNull<Inner<H>>, PhantomData<(H, T)>);

/// What is stored with the items.
pub(crate) trait Header {
    /// How many bytes of content and of the index to release with a block of so many items.
    fn reserved(&self, items: usize) -> (u64, u64);
}

/// The items follow.
#[derive(Debug)]
#[repr(C)]
struct Inner<H> {
    references: AtomicU32,
    items: u32,
    header: H,
}

/// More references than this are a leak, and the count must not overflow.
const MOST: u32 = i32::MAX as u32;

// SAFETY: it shares a header and items, which are not changed while they are shared, and drops them on the thread that
// has the last reference: as an `Arc` does.
#[expect(unsafe_code, reason = "a pointer to what is shared")]
unsafe impl<H: Header + Send + Sync, T: Send + Sync> Send for Block<H, T> {}
// SAFETY: as above.
#[expect(unsafe_code, reason = "a pointer to what is shared")]
unsafe impl<H: Header + Send + Sync, T: Send + Sync> Sync for Block<H, T> {}

#[expect(unsafe_code, reason = "memory of the slabs is written")]
impl<H: Header> Block<H> {
    /// A block of `bytes` bytes: those of `parts`, and zeros if they are fewer.
    pub(crate) fn new<'a>(
        budget: &Arc<Budget>,
        header: H,
        bytes: usize,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let at = Self::allocate(budget, header, bytes);
        // SAFETY: the slot is large enough, and `at` is the only pointer to it. The parts are clipped to it.
        unsafe {
            let mut to = at.add(1).cast::<u8>();
            let mut left = bytes;
            for part in parts {
                let part = &part[..part.len().min(left)];
                to.copy_from_nonoverlapping(NonNull::from(part).cast(), part.len());
                to = to.add(part.len());
                left -= part.len();
            }
            to.write_bytes(0, left);
        }
        Self(at, PhantomData)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.items()
    }
}

#[expect(unsafe_code, reason = "memory of the slabs is written and read")]
impl<H: Header, T> Block<H, T> {
    /// A block of these items.
    pub(crate) fn of(
        budget: &Arc<Budget>,
        header: H,
        items: impl ExactSizeIterator<Item = T>,
    ) -> Self {
        let count = items.len();
        let at = Self::allocate(budget, header, count);
        let mut written = 0;
        for item in items.take(count) {
            // SAFETY: the slot has room for `count` items, is aligned, and `at` is the only pointer to it.
            unsafe { at.add(1).cast::<T>().add(written).write(item) };
            written += 1;
        }
        // If the iterator panics or is wrong about its length, the slot is leaked and never read.
        assert_eq!(written, count, "the length of the iterator");
        Self(at, PhantomData)
    }

    /// A slot with a header and room for so many items, which are yet to be written.
    fn allocate(budget: &Arc<Budget>, header: H, items: usize) -> NonNull<Inner<H>> {
        const {
            assert!(align_of::<Inner<H>>() <= 8 && align_of::<T>() <= 8, "slots are aligned to 8");
            assert!(
                size_of::<Inner<H>>().is_multiple_of(align_of::<T>()),
                "no gap before the items"
            );
        };
        let bytes = size_of::<Inner<H>>() + items * size_of::<T>();
        let at = budget.slabs().allocate(budget, bytes).cast::<Inner<H>>();
        // SAFETY: the slot is aligned, large enough, and `at` is the only pointer to it.
        unsafe { at.write(Inner { references: AtomicU32::new(1), items: items as u32, header }) };
        at
    }

    fn inner(&self) -> &Inner<H> {
        // SAFETY: the block is there while there is a reference to it.
        unsafe { self.0.as_ref() }
    }

    pub(crate) fn header(&self) -> &H {
        &self.inner().header
    }

    pub(crate) fn items(&self) -> &[T] {
        let length = self.inner().items as usize;
        // SAFETY: so many items were written behind the header when the block was made, and they are not changed
        // while the block is shared.
        unsafe { slice::from_raw_parts(self.0.as_ptr().add(1).cast::<T>(), length) }
    }

    /// The items, if this is the only reference.
    pub(crate) fn items_mut(&mut self) -> Option<&mut [T]> {
        if !self.is_unique() {
            return None;
        }
        let length = self.inner().items as usize;
        // SAFETY: as above, and there is no other reference, and none can be made while this one is borrowed mutably.
        Some(unsafe { slice::from_raw_parts_mut(self.0.as_ptr().add(1).cast::<T>(), length) })
    }

    /// The budget whose memory it is in.
    pub(crate) fn budget(&self) -> &Budget {
        // SAFETY: the slot is in use as long as `self` is.
        unsafe { budget_of(self.0.cast()) }
    }

    /// Another reference to that budget.
    pub(crate) fn budget_arc(&self) -> Arc<Budget> {
        // SAFETY: the slot is in use as long as `self` is.
        unsafe { budget_arc_of(self.0.cast()) }
    }

    /// Whether this is the only reference.
    pub(crate) fn is_unique(&self) -> bool {
        self.inner().references.load(Acquire) == 1
    }

    /// The header, if this is the only reference.
    pub(crate) fn header_mut(&mut self) -> Option<&mut H> {
        if !self.is_unique() {
            return None;
        }
        // SAFETY: there is no other reference, and none can be made while this one is borrowed mutably.
        Some(unsafe { &mut self.0.as_mut().header })
    }
}

impl<H: Header, T> Clone for Block<H, T> {
    fn clone(&self) -> Self {
        if self.inner().references.fetch_add(1, Relaxed) > MOST {
            std::process::abort();
        }
        Self(self.0, PhantomData)
    }
}

impl<H: Header, T> Drop for Block<H, T> {
    #[expect(unsafe_code, reason = "the slot is freed")]
    fn drop(&mut self) {
        if self.inner().references.fetch_sub(1, AcqRel) > 1 {
            return;
        }
        let (content, index) = self.header().reserved(self.inner().items as usize);
        if content + index > 0 {
            self.budget().release(content, index);
        }
        let length = self.inner().items as usize;
        // SAFETY: this was the last reference.
        unsafe {
            let items = self.0.as_ptr().add(1).cast::<T>();
            ptr::drop_in_place(ptr::slice_from_raw_parts_mut(items, length));
            self.0.drop_in_place();
            free(self.0.cast());
        }
    }
}

#[cfg(test)]
mod tests;
