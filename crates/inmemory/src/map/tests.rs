//! A map against the standard library's, and the shape of its nodes.

use std::{collections::BTreeMap, ops::Bound};

use proptest::prelude::*;

use super::{
    key::{between, head},
    node::{FANOUT, LEAST},
    *,
};
/// A name and a number.
#[derive(Debug, Clone, PartialEq)]
struct Item(String, u32);

impl Named for Item {
    fn name(&self) -> &str {
        &self.0
    }
}

/// The budget of the maps of this thread.
fn budget() -> StdArc<Budget> {
    thread_local! {
        static BUDGET: StdArc<Budget> =
            StdArc::new(Budget::new(None, crate::budget::Pool::new(Some(0), 4096, false)));
    }
    BUDGET.with(StdArc::clone)
}

type Model = BTreeMap<String, u32>;

/// A map and its expected entries.
#[derive(Clone, Default)]
struct Pair {
    map: Map<Item>,
    model: Model,
}

/// Names that have their first eight bytes in common with a hundred others.
fn key(number: usize) -> String {
    format!("name-{number:05}")
}

impl Pair {
    fn with(numbers: impl IntoIterator<Item = usize>) -> Self {
        let mut pair = Self::default();
        numbers.into_iter().for_each(|number| pair.insert(number, 0));
        pair
    }

    fn insert(&mut self, number: usize, value: u32) {
        let key = key(number);
        let old = self.map.insert(&budget(), Item(key.clone(), value)).map(|item| item.1);
        assert_eq!(old, self.model.insert(key, value));
    }

    fn remove(&mut self, number: usize) {
        let key = key(number);
        assert_eq!(self.map.remove(&key).map(|item| item.1), self.model.remove(&key));
    }

    fn change(&mut self, number: usize, value: u32) {
        let key = key(number);
        let changed = self.map.get_mut(&key).map(|item| &mut item.1);
        let expected = self.model.get_mut(&key);
        assert_eq!(changed, expected);
        if let (Some(changed), Some(expected)) = (changed, expected) {
            *changed = value;
            *expected = value;
        }
    }

    fn take_range(&mut self, start: usize, end: Option<usize>) -> Self {
        let (start, end) = (key(start), end.map(key));
        let inside = |key: &String| *key >= start && end.as_ref().is_none_or(|end| key < end);
        let map = self.map.take_range(&start, end.as_deref());
        let (taken, kept) =
            std::mem::take(&mut self.model).into_iter().partition(|(key, _)| inside(key));
        self.model = kept;
        Self { map, model: taken }
    }

    /// Checks entries and shape; returns the number of levels.
    fn check(&self) -> usize {
        assert_eq!(contents(&self.map, None), Vec::from_iter(self.model.clone()));
        assert_eq!(self.map.has_many(), self.model.len() > 1);
        self.map.root.as_ref().map_or(0, |root| shape(root, true, None, None))
    }
}

fn contents(map: &Map<Item>, start: Option<&str>) -> Vec<(String, u32)> {
    let mut iter = map.iter_after(start);
    std::iter::from_fn(|| {
        let item = iter.peek().map(|item| (item.0.clone(), item.1));
        iter.advance();
        item
    })
    .collect()
}

