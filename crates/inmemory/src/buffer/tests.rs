use super::*;
use crate::budget::Pool;

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(None, Pool::new(Some(0), 1 << 20, false)))
}

fn buffer(capacity: usize) -> Buffer {
    Buffer::with_capacity(&budget(), capacity, false)
}

fn filled(capacity: usize, length: usize) -> Buffer {
    let mut buffer = buffer(capacity);
    let data: Vec<u8> = (0..length).map(|at| (at * 7 + at / 251) as u8).collect();
    for piece in data.chunks(10_000) {
        buffer.extend_from_slice(piece);
    }
    assert_eq!(buffer.as_ref(), data);
    buffer
}

#[test]
fn a_buffer_holds_the_appended_bytes() {
    for capacity in [1, 4096, MAPPED - 1, MAPPED, MAPPED + 1, 2 << 20] {
        for length in [0, 1, capacity / 3, capacity] {
            let buffer = filled(capacity, length);
            assert_eq!((buffer.len(), buffer.room()), (length, capacity - length));
        }
    }
}

#[test]
fn a_shrunk_buffer_has_at_most_a_page_to_spare() {
    for capacity in [100, MAPPED, 2 << 20] {
        for length in [0, 1, capacity / 9, capacity / 2, capacity - 1, capacity] {
            let mut buffer = filled(capacity, length);
            let before = buffer.as_ref().to_vec();
            buffer.shrink_to_fit(&budget());
            assert_eq!(buffer.as_ref(), before);
            assert!(buffer.room() < 4096, "{} of {capacity}", buffer.room());
        }
    }
}

#[test]
fn a_shrunk_buffer_can_be_filled_to_its_end() {
    let mut buffer = filled(2 << 20, (1 << 20) + 1);
    buffer.shrink_to_fit(&budget());
    buffer.extend_from_slice(&vec![9; buffer.room()]);
    assert_eq!(buffer.as_ref().last(), Some(&9));
}

#[test]
fn a_cleared_buffer_keeps_its_memory() {
    for capacity in [100, MAPPED] {
        let mut buffer = filled(capacity, capacity);
        let place = buffer.as_ref().as_ptr();
        buffer.clear();
        assert!(buffer.is_empty());
        buffer.extend_from_slice(b"abc");
        assert_eq!((buffer.as_ref(), buffer.capacity()), (&b"abc"[..], capacity));
        assert_eq!(buffer.as_ref().as_ptr(), place);
    }
}

#[test]
#[cfg(all(target_os = "linux", not(miri)))]
fn large_buffers_are_mapped() {
    assert!(matches!(buffer(MAPPED), Buffer::Mapped(_)));
    assert!(matches!(buffer(MAPPED - 1), Buffer::Slot(_)));
}

#[test]
fn huge_pages_hold_the_appended_bytes() {
    let mut buffer = Buffer::with_capacity(&budget(), 4 << 20, true);
    buffer.extend_from_slice(&[1; 3 << 20]);
    buffer.shrink_to_fit(&budget());
    assert_eq!(buffer.as_ref(), vec![1; 3 << 20]);
}
