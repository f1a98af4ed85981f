//! 9.4, 10.4: shutdown and health.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use storage_driver::{
    Error, ErrorKind, ListOptions, Operation, Path, Precondition, ReadRange, StorageDriver,
    StorageDriverExt, SweepOptions, WalkOptions,
};

use crate::{
    Pattern, Subject,
    check::{create, drain, error, explains, fails, path, put, upload},
};

const GONE: ErrorKind = ErrorKind::Unavailable;

/// A driver with a file, an upload and a directory, shut down.
async fn shut_down(subject: Subject) -> Arc<dyn StorageDriver> {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    put(&driver, "/d/e", "content").await;
    upload(&driver, "/u", "upload").await;
    driver.shutdown().await.unwrap();
    driver
}

pub(crate) async fn after_shutdown_nothing_can_be_read(subject: Subject) {
    let driver = shut_down(subject).await;
    let at = path("/a");
    fails(driver.get_content(&at, 9).await, GONE);
    fails(driver.get_range(&at, ReadRange::Full, 9).await, GONE);
    fails(driver.reader(&at, ReadRange::Full).await, GONE);
}

pub(crate) async fn after_shutdown_nothing_can_be_looked_up(subject: Subject) {
    let driver = shut_down(subject).await;
    fails(driver.stat(&path("/a")).await, GONE);
    fails(driver.stat(&path("/nothing")).await, GONE);
    fails(driver.stat(&Path::root()).await, GONE);
    fails(driver.list(&Path::root(), ListOptions::new()).await, GONE);
    let first = driver.walk(&Path::root(), WalkOptions::new()).next().await;
    assert_eq!(error(first.expect("an error")).kind(), GONE);
}

pub(crate) async fn after_shutdown_nothing_can_be_written(subject: Subject) {
    let driver = shut_down(subject).await;
    fails(driver.put(&path("/b"), "x").await, GONE);
    fails(driver.create(&path("/b")).await, GONE);
    fails(driver.resume(&path("/u")).await, GONE);
    if driver.capabilities().append {
        fails(driver.append(&path("/a")).await, GONE);
    }
}

pub(crate) async fn after_shutdown_nothing_can_be_deleted(subject: Subject) {
    let driver = shut_down(subject).await;
    fails(driver.delete(&path("/a"), Precondition::None).await, GONE);
    fails(driver.delete_dir(&path("/d")).await, GONE);
    fails(driver.delete_many(&[path("/a")]).await, GONE);
    fails(driver.upload(&path("/u")).await, GONE);
    fails(driver.cancel_upload(&path("/u")).await, GONE);
    fails(driver.cancel_uploads(&Path::root(), Duration::ZERO).await, GONE);
    fails(driver.uploads(&Path::root(), ListOptions::new()).await, GONE);
}

pub(crate) async fn after_shutdown_nothing_can_be_moved(subject: Subject) {
    let driver = shut_down(subject).await;
    let claimed = driver.capabilities();
    let (from, to) = (path("/a"), path("/b"));
    if claimed.rename_file {
        fails(driver.rename(&from, &to, Precondition::None).await, GONE);
    }
    if claimed.rename_dir {
        fails(driver.rename_dir(&path("/d"), &to).await, GONE);
    }
    if claimed.copy {
        fails(driver.copy(&from, &to, Precondition::None).await, GONE);
    }
    if claimed.touch {
        fails(driver.touch(&from, Precondition::None).await, GONE);
    }
}

pub(crate) async fn after_shutdown_open_writers_fail(subject: Subject) {
    let driver = subject.driver().await;
    let mut writers = Vec::new();
    for i in 0..5 {
        let mut writer = create(&driver, &format!("/u/{i}")).await;
        writer.write_bytes("x").await.unwrap();
        writers.push(writer);
    }
    driver.shutdown().await.unwrap();
    let mut writers = writers.into_iter();
    fails(writers.next().unwrap().sync().await, GONE);
    fails(writers.next().unwrap().suspend().await, GONE);
    fails(writers.next().unwrap().commit().await, GONE);
    let elsewhere = writers.next().unwrap().commit_to(&path("/b"), Precondition::None).await;
    fails(elsewhere, GONE);
    fails(writers.next().unwrap().cancel().await, GONE);
}