/// Checks a child of names from `low` up to, not including, `high`; returns its number of levels.
fn shape(child: &Child<Item>, root: bool, low: Option<&str>, high: Option<&str>) -> usize {
    let least = match child {
        _ if !root => LEAST,
        Child::Leaf(_) => 1,
        Child::Inner(_) => 2,
    };
    assert!((least..=FANOUT).contains(&child.len()), "a node has {} entries", child.len());
    match child {
        Child::Leaf(leaf) => {
            let names: Vec<&str> = leaf.slots().iter().map(|slot| slot.name().unwrap()).collect();
            assert!(names.is_sorted());
            assert!(leaf.slots().iter().all(|slot| slot.head == head(slot.name().unwrap())));
            let inside = |name: &str| {
                low.is_none_or(|low| low <= name) && high.is_none_or(|high| name < high)
            };
            assert!(names.into_iter().all(inside), "a name is in the wrong leaf");
            1
        }
        Child::Inner(inner) => {
            let levels = inner.branches.iter().enumerate().map(|(index, branch)| {
                let first = |index: usize| {
                    let branch = inner.branches.get(index)?;
                    let head =
                        String::from_utf8(inner.heads[index].to_be_bytes().to_vec()).unwrap();
                    let head = head.trim_end_matches('\0').to_owned();
                    Some(if branch.first.is_empty() { head } else { branch.first.to_string() })
                };
                let (this, next) = (first(index), first(index + 1));
                let low = if index == 0 { low } else { this.as_deref() };
                shape(&branch.child, false, low, next.as_deref().or(high))
            });
            let levels: Vec<usize> = levels.collect();
            assert!(levels.iter().all(|&level| level == levels[0]), "leaves on several levels");
            levels[0] + 1
        }
    }
}

/// How many nodes two maps share.
fn shared(a: &Map<Item>, b: &Map<Item>) -> usize {
    fn nodes(child: &Child<Item>, all: &mut Vec<*const ()>) {
        match child {
            Child::Leaf(leaf) => all.push(leaf.0.items().as_ptr().cast()),
            Child::Inner(inner) => {
                all.push(Arc::as_ptr(inner).cast());
                inner.branches.iter().for_each(|branch| nodes(&branch.child, all));
            }
        }
    }
    let (mut of_a, mut of_b) = (Vec::new(), Vec::new());
    a.root.iter().for_each(|root| nodes(root, &mut of_a));
    b.root.iter().for_each(|root| nodes(root, &mut of_b));
    of_a.iter().filter(|node| of_b.contains(node)).count()
}

#[test]
fn heads_order_as_the_beginnings_of_their_texts() {
    let texts =
        ["", "a", "b", "ab", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "abcdefghh", "-", "~"];
    for a in texts {
        for b in texts {
            let (first, second) = (Key::from(a), Key::from(b));
            assert_eq!(first.head.cmp(&second.head).then(a.cmp(b)), a.cmp(b), "{a} and {b}");
        }
    }
}

#[test]
fn a_text_between_two_names_is_as_short_as_can_be() {
    let text = |left, right| {
        let (head, first) = between(left, right);
        (head.to_be_bytes(), first.into_string())
    };
    assert_eq!(text("abc", "abd"), (*b"abd\0\0\0\0\0", String::new()));
    assert_eq!(text("abc", "b"), (*b"b\0\0\0\0\0\0\0", String::new()));
    assert_eq!(text("abc", "bcd"), (*b"b\0\0\0\0\0\0\0", String::new()));
    assert_eq!(text("abcdefg", "abcdefgh"), (*b"abcdefgh", String::new()));
    assert_eq!(text("abcdefgh", "abcdefghij"), (*b"abcdefgh", "abcdefghi".to_owned()));
}

#[test]
fn an_empty_map_has_nothing() {
    let mut map = Map::<Item>::default();
    assert!(map.is_empty());
    assert!(!map.has_many());
    assert_eq!(map.get("a"), None);
    assert_eq!(map.get_mut("a"), None);
    assert_eq!(map.remove("a"), None);
    assert_eq!(contents(&map, None), []);
    assert_eq!(contents(&map, Some("a")), []);
    assert_eq!(map.drain().flatten().count(), 0);
}

#[test]
fn a_leaf_holds_the_fan_out_and_no_more() {
    assert_eq!(Pair::with(0..FANOUT).check(), 1);
    assert_eq!(Pair::with(0..=FANOUT).check(), 2);
}

