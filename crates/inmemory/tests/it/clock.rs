//! All times come from the clock of the store.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::support::{append, kind, path, put};
use futures::executor::block_on;
use inmemory::InMemory;
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, StorageDriver, StorageDriverExt, UploadInfo,
};

/// A clock that stands still until it is set.
#[derive(Clone)]
struct Clock(Arc<Mutex<SystemTime>>);

const HOUR: Duration = Duration::from_secs(3600);
const START: SystemTime = UNIX_EPOCH;

impl Clock {
    fn set(&self, time: SystemTime) {
        *self.0.lock().unwrap() = time;
    }

    /// Sets it to so many hours after the start.
    fn hours(&self, hours: u32) {
        self.set(START + hours * HOUR);
    }
}

fn store() -> (InMemory, Clock) {
    let clock = Clock(Arc::new(Mutex::new(START)));
    let time = clock.clone();
    (InMemory::builder().clock(move || *time.0.lock().unwrap()).build(), clock)
}

fn hours(hours: u32) -> SystemTime {
    START + hours * HOUR
}

async fn modified(store: &InMemory, at: &str) -> SystemTime {
    store.stat(&path(at)).await.unwrap().into_file().unwrap().modified
}

async fn uploads(store: &InMemory) -> Vec<UploadInfo> {
    store.uploads(&Path::root(), ListOptions::new()).await.unwrap().items
}

#[test]
fn a_put_is_of_the_moment() {
    block_on(async {
        let (store, clock) = store();
        clock.hours(3);
        let metadata = store.put(&path("/a"), "x").await.unwrap();
        assert_eq!(metadata.modified, hours(3));
        clock.hours(4);
        assert_eq!(modified(&store, "/a").await, hours(3));
        put(&store, "/a", "y").await;
        assert_eq!(modified(&store, "/a").await, hours(4));
    });
}

#[test]
fn an_upload_is_of_the_moment_of_its_commit() {
    block_on(async {
        let (store, clock) = store();
        let mut writer = store.create(&path("/a")).await.unwrap();
        clock.hours(1);
        writer.write_bytes("x").await.unwrap();
        clock.hours(2);
        assert_eq!(writer.commit().await.unwrap().modified, hours(2));
        clock.hours(3);
        append(&store, "/a", "y").await;
        assert_eq!(modified(&store, "/a").await, hours(3));
    });
}

#[test]
fn copy_and_touch_set_the_time_and_rename_keeps_it() {
    block_on(async {
        let (store, clock) = store();
        put(&store, "/a", "x").await;
        clock.hours(1);
        store.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
        clock.hours(2);
        store.rename(&path("/a"), &path("/dir/c"), Precondition::None).await.unwrap();
        store.rename_dir(&path("/dir"), &path("/moved")).await.unwrap();
        assert_eq!(modified(&store, "/b").await, hours(1));
        assert_eq!(modified(&store, "/moved/c").await, START);
        let touched = store.touch(&path("/moved/c"), Precondition::None).await.unwrap();
        assert_eq!(touched.modified, hours(2));
        assert_eq!(modified(&store, "/moved/c").await, hours(2));
    });
}

#[test]
fn an_upload_tells_when_it_was_started_and_written() {
    block_on(async {
        let (store, clock) = store();
        clock.hours(1);
        let mut writer = store.create(&path("/a")).await.unwrap();
        clock.hours(2);
        assert_eq!(
            uploads(&store).await,
            [UploadInfo::new(path("/a"), hours(1), hours(1), Some(0))]
        );
        writer.write_bytes("x").await.unwrap();
        clock.hours(3);
        assert_eq!(
            uploads(&store).await,
            [UploadInfo::new(path("/a"), hours(1), hours(2), Some(1))]
        );
    });
}

#[test]
fn a_resume_keeps_when_an_upload_was_started() {
    block_on(async {
        let (store, clock) = store();
        store.create(&path("/a")).await.unwrap().suspend().await.unwrap();
        clock.hours(1);
        let mut writer = store.resume(&path("/a")).await.unwrap();
        assert_eq!(uploads(&store).await, [UploadInfo::new(path("/a"), START, START, Some(0))]);
        writer.write_bytes("xy").await.unwrap();
        assert_eq!(uploads(&store).await, [UploadInfo::new(path("/a"), START, hours(1), Some(2))]);
    });
}

#[test]
fn a_write_of_nothing_is_no_write() {
    block_on(async {
        let (store, clock) = store();
        let mut writer = store.create(&path("/a")).await.unwrap();
        clock.hours(1);
        writer.write_bytes("").await.unwrap();
        assert_eq!(uploads(&store).await[0].modified, START);
    });
}

#[test]
fn an_append_starts_as_large_as_the_file() {
    block_on(async {
        let (store, clock) = store();
        put(&store, "/a", "xyz").await;
        clock.hours(1);
        store.append(&path("/a")).await.unwrap().suspend().await.unwrap();
        assert_eq!(
            uploads(&store).await,
            [UploadInfo::new(path("/a"), hours(1), hours(1), Some(3))]
        );
    });
}

/// A store with uploads that were written to at the hours of their names.
async fn aged() -> (InMemory, Clock) {
    let (store, clock) = store();
    for hour in [1, 2, 3] {
        let mut writer = store.create(&path(&format!("/u/{hour}"))).await.unwrap();
        clock.hours(hour);
        writer.write_bytes("x").await.unwrap();
    }
    (store, clock)
}

