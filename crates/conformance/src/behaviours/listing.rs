//! 6.1 to 6.3, 6.5: stat and list.

use futures::TryStreamExt;
use storage_driver::{
    Entry, ErrorKind, ListOptions, Page, Path, Precondition, Stat, StorageDriver, StorageDriverExt,
};

use crate::{
    Subject,
    check::{fails, list, path, put, put_all, stat, upload},
};

/// Puts a file at each path.
async fn fill(driver: &dyn StorageDriver, paths: &[&'static str]) {
    for at in paths {
        put(driver, at, *at).await;
    }
}

/// One page, as paths.
async fn page(
    driver: &dyn StorageDriver,
    at: &str,
    options: ListOptions,
) -> (Vec<String>, Option<Path>) {
    let Page { items, next, .. } = driver.list(&path(at), options).await.unwrap();
    (items.iter().map(|entry| entry.path().to_string()).collect(), next)
}

/// The first page after a path, as paths.
async fn after(driver: &dyn StorageDriver, at: &str, start: &str) -> Vec<String> {
    page(driver, at, ListOptions::new().start_after(path(start))).await.0
}

pub(crate) async fn stat_tells_a_file(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a/b", "12345").await;
    let Stat::File(file) = driver.stat(&path("/a/b")).await.unwrap() else { panic!("no file") };
    assert_eq!(file, stored);
    assert_eq!((file.path, file.size), (path("/a/b"), 5));
}

pub(crate) async fn stat_tells_a_directory(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    assert_eq!(driver.stat(&path("/a")).await.unwrap(), Stat::Directory(path("/a")));
    assert_eq!(driver.stat(&path("/a/b")).await.unwrap(), Stat::Directory(path("/a/b")));
}

pub(crate) async fn stat_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
    put(&driver, "/a/b", "x").await;
    fails(driver.stat(&path("/b")).await, ErrorKind::PathNotFound);
    fails(driver.stat(&path("/a/c")).await, ErrorKind::PathNotFound);
    assert!(!driver.exists(&path("/a/c")).await.unwrap());
}

pub(crate) async fn file_reports_what_stat_reports_of_a_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "content").await;
    let file = driver.file(&path("/a/b")).await.unwrap();
    assert_eq!(file, driver.stat(&path("/a/b")).await.unwrap().into_file().ok());
}

pub(crate) async fn file_reports_nothing_where_no_file_is(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "content").await;
    for at in ["/", "/a", "/b", "/a/c", "/a/b/c"] {
        assert_eq!(driver.file(&path(at)).await.unwrap(), None, "{at}");
    }
}

pub(crate) async fn stat_below_a_file_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    fails(driver.stat(&path("/a/b")).await, ErrorKind::PathNotFound);
    fails(driver.stat(&path("/a/b/c")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn stat_of_the_beginning_of_a_name_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/abc/def", "x").await;
    for at in ["/ab", "/abc/de", "/abc/defg", "/abcd"] {
        fails(driver.stat(&path(at)).await, ErrorKind::PathNotFound);
    }
}

pub(crate) async fn list_gives_direct_children_alone(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/b", "/a/c/d", "/a/c/e", "/a/f/g/h", "/i"]).await;
    assert_eq!(list(&driver, "/a").await, ["/a/b", "/a/c", "/a/f"]);
    assert_eq!(list(&driver, "/a/f").await, ["/a/f/g"]);
    assert_eq!(list(&driver, "/").await, ["/a", "/i"]);
}

pub(crate) async fn list_tells_files_from_directories(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/dir/x", "/a/file"]).await;
    let entries: Vec<Entry> = driver.list_all(&path("/a")).try_collect().await.unwrap();
    assert_eq!(entries.len(), 2);
    assert!(entries[0].is_dir() && entries[0].name() == "dir");
    assert!(entries[1].is_file() && entries[1].name() == "file");
}

pub(crate) async fn list_sorts_by_name(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/d/b", "/d/a.b", "/d/a/x", "/d/a-b", "/d/A", "/d/_", "/d/10", "/d/9"]).await;
    let sorted = ["/d/10", "/d/9", "/d/A", "/d/_", "/d/a", "/d/a-b", "/d/a.b", "/d/b"];
    assert_eq!(list(&driver, "/d").await, sorted);
}

pub(crate) async fn list_returns_the_metadata_of_stat(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/b", "/a/c", "/a/d/e"]).await;
    let entries: Vec<Entry> = driver.list_all(&path("/a")).try_collect().await.unwrap();
    for entry in entries {
        if let Some(metadata) = entry.metadata() {
            assert_eq!(metadata, &stat(&driver, entry.path().as_str()).await);
        }
    }
}

pub(crate) async fn list_returns_the_metadata_of_stat_after_a_change(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/b", "/a/c"]).await;
    for content in ["longer than before", ""] {
        put(&driver, "/a/b", content).await;
        let entries: Vec<Entry> = driver.list_all(&path("/a")).try_collect().await.unwrap();
        for metadata in entries.iter().filter_map(Entry::metadata) {
            assert_eq!(metadata, &stat(&driver, metadata.path.as_str()).await);
        }
    }
}

pub(crate) async fn list_gives_a_directory_of_many_files_once(subject: Subject) {
    let driver = subject.driver().await;
    for i in 0..50 {
        put(&driver, &format!("/a/dir/{i}/file"), "x").await;
    }
    assert_eq!(list(&driver, "/a").await, ["/a/dir"]);
    assert_eq!(list(&driver, "/a/dir").await.len(), 50);
}

pub(crate) async fn list_of_a_leaves_ab_out(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/x", "/ab", "/ab.c/x", "/a-b/x", "/a.b"]).await;
    assert_eq!(list(&driver, "/a").await, ["/a/x"]);
}

pub(crate) async fn list_of_a_file_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    fails(driver.list(&path("/a/b"), ListOptions::new()).await, ErrorKind::NotADirectory);
}

