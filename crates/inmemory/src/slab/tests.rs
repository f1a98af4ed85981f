//! Slots against a plain account of them, and the memory that goes back to the system.

use std::thread;

use bytes::Bytes;
use futures::FutureExt;
use proptest::prelude::*;
use storage_driver::{Path, StorageDriverExt};

use super::{chunk::Chunk, memory::PAGE, space::Space, *};
use crate::budget::Pool;

/// What may be provided without holding anything: the ends of chunks, and pieces that are provided at once.
const SLACK: u64 = 512 << 10;

/// A budget whose watcher is this test: it keeps idle memory until a tick.
fn budget() -> Arc<Budget> {
    let budget = Budget::new(None, Pool::new(None, 1 << 20, false));
    budget.watched.store(true, crate::sync::Ordering::Relaxed);
    Arc::new(budget)
}

/// A slot that is filled with bytes made from `seed`.
fn space(budget: &Arc<Budget>, size: usize, seed: usize) -> Space {
    let mut space = Space::new(budget, size);
    space.extend_from_slice(&vec![seed as u8; size]);
    space
}

fn assert_intact(space: &Space, seed: usize) {
    assert!(space.as_ref().iter().all(|&byte| byte == seed as u8), "slot {seed} was overwritten");
}

/// Spaces of one size, as many as fill `bytes`.
fn fill(budget: &Arc<Budget>, bytes: usize, size: usize) -> Vec<Space> {
    (0..bytes / size).map(|seed| space(budget, size, seed)).collect()
}

#[test]
fn a_size_is_rounded_up_by_less_than_an_eighth() {
    let mut last = (0, 0);
    for bytes in 0..=LARGEST {
        let (number, size) = class_of(bytes);
        assert!(size >= bytes && size.is_multiple_of(8), "{size} for {bytes}");
        assert!(size - bytes.max(32) < 8.max(bytes / 8), "{size} for {bytes}");
        assert_eq!(class_of(size), (number, size));
        // The number and the size belong together, and there is one of each.
        let same = (number, size) == last;
        assert!(same || number > last.0 && size > last.1, "{bytes}");
        last = (number, size);
    }
    assert!(last.0 < 34 * 32);
}

#[test]
fn slots_of_every_size_are_apart() {
    let budget = budget();
    let sizes = (0..600).map(|n| n * 443 % 9000).chain([65_536, 131_072, LARGEST]);
    let spaces: Vec<_> = sizes.map(|size| space(&budget, size, size)).collect();
    spaces.iter().for_each(|space| assert_intact(space, space.capacity()));
}

#[test]
fn everything_goes_back_once_it_is_free() {
    let budget = budget();
    let spaces: Vec<_> = (1..2000).map(|size| space(&budget, size * 7, 1)).collect();
    drop(spaces);
    assert!(budget.slabs().slack() > 0);
    budget.slabs().trim();
    assert_eq!(budget.slabs().slack(), 0);
}

#[test]
fn what_was_needed_between_two_ticks_stays() {
    const BYTES: usize = 8 << 20;
    let budget = budget();
    drop(fill(&budget, BYTES, 4096));
    for _ in 0..5 {
        assert!(budget.tick());
        assert!(budget.slabs().slack() >= BYTES as u64);
        drop(fill(&budget, BYTES, 4096));
    }
}

#[test]
fn what_was_not_needed_between_two_ticks_goes_back() {
    let budget = budget();
    drop(fill(&budget, 8 << 20, 4096));
    assert!(budget.tick(), "the memory was needed just now");
    assert!(!budget.tick());
    assert_eq!(budget.slabs().slack(), 0);
}

/// Keeps every hundredth slot, the worst case: each keeps its page.
fn thin_out(size: usize) {
    let budget = budget();
    let mut number = 0;
    let mut spaces = fill(&budget, 64 << 20, size);
    spaces.retain(|_| {
        number += 1;
        number % 100 == 1
    });
    budget.tick();
    budget.tick();
    let pages = (size.div_ceil(PAGE) + 1) * PAGE;
    let bound = spaces.len().min((64 << 20) / PAGE) * pages.min((64 << 20) / spaces.len());
    let used = spaces.len() * size;
    let slack = budget.slabs().slack();
    assert!(slack + used as u64 <= bound as u64 + SLACK, "{slack} bytes for {used} used");
    for (at, space) in spaces.iter().enumerate() {
        assert_intact(space, at * 100);
    }
}

#[test]
fn every_hundredth_slot_keeps_a_page_or_two() {
    thin_out(120);
    thin_out(4200);
    thin_out(64 << 10);
}

#[test]
fn free_pages_stay_while_many_slots_of_their_size_are_freed() {
    const SIZE: usize = 16 << 10;
    let budget = budget();
    let spaces = fill(&budget, 16 << 20, SIZE);
    let (kept, mut freed): (Vec<_>, Vec<_>) =
        spaces.into_iter().enumerate().partition(|(at, _)| at % 2 == 0);
    while !freed.is_empty() {
        let before = budget.slabs().slack();
        let part = freed.split_off(freed.len().saturating_sub(64));
        let bytes = (part.len() * SIZE) as u64;
        drop(part);
        assert!(budget.tick());
        assert!(budget.slabs().slack() >= before + bytes, "a page was given back");
    }
    let most = budget.slabs().slack();
    budget.tick();
    assert!(budget.slabs().slack() < most / 2, "nothing was given back in calm");
    kept.iter().for_each(|(at, space)| assert_intact(space, *at));
}