/// Checks that an operation fails because the driver was shut down, and that the error has its context.
#[track_caller]
fn gone<T: std::fmt::Debug>(
    driver: &dyn StorageDriver,
    result: Result<T, Error>,
    operations: &[Operation],
    at: &str,
) {
    explains(driver, &fails(result, GONE), operations, at);
}

pub(crate) async fn after_shutdown_errors_of_reading_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    for at in ["/a", "/nothing"] {
        let file = &path(at);
        let content = driver.get_content(file, 9).await;
        gone(driver, content, &[Operation::GetContent, Operation::Reader], at);
        let range = driver.get_range(file, ReadRange::Full, 9).await;
        gone(driver, range, &[Operation::GetRange, Operation::Reader], at);
        gone(driver, driver.reader(file, ReadRange::Full).await, &[Operation::Reader], at);
    }
}

pub(crate) async fn after_shutdown_errors_of_looking_up_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    for at in ["/", "/d"] {
        let dir = &path(at);
        gone(driver, driver.stat(dir).await, &[Operation::Stat], at);
        gone(driver, driver.list(dir, ListOptions::new()).await, &[Operation::List], at);
        let first = driver.walk(dir, WalkOptions::new()).next().await.expect("an error");
        gone(driver, first, &[Operation::Walk, Operation::List], at);
    }
}

pub(crate) async fn after_shutdown_errors_of_writing_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    gone(driver, driver.put(&path("/b"), "x").await, &[Operation::PutContent], "/b");
    gone(driver, driver.create(&path("/b")).await, &[Operation::Writer], "/b");
    gone(driver, driver.resume(&path("/u")).await, &[Operation::Writer], "/u");
    if driver.capabilities().append {
        gone(driver, driver.append(&path("/a")).await, &[Operation::Writer], "/a");
    }
}

pub(crate) async fn after_shutdown_errors_of_uploads_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    for at in ["/", "/u"] {
        let uploads = driver.uploads(&path(at), ListOptions::new()).await;
        gone(driver, uploads, &[Operation::Uploads], at);
    }
}

pub(crate) async fn after_shutdown_errors_of_cancelling_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    let reported = driver.upload(&path("/u")).await;
    gone(driver, reported, &[Operation::Upload, Operation::Uploads], "/u");
    gone(driver, driver.cancel_upload(&path("/u")).await, &[Operation::CancelUpload], "/u");
    for at in ["/", "/u"] {
        let cancelled = driver.cancel_uploads(&path(at), Duration::ZERO).await;
        gone(driver, cancelled, &[Operation::CancelUploads], at);
    }
}

pub(crate) async fn after_shutdown_errors_of_deleting_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    for at in ["/a", "/d", "/nothing"] {
        gone(driver, driver.delete(&path(at), Precondition::None).await, &[Operation::Delete], at);
        gone(driver, driver.delete_dir(&path(at)).await, &[Operation::DeleteDir], at);
    }
    let failed = fails(driver.delete_many(&[path("/a")]).await, GONE);
    // The driver may make one call, or one for each path.
    let at = failed.path().expect("a path").as_str();
    assert!(["/", "/a"].contains(&at), "{failed:?}");
    explains(driver, &failed, &[Operation::DeleteMany, Operation::Delete], at);
}

