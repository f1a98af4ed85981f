//! Forks of a store: they share content, and no change.

#[path = "support/store.rs"]
mod support;

use std::collections::HashSet;

use futures::{TryStreamExt, executor::block_on};
use inmemory::{InMemory, Usage};
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    Version, WalkOptions,
};
use support::{KIB, append, content, in_use, kind, path, pattern, places, put};

async fn version(store: &InMemory, at: &str) -> Version {
    store.stat(&path(at)).await.unwrap().into_file().unwrap().version
}

async fn names(store: &InMemory) -> Vec<String> {
    let entries = store.walk(&Path::root(), WalkOptions::new());
    let entries: Vec<_> = entries.try_collect().await.unwrap();
    entries.iter().map(|entry| entry.path().to_string()).collect()
}

/// A store with two files in it.
async fn store() -> InMemory {
    let store = InMemory::new();
    put(&store, "/a/one", pattern(1, 20 * KIB)).await;
    put(&store, "/b/two", pattern(2, 10)).await;
    store
}

#[test]
fn a_fork_has_every_file_where_it_is() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        assert_eq!(names(&fork).await, ["/a", "/a/one", "/b", "/b/two"]);
        assert_eq!(places(&fork, "/a/one").await, places(&store, "/a/one").await);
        assert_eq!(
            fork.stat(&path("/a/one")).await.unwrap(),
            store.stat(&path("/a/one")).await.unwrap()
        );
    });
}

#[test]
fn a_change_of_the_store_is_not_visible_in_the_fork() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        put(&store, "/a/one", "new").await;
        put(&store, "/a/three", "new").await;
        store.delete(&path("/b/two"), Precondition::None).await.unwrap();
        assert_eq!(names(&fork).await, ["/a", "/a/one", "/b", "/b/two"]);
        assert_eq!(content(&fork, "/a/one").await, pattern(1, 20 * KIB));
    });
}

#[test]
fn a_change_of_the_fork_is_not_visible_in_the_store() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        append(&fork, "/b/two", "more").await;
        fork.rename_dir(&path("/a"), &path("/c/d")).await.unwrap();
        fork.touch(&path("/b/two"), Precondition::None).await.unwrap();
        assert_eq!(names(&fork).await, ["/b", "/b/two", "/c", "/c/d", "/c/d/one"]);
        assert_eq!(names(&store).await, ["/a", "/a/one", "/b", "/b/two"]);
        assert_eq!(content(&store, "/b/two").await, pattern(2, 10));
        assert_ne!(version(&store, "/b/two").await, version(&fork, "/b/two").await);
    });
}

#[test]
fn a_fork_of_a_fork_is_a_twin_too() {
    block_on(async {
        let store = store().await;
        let first = store.fork();
        put(&first, "/b/two", "first").await;
        let second = first.fork();
        put(&second, "/b/two", "second").await;
        drop(first);
        assert_eq!(content(&second, "/b/two").await, "second");
        assert_eq!(content(&store, "/b/two").await, pattern(2, 10));
    });
}

#[test]
fn a_fork_takes_no_memory() {
    block_on(async {
        let store = InMemory::new();
        for number in 0..2000 {
            put(&store, &format!("/dir{}/file{number}", number % 50), "x").await;
        }
        let before = in_use(&store);
        let forks: Vec<_> = (0..100).map(|_| store.fork()).collect();
        assert!(forks.iter().all(|fork| in_use(fork) == before));
    });
}

#[test]
fn a_change_after_a_fork_copies_the_directories_above_it() {
    block_on(async {
        let store = store().await;
        put(&store, "/a/sibling", "").await;
        let _fork = store.fork();
        let before = store.usage().index;
        store.touch(&path("/a/one"), Precondition::None).await.unwrap();
        let file = Usage::FILE + "one".len();
        assert_eq!(store.usage().index - before, (Usage::DIRECTORY + file) as u64);
    });
}

#[test]
fn content_shared_by_forks_counts_once() {
    block_on(async {
        let store = store().await;
        let before = store.usage().committed;
        let fork = store.fork();
        put(&fork, "/c", pattern(3, 100)).await;
        assert_eq!(store.usage().committed, before + 100);
        assert_eq!(in_use(&store), in_use(&fork));
    });
}

