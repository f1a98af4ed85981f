//! The memory of a note.

use storage_driver::ErrorKind;

use super::*;
use crate::{budget::Pool, usage::Usage};

fn budget(capacity: Option<u64>) -> Arc<Budget> {
    Arc::new(Budget::new(capacity, Pool::new(Some(0), 4096, false)))
}

fn held(bytes: u64) -> Usage {
    Usage { uploads: bytes, ..Usage::default() }
}

#[test]
fn a_note_counts_with_its_length() {
    let budget = budget(None);
    let mut note = Note::none(&budget);
    assert_eq!(budget.usage(), held(0));
    for length in [7, 4096, 0, 100, 100, 3] {
        note.set(&vec![7; length]).unwrap();
        assert_eq!(budget.usage(), held(length as u64));
        assert_eq!(note.to_bytes(), vec![7; length]);
    }
    drop(note);
    assert_eq!(budget.usage(), held(0));
}

#[test]
fn a_cleared_note_releases_its_memory_once() {
    let budget = budget(None);
    let mut note = Note::none(&budget);
    note.set(b"note").unwrap();
    note.clear();
    assert_eq!(budget.usage(), held(0));
    drop(note);
    assert_eq!(budget.usage(), held(0));
}

#[test]
fn a_note_without_room_leaves_the_old_one() {
    let budget = budget(Some(10));
    let mut note = Note::none(&budget);
    note.set(b"0123456").unwrap();
    let full = note.set(b"0123456789a").unwrap_err();
    assert!(matches!(full.kind(), ErrorKind::StorageFull { .. }));
    assert_eq!((note.to_bytes(), budget.usage()), (Bytes::from("0123456"), held(7)));
}

#[test]
fn a_note_of_the_same_length_needs_no_room() {
    let budget = budget(Some(7));
    let mut note = Note::none(&budget);
    note.set(b"0123456").unwrap();
    note.set(b"abcdefg").unwrap();
    assert_eq!((note.to_bytes(), budget.usage()), (Bytes::from("abcdefg"), held(7)));
}
