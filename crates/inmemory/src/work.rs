//! How much one poll may do, and a count of it for tests.

use std::{
    cell::Cell,
    future::poll_fn,
    hint::black_box,
    task::{Context, Poll},
};

use storage_driver::{ListOptions, Page, Path};

/// How many steps a poll takes before other tasks get a turn. A step is a tenth of a microsecond, so
/// this is half a millisecond.
pub(crate) const STEPS: usize = 1 << 12;

/// How many bytes of segments and tails cost a step to free: the system takes pages back one by one.
pub(crate) const BYTES_A_STEP: usize = 1 << 10;

/// How many entries a poll visits, changes or collects before other tasks get a turn. An entry takes
/// up to two microseconds, most of it to allocate a path or to copy tree nodes.
pub(crate) const ENTRIES: usize = 1000;

/// How many paths a poll deletes, at up to ten microseconds each: most of it copies tree nodes. Under shuttle a second path makes it
/// a job.
pub(crate) const PATHS: usize = if cfg!(shuttle) { 1 } else { 128 };

/// How many bytes a session or a put accepts before other tasks run: neither ever waits for the store.
pub(crate) const YIELD_EVERY: usize = 1 << 20;

/// Wakes the task and returns `Pending`.
pub(crate) fn pending<T>(cx: &mut Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

/// Gives other tasks a turn.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| if std::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { pending(cx) })
        .await;
}

/// The page that `options` asks for, of which the `first` items are there already, out of everything
/// that comes after its start. Other tasks get turns while it is collected.
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
        let Some(item) = rest.next() else { return Page { items, next: None } };
        items.push(item);
    }
    // Whether there is a next page, and what it starts after.
    let start_after = items.last().map(|last| last.as_ref().clone());
    let mut none = options.clone().limit(0);
    none.start_after = start_after.or(none.start_after);
    Page { items, next: Page::from_sorted(of, &none, rest).next }
}

thread_local! {
    static FREED: Cell<usize> = const { Cell::new(0) };
}

/// Called when a segment goes, of which this was the last reference.
pub(crate) fn count_freed(bytes: usize) {
    FREED.set(FREED.get().wrapping_add(bytes));
}

/// How many bytes of segments this thread has freed.
pub(crate) fn freed_bytes() -> usize {
    FREED.get()
}

/// Makes glibc's allocator do the work that `free` has put off, which is called after each slice of
/// freeing. It merges small freed blocks, and sorts the others into its bins, when a block of at least
/// 1 KiB is allocated the next time: all of them at once, 10 ms after 100,000 uploads were freed. Only
/// the blocks of one slice are left to it this way. With other allocators this is one allocation.
pub(crate) fn settle_allocator() {
    // Nothing of this size was freed: a block that fits exactly would end the work early.
    drop(black_box(Vec::<u8>::with_capacity(2000)));
}

#[cfg(test)]
thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Counts entries, nodes and segments that this thread touches or frees. Only tests do.
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
