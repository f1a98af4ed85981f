//! A full store: nothing is lost, and everything continues as soon as there is room.

use crate::support::{KIB, append, content, in_use, kind, path, pattern, put, upload};
use bytes::Bytes;
use futures::{TryStreamExt, executor::block_on};
use inmemory::{InMemory, Usage};
use storage_driver::{
    Entry, Error, ErrorKind, ListOptions, Path, Precondition, Result, StorageDriver,
    StorageDriverExt, UploadInfo, WalkOptions, WriterOptions,
};

const CAPACITY: u64 = 56 << 10;
const SEGMENT_SIZE: usize = 4 * KIB;

fn store() -> InMemory {
    InMemory::builder().capacity(CAPACITY).segment_size(SEGMENT_SIZE).build()
}

fn room(store: &InMemory) -> u64 {
    store.capacity().unwrap() - store.usage().held()
}

/// The part of the index that `/name` takes, with content of more than 4 KiB in one segment.
fn index_of_a_file(name: &str) -> usize {
    Usage::FILE + name.len() + Usage::BLOB + Usage::SEGMENT
}

/// Fills the store until `left` bytes are left.
async fn leave(store: &InMemory, left: u64) {
    let length = (room(store) - left) as usize - index_of_a_file("ballast");
    put(store, "/ballast", vec![0; length]).await;
    assert_eq!(room(store), left);
}

async fn make_room(store: &InMemory) {
    store.delete(&path("/ballast"), Precondition::None).await.unwrap();
}

/// Everything that is visible to a caller.
#[derive(Debug, PartialEq)]
struct Seen {
    entries: Vec<Entry>,
    contents: Vec<Bytes>,
    uploads: Vec<UploadInfo>,
}

async fn see(store: &InMemory) -> Seen {
    let entries: Vec<Entry> =
        store.walk(&Path::root(), WalkOptions::new()).try_collect().await.unwrap();
    let mut contents = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_file()) {
        contents.push(content(store, entry.path().as_str()).await);
    }
    let uploads = store.uploads(&Path::root(), ListOptions::new()).await.unwrap().items;
    Seen { entries, contents, uploads }
}

/// The bytes that were needed and that were available.
fn refused(error: &Error) -> (u64, u64) {
    match error.kind() {
        ErrorKind::StorageFull { needed: Some(needed), available: Some(available) } => {
            assert!(available < needed, "{error}");
            (needed, available)
        }
        _ => panic!("{error}"),
    }
}

/// Tries `operation` with no room, with one byte, and so on; returns the least room that is enough. After
/// each failure nothing has changed, and the same call succeeds once there is room.
fn least_room<T>(
    prepare: impl AsyncFn(&InMemory),
    operation: impl AsyncFn(&InMemory) -> Result<T>,
) -> usize {
    block_on(async {
        for left in 0.. {
            let store = store();
            prepare(&store).await;
            leave(&store, left).await;
            let (before, usage) = (see(&store).await, in_use(&store));
            match operation(&store).await {
                Err(error) => {
                    assert!(refused(&error).1 <= left, "{error}, but there were {left}");
                    assert_eq!(see(&store).await, before);
                    assert_eq!(in_use(&store), usage);
                    // It holds the ballast.
                    drop(before);
                    make_room(&store).await;
                    operation(&store).await.unwrap();
                }
                Ok(_) => {
                    assert!(store.usage().held() <= CAPACITY);
                    return left as usize;
                }
            }
        }
        unreachable!()
    })
}

async fn nothing(_: &InMemory) {}

async fn a_file(store: &InMemory) {
    put(store, "/dir/a", vec![1; 5000]).await;
}

async fn an_upload(store: &InMemory) {
    let mut writer = store.create(&path("/u")).await.unwrap();
    writer.write_bytes(vec![1; 16 * KIB]).await.unwrap();
}

