//! The memory that a builder reserves is the memory that it uses.

use proptest::prelude::*;

use super::*;
use crate::budget::Pool;

const SEGMENT: usize = 8 << 10;

fn budget(pool: u64) -> Arc<Budget> {
    Arc::new(Budget::new(None, Pool::new(Some(pool), SEGMENT, false)))
}

fn builder(size_hint: Option<u64>) -> SegmentBuilder {
    SegmentBuilder::new(budget(0), SEGMENT, size_hint)
}

/// The lengths of the segments.
fn segments(builder: &SegmentBuilder) -> Vec<usize> {
    builder.rope.payload(0..builder.rope.len()).parts().map(Bytes::len).collect()
}

#[test]
fn the_tail_is_as_large_as_the_packed_content() {
    let mut builder = SegmentBuilder::new(budget(0), 64 << 10, None);
    (0..200 << 10).for_each(|_| builder.pack(&[7]).unwrap());
    builder.seal_tail();
    let sizes: Vec<_> = segments(&builder).into_iter().map(|length| length >> 10).collect();
    assert_eq!(sizes, [4, 4, 8, 16, 32, 64, 64, 8]);
}

#[test]
fn the_tail_begins_small_again_after_an_adopted_buffer() {
    let mut builder = SegmentBuilder::new(budget(0), 64 << 10, None);
    for exclusive in [false, true] {
        builder.pack(&[7; 40 << 10]).unwrap();
        builder.write(vec![7; MIN_ADOPTED].into(), exclusive).unwrap();
        builder.pack(&[7]).unwrap();
        assert_eq!(builder.tail.capacity(), MIN_TAIL);
    }
}

#[test]
fn one_large_piece_is_packed_into_whole_segments() {
    let mut builder = builder(None);
    builder.pack(&[7; 3 * SEGMENT + 5]).unwrap();
    builder.seal_tail();
    assert_eq!(segments(&builder), [SEGMENT, SEGMENT, SEGMENT, 5]);
}

#[test]
fn a_size_hint_makes_the_tail_exact() {
    let mut builder = builder(Some(5000));
    builder.pack(&[7; 10]).unwrap();
    assert_eq!(builder.tail.capacity(), 5000);
    builder.pack(&[7; 4990]).unwrap();
    assert_eq!((builder.tail.capacity(), builder.own), (5000, 5000));
}

#[test]
fn a_size_hint_includes_the_content_so_far() {
    let mut builder = builder(Some(SEGMENT as u64 + 100));
    builder.pack(&[7; SEGMENT]).unwrap();
    builder.pack(&[7]).unwrap();
    assert_eq!(builder.tail.capacity(), 100);
}

#[test]
fn a_size_hint_that_was_too_small_is_forgotten() {
    let mut builder = builder(Some(10));
    builder.pack(&[7; 11]).unwrap();
    assert_eq!(builder.tail.capacity(), MIN_TAIL);
    builder.pack(&[7; MIN_TAIL]).unwrap();
    assert_eq!(builder.len(), 11 + MIN_TAIL as u64);
}

#[test]
fn a_size_hint_beyond_all_memory_is_one_segment() {
    let mut builder = builder(Some(u64::MAX));
    builder.pack(&[7]).unwrap();
    assert_eq!(builder.tail.capacity(), SEGMENT);
}

#[test]
fn a_sealed_tail_releases_its_unused_memory() {
    let mut builder = builder(None);
    builder.pack(&[7; 100]).unwrap();
    assert_eq!(builder.budget.usage().uploads, MIN_TAIL as u64);
    builder.seal_tail();
    assert_eq!((builder.own, builder.budget.usage().uploads), (100, 100));
    assert_eq!(builder.budget.usage().index, OVERHEAD);
}

#[test]
fn an_empty_tail_leaves_no_segment() {
    let mut builder = builder(None);
    builder.seal_tail();
    assert_eq!((segments(&builder), builder.budget.usage()), (vec![], crate::Usage::default()));
}

#[test]
fn a_dropped_builder_releases_everything() {
    let mut builder = builder(None);
    let budget = Arc::clone(&builder.budget);
    builder.pack(&[7; SEGMENT + 100]).unwrap();
    drop(builder);
    assert_eq!(budget.usage(), crate::Usage::default());
}

#[derive(Debug, Clone)]
enum Step {
    Pack(usize),
    Shared(usize),
    Owned(usize),
    Adopted(usize),
    Seal,
}

fn step() -> impl Strategy<Value = Step> {
    let length = prop_oneof![1..100_usize, 1..SEGMENT, 1..5 * SEGMENT];
    prop_oneof![
        4 => length.clone().prop_map(Step::Pack),
        1 => length.clone().prop_map(Step::Shared),
        1 => length.clone().prop_map(Step::Owned),
        1 => length.prop_map(Step::Adopted),
        1 => Just(Step::Seal),
    ]
}

proptest! {
    #[test]
    fn reserved_memory_equals_used_memory(
        hint in prop::option::of(0..10 * SEGMENT as u64),
        pool in prop_oneof![Just(0), Just(3 * SEGMENT as u64)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let budget = budget(pool);
        // Leaves what the pool may hold to be used again.
        SegmentBuilder::new(Arc::clone(&budget), SEGMENT, None).pack(&[0; 4 * SEGMENT]).unwrap();
        let mut builder = SegmentBuilder::new(Arc::clone(&budget), SEGMENT, hint);
        let mut model: Vec<u8> = Vec::new();
        let mut packed_alone = true;
        for (number, step) in steps.into_iter().enumerate() {
            let data = |length| (0..length).map(|at| (number * 31 + at) as u8).collect::<Vec<_>>();
            let (data, exclusive) = match step {
                Step::Pack(length) => {
                    builder.pack(&data(length)).unwrap();
                    model.extend(data(length));
                    continue;
                }
                Step::Seal => {
                    builder.seal_tail();
                    continue;
                }
                Step::Owned(length) => (Bytes::from(data(length)), false),
                Step::Shared(length) => (Bytes::from_owner(data(length)), false),
                Step::Adopted(length) => (Bytes::from_owner(data(length)), true),
            };
            packed_alone &= data.len() < MIN_ADOPTED;
            model.extend_from_slice(&data);
            builder.write(data, exclusive).unwrap();

            let usage = budget.usage();
            prop_assert_eq!(builder.len(), model.len() as u64);
            prop_assert_eq!((usage.uploads, usage.committed, usage.pinned), (builder.own, 0, 0));
            prop_assert_eq!(builder.own, builder.rope.len() + builder.tail.capacity() as u64);
            let open = usize::from(builder.tail.capacity() > 0);
            prop_assert_eq!(usage.index, (segments(&builder).len() + open) as u64 * OVERHEAD);
        }
        builder.seal_tail();
        let segments = segments(&builder);
        prop_assert!(!packed_alone || segments.iter().all(|&length| length <= SEGMENT));
        prop_assert_eq!(builder.rope.payload(0..builder.rope.len()).into_bytes(), model);
        drop(builder);
        prop_assert_eq!(budget.usage().held(), budget.usage().pooled);
    }
}
