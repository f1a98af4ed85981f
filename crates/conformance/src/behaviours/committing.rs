//! 5.10, 5.11, 5.12: commits elsewhere, commits that fail, and cancels.

use storage_driver::{ErrorKind, Precondition, StorageDriver, StorageDriverExt};

use crate::{
    Pattern, Subject,
    check::{
        create, everything, exists, fails, finish, path, put, read, resume, stat, upload, uploads,
        walk,
    },
};

pub(crate) async fn commit_to_publishes_at_the_destination_alone(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("content").await.unwrap();
    let file = writer.commit_to(&path("/d/e"), Precondition::None).await.unwrap();
    assert_eq!((file.path.as_str(), file.size), ("/d/e", 7));
    assert_eq!(stat(&driver, "/d/e").await, file);
    assert_eq!(read(&driver, "/d/e").await, "content");
    assert_eq!(walk(&driver, "/").await, ["/d", "/d/e"]);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn commit_to_replaces_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d", "the old content, which is longer").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("new").await.unwrap();
    writer.commit_to(&path("/d"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/d").await, "new");
}

pub(crate) async fn commit_to_publishes_big_uploads(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(50);
    upload(&driver, "/u", pattern.bytes(0..2_000_000)).await;
    let mut writer = resume(&driver, "/u").await;
    writer.write_bytes(pattern.bytes(2_000_000..4_000_001)).await.unwrap();
    writer.commit_to(&path("/d"), Precondition::None).await.unwrap();
    let bytes = read(&driver, "/d").await;
    assert_eq!(bytes.len(), 4_000_001);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn commit_to_leaves_the_content_at_its_own_path(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/u", "content").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("upload").await.unwrap();
    writer.commit_to(&path("/d"), Precondition::None).await.unwrap();
    assert_eq!(stat(&driver, "/u").await, old);
    assert_eq!(read(&driver, "/u").await, "content");
    assert_eq!(read(&driver, "/d").await, "upload");
}

pub(crate) async fn commit_to_leaves_the_upload_at_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/d", "its own upload").await;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/d"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/d").await, "content");
    assert_eq!(uploads(&driver, "/").await, ["/d"]);
    assert_eq!(finish(&driver, "/d").await, "its own upload");
}

pub(crate) async fn commit_to_its_own_path_is_a_commit(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/u", "old").await;
    upload(&driver, "/u", "new").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/u"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/u").await, "new");
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn commit_to_below_its_own_path_is_no_conflict(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/u/data"), Precondition::None).await.unwrap();
    assert_eq!(walk(&driver, "/").await, ["/u", "/u/data"]);
}

pub(crate) async fn commit_to_its_own_path_takes_a_precondition(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/u", "first").await;
    let writer = resume(&driver, "/u").await;
    let first = writer.commit_to(&path("/u"), Precondition::IfAbsent).await.unwrap().version;
    upload(&driver, "/u", "second").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/u"), Precondition::IfVersion(first)).await.unwrap();
    assert_eq!(read(&driver, "/u").await, "second");
}

pub(crate) async fn commit_to_its_own_path_fails_under_a_false_precondition(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/u", "old").await.version;
    put(&driver, "/u", "new").await;
    upload(&driver, "/u", "upload").await;
    let before = everything(&driver).await;
    for condition in [Precondition::IfAbsent, Precondition::IfVersion(old)] {
        let result = resume(&driver, "/u").await.commit_to(&path("/u"), condition).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    assert_eq!(everything(&driver).await, before);
    assert_eq!(finish(&driver, "/u").await, "upload");
}

pub(crate) async fn a_commit_that_fails_leaves_no_directory(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/v", "x").await.version;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("content").await.unwrap();
    let result = writer.commit_to(&path("/a/b/c"), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(walk(&driver, "/").await, ["/v"]);
    fails(driver.stat(&path("/a")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn commit_to_leaves_uploads_under_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/d/e", "below").await;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/d"), Precondition::None).await.unwrap();
    assert_eq!(uploads(&driver, "/").await, ["/d/e"]);
    assert_eq!(resume(&driver, "/d/e").await.size(), 5);
}

pub(crate) async fn commit_to_takes_if_absent(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/d"), Precondition::IfAbsent).await.unwrap();
    assert_eq!(read(&driver, "/d").await, "content");
}

pub(crate) async fn commit_to_if_absent_fails_where_a_file_is(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d", "old").await;
    upload(&driver, "/u", "content").await;
    let before = everything(&driver).await;
    let writer = resume(&driver, "/u").await;
    let result = writer.commit_to(&path("/d"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(everything(&driver).await, before);
    assert_eq!(finish(&driver, "/u").await, "content");
}

pub(crate) async fn commit_to_takes_if_version(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/d", "old").await.version;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/d"), Precondition::IfVersion(version)).await.unwrap();
    assert_eq!(read(&driver, "/d").await, "content");
}

pub(crate) async fn commit_to_if_version_fails_where_another_is(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/d", "old").await.version;
    put(&driver, "/d", "new").await;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    let result = writer.commit_to(&path("/d"), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/d").await, "new");
    assert_eq!(finish(&driver, "/u").await, "content");
}

pub(crate) async fn commit_to_if_version_fails_where_nothing_is(subject: Subject) {
    let driver = subject.driver().await;
    let version = put(&driver, "/other", "x").await.version;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    let result = writer.commit_to(&path("/d"), Precondition::IfVersion(version)).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert!(!exists(&driver, "/d").await);
    assert_eq!(uploads(&driver, "/").await, ["/u"]);
}

pub(crate) async fn the_condition_of_commit_to_is_on_the_destination(subject: Subject) {
    let driver = subject.driver().await;
    let own = put(&driver, "/u", "a file at the path of the upload").await.version;
    upload(&driver, "/u", "content").await;
    let writer = resume(&driver, "/u").await;
    let result = writer.commit_to(&path("/d"), Precondition::IfVersion(own)).await;
    fails(result, ErrorKind::PreconditionFailed);
    let writer = resume(&driver, "/u").await;
    writer.commit_to(&path("/d"), Precondition::IfAbsent).await.unwrap();
}

pub(crate) async fn failed_commit_leaves_upload_resumable(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d", "there").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("synced, ").await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes("not synced, ").await.unwrap();
    let result = writer.commit_to(&path("/d"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    let mut writer = resume(&driver, "/u").await;
    assert_eq!(writer.size(), 20);
    writer.write_bytes("written later").await.unwrap();
    writer.commit_to(&path("/e"), Precondition::IfAbsent).await.unwrap();
    assert_eq!(read(&driver, "/e").await, "synced, not synced, written later");
}

pub(crate) async fn failed_commit_into_a_conflict_leaves_upload_resumable(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(51);
    put(&driver, "/d/e", "there").await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes(pattern.bytes(0..2_000_000)).await.unwrap();
    let result = writer.commit_to(&path("/d"), Precondition::None).await;
    fails(result, ErrorKind::PathConflict);
    let bytes = finish(&driver, "/u").await;
    assert_eq!(bytes.len(), 2_000_000);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn failed_commit_to_the_root_leaves_upload_resumable(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("all of it").await.unwrap();
    let root = storage_driver::Path::root();
    fails(writer.commit_to(&root, Precondition::None).await, ErrorKind::InvalidPath);
    assert_eq!(finish(&driver, "/u").await, "all of it");
}

pub(crate) async fn a_commit_can_fail_many_times_and_then_succeed(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/d", "there").await;
    create(&driver, "/u").await.suspend().await.unwrap();
    for piece in 0..10 {
        let mut writer = resume(&driver, "/u").await;
        assert_eq!(writer.size(), piece);
        writer.write_bytes("x").await.unwrap();
        let result = writer.commit_to(&path("/d"), Precondition::IfAbsent).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    assert_eq!(finish(&driver, "/u").await, "xxxxxxxxxx");
}

pub(crate) async fn a_conditional_commit_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/u").await;
    writer.write_bytes("content").await.unwrap();
    let result = writer.commit_to(&path("/d"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::Unsupported);
    assert!(!exists(&driver, "/d").await);
    assert_eq!(finish(&driver, "/u").await, "content");
}

pub(crate) async fn cancel_removes_the_upload(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(vec![0; 100_000]).await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes("more").await.unwrap();
    writer.cancel().await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
    fails(driver.resume(&path("/a")).await, ErrorKind::PathNotFound);
    assert!(!exists(&driver, "/a").await);
}

pub(crate) async fn cancel_leaves_committed_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("upload").await.unwrap();
    writer.sync().await.unwrap();
    writer.cancel().await.unwrap();
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn cancel_leaves_uploads_nearby(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a/b", "/ab", "/a.b"] {
        upload(&driver, at, at).await;
    }
    create(&driver, "/a").await.cancel().await.unwrap();
    for at in ["/a/b", "/ab", "/a.b"] {
        assert_eq!(finish(&driver, at).await, at);
    }
}

pub(crate) async fn cancel_removes_what_was_resumed(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "kept before").await;
    resume(&driver, "/a").await.cancel().await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
    let writer = create(&driver, "/a").await;
    assert_eq!(writer.size(), 0);
    assert_eq!(writer.commit().await.unwrap().size, 0);
}
