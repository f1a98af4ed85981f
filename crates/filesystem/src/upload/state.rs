//! [`State`]: the state of an upload, and the next step of its thread.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use storage_driver::{Error, Result};

use super::queue::Queue;
use crate::sys::FileStat;

/// The state of an upload; its lock is in [`Upload`](super::Upload).
#[derive(Debug, Default)]
pub(super) struct State {
    /// The session that owns it; all others are fenced.
    pub(super) owner: i64,
    /// Whether it was published, cancelled or discarded.
    pub(super) gone: bool,
    pub(super) queue: Queue,
    /// How many bytes were accepted, and how many of them are in the file.
    pub(super) accepted: u64,
    pub(super) written: u64,
    /// The note that was set last: it belongs to the bytes accepted so far.
    pub(super) note: Bytes,
    /// The kept part of both.
    pub(super) kept: Mark,
    /// The mark of the last request to keep.
    pub(super) wanted_mark: Mark,
    /// Whether the record may state more data than is left. It is corrected before anything is written.
    pub(super) record_is_wrong: bool,
    /// When data was accepted last.
    pub(super) touched: i64,
    pub(super) has_record: bool,
    /// The number of the slot of the record that is written next.
    pub(super) slot: u64,
    /// The file with the data, as it was when it was created or found. `None` before.
    pub(super) data: Option<FileStat>,
    /// Whether a thread is working.
    pub(super) running: bool,
    /// The number of the last request to keep, and of the last one that is done.
    pub(super) wanted: u64,
    pub(super) done: u64,
    /// Why the thread stopped. The step is tried again.
    pub(super) failure: Option<Error>,
    /// Why the data that was accepted after the last keep is lost.
    pub(super) lost: Option<Error>,
    /// A loss that was found while a thread was working: how many bytes are left, and the error.
    pub(super) found_lost: Option<(u64, Error)>,
    pub(super) wakers: Vec<Waker>,
}

/// A moment of an upload: a number of bytes, and the note that was set for exactly these.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Mark {
    pub(super) size: u64,
    pub(super) note: Bytes,
}

impl State {
    /// Data and note as they are now.
    pub(super) fn mark(&self) -> Mark {
        Mark { size: self.accepted, note: self.note.clone() }
    }

    /// Asks for data and note to be kept as they are now. Returns the number of the request.
    pub(super) fn want_kept(&mut self) -> u64 {
        self.wanted_mark = self.mark();
        self.wanted += 1;
        self.wanted
    }

    /// The next step, if there is one.
    fn next_step(&mut self) -> Option<Step> {
        if self.gone || self.failure.is_some() || self.lost.is_some() {
            None
        } else if self.record_is_wrong {
            // Otherwise, data written from here on could be taken for the data that the record means.
            Some(self.keep_step(self.done, self.kept.clone()))
        } else if self.queue.len > 0 {
            Some(Step::Write { parts: self.queue.take(), offset: self.written })
        } else if self.wanted > self.done {
            Some(self.keep_step(self.wanted, self.wanted_mark.clone()))
        } else {
            None
        }
    }

    fn keep_step(&self, until: u64, mark: Mark) -> Step {
        let slot = self.has_record.then_some(self.slot);
        Step::Keep { until, mark, written: self.written, time: self.touched, slot }
    }

    /// Notes the result of the thread's last step, if it had one, and chooses the next. A caller that sees the result
    /// also sees whether the thread still works.
    pub(super) fn advance(&mut self, result: Option<Result<Done, Failure>>) -> Option<Step> {
        self.running = false;
        match result {
            Some(Ok(done)) => self.complete(done),
            Some(Err(Failure::Step(error))) => self.failure = Some(error),
            Some(Err(Failure::Lost { found, error })) => self.lose(found, error),
            None => {}
        }
        if let Some((found, error)) = self.found_lost.take() {
            self.lose(found, error);
        }
        let step = self.next_step();
        self.running = step.is_some();
        self.wake();
        step
    }

    fn complete(&mut self, done: Done) {
        match done {
            Done::Written(bytes) => self.written += bytes,
            Done::Kept { until, mark, next_slot } => {
                (self.done, self.kept, self.slot) = (until, mark, next_slot);
                (self.has_record, self.record_is_wrong) = (true, false);
            }
        }
    }

