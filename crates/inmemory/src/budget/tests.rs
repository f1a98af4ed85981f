//! Reservations, releases and the pool.

use super::*;

const SEGMENT: usize = 4096;

fn budget(capacity: Option<u64>, pool: u64) -> Arc<Budget> {
    Arc::new(Budget::new(capacity, Pool::new(Some(pool), SEGMENT, false)))
}

fn full(needed: u64, available: u64) -> ErrorKind {
    ErrorKind::StorageFull { needed: Some(needed), available: Some(available) }
}

/// What is in use.
fn usage(budget: &Budget) -> Usage {
    Usage { slack: 0, ..budget.usage() }
}

/// Reserves a buffer of one segment, and takes it.
fn buffer(budget: &Arc<Budget>) -> Buffer {
    budget.reserve(SEGMENT as u64, 0).unwrap();
    budget.buffer(SEGMENT)
}

#[test]
fn the_capacity_can_be_filled_to_the_last_byte() {
    let budget = budget(Some(100), 0);
    budget.reserve(60, 40).unwrap();
    assert_eq!(budget.available(), 0);
    assert_eq!(budget.reserve(0, 1).unwrap_err().kind(), full(1, 0));
    budget.release(0, 1);
    budget.reserve(1, 0).unwrap();
    assert_eq!(budget.usage().held(), 100);
}

#[test]
fn a_refusal_reports_the_needed_bytes_and_takes_nothing() {
    let budget = budget(Some(100), 0);
    budget.reserve(30, 20).unwrap();
    assert_eq!(budget.reserve(40, 11).unwrap_err().kind(), full(51, 50));
    assert_eq!(budget.usage().held(), 50);
    assert_eq!(budget.available(), 50);
}

#[test]
fn nothing_is_too_much_to_be_refused() {
    let budget = budget(Some(100), 0);
    assert_eq!(budget.reserve(u64::MAX, 1).unwrap_err().kind(), full(u64::MAX, 100));
    budget.reserve(1, 0).unwrap();
    assert_eq!(budget.reserve(u64::MAX, 0).unwrap_err().kind(), full(u64::MAX, 99));
}

#[test]
fn without_a_capacity_there_is_always_room() {
    let budget = budget(None, 0);
    budget.reserve(1 << 60, 0).unwrap();
    assert_eq!(budget.available(), u64::MAX);
    assert_eq!(budget.capacity(), None);
}

#[test]
fn forced_memory_may_pass_the_capacity() {
    let budget = budget(Some(100), 0);
    let charge = Charge::new(&budget, 100).unwrap();
    let copy = charge.clone();
    assert_eq!((budget.usage().index, budget.available()), (200, 0));
    drop(charge);
    assert_eq!(budget.available(), 0);
    drop(copy);
    assert_eq!(budget.available(), 100);
}

#[test]
fn nothing_is_needed_so_nothing_is_refused_past_the_capacity() {
    let budget = budget(Some(100), 0);
    budget.force(0, 200);
    budget.reserve(0, 0).unwrap();
}

#[test]
fn content_belongs_to_its_owner_or_is_pinned() {
    let budget = budget(None, 0);
    budget.reserve(10, 0).unwrap();
    let owned = |budget: &Budget| {
        let usage = budget.usage();
        (usage.committed, usage.uploads, usage.pinned)
    };
    assert_eq!(owned(&budget), (0, 0, 10));
    budget.transfer(10, Owner::Unowned, Owner::Upload);
    assert_eq!(owned(&budget), (0, 10, 0));
    budget.transfer(4, Owner::Upload, Owner::Committed);
    assert_eq!(owned(&budget), (4, 6, 0));
    budget.transfer(6, Owner::Upload, Owner::Upload);
    assert_eq!(owned(&budget), (4, 6, 0));
    budget.transfer(4, Owner::Committed, Owner::Unowned);
    budget.transfer(6, Owner::Upload, Owner::Unowned);
    budget.release(10, 0);
    assert_eq!(usage(&budget), Usage::default());
}

#[test]
fn figures_between_two_steps_are_never_absurd() {
    let budget = budget(None, 0);
    budget.reserve(10, 0).unwrap();
    // Two owners change hands at once, and the second is counted first.
    budget.transfer(10, Owner::Upload, Owner::Committed);
    assert!(budget.usage().held() <= 20, "{:?}", budget.usage());
    budget.transfer(10, Owner::Unowned, Owner::Upload);
    assert_eq!((budget.usage().committed, budget.usage().uploads), (10, 0));
}

