//! How much one poll may do, and a count of it for tests.

use std::{
    cell::Cell,
    future::poll_fn,
    task::{Context, Poll},
};

use storage_driver::{ListOptions, Page, Path};

/// How many steps a poll takes before other tasks get a turn. A step is a tenth of a microsecond, so
/// this is half a millisecond.
pub(crate) const STEPS: usize = 1 << 12;

/// How many entries a poll visits, changes or collects before other tasks get a turn. An entry takes
/// up to two microseconds, most of it to allocate a path or to copy tree nodes.
pub(crate) const ENTRIES: usize = 1000;

/// How many paths a poll deletes, at up to ten microseconds each. Under shuttle a second path makes it
/// a job.
pub(crate) const PATHS: usize = if cfg!(shuttle) { 1 } else { 256 };

/// Wakes the task and says that it is not done.
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
