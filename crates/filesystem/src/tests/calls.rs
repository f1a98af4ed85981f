//! The system calls of each operation, and which operations need a thread. A change that makes one dearer fails here on
//! any machine.

use futures::FutureExt;
use storage_driver::{Precondition, StorageDriver, StorageDriverExt};

use super::{Fixture, path};
use crate::{Durability, sys::Call::*};

/// The calls of an operation, which is done without a thread.
fn calls<T>(fixture: &Fixture, operation: impl Future<Output = T>) -> Vec<crate::sys::Call> {
    let before = fixture.probe.calls().len();
    operation.now_or_never().expect("it needs no thread");
    fixture.probe.calls().split_off(before)
}

#[tokio::test]
async fn a_put_of_a_new_file() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    let put = calls(&fixture, fixture.driver.put(&path("/d/b"), "x"));
    assert_eq!(put, [Create, Write, Stat, SetTimes, OpenDir, Link]);
}

#[tokio::test]
async fn a_put_over_a_file() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    let put = calls(&fixture, fixture.driver.put(&path("/d/a"), "x"));
    assert_eq!(put, [Create, Write, Stat, SetTimes, OpenDir, Link, Stat, Link, Rename]);
}

#[tokio::test]
async fn a_put_below_a_new_directory() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a/f"), "x").await.unwrap();
    let put = calls(&fixture, fixture.driver.put(&path("/d/b/f"), "x"));
    assert_eq!(put, [Create, Write, Stat, SetTimes, OpenDir, OpenDir, Mkdir, OpenDir, Link]);
}

#[tokio::test]
async fn a_stat_of_a_file() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    assert_eq!(calls(&fixture, fixture.driver.stat(&path("/d/a"))), [OpenFile, Stat]);
}

#[tokio::test]
async fn a_stat_of_a_directory() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a/b/c"), "x").await.unwrap();
    let stat = calls(&fixture, fixture.driver.stat(&path("/d/a")));
    assert_eq!(stat, [OpenFile, Stat, OpenDir, ReadDir, OpenDir, ReadDir]);
}

#[tokio::test]
async fn a_get() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    let get = calls(&fixture, fixture.driver.get_content(&path("/d/a"), 100));
    assert_eq!(get, [OpenFile, Stat, OpenFile, Stat, Read]);
}

#[tokio::test]
async fn a_deletion() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    fixture.driver.put(&path("/d/b"), "x").await.unwrap();
    let delete = calls(&fixture, fixture.driver.delete(&path("/d/a"), Precondition::None));
    assert_eq!(delete, [OpenFile, Stat, OpenDir, Rename, Unlink, OpenDir, Rmdir]);
}

#[tokio::test]
async fn a_touch() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    let touch = calls(&fixture, fixture.driver.touch(&path("/d/a"), Precondition::None));
    assert_eq!(touch, [OpenFile, Stat, OpenFile, Stat, Stat, SetTimes]);
}

#[tokio::test]
async fn a_rename() {
    let fixture = Fixture::in_memory().await;
    fixture.driver.put(&path("/d/a"), "x").await.unwrap();
    let (from, to) = (path("/d/a"), path("/d/b"));
    let rename = calls(&fixture, fixture.driver.rename(&from, &to, Precondition::None));
    assert_eq!(rename, [OpenFile, Stat, OpenDir, OpenDir, Stat, Rename, OpenDir, Rmdir]);
}

#[tokio::test]
async fn on_a_disk_a_put_is_made_by_a_thread() {
    let fixture = Fixture::new(Durability::None).await;
    let held = fixture.probe.hold(Create);
    let at = path("/d/a");
    let mut put = Box::pin(fixture.driver.put(&at, "x"));
    assert!(futures::poll!(&mut put).is_pending());
    drop(held);
    put.await.unwrap();
}

#[tokio::test]
async fn a_large_put_is_made_by_a_thread_in_memory_too() {
    let fixture = Fixture::in_memory().await;
    let held = fixture.probe.hold(Create);
    let at = path("/d/a");
    let mut put = Box::pin(fixture.driver.put(&at, vec![7; (64 << 10) + 1]));
    assert!(futures::poll!(&mut put).is_pending());
    drop(held);
    put.await.unwrap();
}
