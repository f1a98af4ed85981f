//! 3.3, 3.4, 4.5, 9.2, 9.3: many tasks at once.

use std::sync::Arc;

use bytes::Bytes;
use storage_driver::{
    ErrorKind, ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt,
    WalkOptions,
};
use tokio::task::{spawn, yield_now};

use crate::{
    Pattern, Subject,
    check::{create, drain, exists, list, path, put, read, stat, uploads, walk_with},
    tasks::{Background, TASKS, joined, one_winner, race},
};

type Driver = Arc<dyn StorageDriver>;

const ROUNDS: u64 = 20;

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

pub(crate) async fn nobody_loses_an_update_under_if_version(subject: Subject) {
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

pub(crate) async fn a_file_and_a_directory_never_come_to_be_at_one_path(subject: Subject) {
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

/// Two contents that differ in length and everywhere else, told apart by the first byte.
#[derive(Clone, Copy)]
struct Generation {
    pattern: Pattern,
    size: u64,
}

const GENERATIONS: [Generation; 2] = [
    Generation { pattern: Pattern::new(101), size: 100_000 },
    Generation { pattern: Pattern::new(102), size: 70_001 },
];

fn generation(round: u64) -> Bytes {
    let Generation { pattern, size } = GENERATIONS[(round % 2) as usize];
    pattern.bytes(0..size)
}

/// Checks that bytes are one generation or the other, whole.
fn is_whole(bytes: &[u8]) {
    let matches = |generation: &Generation| {
        bytes.len() as u64 == generation.size && generation.pattern.check(0, bytes).is_ok()
    };
    assert!(GENERATIONS.iter().any(matches), "a mix, or a part, of {} bytes", bytes.len());
}

/// Reads `/a` over and over, in both ways, while something replaces it.
async fn reads_are_whole(driver: &Driver, replacing: Background) {
    race(|_| {
        let driver = Arc::clone(driver);
        async move {
            for _ in 0..ROUNDS {
                match driver.get_bytes(&path("/a"), 1 << 20).await {
                    Ok(bytes) => is_whole(&bytes),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ContentChanged),
                }
                let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
                let announced = reader.metadata().size;
                match drain(&mut reader).await {
                    Ok(bytes) => {
                        assert_eq!(bytes.len() as u64, announced);
                        is_whole(&bytes);
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::ContentChanged),
                }
                yield_now().await;
            }
        }
    })
    .await;
    replacing.stop().await;
}

pub(crate) async fn readers_see_one_put_or_another_and_no_mix(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move { drop(put(&driver, "/a", generation(round)).await) }
    });
    reads_are_whole(&driver, replacing).await;
}

pub(crate) async fn readers_see_one_commit_or_another_and_no_mix(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move {
            let mut upload = create(&driver, "/a").await;
            for piece in generation(round).chunks(20_000) {
                upload.write_bytes(Bytes::copy_from_slice(piece)).await.unwrap();
            }
            upload.commit().await.unwrap();
        }
    });
    reads_are_whole(&driver, replacing).await;
}

pub(crate) async fn readers_see_one_commit_to_or_another_and_no_mix(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move {
            let mut upload = create(&driver, "/u").await;
            upload.write_bytes(generation(round)).await.unwrap();
            upload.commit_to(&path("/a"), Precondition::None).await.unwrap();
        }
    });
    reads_are_whole(&driver, replacing).await;
}

pub(crate) async fn readers_see_one_rename_or_another_and_no_mix(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move {
            put(&driver, "/b", generation(round)).await;
            driver.rename(&path("/b"), &path("/a"), Precondition::None).await.unwrap();
        }
    });
    reads_are_whole(&driver, replacing).await;
}

pub(crate) async fn what_stat_says_is_of_one_file(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a", generation(0)).await;
    let writer = Arc::clone(&driver);
    let replacing = Background::start(move |round| {
        let driver = Arc::clone(&writer);
        async move { drop(put(&driver, "/a", generation(round + 1)).await) }
    });
    let sizes = GENERATIONS.map(|generation| generation.size);
    let mut last = stored;
    for _ in 0..ROUNDS * 10 {
        let file = stat(&driver, "/a").await;
        assert!(sizes.contains(&file.size));
        // One version is of one content.
        assert!(file.version != last.version || file.size == last.size);
        last = file;
        yield_now().await;
    }
    replacing.stop().await;
}

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

pub(crate) async fn what_is_open_holds_nobody_up(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(104).bytes(0..2 << 20)).await;
    put(&driver, "/d/e", "x").await;
    // Open at once, on this task: whatever waited for one of them would wait for ever.
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

pub(crate) async fn listings_give_what_stays_once(subject: Subject) {
    let driver = subject.driver().await;
    let stay: Vec<String> = (0..40).map(|i| format!("/d/{:02}", i * 2)).collect();
    for at in &stay {
        put(&driver, at, "x").await;
    }
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
        // In pages, between which things change.
        let mut options = ListOptions::new().limit(1 + round as usize % 9);
        let mut paged = Vec::new();
        loop {
            let page = driver.list(&path("/d"), options.clone()).await.unwrap();
            paged.extend(page.items.iter().map(|entry| entry.path().to_string()));
            let Some(next) = page.next else { break };
            assert!(options.start_after.as_ref() < Some(&next), "no way on from {next}");
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

/// Something moves between two places by a put and then a delete: at every moment it is at one at
/// least.
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
    for i in 10..90 {
        put(&driver, &format!("/d/{i}"), "x").await;
    }
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
    for i in 10..50 {
        put(&driver, &format!("/d/{i}/x"), "x").await;
    }
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
    for i in 0..10 {
        put(&driver, &format!("/d/a/{i}"), "x").await;
    }
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
        assert_eq!(walked.len(), 11, "one directory and what is in it: {walked:?}");
        yield_now().await;
    }
    moving.stop().await;
}

pub(crate) async fn what_one_task_did_every_task_sees(subject: Subject) {
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
