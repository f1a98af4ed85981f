use std::{
    net::SocketAddr,
    sync::{Mutex, mpsc},
};

use axum::extract::ConnectInfo;
use base64::{Engine, engine::general_purpose::STANDARD};
use futures::FutureExt;
use http::{HeaderMap, Request, header::AUTHORIZATION, request::Parts};
use tempfile::NamedTempFile;
use tokio::task::{JoinHandle, yield_now};

use super::{
    queue::{Line, MAX_WAITING, Permit},
    *,
};
use crate::access::Action::{self, Pull, Push};

fn line(user: &str, password: &str) -> String {
    format!("{user}:{}\n", bcrypt::hash(password, 4).unwrap())
}

fn file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

/// A registry with the user `alice`, whose password is `secret`.
async fn registry() -> (NamedTempFile, Htpasswd) {
    let file = file(&line("alice", "secret"));
    let htpasswd = Htpasswd::open(file.path()).await.unwrap();
    (file, htpasswd)
}

fn basic(user: &str, password: &str) -> HeaderMap {
    let value = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
    HeaderMap::from_iter([(AUTHORIZATION, value.parse().unwrap())])
}

fn parts(headers: HeaderMap) -> Parts {
    let mut parts = Request::new(()).into_parts().0;
    parts.headers = headers;
    parts
}

async fn push(htpasswd: &Htpasswd, headers: HeaderMap) -> Result<(), Refusal> {
    htpasswd.authorize(AccessRequest::new(&parts(headers), Some("a"), Push)).await
}

/// Tries to push as a client with this address.
async fn push_from(
    htpasswd: Arc<Htpasswd>,
    client: &'static str,
    headers: HeaderMap,
) -> Result<(), Refusal> {
    let mut parts = parts(headers);
    let peer: SocketAddr = client.parse().unwrap();
    parts.extensions.insert(ConnectInfo(peer));
    htpasswd.authorize(AccessRequest::new(&parts, Some("a"), Push)).await
}

/// Takes all turns, so that credentials that are not remembered wait.
fn occupy(htpasswd: &Htpasswd) -> Vec<Permit> {
    let enter = || htpasswd.queue.enter(Line::Unknown, Peer::new(None)).now_or_never();
    std::iter::from_fn(enter).map(Result::unwrap).collect()
}

/// Whether this needs a verification, which waits for a turn.
async fn waits(htpasswd: &Htpasswd, user: &str, password: &str) -> bool {
    let _turns = occupy(htpasswd);
    push(htpasswd, basic(user, password)).now_or_never().is_none()
}

fn too_many() -> Result<(), Refusal> {
    Err(Refusal::TooMany { retry_after: Duration::from_secs(1) })
}

#[tokio::test]
async fn the_right_password_lets_in() {
    let (_file, htpasswd) = registry().await;
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Ok(()));
}

#[tokio::test]
async fn wrong_password_unknown_user_and_no_credentials_get_one_challenge() {
    let (_file, htpasswd) = registry().await;
    let challenge = r#"Basic realm="registry", charset="UTF-8""#.to_owned();
    let refusal = Err(Refusal::Unauthorized { challenge });
    assert_eq!(push(&htpasswd, basic("alice", "wrong")).await, refusal);
    assert_eq!(push(&htpasswd, basic("bob", "secret")).await, refusal);
    assert_eq!(push(&htpasswd, HeaderMap::new()).await, refusal);
}

#[tokio::test]
async fn malformed_credentials_are_refused_even_where_none_are_needed() {
    let (_file, htpasswd) = registry().await;
    let htpasswd =
        htpasswd.with_rules(AccessRules { anonymous_pull: true, ..AccessRules::default() });
    let parts = parts(HeaderMap::from_iter([(AUTHORIZATION, "Basic ?".parse().unwrap())]));
    let request = AccessRequest::new(&parts, Some("a"), Pull);
    assert_eq!(htpasswd.authorize(request).await, Err(refused()));
}

#[tokio::test]
async fn wrong_credentials_are_refused_even_where_none_are_needed() {
    let (_file, htpasswd) = registry().await;
    let htpasswd =
        htpasswd.with_rules(AccessRules { anonymous_pull: true, ..AccessRules::default() });
    let pull = async |headers: HeaderMap, repository| {
        htpasswd.authorize(AccessRequest::new(&parts(headers), repository, Pull)).await
    };
    assert_eq!(pull(HeaderMap::new(), Some("a")).await, Ok(()));
    assert_eq!(pull(HeaderMap::new(), None).await, Ok(()));
    assert_eq!(pull(basic("alice", "wrong"), Some("a")).await, Err(refused()));
    assert_eq!(pull(basic("alice", "wrong"), None).await, Err(refused()));
}