/// The leaves of a map, as their places in memory and their numbers of slots.
fn leaves(map: &Map<Item>) -> Vec<(*const (), usize)> {
    fn leaves(child: &Child<Item>, all: &mut Vec<(*const (), usize)>) {
        match child {
            Child::Leaf(leaf) => all.push((leaf.0.items().as_ptr().cast(), leaf.0.items().len())),
            Child::Inner(inner) => inner.branches.iter().for_each(|b| leaves(&b.child, all)),
        }
    }
    let mut all = Vec::new();
    map.root.iter().for_each(|root| leaves(root, &mut all));
    all
}

#[test]
fn entries_are_inserted_and_removed_in_place() {
    let mut pair = Pair::with(0..FANOUT);
    let before = leaves(&pair.map);
    (0..FANOUT / 2).for_each(|number| pair.remove(number * 2));
    assert_eq!(leaves(&pair.map), before);
    (0..FANOUT / 2).for_each(|number| pair.insert(number * 2, 1));
    assert_eq!(leaves(&pair.map), before);
    pair.check();
}

#[test]
fn more_than_half_of_a_leaf_is_never_spare() {
    let mut pair = Pair::with(0..1000);
    for number in (0..1000).map(|n| n * 7 % 1000) {
        pair.remove(number);
        let slots: usize = leaves(&pair.map).iter().map(|leaf| leaf.1).sum();
        let most = 2 * pair.model.len() + 4 * leaves(&pair.map).len();
        assert!(slots <= most, "{slots} slots for {} entries", pair.model.len());
    }
}

#[test]
fn ascending_names_make_four_levels() {
    assert_eq!(Pair::with(0..10_000).check(), 4);
}

#[test]
fn descending_names_make_four_levels() {
    assert_eq!(Pair::with((0..10_000).rev()).check(), 4);
}

#[test]
fn scattered_names_stay_sorted() {
    // 7919 and 10,000 have no common factor, so that each number occurs once.
    let pair = Pair::with((0..10_000).map(|n| n * 7919 % 10_000));
    assert!(pair.check() >= 3);
    assert_eq!(pair.model.len(), 10_000);
}

#[test]
fn every_name_is_found_and_no_other() {
    let pair = Pair::with((0..3000).map(|n| n * 2));
    for number in 0..6000 {
        assert_eq!(pair.map.get(&key(number)).is_some(), number % 2 == 0, "{number}");
    }
}

#[test]
fn iteration_begins_after_every_start() {
    let pair = Pair::with((0..600).map(|n| n * 2));
    assert_eq!(pair.check(), 3);
    for number in 0..=1200 {
        let start = key(number);
        let after = (Bound::Excluded(start.clone()), Bound::Unbounded);
        let expected: Vec<_> = pair.model.range(after).map(|(k, v)| (k.clone(), *v)).collect();
        assert_eq!(contents(&pair.map, Some(&start)), expected, "{number}");
    }
    assert_eq!(contents(&pair.map, Some("")), contents(&pair.map, None));
}

#[test]
fn removal_in_ascending_order_keeps_the_shape() {
    let mut pair = Pair::with(0..10_000);
    for number in 0..10_000 {
        pair.remove(number);
        if number % 97 == 0 {
            pair.check();
        }
    }
    assert!(pair.map.root.is_none());
}

#[test]
fn removal_in_descending_order_keeps_the_shape() {
    let mut pair = Pair::with(0..10_000);
    for number in (0..10_000).rev() {
        pair.remove(number);
        if number % 97 == 0 {
            pair.check();
        }
    }
    assert!(pair.map.root.is_none());
}

#[test]
fn removal_in_scattered_order_keeps_the_shape() {
    let mut pair = Pair::with(0..10_000);
    for step in 0..10_000 {
        pair.remove(step * 7919 % 10_000);
        if step % 97 == 0 {
            pair.check();
        }
    }
    assert!(pair.map.root.is_none());
}