#[test]
fn pages_that_were_given_back_are_used_again() {
    let budget = budget();
    let mut spaces = fill(&budget, 4 << 20, 1000);
    let mut number = 0;
    spaces.retain(|_| {
        number += 1;
        number % 50 == 1
    });
    budget.slabs().trim();
    let more = fill(&budget, 4 << 20, 1000);
    for (at, space) in spaces.iter().enumerate() {
        assert_intact(space, at * 50);
    }
    more.iter().enumerate().for_each(|(seed, space)| assert_intact(space, seed));
    drop((spaces, more));
    budget.slabs().trim();
    assert_eq!(budget.slabs().slack(), 0);
}

#[test]
fn chunks_of_one_size_serve_another() {
    let budget = budget();
    drop(fill(&budget, 8 << 20, 4096));
    let before = budget.slabs().slack();
    let spaces = fill(&budget, 4 << 20, 100);
    assert!(budget.slabs().slack() < before, "the chunks of the first size are used again");
    drop(spaces);
}

#[test]
fn a_slot_keeps_its_budget() {
    let budget = budget();
    let weak = Arc::downgrade(&budget);
    let space = space(&budget, 100, 7);
    drop(budget);
    assert!(weak.upgrade().is_some());
    assert_intact(&space, 7);
    drop(space);
    assert!(weak.upgrade().is_none());
}

#[test]
fn slots_are_freed_on_any_thread() {
    let budget = budget();
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                for round in 0..100 {
                    let spaces: Vec<_> = (0..100).map(|n| space(&budget, n * 13, seed)).collect();
                    spaces.iter().for_each(|space| assert_intact(space, seed));
                    thread::spawn(move || drop(spaces)).join().unwrap();
                    if round % 10 == seed {
                        budget.tick();
                    }
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    budget.slabs().trim();
    assert_eq!(budget.slabs().slack(), 0);
}

#[test]
fn a_chunk_is_found_from_each_of_its_slots() {
    let budget = budget();
    let spaces = fill(&budget, 3 << 20, 64 << 10);
    let chunks = spaces.iter().map(|space| Chunk::of(NonNull::from(space.as_ref()).cast()));
    let chunks: std::collections::BTreeSet<_> = chunks.collect();
    assert_eq!(chunks.len(), 4, "fifteen slots a chunk");
}

/// The bytes of slabs for an object of a registry, without its content.
fn extra(size: usize) -> f64 {
    const OBJECTS: u64 = 50_000;
    let store = crate::InMemory::new();
    let content = Bytes::from(vec![7; size]);
    for number in 0..OBJECTS {
        let digest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let path = format!("/blobs/sha256/{:02x}/{digest:064x}/data", number % 16);
        let path = Path::parse(path).unwrap();
        drop(store.put(&path, content.clone()).now_or_never().unwrap().unwrap());
    }
    store.trim();
    store.backed() as f64 / OBJECTS as f64 - size as f64
}

#[test]
fn an_object_of_a_registry_takes_at_most_140_bytes_more_than_its_content() {
    // 64 digits and five letters are the text of the file.
    let (small, large) = (extra(16), extra(4096));
    assert!(small <= 130.0 && large <= 140.0, "{small} and {large} bytes");
}

#[derive(Debug, Clone)]
enum Step {
    Take(usize),
    Give(usize),
    Shrink(usize, usize),
    Tick,
    Trim,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0..5000_usize).prop_map(Step::Take),
        1 => (5000..=LARGEST).prop_map(Step::Take),
        6 => any::<usize>().prop_map(Step::Give),
        1 => (any::<usize>(), 0..3000_usize).prop_map(|(at, size)| Step::Shrink(at, size)),
        1 => Just(Step::Tick),
        1 => Just(Step::Trim),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 100 }))]
    #[test]
    fn random_steps_keep_every_slot_intact(steps in steps()) {
        let budget = budget();
        let mut spaces: Vec<(usize, Space)> = Vec::new();
        for (seed, step) in steps.into_iter().enumerate() {
            match step {
                Step::Take(size) => spaces.push((seed, space(&budget, size, seed))),
                Step::Give(at) if !spaces.is_empty() => {
                    let (seed, space) = spaces.swap_remove(at % spaces.len());
                    assert_intact(&space, seed);
                }
                Step::Shrink(capacity, filled) => {
                    let mut space = Space::new(&budget, filled + capacity % 5000);
                    space.extend_from_slice(&vec![seed as u8; filled]);
                    space.shrink_to_fit(&budget);
                    prop_assert_eq!(space.as_ref().len(), filled);
                    spaces.push((seed, space));
                }
                Step::Give(_) => {}
                Step::Tick => drop(budget.tick()),
                Step::Trim => budget.slabs().trim(),
            }
        }
        spaces.iter().for_each(|(seed, space)| assert_intact(space, *seed));
        drop(spaces);
        budget.slabs().trim();
        prop_assert_eq!(budget.slabs().slack(), 0);
    }
}