#[test]
fn content_deleted_in_one_fork_is_held_for_the_other() {
    block_on(async {
        let store = store().await;
        let before = store.usage().committed;
        let fork = store.fork();
        store.delete_dir(&path("/a")).await.unwrap();
        assert_eq!(fork.usage().committed, before);
        fork.delete_dir(&path("/a")).await.unwrap();
        assert_eq!(fork.usage().committed, 10);
    });
}

#[test]
fn a_dropped_fork_releases_its_own_content() {
    block_on(async {
        let store = store().await;
        let before = in_use(&store);
        let fork = store.fork();
        put(&fork, "/a/one", pattern(5, 1000)).await;
        put(&fork, "/x/y/z", pattern(6, 1000)).await;
        assert_ne!(in_use(&store), before);
        drop(fork);
        assert_eq!(in_use(&store), before);
    });
}

#[test]
fn a_fork_outlives_the_store() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        drop(store);
        assert_eq!(content(&fork, "/a/one").await, pattern(1, 20 * KIB));
        fork.delete_many(&[path("/a/one"), path("/b/two")]).await.unwrap();
        assert_eq!(fork.usage().held(), 0);
    });
}

#[test]
fn the_capacity_bounds_all_forks_together() {
    block_on(async {
        let store = InMemory::builder().capacity(100_000).build();
        let fork = store.fork();
        assert_eq!(fork.capacity(), Some(100_000));
        put(&store, "/a", pattern(1, 60_000)).await;
        let refused = fork.put(&path("/b"), pattern(2, 60_000)).await;
        assert!(matches!(kind(refused), ErrorKind::StorageFull { .. }));
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        put(&fork, "/b", pattern(2, 60_000)).await;
    });
}

#[test]
fn uploads_stay_with_the_store() {
    block_on(async {
        let store = store().await;
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write_bytes("some").await.unwrap();
        let fork = store.fork();
        assert!(fork.uploads(&Path::root(), ListOptions::new()).await.unwrap().items.is_empty());
        assert_eq!(kind(fork.resume(&path("/u")).await), ErrorKind::PathNotFound);
        let mut other = fork.create(&path("/u")).await.unwrap();
        other.write_bytes("other").await.unwrap();
        writer.write_bytes(" more").await.unwrap();
        writer.commit().await.unwrap();
        other.commit().await.unwrap();
        assert_eq!(content(&store, "/u").await, "some more");
        assert_eq!(content(&fork, "/u").await, "other");
    });
}

#[test]
fn no_two_commits_in_forks_share_a_version() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        let mut versions = HashSet::new();
        for round in 0..50 {
            put(&store, "/v", format!("{round}")).await;
            put(&fork, "/v", format!("{round}")).await;
            versions.extend([version(&store, "/v").await, version(&fork, "/v").await]);
        }
        assert_eq!(versions.len(), 100);
    });
}

#[test]
fn each_fork_is_shut_down_separately() {
    block_on(async {
        let store = store().await;
        let fork = store.fork();
        store.shutdown().await.unwrap();
        assert_eq!(kind(store.stat(&path("/a")).await), ErrorKind::Unavailable);
        assert_eq!(content(&fork, "/a/one").await, pattern(1, 20 * KIB));
        put(&fork, "/c", "x").await;
    });
}

#[test]
fn a_fork_of_a_store_that_was_shut_down_is_empty_and_open() {
    block_on(async {
        let store = store().await;
        store.shutdown().await.unwrap();
        let fork = store.fork();
        assert!(names(&fork).await.is_empty());
        put(&fork, "/c", "x").await;
        assert_eq!(names(&fork).await, ["/c"]);
    });
}

#[test]
fn a_reader_and_a_walk_of_the_store_stay_with_the_store() {
    block_on(async {
        let store = store().await;
        let reader = store.reader(&path("/a/one"), ReadRange::Full).await.unwrap();
        let walk = store.walk(&Path::root(), WalkOptions::new());
        let fork = store.fork();
        for store in [&store, &fork] {
            store.delete_many(&[path("/a/one"), path("/b/two")]).await.unwrap();
        }
        let read = reader.into_content(u64::MAX).await.unwrap();
        assert_eq!(read.into_bytes(), pattern(1, 20 * KIB));
        assert_eq!(walk.try_collect::<Vec<_>>().await.unwrap().len(), 4);
        assert_eq!(store.usage().held(), 0);
    });
}