pub(crate) async fn list_of_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    for at in ["/b", "/a/c", "/a/b/c", "/aa"] {
        fails(driver.list(&path(at), ListOptions::new()).await, ErrorKind::PathNotFound);
    }
    let nothing = ListOptions::new().limit(0).start_after(path("/z"));
    fails(driver.list(&path("/b"), nothing).await, ErrorKind::PathNotFound);
}

pub(crate) async fn list_of_an_empty_root_is_empty(subject: Subject) {
    let driver = subject.driver().await;
    assert_eq!(page(&driver, "/", ListOptions::new()).await, (vec![], None));
    upload(&driver, "/a", "x").await;
    assert_eq!(page(&driver, "/", ListOptions::new()).await, (vec![], None));
}

pub(crate) async fn pages_of_every_limit_join_to_the_whole(subject: Subject) {
    let driver = subject.driver().await;
    let all = ["/d/a", "/d/a-b", "/d/a.b", "/d/b", "/d/c", "/d/d", "/d/e"];
    fill(&driver, &["/d/a/x", "/d/a-b", "/d/a.b/y/z", "/d/b", "/d/c/x", "/d/c/y", "/d/d", "/d/e"])
        .await;
    for limit in 1..=8 {
        let (mut joined, mut options) = (Vec::new(), ListOptions::new().limit(limit));
        loop {
            let (items, next) = page(&driver, "/d", options.clone()).await;
            assert!(items.len() <= limit, "limit {limit}");
            assert!(next.is_none() || items.len() == limit, "limit {limit}: {items:?}");
            joined.extend(items);
            let Some(next) = next else { break };
            assert!(
                options.start_after.as_ref() < Some(&next),
                "the next page does not advance: {next}"
            );
            options = options.start_after(next);
        }
        assert_eq!(joined, all, "limit {limit}");
    }
}

pub(crate) async fn a_page_as_long_as_the_limit_may_be_the_last(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a", "/b", "/c/d"]).await;
    let (items, next) = page(&driver, "/", ListOptions::new().limit(3)).await;
    assert_eq!((items.len(), next), (3, None));
    let (items, next) = page(&driver, "/", ListOptions::new().limit(2)).await;
    assert_eq!((items.len(), next.is_some()), (2, true));
}

pub(crate) async fn a_page_of_limit_0_says_whether_there_is_more(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a/b", "/a/c"]).await;
    let none = ListOptions::new().limit(0);
    let (items, next) = page(&driver, "/a", none.clone()).await;
    assert!(items.is_empty());
    // The next page starts where this one ends.
    let rest = after(&driver, "/a", next.expect("there is more").as_str()).await;
    assert_eq!(rest, ["/a/b", "/a/c"]);
    let (items, next) = page(&driver, "/a", none.clone().start_after(path("/a/b"))).await;
    assert!(items.is_empty());
    assert_eq!(after(&driver, "/a", next.expect("there is more").as_str()).await, ["/a/c"]);
    let end = page(&driver, "/a", none.start_after(path("/a/c"))).await;
    assert_eq!(end, (vec![], None));
}

pub(crate) async fn the_greatest_limit_gives_all(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a", "/b", "/c"]).await;
    let (items, next) = page(&driver, "/", ListOptions::new().limit(usize::MAX)).await;
    assert_eq!((items.len(), next), (3, None));
}

pub(crate) async fn the_default_limit_is_1000(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (0..1001).map(|i| format!("/d/{i:04}"))).await;
    let (items, next) = page(&driver, "/d", ListOptions::new()).await;
    assert_eq!(items.len(), 1000);
    assert_eq!(after(&driver, "/d", next.expect("one is left").as_str()).await, ["/d/1000"]);
    assert_eq!(list(&driver, "/d").await.len(), 1001);
}

