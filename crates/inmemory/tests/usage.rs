//! What `usage` says against what can be counted from outside: the segments themselves.

#[path = "support/store.rs"]
mod support;

use std::{
    collections::{BTreeMap, BTreeSet},
    thread,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, executor::block_on};
use inmemory::{InMemory, Usage};
use proptest::{prelude::*, sample::Index};
use storage_driver::{
    ListOptions, Path, Precondition, ReadRange, Reader, StorageDriver, StorageDriverExt,
    WalkOptions, WriteMode, Writer, WriterOptions,
};
use support::{KIB, append, path, pattern, put, segments};

const SEGMENT_SIZE: usize = 4 * KIB;

/// What content is counted to: files, uploads, readers.
fn counted(store: &InMemory) -> (u64, u64, u64) {
    let usage = store.usage();
    (usage.committed, usage.uploads, usage.pinned)
}

async fn delete(store: &InMemory, at: &str) {
    store.delete(&path(at), Precondition::None).await.unwrap();
}

#[test]
fn a_new_store_holds_nothing() {
    assert_eq!(InMemory::new().usage(), Usage::default());
    assert_eq!(Usage::default().held(), 0);
}

#[test]
fn a_file_counts_with_its_index() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/name", vec![7; 1000]).await;
        let usage = store.usage();
        assert_eq!(counted(&store), (1000, 0, 0));
        let index = Usage::FILE + Usage::NAME + 4 + Usage::SEGMENT;
        assert_eq!((usage.index, usage.held()), (index as u64, 1000 + index as u64));
    });
}

#[test]
fn an_empty_file_has_no_segment() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/name", "").await;
        assert_eq!(counted(&store), (0, 0, 0));
        assert_eq!(store.usage().index, (Usage::FILE + Usage::NAME + 4) as u64);
    });
}

#[test]
fn an_upload_counts_with_its_open_tail() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/name")).await.unwrap();
        assert_eq!(store.usage().index, (Usage::UPLOAD + 5) as u64);
        writer.write("x").await.unwrap();
        assert_eq!(counted(&store), (0, 4096, 0));
        assert_eq!(store.usage().index, (Usage::UPLOAD + 5 + Usage::SEGMENT) as u64);
        writer.commit().await.unwrap();
        assert_eq!(counted(&store), (1, 0, 0));
    });
}

#[test]
fn an_upload_that_is_cancelled_gives_everything_back() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write(vec![7; 100_000]).await.unwrap();
        writer.write("x").await.unwrap();
        writer.cancel().await.unwrap();
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn a_fenced_writer_holds_no_content() {
    block_on(async {
        let store = InMemory::new();
        let mut fenced = store.create(&path("/a")).await.unwrap();
        fenced.write(vec![7; 100_000]).await.unwrap();
        let _writer = store.create(&path("/a")).await.unwrap();
        assert_eq!(counted(&store), (0, 0, 0));
        drop(fenced);
        assert_eq!(store.usage().held(), (Usage::UPLOAD + 2) as u64);
    });
}

#[test]
fn a_write_that_is_refused_gives_everything_back() {
    block_on(async {
        let store = InMemory::builder().capacity(10_000).build();
        assert!(store.put(&path("/a/b/c"), vec![7; 9500]).await.is_err());
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn a_put_that_fails_gives_everything_back() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", "x").await;
        let before = store.usage();
        assert!(store.put(&path("/a/b"), vec![7; 100_000]).await.is_err());
        let absent = Precondition::IfAbsent;
        assert!(store.put_content(&path("/a"), "more".into(), absent).await.is_err());
        assert_eq!(store.usage(), before);
    });
}

#[test]
fn a_reader_pins_what_was_deleted() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let reader = store.reader(&path("/a"), ReadRange::Last(1)).await.unwrap();
        assert_eq!(counted(&store), (1000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (0, 0, 1000));
        drop(reader);
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn bytes_pin_the_segment_that_they_are_of() {
    block_on(async {
        let store = InMemory::builder().segment_size(SEGMENT_SIZE).build();
        put(&store, "/a", Bytes::from_owner(vec![7; 5 * SEGMENT_SIZE])).await;
        let range = ReadRange::Bounded(2 * 4096 + 7..2 * 4096 + 9);
        let two = store.get_range(&path("/a"), range, 2).await.unwrap().into_bytes();
        put(&store, "/a", "").await;
        assert_eq!(counted(&store), (0, 0, SEGMENT_SIZE as u64));
        assert_eq!(two.len(), 2);
        drop(two);
        assert_eq!(counted(&store), (0, 0, 0));
    });
}

#[test]
fn what_a_copy_shares_counts_once() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        assert_eq!(counted(&store), (1000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (1000, 0, 0));
        delete(&store, "/b").await;
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn what_an_append_shares_counts_once() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        append(&store, "/b", vec![7; 20_000]).await;
        assert_eq!(counted(&store), (120_000, 0, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (120_000, 0, 0));
        delete(&store, "/b").await;
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn an_append_holds_the_file_that_was_deleted_under_it() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        append(&store, "/a", vec![7; 100_000]).await;
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        let mut writer = store.append(&path("/b")).await.unwrap();
        writer.write(vec![7; 20_000]).await.unwrap();
        assert_eq!(counted(&store), (200_000, 20_000, 0));
        delete(&store, "/a").await;
        assert_eq!(counted(&store), (200_000, 20_000, 0));
        put(&store, "/b", "").await;
        assert_eq!(counted(&store), (0, 220_000, 0));
        writer.commit_to(&path("/c"), Precondition::None).await.unwrap();
        assert_eq!(counted(&store), (220_000, 0, 0));
        store.delete_many(&[path("/b"), path("/c")]).await.unwrap();
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn an_append_that_is_cancelled_leaves_the_file_alone() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 100_000]).await;
        let before = store.usage();
        let mut writer = store.append(&path("/a")).await.unwrap();
        writer.write(vec![7; 20_000]).await.unwrap();
        writer.cancel().await.unwrap();
        assert_eq!(store.usage(), before);
    });
}

