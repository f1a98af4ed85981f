//! Opening: a store that cannot keep the contract is refused, with a sentence that says why.

use std::{error::Error as _, time::Duration};

use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, StorageDriver, SweepOptions, WriterOptions,
};
use storage_driver_bucket::{
    Builder, Unsuitable,
    double::{Double, Ways},
    http::RequestKind,
};

use crate::support::{LARGE, bytes, ceph, files, open, path, put, read, server, upload, uploads};

async fn refusal(ways: Ways) -> Unsuitable {
    let error = Builder::double(&Double::new(ways)).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    *error.source().unwrap().downcast_ref::<Unsuitable>().unwrap()
}

fn ways(change: impl FnOnce(&mut Ways)) -> Ways {
    let mut ways = Ways::default();
    change(&mut ways);
    ways
}

#[tokio::test]
async fn a_server_that_ignores_if_none_match_is_refused() {
    let refused = refusal(ways(|ways| ways.ignores_create = true)).await;
    assert_eq!(refused, Unsuitable::IgnoresCreate);
}

#[tokio::test]
async fn a_server_that_ignores_if_match_is_refused() {
    let refused = refusal(ways(|ways| ways.ignores_match = true)).await;
    assert_eq!(refused, Unsuitable::IgnoresMatch);
}

#[tokio::test]
async fn a_server_that_refuses_every_if_match_is_refused() {
    let refused = refusal(ways(|ways| ways.refuses_match = true)).await;
    assert_eq!(refused, Unsuitable::RefusesMatch);
}

#[tokio::test]
async fn the_ways_of_ceph_are_found_out() {
    let store = Builder::double(&Double::new(Ways::ceph())).open().await.unwrap();
    assert!(!store.deletes_conditionally());
    put(&store, "/a", bytes(1, 10)).await.unwrap();
    put(&store, "/a", bytes(2, 10)).await.unwrap();
    store.delete(&path("/a"), Precondition::None).await.unwrap();
    assert!(store.stat(&path("/a")).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn two_stores_with_different_prefixes_share_a_bucket() {
    let server = Double::default();
    let one = Builder::double(&server).prefix("one").open().await.unwrap();
    let two = Builder::double(&server).prefix("two/deep").open().await.unwrap();
    put(&one, "/a", bytes(1, 10)).await.unwrap();
    put(&two, "/a", bytes(2, 10)).await.unwrap();
    assert_eq!(read(&one, "/a").await, bytes(1, 10));
    assert_eq!(read(&two, "/a").await, bytes(2, 10));
    one.delete_dir(&Path::parse("/nothing").unwrap()).await.unwrap_err();
}

#[tokio::test]
async fn a_prefix_that_is_no_path_is_an_invalid_path() {
    let error = Builder::double(&Double::default()).prefix("a b").open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidPath);
}

#[tokio::test]
async fn a_store_that_is_opened_to_be_read_sends_no_request_that_writes() {
    for server in [server(), ceph()] {
        let owner = open(&server).await;
        put(&owner, "/d/a", bytes(1, LARGE)).await.unwrap();
        put(&owner, "/e/b", bytes(2, 10)).await.unwrap();
        owner.delete(&path("/e/b"), Precondition::None).await.unwrap();
        upload(&owner, "/u", bytes(3, 10)).await.unwrap();
        let keys = server.keys();

        let store = Builder::double(&server).read_only(true).open().await.unwrap();
        assert_eq!(read(&store, "/d/a").await, bytes(1, LARGE));
        assert_eq!(files(&store).await.len(), 1);
        let page = store.list(&Path::root(), ListOptions::new()).await.unwrap();
        assert_eq!(page.items.len(), 1);
        assert_eq!(uploads(&store).await, [("/u".to_owned(), 10)]);
        let at = path("/x");
        let refused = [
            put(&store, "/x", bytes(1, 1)).await,
            store.delete(&at, Precondition::None).await,
            store.delete_many(std::slice::from_ref(&at)).await,
            store.delete_dir(&path("/d")).await,
            store.cancel_upload(&path("/u")).await,
            store.cancel_uploads(&Path::root(), Duration::ZERO).await.map(drop),
            store.writer(&at, WriterOptions::create()).await.map(drop),
            store.touch(&path("/d/a"), Precondition::None).await.map(drop),
            store.sweep(SweepOptions::new().deep()).await.map(drop),
            store.health().await.write,
        ];
        for refusal in refused {
            assert_eq!(refusal.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        store.health().await.read.unwrap();
        let reads = [RequestKind::Get, RequestKind::Head, RequestKind::List];
        let sent: u64 = reads.into_iter().map(|kind| store.meter().count(kind)).sum();
        assert_eq!(store.meter().total(), sent);
        assert_eq!(server.keys(), keys);
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_not_opened_to_be_read() {
    let server = Double::new(ways(|ways| ways.refuses = Some((404, "NoSuchBucket"))));
    let error = Builder::double(&server).read_only(true).open().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.source().unwrap().to_string().contains("does not exist"), "{error:?}");
}