#[tokio::test]
async fn a_user_who_may_not_is_denied() {
    let (_file, htpasswd) = registry().await;
    let rule = Rule {
        repositories: "b".parse().unwrap(),
        users: vec!["alice".to_owned()],
        actions: vec![Action::Push],
    };
    let htpasswd = htpasswd.with_rules(AccessRules { anonymous_pull: false, access: vec![rule] });
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Err(Refusal::Denied));
    assert_eq!(push(&htpasswd, HeaderMap::new()).await, Err(refused()));
}

#[tokio::test]
async fn when_too_many_wait_the_next_may_try_again() {
    let (_file, htpasswd) = registry().await;
    let htpasswd = Arc::new(htpasswd);
    let _turns = occupy(&htpasswd);
    let mut waiting = Vec::new();
    for _ in 0..MAX_WAITING {
        let mut request = push_from(htpasswd.clone(), "192.0.2.1:1", basic("a", "b")).boxed();
        assert!((&mut request).now_or_never().is_none());
        waiting.push(request);
    }
    let next = push_from(htpasswd.clone(), "192.0.2.1:2", basic("alice", "secret"));
    assert_eq!(next.now_or_never(), Some(too_many()));
}

#[tokio::test]
async fn an_unknown_user_takes_a_verification_too() {
    let (_file, htpasswd) = registry().await;
    assert!(waits(&htpasswd, "bob", "secret").await);
}

#[tokio::test]
async fn who_was_right_needs_no_other_verification() {
    let (_file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    assert!(!waits(&htpasswd, "alice", "secret").await);
    assert!(waits(&htpasswd, "alice", "wrong").await);
}

#[tokio::test]
async fn who_was_wrong_is_verified_again() {
    let (_file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "wrong")).await.unwrap_err();
    assert!(waits(&htpasswd, "alice", "wrong").await);
}

#[tokio::test]
async fn a_verification_gives_its_turn_back() {
    let (_file, htpasswd) = registry().await;
    let turns = occupy(&htpasswd).len();
    push(&htpasswd, basic("alice", "wrong")).await.unwrap_err();
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    assert_eq!(occupy(&htpasswd).len(), turns);
}

#[tokio::test]
async fn a_core_is_left_for_other_work() {
    let (_file, htpasswd) = registry().await;
    let cores = std::thread::available_parallelism().unwrap().get();
    assert_eq!(occupy(&htpasswd).len(), (cores - 1).max(1));
}

#[tokio::test]
async fn who_waited_for_the_same_credentials_is_not_verified_again() {
    let (_file, htpasswd) = registry().await;
    let turns = occupy(&htpasswd);
    let users = htpasswd.users();
    let credentials = Credentials::of(&basic("alice", "not the password")).unwrap().unwrap();
    let prove_meanwhile = async {
        yield_now().await;
        let proof = users.verified.proof(&credentials);
        users.verified.insert(proof, Peer::new(None), "alice".to_owned());
        drop(turns);
    };
    let waiting = push(&htpasswd, basic("alice", "not the password"));
    // A verification would have failed.
    assert_eq!(tokio::join!(waiting, prove_meanwhile).0, Ok(()));
}

/// A registry that verifies one password at a time, each time that the test permits it.
struct Stepped {
    htpasswd: Arc<Htpasswd>,
    step: mpsc::Sender<()>,
    /// Whether each password that was verified was right.
    verified: Arc<Mutex<Vec<bool>>>,
    _file: NamedTempFile,
}

impl Stepped {
    async fn new() -> Self {
        let (file, mut htpasswd) = registry().await;
        let (step, steps) = mpsc::channel();
        let verified = Arc::<Mutex<Vec<bool>>>::default();
        let (log, steps) = (Arc::clone(&verified), Mutex::new(steps));
        htpasswd.queue = Queue::new(1);
        htpasswd.verify = Arc::new(move |_, credentials| {
            // The end of the test ends it too.
            let _ = steps.lock().unwrap().recv();
            let right = credentials.password == "secret";
            log.lock().unwrap().push(right);
            right
        });
        Self { htpasswd: Arc::new(htpasswd), step, verified, _file: file }
    }

    /// A client at `address` that guesses without a pause.
    fn guess(&self, address: &'static str) -> JoinHandle<()> {
        let htpasswd = Arc::clone(&self.htpasswd);
        tokio::spawn(async move {
            loop {
                let guess = push_from(htpasswd.clone(), address, basic("alice", "wrong"));
                assert_eq!(guess.await, Err(refused()));
            }
        })
    }

    fn verifications(&self) -> usize {
        self.verified.lock().unwrap().len()
    }