/// Two directories with only one file below them.
const NEW_PLACE: &str = "/x/y/z";
const INDEX_OF_NEW_PLACE: usize = Usage::FILE + "x/y/z".len();
/// The operations that replace `/dir/a`.
const INDEX_OF_REPLACEMENT: usize = Usage::FILE + "dir/a".len();

#[test]
fn put_with_every_room() {
    let least = least_room(nothing, async |store| {
        store.put(&path(NEW_PLACE), Bytes::from(vec![1; 5000])).await
    });
    assert_eq!(least, 5000 + 2 * Usage::SEGMENT + Usage::BLOB + INDEX_OF_NEW_PLACE);
}

#[test]
fn put_over_a_file_with_every_room() {
    let least = least_room(a_file, async |store| {
        store.put(&path("/dir/a"), Bytes::from(pattern(2, 3000))).await
    });
    assert_eq!(least, 3000 + INDEX_OF_REPLACEMENT);
}

#[test]
fn put_in_parts_with_every_room() {
    let least = least_room(nothing, async |store| {
        let parts = [pattern(1, 1000), pattern(2, 3500), pattern(3, 10)].map(Bytes::from);
        store.put(&path("/a"), storage_driver::Payload::from_iter(parts)).await
    });
    assert_eq!(least, 4510 + Usage::SEGMENT + index_of_a_file("a"));
}

#[test]
fn create_with_every_room() {
    let least = least_room(an_upload, async |store| store.create(&path("/u")).await);
    assert_eq!(least, Usage::UPLOAD + "/u".len());
}

#[test]
fn resume_needs_no_room() {
    assert_eq!(least_room(an_upload, async |store| store.resume(&path("/u")).await), 0);
}

#[test]
fn write_with_every_room() {
    let least = least_room(an_upload, async |store| {
        store.resume(&path("/u")).await?.write_bytes(Bytes::from(vec![2; 5000])).await
    });
    assert_eq!(least, 2 * (SEGMENT_SIZE + Usage::SEGMENT));
}

#[test]
fn write_of_an_adopted_buffer_with_every_room() {
    let least = least_room(an_upload, async |store| {
        store.resume(&path("/u")).await?.write_bytes(Bytes::from(vec![2; 17_000])).await
    });
    assert_eq!(least, 17_000 + Usage::SEGMENT);
}

#[test]
fn write_of_an_exclusive_buffer_with_every_room() {
    let least = least_room(an_upload, async |store| {
        let mut writer =
            store.writer(&path("/u"), WriterOptions::resume().exclusive_buffers()).await?;
        writer.write_bytes(Bytes::from_owner(vec![2; 17_000])).await
    });
    assert_eq!(least, 17_000 + Usage::SEGMENT);
}

#[test]
fn write_into_the_open_tail_needs_no_room() {
    let prepare = async |store: &InMemory| {
        store.create(&path("/u")).await.unwrap().write_bytes("x").await.unwrap();
    };
    let least = least_room(prepare, async |store| {
        store.resume(&path("/u")).await?.write_bytes(vec![7; SEGMENT_SIZE - 1]).await
    });
    assert_eq!(least, 0);
}

#[test]
fn append_with_every_room() {
    let least = least_room(a_file, async |store| store.append(&path("/dir/a")).await);
    assert_eq!(least, Usage::UPLOAD + "/dir/a".len());
}

#[test]
fn write_behind_a_small_file_with_every_room() {
    let prepare = async |store: &InMemory| {
        upload(store, "/a", pattern(1, 5000)).await;
        store.append(&path("/a")).await.unwrap().suspend().await.unwrap();
    };
    let least =
        least_room(prepare, async |store| store.resume(&path("/a")).await?.write_bytes("x").await);
    assert_eq!(least, SEGMENT_SIZE + Usage::SEGMENT);
}

#[test]
fn write_behind_a_large_file_with_every_room() {
    let prepare = async |store: &InMemory| {
        a_file(store).await;
        store.append(&path("/dir/a")).await.unwrap().suspend().await.unwrap();
    };
    let least = least_room(prepare, async |store| {
        store.resume(&path("/dir/a")).await?.write_bytes("x").await
    });
    assert_eq!(least, SEGMENT_SIZE + Usage::SEGMENT);
}

