//! 10. Capabilities.

use std::time::Duration;

use storage_driver::{ErrorKind, RedirectMethod};

use crate::{
    Subject,
    check::{fails, path, put, stat, upload},
};

pub(crate) async fn capabilities_are_the_same_at_every_call(subject: Subject) {
    let driver = subject.driver().await;
    let claimed = driver.capabilities();
    put(&driver, "/a", "x").await;
    upload(&driver, "/b", "x").await;
    assert_eq!(driver.capabilities(), claimed);
    assert_eq!(subject.driver().await.capabilities(), claimed);
    driver.shutdown().await.unwrap();
    assert_eq!(driver.capabilities(), claimed);
}

pub(crate) async fn the_name_is_one_word_in_lower_case(subject: Subject) {
    let name = subject.driver().await.name();
    let ordinary = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
    assert!(!name.is_empty() && name.chars().all(ordinary), "{name:?}");
}

pub(crate) async fn claims_that_imply_others_hold_together(subject: Subject) {
    let claimed = subject.driver().await.capabilities();
    for (name, implied) in [
        ("atomic_rename", claimed.atomic_rename),
        ("atomic_commit_to", claimed.atomic_commit_to),
        ("snapshot_listing", claimed.snapshot_listing),
    ] {
        assert!(implied, "`linearizable` is claimed and implies `{name}`, which is not");
    }
}

pub(crate) async fn a_redirect_is_a_url_or_none(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    for method in [RedirectMethod::Get, RedirectMethod::Head] {
        let url = driver.redirect_url(&path("/a"), method, Duration::from_secs(60)).await.unwrap();
        if let Some(url) = url {
            assert!(url.contains("://"), "{url}");
        }
    }
}

pub(crate) async fn a_redirect_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    for method in [RedirectMethod::Get, RedirectMethod::Head] {
        for at in ["/a", "/nothing"].map(path) {
            let result = driver.redirect_url(&at, method, Duration::from_secs(60)).await;
            fails(result, ErrorKind::Unsupported);
        }
    }
    assert_eq!(stat(&driver, "/a").await, old);
}
