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
    let response = curl.ask(&["-X", "PATCH"], &curl.begin("some/image"), Some(first));
    assert_eq!(response.status, 202, "{response:?}");
    let upload = response.header("location").to_owned();
    served.kill();

    let served = Served::on(root.path());
    let curl = Curl::new(&program, &served);
    let response = curl.ask(&[], &upload, None);
    assert_eq!(response.status, 204, "{response:?}");
    assert_eq!(response.header("range"), format!("0-{}", first.len() - 1));
    let end = finish(response.header("location"), &digest(&content));
    let response = curl.ask(&["-X", "PUT"], &end, Some(rest));
    assert_eq!(response.status, 201, "{response:?}");
    let response = curl.ask(&[], response.header("location"), None);
    assert_eq!(response.status, 200);
    assert!(response.body == content);
}
