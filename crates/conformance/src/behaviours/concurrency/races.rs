//! Races: of many tasks that do the same, one succeeds.

use std::sync::Arc;

use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};
use tokio::task::yield_now;

use super::ROUNDS;
use crate::{
    Subject,
    check::{create, exists, list, path, put, read, stat, uploads},
    tasks::{TASKS, one_winner, race},
};

pub(crate) async fn of_many_if_absent_puts_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let at = path(&format!("/d/{round}"));
        let results = race(|i| {
            let (driver, at) = (Arc::clone(&driver), at.clone());
            async move {
                let content = i.to_string().into();
                let stored = driver.put_content(&at, content, Precondition::IfAbsent).await;
                stored.map(|file| (i, file.version))
            }
        })
        .await;
        let (winner, version) = one_winner(results, ErrorKind::PreconditionFailed);
        assert_eq!(read(&driver, at.as_str()).await, winner.to_string());
        assert_eq!(stat(&driver, at.as_str()).await.version, version);
    }
}

pub(crate) async fn of_many_if_version_puts_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    let mut version = put(&driver, "/a", "start").await.version;
    for round in 0..ROUNDS {
        let results = race(|i| {
            let (driver, version) = (Arc::clone(&driver), version.clone());
            async move {
                let content = format!("{round} {i}").into();
                let precondition = Precondition::IfVersion(version);
                let stored = driver.put_content(&path("/a"), content, precondition).await;
                stored.map(|file| (i, file.version))
            }
        })
        .await;
        let (winner, next) = one_winner(results, ErrorKind::PreconditionFailed);
        assert_eq!(read(&driver, "/a").await, format!("{round} {winner}"));
        version = next;
    }
}

pub(crate) async fn of_many_if_absent_commits_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let dest = path(&format!("/d/{round}"));
        let results = race(|i| {
            let (driver, dest) = (Arc::clone(&driver), dest.clone());
            async move {
                let mut writer = create(&driver, &format!("/u/{round}/{i}")).await;
                writer.write_bytes(i.to_string()).await.unwrap();
                writer.commit_to(&dest, Precondition::IfAbsent).await.map(|_| i)
            }
        })
        .await;
        let winner = one_winner(results, ErrorKind::PreconditionFailed);
        assert_eq!(read(&driver, dest.as_str()).await, winner.to_string());
        assert_eq!(uploads(&driver, &format!("/u/{round}")).await.len() as u64, TASKS - 1);
    }
}

pub(crate) async fn of_many_if_absent_renames_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let dest = path(&format!("/d/{round}"));
        for i in 0..TASKS {
            put(&driver, &format!("/from/{i}"), i.to_string()).await;
        }
        let results = race(|i| {
            let (driver, dest) = (Arc::clone(&driver), dest.clone());
            async move {
                let from = path(&format!("/from/{i}"));
                driver.rename(&from, &dest, Precondition::IfAbsent).await.map(|_| i)
            }
        })
        .await;
        let winner = one_winner(results, ErrorKind::PreconditionFailed);
        assert_eq!(read(&driver, dest.as_str()).await, winner.to_string());
        assert_eq!(list(&driver, "/from").await.len() as u64, TASKS - 1);
    }
}

pub(crate) async fn of_many_deletions_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    for _ in 0..ROUNDS {
        put(&driver, "/a", "x").await;
        let results = race(|_| {
            let driver = Arc::clone(&driver);
            async move { driver.delete(&path("/a"), Precondition::None).await }
        })
        .await;
        one_winner(results, ErrorKind::PathNotFound);
        assert!(!exists(&driver, "/a").await);
    }
}

pub(crate) async fn of_many_renames_of_a_file_one_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        put(&driver, "/a", "x").await;
        let results = race(|i| {
            let driver = Arc::clone(&driver);
            async move {
                let to = path(&format!("/d/{round}/{i}"));
                driver.rename(&path("/a"), &to, Precondition::None).await.map(|_| i)
            }
        })
        .await;
        let winner = one_winner(results, ErrorKind::PathNotFound);
        let expected = [format!("/d/{round}/{winner}")];
        assert_eq!(list(&driver, &format!("/d/{round}")).await, expected);
    }
}

pub(crate) async fn no_update_is_lost_under_if_version(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/counter", "0").await;
    race(|_| {
        let driver = Arc::clone(&driver);
        async move {
            for _ in 0..ROUNDS {
                loop {
                    let content = driver.get_content(&path("/counter"), 100).await.unwrap();
                    let version = content.metadata().version.clone();
                    let text = String::from_utf8(content.into_bytes().to_vec()).unwrap();
                    let next = (text.parse::<u64>().unwrap() + 1).to_string();
                    let precondition = Precondition::IfVersion(version);
                    let at = path("/counter");
                    match driver.put_content(&at, next.into(), precondition).await {
                        Ok(_) => break,
                        Err(error) => assert!(error.is_precondition_failed(), "{error:?}"),
                    }
                    yield_now().await;
                }
            }
        }
    })
    .await;
    assert_eq!(read(&driver, "/counter").await, (TASKS * ROUNDS).to_string());
}

pub(crate) async fn a_file_and_a_directory_never_exist_at_one_path(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let results = race(|i| {
            let driver = Arc::clone(&driver);
            let below = if i % 2 == 0 { "" } else { "/b/c" };
            async move { driver.put(&path(&format!("/{round}{below}")), "x").await.map(|_| i) }
        })
        .await;
        let won: Vec<u64> = results
            .into_iter()
            .filter_map(|result| {
                result.inspect_err(|e| assert_eq!(e.kind(), ErrorKind::PathConflict)).ok()
            })
            .collect();
        assert_eq!(won.len() as u64, TASKS / 2, "{won:?}");
        assert!(won.iter().all(|i| i % 2 == won[0] % 2), "{won:?}");
    }
}
