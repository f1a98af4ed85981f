//! [`State`]: the state of an upload, and the next step of its thread.

use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use storage_driver::Error;

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
    pub(super) fn next_step(&mut self) -> Option<Step> {
        if self.gone || self.failure.is_some() {
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

    /// Notes the result of a step.
    pub(super) fn complete(&mut self, done: Done) {
        match done {
            Done::Written(bytes) => self.written += bytes,
            Done::Kept { until, mark, next_slot } => {
                (self.done, self.kept, self.slot) = (until, mark, next_slot);
                (self.has_record, self.record_is_wrong) = (true, false);
            }
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

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Step(error)
    }
}
