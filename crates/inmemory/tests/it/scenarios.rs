//! Random scenarios of all operations, while readers, `Bytes`, writers and forks are held: `usage` compared
//! with the segments that can be found from outside.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{KIB, kind, path, pattern, segments};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, executor::block_on};
use inmemory::InMemory;
use proptest::{prelude::*, sample::Index};
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, ReadRange, Reader, StorageDriver, StorageDriverExt,
    WalkOptions, WriteMode, Writer, WriterOptions,
};

const SEGMENT_SIZE: usize = 4 * KIB;

#[derive(Debug, Clone)]
enum Step {
    Put(Index, &'static str, usize),
    Open(Index, &'static str, WriteMode),
    Write(Index, usize),
    Note(Index, usize),
    Commit(Index),
    CommitTo(Index, &'static str),
    Cancel(Index),
    DropWriter(Index),
    Delete(Index, &'static str),
    DeleteDir(Index, &'static str),
    DeleteMany(Index, [&'static str; 3]),
    Rename(Index, &'static str, &'static str),
    RenameDir(Index, &'static str, &'static str),
    Copy(Index, &'static str, &'static str),
    Touch(Index, &'static str),
    CancelUpload(Index, &'static str),
    Read(Index, &'static str),
    ReadOn(Index),
    DropReader(Index),
    DropBytes(Index),
    Fork(Index),
    DropStore(Index),
}

fn step() -> impl Strategy<Value = Step> {
    use Step::*;
    let index = any::<Index>;
    let at = || prop::sample::select(vec!["/a", "/b", "/d/a", "/d/b", "/e/f/g"]);
    let dir = || prop::sample::select(vec!["/d", "/e", "/e/f", "/g/h"]);
    let size = || prop_oneof![0..200_usize, 4000..4200_usize, 5000..40_000_usize];
    let mode = || {
        prop_oneof![
            2 => Just(WriteMode::Create),
            1 => Just(WriteMode::Resume { at: None }),
            2 => Just(WriteMode::Append { at: None }),
        ]
    };
    prop_oneof![
        4 => (index(), at(), size()).prop_map(|(s, at, n)| Put(s, at, n)),
        6 => (index(), at(), mode()).prop_map(|(s, at, mode)| Open(s, at, mode)),
        8 => (index(), size()).prop_map(|(w, n)| Write(w, n)),
        3 => (index(), 0..=Writer::MAX_NOTE).prop_map(|(w, n)| Note(w, n)),
        6 => index().prop_map(Commit),
        2 => (index(), at()).prop_map(|(w, at)| CommitTo(w, at)),
        1 => index().prop_map(Cancel),
        1 => index().prop_map(DropWriter),
        2 => (index(), prop_oneof![at(), dir()]).prop_map(|(s, at)| Delete(s, at)),
        1 => (index(), prop_oneof![at(), dir()]).prop_map(|(s, at)| DeleteDir(s, at)),
        1 => (index(), at(), at(), dir()).prop_map(|(s, a, b, c)| DeleteMany(s, [a, b, c])),
        1 => (index(), at(), at()).prop_map(|(s, a, b)| Rename(s, a, b)),
        1 => (index(), dir(), dir()).prop_map(|(s, a, b)| RenameDir(s, a, b)),
        2 => (index(), at(), at()).prop_map(|(s, a, b)| Copy(s, a, b)),
        1 => (index(), at()).prop_map(|(s, at)| Touch(s, at)),
        1 => (index(), at()).prop_map(|(s, at)| CancelUpload(s, at)),
        3 => (index(), at()).prop_map(|(s, at)| Read(s, at)),
        3 => index().prop_map(ReadOn),
        1 => index().prop_map(DropReader),
        1 => index().prop_map(DropBytes),
        1 => index().prop_map(Fork),
        1 => index().prop_map(DropStore),
    ]
}

/// Segments, by where they are, with their lengths.
type Segments = BTreeMap<usize, usize>;

fn size(segments: &Segments) -> u64 {
    segments.values().sum::<usize>() as u64
}

fn place(segment: &Bytes) -> (usize, usize) {
    (segment.as_ptr() as usize, segment.len())
}

#[derive(Default)]
struct World {
    stores: Vec<InMemory>,
    /// Each with the number of its store.
    writers: Vec<(usize, Writer)>,
    /// Each with the segments that it holds: those that it has not returned yet.
    readers: Vec<(Reader, Segments)>,
    bytes: Vec<Bytes>,
    written: usize,
}

fn take<T>(all: &mut Vec<T>, index: &Index) -> Option<T> {
    (!all.is_empty()).then(|| all.swap_remove(index.index(all.len())))
}

impl World {
    fn data(&mut self, length: usize) -> Vec<u8> {
        self.written += 1;
        pattern(self.written, length)
    }

    fn store(&self, index: &Index) -> &InMemory {
        index.get(&self.stores)
    }

    /// Does a step, which may fail for lack of room, a conflict or a missing file.
    async fn step(&mut self, step: Step) {
        match step {
            Step::Put(store, at, length) => {
                let data = self.data(length);
                let _ = self.store(&store).put(&path(at), data).await;
            }
            Step::Open(store, at, mode) => {
                let number = store.index(self.stores.len());
                let opened = self.stores[number].writer(&path(at), WriterOptions::new(mode)).await;
                self.writers.extend(opened.ok().map(|writer| (number, writer)));
            }
            Step::Write(index, length) if !self.writers.is_empty() => {
                let data = self.data(length);
                let count = self.writers.len();
                let _ = self.writers[index.index(count)].1.write_bytes(data).await;
            }
            Step::Note(index, length) if !self.writers.is_empty() => {
                let note = self.data(length);
                let count = self.writers.len();
                let _ = self.writers[index.index(count)].1.set_note(note);
            }
            Step::Commit(index) => {
                if let Some((_, writer)) = take(&mut self.writers, &index) {
                    let _ = writer.commit().await;
                }
            }
            Step::CommitTo(index, at) => {
                if let Some((_, writer)) = take(&mut self.writers, &index) {
                    let _ = writer.commit_to(&path(at), Precondition::None).await;
                }
            }
            Step::Cancel(index) => {
                if let Some((_, writer)) = take(&mut self.writers, &index) {
                    let _ = writer.cancel().await;
                }
            }
            Step::DropWriter(index) => drop(take(&mut self.writers, &index)),
            Step::Delete(store, at) => {
                let _ = self.store(&store).delete(&path(at), Precondition::None).await;
            }
            Step::DeleteDir(store, at) => {
                let _ = self.store(&store).delete_dir(&path(at)).await;
            }
            Step::DeleteMany(store, at) => {
                let _ = self.store(&store).delete_many(&at.map(path)).await;
            }
            Step::Rename(store, from, to) => {
                let none = Precondition::None;
                let _ = self.store(&store).rename(&path(from), &path(to), none).await;
            }
            Step::RenameDir(store, from, to) => {
                let _ = self.store(&store).rename_dir(&path(from), &path(to)).await;
            }
            Step::Copy(store, from, to) => {
                let none = Precondition::None;
                let _ = self.store(&store).copy(&path(from), &path(to), none).await;
            }
            Step::Touch(store, at) => {
                let _ = self.store(&store).touch(&path(at), Precondition::None).await;
            }
            Step::CancelUpload(store, at) => {
                let _ = self.store(&store).cancel_upload(&path(at)).await;
            }
            Step::Read(store, at) => {
                let store = self.store(&store);
                if let Ok(reader) = store.reader(&path(at), ReadRange::Full).await {
                    let held = segments(store, at).await.iter().map(place).collect();
                    self.readers.push((reader, held));
                }
            }
            Step::ReadOn(index) if !self.readers.is_empty() => {
                let count = self.readers.len();
                let (reader, held) = &mut self.readers[index.index(count)];
                let next = reader.next().await.map(Result::unwrap);
                if let Some(bytes) = &next {
                    held.remove(&place(bytes).0);
                }
                self.bytes.extend(next);
            }
            Step::DropReader(index) => drop(take(&mut self.readers, &index)),
            Step::DropBytes(index) => drop(take(&mut self.bytes, &index)),
            Step::Fork(index) if self.stores.len() < 3 => {
                let fork = self.store(&index).fork();
                self.stores.push(fork);
            }
            Step::DropStore(index) if self.stores.len() > 1 => {
                // A writer holds its store.
                let number = index.index(self.stores.len());
                let moved = self.stores.len() - 1;
                self.stores.swap_remove(number);
                self.writers.retain(|(store, _)| *store != number);
                let after_move = |store: &mut usize| {
                    if *store == moved {
                        *store = number;
                    }
                };
                self.writers.iter_mut().for_each(|(store, _)| after_move(store));
            }
            Step::Write(..)
            | Step::Note(..)
            | Step::ReadOn(_)
            | Step::Fork(_)
            | Step::DropStore(_) => {}
        }
    }

    /// Compares the reported memory with the segments that can be found.
    async fn check(&self) {
        let mut files = Segments::new();
        let mut uploads = 0;
        for store in &self.stores {
            let entries = store.walk(&Path::root(), WalkOptions::new());
            let entries: Vec<_> = entries.try_collect().await.unwrap();
            for file in entries.iter().filter(|entry| entry.is_file()) {
                files.extend(segments(store, file.path().as_str()).await.iter().map(place));
            }
            uploads += store.uploads(&Path::root(), ListOptions::new()).await.unwrap().items.len();
        }
        let mut pinned = Segments::new();
        for (_, held) in self.readers.iter().filter(|(reader, _)| reader.remaining() > 0) {
            pinned.extend(held);
        }
        pinned.extend(self.bytes.iter().map(place));
        pinned.retain(|place, _| !files.contains_key(place));

        let usage = self.stores[0].usage();
        assert_eq!(usage.committed, size(&files));
        if uploads == 0 {
            assert_eq!((usage.uploads, usage.pinned), (0, size(&pinned)));
        } else {
            // Segments of replaced files that readers hold may be an upload's too.
            assert!(usage.pinned <= size(&pinned));
            assert!(usage.uploads + usage.pinned >= size(&pinned));
        }
        let sum = usage.committed + usage.uploads + usage.pinned + usage.pooled + usage.index;
        assert_eq!(sum, usage.held());
        // Without forks nothing passes the capacity.
        if let ([store], Some(capacity)) = (&self.stores[..], self.stores[0].capacity()) {
            assert!(store.usage().held() <= capacity);
        }
    }

    async fn finish(mut self) {
        self.writers.clear();
        self.readers.clear();
        self.bytes.clear();
        for store in &self.stores {
            store.delete_many(&["/a", "/b"].map(path)).await.unwrap();
            for dir in ["/d", "/e", "/g"].map(path) {
                let deleted = store.delete_dir(&dir).await;
                assert!(deleted.is_ok() || kind(deleted) == ErrorKind::PathNotFound);
            }
        }
        let usage = self.stores[0].usage();
        assert_eq!(usage.held(), usage.pooled);
        let kinds = [usage.committed, usage.uploads, usage.pinned, usage.index];
        assert_eq!(BTreeSet::from(kinds), BTreeSet::from([0]));
    }
}

fn run(store: InMemory, steps: Vec<Step>) {
    block_on(async {
        let mut world = World { stores: vec![store], ..World::default() };
        for step in steps {
            world.step(step).await;
            world.check().await;
        }
        world.finish().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn random_scenarios_are_counted_exactly(
        pool in prop_oneof![Just(0), Just(100_000)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        run(InMemory::builder().segment_size(SEGMENT_SIZE).pool(pool).build(), steps);
    }

    #[test]
    fn random_scenarios_stay_within_the_capacity(
        capacity in 5000..150_000_u64,
        pool in prop_oneof![Just(0), Just(100_000)],
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let steps = steps.into_iter().filter(|step| !matches!(step, Step::Fork(_))).collect();
        let store = InMemory::builder().segment_size(SEGMENT_SIZE).pool(pool).capacity(capacity);
        run(store.build(), steps);
    }
}