pub(crate) async fn list_starts_after_an_entry(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/d/a", "/d/b/x", "/d/b-c", "/d/e"]).await;
    let all = ["/d/a", "/d/b", "/d/b-c", "/d/e"];
    for (i, start) in all.iter().enumerate() {
        assert_eq!(after(&driver, "/d", start).await, all[i + 1..], "after {start}");
    }
}

pub(crate) async fn list_starts_after_a_path_that_is_not_there(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/d/b", "/d/d/x", "/d/f"]).await;
    for (start, expected) in [
        ("/d/a", &["/d/b", "/d/d", "/d/f"][..]),
        ("/d/c", &["/d/d", "/d/f"]),
        ("/d/d-", &["/d/f"]),
        ("/d/e", &["/d/f"]),
        ("/d/g", &[]),
    ] {
        assert_eq!(after(&driver, "/d", start).await, expected, "after {start}");
    }
}

pub(crate) async fn list_starts_after_a_path_elsewhere(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/d/b", "/d/d/x", "/d/f"]).await;
    for (start, expected) in [
        ("/", &["/d/b", "/d/d", "/d/f"][..]),
        ("/a/z", &["/d/b", "/d/d", "/d/f"]),
        ("/d", &["/d/b", "/d/d", "/d/f"]),
        ("/d/b/z", &["/d/d", "/d/f"]),
        ("/d/d/a", &["/d/f"]),
        ("/d-", &[]),
        ("/e", &[]),
    ] {
        assert_eq!(after(&driver, "/d", start).await, expected, "after {start}");
    }
}

pub(crate) async fn list_starts_after_a_deleted_entry(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a", "/b", "/c", "/d"]).await;
    let (items, next) = page(&driver, "/", ListOptions::new().limit(2)).await;
    assert_eq!(items, ["/a", "/b"]);
    driver.delete(&path("/b"), Precondition::None).await.unwrap();
    driver.delete(&path("/c"), Precondition::None).await.unwrap();
    put(&driver, "/bb", "x").await;
    let rest = after(&driver, "/", next.expect("there is more").as_str()).await;
    assert_eq!(rest, ["/bb", "/d"]);
}

pub(crate) async fn limit_and_start_can_be_combined(subject: Subject) {
    let driver = subject.driver().await;
    fill(&driver, &["/a", "/b", "/c", "/d"]).await;
    let options = ListOptions::new().start_after(path("/a")).limit(2);
    let (items, next) = page(&driver, "/", options).await;
    assert_eq!(items, ["/b", "/c"]);
    assert_eq!(after(&driver, "/", next.expect("there is more").as_str()).await, ["/d"]);
}

pub(crate) async fn list_follows_every_change(subject: Subject) {
    let driver = subject.driver().await;
    for i in 0..20 {
        put(&driver, &format!("/d/{i:02}"), "x").await;
        assert_eq!(list(&driver, "/d").await.len(), i + 1);
    }
    for i in 0..19 {
        driver.delete(&path(&format!("/d/{i:02}")), Precondition::None).await.unwrap();
        assert_eq!(list(&driver, "/d").await.len(), 19 - i);
    }
}

pub(crate) async fn a_list_of_names_has_the_names(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/d/a", "/d/b/c", "/d/b-c/d", "/d/e"] {
        put(&driver, at, at).await;
    }
    let dir = path("/d");
    let full = driver.list(&dir, ListOptions::new()).await.unwrap();
    let names = driver.list(&dir, ListOptions::new().names_only()).await.unwrap();
    let shape = |page: &Page<Entry>| -> Vec<(String, bool)> {
        page.items.iter().map(|entry| (entry.path().to_string(), entry.is_dir())).collect()
    };
    assert_eq!(shape(&names), shape(&full));
    assert_eq!(names.next, None);
}

pub(crate) async fn a_list_of_names_obeys_start_and_limit(subject: Subject) {
    let driver = subject.driver().await;
    put_all(&driver, (0..25).map(|i| format!("/d/{i:02}"))).await;
    let mut options = ListOptions::new().limit(10).names_only();
    let mut names = Vec::new();
    loop {
        let page = driver.list(&path("/d"), options.clone()).await.unwrap();
        assert!(page.items.len() <= 10);
        names.extend(page.items.iter().map(|entry| entry.name().to_owned()));
        match page.next {
            Some(next) => options.start_after = Some(next),
            None => break,
        }
    }
    assert_eq!(names, (0..25).map(|i| format!("{i:02}")).collect::<Vec<_>>());
}

pub(crate) async fn a_list_of_names_fails_as_a_list_does(subject: Subject) {
    let driver = subject.driver().await;
    let options = ListOptions::new().names_only();
    assert!(driver.list(&path("/"), options.clone()).await.unwrap().items.is_empty());
    put(&driver, "/a", "x").await;
    fails(driver.list(&path("/a"), options.clone()).await, ErrorKind::NotADirectory);
    fails(driver.list(&path("/b"), options).await, ErrorKind::PathNotFound);
}
