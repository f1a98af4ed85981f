//! The owners of the memory of blobs that extend each other.

use std::thread;

use proptest::prelude::*;

use super::*;
use crate::budget::Pool;

fn budget(capacity: Option<u64>) -> Arc<Budget> {
    Arc::new(Budget::new(capacity, Pool::new(Some(0), 4096, false)))
}

/// Publishes a blob of `own` bytes on top of `base`.
fn publish(budget: &Arc<Budget>, own: u64, base: Option<UploadBlob>) -> FileBlob {
    budget.reserve(own, 0).unwrap();
    budget.transfer(own, Owner::Unowned, Owner::Upload);
    FileBlob::publish(budget, Rope::Empty, own, &mut { base }).unwrap()
}

/// The counted memory of files and uploads.
fn owned(budget: &Budget) -> (u64, u64) {
    (budget.usage().committed, budget.usage().uploads)
}

#[test]
fn a_file_owns_its_content() {
    let budget = budget(None);
    let file = publish(&budget, 10, None);
    assert_eq!(owned(&budget), (10, 0));
    drop(file);
    assert_eq!(owned(&budget), (0, 0));
}

#[test]
fn content_shared_by_two_files_counts_once() {
    let budget = budget(None);
    let file = publish(&budget, 10, None);
    let copy = file.clone();
    assert_eq!(owned(&budget), (10, 0));
    drop(file);
    assert_eq!(owned(&budget), (10, 0));
    drop(copy);
    assert_eq!(owned(&budget), (0, 0));
}

#[test]
fn content_shared_by_a_file_and_an_upload_counts_for_the_file() {
    let budget = budget(None);
    let file = publish(&budget, 10, None);
    let upload = file.for_upload();
    assert_eq!(owned(&budget), (10, 0));
    drop(file);
    assert_eq!(owned(&budget), (0, 10));
    drop(upload);
    assert_eq!(owned(&budget), (0, 0));
}

#[test]
fn a_file_owns_the_content_that_it_extends() {
    let budget = budget(None);
    let first = publish(&budget, 10, None);
    let second = publish(&budget, 5, Some(first.for_upload()));
    assert_eq!(owned(&budget), (15, 0));
    drop(first);
    assert_eq!(owned(&budget), (15, 0));
    let upload = second.for_upload();
    drop(second);
    assert_eq!(owned(&budget), (0, 15));
    let base = upload.base().unwrap();
    assert_eq!(base.own(), 10);
    drop(upload);
    assert_eq!(owned(&budget), (0, 10));
    assert!(base.base().is_none());
    drop(base);
    assert_eq!(owned(&budget), (0, 0));
}

#[test]
fn a_publication_without_room_changes_nothing() {
    let budget = budget(Some(10 + Usage::BLOB as u64));
    let file = publish(&budget, 10, None);
    let mut base = Some(file.for_upload());
    let error = FileBlob::publish(&budget, Rope::Empty, 0, &mut base).unwrap_err();
    assert!(matches!(error.kind(), storage_driver::ErrorKind::StorageFull { .. }));
    assert!(base.is_some());
    drop(file);
    assert_eq!(owned(&budget), (0, 10));
    drop(base);
    assert_eq!((owned(&budget), budget.usage().index), ((0, 0), 0));
}

#[test]
fn a_long_chain_is_dropped_without_recursion() {
    let chain = || {
        let budget = budget(None);
        let mut file = publish(&budget, 1, None);
        for _ in 0..5000 {
            file = publish(&budget, 1, Some(file.for_upload()));
        }
        assert_eq!(owned(&budget), (5001, 0));
        drop(file);
        assert_eq!((owned(&budget), budget.usage().index), ((0, 0), 0));
    };
    thread::Builder::new().stack_size(128 << 10).spawn(chain).unwrap().join().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Publish(u64, Option<prop::sample::Index>),
    Open(prop::sample::Index),
    Copy(prop::sample::Index),
    Unshare(prop::sample::Index),
    DropFile(prop::sample::Index),
    DropUpload(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        3 => (1..100_u64, prop::option::weighted(0.8, index())).prop_map(|(n, i)| Step::Publish(n, i)),
        3 => index().prop_map(Step::Open),
        1 => index().prop_map(Step::Copy),
        1 => index().prop_map(Step::Unshare),
        3 => index().prop_map(Step::DropFile),
        1 => index().prop_map(Step::DropUpload),
    ]
}

/// Handles, each with the number of its blob.
type ReclaimGuard<T> = Vec<(T, usize)>;

fn take<T>(held: &mut ReclaimGuard<T>, index: &prop::sample::Index) -> Option<(T, usize)> {
    (!held.is_empty()).then(|| held.swap_remove(index.index(held.len())))
}

proptest! {
    #[test]
    fn random_steps_own_the_reachable_content(steps in prop::collection::vec(step(), 1..80)) {
        let budget = budget(None);
        // For each blob that was ever made: the bytes that it added, and its base.
        let mut blobs: Vec<(u64, Option<usize>)> = Vec::new();
        let (mut files, mut uploads) = (ReclaimGuard::new(), ReclaimGuard::new());
        for step in steps {
            match step {
                Step::Publish(own, index) => {
                    let base = index.and_then(|index| take(&mut uploads, &index));
                    blobs.push((own, base.as_ref().map(|(_, blob)| *blob)));
                    let file = publish(&budget, own, base.map(|(upload, _)| upload));
                    files.push((file, blobs.len() - 1));
                }
                Step::Open(index) if !files.is_empty() => {
                    let (file, blob) = index.get(&files);
                    uploads.push((file.for_upload(), *blob));
                }
                Step::Copy(index) if !files.is_empty() => {
                    let copy = index.get(&files).clone();
                    files.push(copy);
                }
                Step::Unshare(index) => {
                    let upload = take(&mut uploads, &index);
                    let base = upload.as_ref().and_then(|(upload, blob)| {
                        Some((upload.base()?, blobs[*blob].1?))
                    });
                    uploads.extend(base);
                }
                Step::DropFile(index) => drop(take(&mut files, &index)),
                Step::DropUpload(index) => drop(take(&mut uploads, &index)),
                Step::Open(_) | Step::Copy(_) => {}
            }
            let reach = |held: &mut dyn Iterator<Item = usize>| {
                let mut reached = vec![false; blobs.len()];
                for start in held {
                    let mut next = Some(start);
                    while let Some(blob) = next {
                        reached[blob] = true;
                        next = blobs[blob].1;
                    }
                }
                reached
            };
            let by_files = reach(&mut files.iter().map(|(_, blob)| *blob));
            let by_uploads = reach(&mut uploads.iter().map(|(_, blob)| *blob));
            let mut expected = (0, 0);
            for (blob, (own, _)) in blobs.iter().enumerate() {
                expected.0 += if by_files[blob] { *own } else { 0 };
                expected.1 += if by_uploads[blob] && !by_files[blob] { *own } else { 0 };
            }
            prop_assert_eq!(owned(&budget), expected);
            let living = (0..blobs.len()).filter(|&blob| by_files[blob] || by_uploads[blob]);
            prop_assert_eq!(budget.usage().index, (living.count() * Usage::BLOB) as u64);
        }
        drop((files, uploads));
        prop_assert_eq!((owned(&budget), budget.usage().index), ((0, 0), 0));
    }
}
