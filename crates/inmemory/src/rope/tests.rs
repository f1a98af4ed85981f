//! A rope against a plain vector, and the shape of its nodes.

use proptest::prelude::*;

use super::*;

/// A segment whose bytes identify the segment and their position in it.
fn segment(number: usize, length: usize) -> Bytes {
    (0..length).map(|at| (number * 31 + at * 7) as u8).collect()
}

fn rope_of(segments: &[Bytes]) -> Rope {
    let mut rope = Rope::default();
    segments.iter().cloned().for_each(|segment| rope.push(segment));
    rope
}

fn bytes(rope: &Rope) -> Vec<u8> {
    rope.payload(0..rope.len()).into_bytes().to_vec()
}

/// Checks that no node is too large and that ends are right; returns the number of levels of nodes.
fn shape(rope: &Rope) -> usize {
    fn check(node: &Node) -> usize {
        let lengths: Vec<u64> = match &node.children {
            Children::Segments(segments) => segments.iter().map(|s| s.len() as u64).collect(),
            Children::Nodes(nodes) => nodes.iter().map(|node| node.len()).collect(),
        };
        assert!((1..=FANOUT).contains(&lengths.len()), "a node has {} children", lengths.len());
        let ends = lengths.iter().scan(0, |end, length| {
            *end += length;
            Some(*end)
        });
        assert_eq!(node.ends, ends.collect::<Vec<_>>());
        let levels = match &node.children {
            Children::Segments(_) => 1,
            Children::Nodes(nodes) => {
                let levels: Vec<_> = nodes.iter().map(|node| check(node)).collect();
                assert!(levels.iter().all(|&level| level == levels[0]));
                levels[0] + 1
            }
        };
        assert_eq!(node.height() + 1, levels);
        levels
    }
    match rope {
        Rope::Tree(root) => check(root),
        Rope::Empty | Rope::One(_) => 0,
    }
}

#[test]
fn an_empty_rope_has_no_pieces() {
    let rope = Rope::default();
    assert_eq!(rope.len(), 0);
    assert_eq!(rope.pieces(0..0).next(), None);
    assert_eq!(rope.pieces(0..9).next(), None);
    assert!(rope.payload(0..0).is_empty());
}

#[test]
fn one_segment_needs_no_node() {
    let first = segment(0, 10);
    let rope = rope_of(std::slice::from_ref(&first));
    assert!(matches!(rope, Rope::One(_)));
    assert_eq!(rope.len(), 10);
    assert_eq!(rope.payload(0..10).into_bytes().as_ptr(), first.as_ptr());
    assert_eq!(rope.payload(2..5).into_bytes(), first[2..5]);
}

#[test]
fn a_leaf_holds_the_fan_out_and_no_more() {
    let segments: Vec<_> = (0..FANOUT + 1).map(|n| segment(n, 1)).collect();
    assert_eq!(shape(&rope_of(&segments[..2])), 1);
    assert_eq!(shape(&rope_of(&segments[..FANOUT])), 1);
    assert_eq!(shape(&rope_of(&segments)), 2);
}

#[test]
fn thousands_of_segments_make_three_levels() {
    let full = FANOUT * FANOUT;
    let segments: Vec<_> = (0..full + 200).map(|n| segment(n, n % 3 + 1)).collect();
    assert_eq!(shape(&rope_of(&segments[..full])), 2);
    let rope = rope_of(&segments);
    assert_eq!(shape(&rope), 3);
    assert_eq!(bytes(&rope), segments.concat());
}

#[test]
fn each_byte_of_three_levels_is_found() {
    let segments: Vec<_> = (0..5000).map(|n| segment(n, n % 3 + 1)).collect();
    let (rope, all) = (rope_of(&segments), segments.concat());
    let mut start = 0;
    for segment in &segments {
        for at in 0..segment.len() {
            let chunk = rope.pieces(start + at as u64..rope.len()).next().unwrap();
            assert_eq!(chunk.as_ptr(), segment[at..].as_ptr());
            assert_eq!(chunk.len(), segment.len() - at);
        }
        start += segment.len() as u64;
    }
    assert_eq!(start, all.len() as u64);
    assert_eq!(rope.pieces(start..start + 1).next(), None);
}

#[test]
fn reads_share_the_segments() {
    let segments: Vec<_> = (0..200).map(|n| segment(n, 16)).collect();
    let payload = rope_of(&segments).payload(0..200 * 16);
    let read: Vec<_> = payload.parts().map(|part| part.as_ptr()).collect();
    assert_eq!(read, segments.iter().map(|segment| segment.as_ptr()).collect::<Vec<_>>());
}