    /// Goes back to the kept data, of which at most the first `found` bytes are left. Of later data, it is not known
    /// which part is on the disk; it is cut off when the file is opened next. While a thread works, this waits for the
    /// end of its step, whose result counts on what was there before.
    pub(super) fn lose(&mut self, found: u64, error: Error) {
        if self.running {
            self.found_lost = Some((found, error));
            return;
        }
        if found < self.kept.size {
            // The note belongs to more bytes than are left.
            self.kept = Mark { size: found, note: Bytes::new() };
            self.record_is_wrong = self.has_record;
        }
        self.queue = Queue::default();
        self.note = self.kept.note.clone();
        self.written = self.kept.size;
        self.accepted = self.kept.size;
        self.done = self.wanted;
        self.lost = Some(error);
        if found == 0 {
            // The next write creates it again.
            self.data = None;
        }
    }

    pub(super) fn wake(&mut self) {
        self.wakers.drain(..).for_each(Waker::wake);
    }

    pub(super) fn wait<T>(&mut self, cx: &Context<'_>) -> Poll<T> {
        if !self.wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// The next step of an upload's thread.
pub(super) enum Step {
    Write { parts: Vec<Bytes>, offset: u64 },
    Keep { until: u64, mark: Mark, written: u64, time: i64, slot: Option<u64> },
}

/// A step that was done.
pub(super) enum Done {
    Written(u64),
    Kept { until: u64, mark: Mark, next_slot: u64 },
}

/// Why a step of an upload was not done.
pub(super) enum Failure {
    /// The step can be tried again.
    Step(Error),
    /// Of the accepted data, at most the kept part is left, and at most the first `found` bytes.
    Lost { found: u64, error: Error },
}

impl Failure {
    /// Data could not be made durable: of what was not kept before, it is not known which part is on the disk.
    pub(super) fn not_durable(error: Error) -> Self {
        Self::Lost { found: u64::MAX, error }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Step(error)
    }
}

#[cfg(test)]
mod tests {
    use storage_driver::ErrorKind;

    use super::*;

    fn corrupted() -> Error {
        ErrorKind::Corrupted.into()
    }

    /// An upload of which 7 bytes are kept and 9 are written, while a thread writes 3 more.
    fn writing() -> State {
        let mut state = State { accepted: 9, written: 9, ..State::default() };
        state.kept = Mark { size: 7, note: "seven".into() };
        state.queue.push_slice(b"abc");
        state.accepted = 12;
        assert!(matches!(state.advance(None), Some(Step::Write { offset: 9, .. })));
        state
    }

    fn is_at_what_was_kept(state: &State) {
        assert_eq!(state.mark(), Mark { size: 7, note: "seven".into() });
        assert_eq!((state.written, state.queue.len), (7, 0));
        assert!(state.lost.is_some() && state.failure.is_none() && !state.running);
    }

    #[test]
    fn a_thread_ends_with_the_loss_that_it_finds() {
        // A session that is opened after the loss does not see it as a failure of its own.
        let mut state = writing();
        let loss = Failure::Lost { found: u64::MAX, error: corrupted() };
        assert!(state.advance(Some(Err(loss))).is_none());
        is_at_what_was_kept(&state);
    }

    #[test]
    fn a_loss_that_is_found_while_a_thread_works_follows_its_step() {
        let mut state = writing();
        state.lose(u64::MAX, corrupted());
        assert!(state.lost.is_none() && state.running);
        assert!(state.advance(Some(Ok(Done::Written(3)))).is_none());
        is_at_what_was_kept(&state);
    }

    #[test]
    fn a_loss_of_kept_data_keeps_what_is_left_without_a_note() {
        let mut state = writing();
        state.has_record = true;
        state.lose(5, corrupted());
        assert!(state.advance(None).is_none());
        assert_eq!(state.mark(), Mark { size: 5, note: Bytes::new() });
        // A later session corrects the record before it writes.
        state.lost = None;
        state.queue.push_slice(b"abc");
        let step = state.advance(None);
        assert!(matches!(step, Some(Step::Keep { written: 5, mark: Mark { size: 5, .. }, .. })));
    }
}
