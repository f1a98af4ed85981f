//! 2.1, 5.16, 7: exact times and ages, with a clock that stands still until it is set.

use std::time::{Duration, SystemTime};

use storage_driver::{ListOptions, Path, Precondition, StorageDriver, UploadInfo};

use crate::{
    Subject,
    check::{append, create, path, put, resume, stat, upload, uploads},
};

const SECOND: Duration = Duration::from_secs(1);

/// When the file was modified.
async fn modified(driver: &dyn StorageDriver, at: &str) -> SystemTime {
    stat(driver, at).await.modified
}

/// The only upload in the store.
async fn only_upload(driver: &dyn StorageDriver) -> UploadInfo {
    let mut page = driver.uploads(&Path::root(), ListOptions::new()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    page.items.remove(0)
}

async fn cancel_older(driver: &dyn StorageDriver, than: Duration) -> u64 {
    driver.cancel_uploads(&Path::root(), than).await.unwrap()
}

pub(crate) async fn a_put_sets_the_time(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    for second in [1, 2, 1] {
        let now = clock.set(second);
        assert_eq!(put(&driver, "/a", "x").await.modified, now);
        clock.set(9);
        assert_eq!(modified(&driver, "/a").await, now);
    }
}

pub(crate) async fn a_commit_sets_the_time(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    let mut writer = create(&driver, "/a").await;
    clock.set(1);
    writer.write_bytes("x").await.unwrap();
    let now = clock.set(2);
    assert_eq!(writer.commit().await.unwrap().modified, now);
    clock.set(3);
    assert_eq!(modified(&driver, "/a").await, now);
}

pub(crate) async fn a_later_rename_keeps_the_time(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    let then = clock.set(0);
    put(&driver, "/a", "x").await;
    clock.set(1);
    let moved = driver.rename(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    assert_eq!(moved.modified, then);
    assert_eq!(modified(&driver, "/b").await, then);
}

pub(crate) async fn a_later_rename_of_a_directory_keeps_times(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    let then = clock.set(0);
    put(&driver, "/a/b/c", "x").await;
    clock.set(1);
    driver.rename_dir(&path("/a"), &path("/d")).await.unwrap();
    assert_eq!(modified(&driver, "/d/b/c").await, then);
}

pub(crate) async fn a_copy_sets_the_time(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    let then = clock.set(0);
    put(&driver, "/a", "x").await;
    let now = clock.set(1);
    let copied = driver.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    assert_eq!(copied.modified, now);
    assert_eq!(modified(&driver, "/b").await, now);
    assert_eq!(modified(&driver, "/a").await, then);
}

pub(crate) async fn a_touch_sets_the_time(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    put(&driver, "/a", "x").await;
    let now = clock.set(1);
    assert_eq!(driver.touch(&path("/a"), Precondition::None).await.unwrap().modified, now);
    assert_eq!(modified(&driver, "/a").await, now);
}

pub(crate) async fn other_content_of_the_same_moment_has_another_version(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(5);
    let one = put(&driver, "/a", "one").await;
    let two = put(&driver, "/a", "two").await;
    assert_ne!(one.version, two.version);
    // A clock that is set back must not bring a version back.
    clock.set(4);
    let six = put(&driver, "/a", "six").await;
    clock.set(5);
    let ten = put(&driver, "/a", "ten").await;
    let versions = [&one, &two, &six, &ten].map(|file| &file.version);
    for (i, version) in versions.iter().enumerate() {
        assert!(!versions[i + 1..].contains(version), "{versions:?}");
    }
}

pub(crate) async fn a_touch_at_the_same_moment_makes_another_version(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    let old = put(&driver, "/a", "x").await;
    assert_ne!(driver.touch(&path("/a"), Precondition::None).await.unwrap().version, old.version);
}

pub(crate) async fn an_upload_reports_its_start_and_its_last_write(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    let started = clock.set(1);
    let mut writer = create(&driver, "/a").await;
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (started, started));

    let written = clock.set(2);
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (started, written));

    // To suspend or to resume is not a write.
    clock.set(3);
    writer.suspend().await.unwrap();
    clock.set(4);
    let mut writer = resume(&driver, "/a").await;
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (started, written));

    let written = clock.set(5);
    writer.write_bytes("y").await.unwrap();
    writer.suspend().await.unwrap();
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (started, written));
}

pub(crate) async fn create_sets_the_start_of_the_upload(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    upload(&driver, "/a", "x").await;
    let now = clock.set(1);
    create(&driver, "/a").await.suspend().await.unwrap();
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (now, now));
}

pub(crate) async fn an_append_starts_when_it_is_opened(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    put(&driver, "/a", "x").await;
    let now = clock.set(1);
    append(&driver, "/a").await.suspend().await.unwrap();
    let found = only_upload(&driver).await;
    assert_eq!((found.created, found.modified), (now, now));
}

pub(crate) async fn cancel_uploads_cancels_an_upload_of_exactly_the_age(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    upload(&driver, "/a", "x").await;
    clock.set(10);
    assert_eq!(cancel_older(&driver, 10 * SECOND).await, 1);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn cancel_uploads_leaves_an_upload_a_second_younger(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    upload(&driver, "/a", "x").await;
    clock.set(9);
    assert_eq!(cancel_older(&driver, 10 * SECOND).await, 0);
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
}

pub(crate) async fn cancel_uploads_of_any_age_cancels_an_upload_written_now(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    upload(&driver, "/a", "x").await;
    let mut writer = create(&driver, "/b").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(cancel_older(&driver, Duration::ZERO).await, 2);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn an_upload_written_in_the_future_has_no_age(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(100);
    upload(&driver, "/a", "x").await;
    // The clock was set back.
    clock.set(0);
    assert_eq!(cancel_older(&driver, SECOND).await, 0);
    assert_eq!(cancel_older(&driver, Duration::ZERO).await, 1);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn the_age_of_an_upload_counts_from_its_last_write(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    clock.set(0);
    let mut writer = create(&driver, "/a").await;
    clock.set(100);
    writer.write_bytes("x").await.unwrap();
    writer.suspend().await.unwrap();
    clock.set(109);
    assert_eq!(cancel_older(&driver, 10 * SECOND).await, 0);
    clock.set(110);
    assert_eq!(cancel_older(&driver, 10 * SECOND).await, 1);
}

pub(crate) async fn cancel_uploads_cancels_old_uploads_and_leaves_young_ones(subject: Subject) {
    let (driver, clock) = subject.driver_with_clock().await;
    for (second, at) in (0..5).zip(["/e", "/a/b", "/c", "/a", "/d"]) {
        clock.set(second);
        upload(&driver, at, "x").await;
    }
    clock.set(12);
    assert_eq!(cancel_older(&driver, 10 * SECOND).await, 3);
    assert_eq!(uploads(&driver, "/").await, ["/a", "/d"]);
}
