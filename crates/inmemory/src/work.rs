//! The work that one poll may do, and a count of it for tests.

use std::{
    cell::Cell,
    future::poll_fn,
    hint::black_box,
    task::{Context, Poll},
};

use storage_driver::{ListOptions, Page, Path};

/// How many steps a poll takes before it yields. A step takes a tenth of a microsecond, so this is half a
/// millisecond.
pub(crate) const STEPS: usize = 1 << 12;

/// How many bytes of segments and tails are freed in a step: the system takes pages back one by one.
pub(crate) const BYTES_A_STEP: usize = 1 << 10;

/// How many entries a poll visits, changes or collects before it yields. An entry takes up to two
/// microseconds, most of it to allocate a path or to copy tree nodes.
pub(crate) const ENTRIES: usize = 1000;

/// How many paths a poll deletes, at up to ten microseconds each, most of it to copy tree nodes. Under
/// shuttle, a second path makes the deletion a job.
pub(crate) const PATHS: usize = if cfg!(shuttle) { 1 } else { 128 };

/// How many bytes a session or a put accepts before it yields: neither ever waits for the store.
pub(crate) const YIELD_EVERY: usize = 1 << 20;

/// Wakes the task and returns `Pending`.
pub(crate) fn pending<T>(cx: &mut Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Lets other tasks run.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { pending(cx) })
        .await;
}

/// The page that `options` asks for: the `first` items and those of `rest`, up to the limit. It yields to
/// other tasks while it collects.
pub(crate) async fn collect<T: AsRef<Path>>(
    of: &Path,
    options: &ListOptions,
    first: Vec<T>,
    mut rest: impl Iterator<Item = T>,
) -> Page<T> {
    let mut items = first;
    let mut until_yield = ENTRIES.saturating_sub(items.len());
    while items.len() < options.limit {
        if until_yield == 0 {
            yield_now().await;
            until_yield = ENTRIES;
        }
        until_yield -= 1;
        let Some(item) = rest.next() else { return Page::new(items, None) };
        items.push(item);
    }
    // The start of the next page, if there is one.
    let start_after = items.last().map(|last| last.as_ref().clone());
    let mut none = options.clone().limit(0);
    none.start_after = start_after.or(none.start_after);
    Page::new(items, Page::from_sorted(of, &none, rest).next)
}

thread_local! {
    static FREED: Cell<usize> = const { Cell::new(0) };
}

/// Called when the last reference to a segment is dropped.
pub(crate) fn count_freed(bytes: usize) {
    FREED.set(FREED.get().wrapping_add(bytes));
}

/// How many bytes of segments this thread has freed.
pub(crate) fn freed_bytes() -> usize {
    FREED.get()
}

/// Makes glibc's allocator do the work that `free` has put off. Called after each part of memory that is
/// reclaimed.
///
/// glibc merges small freed blocks and sorts the others into its bins at the next allocation of at least
/// 1 KiB: all of them at once, which takes 10 ms after 100,000 uploads were freed. This way it does so for one
/// part at a time. With other allocators this is one allocation.
pub(crate) fn settle_allocator() {
    // The store frees no block of this size: one that fits exactly would end the work early.
    drop(black_box(Vec::<u8>::with_capacity(2000)));
}

#[cfg(test)]
thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts entries, nodes and segments that this thread touches or frees, in tests only.
#[inline]
pub(crate) fn count(steps: usize) {
    #[cfg(test)]
    COUNT.set(COUNT.get() + steps);
    #[cfg(not(test))]
    let _ = steps;
}

/// What this thread has counted since the last call.
#[cfg(test)]
pub(crate) fn take_count() -> usize {
    COUNT.replace(0)
}

#[cfg(test)]
mod tests;