    /// Logs `alice` in from `address`; returns the number of verifications before this one.
    async fn log_in(&self, address: &'static str) -> usize {
        let start = self.verifications();
        let login = push_from(self.htpasswd.clone(), address, basic("alice", "secret"));
        let stepping = async {
            loop {
                let before = self.verifications();
                self.step.send(()).unwrap();
                while self.verifications() == before {
                    yield_now().await;
                }
            }
        };
        tokio::select! {
            biased;
            result = login => result.unwrap(),
            () = stepping => {}
        }
        let verified = self.verified.lock().unwrap();
        verified[start..].iter().position(|right| *right).unwrap()
    }
}

#[tokio::test]
async fn a_hundred_guesses_at_a_time_do_not_lock_a_new_login_out() {
    let stepped = Stepped::new().await;
    let guesses: Vec<_> = (0..100).map(|_| stepped.guess("192.0.2.1:1")).collect();
    yield_now().await;
    // After the guess that has the turn, and the one that is first in the same round.
    assert!(stepped.log_in("192.0.2.2:1").await <= 2);
    guesses.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn guesses_from_the_same_address_do_not_lock_a_login_out() {
    let stepped = Stepped::new().await;
    let guesses: Vec<_> = (0..100).map(|_| stepped.guess("192.0.2.1:1")).collect();
    yield_now().await;
    assert!(stepped.log_in("192.0.2.1:2").await <= 100);
    guesses.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn guesses_do_not_hold_up_who_has_logged_in_from_there_before() {
    const ADDRESSES: [&str; 4] = ["192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1", "192.0.2.4:1"];
    let stepped = Stepped::new().await;
    stepped.log_in("192.0.2.9:1").await;
    // The password is not asked for again, but the peer and the user are known.
    let users = stepped.htpasswd.users();
    let credentials = Credentials::of(&basic("alice", "secret")).unwrap().unwrap();
    users.verified.forget(&users.verified.proof(&credentials));
    let guess = |n: usize| stepped.guess(ADDRESSES[n % ADDRESSES.len()]);
    let guesses: Vec<_> = (0..100).map(guess).collect();
    yield_now().await;
    // After the guess that has the turn, and the next one: the lines take turns.
    assert!(stepped.log_in("192.0.2.9:2").await <= 2);
    guesses.iter().for_each(JoinHandle::abort);
}

#[tokio::test]
async fn a_reload_knows_new_users_and_forgets_old_ones() {
    let (file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    std::fs::write(file.path(), line("bob", "other")).unwrap();
    htpasswd.reload().await.unwrap();
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Err(refused()));
    assert_eq!(push(&htpasswd, basic("bob", "other")).await, Ok(()));
}

#[tokio::test]
async fn a_reload_of_the_same_users_asks_for_no_password_again() {
    let (file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    let text = std::fs::read_to_string(file.path()).unwrap();
    std::fs::write(file.path(), format!("# the same\n{text}")).unwrap();
    assert!(!htpasswd.reload().await.unwrap());
    assert!(!waits(&htpasswd, "alice", "secret").await);
}

#[tokio::test]
async fn a_file_that_became_empty_or_is_gone_keeps_the_users() {
    let (file, htpasswd) = registry().await;
    std::fs::write(file.path(), "# empty\n").unwrap();
    let error = htpasswd.reload().await.unwrap_err();
    assert!(matches!(error, HtpasswdError::Emptied { .. }), "{error}");
    std::fs::remove_file(file.path()).unwrap();
    htpasswd.reload().await.unwrap_err();
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_watch_reads_a_file_that_has_changed() {
    let (file, htpasswd) = registry().await;
    let htpasswd = Arc::new(htpasswd);
    let watch = tokio::spawn({
        let htpasswd = Arc::clone(&htpasswd);
        async move { htpasswd.watch(Duration::from_secs(60)).await }
    });
    yield_now().await;
    std::fs::write(file.path(), line("bob", "other")).unwrap();
    while htpasswd.user("bob").is_none() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(htpasswd.user("alice").is_none());
    watch.abort();
}

#[tokio::test]
async fn a_reload_of_a_bad_file_keeps_the_users() {
    let (file, htpasswd) = registry().await;
    std::fs::write(file.path(), "alice:plain").unwrap();
    let error = htpasswd.reload().await.unwrap_err();
    let place = format!("{}:1: not a bcrypt hash", file.path().display());
    assert!(error.to_string().starts_with(&place), "{error}");
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Ok(()));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("htpasswd");
    let error = Htpasswd::open(&path).await.unwrap_err();
    assert!(matches!(&error, HtpasswdError::Read { path: it, .. } if *it == path), "{error}");
}

#[tokio::test]
async fn nothing_that_is_printed_has_a_hash() {
    let (_file, htpasswd) = registry().await;
    assert!(!format!("{htpasswd:?}").contains("$2"));
    let users = htpasswd.users();
    assert!(!format!("{users:?}").contains("$2"));
}
