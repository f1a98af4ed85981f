//! [`Buffers`]: memory to read into, used again and again.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers of [`SIZE`](Self::SIZE) bytes, of which so many as were used at once, at most
/// [`KEPT`](Self::KEPT), wait to be used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Buffers(Arc<Mutex<Vec<Box<[u8]>>>>);

impl Buffers {
    /// 256 KiB: large enough that a call to the system is cheap beside the copying that it does.
    pub(crate) const SIZE: usize = 256 << 10;
    /// 4 MiB in all.
    const KEPT: usize = 16;

    /// A buffer of at least `length` bytes, at most [`SIZE`](Self::SIZE). Small ones are made to
    /// measure.
    pub(crate) fn get(&self, length: usize) -> Buffer {
        if length <= Self::SIZE / 4 {
            return Buffer { bytes: vec![0; length].into(), home: None };
        }
        let kept = self.kept().pop();
        let bytes = kept.unwrap_or_else(|| vec![0; Self::SIZE].into());
        Buffer { bytes, home: Some(self.clone()) }
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Vec<Box<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A buffer, which goes home when it is dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    home: Option<Buffers>,
}

impl Buffer {
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `length` bytes. The buffer goes home when the last part of them is dropped.
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
        let Some(home) = self.home.take() else { return };
        let mut kept = home.kept();
        if kept.len() < Buffers::KEPT {
            kept.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_is_used_again_after_its_last_part_was_dropped() {
        let buffers = Buffers::default();
        let bytes = buffers.get(Buffers::SIZE).into_bytes(Buffers::SIZE);
        let (address, part) = (bytes.as_ptr(), bytes.slice(5..9));
        drop(bytes);
        assert!(buffers.kept().is_empty());
        drop(part);
        assert_eq!(buffers.get(Buffers::SIZE).into_bytes(1).as_ptr(), address);
    }

    #[test]
    fn a_small_buffer_is_made_to_measure() {
        let buffers = Buffers::default();
        assert_eq!(buffers.get(1000).as_ref().len(), 1000);
        assert!(buffers.kept().is_empty());
    }

    #[test]
    fn only_so_many_wait() {
        let buffers = Buffers::default();
        let many: Vec<_> = (0..100).map(|_| buffers.get(Buffers::SIZE)).collect();
        drop(many);
        assert_eq!(buffers.kept().len(), Buffers::KEPT);
    }
}