#[test]
fn a_push_after_a_clone_copies_the_right_edge_alone() {
    let rope = rope_of(&(0..5000).map(|n| segment(n, 1)).collect::<Vec<_>>());
    let mut twin = rope.clone();
    twin.push(segment(5000, 1));
    let (Rope::Tree(a), Rope::Tree(b)) = (&rope, &twin) else { panic!("no trees") };
    let (Children::Nodes(a), Children::Nodes(b)) = (&a.children, &b.children) else {
        panic!("one level")
    };
    assert!(Arc::ptr_eq(&a[0], &b[0]), "what is full is shared");
    assert!(!Arc::ptr_eq(&a[1], &b[1]), "the right edge is not");
    assert_eq!((rope.len(), twin.len()), (5000, 5001));
}

#[test]
fn a_push_without_a_clone_copies_nothing() {
    let mut rope = rope_of(&(0..5000).map(|n| segment(n, 1)).collect::<Vec<_>>());
    let root = |rope: &Rope| match rope {
        Rope::Tree(root) => Arc::as_ptr(root),
        _ => panic!("no tree"),
    };
    let before = root(&rope);
    rope.push(segment(5000, 1));
    assert_eq!(root(&rope), before);
}

/// How many segments of `rope` are held elsewhere too.
fn held_elsewhere(rope: Rope) -> usize {
    let segments: Vec<_> = rope.pieces(0..rope.len()).collect();
    drop(rope);
    segments.into_iter().filter(|segment| !segment.is_unique()).count()
}

#[test]
fn pieces_hold_only_the_segments_of_their_range() {
    let count = FANOUT * FANOUT + 200;
    for (from, to) in [(0, count), (count - 1, count), (0, 1), (63, 65), (100, 4000), (64, 4096)] {
        let rope = rope_of(&(0..count).map(|n| segment(n, 4)).collect::<Vec<_>>());
        // It begins and ends in the middle of a segment.
        let pieces = rope.pieces(from as u64 * 4 + 1..to as u64 * 4 - 1);
        assert_eq!(held_elsewhere(rope), to - from, "{from}..{to}");
        drop(pieces);
    }
}

#[test]
fn pieces_release_the_segments_that_they_returned() {
    let count = FANOUT * FANOUT + 200;
    for given in [1, 63, 64, 65, 1000, 4095, 4096, 4097, count] {
        let rope = rope_of(&(0..count).map(|n| segment(n, 4)).collect::<Vec<_>>());
        let mut pieces = rope.pieces(0..rope.len());
        assert_eq!(pieces.by_ref().take(given).count(), given);
        assert_eq!(held_elsewhere(rope), count - given, "{given} given");
        drop(pieces);
    }
}

#[test]
fn one_segment_of_a_large_rope_is_a_short_piece() {
    let rope = rope_of(&(0..5000).map(|n| segment(n, 4)).collect::<Vec<_>>());
    assert!(rope.pieces(9999..10_000).is_short());
    assert!(!rope.pieces(9999..10_001).is_short());
    assert!(!rope.pieces(0..rope.len()).is_short());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_pushes_and_clones_agree_with_vectors(
        prefix in prop_oneof![Just(0), Just(60), Just(4090)],
        pushes in prop::collection::vec((any::<prop::sample::Index>(), 1..40_usize, any::<bool>()), 1..200),
        ranges in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..40),
    ) {
        let segments: Vec<_> = (0..prefix).map(|n| segment(n, n % 5 + 1)).collect();
        let mut ropes = vec![(rope_of(&segments), segments.concat())];
        for (number, (which, length, clone)) in pushes.into_iter().enumerate() {
            let which = which.index(ropes.len());
            if clone && ropes.len() < 6 {
                ropes.push(ropes[which].clone());
            }
            let segment = segment(number, length);
            let (rope, model) = &mut ropes[which];
            model.extend_from_slice(&segment);
            rope.push(segment);
        }
        for (rope, model) in &ropes {
            shape(rope);
            prop_assert_eq!(rope.len(), model.len() as u64);
            prop_assert_eq!(&bytes(rope), model);
        }
        for (which, start, end) in ranges {
            let (rope, model) = which.get(&ropes);
            let (start, end) = (start.index(model.len() + 1), end.index(model.len() + 1));
            let range = start as u64..end as u64;
            let expected = model.get(start..end).unwrap_or_default();
            prop_assert_eq!(rope.payload(range.clone()).into_bytes(), expected);
            let pieces: Vec<Bytes> = rope.pieces(range).collect();
            prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(pieces.concat(), expected);
        }
    }
}
