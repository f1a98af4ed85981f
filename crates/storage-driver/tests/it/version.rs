//! `Version` and `Precondition`: clauses 2.1 and 3.4 of the contract.

use std::collections::HashSet;

use proptest::prelude::*;
use storage_driver::{ErrorKind, Precondition, Version};

#[test]
fn a_number_is_sixteen_hexadecimal_digits() {
    assert_eq!(Version::from(0).as_str(), "0000000000000000");
    assert_eq!(Version::from(0x0123_4567_89ab_cdef).as_str(), "0123456789abcdef");
    assert_eq!(Version::from(u64::MAX).as_str(), "ffffffffffffffff");
}

#[test]
fn a_number_and_its_digits_are_the_same_token() {
    assert_eq!(Version::from(255), Version::new("00000000000000ff"));
}

#[test]
fn a_version_is_displayed_as_its_token() {
    let version = Version::new("etag");
    assert_eq!(version.to_string(), "etag");
    assert_eq!(format!("{version:>6}"), "  etag");
    assert_eq!(format!("{version:?}"), "Version(\"etag\")");
}

#[test]
fn a_token_that_is_another_with_nul_behind_is_another() {
    assert_ne!(Version::new("a"), Version::new("a\0"));
    assert_eq!(HashSet::from([Version::new("a"), Version::new("a\0"), Version::new("a")]).len(), 2);
}

#[test]
fn no_precondition_always_holds() {
    assert_eq!(Precondition::default(), Precondition::None);
    assert!(Precondition::None.is_none());
    assert!(Precondition::None.check(None).is_ok());
    assert!(Precondition::None.check(Some(&Version::from(1))).is_ok());
}

#[test]
fn if_absent_holds_where_nothing_is() {
    assert!(!Precondition::IfAbsent.is_none());
    assert!(Precondition::IfAbsent.check(None).is_ok());
    let error = Precondition::IfAbsent.check(Some(&Version::from(1))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PreconditionFailed);
}

#[test]
fn if_absent_is_no_precondition_of_a_deletion() {
    assert!(Precondition::None.require_existing().is_ok());
    assert!(Precondition::IfVersion(Version::from(1)).require_existing().is_ok());
    let error = Precondition::IfAbsent.require_existing().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[test]
fn if_version_holds_of_that_version_alone() {
    let precondition = Precondition::IfVersion(Version::from(1));
    assert!(!precondition.is_none());
    assert!(precondition.check(Some(&Version::from(1))).is_ok());
    assert!(precondition.check(Some(&Version::from(2))).unwrap_err().is_precondition_failed());
    assert!(precondition.check(None).unwrap_err().is_precondition_failed());
}

#[cfg(feature = "serde")]
#[test]
fn a_version_is_serialized_as_a_string() {
    let version = Version::new("a longer token than is held inline");
    let json = serde_json::to_string(&version).unwrap();
    assert_eq!(json, "\"a longer token than is held inline\"");
    assert_eq!(serde_json::from_str::<Version>(&json).unwrap(), version);
}

proptest! {
    /// Of every length around the one up to which a token is held inline.
    #[test]
    fn a_token_is_read_back_and_equals_only_itself(a in "[ab]{0,30}", b in "[ab]{0,30}") {
        let (first, second) = (Version::new(&a), Version::new(&b));
        prop_assert_eq!(first.as_str(), a.as_str());
        prop_assert_eq!(first == second, a == b);
    }
}

#[test]
fn a_token_of_22_bytes_and_one_of_23_come_back() {
    for length in 20..26 {
        let token = "é".repeat(length / 2) + &"x".repeat(length % 2);
        assert_eq!(Version::new(&token).as_str(), token);
    }
}
