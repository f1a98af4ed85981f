//! 3.3, 3.4, 4.5, 9.2, 9.3: many tasks at once.

mod listing;
mod races;
mod replacing;

use std::sync::Arc;

use storage_driver::{
    ErrorKind, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt, WalkOptions,
};
use tokio::task::{spawn, yield_now};

pub(crate) use self::{listing::*, races::*, replacing::*};
use crate::{
    Pattern, Subject,
    check::{create, drain, exists, list, path, put, read, stat, uploads},
    tasks::{TASKS, joined, race},
};

type Driver = Arc<dyn StorageDriver>;

const ROUNDS: u64 = 20;

pub(crate) async fn uploads_at_once_do_not_mix(subject: Subject) {
    let driver = subject.driver().await;
    race(|i| {
        let driver = Arc::clone(&driver);
        async move {
            let pattern = Pattern::new(i);
            let mut writer = create(&driver, &format!("/d/{i}")).await;
            for piece in 0..50 {
                writer
                    .write_bytes(pattern.bytes(piece * 3_001..(piece + 1) * 3_001))
                    .await
                    .unwrap();
                yield_now().await;
            }
            writer.commit().await.unwrap();
        }
    })
    .await;
    for i in 0..TASKS {
        let bytes = read(&driver, &format!("/d/{i}")).await;
        assert_eq!(bytes.len(), 150_050);
        Pattern::new(i).check(0, &bytes).unwrap();
    }
}

pub(crate) async fn writers_of_one_path_at_once_leave_one_upload_whole(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let at = format!("/d/{round}");
        let results = race(|i| {
            let (driver, at) = (Arc::clone(&driver), at.clone());
            async move {
                let pattern = Pattern::new(i);
                let mut writer = driver.create(&path(&at)).await?;
                for piece in 0..5 {
                    writer.write_bytes(pattern.bytes(piece * 1_000..(piece + 1) * 1_000)).await?;
                    yield_now().await;
                }
                writer.commit().await
            }
        })
        .await;
        let committed = results.iter().filter(|result| result.is_ok()).count();
        assert!(committed >= 1, "the last to open the upload commits it: {results:?}");
        for error in results.into_iter().filter_map(Result::err) {
            assert_eq!(error.kind(), ErrorKind::WriterFenced, "{error:?}");
        }
        let bytes = read(&driver, &at).await;
        assert_eq!(bytes.len(), 5_000);
        assert!((0..TASKS).any(|i| Pattern::new(i).check(0, &bytes).is_ok()));
        assert!(uploads(&driver, &at).await.is_empty());
    }
}

pub(crate) async fn many_tasks_read_one_file(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(103);
    put(&driver, "/a", pattern.bytes(0..250_000)).await;
    race(|i| {
        let driver = Arc::clone(&driver);
        async move {
            for round in 0..ROUNDS {
                let start = (i * 31_000 + round * 3_777) % 250_000;
                let mut reader = driver.reader(&path("/a"), (start..).into()).await.unwrap();
                let bytes = drain(&mut reader).await.unwrap();
                assert_eq!(bytes.len() as u64, 250_000 - start);
                pattern.check(start, &bytes).unwrap();
            }
        }
    })
    .await;
}

pub(crate) async fn open_handles_block_no_other_call(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(104).bytes(0..2 << 20)).await;
    put(&driver, "/d/e", "x").await;
    // All are open on this task: an operation that waits for one of them never ends.
    let reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(vec![0; 1 << 20]).await.unwrap();
    let listing = driver.walk(&Path::root(), WalkOptions::new());
    let replaced = put(&driver, "/a", "other").await;
    assert_eq!(stat(&driver, "/a").await, replaced);
    put(&driver, "/b", "x").await;
    driver.delete_dir(&path("/d")).await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    assert_eq!(list(&driver, "/").await, ["/a", "/b"]);
    driver.health().await;
    drop((reader, listing));
    writer.commit().await.unwrap();
}

pub(crate) async fn every_task_sees_what_another_task_did(subject: Subject) {
    let driver = subject.driver().await;
    for round in 0..ROUNDS {
        let at = format!("/d/{round}");
        let (writer, place) = (Arc::clone(&driver), at.clone());
        let stored = joined(spawn(async move { put(&writer, &place, "x").await }).await);
        assert_eq!(stat(&driver, &at).await, stored);
        let (remover, place) = (Arc::clone(&driver), path(&at));
        let removed =
            joined(spawn(async move { remover.delete(&place, Precondition::None).await }).await);
        removed.unwrap();
        assert!(!exists(&driver, &at).await);
    }
}
