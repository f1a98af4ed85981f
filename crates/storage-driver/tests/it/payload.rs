//! `Payload` and `Content`: clause 3.2 of the contract.

use std::{io::IoSlice, time::SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use proptest::prelude::*;
use storage_driver::{Content, Metadata, Path, Payload, Version};

/// `count` parts of one byte, each another than its neighbours.
fn single_bytes(count: usize) -> Vec<Bytes> {
    (0..count).map(|at| Bytes::from(vec![at as u8])).collect()
}

fn pointers<'a>(parts: impl IntoIterator<Item = &'a Bytes>) -> Vec<*const u8> {
    parts.into_iter().map(|part| part.as_ptr()).collect()
}

#[test]
fn a_new_one_is_empty() {
    let payload = Payload::new();
    assert!(payload.is_empty());
    assert_eq!(payload.len(), 0);
    assert_eq!(payload.parts().count(), 0);
    assert_eq!(payload.chunk(), b"");
    assert_eq!(payload.into_bytes(), "");
}

#[test]
fn an_empty_part_adds_nothing() {
    let mut payload = Payload::from(Bytes::new());
    payload.push(Bytes::new());
    assert_eq!(payload.parts().count(), 0);
    payload.push(Bytes::from("a"));
    payload.push(Bytes::new());
    assert_eq!(payload.parts().count(), 1);
    assert!(!payload.is_empty());
}

#[test]
fn parts_are_kept_without_a_copy() {
    for count in [1, 2, 128, 129, 130, 256, 257, 300] {
        let parts = single_bytes(count);
        let payload: Payload = parts.iter().cloned().collect();
        assert_eq!(payload.len(), count);
        assert_eq!(pointers(payload.parts()), pointers(&parts));
    }
}

#[test]
fn parts_are_given_back_as_they_are() {
    for count in [0, 1, 2, 128, 129, 130, 256, 257, 300] {
        let parts = single_bytes(count);
        let payload: Payload = parts.iter().cloned().collect();
        assert_eq!(pointers(&payload.into_iter().collect::<Vec<_>>()), pointers(&parts));
    }
}

#[test]
fn a_clone_shares_the_parts() {
    let payload: Payload = single_bytes(300).into_iter().collect();
    assert_eq!(pointers(payload.clone().parts()), pointers(payload.parts()));
}

#[test]
fn one_part_becomes_contiguous_without_a_copy() {
    let part = Bytes::from("content");
    assert_eq!(Payload::from(part.clone()).into_bytes().as_ptr(), part.as_ptr());
}

#[test]
fn several_parts_become_contiguous_by_a_copy() {
    let parts = single_bytes(300);
    let payload: Payload = parts.iter().cloned().collect();
    assert_eq!(payload.into_bytes(), parts.concat());
}

#[test]
fn bytes_of_the_first_part_are_split_off_without_a_copy() {
    let part = Bytes::from("content");
    let mut payload: Payload = [part.clone(), Bytes::from("more")].into_iter().collect();
    assert_eq!(payload.copy_to_bytes(3).as_ptr(), part.as_ptr());
    assert_eq!(payload.copy_to_bytes(4).as_ptr(), part[3..].as_ptr());
    assert_eq!(payload.copy_to_bytes(4), "more");
    assert!(payload.is_empty());
}

#[test]
#[should_panic(expected = "cannot advance 4 bytes, 3 left")]
fn advancing_past_the_end_panics() {
    Payload::from("abc").advance(4);
}

#[test]
#[should_panic(expected = "cannot take 4 bytes, 3 left")]
fn taking_past_the_end_panics() {
    Payload::from("abc").copy_to_bytes(4);
}

#[test]
fn anything_of_bytes_turns_into_one() {
    for payload in [
        Payload::from("abc"),
        Payload::from(b"abc"),
        Payload::from(&b"abc"[..]),
        Payload::from(String::from("abc")),
        Payload::from(b"abc".to_vec()),
        Payload::from(b"abc".to_vec().into_boxed_slice()),
        Payload::from(BytesMut::from("abc")),
        Payload::from(Bytes::from("abc")),
    ] {
        assert_eq!(payload.len(), 3);
        assert_eq!(payload.into_bytes(), "abc");
    }
}

#[test]
fn a_longer_payload_with_an_equal_start_is_not_equal() {
    let short: Payload = [Bytes::from("ab")].into_iter().collect();
    let long: Payload = [Bytes::from("ab"), Bytes::from("c")].into_iter().collect();
    assert_ne!(short, long);
    assert_ne!(Payload::from("abc"), Payload::from("abd"));
}

#[test]
fn the_debug_text_counts_and_shows_no_content() {
    let payload: Payload = single_bytes(3).into_iter().collect();
    assert_eq!(format!("{payload:?}"), "Payload(3 bytes in 3 parts)");
}

fn content(payload: Payload) -> Content {
    let path = Path::parse("/a").unwrap();
    Content::new(Metadata::new(path, 99, SystemTime::UNIX_EPOCH, Version::from(1)), payload)
}

#[test]
fn content_is_its_metadata_and_its_parts() {
    let parts = single_bytes(3);
    let content = content(parts.iter().cloned().collect());
    assert_eq!(content.metadata().size, 99);
    assert_eq!(pointers(content.payload().parts()), pointers(&parts));
    assert_eq!(pointers(content.into_payload().parts()), pointers(&parts));
}

