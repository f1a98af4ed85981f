//! Servers that do not keep what they acknowledge: each is found out, and the error says which.

use std::{error::Error as _, time::Duration};

use storage_driver::{Error, ErrorKind, Precondition, StorageDriver};
use storage_driver_bucket::{
    Builder, Unsuitable,
    double::{Double, Ways},
};

use crate::support::{LARGE, bytes, open, path, put, read, server};

fn liar(change: impl FnOnce(&mut Ways)) -> Double {
    let mut ways = Ways::default();
    change(&mut ways);
    Double::new(ways)
}

fn reason(error: &Error) -> Unsuitable {
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    *error.source().unwrap().downcast_ref().unwrap()
}

async fn refusal(server: &Double) -> Unsuitable {
    reason(&Builder::double(server).open().await.unwrap_err())
}

#[tokio::test]
async fn a_server_where_two_creates_win_is_refused() {
    let server = liar(|ways| ways.racing_creates_win = true);
    assert_eq!(refusal(&server).await, Unsuitable::RacingCreates);
}

#[tokio::test]
async fn a_server_that_loses_puts_is_refused() {
    let server = liar(|ways| ways.loses_puts = true);
    assert_eq!(refusal(&server).await, Unsuitable::LosesPuts);
}

#[tokio::test]
async fn a_server_that_lists_late_is_refused() {
    let server = liar(|ways| ways.lists_after = Duration::from_secs(60));
    assert_eq!(refusal(&server).await, Unsuitable::ListsLate);
}

#[tokio::test]
async fn a_bucket_with_versioning_on_ceph_is_refused_with_that_cause() {
    let refused = refusal(&Double::new(Ways::ceph_versioned())).await;
    assert_eq!(refused, Unsuitable::IgnoresCreate);
    assert!(refused.to_string().contains("versioning"));
}

#[tokio::test]
async fn a_server_that_truncates_bodies_is_not_opened() {
    let server = liar(|ways| ways.truncates_bodies = true);
    let error = Builder::double(&server).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    let text = error.source().unwrap().to_string();
    assert!(text.contains("the response ended after 128 of 256 bytes"), "{text}");
}

#[tokio::test]
async fn a_truncated_body_of_a_small_or_large_file_is_corrupted() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/small", bytes(1, 100)).await.unwrap();
    put(&store, "/large", bytes(1, LARGE)).await.unwrap();
    let reader = store.reader(&path("/large"), storage_driver::ReadRange::Full).await.unwrap();
    server.set_ways(|ways| ways.truncates_bodies = true);
    let small = store.get_content(&path("/small"), u64::MAX).await.unwrap_err();
    let large = reader.into_content(u64::MAX).await.unwrap_err();
    assert_eq!([small.kind(), large.kind()], [ErrorKind::Corrupted; 2]);
    assert!(small.source().unwrap().to_string().contains("the response ended after"));
    let text = large.source().unwrap().to_string();
    assert!(
        text.contains("the length of the response is not the one that was asked for"),
        "{text}"
    );
}

#[tokio::test]
async fn data_that_was_acknowledged_and_lost_is_corrupted() {
    let server = server();
    let store = open(&server).await;
    put(&store, "/a", bytes(1, LARGE)).await.unwrap();
    let data = server.keys().into_iter().find(|key| key.starts_with("!data/")).unwrap();
    server.remove(&data);
    let error = store.get_content(&path("/a"), u64::MAX).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupted);
    let text = error.source().unwrap().to_string();
    assert!(text.contains(&data) && text.contains("lost"), "{text}");
}

#[tokio::test]
async fn an_unsuitable_store_that_is_accepted_opens_with_a_warning() {
    let server = liar(|ways| ways.ignores_create = true);
    let store = Builder::double(&server).accept_unsuitable().open().await.unwrap();
    put(&store, "/a", bytes(1, 10)).await.unwrap();
    assert_eq!(read(&store, "/a").await, bytes(1, 10));
    let health = store.health().await;
    assert!(health.is_healthy());
    assert_eq!(health.warnings(), [Unsuitable::IgnoresCreate.to_string()]);
}

#[tokio::test]
async fn a_suitable_store_is_healthy_whether_others_are_accepted_or_not() {
    let store = Builder::double(&server()).accept_unsuitable().open().await.unwrap();
    store.put_content(&path("/a"), "a".into(), Precondition::None).await.unwrap();
    let health = store.health().await;
    assert!(health.is_healthy() && health.warnings().is_empty());
}
