//! 3.4 Preconditions of a put.

use storage_driver::{ErrorKind, Precondition, Version};

use crate::{
    Subject,
    check::{everything, fails, path, put, read, stat, upload, walk},
};

pub(crate) async fn if_absent_stores_where_nothing_is(subject: Subject) {
    let driver = subject.driver().await;
    let stored = driver.put_content(&path("/a"), "x".into(), Precondition::IfAbsent).await.unwrap();
    assert_eq!(stat(&driver, "/a").await, stored);
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn if_absent_fails_where_a_file_is(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let before = everything(&driver).await;
    let result = driver.put_content(&path("/a"), "new".into(), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn if_absent_fails_where_a_file_of_no_bytes_is(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "").await;
    let result = driver.put_content(&path("/a"), "new".into(), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
}

pub(crate) async fn if_absent_does_not_see_uploads(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "upload").await;
    driver.put_content(&path("/a"), "x".into(), Precondition::IfAbsent).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn if_absent_stores_after_a_deletion(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    driver.put_content(&path("/a"), "new".into(), Precondition::IfAbsent).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn if_version_replaces_the_version_that_is_there(subject: Subject) {
    let driver = subject.driver().await;
    let mut version = put(&driver, "/a", "0").await.version;
    for content in ["1", "2", "3"] {
        let precondition = Precondition::IfVersion(version);
        let stored = driver.put_content(&path("/a"), content.into(), precondition).await.unwrap();
        assert_eq!(read(&driver, "/a").await, content);
        version = stored.version;
    }
}

pub(crate) async fn if_version_fails_where_another_version_is(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await.version;
    put(&driver, "/a", "new").await;
    let before = everything(&driver).await;
    let precondition = Precondition::IfVersion(old);
    let result = driver.put_content(&path("/a"), "late".into(), precondition).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
}

pub(crate) async fn if_version_fails_where_nothing_is(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/other", "x").await.version;
    let precondition = Precondition::IfVersion(version);
    let result = driver.put_content(&path("/a"), "x".into(), precondition).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(walk(&driver, "/").await, ["/other"]);
}

pub(crate) async fn if_version_fails_for_an_unknown_version(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    for token in ["", "no such version", "\"*\"", &"v".repeat(1000)] {
        let precondition = Precondition::IfVersion(Version::new(token));
        let result = driver.put_content(&path("/a"), "y".into(), precondition).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn if_version_fails_for_a_file_that_was_deleted_and_put_again(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "same").await.version;
    driver.delete(&path("/a"), Precondition::None).await.unwrap();
    put(&driver, "/a", "same").await;
    let precondition = Precondition::IfVersion(old);
    let result = driver.put_content(&path("/a"), "late".into(), precondition).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "same");
}

pub(crate) async fn the_version_of_a_commit_can_be_a_condition(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = crate::check::create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    let version = writer.commit().await.unwrap().version;
    let precondition = Precondition::IfVersion(version);
    driver.put_content(&path("/a"), "y".into(), precondition).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "y");
}
