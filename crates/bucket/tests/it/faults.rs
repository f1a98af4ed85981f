//! Faults at every request of every operation: afterwards the operation is whole or absent, doing it again
//! completes it, and the sweeper leaves nothing.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use storage_driver::{Path, Precondition, Result, StorageDriver, WriterOptions};
use storage_driver_bucket::{
    Bucket, SweepOptions,
    http::{Fault, FaultPlan},
};

use crate::support::{LARGE, bytes, files, open, path, put, server, upload};

type Act = for<'a> fn(&'a Bucket) -> BoxFuture<'a, Result<()>>;

/// An operation, and what has to be there before it.
struct Case {
    name: &'static str,
    setup: Act,
    act: Act,
}

macro_rules! case {
    ($name:literal, |$store:ident| $setup:block, $act:block) => {
        Case {
            name: $name,
            setup: |$store| async move { $setup }.boxed(),
            act: |$store| async move { $act }.boxed(),
        }
    };
}

fn cases() -> Vec<Case> {
    vec![
        case!(
            "put of a new file",
            |store| {
                let _ = store;
                Ok(())
            },
            { put(store, "/a/b", bytes(1, 100)).await }
        ),
        case!("put over a file", |store| { put(store, "/a/b", bytes(1, 100)).await }, {
            put(store, "/a/b", bytes(2, 200)).await
        }),
        case!(
            "put of a large file over one",
            |store| { put(store, "/a", bytes(1, LARGE)).await },
            { put(store, "/a", bytes(2, LARGE)).await }
        ),
        case!("commit of a small upload", |store| { put(store, "/a", bytes(1, 10)).await }, {
            let mut writer = store.writer(&path("/a"), WriterOptions::create()).await?;
            writer.write_bytes(bytes(2, 100)).await?;
            writer.commit().await.map(drop)
        }),
        case!(
            "commit of a larger upload in two requests",
            |store| {
                let _ = store;
                Ok(())
            },
            {
                upload(store, "/u", bytes(3, LARGE)).await?;
                let mut writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                writer.write_bytes(bytes(4, 100)).await?;
                writer.commit_to(&path("/b"), Precondition::IfAbsent).await.map(drop)
            }
        ),
        case!(
            "commit of a resumed upload",
            |store| { upload(store, "/u", bytes(3, LARGE)).await },
            {
                let writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
                writer.commit_to(&path("/b"), Precondition::None).await.map(drop)
            }
        ),
        case!(
            "commit of parts",
            |store| {
                let _ = store;
                Ok(())
            },
            {
                let mut writer = store.writer(&path("/u"), WriterOptions::create()).await?;
                writer.write_bytes(bytes(5, 9 << 20)).await?;
                writer.write_bytes(bytes(6, 100)).await?;
                writer.commit_to(&path("/b"), Precondition::None).await.map(drop)
            }
        ),
        case!("append", |store| { put(store, "/a", bytes(1, LARGE)).await }, {
            // What an attempt before has left.
            let _ = store.cancel_upload(&path("/a")).await;
            let mut writer = store.writer(&path("/a"), WriterOptions::append()).await?;
            writer.write_bytes(bytes(2, 100)).await?;
            writer.commit().await.map(drop)
        }),
        case!("create over an upload", |store| { upload(store, "/u", bytes(3, LARGE)).await }, {
            upload(store, "/u", bytes(4, LARGE)).await
        }),
        case!("rename", |store| { put(store, "/a", bytes(1, LARGE)).await }, {
            store.rename(&path("/a"), &path("/b"), Precondition::None).await.map(drop)
        }),
        case!(
            "copy",
            |store| {
                put(store, "/b", bytes(2, LARGE)).await?;
                put(store, "/a", bytes(1, LARGE)).await
            },
            { store.copy(&path("/a"), &path("/b"), Precondition::None).await.map(drop) }
        ),
        case!("touch", |store| { put(store, "/a", bytes(1, LARGE)).await }, {
            store.touch(&path("/a"), Precondition::None).await.map(drop)
        }),
        case!(
            "delete of a file and its upload",
            |store| {
                put(store, "/a", bytes(1, LARGE)).await?;
                upload(store, "/a", bytes(2, LARGE)).await
            },
            { store.delete(&path("/a"), Precondition::None).await }
        ),
        case!(
            "delete of a directory",
            |store| {
                put(store, "/d/a", bytes(1, LARGE)).await?;
                put(store, "/d/b", bytes(1, 10)).await?;
                upload(store, "/d/u", bytes(2, LARGE)).await
            },
            { store.delete_dir(&path("/d")).await }
        ),
        case!("cancel of an upload", |store| { upload(store, "/u", bytes(2, LARGE)).await }, {
            store.cancel_upload(&path("/u")).await
        }),
    ]
}

