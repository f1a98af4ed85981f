//! Every clause of the contract has a behaviour that tests it.

use std::collections::BTreeSet;

use storage_driver_conformance::behaviours;

/// The number of clauses in each of the ten groups: 1.1 to 1.5, 2.1 to 2.4, and so on.
const CLAUSES: [usize; 10] = [5, 4, 4, 6, 18, 7, 7, 6, 5, 5];

/// Clauses that no run of a driver can test, and what tests them instead.
const SHOWN_ELSEWHERE: &[(&str, &str)] = &[
    ("5.2", "a doctest of this crate that must not compile"),
    ("10.2", "the tests of this crate on its plan and its report"),
];

fn all() -> BTreeSet<String> {
    let groups = CLAUSES.iter().enumerate();
    groups.flat_map(|(i, count)| (1..=*count).map(move |n| format!("{}.{n}", i + 1))).collect()
}

fn named() -> BTreeSet<String> {
    let clauses = behaviours().iter().flat_map(|behaviour| behaviour.clauses);
    clauses.map(|clause| clause.to_string()).collect()
}

#[test]
fn every_clause_is_named_by_a_behaviour_or_shown_elsewhere() {
    let elsewhere = SHOWN_ELSEWHERE.iter().map(|(clause, _)| clause.to_string()).collect();
    let missing: Vec<_> = all().difference(&(&named() | &elsewhere)).cloned().collect();
    assert!(missing.is_empty(), "no behaviour names {missing:?}");
}

#[test]
fn every_clause_that_a_behaviour_names_exists() {
    let unknown: Vec<_> = named().difference(&all()).cloned().collect();
    assert!(unknown.is_empty(), "there are no clauses {unknown:?}");
}

#[test]
fn every_behaviour_names_a_clause() {
    assert!(behaviours().iter().all(|behaviour| !behaviour.clauses.is_empty()));
}

#[test]
fn no_two_behaviours_have_one_name() {
    let names: BTreeSet<_> = behaviours().iter().map(|behaviour| behaviour.name).collect();
    assert_eq!(names.len(), behaviours().len());
}

#[test]
fn there_are_more_than_120_behaviours() {
    assert!(behaviours().len() > 120);
}
