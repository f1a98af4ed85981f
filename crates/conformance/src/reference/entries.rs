//! [`Entries`]: the entries of a walk, taken when it began.

use std::{
    collections::VecDeque,
    task::{Context, Poll},
};

use storage_driver::{Entry, Error, Path, Result, WalkSource};

/// The entries of a walk, taken at one moment.
pub(super) struct Entries {
    pub(super) entries: VecDeque<Entry>,
    pub(super) error: Option<Error>,
    pub(super) given: Option<Path>,
}

impl WalkSource for Entries {
    fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let next = self.entries.pop_front();
        self.given = next.as_ref().map(|entry| entry.path().clone());
        Poll::Ready(next.map(Ok))
    }

    fn skip_dir(&mut self) {
        if let Some(dir) = &self.given {
            self.entries.retain(|entry| !entry.path().starts_with(dir));
        }
    }
}