pub(crate) async fn after_shutdown_errors_of_moving_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    let claimed = driver.capabilities();
    let (from, to) = (&path("/a"), &path("/b"));
    if claimed.rename_file {
        let renamed = driver.rename(from, to, Precondition::None).await;
        gone(driver, renamed, &[Operation::Rename], "/a");
    }
    if claimed.rename_dir {
        let renamed = driver.rename_dir(&path("/d"), to).await;
        gone(driver, renamed, &[Operation::RenameDir], "/d");
    }
    if claimed.copy {
        for to in [from, to] {
            let copied = driver.copy(from, to, Precondition::None).await;
            gone(driver, copied, &[Operation::Copy], "/a");
        }
    }
    if claimed.touch {
        gone(driver, driver.touch(from, Precondition::None).await, &[Operation::Touch], "/a");
    }
}

pub(crate) async fn after_shutdown_errors_of_health_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    let health = driver.health().await;
    let operations = &[Operation::Health, Operation::Stat];
    gone(driver, health.read, operations, "/");
    gone(driver, health.write, operations, "/");
}

pub(crate) async fn after_shutdown_errors_of_a_sweep_say_where(subject: Subject) {
    let driver = &shut_down(subject).await;
    for options in [SweepOptions::new(), SweepOptions::new().deep()] {
        gone(driver, driver.sweep(options).await, &[Operation::Sweep, Operation::Stat], "/");
    }
}

pub(crate) async fn after_shutdown_errors_of_writers_say_where(subject: Subject) {
    let driver = &subject.driver().await;
    let mut writers = Vec::new();
    for i in 0..5 {
        writers.push(create(driver, &format!("/u/{i}")).await);
    }
    driver.shutdown().await.unwrap();
    let mut writers = writers.into_iter();
    let mut next = || writers.next().expect("a writer for each call");
    gone(driver, next().sync().await, &[Operation::Sync], "/u/0");
    gone(driver, next().suspend().await, &[Operation::Suspend, Operation::Sync], "/u/1");
    gone(driver, next().commit().await, &[Operation::Commit, Operation::CommitTo], "/u/2");
    let failed = fails(next().commit_to(&path("/b"), Precondition::None).await, GONE);
    // A commit first keeps the data, at the writer's own path.
    let at = failed.path().expect("a path").as_str();
    assert!(["/b", "/u/3"].contains(&at), "{failed:?}");
    explains(driver, &failed, &[Operation::CommitTo], at);
    gone(driver, next().cancel().await, &[Operation::Cancel], "/u/4");
}

pub(crate) async fn after_shutdown_an_open_reader_gives_no_mix(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(95);
    put(&driver, "/a", pattern.bytes(0..1_000_000)).await;
    let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    driver.shutdown().await.unwrap();
    match drain(&mut reader).await {
        Ok(bytes) => {
            assert_eq!(bytes.len(), 1_000_000);
            pattern.check(0, &bytes).unwrap();
        }
        Err(error) => assert_eq!(error.kind(), GONE, "{error:?}"),
    }
}

pub(crate) async fn a_second_shutdown_does_nothing(subject: Subject) {
    let driver = shut_down(subject).await;
    driver.shutdown().await.unwrap();
    driver.shutdown().await.unwrap();
    fails(driver.stat(&path("/a")).await, GONE);
}

pub(crate) async fn a_shutdown_with_uploads_open_does_not_wait_for_them(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    driver.shutdown().await.unwrap();
    drop(writer);
}

pub(crate) async fn a_store_that_works_is_healthy(subject: Subject) {
    let driver = subject.driver().await;
    let health = driver.health().await;
    assert!(health.is_healthy(), "{health:?}");
    put(&driver, "/a", "x").await;
    assert!(driver.health().await.is_healthy());
}

pub(crate) async fn asking_for_health_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    for _ in 0..10 {
        driver.health().await;
    }
    let before = crate::check::everything(&driver).await;
    assert!(before == crate::check::everything(&subject.driver().await).await);
}

pub(crate) async fn after_shutdown_a_store_is_not_healthy(subject: Subject) {
    let driver = shut_down(subject).await;
    let health = driver.health().await;
    assert!(!health.is_healthy());
    assert_eq!(error(health.read).kind(), GONE);
    assert_eq!(error(health.write).kind(), GONE);
}
