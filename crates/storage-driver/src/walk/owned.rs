//! [`OwnedWalk`]: a walk together with the driver that it borrows.

use std::{
    future::poll_fn,
    mem,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use futures_core::Stream;

use super::{WalkOptions, WalkSource};
use crate::{Entry, Path, Result, StorageDriver};

/// The driver and its walk live in one future, which may borrow from itself. It hands over one entry at a
/// time through a slot that both sides share.
pub(super) struct OwnedWalk {
    walking: Pin<Box<dyn Future<Output = ()> + Send>>,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    /// An entry was asked for and has not been found yet.
    wanted: bool,
    /// The directory returned last is to be skipped.
    skip: bool,
    found: Option<Result<Entry>>,
}

impl OwnedWalk {
    pub(super) fn new(
        driver: impl StorageDriver + 'static,
        path: Path,
        options: WalkOptions,
    ) -> Self {
        let slot = Arc::new(Mutex::new(Slot::default()));
        let theirs = Arc::clone(&slot);
        let walking = Box::pin(async move {
            let mut walk = driver.walk(&path, options);
            let mut next = |cx: &mut Context<'_>| {
                {
                    let mut slot = lock(&theirs);
                    if mem::take(&mut slot.skip) {
                        walk.skip_dir();
                    }
                    if !slot.wanted {
                        return Poll::Pending;
                    }
                }
                Pin::new(&mut walk).poll_next(cx)
            };
            while let Some(entry) = poll_fn(&mut next).await {
                let mut slot = lock(&theirs);
                slot.wanted = false;
                slot.found = Some(entry);
            }
        });
        Self { walking, slot }
    }
}

impl WalkSource for OwnedWalk {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Entry>>> {
        lock(&self.slot).wanted = true;
        if self.walking.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match lock(&self.slot).found.take() {
            Some(entry) => Poll::Ready(Some(entry)),
            None => Poll::Pending,
        }
    }

    fn skip_dir(&mut self) {
        lock(&self.slot).skip = true;
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
