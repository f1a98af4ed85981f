//! Handles: they are cheap, can be shared, and work on any executor.

use std::{
    cell::Cell,
    future::Future,
    pin::pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use crate::support::{KIB, MIB, content, in_use, kind, path, pattern, put};
use bytes::Bytes;
use futures::{
    SinkExt,
    executor::{LocalPool, block_on},
    stream,
    task::{LocalSpawnExt, noop_waker},
};
use inmemory::{InMemory, InMemoryBuilder, Usage};
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    WriterOptions,
};

#[test]
fn handles_can_go_anywhere() {
    fn anywhere<T: Clone + Default + std::fmt::Debug + Send + Sync + Unpin + 'static>() {}
    anywhere::<InMemory>();
    fn sent<T: std::fmt::Debug + Send + Sync + 'static>() {}
    sent::<InMemoryBuilder>();
}

#[test]
fn every_future_can_be_sent() {
    fn sent<T: Send>(future: T) -> T {
        future
    }
    let store = InMemory::new();
    let at = path("/a");
    block_on(async {
        sent(store.put(&at, "x")).await.unwrap();
        let mut writer = sent(store.writer(&at, WriterOptions::create())).await.unwrap();
        sent(writer.write_bytes("y")).await.unwrap();
        sent(writer.commit()).await.unwrap();
        drop(sent(store.reader(&at, ReadRange::Full)).await.unwrap());
        sent(store.list(&Path::root(), ListOptions::new())).await.unwrap();
    });
}

#[test]
fn a_clone_is_a_handle_to_the_same_store() {
    block_on(async {
        let store = InMemory::new();
        let clone = store.clone();
        put(&store, "/a", "x").await;
        assert_eq!(content(&clone, "/a").await, "x");
        assert_eq!(in_use(&clone), in_use(&store));
        drop(store);
        assert_eq!(content(&clone, "/a").await, "x");
        clone.shutdown().await.unwrap();
        assert_eq!(kind(clone.clone().stat(&path("/a")).await), ErrorKind::Unavailable);
    });
}

#[test]
fn a_default_store_is_empty_and_has_no_capacity() {
    block_on(async {
        let store = InMemory::default();
        assert_eq!((store.capacity(), store.usage()), (None, Usage::default()));
        let page = store.list(&Path::root(), ListOptions::new()).await.unwrap();
        assert!(page.items.is_empty());
    });
}

#[test]
fn debug_shows_usage_and_capacity_and_no_content() {
    block_on(async {
        let store = InMemory::builder().capacity(123_456).build();
        put(&store, "/private", "secret").await;
        let text = format!("{store:?}");
        assert!(text.starts_with("InMemory"), "{text}");
        assert!(text.contains("123456") && text.contains("committed: 6"), "{text}");
        assert!(!text.contains("secret") && !text.contains("private"), "{text}");
    });
}

#[test]
fn two_drivers_are_told_apart_by_their_names() {
    block_on(async {
        let [cache, blobs] = ["cache", "blobs"].map(|name| InMemory::builder().name(name).build());
        assert_eq!((cache.name(), blobs.fork().name()), ("cache", "blobs"));
        let a = path("/a");
        let missing = |error: storage_driver::Error| error.to_string();
        assert_eq!(missing(cache.stat(&a).await.unwrap_err()), "cache: stat /a: path not found");
        assert_eq!(missing(blobs.stat(&a).await.unwrap_err()), "blobs: stat /a: path not found");
        let mut walk = cache.walk(&a, storage_driver::WalkOptions::new());
        let failed = futures::StreamExt::next(&mut walk).await.unwrap().unwrap_err();
        assert_eq!(missing(failed), "cache: walk /a: path not found");
        let mut fenced = blobs.create(&a).await.unwrap();
        blobs.cancel_upload(&a).await.unwrap();
        let failed = fenced.write_bytes("x").await.unwrap_err();
        assert!(missing(failed).starts_with("blobs: "));
    });
}

