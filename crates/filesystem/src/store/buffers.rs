//! [`Buffers`]: reusable memory to read into.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// Buffers of two sizes. Of each size, as many as were used at once are kept for reuse, at most
/// [`KEPT`](Self::KEPT) bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<[Shelf; 2]>);

type Shelf = Mutex<Vec<Box<[u8]>>>;

impl Buffers {
    /// 256 KiB: large enough that passing a buffer between threads costs little compared with filling it.
    pub(crate) const LARGE: usize = 256 << 10;
    /// 64 KiB: large enough that a system call costs little, and small enough to stay in the processor's cache
    /// between the kernel and the consumer.
    pub(crate) const SMALL: usize = 64 << 10;
    const SIZES: [usize; 2] = [Self::SMALL, Self::LARGE];
    /// A smaller buffer is allocated with its exact length.
    const LEAST: usize = 16 << 10;
    const KEPT: usize = 4 << 20;

    /// A buffer of at least `length` bytes, at most [`LARGE`](Self::LARGE).
    pub(crate) fn get(&self, length: usize) -> Buffer {
        if length < Self::LEAST {
            return Buffer { bytes: vec![0; length].into(), home: None };
        }
        let class = usize::from(length > Self::SMALL);
        let kept = self.kept(class).pop();
        let bytes = kept.unwrap_or_else(|| vec![0; Self::SIZES[class]].into());
        Buffer { bytes, home: Some((self.clone(), class)) }
    }

    fn kept(&self, class: usize) -> MutexGuard<'_, Vec<Box<[u8]>>> {
        self.0[class].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer, which returns to its [`Buffers`] when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    home: Option<(Buffers, usize)>,
}

impl Buffer {
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `length` bytes. The buffer returns when the last part of them is dropped.
    pub(crate) fn into_bytes(mut self, length: usize) -> Bytes {
        if self.home.is_none() {
            return Bytes::from(std::mem::take(&mut self.bytes)).slice(..length);
        }
        Bytes::from_owner(self).slice(..length)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some((home, class)) = self.home.take() else { return };
        let mut kept = home.kept(class);
        if (kept.len() + 1) * Buffers::SIZES[class] <= Buffers::KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_reused_after_its_last_part_was_dropped() {
        for size in Buffers::SIZES {
            let buffers = Buffers::default();
            let bytes = buffers.get(size).into_bytes(size);
            let (address, part) = (bytes.as_ptr(), bytes.slice(5..9));
            drop(bytes);
            assert!(buffers.0.iter().all(|kept| kept.lock().unwrap().is_empty()));
            drop(part);
            assert_eq!(buffers.get(size).into_bytes(1).as_ptr(), address);
        }
    }

    #[test]
    fn a_buffer_has_the_smallest_size_that_fits() {
        let buffers = Buffers::default();
        for (length, size) in
            [(1000, 1000), (20_000, Buffers::SMALL), (Buffers::SMALL + 1, Buffers::LARGE)]
        {
            assert_eq!(buffers.get(length).as_ref().len(), size);
        }
    }

    #[test]
    fn the_memory_that_is_kept_is_bounded() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..100).map(|_| buffers.get(Buffers::LARGE)).collect();
        drop(many);
        assert_eq!(buffers.kept(1).len() * Buffers::LARGE, Buffers::KEPT);
    }
}
