//! 5.16: uploads in progress, listed and cancelled.

use std::time::{Duration, SystemTime};

use futures::FutureExt;
use storage_driver::{ErrorKind, ListOptions, Path, StorageDriver, StorageDriverExt, UploadInfo};
use tokio::task::yield_now;

use crate::{
    Subject,
    check::{
        create, exists, fails, finish, is_dir, path, put, read, resume, stat, upload, uploads,
    },
    tasks::at_once,
};

/// The upload that is in progress at a path.
async fn found(driver: &dyn StorageDriver, at: &str) -> UploadInfo {
    let page = driver.uploads(&path(at), ListOptions::new()).await.unwrap();
    let found = page.items.into_iter().find(|upload| upload.path == path(at));
    found.unwrap_or_else(|| panic!("an upload is in progress at {at}"))
}

pub(crate) async fn an_upload_is_listed_from_its_creation_to_its_end(subject: Subject) {
    let driver = subject.driver().await;
    assert!(uploads(&driver, "/").await.is_empty());
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    writer.suspend().await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    finish(&driver, "/a").await;
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn uploads_come_in_the_order_of_their_paths(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/b", "/a.b", "/a/z", "/a-b", "/a", "/a/b/c"] {
        upload(&driver, at, "x").await;
    }
    let ordered = ["/a", "/a/b/c", "/a/z", "/a-b", "/a.b", "/b"];
    assert_eq!(uploads(&driver, "/").await, ordered);
}

pub(crate) async fn uploads_are_those_at_and_under_the_path(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/a/b/c", "/ab", "/a.b/c", "/c"] {
        upload(&driver, at, "x").await;
    }
    assert_eq!(uploads(&driver, "/a").await, ["/a", "/a/b", "/a/b/c"]);
    assert_eq!(uploads(&driver, "/a/b").await, ["/a/b", "/a/b/c"]);
    assert_eq!(uploads(&driver, "/a.b").await, ["/a.b/c"]);
}

pub(crate) async fn a_page_without_uploads_is_empty(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    for at in ["/", "/a", "/a/b", "/a/b/c", "/nothing"] {
        let page = driver.uploads(&path(at), ListOptions::new()).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none(), "{at}");
    }
}

pub(crate) async fn uploads_are_listed_next_to_files(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    upload(&driver, "/a", "y").await;
    put(&driver, "/b/c", "x").await;
    upload(&driver, "/b", "y").await;
    assert_eq!(uploads(&driver, "/").await, ["/a", "/b"]);
}

pub(crate) async fn an_upload_reports_its_size_where_it_is_known(subject: Subject) {
    let driver = subject.driver().await;
    for (at, size) in [("/a", 0), ("/b", 1), ("/c", 100_000)] {
        upload(&driver, at, vec![0; size]).await;
        let size_reported = found(&driver, at).await.size;
        assert!(size_reported.is_none_or(|it| it == size as u64), "{size_reported:?}");
    }
}

pub(crate) async fn an_upload_keeps_the_time_of_its_start(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    let before = found(&driver, "/a").await;
    let mut writer = resume(&driver, "/a").await;
    writer.write_bytes("y").await.unwrap();
    writer.suspend().await.unwrap();
    let after = found(&driver, "/a").await;
    assert_eq!(after.created, before.created);
    assert!(after.modified >= before.modified);
}

pub(crate) async fn uploads_are_paged(subject: Subject) {
    let driver = subject.driver().await;
    let all: Vec<String> = (10..23).map(|i| format!("/d/{i}/u")).collect();
    for at in &all {
        upload(&driver, at, "x").await;
    }
    for limit in [1, 2, 5, 12, 13, 14] {
        let (mut found, mut options) = (Vec::new(), ListOptions::new().limit(limit));
        loop {
            let page = driver.uploads(&path("/d"), options.clone()).await.unwrap();
            assert!(page.items.len() <= limit);
            assert!(page.next.is_none() || page.items.len() == limit);
            found.extend(page.items.iter().map(|upload| upload.path.to_string()));
            let Some(next) = page.next else { break };
            assert!(
                options.start_after.as_ref() < Some(&next),
                "the next page does not advance: {next}"
            );
            options = options.start_after(next);
        }
        assert_eq!(found, all, "limit {limit}");
    }
}

/// Uploads at, above and below each other, in order.
const NESTED: &[&str] = &["/d", "/d/a", "/d/a/b", "/d/a/b/c", "/d/a-b", "/d/c/d", "/d/e"];

