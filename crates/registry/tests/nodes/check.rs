//! `registry check` names what is wrong with a store, in one line. Lies that depend on the moment at which a server lies
//! are told in process: see the driver's tests.

use std::{process::Command, time::Duration};

use storage_driver_bucket::double::{Double, Ways};
use tokio::task::block_in_place;

use crate::bucket::Bucket;

/// What `registry check` prints on a server that behaves in this way, and whether it succeeds.
async fn check(change: impl FnOnce(&mut Ways)) -> (bool, String) {
    let mut ways = Ways::default();
    change(&mut ways);
    let bucket = Bucket::serve(Double::new(ways)).await;
    let settings = bucket.settings(&[]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_registry"));
    command.args(["check", "--storage", &settings.store]).env_clear().envs(settings.variables);
    let output = block_in_place(|| command.output()).unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (output.status.success(), String::from_utf8(text).unwrap())
}

/// Asserts that the only line that is printed has this sentence.
async fn assert_refused(sentence: &str, change: impl FnOnce(&mut Ways)) {
    let (succeeds, printed) = check(change).await;
    assert!(!succeeds, "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
    assert!(printed.starts_with("registry: cannot use the store "), "{printed}");
    assert!(printed.contains(sentence), "{printed}");
}

/// A test for each way.
macro_rules! refused {
    ($($name:ident: $sentence:literal, $change:expr;)*) => {$(
        #[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            assert_refused($sentence, $change).await;
        }
    )*};
}

refused! {
    a_wrong_region: "the region is wrong; set the region of the bucket",
        |ways| ways.refuses = Some((400, "AuthorizationHeaderMalformed"));
    a_bucket_of_another_region: "the region is wrong; set the region of the bucket",
        |ways| ways.refuses = Some((301, "PermanentRedirect"));
    a_clock_that_is_wrong: "the clocks of this machine and of the store differ too much; set this machine's clock",
        |ways| ways.refuses = Some((403, "RequestTimeTooSkewed"));
    a_missing_right: "the credentials do not allow this request",
        |ways| ways.refuses = Some((403, "AccessDenied"));
    a_server_that_ignores_creates: "the bucket accepted a second create of one key",
        |ways| ways.ignores_create = true;
    a_server_that_ignores_entity_tags: "the bucket accepted a put with a wrong ETag",
        |ways| ways.ignores_match = true;
    a_server_that_loses_what_it_acknowledged: "the bucket lost an object that it had just acknowledged",
        |ways| ways.loses_puts = true;
    a_server_whose_listings_are_late: "a listing did not show an object that the bucket had acknowledged before",
        |ways| ways.lists_after = Duration::from_secs(60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_can_be_used() {
    let (succeeds, printed) = check(|_| {}).await;
    assert!(succeeds && printed.ends_with("the store can be used\n"), "{printed}");
}
