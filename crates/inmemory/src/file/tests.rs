//! The memory of a file, by owner.

use super::*;
use crate::budget::Pool;

const STAMP: Stamp = Stamp { modified: Timestamp(5), version: 7 };

fn budget(capacity: Option<u64>) -> Arc<Budget> {
    Arc::new(Budget::new(capacity, Pool::new(Some(0), 4096, false)))
}

fn small(budget: &Arc<Budget>, text: &str, content: &'static str) -> File {
    File::small(budget, text, &content.into(), STAMP).unwrap()
}

fn bytes(file: &File) -> Bytes {
    file.rope().payload(0..file.size()).into_bytes()
}

/// Committed, pinned, index.
fn counted(budget: &Budget) -> (u64, u64, u64) {
    let usage = budget.usage();
    (usage.committed, usage.pinned, usage.index)
}

#[test]
fn a_small_file_has_its_text_and_its_content() {
    let budget = budget(None);
    let content = Payload::from_iter([Bytes::from("con"), Bytes::from("tent")]);
    let file = File::small(&budget, "name/below", &content, STAMP).unwrap();
    assert_eq!((file.text(), file.name(), file.size()), ("name/below", "name", 7));
    assert_eq!((bytes(&file), file.content()), ("content".into(), &b"content"[..]));
    assert_eq!(file.stamp(), STAMP);
}

#[test]
fn the_longest_text_and_the_most_content_fit() {
    let budget = budget(None);
    let text = "a".repeat(Path::MAX_BYTES - 1);
    let file = File::small(&budget, &text, &vec![7; SMALL].into(), STAMP).unwrap();
    assert_eq!((file.text(), bytes(&file)), (&*text, vec![7; SMALL].into()));
}

#[test]
fn a_small_file_is_one_slot_of_32_bytes_more_than_its_text_and_content() {
    let budget = budget(None);
    let file = small(&budget, "12345", "abc");
    assert_eq!(budget.slabs().used(), 40);
    drop(file);
    assert_eq!(budget.slabs().used(), 0);
}

#[test]
fn a_read_copies_nothing() {
    let budget = budget(None);
    let file = small(&budget, "name", "content");
    assert_eq!(bytes(&file).as_ptr(), file.content().as_ptr());
}

#[test]
fn names_order_as_their_texts_whatever_is_below() {
    let budget = budget(None);
    let names = ["a", "ab", "a-b", "a.b", "b", "a0", "aa"];
    for name in names {
        for text in [name.to_owned(), format!("{name}/x"), format!("{name}/-/y")] {
            let file = small(&budget, &text, "");
            for other in names {
                assert_eq!(file.order(other), name.cmp(other), "{text} and {other}");
            }
        }
    }
}

#[test]
fn content_is_pinned_once_only_readers_hold_it() {
    let budget = budget(None);
    let index = (Usage::FILE + 4) as u64;
    let file = small(&budget, "name", "content");
    assert_eq!(counted(&budget), (7, 0, index));
    let (twin, read) = (file.clone(), bytes(&file));
    drop(file);
    assert_eq!(counted(&budget), (7, 0, index));
    drop(twin);
    assert_eq!(counted(&budget), (0, 7, index));
    assert_eq!(read, "content");
    drop(read);
    assert_eq!(counted(&budget), (0, 0, 0));
}

#[test]
fn a_file_without_room_takes_nothing() {
    let budget = budget(Some(50));
    assert!(File::small(&budget, "name", &"content".into(), STAMP).is_err());
    assert_eq!(counted(&budget), (0, 0, 0));
}

#[test]
fn a_copy_takes_room_and_a_move_finds_it() {
    let budget = budget(Some((Usage::FILE + 4 + 7) as u64));
    let file = small(&budget, "name", "content");
    assert!(file.copied(&budget, "other", None).is_err());
    assert!(file.moved(&budget, "longer", None).is_err());
    let read = bytes(&file);
    assert!(file.moved(&budget, "othe", None).is_err(), "a reader keeps it");
    drop(read);
    let moved = file.moved(&budget, "othe", None).unwrap();
    drop(file);
    assert_eq!((moved.text(), bytes(&moved), moved.stamp()), ("othe", "content".into(), STAMP));
    assert_eq!(budget.available(), 0);
    drop(moved);
    assert_eq!(counted(&budget), (0, 0, 0));
}

#[test]
fn a_large_file_is_copied_without_its_content() {
    let budget = budget(None);
    let blob = FileBlob::publish(&budget, Rope::One("content".into()), 0, &mut None).unwrap();
    let charge = File::charge(&budget, "name").unwrap();
    let file = File::large("name", blob, STAMP, charge);
    let stamp = Stamp { version: 8, ..STAMP };
    let copy = file.copied(&budget, "other/name", Some(stamp)).unwrap();
    assert_eq!(bytes(&file).as_ptr(), bytes(&copy).as_ptr());
    assert_eq!((copy.text(), copy.stamp(), copy.size()), ("other/name", stamp, 7));
    assert_eq!(counted(&budget).2, (2 * Usage::FILE + Usage::BLOB + 4 + 10) as u64);
    drop((file, copy));
    assert_eq!(counted(&budget), (0, 0, 0));
}
