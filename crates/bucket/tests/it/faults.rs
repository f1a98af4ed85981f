//! Faults at every request of every operation: afterwards the operation is whole or absent, doing it again
//! completes it, and the sweeper leaves nothing.

mod cases;
mod opening;
mod rivals;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use storage_driver::{Error, Path, Precondition, StorageDriver, SweepOptions};
use storage_driver_bucket::{
    Bucket,
    double::Double,
    http::{Fault, FaultPlan},
};

use self::cases::{Case, cases};
use crate::support::{LARGE, bytes, ceph, files, leftovers, open, path, server, uploads};

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

/// Brings about what has to be there before a case.
async fn prepare(case: &Case, server: &Double, store: &Bucket) {
    if case.foreign {
        server.put("a", "application/octet-stream", bytes(1, LARGE));
    }
    (case.setup)(store).await.unwrap();
}

/// What a case leads to.
struct After {
    files: Files,
    uploads: Vec<(String, u64)>,
}

impl After {
    async fn of(new: fn() -> Double, case: &Case) -> Self {
        let server = new();
        let store = open(&server).await;
        prepare(case, &server, &store).await;
        (case.act)(&store).await.unwrap();
        Self { files: files(&store).await, uploads: uploads(&store).await }
    }
}

/// Runs a case with a fault at request `at`. Returns whether there was such a request.
async fn run(new: fn() -> Double, case: &Case, mode: Mode, at: u64, after: &After) -> bool {
    let what = format!("{}, {mode:?} at request {at}", case.name);
    let server = new();
    let store = open(&server).await;
    prepare(case, &server, &store).await;
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
    assert_whole_or_absent(&now, &before, &after.files, &what);
    if let Mode::One(fault) = mode {
        // One lost request is found out and made good; no caller learns of it. But a DELETE that arrives twice finds
        // nothing the second time.
        let is_gone = |error: &Error| error.is_not_found() && fault == Fault::Twice;
        let made_good =
            result.as_ref().err().is_none_or(|error| is_gone(error) && now == after.files);
        assert!(made_good, "{what}: {result:?}");
    }
    if result.is_ok() {
        assert_eq!(now, after.files, "{what}: it succeeded and has no effect");
        assert_eq!(uploads(&store).await, after.uploads, "{what}: it succeeded");
    } else if now != after.files || before == after.files {
        let again = (case.act)(&store).await;
        let done = matches!(&again, Err(error) if error.is_not_found()) || again.is_ok();
        assert!(done, "{what}: {result:?}, and again: {again:?}");
    }
    assert_eq!(files(&store).await, after.files, "{what}");
    assert_nothing_else(&server, &store, &what).await;
    hit
}

/// The sweeper leaves what is named, and nothing else.
async fn assert_nothing_else(server: &Double, store: &Bucket, what: &str) {
    let before = files(store).await;
    let sweep = || SweepOptions::new().deep().grace(Duration::ZERO);
    store.sweep(sweep()).await.unwrap();
    assert_eq!(files(store).await, before, "{what}: after the sweep");
    for name in before.keys() {
        store.delete(&path(name), Precondition::None).await.unwrap();
    }
    store.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap();
    store.sweep(sweep()).await.unwrap();
    store.sweep(sweep()).await.unwrap();
    // One object for all processes, which stays.
    server.remove("!health");
    assert_eq!(leftovers(server), Vec::<String>::new(), "{what}: left behind");
    if store.deletes_conditionally() {
        assert_eq!(server.keys(), Vec::<String>::new(), "{what}: left behind");
    }
}

async fn exhaust(new: fn() -> Double, mode: Mode) {
    for case in cases() {
        let after = After::of(new, &case).await;
        let mut at = 0;
        while run(new, &case, mode, at, &after).await {
            at += 1;
        }
        assert!(at > 0, "{} sends requests", case.name);
    }
}

macro_rules! faults {
    ($($name:ident: $mode:expr;)*) => {
        mod with_conditional_deletions {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    exhaust(server, $mode).await;
                }
            )*
        }

        mod with_tombstones {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    exhaust(ceph, $mode).await;
                }
            )*
        }
    };
}

faults! {
    every_request_fails_before_it_has_an_effect: Mode::One(Fault::Before);
    every_request_fails_after_it_had_its_effect: Mode::One(Fault::After);
    every_request_arrives_twice: Mode::One(Fault::Twice);
    every_request_arrives_late: Mode::One(Fault::Late(Duration::from_secs(10)));
    the_process_is_cut_off_before_every_request: Mode::Cut(Fault::Before);
    the_process_is_cut_off_after_every_request: Mode::Cut(Fault::After);
}
