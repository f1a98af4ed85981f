//! What a draft reserves against what it uses.

use proptest::prelude::*;

use super::*;
use crate::budget::Pool;

const SEGMENT: usize = 8 << 10;

fn budget(pool: u64) -> Arc<Budget> {
    Arc::new(Budget::new(None, Pool::new(pool, SEGMENT, false)))
}

fn draft(size_hint: Option<u64>) -> SegmentBuilder {
    SegmentBuilder::new(budget(0), SEGMENT, size_hint)
}

/// The lengths of the segments.
fn segments(draft: &SegmentBuilder) -> Vec<usize> {
    draft.rope.payload(0..draft.rope.len()).parts().map(Bytes::len).collect()
}

#[test]
fn the_tail_is_as_large_as_what_was_packed() {
    let mut draft = SegmentBuilder::new(budget(0), 64 << 10, None);
    (0..200 << 10).for_each(|_| draft.pack(&[7]).unwrap());
    draft.seal_tail();
    let sizes: Vec<_> = segments(&draft).into_iter().map(|length| length >> 10).collect();
    assert_eq!(sizes, [4, 4, 8, 16, 32, 64, 64, 8]);
}

#[test]
fn the_tail_begins_small_again_after_what_is_adopted() {
    let mut draft = SegmentBuilder::new(budget(0), 64 << 10, None);
    for exclusive in [false, true] {
        draft.pack(&[7; 40 << 10]).unwrap();
        draft.write(vec![7; MIN_ADOPTED].into(), exclusive).unwrap();
        draft.pack(&[7]).unwrap();
        assert_eq!(draft.tail.capacity(), MIN_TAIL);
    }
}

#[test]
fn one_large_piece_is_packed_into_whole_segments() {
    let mut draft = draft(None);
    draft.pack(&[7; 3 * SEGMENT + 5]).unwrap();
    draft.seal_tail();
    assert_eq!(segments(&draft), [SEGMENT, SEGMENT, SEGMENT, 5]);
}

#[test]
fn a_size_hint_makes_the_tail_exact() {
    let mut draft = draft(Some(5000));
    draft.pack(&[7; 10]).unwrap();
    assert_eq!(draft.tail.capacity(), 5000);
    draft.pack(&[7; 4990]).unwrap();
    assert_eq!((draft.tail.capacity(), draft.own), (5000, 5000));
}

#[test]
fn a_size_hint_counts_what_is_there() {
    let mut draft = draft(Some(SEGMENT as u64 + 100));
    draft.pack(&[7; SEGMENT]).unwrap();
    draft.pack(&[7]).unwrap();
    assert_eq!(draft.tail.capacity(), 100);
}

#[test]
fn a_size_hint_that_was_too_small_is_forgotten() {
    let mut draft = draft(Some(10));
    draft.pack(&[7; 11]).unwrap();
    assert_eq!(draft.tail.capacity(), MIN_TAIL);
    draft.pack(&[7; MIN_TAIL]).unwrap();
    assert_eq!(draft.len(), 11 + MIN_TAIL as u64);
}

#[test]
fn a_size_hint_beyond_all_memory_is_one_segment() {
    let mut draft = draft(Some(u64::MAX));
    draft.pack(&[7]).unwrap();
    assert_eq!(draft.tail.capacity(), SEGMENT);
}

#[test]
fn a_tail_that_is_sealed_gives_back_what_it_did_not_use() {
    let mut draft = draft(None);
    draft.pack(&[7; 100]).unwrap();
    assert_eq!(draft.budget.usage().uploads, MIN_TAIL as u64);
    draft.seal_tail();
    assert_eq!((draft.own, draft.budget.usage().uploads), (100, 100));
    assert_eq!(draft.budget.usage().index, OVERHEAD);
}

#[test]
fn an_empty_tail_leaves_no_segment() {
    let mut draft = draft(None);
    draft.seal_tail();
    assert_eq!((segments(&draft), draft.budget.usage()), (vec![], crate::Usage::default()));
}

#[test]
fn a_dropped_draft_gives_everything_back() {
    let mut draft = draft(None);
    let budget = Arc::clone(&draft.budget);
    draft.pack(&[7; SEGMENT + 100]).unwrap();
    drop(draft);
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
    fn what_is_reserved_is_what_is_used(
        hint in prop::option::of(0..10 * SEGMENT as u64),
        pool in prop_oneof![Just(0), Just(3 * SEGMENT as u64)],
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let budget = budget(pool);
        // Leaves what the pool may hold to be used again.
        SegmentBuilder::new(Arc::clone(&budget), SEGMENT, None).pack(&[0; 4 * SEGMENT]).unwrap();
        let mut draft = SegmentBuilder::new(Arc::clone(&budget), SEGMENT, hint);
        let mut model: Vec<u8> = Vec::new();
        let mut packed_alone = true;
        for (number, step) in steps.into_iter().enumerate() {
            let data = |length| (0..length).map(|at| (number * 31 + at) as u8).collect::<Vec<_>>();
            let (data, exclusive) = match step {
                Step::Pack(length) => {
                    draft.pack(&data(length)).unwrap();
                    model.extend(data(length));
                    continue;
                }
                Step::Seal => {
                    draft.seal_tail();
                    continue;
                }
                Step::Owned(length) => (Bytes::from(data(length)), false),
                Step::Shared(length) => (Bytes::from_owner(data(length)), false),
                Step::Adopted(length) => (Bytes::from_owner(data(length)), true),
            };
            packed_alone &= data.len() < MIN_ADOPTED;
            model.extend_from_slice(&data);
            draft.write(data, exclusive).unwrap();

            let usage = budget.usage();
            prop_assert_eq!(draft.len(), model.len() as u64);
            prop_assert_eq!((usage.uploads, usage.committed, usage.pinned), (draft.own, 0, 0));
            prop_assert_eq!(draft.own, draft.rope.len() + draft.tail.capacity() as u64);
            let open = usize::from(draft.tail.capacity() > 0);
            prop_assert_eq!(usage.index, (segments(&draft).len() + open) as u64 * OVERHEAD);
        }
        draft.seal_tail();
        let segments = segments(&draft);
        prop_assert!(!packed_alone || segments.iter().all(|&length| length <= SEGMENT));
        prop_assert_eq!(draft.rope.payload(0..draft.rope.len()).into_bytes(), model);
        drop(draft);
        prop_assert_eq!(budget.usage().held(), budget.usage().pooled);
    }
}