pub(crate) async fn pages_of_uploads_of_every_limit_join_to_the_whole(subject: Subject) {
    let driver = subject.driver().await;
    for at in NESTED {
        upload(&driver, at, "x").await;
    }
    for (dir, all) in [("/", NESTED), ("/d", NESTED), ("/d/a", &NESTED[1..4])] {
        for limit in 1..=NESTED.len() + 1 {
            let (mut joined, mut options) = (Vec::new(), ListOptions::new().limit(limit));
            loop {
                let page = driver.uploads(&path(dir), options.clone()).await.unwrap();
                joined.extend(page.items.iter().map(|upload| upload.path.to_string()));
                let Some(next) = page.next else { break };
                assert_eq!(page.items.len(), limit, "a page of {dir} that is not the last");
                assert!(
                    options.start_after.as_ref() < Some(&next),
                    "the next page does not advance: {next}"
                );
                options = options.start_after(next);
            }
            assert_eq!(joined, all, "of {dir}, limit {limit}");
        }
    }
}

pub(crate) async fn a_page_of_uploads_as_long_as_the_limit_may_be_the_last(subject: Subject) {
    let driver = subject.driver().await;
    for at in NESTED {
        upload(&driver, at, "x").await;
    }
    for (dir, count) in [("/", 7), ("/d", 7), ("/d/a", 3)] {
        let options = ListOptions::new().limit(count);
        let page = driver.uploads(&path(dir), options).await.unwrap();
        assert_eq!((page.items.len(), page.next), (count, None), "{dir}");
        let options = ListOptions::new().limit(count - 1);
        let page = driver.uploads(&path(dir), options).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (count - 1, true), "{dir}");
    }
}

pub(crate) async fn uploads_of_a_directory_start_after_a_path(subject: Subject) {
    let driver = subject.driver().await;
    for at in NESTED.iter().chain(&["/c", "/e"]) {
        upload(&driver, at, "x").await;
    }
    for (start, expected) in [
        ("/", NESTED),
        ("/c", NESTED),
        ("/d", &NESTED[1..]),
        ("/d/a/b", &NESTED[3..]),
        ("/d/a/z", &NESTED[4..]),
        ("/d/e", &[]),
        ("/e", &[]),
    ] {
        let options = ListOptions::new().start_after(path(start));
        let page = driver.uploads(&path("/d"), options).await.unwrap();
        let found: Vec<&str> = page.items.iter().map(|upload| upload.path.as_str()).collect();
        assert_eq!(found, expected, "after {start}");
    }
}

pub(crate) async fn a_page_of_no_uploads_says_whether_there_are_more(subject: Subject) {
    let driver = subject.driver().await;
    let none = ListOptions::new().limit(0);
    for at in ["/", "/a"].map(path) {
        let page = driver.uploads(&at, none.clone()).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
    upload(&driver, "/a", "x").await;
    for at in ["/", "/a"].map(path) {
        let page = driver.uploads(&at, none.clone()).await.unwrap();
        assert!(page.items.is_empty());
        // The next page starts where this one ends.
        let rest = ListOptions::new().start_after(page.next.expect("there is more"));
        let page = driver.uploads(&at, rest).await.unwrap();
        assert_eq!(page.items.len(), 1, "{at}");
        let end = none.clone().start_after(path("/a"));
        let page = driver.uploads(&at, end).await.unwrap();
        assert!(page.items.is_empty() && page.next.is_none());
    }
}

pub(crate) async fn uploads_start_after_a_path_that_need_not_exist(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/a-b", "/c"] {
        upload(&driver, at, "x").await;
    }
    for (start, expected) in [
        ("/", &["/a", "/a/b", "/a-b", "/c"][..]),
        ("/0", &["/a", "/a/b", "/a-b", "/c"]),
        ("/a", &["/a/b", "/a-b", "/c"]),
        ("/a/a", &["/a/b", "/a-b", "/c"]),
        ("/a/c", &["/a-b", "/c"]),
        ("/b", &["/c"]),
        ("/c", &[]),
        ("/d", &[]),
    ] {
        let options = ListOptions::new().start_after(path(start));
        let page = driver.uploads(&Path::root(), options).await.unwrap();
        let found: Vec<&str> = page.items.iter().map(|upload| upload.path.as_str()).collect();
        assert_eq!(found, expected, "after {start}");
    }
}