#[test]
fn content_is_a_buf_over_its_parts() {
    let mut content = content(["ab", "cd"].map(Bytes::from).into_iter().collect());
    let mut slices = [IoSlice::new(b""); 4];
    assert_eq!(content.chunks_vectored(&mut slices), 2);
    assert_eq!((&*slices[0], &*slices[1]), (&b"ab"[..], &b"cd"[..]));
    content.advance(1);
    assert_eq!(content.remaining(), 3);
    assert_eq!(content.chunk(), b"b");
    let first = content.chunk().as_ptr();
    assert_eq!(content.copy_to_bytes(1).as_ptr(), first);
    assert_eq!(content.into_bytes(), "cd");
}

fn any_parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6), 0..300)
}

fn payload(parts: &[Vec<u8>]) -> Payload {
    parts.iter().cloned().map(Bytes::from).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Advance(usize),
    CopyToBytes(usize),
    CopyToSlice(usize),
    Push(Vec<u8>),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..40_usize).prop_map(Step::Advance),
        (0..40_usize).prop_map(Step::CopyToBytes),
        (0..40_usize).prop_map(Step::CopyToSlice),
        proptest::collection::vec(any::<u8>(), 0..6).prop_map(Step::Push),
    ]
}

proptest! {
    #[test]
    fn a_payload_is_a_buf_like_a_slice(
        parts in any_parts(),
        steps in proptest::collection::vec(any_step(), 0..60),
    ) {
        let whole = parts.concat();
        let mut model = whole;
        let mut payload = payload(&parts);
        for step in steps {
            match step {
                Step::Advance(count) => {
                    let count = count.min(model.len());
                    model.drain(..count);
                    payload.advance(count);
                }
                Step::CopyToBytes(count) => {
                    let count = count.min(model.len());
                    let expected: Vec<u8> = model.drain(..count).collect();
                    prop_assert_eq!(payload.copy_to_bytes(count), expected);
                }
                Step::CopyToSlice(count) => {
                    let count = count.min(model.len());
                    let expected: Vec<u8> = model.drain(..count).collect();
                    let mut taken = vec![0; count];
                    payload.copy_to_slice(&mut taken);
                    prop_assert_eq!(taken, expected);
                }
                Step::Push(part) => {
                    model.extend_from_slice(&part);
                    payload.push(Bytes::from(part));
                }
            }
            prop_assert_eq!(payload.remaining(), model.len());
            prop_assert_eq!(payload.len(), model.len());
            prop_assert_eq!(payload.has_remaining(), !model.is_empty());
            prop_assert_eq!(payload.chunk().is_empty(), model.is_empty());
            prop_assert!(model.starts_with(payload.chunk()));
            prop_assert_eq!(payload.parts().flatten().copied().collect::<Vec<_>>(), &model[..]);
            prop_assert!(payload.parts().all(|part| !part.is_empty()));
        }
        prop_assert_eq!(payload.into_iter().collect::<Vec<_>>().concat(), model);
    }

    #[test]
    fn the_slices_for_vectored_writing_are_its_first_parts(parts in any_parts(), room in 0..200_usize) {
        let payload = payload(&parts);
        let mut slices = vec![IoSlice::new(b"untouched"); room];
        let filled = payload.chunks_vectored(&mut slices);
        prop_assert_eq!(filled, payload.parts().count().min(room));
        let expected: Vec<&[u8]> = payload.parts().take(room).map(|part| &part[..]).collect();
        let given: Vec<&[u8]> = slices[..filled].iter().map(|slice| &**slice).collect();
        prop_assert_eq!(given, expected);
        prop_assert!(slices[filled..].iter().all(|slice| &**slice == b"untouched"));
    }

    #[test]
    fn equal_bytes_are_equal_however_they_are_cut(parts in any_parts(), at in any::<prop::sample::Index>()) {
        let whole = parts.concat();
        let cut = at.index(whole.len() + 1);
        let (left, right) = whole.split_at(cut);
        let other: Payload = [left, right].map(Bytes::copy_from_slice).into_iter().collect();
        prop_assert_eq!(payload(&parts), other);
    }

    #[test]
    fn one_byte_that_differs_makes_it_unequal(parts in any_parts(), at in any::<prop::sample::Index>()) {
        let mut whole = parts.concat();
        prop_assume!(!whole.is_empty());
        let at = at.index(whole.len());
        whole[at] ^= 1;
        prop_assert_ne!(payload(&parts), Payload::from(whole));
    }
}

proptest! {
    #[test]
    fn a_slice_is_that_of_the_bytes(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..40),
        start in 0..400_usize,
        length in 0..400_usize,
    ) {
        let whole = parts.concat();
        let payload: Payload = parts.into_iter().map(Bytes::from).collect();
        let at = |offset: usize| whole.len().min(offset);
        let expected = whole[at(start)..at(start + length)].to_vec();
        prop_assert_eq!(payload.slice(start..start + length), Payload::from(expected));
    }
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "what is tested")]
fn a_slice_that_ends_before_it_starts_is_empty() {
    let payload: Payload = single_bytes(9).into_iter().collect();
    assert!(payload.slice(5..2).is_empty());
}

#[test]
fn iterating_by_reference_visits_the_parts_of_every_block() {
    let payload: Payload = single_bytes(1000).into_iter().collect();
    let by_reference: Vec<Bytes> = (&payload).into_iter().cloned().collect();
    let by_value: Vec<Bytes> = payload.into_iter().collect();
    assert_eq!(by_reference.len(), 1000);
    assert_eq!(by_reference, by_value);
}