#[test]
fn commit_with_every_room() {
    let least =
        least_room(an_upload, async |store| store.resume(&path("/u")).await?.commit().await);
    assert_eq!(least, Usage::FILE + 1 + Usage::BLOB);
}

#[test]
fn commit_to_a_new_place_with_every_room() {
    let least = least_room(an_upload, async |store| {
        let writer = store.resume(&path("/u")).await?;
        writer.commit_to(&path(NEW_PLACE), Precondition::IfAbsent).await
    });
    assert_eq!(least, INDEX_OF_NEW_PLACE + Usage::BLOB);
}

#[test]
fn commit_of_an_append_with_every_room() {
    let prepare = async |store: &InMemory| {
        a_file(store).await;
        let mut writer = store.append(&path("/dir/a")).await.unwrap();
        writer.write_bytes(vec![2; 17_000]).await.unwrap();
    };
    let least =
        least_room(prepare, async |store| store.resume(&path("/dir/a")).await?.commit().await);
    assert_eq!(least, INDEX_OF_REPLACEMENT + Usage::BLOB);
}

#[test]
fn copy_with_every_room() {
    let least = least_room(a_file, async |store| {
        store.copy(&path("/dir/a"), &path(NEW_PLACE), Precondition::None).await
    });
    assert_eq!(least, INDEX_OF_NEW_PLACE);
}

#[test]
fn rename_with_every_room() {
    let least = least_room(a_file, async |store| {
        store.rename(&path("/dir/a"), &path("/x/longer"), Precondition::None).await
    });
    assert_eq!(least, Usage::FILE + "x/longer".len());
}

#[test]
fn rename_dir_with_every_room() {
    let two_files = async |store: &InMemory| {
        a_file(store).await;
        put(store, "/dir/b", "").await;
    };
    // It takes its directory with it, and gets another name: `x` and `x/y` are new.
    let least = least_room(two_files, async |store| {
        store.rename_dir(&path("/dir"), &path(NEW_PLACE)).await
    });
    assert_eq!(least, 3 * Usage::DIRECTORY);
}

#[test]
fn rename_dir_of_one_file_with_every_room() {
    let least =
        least_room(a_file, async |store| store.rename_dir(&path("/dir"), &path(NEW_PLACE)).await);
    assert_eq!(least, INDEX_OF_NEW_PLACE + "/a".len());
}

#[test]
fn copy_over_a_file_with_every_room() {
    let prepare = async |store: &InMemory| {
        a_file(store).await;
        put(store, "/b", pattern(2, 100)).await;
    };
    let least = least_room(prepare, async |store| {
        store.copy(&path("/dir/a"), &path("/b"), Precondition::None).await
    });
    assert_eq!(least, Usage::FILE + "b".len());
}

#[test]
fn a_file_that_replaces_itself_needs_no_room() {
    let prepare = async |store: &InMemory| {
        a_file(store).await;
        put(store, "/b", pattern(2, 100)).await;
    };
    let (a, b) = (path("/dir/a"), path("/b"));
    assert_eq!(least_room(prepare, async |store| store.touch(&a, Precondition::None).await), 0);
    for to in [&b, &path("/c")] {
        assert_eq!(
            least_room(prepare, async |store| store.rename(&a, to, Precondition::None).await),
            0
        );
    }
}

#[test]
fn a_small_file_needs_room_for_another_only_while_it_is_read() {
    block_on(async {
        let store = store();
        put(&store, "/b", pattern(2, 100)).await;
        leave(&store, 0).await;
        let read = content(&store, "/b").await;
        refused(&store.touch(&path("/b"), Precondition::None).await.unwrap_err());
        drop(read);
        store.touch(&path("/b"), Precondition::None).await.unwrap();
        store.rename(&path("/b"), &path("/c"), Precondition::None).await.unwrap();
        assert_eq!((room(&store), content(&store, "/c").await), (0, pattern(2, 100).into()));
    });
}