pub(crate) async fn cancel_upload_removes_the_upload(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a/b", "x").await;
    driver.cancel_upload(&path("/a/b")).await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
    fails(driver.resume(&path("/a/b")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn cancel_upload_leaves_committed_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    upload(&driver, "/a", "upload").await;
    driver.cancel_upload(&path("/a")).await.unwrap();
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn cancel_upload_leaves_uploads_nearby(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/ab", "/a.b"] {
        upload(&driver, at, at).await;
    }
    driver.cancel_upload(&path("/a")).await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/a/b", "/a.b", "/ab"]);
    assert_eq!(finish(&driver, "/a/b").await, "/a/b");
}

pub(crate) async fn cancel_upload_of_none_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.cancel_upload(&path("/a")).await, ErrorKind::PathNotFound);
    put(&driver, "/a", "content").await;
    fails(driver.cancel_upload(&path("/a")).await, ErrorKind::PathNotFound);
    upload(&driver, "/b/c", "x").await;
    fails(driver.cancel_upload(&path("/b")).await, ErrorKind::PathNotFound);
    assert_eq!(read(&driver, "/a").await, "content");
    assert_eq!(uploads(&driver, "/").await, ["/b/c"]);
}

pub(crate) async fn cancel_upload_a_second_time_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    driver.cancel_upload(&path("/a")).await.unwrap();
    fails(driver.cancel_upload(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn cancel_uploads_removes_those_at_and_under_the_path(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/a/b/c", "/ab", "/a.b/c"] {
        upload(&driver, at, at).await;
    }
    put(&driver, "/a/file", "x").await;
    assert_eq!(driver.cancel_uploads(&path("/a"), Duration::ZERO).await.unwrap(), 3);
    assert_eq!(uploads(&driver, "/").await, ["/a.b/c", "/ab"]);
    assert!(is_dir(&driver, "/a").await);
}

pub(crate) async fn cancel_uploads_of_the_root_removes_all(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/c/d/e"] {
        upload(&driver, at, at).await;
    }
    put(&driver, "/a", "content").await;
    assert_eq!(driver.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap(), 3);
    assert!(exists(&driver, "/a").await);
}

pub(crate) async fn cancel_uploads_leaves_the_young(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    upload(&driver, "/b", "x").await;
    for age in [Duration::from_secs(3600), Duration::MAX] {
        assert_eq!(driver.cancel_uploads(&Path::root(), age).await.unwrap(), 0);
    }
    assert_eq!(uploads(&driver, "/").await, ["/a", "/b"]);
}

pub(crate) async fn cancel_uploads_counts_from_the_last_write(subject: Subject) {
    let driver = subject.driver().await;
    let mut age = Duration::from_millis(50);
    // If more than that time passes between the write and the result, the result proves nothing.
    loop {
        let mut writer = create(&driver, "/a").await;
        until(SystemTime::now() + age).await;
        let written = SystemTime::now();
        writer.write_bytes("x").await.unwrap();
        writer.sync().await.unwrap();
        let cancelled = driver.cancel_uploads(&Path::root(), age).await.unwrap();
        if written.elapsed().is_ok_and(|elapsed| elapsed < age) {
            assert_eq!(cancelled, 0, "it was written to less than {age:?} ago");
            break;
        }
        age *= 4;
    }
    until(SystemTime::now() + age).await;
    assert_eq!(driver.cancel_uploads(&Path::root(), age).await.unwrap(), 1);
}

/// Waits by the system's clock, which the runtime cannot pause.
async fn until(time: SystemTime) {
    while SystemTime::now() < time {
        yield_now().await;
    }
}

pub(crate) async fn cancel_uploads_leaves_committed_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    put(&driver, "/d/b", "content").await;
    upload(&driver, "/a", "upload").await;
    upload(&driver, "/d", "upload").await;
    assert_eq!(driver.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap(), 2);
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/d/b").await, "content");
}

pub(crate) async fn cancel_uploads_where_none_is_counts_0(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    for at in ["/", "/a", "/nothing"] {
        assert_eq!(driver.cancel_uploads(&path(at), Duration::ZERO).await.unwrap(), 0);
    }
    assert!(exists(&driver, "/a").await);
}

pub(crate) async fn cancel_uploads_fences(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(driver.cancel_uploads(&Path::root(), Duration::ZERO).await.unwrap(), 1);
    fails(writer.commit().await, ErrorKind::WriterFenced);
    assert!(!exists(&driver, "/a").await);
}

pub(crate) async fn cancel_uploads_goes_beyond_one_page(subject: Subject) {
    let driver = subject.driver().await;
    let count = ListOptions::DEFAULT_LIMIT as u64 + 5;
    let driver_ref = &driver;
    let begin = |i| async move { upload(driver_ref, &format!("/u/{i}"), "").await }.boxed();
    at_once((0..count).map(begin).collect()).await;
    assert_eq!(uploads(&driver, "/u").await.len() as u64, count);
    assert_eq!(driver.cancel_uploads(&path("/u"), Duration::ZERO).await.unwrap(), count);
}
