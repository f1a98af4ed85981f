//! 9.5: a sweep removes nothing that an operation can see or resume.

use std::time::Duration;

use futures::FutureExt;
use storage_driver::{Precondition, StorageDriver, SweepOptions};

use crate::{
    Pattern, Subject,
    check::{
        append, create, everything, finish, path, put, read, remove, resume, upload, uploads, walk,
    },
    tasks::at_once,
};

/// More than drivers keep together with the metadata of a file.
const LARGE: u64 = 3 << 20;

/// Removes all that a sweep can find, some of which only a later sweep finds. No other operation is in progress.
async fn sweep_all(driver: &dyn StorageDriver) {
    for _ in 0..3 {
        driver.sweep(SweepOptions::new().deep().grace(Duration::ZERO)).await.unwrap();
    }
}

pub(crate) async fn a_sweep_removes_nothing_that_is_visible(subject: Subject) {
    let driver = subject.driver().await;
    let claimed = driver.capabilities();
    let large = Pattern::new(101).bytes(0..LARGE);
    put(&driver, "/small", "x").await;
    put(&driver, "/d/large", large.clone()).await;
    put(&driver, "/d/replaced", large.clone()).await;
    put(&driver, "/d/replaced", large.slice(1..)).await;
    upload(&driver, "/u/committed", large.clone()).await;
    finish(&driver, "/u/committed").await;
    upload(&driver, "/u/kept", large.clone()).await;
    if claimed.append {
        put(&driver, "/appended", large.clone()).await;
        let mut writer = append(&driver, "/appended").await;
        writer.write_bytes("x").await.unwrap();
        writer.commit().await.unwrap();
    }
    if claimed.copy {
        driver.copy(&path("/d/large"), &path("/copied"), Precondition::None).await.unwrap();
    }
    if claimed.rename_file {
        put(&driver, "/from", large).await;
        driver.rename(&path("/from"), &path("/renamed"), Precondition::None).await.unwrap();
    }
    let before = everything(&driver).await;
    sweep_all(&driver).await;
    assert!(before == everything(&driver).await, "a sweep changed what can be seen");
}

pub(crate) async fn content_whose_source_was_deleted_survives_a_sweep(subject: Subject) {
    let driver = subject.driver().await;
    let claimed = driver.capabilities();
    let large = Pattern::new(102).bytes(0..LARGE);
    put(&driver, "/a", large.clone()).await;
    if claimed.copy {
        driver.copy(&path("/a"), &path("/copied"), Precondition::None).await.unwrap();
        remove(&driver, "/a").await;
    }
    sweep_all(&driver).await;
    let left = if claimed.copy { "/copied" } else { "/a" };
    assert_eq!(walk(&driver, "/").await, [left]);
    assert!(read(&driver, left).await == large);
}

pub(crate) async fn an_open_upload_survives_a_sweep(subject: Subject) {
    let driver = subject.driver().await;
    let content = Pattern::new(103).bytes(0..3 * LARGE);
    let (first, rest) = (LARGE as usize, 2 * LARGE as usize);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(content.slice(..first)).await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes(content.slice(first..rest)).await.unwrap();
    sweep_all(&driver).await;
    writer.write_bytes(content.slice(rest..)).await.unwrap();
    writer.commit().await.unwrap();
    sweep_all(&driver).await;
    assert!(read(&driver, "/a").await == content);
}

pub(crate) async fn a_suspended_upload_survives_a_sweep(subject: Subject) {
    let driver = subject.driver().await;
    let content = Pattern::new(104).bytes(0..LARGE);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(content.clone()).await.unwrap();
    writer.set_note("a note").unwrap();
    writer.suspend().await.unwrap();
    sweep_all(&driver).await;
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    let writer = resume(&driver, "/a").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (LARGE, &b"a note"[..]));
    writer.commit().await.unwrap();
    assert!(read(&driver, "/a").await == content);
}

pub(crate) async fn what_was_deleted_stays_deleted_after_a_sweep(subject: Subject) {
    let driver = subject.driver().await;
    let large = Pattern::new(105).bytes(0..LARGE);
    put(&driver, "/d/a", large.clone()).await;
    upload(&driver, "/d/u", large.clone()).await;
    remove(&driver, "/d/a").await;
    driver.cancel_upload(&path("/d/u")).await.unwrap();
    sweep_all(&driver).await;
    assert!(walk(&driver, "/").await.is_empty() && uploads(&driver, "/").await.is_empty());
    put(&driver, "/d/a", large.clone()).await;
    sweep_all(&driver).await;
    assert!(read(&driver, "/d/a").await == large);
}

pub(crate) async fn sweeps_and_writers_at_once_lose_nothing(subject: Subject) {
    let driver = &subject.driver().await;
    let content = &Pattern::new(106).bytes(0..LARGE);
    let write = |at: String| async move {
        upload(driver, &at, content.clone()).await;
        finish(driver, &at).await;
    };
    let sweep = || async move {
        for _ in 0..3 {
            driver.sweep(SweepOptions::new().deep()).await.unwrap();
        }
    };
    let files = ["/a", "/b", "/c/d", "/c/e"];
    let writes = files.iter().map(|at| write((*at).to_owned()).boxed());
    at_once(writes.chain([sweep().boxed(), sweep().boxed()]).collect()).await;
    for at in files {
        assert!(read(driver, at).await == content, "{at}");
    }
}
