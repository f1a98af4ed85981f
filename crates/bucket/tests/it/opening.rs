//! Opening: a store that cannot keep the contract is refused, with a sentence that says why.

use std::error::Error as _;

use storage_driver::{ErrorKind, Path, Precondition, StorageDriver};
use storage_driver_bucket::{
    Builder, Unsuitable,
    double::{Double, Ways},
};

use crate::support::{bytes, path, put, read};

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
