//! 1. Paths.

use std::time::Duration;

use storage_driver::{ErrorKind, Path, Precondition, ReadRange, Stat, StorageDriverExt};

use crate::{
    Subject,
    check::{
        LIMIT, create, everything, exists, fails, finish, is_dir, list, long_path, path, put, read,
        stat, upload, uploads, walk,
    },
};

const VALID: &[&str] = &[
    "/a",
    "/2",
    "/aa",
    "/a.a",
    "/0-9/abcdefg",
    "/abcdefg/z.75",
    "/abc/1.2.3.4.5-6_zyx/123.z/4",
    "/docker/docker-registry",
    "/123.abc",
    "/abc./abc",
    "/.abc",
    "/a--b",
    "/a-.b",
    "/_.abc",
    "/Docker/docker-registry",
    "/Abc/Cba",
];

pub(crate) async fn every_valid_path_holds_content(subject: Subject) {
    let driver = subject.driver().await;
    for at in VALID {
        put(&driver, at, at.to_string()).await;
    }
    for at in VALID {
        assert_eq!(read(&driver, at).await, at);
        assert_eq!(stat(&driver, at).await.path.as_str(), *at);
    }
}

pub(crate) async fn every_valid_path_takes_an_upload(subject: Subject) {
    let driver = subject.driver().await;
    for at in VALID {
        upload(&driver, at, at.to_string()).await;
    }
    for at in VALID {
        assert_eq!(finish(&driver, at).await, at);
    }
}

pub(crate) async fn invalid_paths_cannot_be_made(_: Subject) {
    let too_long = "/a".repeat(2049);
    let long_component = format!("/{}", "a".repeat(256));
    for text in [
        "",
        "abc",
        "123.abc",
        "//bcd",
        "/abc_123/",
        "/a//b",
        "/.",
        "/..",
        "/a/../b",
        "/a b",
        "/a%2fb",
        "/ä",
        "/a\\b",
        "/a\0",
        "/a\n",
        "//",
        "/a/.",
        &too_long[..4097],
        &long_component,
    ] {
        assert!(Path::parse(text).is_err(), "{text:?} is no path");
    }
}

pub(crate) async fn dots_within_a_component_are_ordinary(subject: Subject) {
    let driver = subject.driver().await;
    let all = ["/...", "/....", "/..a", "/.a", "/a.", "/a..", "/a..b", "/d/.../e"];
    for at in all {
        put(&driver, at, at).await;
    }
    for at in all {
        assert_eq!(read(&driver, at).await, at);
    }
    assert_eq!(list(&driver, "/d").await, ["/d/..."]);
}

pub(crate) async fn names_that_look_like_bookkeeping_are_ordinary(subject: Subject) {
    let driver = subject.driver().await;
    let all = [
        "/.tmp",
        "/.uploads/a",
        "/_uploads/a",
        "/a.lock",
        "/a.meta",
        "/a.part",
        "/a.tmp",
        "/index.json",
        "/tmp",
        "/uploads/a/data",
        "/versions/1",
    ];
    for at in all {
        put(&driver, at, at).await;
        upload(&driver, at, "an upload of the same name").await;
    }
    for at in all {
        assert_eq!(read(&driver, at).await, at);
    }
    assert_eq!(list(&driver, "/").await.len(), all.len());
    assert_eq!(uploads(&driver, "/").await, all);
}

pub(crate) async fn upper_and_lower_case_are_different(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/abc", "/ABC", "/Abc", "/d/e", "/D/e", "/D/E"] {
        put(&driver, at, at).await;
    }
    for at in ["/abc", "/ABC", "/Abc", "/d/e", "/D/e", "/D/E"] {
        assert_eq!(read(&driver, at).await, at);
    }
}

pub(crate) async fn a_component_of_255_bytes_is_held(subject: Subject) {
    let driver = subject.driver().await;
    let room = driver.capabilities().max_path_bytes;
    let name = "n".repeat(Path::MAX_COMPONENT_BYTES.min(room - 1));
    let at = format!("/{name}");
    put(&driver, &at, "long").await;
    assert_eq!(read(&driver, &at).await, "long");
    assert_eq!(list(&driver, "/").await, [at.as_str()]);
    upload(&driver, &at, "longer").await;
    assert_eq!(finish(&driver, &at).await, "longer");
}