#[test]
fn operations_that_make_room_need_none() {
    let prepare = async |store: &InMemory| {
        a_file(store).await;
        an_upload(store).await;
    };
    let (a, u) = (path("/dir/a"), path("/u"));
    assert_eq!(least_room(prepare, async |store| store.delete(&a, Precondition::None).await), 0);
    let all = [a.clone()];
    assert_eq!(least_room(prepare, async |store| store.delete_many(&all).await), 0);
    assert_eq!(least_room(prepare, async |store| store.cancel_upload(&u).await), 0);
    assert_eq!(least_room(prepare, async |store| store.resume(&u).await?.cancel().await), 0);
}

#[test]
fn an_upload_in_pieces_with_every_room() {
    block_on(async {
        let pieces: Vec<_> = [100, 5000, 16 << 10, 1, 4095, 3]
            .iter()
            .enumerate()
            .map(|(n, &l)| pattern(n, l))
            .collect();
        let whole = pieces.concat();
        for left in 0.. {
            let store = store();
            let mut writer = store.create(&path("/u")).await.unwrap();
            leave(&store, left).await;
            let (mut accepted, mut was_full) = (0, false);
            for piece in &pieces {
                if let Err(error) = writer.write_bytes(piece.clone()).await {
                    refused(&error);
                    assert!(!was_full, "{error}, though room was made");
                    was_full = true;
                    assert_eq!(writer.size(), accepted);
                    assert!(store.usage().held() <= CAPACITY);
                    make_room(&store).await;
                    writer.write_bytes(piece.clone()).await.unwrap();
                }
                accepted += piece.len() as u64;
                assert_eq!(writer.size(), accepted);
            }
            if !was_full {
                make_room(&store).await;
            }
            writer.commit().await.unwrap();
            assert_eq!(content(&store, "/u").await, whole);
            store.delete(&path("/u"), Precondition::None).await.unwrap();
            assert_eq!(store.usage().held(), 0);
            if !was_full {
                break;
            }
        }
    });
}

#[test]
fn a_commit_without_room_leaves_the_upload_with_all_it_has() {
    block_on(async {
        let store = store();
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write_bytes(pattern(1, SEGMENT_SIZE)).await.unwrap();
        leave(&store, 0).await;
        refused(&writer.commit().await.unwrap_err());
        assert_eq!(see(&store).await.uploads[0].size, Some(SEGMENT_SIZE as u64));
        make_room(&store).await;
        let mut writer = store.resume(&path("/u")).await.unwrap();
        assert_eq!(writer.size(), SEGMENT_SIZE as u64);
        writer.write_bytes(" and more").await.unwrap();
        writer.commit().await.unwrap();
        let expected = [pattern(1, SEGMENT_SIZE), b" and more".to_vec()].concat();
        assert_eq!(content(&store, "/u").await, expected);
    });
}

#[test]
fn a_commit_frees_the_unused_part_of_the_tail() {
    block_on(async {
        let store = store();
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write_bytes(pattern(1, 100)).await.unwrap();
        leave(&store, 0).await;
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/u").await, pattern(1, 100));
    });
}

#[test]
fn a_refused_write_behind_an_empty_file_holds_nothing() {
    block_on(async {
        let store = store();
        upload(&store, "/a", "").await;
        let mut writer = store.append(&path("/a")).await.unwrap();
        leave(&store, 5000).await;
        refused(&writer.write_bytes(vec![7; 10_000]).await.unwrap_err());
        assert_eq!(store.usage().uploads, 0);
        writer.commit().await.unwrap();
        assert_eq!(store.usage().uploads, 0);
        assert_eq!(room(&store), 5000 + (Usage::UPLOAD + 2) as u64);
    });
}

