//! The state of one upload, which is read without fencing its writer.

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{ErrorKind, Path, Precondition, StorageDriver, StorageDriverExt};

use crate::support::{append, kind, path, put};

#[test]
fn an_upload_is_shown_with_its_size_note_and_times() {
    block_on(async {
        let clock = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(1));
        let seconds = clock.clone();
        let at = Duration::from_secs;
        let now = move || UNIX_EPOCH + at(seconds.load(std::sync::atomic::Ordering::Relaxed));
        let store = InMemory::builder().clock(now).build();
        let mut writer = store.create(&path("/a")).await.unwrap();
        clock.store(2, std::sync::atomic::Ordering::Relaxed);
        writer.write_bytes("12345").await.unwrap();
        clock.store(3, std::sync::atomic::Ordering::Relaxed);
        writer.set_note("note").unwrap();
        let upload = store.upload(&path("/a")).await.unwrap().unwrap();
        assert_eq!((upload.path, upload.size), (path("/a"), Some(5)));
        assert_eq!(upload.note, Some(Bytes::from("note")));
        assert_eq!(upload.created, UNIX_EPOCH + at(1));
        assert_eq!(upload.modified, UNIX_EPOCH + at(2), "a note is no data");
    });
}

#[test]
fn reading_the_state_of_an_upload_does_not_fence_its_writer() {
    block_on(async {
        let store = InMemory::new();
        let mut writer = store.create(&path("/a")).await.unwrap();
        for size in 0..10 {
            let upload = store.upload(&path("/a")).await.unwrap().unwrap();
            assert_eq!((upload.size, upload.note), (Some(size), Some(Bytes::new())));
            writer.write_bytes("x").await.unwrap();
        }
        writer.commit().await.unwrap();
    });
}

#[test]
fn an_upload_below_a_path_is_not_at_it() {
    block_on(async {
        let store = InMemory::new();
        let _writer = store.create(&path("/a/b")).await.unwrap();
        for at in ["/a", "/a/b/c", "/b"] {
            assert_eq!(store.upload(&path(at)).await.unwrap(), None);
        }
        assert_eq!(kind(store.upload(&Path::root()).await), ErrorKind::InvalidPath);
    });
}

#[test]
fn an_upload_that_has_ended_is_not_shown() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        store.create(&at).await.unwrap().commit().await.unwrap();
        assert_eq!(store.upload(&at).await.unwrap(), None);
        store.create(&at).await.unwrap().cancel().await.unwrap();
        assert_eq!(store.upload(&at).await.unwrap(), None);
        store.shutdown().await.unwrap();
        assert_eq!(kind(store.upload(&at).await), ErrorKind::Unavailable);
    });
}

#[test]
fn an_append_is_shown_with_the_size_of_the_file() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        put(&store, "/a", "1234").await;
        let mut writer = store.append(&at).await.unwrap();
        writer.write_bytes("56").await.unwrap();
        assert_eq!(store.upload(&at).await.unwrap().unwrap().size, Some(6));
    });
}

#[test]
fn a_delete_of_a_path_where_only_an_upload_is_cancels_it() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let mut writer = store.create(&at).await.unwrap();
        let version = store.put(&path("/other"), "x").await.unwrap().version;
        let failed = store.delete(&at, Precondition::IfVersion(version)).await;
        assert_eq!(kind(failed), ErrorKind::PreconditionFailed);
        writer.write_bytes("still open").await.unwrap();
        store.delete(&at, Precondition::None).await.unwrap();
        assert_eq!(kind(writer.write_bytes("x").await), ErrorKind::WriterFenced);
        assert_eq!(kind(store.delete(&at, Precondition::None).await), ErrorKind::PathNotFound);
    });
}

#[test]
fn a_delete_leaves_uploads_below_the_path() {
    block_on(async {
        let store = InMemory::new();
        put(&store, "/a", "x").await;
        let mut below = store.create(&path("/a/b")).await.unwrap();
        store.delete(&path("/a"), Precondition::None).await.unwrap();
        below.write_bytes("x").await.unwrap();
        store.delete_dir(&path("/a")).await.unwrap();
        assert_eq!(kind(below.write_bytes("x").await), ErrorKind::WriterFenced);
        assert_eq!(kind(store.delete_dir(&path("/a")).await), ErrorKind::PathNotFound);
    });
}

#[test]
fn an_append_to_nothing_with_an_upload_there_finds_no_file() {
    block_on(async {
        let (store, at) = (InMemory::new(), path("/a"));
        let _writer = store.create(&at).await.unwrap();
        assert_eq!(kind(store.append(&at).await), ErrorKind::PathNotFound);
        put(&store, "/a", "x").await;
        assert_eq!(kind(store.append(&at).await), ErrorKind::UploadInProgress);
        store.cancel_upload(&at).await.unwrap();
        append(&store, "/a", "y").await;
    });
}
