//! A driver whose operations are counted.

use std::sync::Arc;

use futures::{FutureExt, TryStreamExt};
use inmemory::InMemory;
use storage_driver::{
    Capabilities, ErrorKind, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    WalkOptions, WriterOptions,
};
use storage_driver_conformance::layers::{Fault, Faulty};
use storage_driver_registry::Metrics;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

fn metered() -> (Metrics, Arc<dyn StorageDriver>) {
    let metrics = Metrics::new();
    let driver = metrics.driver(Arc::new(InMemory::new()));
    (metrics, driver)
}

#[track_caller]
fn has(metrics: &Metrics, line: &str) {
    let text = metrics.encode();
    assert!(text.lines().any(|it| it == line), "{line} is not in\n{text}");
}

#[track_caller]
fn ended(metrics: &Metrics, operation: &str, outcome: &str, times: u64) {
    has(
        metrics,
        &format!(
            "registry_storage_operations_total\
             {{operation=\"{operation}\",outcome=\"{outcome}\"}} {times}"
        ),
    );
}

#[tokio::test]
async fn successes_and_failures_are_counted_by_kind() {
    let (metrics, driver) = metered();
    driver.put(&path("/a"), "content").await.unwrap();
    driver.stat(&path("/a")).await.unwrap();
    driver.stat(&path("/b")).await.unwrap_err();
    ended(&metrics, "put_content", "ok", 1);
    ended(&metrics, "stat", "ok", 1);
    ended(&metrics, "stat", "path_not_found", 1);
    has(&metrics, r#"registry_storage_operation_duration_seconds_count{operation="stat"} 2"#);
}

#[tokio::test]
async fn dropped_operations_are_counted_as_cancelled() {
    let (metrics, driver) = metered();
    let slow = metrics.driver(Arc::new(storage_driver_conformance::layers::Yielding::new(driver)));
    assert!(slow.stat(&path("/a")).now_or_never().is_none());
    ended(&metrics, "stat", "cancelled", 1);
}

#[tokio::test]
async fn bytes_of_content_and_of_streams() {
    let (metrics, driver) = metered();
    driver.put(&path("/a"), "12345").await.unwrap();
    let mut writer = driver.create(&path("/b")).await.unwrap();
    writer.write_bytes("678").await.unwrap();
    writer.commit().await.unwrap();
    has(&metrics, "registry_storage_written_bytes_total 8");
    driver.get_bytes(&path("/a"), 100).await.unwrap();
    let reader = driver.reader(&path("/b"), ReadRange::Offset(1)).await.unwrap();
    reader.try_collect::<Vec<_>>().await.unwrap();
    has(&metrics, "registry_storage_read_bytes_total 7");
}

#[tokio::test]
async fn a_reader_once_when_it_has_ended() {
    let (metrics, driver) = metered();
    driver.put(&path("/a"), "12345").await.unwrap();
    let reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    reader.try_collect::<Vec<_>>().await.unwrap();
    ended(&metrics, "read", "ok", 1);
    drop(driver.reader(&path("/a"), ReadRange::Full).await.unwrap());
    ended(&metrics, "read", "cancelled", 1);
}

#[tokio::test]
async fn a_reader_of_nothing_as_read() {
    let (metrics, driver) = metered();
    driver.put(&path("/a"), "").await.unwrap();
    drop(driver.reader(&path("/a"), ReadRange::Full).await.unwrap());
    ended(&metrics, "read", "ok", 1);
}

#[tokio::test]
async fn each_way_to_end_a_writer() {
    let (metrics, driver) = metered();
    driver.create(&path("/a")).await.unwrap().commit().await.unwrap();
    let writer = driver.create(&path("/b")).await.unwrap();
    writer.commit_to(&path("/c"), Precondition::None).await.unwrap();
    let mut writer = driver.create(&path("/d")).await.unwrap();
    writer.sync().await.unwrap();
    writer.cancel().await.unwrap();
    driver.writer(&path("/e"), WriterOptions::resume()).await.unwrap_err();
    ended(&metrics, "commit", "ok", 1);
    ended(&metrics, "commit_to", "ok", 1);
    ended(&metrics, "sync", "ok", 1);
    ended(&metrics, "cancel", "ok", 1);
    ended(&metrics, "write", "ok", 3);
    ended(&metrics, "writer", "ok", 3);
    ended(&metrics, "writer", "path_not_found", 1);
}

#[tokio::test]
async fn a_write_that_failed() {
    let metrics = Metrics::new();
    let faulty = Faulty::new(InMemory::new());
    let driver = metrics.driver(Arc::new(faulty.clone()));
    let mut writer = driver.create(&path("/a")).await.unwrap();
    faulty.fail_nth(0, Fault::Before(ErrorKind::Timeout));
    writer.write_bytes("lost").await.unwrap_err();
    drop(writer);
    ended(&metrics, "write", "timeout", 1);
    has(&metrics, "registry_storage_written_bytes_total 0");
}

#[tokio::test]
async fn a_walk_once() {
    let (metrics, driver) = metered();
    driver.put(&path("/a/b"), "").await.unwrap();
    let walk = driver.walk(&Path::root(), WalkOptions::new());
    assert_eq!(walk.try_collect::<Vec<_>>().await.unwrap().len(), 2);
    ended(&metrics, "walk", "ok", 1);
    assert!(!metrics.encode().contains(r#"operation="list""#));
}

#[tokio::test]
async fn bad_health_as_its_error() {
    let metrics = Metrics::new();
    let faulty = Faulty::new(InMemory::new());
    let driver = metrics.driver(Arc::new(faulty.clone()));
    faulty.fail_nth(0, Fault::Before(ErrorKind::Unavailable));
    assert!(!driver.health().await.is_healthy());
    ended(&metrics, "health", "unavailable", 1);
}

#[tokio::test]
async fn buffers_of_the_driver_are_not_copied() {
    let (_, driver) = metered();
    driver.put(&path("/a"), vec![7; 1 << 20]).await.unwrap();
    let first = || async {
        let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
        reader.try_next().await.unwrap().unwrap()
    };
    assert_eq!(first().await.as_ptr(), first().await.as_ptr());
}

#[test]
fn the_capabilities_of_the_driver_are_unchanged() {
    let claimed: Capabilities = metered().1.capabilities();
    assert_eq!(claimed, InMemory::new().capabilities());
}
