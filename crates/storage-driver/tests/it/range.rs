//! `ReadRange`: clause 4.1 of the contract.

use proptest::prelude::*;
use storage_driver::{ErrorKind, ReadRange};

fn invalid(range: impl Into<ReadRange>, size: u64) -> ErrorKind {
    range.into().resolve(size).unwrap_err().kind()
}

#[test]
fn all_is_the_default() {
    assert_eq!(ReadRange::default(), ReadRange::Full);
    assert_eq!(ReadRange::Full.resolve(10).unwrap(), 0..10);
    assert_eq!(ReadRange::Full.resolve(0).unwrap(), 0..0);
}

#[test]
fn the_end_is_clipped_to_the_content() {
    assert_eq!(ReadRange::Bounded(2..99).resolve(10).unwrap(), 2..10);
    assert_eq!(ReadRange::Bounded(2..4).resolve(10).unwrap(), 2..4);
}

#[test]
fn an_offset_equal_to_the_size_is_empty() {
    assert_eq!(ReadRange::Offset(10).resolve(10).unwrap(), 10..10);
    assert_eq!(ReadRange::Bounded(10..20).resolve(10).unwrap(), 10..10);
    assert_eq!(ReadRange::Offset(0).resolve(0).unwrap(), 0..0);
}

#[test]
fn an_offset_past_the_size_is_invalid() {
    let expected = ErrorKind::InvalidOffset { offset: 11, size: 10 };
    assert_eq!(invalid(11.., 10), expected);
    assert_eq!(invalid(11..12, 10), expected);
}

#[test]
fn a_start_past_its_own_end_is_invalid() {
    assert_eq!(
        ReadRange::Bounded(std::ops::Range { start: 5, end: 4 }).resolve(10).unwrap_err().kind(),
        ErrorKind::InvalidOffset { offset: 5, size: 10 }
    );
}

#[test]
fn the_last_bytes_are_all_where_there_are_fewer() {
    assert_eq!(ReadRange::Suffix(0).resolve(10).unwrap(), 10..10);
    assert_eq!(ReadRange::Suffix(3).resolve(10).unwrap(), 7..10);
    assert_eq!(ReadRange::Suffix(11).resolve(10).unwrap(), 0..10);
    assert_eq!(ReadRange::Suffix(u64::MAX).resolve(0).unwrap(), 0..0);
}

#[test]
fn every_range_of_the_language_is_one() {
    assert_eq!(ReadRange::from(..), ReadRange::Full);
    assert_eq!(ReadRange::from(3..), ReadRange::Offset(3));
    assert_eq!(ReadRange::from(3..5), ReadRange::Bounded(3..5));
    assert_eq!(ReadRange::from(..5), ReadRange::Bounded(0..5));
    assert_eq!(ReadRange::from(3..=5), ReadRange::Bounded(3..6));
    assert_eq!(ReadRange::from(..=5), ReadRange::Bounded(0..6));
}

#[test]
fn an_inclusive_end_of_the_largest_number_does_not_overflow() {
    assert_eq!(ReadRange::from(3..=u64::MAX).resolve(10).unwrap(), 3..10);
    assert_eq!(ReadRange::from(..=u64::MAX).resolve(10).unwrap(), 0..10);
}

/// Small numbers, which collide, and the largest.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![8 => 0..12_u64, 1 => Just(u64::MAX), 1 => Just(u64::MAX - 1)]
}

proptest! {
    /// Against the positions that the range means, one by one.
    #[test]
    fn a_range_resolves_to_its_positions(start in number(), end in number(), size in 0..12_u64) {
        let positions = |admits: &dyn Fn(u64) -> bool| -> Vec<u64> {
            (0..size).filter(|&at| admits(at)).collect()
        };
        let bounded = ReadRange::Bounded(start..end).resolve(size);
        let from = ReadRange::Offset(start).resolve(size);
        let last = ReadRange::Suffix(start).resolve(size).unwrap();
        prop_assert_eq!(bounded.is_err(), start > size || start > end);
        prop_assert_eq!(from.is_err(), start > size);
        if let Ok(range) = bounded {
            prop_assert_eq!(range.collect::<Vec<_>>(), positions(&|at| start <= at && at < end));
        }
        if let Ok(range) = from {
            prop_assert_eq!(range.collect::<Vec<_>>(), positions(&|at| start <= at));
        }
        prop_assert_eq!(last.end, size);
        prop_assert_eq!(last.collect::<Vec<_>>(), positions(&|at| size - at <= start));
    }
}