#[test]
fn an_error_reports_the_needed_and_the_available_bytes() {
    block_on(async {
        for left in [0, 1, 1000, 17_000] {
            let store = store();
            let mut writer = store.create(&path("/u")).await.unwrap();
            leave(&store, left).await;
            let error = writer.write_bytes(vec![1; 17_000]).await.unwrap_err();
            assert_eq!(refused(&error), (17_000 + Usage::SEGMENT as u64, left));
        }
    });
}

#[test]
fn a_full_store_can_be_read() {
    block_on(async {
        let store = store();
        a_file(&store).await;
        leave(&store, 0).await;
        assert_eq!(content(&store, "/dir/a").await, vec![1; 5000]);
        let health = store.health().await;
        assert!(health.read.is_ok());
        let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
        assert_eq!(kind(health.write), full);
        make_room(&store).await;
        assert!(store.health().await.write.is_ok());
    });
}

#[test]
fn a_store_without_capacity_holds_nothing() {
    block_on(async {
        let store = InMemory::builder().capacity(0).build();
        refused(&store.put(&path("/a"), "x").await.unwrap_err());
        refused(&store.put(&path("/a"), "").await.unwrap_err());
        refused(&store.create(&path("/a")).await.unwrap_err());
        assert_eq!(store.usage().held(), 0);
    });
}

#[test]
fn pinned_memory_is_not_available() {
    block_on(async {
        let store = store();
        put(&store, "/a", vec![7; 30_000]).await;
        let held = content(&store, "/a").await;
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        refused(&store.put(&path("/b"), vec![7; 30_000]).await.unwrap_err());
        drop(held);
        put(&store, "/b", vec![7; 30_000]).await;
    });
}

fn pooled_store() -> InMemory {
    InMemory::builder().capacity(100_000).segment_size(SEGMENT_SIZE).pool(100_000).build()
}

/// Leaves ten buffers in the pool.
async fn fill_the_pool(store: &InMemory) {
    upload(store, "/pooled", Bytes::from_owner(vec![7; 10 * SEGMENT_SIZE])).await;
    store.delete(&path("/pooled"), Precondition::None).await.unwrap();
    let usage = store.usage();
    assert_eq!((usage.pooled, usage.held()), (10 * SEGMENT_SIZE as u64, usage.pooled));
}

#[test]
fn the_pool_shrinks_for_content() {
    block_on(async {
        let store = pooled_store();
        fill_the_pool(&store).await;
        put(&store, "/a", vec![7; 100_000 - index_of_a_file("a")]).await;
        assert_eq!((store.usage().pooled, room(&store)), (0, 0));
    });
}

#[test]
fn the_pool_shrinks_for_names() {
    block_on(async {
        let store = pooled_store();
        fill_the_pool(&store).await;
        let rest = room(&store) as usize - index_of_a_file("a");
        put(&store, "/a", vec![7; rest]).await;
        put(&store, "/b", "").await;
        assert_eq!(store.usage().pooled, 9 * SEGMENT_SIZE as u64);
    });
}

#[test]
fn the_pool_is_no_reason_for_ill_health() {
    block_on(async {
        let store = pooled_store();
        fill_the_pool(&store).await;
        let rest = room(&store) as usize - index_of_a_file("a");
        put(&store, "/a", vec![7; rest]).await;
        assert_eq!(room(&store), 0);
        assert!(store.health().await.write.is_ok());
    });
}

#[test]
fn writes_use_the_pool() {
    block_on(async {
        let store = pooled_store();
        fill_the_pool(&store).await;
        upload(&store, "/a", Bytes::from_owner(pattern(1, 4 * SEGMENT_SIZE))).await;
        assert_eq!(content(&store, "/a").await, pattern(1, 4 * SEGMENT_SIZE));
        let usage = store.usage();
        assert_eq!(usage.pooled, 6 * SEGMENT_SIZE as u64);
        assert_eq!(usage.committed, 4 * SEGMENT_SIZE as u64);
        append(&store, "/a", "x").await;
        assert_eq!(store.usage().pooled, 5 * SEGMENT_SIZE as u64);
    });
}