#[test]
fn a_small_file_that_an_append_copies_counts_twice_until_the_commit() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let mut writer = store.append(&path("/a")).await.unwrap();
        writer.write("x").await.unwrap();
        assert_eq!(counted(&store), (1000, 4096, 0));
        writer.commit().await.unwrap();
        assert_eq!(counted(&store), (1001, 0, 0));
    });
}

#[test]
fn what_a_walk_has_yet_to_give_is_held() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", vec![7; 1000]).await;
        let walk = store.walk(&Path::root(), WalkOptions::new());
        delete(&store, "/a").await;
        assert!(store.usage().held() >= 1000);
        drop(walk);
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn a_shutdown_gives_everything_back() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a/b", vec![7; 1000]).await;
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write(vec![7; 100_000]).await.unwrap();
        let reader = store.reader(&path("/a/b"), ReadRange::Full).await.unwrap();
        store.shutdown().await.unwrap();
        assert_eq!(counted(&store), (0, 0, 1000));
        drop((reader, writer));
        assert_eq!(store.usage(), Usage::default());
    });
}

#[test]
fn every_name_and_directory_is_given_back() {
    block_on(async {
        let store = InMemory::new();
        for number in 0..3000 {
            put(&store, &format!("/{}/{}/{number}", number % 7, number % 70), "").await;
        }
        assert!(store.usage().index >= 3000 * (Usage::NAME + Usage::FILE) as u64);
        for number in (0..3000).rev() {
            delete(&store, &format!("/{}/{}/{number}", number % 7, number % 70)).await;
        }
        assert_eq!(store.usage(), Usage::default());
    });
}

const APPENDS: u64 = 10_000;
/// More than is copied by an append, with segments of 4 KiB.
const APPENDED: u64 = 4097;

/// A store with a file that was appended to ten thousand times, a copy of what it was after half of
/// them, and a reader of that.
async fn appended() -> (InMemory, Reader) {
    let store = InMemory::builder().segment_size(SEGMENT_SIZE).build();
    put(&store, "/a", vec![7; APPENDED as usize]).await;
    let mut reader = None;
    for number in 1..APPENDS {
        if number == APPENDS / 2 {
            store.copy(&path("/a"), &path("/half"), Precondition::None).await.unwrap();
            reader = Some(store.reader(&path("/half"), ReadRange::Full).await.unwrap());
        }
        append(&store, "/a", vec![7; APPENDED as usize]).await;
    }
    (store, reader.unwrap())
}

#[test]
fn ten_thousand_appends_count_right_and_drop_without_recursion() {
    let body = || {
        block_on(async {
            let (store, reader) = appended().await;
            assert_eq!(counted(&store), (APPENDS * APPENDED, 0, 0));
            let upload = store.append(&path("/a")).await.unwrap();
            delete(&store, "/half").await;
            assert_eq!(counted(&store), (APPENDS * APPENDED, 0, 0));
            put(&store, "/a", "").await;
            assert_eq!(counted(&store), (0, APPENDS * APPENDED, 0));
            upload.cancel().await.unwrap();
            assert_eq!(counted(&store), (0, 0, APPENDS / 2 * APPENDED));
            drop(reader);
            delete(&store, "/a").await;
            assert_eq!(store.usage(), Usage::default());
        });
    };
    thread::Builder::new().stack_size(256 << 10).spawn(body).unwrap().join().unwrap();
}

#[derive(Debug, Clone)]
enum Step {
    Put(Index, &'static str, usize),
    Open(Index, &'static str, WriteMode),
    Write(Index, usize),
    Commit(Index),
    CommitTo(Index, &'static str),
    Cancel(Index),
    DropWriter(Index),
    Delete(Index, &'static str),
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
        6 => index().prop_map(Commit),
        2 => (index(), at()).prop_map(|(w, at)| CommitTo(w, at)),
        1 => index().prop_map(Cancel),
        1 => index().prop_map(DropWriter),
        2 => (index(), prop_oneof![at(), dir()]).prop_map(|(s, at)| Delete(s, at)),
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
    /// Each with what it holds until its end.
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

    /// Does what may fail: no room, a conflict, nothing there.
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
                let _ = self.writers[index.index(count)].1.write(data).await;
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
                let _ = self.store(&store).touch(&path(at)).await;
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
                let next = self.readers[index.index(count)].0.next().await;
                self.bytes.extend(next.map(Result::unwrap));
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
            Step::Write(..) | Step::ReadOn(_) | Step::Fork(_) | Step::DropStore(_) => {}
        }
    }

    /// Compares what is said to be held with the segments that can be found.
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
            // What readers hold of files that were replaced may be an upload's too.
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
            let tops = ["/a", "/b", "/d", "/e", "/g"].map(path);
            store.delete_many(&tops).await.unwrap();
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
