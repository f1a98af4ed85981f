//! An upload that was begun before the kill and ends after it.

use crate::support::{
    curl::{Curl, finish},
    digest,
    random::Random,
    served::Served,
};

#[test]
fn an_upload_continues_after_a_kill() {
    let Some(program) = Curl::find() else { return };
    let root = tempfile::tempdir().unwrap();
    let content = Random::new(4).bytes(3_000_000);
    let (first, rest) = content.split_at(1_234_567);

    let mut served = Served::on(root.path());
    let curl = Curl::new(&program, &served);
    let answer = curl.ask(&["-X", "PATCH"], &curl.begin("some/image"), Some(first));
    assert_eq!(answer.status, 202, "{answer:?}");
    let upload = answer.header("location").to_owned();
    served.kill();

    let served = Served::on(root.path());
    let curl = Curl::new(&program, &served);
    let answer = curl.ask(&[], &upload, None);
    assert_eq!(answer.status, 204, "{answer:?}");
    assert_eq!(answer.header("range"), format!("0-{}", first.len() - 1));
    let end = finish(answer.header("location"), &digest(&content));
    let answer = curl.ask(&["-X", "PUT"], &end, Some(rest));
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = curl.ask(&[], answer.header("location"), None);
    assert_eq!(answer.status, 200);
    assert!(answer.body == content);
}
