//! Helpers of the tests.

use std::time::Instant;

use bucket_model::{Claim, Rule, Scenario};

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

/// A scenario in which every claim holds, and in which `claim` does not if `rule` is left out.
pub(crate) fn matters(rule: Rule, claim: Claim, scenario: &Scenario) {
    let name = format!("{rule:?}, {:?}", scenario.deletes);
    holds(&name, scenario);
    let rules = scenario.rules.without(rule);
    let checked = scenario.clone().rules(rules).find();
    let Some(counterexample) = checked.counterexample else {
        panic!("{name}: no counterexample in {} states", checked.states);
    };
    eprintln!("without {name}: {counterexample}");
    assert_eq!(counterexample.claim, claim, "{name}: {counterexample}");
}