/// Which requests fail, and how.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// One, of which the driver learns.
    One(Fault),
    /// One with its effect or without it, and all after it: the process is cut off.
    Cut(Fault),
}

impl Mode {
    fn plan(self, at: u64, sent: &Arc<AtomicU64>) -> FaultPlan {
        let sent = Arc::clone(sent);
        FaultPlan::new(move |_, _| {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            match self {
                Self::One(fault) | Self::Cut(fault) if number == at => fault,
                Self::Cut(_) if number > at => Fault::Before,
                _ => Fault::None,
            }
        })
    }
}

type Files = BTreeMap<String, Bytes>;

/// Every file is as before or as after.
fn assert_whole_or_absent(now: &Files, before: &Files, after: &Files, what: &str) {
    for name in before.keys().chain(after.keys()).chain(now.keys()) {
        let content = now.get(name);
        let fits = content == before.get(name) || content == after.get(name);
        assert!(fits, "{what}: {name} is neither as before nor as after");
    }
}

/// Runs a case with a fault at request `at`. Returns whether there was such a request.
async fn run(case: &Case, mode: Mode, at: u64, after: &Files) -> bool {
    let what = format!("{}, {mode:?} at request {at}", case.name);
    let server = server();
    let store = open(&server).await;
    (case.setup)(&store).await.unwrap();
    let before = files(&store).await;
    let sent = Arc::new(AtomicU64::new(0));
    store.meter().set_faults(Some(mode.plan(at, &sent)));
    let result = (case.act)(&store).await;
    store.shutdown().await.unwrap();
    drop(store);
    let hit = sent.load(Ordering::Relaxed) > at;

    // Another process.
    let store = open(&server).await;
    let now = files(&store).await;
    assert_whole_or_absent(&now, &before, after, &what);
    if let Mode::One(_) = mode {
        // One lost request is found out and made good; no caller learns of it.
        assert!(result.is_ok(), "{what}: {result:?}");
    }
    if result.is_ok() {
        assert_eq!(now, *after, "{what}: it succeeded and has no effect");
    } else if now != *after || before == *after {
        let again = (case.act)(&store).await;
        let done = matches!(&again, Err(error) if error.is_not_found()) || again.is_ok();
        assert!(done, "{what}: {result:?}, and again: {again:?}");
    }
    assert_eq!(files(&store).await, *after, "{what}");

    // The sweeper leaves what is named.
    let sweep = || SweepOptions::new().deep().grace(Duration::ZERO);
    store.sweep(sweep()).await.unwrap();
    assert_eq!(files(&store).await, *after, "{what}: after the sweep");
    // And nothing else.
    for name in files(&store).await.keys() {
        store.delete(&path(name), Precondition::None).await.unwrap();
    }
    store.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap();
    store.sweep(sweep()).await.unwrap();
    store.sweep(sweep()).await.unwrap();
    assert_eq!(server.keys(), Vec::<String>::new(), "{what}: left behind");
    hit
}

async fn exhaust(mode: Mode) {
    for case in cases() {
        let store = open(&server()).await;
        (case.setup)(&store).await.unwrap();
        (case.act)(&store).await.unwrap();
        let after = files(&store).await;
        let mut at = 0;
        while run(&case, mode, at, &after).await {
            at += 1;
        }
        assert!(at > 0, "{} sends requests", case.name);
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_fails_before_it_has_an_effect() {
    exhaust(Mode::One(Fault::Before)).await;
}

#[tokio::test(start_paused = true)]
async fn every_request_fails_after_it_had_its_effect() {
    exhaust(Mode::One(Fault::After)).await;
}

#[tokio::test(start_paused = true)]
async fn every_request_arrives_twice() {
    exhaust(Mode::One(Fault::Twice)).await;
}

#[tokio::test(start_paused = true)]
async fn every_request_arrives_late() {
    exhaust(Mode::One(Fault::Late(Duration::from_secs(10)))).await;
}

#[tokio::test(start_paused = true)]
async fn the_process_is_cut_off_before_every_request() {
    exhaust(Mode::Cut(Fault::Before)).await;
}

#[tokio::test(start_paused = true)]
async fn the_process_is_cut_off_after_every_request() {
    exhaust(Mode::Cut(Fault::After)).await;
}