#[test]
fn a_change_after_a_clone_copies_one_node_a_level() {
    let pair = Pair::with(0..5000);
    let levels = pair.check();
    let mut twin = pair.clone();
    let all = shared(&pair.map, &twin.map);
    twin.change(2500, 1);
    assert_eq!(all - shared(&pair.map, &twin.map), levels);
}

#[test]
fn a_removal_that_leaves_a_node_half_full_copies_one_node_a_level() {
    // Ascending names leave every node half full; one more between them can go again.
    let mut pair = Pair::with((0..5000).map(|n| n * 2));
    pair.insert(4001, 0);
    let levels = pair.check();
    let mut twin = pair.clone();
    let all = shared(&pair.map, &twin.map);
    twin.remove(4001);
    assert_eq!(all - shared(&pair.map, &twin.map), levels);
}

#[test]
fn a_name_that_is_not_there_changes_nothing() {
    let mut pair = Pair::with(0..5000);
    let mut twin = pair.clone();
    twin.remove(7000);
    twin.change(7000, 1);
    pair.remove(7000);
    twin.check();
    pair.check();
}

#[test]
fn a_change_without_a_clone_copies_nothing() {
    let mut map = Pair::with(0..5000).map;
    let before = map.get(&key(2500)).map(std::ptr::from_ref);
    map.get_mut(&key(2500)).unwrap().1 = 1;
    assert_eq!(map.get(&key(2500)).map(std::ptr::from_ref), before);
}

#[test]
fn iteration_continues_as_the_map_was() {
    let mut pair = Pair::with(0..2000);
    let expected = pair.model.len();
    let mut iter = pair.map.iter_after(None);
    for _ in 0..700 {
        assert!(iter.peek().is_some());
        iter.advance();
    }
    (0..2000).for_each(|number| pair.remove(number));
    let left = std::iter::from_fn(|| iter.peek().is_some().then(|| iter.advance())).count();
    assert_eq!(700 + left, expected);
}

#[test]
fn the_next_entry_after_a_name_is_the_first_of_the_rest() {
    let mut map = Map::default();
    for count in [0, 1, 20, 3000] {
        (0..count).for_each(|number| drop(map.insert(&budget(), Item(key(2 * number), 0))));
        for number in 0..2 * count + 2 {
            let next = map.iter_after(Some(&key(number))).peek().cloned();
            assert_eq!(map.next_after(&key(number)).cloned(), next);
        }
        assert_eq!(map.next_after("").cloned(), map.iter_after(None).peek().cloned());
    }
}

#[test]
fn a_drain_of_all_values_leaves_clones_as_they_are() {
    let mut pair = Pair::with(0..3000);
    let clone = pair.clone();
    (0..100).for_each(|number| pair.remove(number));
    let mut names: Vec<_> = pair.map.drain_all().flatten().map(|item| item.0).collect();
    names.sort_unstable();
    assert_eq!(names, Vec::from_iter(pair.model.into_keys()));
    clone.check();
}

#[test]
fn drain_returns_every_value_once() {
    let mut map = Map::default();
    for number in 0..5000 {
        map.insert(&budget(), Item(key(number as usize), number));
    }
    let mut values: Vec<_> = map.drain().flatten().map(|item| item.1).collect();
    values.sort_unstable();
    assert_eq!(values, Vec::from_iter(0..5000));
    assert_eq!(contents(&map, None), []);
}

#[test]
fn drain_leaves_the_nodes_that_a_clone_holds() {
    let mut pair = Pair::with(0..3000);
    let twin = pair.clone();
    assert_eq!(pair.map.drain().flatten().count(), 0);
    twin.check();
    pair = twin;
    assert_eq!(pair.map.drain().flatten().count(), 3000);
}

#[test]
fn drain_takes_the_nodes_that_a_clone_does_not_hold() {
    let mut pair = Pair::with(0..3000);
    let twin = pair.clone();
    pair.change(1500, 1);
    let drained = pair.map.drain().flatten().count();
    assert!((1..=FANOUT).contains(&drained), "{drained} values of one leaf");
    twin.check();
}

