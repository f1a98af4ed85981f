//! What listings show while the tree changes.

use std::sync::Arc;

use storage_driver::{ListOptions, Precondition, StorageDriver, WalkOptions};
use tokio::task::yield_now;

use super::{Driver, ROUNDS};
use crate::{
    Subject,
    check::{list, path, put, put_all, walk_with},
    tasks::{Background, race},
};

pub(crate) async fn listings_return_unchanged_entries_once(subject: Subject) {
    let driver = subject.driver().await;
    let stay: Vec<String> = (0..40).map(|i| format!("/d/{:02}", i * 2)).collect();
    put_all(&driver, stay.iter().cloned()).await;
    let changer = Arc::clone(&driver);
    let changing = Background::start(move |round| {
        let driver = Arc::clone(&changer);
        async move {
            let at = format!("/d/{:02}", (round * 7 % 40) * 2 + 1);
            put(&driver, &at, "x").await;
            driver.delete(&path(&at), Precondition::None).await.unwrap();
        }
    });
    for round in 0..ROUNDS {
        let listed = list(&driver, "/d").await;
        assert!(listed.is_sorted_by(|a, b| a < b), "{listed:?}");
        assert!(stay.iter().all(|at| listed.contains(at)), "{listed:?}");
        // The tree changes between the pages.
        let mut options = ListOptions::new().limit(1 + round as usize % 9);
        let mut paged = Vec::new();
        loop {
            let page = driver.list(&path("/d"), options.clone()).await.unwrap();
            paged.extend(page.items.iter().map(|entry| entry.path().to_string()));
            let Some(next) = page.next else { break };
            assert!(
                options.start_after.as_ref() < Some(&next),
                "the next page does not advance: {next}"
            );
            options = options.start_after(next);
        }
        assert!(paged.is_sorted_by(|a, b| a < b), "{paged:?}");
        assert!(stay.iter().all(|at| paged.contains(at)), "{paged:?}");
        let mut walked = walk_with(&driver, "/", WalkOptions::new()).await;
        walked.sort();
        assert!(walked.is_sorted_by(|a, b| a < b), "{walked:?}");
        assert!(stay.iter().all(|at| walked.contains(at)), "{walked:?}");
    }
    changing.stop().await;
}

/// Moves a file between two places by a put and a delete: it is always at one of them at least.
fn moving_by_put(driver: &Driver, places: [&'static str; 2]) -> Background {
    let driver = Arc::clone(driver);
    Background::start(move |round| {
        let driver = Arc::clone(&driver);
        async move {
            let (to, from) = (places[(round % 2) as usize], places[(round % 2 + 1) as usize % 2]);
            put(&driver, to, "x").await;
            let _ = driver.delete(&path(from), Precondition::None).await;
        }
    })
}

pub(crate) async fn a_page_is_of_one_moment(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (10..90).map(|i| format!("/d/{i}"))).await;
    put(&driver, "/d/00", "x").await;
    let moving = moving_by_put(&driver, ["/d/99", "/d/00"]);
    race(|_| {
        let driver = Arc::clone(&driver);
        async move {
            for _ in 0..ROUNDS {
                let listed = list(&driver, "/d").await;
                assert!(listed.iter().any(|at| at == "/d/00" || at == "/d/99"), "{listed:?}");
                yield_now().await;
            }
        }
    })
    .await;
    moving.stop().await;
}

pub(crate) async fn a_whole_walk_is_of_one_moment(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (10..50).map(|i| format!("/d/{i}/x"))).await;
    put(&driver, "/d/00/x", "x").await;
    let moving = moving_by_put(&driver, ["/d/99/x", "/d/00/x"]);
    race(|_| {
        let driver = Arc::clone(&driver);
        async move {
            for _ in 0..ROUNDS {
                let walked = walk_with(&driver, "/", WalkOptions::new()).await;
                assert!(walked.iter().any(|at| at == "/d/00/x" || at == "/d/99/x"), "{walked:?}");
                yield_now().await;
            }
        }
    })
    .await;
    moving.stop().await;
}

pub(crate) async fn a_rename_is_seen_at_one_end(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d/a", "x").await;
    let mover = Arc::clone(&driver);
    let moving = Background::start(move |round| {
        let driver = Arc::clone(&mover);
        let places = ["/d/a", "/d/b"].map(path);
        async move {
            let (from, to) = (&places[(round % 2) as usize], &places[(round % 2 + 1) as usize % 2]);
            driver.rename(from, to, Precondition::None).await.unwrap();
        }
    });
    for _ in 0..ROUNDS * 10 {
        assert_eq!(list(&driver, "/d").await.len(), 1);
        yield_now().await;
    }
    moving.stop().await;
}

pub(crate) async fn a_rename_of_a_directory_is_seen_whole(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (0..10).map(|i| format!("/d/a/{i}"))).await;
    let mover = Arc::clone(&driver);
    let moving = Background::start(move |round| {
        let driver = Arc::clone(&mover);
        let places = ["/d/a", "/d/b"].map(path);
        async move {
            let (from, to) = (&places[(round % 2) as usize], &places[(round % 2 + 1) as usize % 2]);
            driver.rename_dir(from, to).await.unwrap();
        }
    });
    for _ in 0..ROUNDS * 5 {
        let walked = walk_with(&driver, "/d", WalkOptions::new()).await;
        assert_eq!(walked.len(), 11, "one directory and its files: {walked:?}");
        yield_now().await;
    }
    moving.stop().await;
}