#[test]
fn without_a_pool_a_buffer_is_freed() {
    let budget = budget(None, 0);
    let buffer = buffer(&budget);
    budget.recycle(buffer, 0);
    assert_eq!(usage(&budget), Usage::default());
}

#[test]
fn a_pooled_buffer_is_used_again_and_is_empty() {
    let budget = budget(None, SEGMENT as u64);
    let mut first = buffer(&budget);
    first.extend_from_slice(&[7]);
    let place = first.as_ref().as_ptr();
    budget.recycle(first, 0);
    assert_eq!(usage(&budget), Usage { pooled: SEGMENT as u64, ..Usage::default() });
    let second = buffer(&budget);
    assert_eq!(second.as_ref().as_ptr(), place);
    assert!(second.is_empty());
    assert_eq!(usage(&budget), Usage { pinned: SEGMENT as u64, ..Usage::default() });
}

#[test]
fn the_pool_holds_no_more_than_its_limit() {
    let budget = budget(None, 2 * SEGMENT as u64 + 1);
    let buffers: Vec<_> = (0..4).map(|_| buffer(&budget)).collect();
    buffers.into_iter().for_each(|buffer| budget.recycle(buffer, 0));
    assert_eq!(usage(&budget), Usage { pooled: 2 * SEGMENT as u64, ..Usage::default() });
}

#[test]
fn the_pool_holds_only_whole_segments() {
    let budget = budget(None, 1 << 20);
    for size in [SEGMENT - 1, SEGMENT + 1] {
        budget.reserve(size as u64, 3).unwrap();
        budget.recycle(budget.buffer(size), 3);
    }
    assert_eq!(usage(&budget), Usage::default());
}

#[test]
fn a_buffer_of_another_size_is_not_taken_from_the_pool() {
    let budget = budget(None, 1 << 20);
    let pooled = buffer(&budget);
    budget.recycle(pooled, 0);
    budget.reserve(100, 0).unwrap();
    assert_eq!(budget.buffer(100).capacity(), 100);
    assert_eq!(budget.usage().pooled, SEGMENT as u64);
}

#[test]
fn a_recycled_buffer_releases_its_part_of_the_index() {
    let budget = budget(None, SEGMENT as u64);
    budget.reserve(SEGMENT as u64, 9).unwrap();
    budget.recycle(budget.buffer(SEGMENT), 9);
    assert_eq!(usage(&budget), Usage { pooled: SEGMENT as u64, ..Usage::default() });
}

#[test]
fn the_pool_shrinks_as_far_as_needed() {
    let size = SEGMENT as u64;
    let budget = budget(Some(4 * size), 4 * size);
    let buffers: Vec<_> = (0..4).map(|_| buffer(&budget)).collect();
    buffers.into_iter().for_each(|buffer| budget.recycle(buffer, 0));
    assert_eq!(budget.available(), 4 * size, "what is pooled can be had");
    budget.reserve(size + 1, 0).unwrap();
    assert_eq!(budget.usage().pooled, 2 * size);
    assert_eq!(budget.reserve(3 * size, 0).unwrap_err().kind(), full(3 * size, 3 * size - 1));
    budget.release(size + 1, 0);
    assert_eq!(usage(&budget), Usage::default());
}

/// A budget with three pooled buffers, whose watcher is the test.
fn pooled() -> Arc<Budget> {
    let budget = budget(None, 1 << 20);
    budget.watched.store(true, Relaxed);
    let buffers: Vec<_> = (0..3).map(|_| buffer(&budget)).collect();
    buffers.into_iter().for_each(|buffer| budget.recycle(buffer, 0));
    budget
}

#[test]
fn pooled_buffers_that_nothing_needed_between_two_ticks_go_back() {
    let budget = pooled();
    assert!(budget.tick(), "they were in use since the last tick");
    assert_eq!(budget.usage().pooled, 3 * SEGMENT as u64);
    budget.tick();
    assert_eq!(budget.usage().pooled, 0);
    budget.tick();
    assert!(!budget.tick(), "nothing is left to look after");
    assert_eq!(budget.usage(), Usage::default());
}

#[test]
fn pooled_buffers_that_are_needed_between_ticks_stay() {
    let budget = pooled();
    budget.tick();
    for _ in 0..5 {
        let two = [buffer(&budget), buffer(&budget)];
        two.into_iter().for_each(|buffer| budget.recycle(buffer, 0));
        budget.tick();
        // The third was not needed.
        assert_eq!(budget.usage().pooled, 2 * SEGMENT as u64);
    }
}

#[test]
fn a_trim_frees_what_is_pooled() {
    let budget = pooled();
    budget.trim();
    assert_eq!(budget.usage(), Usage::default());
}
