//! Helpers of the tests.

use std::time::Instant;

use bucket_model::{Checked, Claim, Rule, Scenario};

/// Explores every state of a scenario, in which every claim has to hold.
pub(crate) fn holds(name: &str, scenario: &Scenario) {
    let start = Instant::now();
    let checked = scenario.explore();
    eprintln!("{name}: {} states in {:.1?}", checked.states, start.elapsed());
    if checked.counterexample.is_some() {
        // The shortest one explains more.
        let shortest = scenario.find().counterexample;
        panic!("{name}: {}", shortest.or(checked.counterexample).unwrap());
    }
}

/// A scenario in which every claim holds, and in which one of `claims` does not if `rule` is left out.
pub(crate) fn matters(rule: Rule, claims: &[Claim], scenario: &Scenario) {
    holds(&format!("{rule:?}, {:?}", scenario.deletes), scenario);
    breaks(rule, claims, &scenario.clone().without(rule).find());
}

/// What was found without `rule` is a counterexample to one of `claims`.
pub(crate) fn breaks(rule: Rule, claims: &[Claim], checked: &Checked) {
    let Some(counterexample) = &checked.counterexample else {
        panic!("without {rule:?}: no counterexample in {} states", checked.states);
    };
    eprintln!("without {rule:?}, after {} states: {counterexample}", checked.states);
    assert!(claims.contains(&counterexample.claim), "without {rule:?}: {counterexample}");
}
