//! A look at a directory waits for what was dropped below it, as clause 9.1 says.

use std::sync::mpsc;

use futures::{FutureExt, TryStreamExt, future::BoxFuture, poll};
use storage_driver::{
    Entry, ListOptions, Path, Stat, StorageDriver, StorageDriverExt, WalkOptions,
};

use super::{Fixture, path};
use crate::{Durability, Filesystem, sys::Call};

type Look = fn(&Filesystem) -> BoxFuture<'_, bool>;

async fn lists(driver: &Filesystem, at: &str) -> bool {
    let page = driver.list(&path(at), ListOptions::new()).await;
    page.is_ok_and(|page| !page.items.is_empty())
}

async fn walks(driver: &Filesystem, at: Path) -> bool {
    let entries: Vec<Entry> =
        driver.walk(&at, WalkOptions::new()).try_collect().await.unwrap_or_default();
    entries.iter().any(|entry| entry.name() == "f")
}

/// The looks from which the file `/d/e/f` can be seen.
const LOOKS: [(&str, Look); 6] = [
    ("list", |driver| lists(driver, "/d/e").boxed()),
    ("list above", |driver| lists(driver, "/d").boxed()),
    ("list of the root", |driver| lists(driver, "/").boxed()),
    ("walk", |driver| walks(driver, path("/d")).boxed()),
    ("walk of the root", |driver| walks(driver, Path::root()).boxed()),
    ("stat", |driver| {
        async {
            driver.stat(&path("/d")).await.is_ok_and(|stat| matches!(stat, Stat::Directory(_)))
        }
        .boxed()
    }),
];

/// A put of `/d/e/f` whose future was dropped in the middle. It ends when the sender is dropped.
async fn dropped_put(fixture: &Fixture) -> mpsc::Sender<()> {
    let held = fixture.probe.hold(Call::Link);
    let at = path("/d/e/f");
    let mut put = Box::pin(fixture.driver.put(&at, "content"));
    assert!(poll!(&mut put).is_pending());
    held
}

#[tokio::test]
async fn a_look_at_a_directory_waits_for_a_put_that_was_dropped_below_it() {
    for (what, look) in LOOKS {
        let fixture = Fixture::new(Durability::None).await;
        let held = dropped_put(&fixture).await;
        let mut look = look(&fixture.driver);
        assert!(poll!(&mut look).is_pending(), "{what}");
        // What looks elsewhere does not wait, and leaves the look all the time that it needs.
        assert!(!lists(&fixture.driver, "/elsewhere").await);
        assert!(poll!(&mut look).is_pending(), "{what} has not waited");
        drop(held);
        assert!(look.await, "{what} does not see the file");
    }
}

#[tokio::test]
async fn a_listing_of_uploads_waits_for_a_cancel_that_was_dropped_below_it() {
    let fixture = Fixture::new(Durability::None).await;
    let (driver, upload) = (&fixture.driver, path("/d/u"));
    driver.create(&upload).await.unwrap().suspend().await.unwrap();
    let held = fixture.probe.hold(Call::Unlink);
    let mut cancel = driver.cancel_upload(&upload);
    assert!(poll!(&mut cancel).is_pending());
    drop(cancel);
    let dir = path("/d");
    let mut uploads = driver.uploads(&dir, ListOptions::new());
    assert!(poll!(&mut uploads).is_pending());
    drop(held);
    assert!(uploads.await.unwrap().items.is_empty());
}