pub(crate) async fn long_names_that_differ_at_their_end_are_different(subject: Subject) {
    let driver = subject.driver().await;
    let room = driver.capabilities().max_path_bytes;
    let stem = "n".repeat(Path::MAX_COMPONENT_BYTES.min(room - 1) - 1);
    let [a, b] = [format!("/{stem}a"), format!("/{stem}b")];
    put(&driver, &a, "a").await;
    put(&driver, &b, "b").await;
    assert_eq!(read(&driver, &a).await, "a");
    assert_eq!(read(&driver, &b).await, "b");
    assert_eq!(list(&driver, "/").await, [a, b]);
}

pub(crate) async fn the_longest_path_is_held(subject: Subject) {
    let driver = subject.driver().await;
    let at = long_path(driver.capabilities().max_path_bytes);
    put(&driver, &at, "far").await;
    assert_eq!(read(&driver, &at).await, "far");
    upload(&driver, &at, "farther").await;
    assert_eq!(finish(&driver, &at).await, "farther");
    driver.delete(&path(&at), Precondition::None).await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn the_deepest_path_is_held(subject: Subject) {
    let driver = subject.driver().await;
    let depth = driver.capabilities().max_path_bytes / 2;
    let at = path(&"/d".repeat(depth));
    driver.put(&at, "deep").await.unwrap();
    assert_eq!(driver.get_bytes(&at, LIMIT).await.unwrap(), "deep");
    let parent = at.parent().unwrap();
    assert!(driver.stat(&parent).await.unwrap().is_dir());
    assert_eq!(list(&driver, parent.as_str()).await, [at.to_string()]);
    driver.delete_dir(&path("/d")).await.unwrap();
    assert!(!driver.exists(&parent).await.unwrap());
}

pub(crate) async fn a_walk_reaches_the_deepest_path(subject: Subject) {
    let driver = subject.driver().await;
    let depth = driver.capabilities().max_path_bytes / 2;
    let at = "/d".repeat(depth);
    put(&driver, &at, "deep").await;
    let walked = walk(&driver, "/").await;
    assert_eq!(walked.len(), depth);
    assert_eq!(walked.last(), Some(&at));
}

pub(crate) async fn max_path_bytes_is_no_more_than_a_path_can_have(subject: Subject) {
    let room = subject.driver().await.capabilities().max_path_bytes;
    assert!((2..=Path::MAX_BYTES).contains(&room), "{room}");
}

pub(crate) async fn a_path_longer_than_the_driver_holds_is_an_invalid_path(subject: Subject) {
    let driver = subject.driver().await;
    let Ok(at) = Path::parse(long_path(driver.capabilities().max_path_bytes + 1)) else {
        return; // No such path can be made.
    };
    let none = || Precondition::None;
    fails(driver.put(&at, "x").await, ErrorKind::InvalidPath);
    fails(driver.create(&at).await, ErrorKind::InvalidPath);
    fails(driver.get_content(&at, LIMIT).await, ErrorKind::InvalidPath);
    fails(driver.reader(&at, ReadRange::Full).await, ErrorKind::InvalidPath);
    fails(driver.stat(&at).await, ErrorKind::InvalidPath);
    fails(driver.delete(&at, none()).await, ErrorKind::InvalidPath);
    fails(driver.delete_dir(&at).await, ErrorKind::InvalidPath);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("kept").await.unwrap();
    fails(writer.commit_to(&at, none()).await, ErrorKind::InvalidPath);
    assert_eq!(finish(&driver, "/a").await, "kept");
    if driver.capabilities().rename_file {
        fails(driver.rename(&path("/a"), &at, none()).await, ErrorKind::InvalidPath);
    }
    if driver.capabilities().copy {
        fails(driver.copy(&path("/a"), &at, none()).await, ErrorKind::InvalidPath);
    }
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn paths_order_component_by_component(_: Subject) {
    let mut paths = ["/a.b", "/a/z", "/b", "/a-b", "/a", "/a/b/c", "/A", "/a/b-c"].map(path);
    paths.sort();
    let ordered = ["/A", "/a", "/a/b/c", "/a/b-c", "/a/z", "/a-b", "/a.b", "/b"].map(path);
    assert_eq!(paths, ordered);
}

pub(crate) async fn the_root_is_a_directory(subject: Subject) {
    let driver = subject.driver().await;
    assert_eq!(driver.stat(&Path::root()).await.unwrap(), Stat::Directory(Path::root()));
    put(&driver, "/a", "x").await;
    assert_eq!(driver.stat(&Path::root()).await.unwrap(), Stat::Directory(Path::root()));
}

pub(crate) async fn the_root_can_be_listed(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b/c", "x").await;
    assert_eq!(list(&driver, "/").await, ["/a", "/b"]);
}

pub(crate) async fn the_root_can_be_walked(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    put(&driver, "/b/c", "x").await;
    assert_eq!(walk(&driver, "/").await, ["/a", "/b", "/b/c"]);
}

pub(crate) async fn the_root_names_all_uploads(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    upload(&driver, "/b/c", "x").await;
    assert_eq!(uploads(&driver, "/").await, ["/a", "/b/c"]);
    let long_ago = Duration::from_secs(1 << 32);
    assert_eq!(driver.cancel_uploads(&Path::root(), long_ago).await.unwrap(), 0);
}

pub(crate) async fn the_root_takes_no_content(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.put(&Path::root(), "x").await, ErrorKind::InvalidPath);
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn the_root_takes_no_upload(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.create(&Path::root()).await, ErrorKind::InvalidPath);
    fails(driver.resume(&Path::root()).await, ErrorKind::InvalidPath);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn the_root_takes_no_append(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    fails(driver.append(&Path::root()).await, ErrorKind::InvalidPath);
}

pub(crate) async fn the_root_cannot_be_read(subject: Subject) {
    let driver = subject.driver().await;
    let root = Path::root();
    put(&driver, "/a", "x").await;
    fails(driver.get_content(&root, LIMIT).await, ErrorKind::InvalidPath);
    fails(driver.get_range(&root, ReadRange::Full, LIMIT).await, ErrorKind::InvalidPath);
    fails(driver.reader(&root, ReadRange::Full).await, ErrorKind::InvalidPath);
}

pub(crate) async fn the_root_cannot_be_deleted(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    upload(&driver, "/b", "x").await;
    let before = everything(&driver).await;
    fails(driver.delete(&Path::root(), Precondition::None).await, ErrorKind::InvalidPath);
    fails(driver.delete_many(&[Path::root()]).await, ErrorKind::InvalidPath);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn the_root_is_no_upload_to_cancel(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    fails(driver.cancel_upload(&Path::root()).await, ErrorKind::InvalidPath);
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
}

pub(crate) async fn the_root_is_no_destination_of_a_commit(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("kept").await.unwrap();
    let result = writer.commit_to(&Path::root(), Precondition::None).await;
    fails(result, ErrorKind::InvalidPath);
    assert_eq!(finish(&driver, "/a").await, "kept");
}

pub(crate) async fn the_root_cannot_be_renamed(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let (root, none) = (Path::root(), || Precondition::None);
    fails(driver.rename(&root, &path("/b"), none()).await, ErrorKind::InvalidPath);
    fails(driver.rename(&path("/a"), &root, none()).await, ErrorKind::InvalidPath);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn the_root_cannot_be_renamed_as_a_directory(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    let root = Path::root();
    fails(driver.rename_dir(&root, &path("/c")).await, ErrorKind::InvalidPath);
    fails(driver.rename_dir(&path("/a"), &root).await, ErrorKind::InvalidPath);
    assert!(is_dir(&driver, "/a").await && !exists(&driver, "/c").await);
}

pub(crate) async fn the_root_cannot_be_copied(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let (root, none) = (Path::root(), || Precondition::None);
    fails(driver.copy(&root, &path("/b"), none()).await, ErrorKind::InvalidPath);
    fails(driver.copy(&path("/a"), &root, none()).await, ErrorKind::InvalidPath);
    assert_eq!(walk(&driver, "/").await, ["/a"]);
}

pub(crate) async fn the_root_cannot_be_touched(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    fails(driver.touch(&Path::root(), Precondition::None).await, ErrorKind::InvalidPath);
}