async fn left(store: &InMemory) -> Vec<String> {
    uploads(store).await.iter().map(|upload| upload.path.to_string()).collect()
}

#[test]
fn uploads_are_cancelled_by_the_time_of_their_last_write() {
    block_on(async {
        let (store, clock) = aged().await;
        clock.hours(4);
        let younger = 2 * HOUR + Duration::from_nanos(1);
        assert_eq!(store.cancel_uploads(&Path::root(), younger).await.unwrap(), 1);
        assert_eq!(left(&store).await, ["/u/2", "/u/3"]);
    });
}

#[test]
fn an_upload_of_exactly_the_age_is_cancelled() {
    block_on(async {
        let (store, clock) = aged().await;
        clock.hours(4);
        assert_eq!(store.cancel_uploads(&Path::root(), 2 * HOUR).await.unwrap(), 2);
        assert_eq!(left(&store).await, ["/u/3"]);
    });
}

#[test]
fn an_age_of_zero_cancels_all_uploads() {
    block_on(async {
        let (store, _clock) = aged().await;
        assert_eq!(store.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap(), 3);
        assert!(left(&store).await.is_empty());
    });
}

#[test]
fn an_age_beyond_all_time_cancels_nothing() {
    block_on(async {
        let (store, clock) = aged().await;
        clock.hours(1_000_000);
        assert_eq!(store.cancel_uploads(&Path::root(), Duration::MAX).await.unwrap(), 0);
    });
}

#[test]
fn cancelled_uploads_are_fenced_and_free_their_memory() {
    block_on(async {
        let (store, clock) = store();
        let mut writer = store.create(&path("/u")).await.unwrap();
        writer.write_bytes(vec![7; 100_000]).await.unwrap();
        clock.hours(1);
        assert_eq!(store.cancel_uploads(&path("/u"), Duration::ZERO).await.unwrap(), 1);
        assert_eq!(store.usage().uploads, 0);
        assert_eq!(kind(writer.write_bytes("x").await), ErrorKind::WriterFenced);
    });
}

#[test]
fn a_clock_that_goes_backwards_makes_nothing_old() {
    block_on(async {
        let (store, clock) = aged().await;
        clock.hours(0);
        let least = Duration::from_nanos(1);
        assert_eq!(store.cancel_uploads(&Path::root(), least).await.unwrap(), 0);
        put(&store, "/a", "x").await;
        assert_eq!(modified(&store, "/a").await, START);
        assert_eq!(left(&store).await.len(), 3);
    });
}

#[test]
fn an_age_of_zero_cancels_uploads_written_after_the_clock_was_set_back() {
    block_on(async {
        let (store, clock) = aged().await;
        clock.hours(0);
        assert_eq!(store.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap(), 3);
        assert!(left(&store).await.is_empty());
    });
}

#[test]
fn times_before_1970_are_kept() {
    block_on(async {
        let (store, clock) = store();
        let before = UNIX_EPOCH - 50_000 * HOUR - Duration::from_nanos(1);
        clock.set(before);
        put(&store, "/a", "x").await;
        let writer = store.create(&path("/u")).await.unwrap();
        assert_eq!(modified(&store, "/a").await, before);
        assert_eq!(uploads(&store).await[0].created, before);
        drop(writer);
        clock.set(UNIX_EPOCH - 49_999 * HOUR);
        assert_eq!(store.cancel_uploads(&Path::root(), HOUR).await.unwrap(), 1);
    });
}

#[test]
fn the_nanosecond_is_kept() {
    block_on(async {
        let (store, clock) = store();
        for nanos in [1, 999_999_999, 1_700_000_000_123_456_789] {
            clock.set(UNIX_EPOCH + Duration::from_nanos(nanos));
            put(&store, "/a", "x").await;
            assert_eq!(modified(&store, "/a").await, UNIX_EPOCH + Duration::from_nanos(nanos));
        }
    });
}

#[test]
fn times_out_of_range_are_clipped() {
    block_on(async {
        let (store, clock) = store();
        let most = Duration::from_nanos(i64::MAX as u64);
        let far = Duration::from_secs(1000 * 365 * 24 * 3600);
        for (shown, kept) in [
            (UNIX_EPOCH + far, UNIX_EPOCH + most),
            (UNIX_EPOCH - far, UNIX_EPOCH - most),
            (UNIX_EPOCH + most, UNIX_EPOCH + most),
        ] {
            clock.set(shown);
            put(&store, "/a", "x").await;
            assert_eq!(modified(&store, "/a").await, kept);
        }
    });
}

#[test]
fn a_fork_has_the_same_clock() {
    block_on(async {
        let (store, clock) = store();
        let fork = store.fork();
        clock.hours(7);
        put(&fork, "/a", "x").await;
        assert_eq!(modified(&fork, "/a").await, hours(7));
    });
}

#[test]
fn unless_another_is_given_the_clock_is_the_systems() {
    block_on(async {
        let store = InMemory::new();
        let before = SystemTime::now();
        put(&store, "/a", "x").await;
        let modified = modified(&store, "/a").await;
        assert!(before <= modified && modified <= SystemTime::now());
    });
}
