//! The references to a block.

use super::*;
use crate::budget::Pool;

/// A header that counts its drops in what it is made of.
#[derive(Debug)]
struct Counted(Arc<()>);

impl Header for Counted {
    fn reserved(&self, bytes: usize) -> (u64, u64) {
        (bytes as u64, 1)
    }
}

fn budget() -> Arc<Budget> {
    Arc::new(Budget::new(None, Pool::new(Some(0), 4096, false)))
}

fn block(budget: &Arc<Budget>, counter: &Arc<()>, text: &str) -> Block<Counted> {
    budget.reserve(text.len() as u64, 1).unwrap();
    let header = Counted(Arc::clone(counter));
    Block::new(budget, header, text.len(), std::iter::once(text.as_bytes()))
}

#[test]
fn a_block_has_its_header_and_bytes() {
    let (budget, counter) = (budget(), Arc::new(()));
    let block = block(&budget, &counter, "some text");
    assert_eq!(block.bytes(), b"some text");
    assert!(Arc::ptr_eq(&block.header().0, &counter));
    assert!(std::ptr::eq(block.budget(), &*budget));
}

#[test]
fn parts_are_clipped_and_missing_bytes_are_zero() {
    let (budget, counter) = (budget(), Arc::new(()));
    budget.reserve(12, 2).unwrap();
    let of = |bytes| {
        let parts = [&b"abc"[..], b"", b"defg"].into_iter();
        Block::new(&budget, Counted(Arc::clone(&counter)), bytes, parts)
    };
    assert_eq!(of(4).bytes(), b"abcd");
    assert_eq!(of(8).bytes(), b"abcdefg\0");
}

#[test]
fn the_last_reference_drops_the_header_and_releases_the_memory() {
    let (budget, counter) = (budget(), Arc::new(()));
    let first = block(&budget, &counter, "text");
    let second = first.clone();
    assert!(!first.is_unique());
    drop(first);
    assert_eq!((Arc::strong_count(&counter), budget.usage().held()), (2, 5));
    assert!(second.is_unique());
    drop(second);
    assert_eq!((Arc::strong_count(&counter), budget.usage().held()), (1, 0));
}

#[test]
fn a_header_that_is_shared_cannot_be_changed() {
    let (budget, counter) = (budget(), Arc::new(()));
    let mut first = block(&budget, &counter, "");
    let other = Arc::new(());
    first.header_mut().unwrap().0 = Arc::clone(&other);
    assert!(Arc::ptr_eq(&first.header().0, &other));
    let second = first.clone();
    assert!(first.header_mut().is_none());
    drop(second);
    assert!(first.header_mut().is_some());
}

#[test]
fn references_are_dropped_on_any_thread() {
    let (budget, counter) = (budget(), Arc::new(()));
    for _ in 0..100 {
        let block = block(&budget, &counter, "text");
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let block = block.clone();
                std::thread::spawn(move || assert_eq!(block.clone().bytes(), b"text"))
            })
            .collect();
        drop(block);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
    assert_eq!((Arc::strong_count(&counter), budget.usage().held()), (1, 0));
}

#[test]
fn the_last_reference_drops_the_items() {
    let (budget, counter) = (budget(), Arc::new(()));
    let items = vec![Arc::clone(&counter); 5];
    budget.reserve(5, 1).unwrap();
    let mut first = Block::of(&budget, Counted(Arc::new(())), items.into_iter());
    assert_eq!(first.items().len(), 5);
    first.items_mut().unwrap()[0] = Arc::new(());
    assert_eq!(Arc::strong_count(&counter), 5);
    let second = first.clone();
    assert!(first.items_mut().is_none());
    drop(first);
    assert_eq!(Arc::strong_count(&counter), 5);
    drop(second);
    assert_eq!(Arc::strong_count(&counter), 1);
}
