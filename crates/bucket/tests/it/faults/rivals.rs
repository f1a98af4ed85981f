//! Each request of an operation is overtaken by an operation of another process.
//!
//! Afterwards every file is as if one of the two operations had run after the other.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use async_trait::async_trait;
use futures::FutureExt;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    },
};
use storage_driver::{Precondition, Result, StorageDriver, WriterOptions};
use storage_driver_bucket::{Builder, double::Double};
use tokio::sync::Notify;

use super::{
    Files, assert_nothing_else,
    cases::{Act, Case, cases},
    prepare,
};
use crate::support::{LARGE, bytes, ceph, files, open, path, put, server, upload};

/// What another process does.
pub(super) struct Rival {
    name: &'static str,
    act: Act,
    deletes: bool,
    /// It opens the upload: then one of the two operations takes effect, and the other has none.
    fences: bool,
}

pub(super) const PUT_A: Rival = Rival {
    name: "a put at /a",
    act: |store| put(store, "/a", bytes(40, 300)).boxed(),
    deletes: false,
    fences: false,
};

pub(super) const PUT_B: Rival = Rival {
    name: "a put at /b",
    act: |store| put(store, "/b", bytes(41, 300)).boxed(),
    deletes: false,
    fences: false,
};

pub(super) const DELETE_A: Rival = Rival {
    name: "a deletion of /a",
    act: |store| async move { store.delete(&path("/a"), Precondition::None).await }.boxed(),
    deletes: true,
    fences: false,
};

pub(super) const DELETE_B: Rival = Rival {
    name: "a deletion of /b",
    act: |store| async move { store.delete(&path("/b"), Precondition::None).await }.boxed(),
    deletes: true,
    fences: false,
};

pub(super) const TAKE_U: Rival = Rival {
    name: "a takeover of the upload",
    act: |store| {
        async move {
            let mut writer = store.writer(&path("/u"), WriterOptions::resume()).await?;
            writer.write_bytes(bytes(42, 10)).await?;
            writer.commit_to(&path("/taken"), Precondition::None).await.map(drop)
        }
        .boxed()
    },
    deletes: true,
    fences: true,
};

pub(super) const CREATE_U: Rival = Rival {
    name: "a new upload in place of the upload",
    act: |store| upload(store, "/u", bytes(43, LARGE)).boxed(),
    deletes: false,
    fences: true,
};

pub(super) const RENAME_B: Rival = Rival {
    name: "a rename of /b to /a",
    act: |store| {
        async move { store.rename(&path("/b"), &path("/a"), Precondition::None).await.map(drop) }
            .boxed()
    },
    deletes: true,
    fences: false,
};

pub(super) const COPY_B: Rival = Rival {
    name: "a copy of /b to /c and a deletion of /b",
    act: |store| {
        async move {
            store.copy(&path("/b"), &path("/c"), Precondition::None).await?;
            store.delete(&path("/b"), Precondition::None).await
        }
        .boxed()
    },
    deletes: true,
    fences: false,
};

/// What happens to the request that is overtaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overtaken {
    /// It arrives after the rival has finished.
    Request,
    /// It takes effect before the rival begins, and its response arrives afterwards.
    Response,
    /// The same, but its response never arrives.
    LostResponse,
    /// The client gives up; the rival runs; the client continues; then the request arrives.
    GivenUpBefore,
    /// The client gives up and finishes its operation; the rival runs; then the request arrives.
    GivenUpAfter,
}

/// The connection of a process of which one request is overtaken.
#[derive(Debug, Clone)]
struct Connection {
    server: Double,
    at: u64,
    how: Overtaken,
    meeting: Arc<Meeting>,
}

#[derive(Debug, Default)]
struct Meeting {
    begun: AtomicBool,
    sent: AtomicU64,
    /// The request has met the rival.
    reached: Notify,
    /// The rival has finished.
    passed: Notify,
    /// The request that the client has given up.
    given_up: Mutex<Option<HttpRequest>>,
}

impl Connection {
    async fn wait_for_rival(&self) {
        self.meeting.reached.notify_one();
        self.meeting.passed.notified().await;
    }

    /// Delivers the request that was given up.
    async fn deliver(&self) {
        let request = self.meeting.given_up.lock().unwrap().take();
        if let Some(request) = request {
            self.server.call(request).await.unwrap();
        }
    }
}