#[test]
fn every_range_can_be_taken_out() {
    let pair = Pair::with(0..700);
    for start in (0..=700).step_by(23) {
        for end in (start..=700).step_by(37).map(Some).chain([None]) {
            let mut left = pair.clone();
            left.take_range(start, end).check();
            left.check();
        }
    }
    pair.check();
}

#[test]
fn a_range_is_taken_out_in_a_few_steps_a_level() {
    let mut pair = Pair::with(0..50_000);
    let levels = pair.check();
    work::take_count();
    let taken = pair.take_range(1000, Some(49_000));
    let steps = work::take_count();
    assert!(steps <= 20 * levels, "{steps} steps");
    assert_eq!(taken.model.len(), 48_000);
    taken.check();
    pair.check();
}

#[test]
fn names_that_order_before_a_range_that_was_taken_out_can_be_put_to_it() {
    for start in [1, 40, 700, 1400] {
        let mut taken = Pair::with(300..1500).take_range(start, None);
        (0..300).for_each(|number| taken.insert(number, 1));
        taken.check();
    }
}

#[test]
fn a_range_of_a_clone_is_taken_out_of_the_clone_alone() {
    let pair = Pair::with(0..5000);
    let mut twin = pair.clone();
    twin.take_range(100, Some(4900)).check();
    twin.check();
    pair.check();
}

#[derive(Debug, Clone)]
enum Step {
    Insert(usize, usize),
    Remove(usize, usize),
    Change(usize),
    /// Keeps a clone, to be checked at the end.
    Clone,
    /// Continues with a clone that was kept.
    Back(prop::sample::Index),
    After(usize),
    /// Continues without a range, or with nothing but the range.
    Take(usize, usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let number = 0..1500_usize;
    let run = prop_oneof![4 => 1..4_usize, 1 => 30..300_usize];
    prop_oneof![
        4 => (number.clone(), run.clone()).prop_map(|(at, n)| Step::Insert(at, n)),
        4 => (number.clone(), run).prop_map(|(at, n)| Step::Remove(at, n)),
        2 => number.clone().prop_map(Step::Change),
        1 => Just(Step::Clone),
        1 => any::<prop::sample::Index>().prop_map(Step::Back),
        1 => number.clone().prop_map(Step::After),
        1 => (number, 0..1500_usize, any::<bool>()).prop_map(|(at, n, with)| Step::Take(at, n, with)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_steps_agree_with_a_btree_map(
        filled in prop_oneof![Just(0), Just(1500)],
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut pair = Pair::with(0..filled);
        let mut kept = vec![Pair::default()];
        for (time, step) in (1..).zip(steps) {
            match step {
                Step::Insert(at, n) => (at..at + n).for_each(|number| pair.insert(number, time)),
                Step::Remove(at, n) => (at..at + n).for_each(|number| pair.remove(number)),
                Step::Change(at) => pair.change(at, time),
                Step::Clone => kept.push(pair.clone()),
                Step::Back(index) => {
                    let next = index.get(&kept).clone();
                    kept.push(std::mem::replace(&mut pair, next));
                }
                Step::Take(at, n, with) => {
                    let mut taken = pair.take_range(at, Some(at + n));
                    if with {
                        std::mem::swap(&mut taken, &mut pair);
                    }
                    kept.push(taken);
                }
                Step::After(at) => {
                    let start = key(at);
                    let after = (Bound::Excluded(start.clone()), Bound::Unbounded);
                    let expected: Vec<_> =
                        pair.model.range(after).map(|(k, v)| (k.clone(), *v)).collect();
                    prop_assert_eq!(contents(&pair.map, Some(&start)), expected);
                }
            }
            if time % 16 == 0 {
                pair.check();
            }
        }
        kept.push(pair);
        for pair in &kept {
            pair.check();
        }
    }
}
