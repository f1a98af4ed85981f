use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, Request, header::AUTHORIZATION, request::Parts};
use tempfile::NamedTempFile;

use super::*;
use crate::Action::{self, Pull, Push};

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

/// From now on, what is not remembered finds no place to be verified in.
fn occupy(htpasswd: &Htpasswd) {
    htpasswd.waiting.try_acquire_many(MAX_WAITING as u32).unwrap().forget();
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
    occupy(&htpasswd);
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, too_many());
}

#[tokio::test]
async fn an_unknown_user_takes_a_verification_too() {
    let (_file, htpasswd) = registry().await;
    occupy(&htpasswd);
    assert_eq!(push(&htpasswd, basic("bob", "secret")).await, too_many());
}

#[tokio::test]
async fn who_was_right_needs_no_other_verification() {
    let (_file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    occupy(&htpasswd);
    assert_eq!(push(&htpasswd, basic("alice", "secret")).await, Ok(()));
    assert_eq!(push(&htpasswd, basic("alice", "wrong")).await, too_many());
}

#[tokio::test]
async fn who_was_wrong_is_verified_again() {
    let (_file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "wrong")).await.unwrap_err();
    occupy(&htpasswd);
    assert_eq!(push(&htpasswd, basic("alice", "wrong")).await, too_many());
}

#[tokio::test]
async fn a_verification_gives_its_place_back() {
    let (_file, htpasswd) = registry().await;
    push(&htpasswd, basic("alice", "wrong")).await.unwrap_err();
    push(&htpasswd, basic("alice", "secret")).await.unwrap();
    assert_eq!(htpasswd.waiting.available_permits(), MAX_WAITING);
}

#[tokio::test]
async fn who_waited_for_the_same_credentials_is_not_verified_again() {
    let (_file, htpasswd) = registry().await;
    let permits = htpasswd.running.available_permits() as u32;
    let held = htpasswd.running.acquire_many(permits).await.unwrap();
    let users = Arc::clone(&htpasswd.users.read().unwrap());
    let credentials = Credentials::of(&basic("alice", "not the password")).unwrap().unwrap();
    let prove_meanwhile = async {
        tokio::task::yield_now().await;
        users.proven.insert(users.proven.proof(&credentials));
        drop(held);
    };
    let waiting = push(&htpasswd, basic("alice", "not the password"));
    // A verification would have said no.
    assert_eq!(tokio::join!(waiting, prove_meanwhile).0, Ok(()));
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
    let users = Arc::clone(&htpasswd.users.read().unwrap());
    assert!(!format!("{users:?}").contains("$2"));
}
