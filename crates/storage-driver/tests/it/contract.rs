//! The contract's page: its clauses are numbered without gaps, and each has an anchor.

const PAGE: &str = include_str!("../../src/contract.rs");

/// The clauses as they stand on the page: the anchor and the number in bold.
fn clauses() -> Vec<(&'static str, &'static str)> {
    let anchored = PAGE.split("- <a id=\"").skip(1);
    anchored
        .map(|rest| {
            let (anchor, rest) = rest.split_once("\"></a>**").expect("an anchor precedes a number");
            (anchor, rest.split_once("** ").expect("a number is followed by a text").0)
        })
        .collect()
}

#[test]
fn the_anchor_of_a_clause_is_its_number() {
    for (anchor, number) in clauses() {
        assert_eq!(anchor, number);
    }
}

#[test]
fn clauses_are_numbered_without_gaps() {
    let counts = [5, 4, 4, 6, 18, 7, 7, 6, 5, 5];
    let groups = (1..).zip(counts);
    let expected: Vec<String> = groups
        .flat_map(|(group, count)| (1..=count).map(move |n| format!("{group}.{n}")))
        .collect();
    let found: Vec<&str> = clauses().into_iter().map(|(anchor, _)| anchor).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_link_to_a_clause_leads_to_one() {
    let known: Vec<&str> = clauses().into_iter().map(|(anchor, _)| anchor).collect();
    for source in [
        include_str!("../../src/driver.rs"),
        include_str!("../../src/writer.rs"),
        include_str!("../../COMPARE.md"),
    ] {
        let links = source.split("crate::contract#").skip(1);
        for link in links.map(|rest| rest.split(')').next().unwrap_or_default()) {
            assert!(known.contains(&link), "there is no clause {link}");
        }
    }
}
