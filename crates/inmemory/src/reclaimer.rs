//! [`Reclaimer`]: where deferred memory waits, and how it is reclaimed.

use std::{
    future::poll_fn,
    mem,
    task::{Context, Poll},
};

use crate::{
    deferred_drop::DeferredDrop,
    dir::Directory,
    rope::Rope,
    sync::{AtomicBool, Mutex, Ordering::Relaxed, lock},
    work::{self, STEPS},
};

/// Memory that waits to be reclaimed because the operation that removed it was dropped, or because a reader
/// or a walk was the last to hold it. The handles of a store and its forks share one; each later operation
/// reclaims a part, and the drop of the last handle reclaims the rest.
#[derive(Debug, Default)]
pub(crate) struct Reclaimer {
    /// Whether the list may have something: read without the lock by every operation.
    has_deferred: AtomicBool,
    list: Mutex<Vec<DeferredDrop>>,
}

impl Reclaimer {
    /// Frees `deferred`, and yields to other tasks in between. If this is dropped, the rest waits here.
    pub(crate) async fn reclaim(&self, deferred: DeferredDrop) {
        if !deferred.is_empty() {
            ReclaimGuard { deferred, reclaimer: self }.reclaim().await;
        }
    }

    /// Frees a part of `deferred` at once, and keeps the rest for later operations: for a drop, which cannot
    /// yield.
    pub(crate) fn add(&self, mut deferred: DeferredDrop) {
        if !deferred.free_some(&mut 0) {
            self.push(deferred);
        }
    }

    /// The same for a rope, which is rarely the last to hold its segments.
    pub(crate) fn add_rope(&self, rope: Rope) {
        let mut deferred = DeferredDrop::default();
        deferred.add_rope(rope);
        if !deferred.is_empty() {
            self.add(deferred);
        }
    }

    fn push(&self, deferred: DeferredDrop) {
        let mut list = lock(&self.list);
        list.push(deferred);
        self.has_deferred.store(true, Relaxed);
    }

    fn pop(&self) -> Option<DeferredDrop> {
        let mut list = lock(&self.list);
        let deferred = list.pop();
        self.has_deferred.store(!list.is_empty(), Relaxed);
        deferred
    }

    pub(crate) fn has_deferred(&self) -> bool {
        self.has_deferred.load(Relaxed)
    }

    /// Frees a part of what waits; false if nothing does.
    pub(crate) fn reclaim_some(&self) -> bool {
        if !self.has_deferred() {
            return false;
        }
        let (mut steps, mut some) = (0, false);
        // Nothing is freed under the lock. Another thread may find the list empty meanwhile.
        while steps < STEPS
            && let Some(mut deferred) = self.pop()
        {
            some = true;
            if !deferred.free_some(&mut steps) {
                self.push(deferred);
            }
        }
        some
    }

    /// Frees all that waits, and yields to other tasks in between.
    pub(crate) async fn reclaim_all(&self) {
        poll_fn(|cx| if self.reclaim_some() { work::pending(cx) } else { Poll::Ready(()) }).await;
    }
}

/// Deferred memory that goes to the reclaimer if this is dropped.
pub(crate) struct ReclaimGuard<'a> {
    pub(crate) deferred: DeferredDrop,
    pub(crate) reclaimer: &'a Reclaimer,
}

impl ReclaimGuard<'_> {
    /// Frees it, and yields to other tasks in between.
    pub(crate) async fn reclaim(mut self) {
        poll_fn(|cx| self.deferred.poll_free(cx)).await;
    }
}

impl Drop for ReclaimGuard<'_> {
    fn drop(&mut self) {
        if !self.deferred.is_empty() {
            self.reclaimer.add(mem::take(&mut self.deferred));
        }
    }
}

/// A directory as it was at one moment, for a reader that may become the last to hold it.
pub(crate) struct Snapshot<'a> {
    dir: Option<Directory>,
    guard: ReclaimGuard<'a>,
}

impl<'a> Snapshot<'a> {
    pub(crate) fn new(dir: Directory, reclaimer: &'a Reclaimer) -> Self {
        let guard = ReclaimGuard { deferred: DeferredDrop::default(), reclaimer };
        Self { dir: Some(dir), guard }
    }

    /// Releases it, and yields to other tasks in between.
    pub(crate) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.dir.take().into_iter().for_each(|dir| self.guard.deferred.add_directory(dir));
        self.guard.deferred.poll_free(cx)
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        self.dir.take().into_iter().for_each(|dir| self.guard.deferred.add_directory(dir));
    }
}
