//! Names order as their texts do.

use proptest::prelude::*;

use super::*;
use crate::budget::Pool;

fn name(text: &str) -> Name {
    Name::new(text, &Arc::new(Budget::new(None, Pool::new(0, 4096, false)))).unwrap()
}

#[test]
fn a_name_is_charged_with_its_length_until_the_last_clone_is_gone() {
    let budget = Arc::new(Budget::new(None, Pool::new(0, 4096, false)));
    let name = Name::new("a-long-enough-name", &budget).unwrap();
    let clone = name.clone();
    assert_eq!(budget.usage().index, (Usage::NAME + 18) as u64);
    drop(name);
    assert_eq!(clone.as_str(), "a-long-enough-name");
    assert_eq!(budget.usage().index, (Usage::NAME + 18) as u64);
    drop(clone);
    assert_eq!(budget.usage().index, 0);
}

#[test]
fn names_around_eight_bytes_order_as_their_texts() {
    let texts =
        ["a", "b", "ab", "abcdefg", "abcdefgh", "abcdefghi", "abcdefgi", "abcdefghh", "-", "~"];
    for a in texts {
        for b in texts {
            assert_eq!(name(a).cmp(Key::from(b)), a.cmp(b), "{a} and {b}");
            assert_eq!(name(a).cmp(name(b).key()), a.cmp(b), "{a} and {b}");
        }
    }
}

proptest! {
    #[test]
    fn random_names_order_as_their_texts(a in "[a-c._-]{1,12}", b in "[a-c._-]{1,12}") {
        prop_assert_eq!(name(&a).cmp(Key::from(&*b)), a.cmp(&b));
        prop_assert_eq!(name(&a).cmp(name(&a).key()), Ordering::Equal);
    }
}