#[test]
fn debug_of_a_builder_shows_its_settings() {
    let builder = InMemory::builder().capacity(11).pool(22).segment_size(44_444);
    let text = format!("{builder:?}");
    for part in ["InMemoryBuilder", "11", "22", "44444"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn a_store_can_be_kept_as_a_trait_object() {
    block_on(async {
        let store: Arc<dyn StorageDriver> = Arc::new(InMemory::new());
        store.put(&path("/a"), "x").await.unwrap();
        assert_eq!(store.get_bytes(&path("/a"), 1).await.unwrap(), "x");
        assert_eq!(store.name(), "inmemory");
    });
}

#[test]
fn all_is_claimed_but_durability_and_redirects() {
    let capabilities = InMemory::new().capabilities();
    assert!(!capabilities.durable && !capabilities.redirect);
    assert_eq!(capabilities.max_path_bytes, Path::MAX_BYTES);
    assert!(
        capabilities.preconditions
            && capabilities.conditional_commit
            && capabilities.rename_file
            && capabilities.rename_dir
            && capabilities.copy
            && capabilities.append
            && capabilities.touch
            && capabilities.keeps_on_drop
            && capabilities.atomic_rename
            && capabilities.atomic_commit_to
            && capabilities.rejects_conflicts
            && capabilities.snapshot_listing
            && capabilities.linearizable
            && capabilities.unique_versions
            && capabilities.ordered_walk
    );
}

#[test]
fn errors_say_driver_operation_and_path() {
    block_on(async {
        let store = InMemory::new();
        let error = store.get_content(&path("/a/b"), 1).await.unwrap_err();
        assert_eq!(error.to_string(), "inmemory: get_content /a/b: path not found");
        let error = store.rename(&path("/a"), &path("/b"), Precondition::None).await.unwrap_err();
        assert_eq!(error.to_string(), "inmemory: rename /a: path not found");
    });
}

#[test]
fn a_store_is_used_from_many_threads() {
    let store = InMemory::new();
    thread::scope(|scope| {
        for number in 0..4 {
            let store = store.clone();
            scope.spawn(move || {
                block_on(async {
                    for round in 0..50 {
                        let at = format!("/{number}/{round}");
                        put(&store, &at, pattern(round, 1000)).await;
                        assert_eq!(content(&store, &at).await, pattern(round, 1000));
                    }
                });
            });
        }
    });
    assert_eq!(store.usage().committed, 4 * 50 * 1000);
}

/// Polls once, with a waker that does nothing.
fn poll<T>(future: impl Future<Output = T>) -> Poll<T> {
    pin!(future).poll(&mut Context::from_waker(&noop_waker()))
}

#[test]
fn every_call_but_a_long_write_is_ready_at_once() {
    let store = InMemory::new();
    let at = path("/a");
    assert!(poll(store.put(&at, vec![7; 3 * MIB])).is_ready());
    assert!(poll(store.get_content(&at, u64::MAX)).is_ready());
    assert!(poll(store.copy(&at, &path("/b"), Precondition::None)).is_ready());
    let Poll::Ready(Ok(mut writer)) = poll(store.append(&at)) else { panic!("not ready") };
    assert!(poll(writer.write_bytes("x")).is_ready());
    assert!(poll(writer.sync()).is_ready());
    assert!(poll(writer.commit()).is_ready());
    assert!(poll(store.delete(&at, Precondition::None)).is_ready());
}

/// Writes pieces of `length` bytes until a write has to be polled twice; returns how many bytes
/// were accepted before.
fn accepted_before_a_yield(length: usize) -> usize {
    let store = InMemory::new();
    let mut writer = block_on(store.create(&path("/a"))).unwrap();
    for accepted in (0..=4 * MIB).step_by(length) {
        match poll(writer.write_bytes(Bytes::from(vec![7; length]))) {
            Poll::Ready(written) => written.unwrap(),
            Poll::Pending => {
                assert_eq!(writer.size(), accepted as u64, "what is pending is not accepted");
                return accepted;
            }
        }
    }
    panic!("the writer never yields");
}

#[test]
fn a_writer_yields_after_each_mib() {
    assert_eq!(accepted_before_a_yield(MIB), MIB);
    assert_eq!(accepted_before_a_yield(64 * KIB), MIB);
    assert_eq!(accepted_before_a_yield(MIB - 1), 2 * MIB - 2);
    assert_eq!(accepted_before_a_yield(3 * MIB), 3 * MIB);
}

#[test]
fn a_writer_continues_after_a_yield() {
    let store = InMemory::new();
    let mut writer = block_on(store.create(&path("/a"))).unwrap();
    for _ in 0..3 {
        assert!(poll(writer.write_bytes(vec![7; MIB])).is_ready());
        assert!(poll(writer.write_bytes("")).is_pending());
        assert!(poll(writer.write_bytes("")).is_ready());
    }
    assert_eq!(writer.size(), 3 * MIB as u64);
}

#[test]
fn another_task_on_the_thread_runs() {
    let mut pool = LocalPool::new();
    let store = InMemory::new();
    let turns = Rc::new(Cell::new(0));
    let seen = Rc::new(Cell::new(0));
    let (other, end) = (Rc::clone(&turns), Rc::clone(&seen));
    let spawner = pool.spawner();
    spawner
        .spawn_local(async move {
            let mut writer = store.create(&path("/a")).await.unwrap();
            for _ in 0..80 {
                writer.write_bytes(vec![7; 128 * KIB]).await.unwrap();
            }
            end.set(turns.get());
            writer.commit().await.unwrap();
        })
        .unwrap();
    spawner
        .spawn_local(async move {
            for _ in 0..100 {
                other.set(other.get() + 1);
                yield_once().await;
            }
        })
        .unwrap();
    pool.run();
    assert!((9..=10).contains(&seen.get()), "{} turns in 10 MiB", seen.get());
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[test]
fn a_stream_is_sent_into_a_writer() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        let parts: Vec<_> = (0..40).map(|seed| Bytes::from(pattern(seed, 100 * KIB))).collect();
        let expected = parts.concat();
        writer.send_all(&mut stream::iter(parts.into_iter().map(Ok))).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, expected);
    });
}

#[test]
fn accepted_data_survives_suspend_close_sync_and_drop() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        writer.write_bytes("one ").await.unwrap();
        drop(writer);
        let mut writer = store.writer(&path("/a"), WriterOptions::resume_at(4)).await.unwrap();
        writer.write_bytes("two ").await.unwrap();
        writer.suspend().await.unwrap();
        let mut writer = store.writer(&path("/a"), WriterOptions::resume_at(8)).await.unwrap();
        SinkExt::close(&mut writer).await.unwrap();
        drop(writer);
        let mut writer = store.resume(&path("/a")).await.unwrap();
        writer.write_bytes("three").await.unwrap();
        writer.sync().await.unwrap();
        drop(writer);
        store.resume(&path("/a")).await.unwrap().commit().await.unwrap();
        assert_eq!(content(&store, "/a").await, "one two three");
    });
}
