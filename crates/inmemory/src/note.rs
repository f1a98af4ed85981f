//! [`Note`]: the bytes that a caller keeps with an upload.

use std::sync::Arc;

use bytes::Bytes;
use storage_driver::Error;

use crate::{
    budget::{Budget, Owner},
    work,
};

/// The note of an upload, counted as content of uploads.
///
/// It is a copy of what the caller set, so that it never pins a larger buffer, and it is copied again for
/// each caller that reads it, so that what the budget counts depends on the upload alone. A note has at
/// most [`Writer::MAX_NOTE`](storage_driver::Writer::MAX_NOTE) bytes.
#[derive(Debug)]
pub(crate) struct Note {
    bytes: Box<[u8]>,
    budget: Arc<Budget>,
}

impl Note {
    /// No note, which takes no memory.
    pub(crate) fn none(budget: &Arc<Budget>) -> Self {
        Self { bytes: Box::default(), budget: Arc::clone(budget) }
    }

    /// Replaces the note. Only the bytes that it has more than the old one need room, so that a note of the
    /// same length can be set in a full store.
    ///
    /// # Errors
    ///
    /// `StorageFull`; the old note stays.
    pub(crate) fn set(&mut self, note: &[u8]) -> Result<(), Error> {
        if note.len() == self.bytes.len() {
            self.bytes.copy_from_slice(note);
            return Ok(());
        }
        let more = note.len().saturating_sub(self.bytes.len()) as u64;
        self.budget.reserve(more, 0)?;
        self.budget.transfer(more, Owner::Unowned, Owner::Upload);
        let less = self.bytes.len().saturating_sub(note.len()) as u64;
        // The old one is freed first: the two are never held at once.
        self.bytes = Box::default();
        self.bytes = note.into();
        self.budget.transfer(less, Owner::Upload, Owner::Unowned);
        self.budget.release(less, 0);
        Ok(())
    }

    /// Removes the note, and gives its memory back.
    pub(crate) fn clear(&mut self) {
        let bytes = std::mem::take(&mut self.bytes).len();
        work::count_freed(bytes);
        let bytes = bytes as u64;
        self.budget.transfer(bytes, Owner::Upload, Owner::Unowned);
        self.budget.release(bytes, 0);
    }

    /// A copy for the caller.
    pub(crate) fn to_bytes(&self) -> Bytes {
        Bytes::copy_from_slice(&self.bytes)
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests;