impl HttpConnector for Connection {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connection {
    async fn call(&self, request: HttpRequest) -> std::result::Result<HttpResponse, HttpError> {
        let begun = self.meeting.begun.load(Ordering::Relaxed);
        if !begun || self.meeting.sent.fetch_add(1, Ordering::Relaxed) != self.at {
            return self.server.call(request).await;
        }
        match self.how {
            Overtaken::Request => {
                self.wait_for_rival().await;
                self.server.call(request).await
            }
            Overtaken::Response => {
                let response = self.server.call(request).await;
                self.wait_for_rival().await;
                response
            }
            Overtaken::LostResponse => {
                self.server.call(request).await?;
                self.wait_for_rival().await;
                Err(timed_out())
            }
            Overtaken::GivenUpBefore | Overtaken::GivenUpAfter => {
                *self.meeting.given_up.lock().unwrap() = Some(request);
                if self.how == Overtaken::GivenUpBefore {
                    self.wait_for_rival().await;
                }
                Err(timed_out())
            }
        }
    }
}

fn timed_out() -> HttpError {
    HttpError::new(HttpErrorKind::Timeout, std::io::Error::from(std::io::ErrorKind::TimedOut))
}

/// The files after `acts`, one after the other, on a store of their own.
async fn in_sequence(new: fn() -> Double, case: &Case, acts: &[Act]) -> Files {
    let server = new();
    let store = open(&server).await;
    prepare(case, &server, &store).await;
    for act in acts {
        // An operation may fail after the other one.
        let _ = act(&store).await;
    }
    files(&store).await
}

/// What may be there after two operations that ran at the same time.
struct Outcomes {
    case_last: Files,
    rival_last: Files,
    case_alone: Files,
    rival_alone: Files,
    fences: bool,
}

impl Outcomes {
    async fn of(new: fn() -> Double, case: &Case, rival: &Rival) -> Self {
        Self {
            case_last: in_sequence(new, case, &[rival.act, case.act]).await,
            rival_last: in_sequence(new, case, &[case.act, rival.act]).await,
            case_alone: in_sequence(new, case, &[case.act]).await,
            rival_alone: in_sequence(new, case, &[rival.act]).await,
            fences: rival.fences,
        }
    }

    /// Every file is as it would be if the operations that succeeded had run in some order.
    fn assert_one(&self, now: &Files, result: &Result<()>, rivals: &Result<()>, what: &str) {
        let mut allowed = vec![&self.case_last, &self.rival_last];
        if result.is_err() {
            allowed.push(&self.rival_alone);
        }
        if rivals.is_err() {
            allowed.push(&self.case_alone);
        }
        if self.fences {
            let lengths = |files: &Files| -> Vec<(String, usize)> {
                files.iter().map(|(name, content)| (name.clone(), content.len())).collect()
            };
            assert!(
                allowed.contains(&now),
                "{what}: {:?} is as after no order; {result:?}, rival {rivals:?}",
                lengths(now)
            );
        }
        let names = allowed.iter().flat_map(|files| files.keys()).chain(now.keys());
        for name in names {
            let content = now.get(name);
            let fits = allowed.iter().any(|files| files.get(name) == content);
            let length = content.map(bytes::Bytes::len);
            assert!(
                fits,
                "{what}: {name} ({length:?} bytes) is as after no order; {result:?}, rival {rivals:?}"
            );
        }
    }
}

/// Runs a case whose request `at` is overtaken. Returns whether there was such a request.
async fn run(
    new: fn() -> Double,
    case: &Case,
    rival: &Rival,
    how: Overtaken,
    at: u64,
    outcomes: &Outcomes,
) -> bool {
    let what = format!("{}, {how:?} {at} overtaken by {}", case.name, rival.name);
    let server = new();
    let meeting = Arc::new(Meeting::default());
    let connection = Connection { server: server.clone(), at, how, meeting: Arc::clone(&meeting) };
    let store = Builder::double(&server).connector(connection.clone()).open().await.unwrap();
    prepare(case, &server, &store).await;
    let other = open(&server).await;
    meeting.begun.store(true, Ordering::Relaxed);

    let mut act = (case.act)(&store);
    let (result, rivals) = if how == Overtaken::GivenUpAfter {
        let result = act.await;
        (result, (rival.act)(&other).await)
    } else {
        tokio::select! {
            biased;
            result = &mut act => (result, Ok(())),
            () = meeting.reached.notified() => {
                let rivals = (rival.act)(&other).await;
                meeting.passed.notify_one();
                (act.await, rivals)
            }
        }
    };
    store.shutdown().await.unwrap();
    if meeting.sent.load(Ordering::Relaxed) <= at {
        return false;
    }
    connection.deliver().await;

    // Another process.
    let store = open(&server).await;
    outcomes.assert_one(&files(&store).await, &result, &rivals, &what);
    assert_nothing_else(&server, &store, &what).await;
    true
}

async fn exhaust(new: fn() -> Double, how: Overtaken, with_deletions: bool) {
    for case in cases() {
        for rival in case.rivals.iter().filter(|rival| with_deletions || !rival.deletes) {
            let outcomes = Outcomes::of(new, &case, rival).await;
            let mut at = 0;
            while run(new, &case, rival, how, at, &outcomes).await {
                at += 1;
            }
            assert!(at > 0, "{} sends requests", case.name);
        }
    }
}

macro_rules! overtaken {
    ($($name:ident: $how:ident, $with_deletions:literal;)*) => {
        mod with_conditional_deletions {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    exhaust(server, Overtaken::$how, $with_deletions).await;
                }
            )*
        }

        mod with_tombstones {
            use super::*;
            $(
                #[tokio::test(start_paused = true)]
                async fn $name() {
                    exhaust(ceph, Overtaken::$how, true).await;
                }
            )*
        }
    };
}

overtaken! {
    every_request_arrives_after_a_rival: Request, true;
    every_response_arrives_after_a_rival: Response, true;
    every_response_is_lost_and_a_rival_follows: LostResponse, true;
    // A request that was given up can take effect after a deletion, where that leaves nothing.
    every_request_is_given_up_and_arrives_after_a_rival_and_a_retry: GivenUpBefore, false;
    every_request_is_given_up_and_arrives_after_all: GivenUpAfter, false;
}
