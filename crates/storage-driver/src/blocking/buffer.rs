//! [`Buffer`]: what a writer has accepted and the backend has not stored.

use bytes::{Bytes, BytesMut};

use crate::{ErrorKind, Payload, Result};

/// Pieces smaller than this are copied together.
const PIECE: usize = 8 << 10;

/// How much is copied together.
const TAIL: usize = 64 << 10;

/// Accepted data and the note, in two parts: what the next task stores, and what was accepted since.
///
/// [`seal`](Self::seal) moves everything to the first part. A writer seals when it starts a task, so that a
/// task never stores data without the note that belongs to it.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    tail: BytesMut,
    open: Payload,
    sealed: Payload,
    /// The bytes that a task is storing now.
    in_flight: usize,
    note: Bytes,
    sealed_note: Bytes,
    /// How often data or a note was accepted, up to now, up to the last seal, and up to the last keep.
    changes: u64,
    sealed_changes: u64,
    kept_changes: u64,
    /// Set by a successor, a cancel, a deletion or a commit.
    ended: bool,
}

/// What an earlier writer leaves to its successor.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// How many bytes the backend has not stored.
    pub(super) len: usize,
    /// The note that was set with them.
    note: Bytes,
}

impl Buffer {
    /// The buffer of an upload that the backend has kept with `note`.
    pub(super) fn new(note: Bytes) -> Self {
        Self { sealed_note: note.clone(), note, ..Self::default() }
    }

    /// The buffer of a successor, which starts with what `earlier` left.
    pub(super) fn after(earlier: &Payload, left: Left) -> Self {
        let sealed = earlier.slice(..left.len);
        Self { sealed, changes: 1, sealed_changes: 1, ..Self::new(left.note) }
    }

    pub(super) fn note(&self) -> Bytes {
        self.note.clone()
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended
    }

    /// How many accepted bytes are not stored.
    pub(super) fn len(&self) -> usize {
        self.tail.len() + self.open.len() + self.sealed.len() + self.in_flight
    }

    /// Whether the backend has kept everything.
    pub(super) fn is_kept(&self) -> bool {
        self.kept_changes == self.changes && self.len() == 0
    }

    fn check(&self) -> Result<()> {
        if self.ended { Err(ErrorKind::WriterFenced.into()) } else { Ok(()) }
    }

    pub(super) fn push(&mut self, data: Bytes) -> Result<()> {
        self.check()?;
        if data.len() < PIECE {
            return self.push_slice(&data);
        }
        self.close_tail();
        self.open.push(data);
        self.changes += 1;
        Ok(())
    }

    pub(super) fn push_slice(&mut self, data: &[u8]) -> Result<()> {
        self.check()?;
        if self.tail.len() + data.len() > TAIL {
            self.close_tail();
        }
        self.tail.extend_from_slice(data);
        self.changes += 1;
        Ok(())
    }

    pub(super) fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.check()?;
        self.note = note;
        self.changes += 1;
        Ok(())
    }

    fn close_tail(&mut self) {
        if !self.tail.is_empty() {
            self.open.push(std::mem::take(&mut self.tail).freeze());
        }
    }

    /// Passes everything accepted so far to the next task.
    pub(super) fn seal(&mut self) {
        self.close_tail();
        self.sealed.extend(std::mem::take(&mut self.open));
        self.sealed_note = self.note.clone();
        self.sealed_changes = self.changes;
    }

    /// Takes the sealed data to store it. [`put_back`](Self::put_back) has to follow.
    pub(super) fn take_sealed(&mut self) -> Payload {
        self.in_flight = self.sealed.len();
        std::mem::take(&mut self.sealed)
    }

    /// Ends [`take_sealed`](Self::take_sealed): `rest` was not stored and comes first.
    pub(super) fn put_back(&mut self, mut rest: Payload) {
        self.in_flight = 0;
        rest.extend(std::mem::take(&mut self.sealed));
        self.sealed = rest;
    }

    /// The note that belongs to the sealed data, and a token for [`set_kept`](Self::set_kept).
    pub(super) fn sealed_note(&self) -> (Bytes, u64) {
        (self.sealed_note.clone(), self.sealed_changes)
    }

    pub(super) fn set_kept(&mut self, changes: u64) {
        self.kept_changes = changes;
    }

    /// What of the sealed data the backend has not kept.
    pub(super) fn left(&self) -> Option<Left> {
        let left = Left { len: self.sealed.len(), note: self.sealed_note.clone() };
        (left.len > 0 || self.kept_changes != self.sealed_changes).then_some(left)
    }

    /// Ends this writer, which accepts nothing more. Returns the sealed data, of which the first part is what
    /// [`left`](Self::left) returned.
    pub(super) fn end(&mut self) -> Payload {
        std::mem::replace(self, Self { ended: true, ..Self::default() }).sealed
    }
}
