//! 5.5 Append.

use storage_driver::{ErrorKind, Precondition, StorageDriverExt, WriterOptions};

use crate::{
    Pattern, Subject,
    check::{
        append, create, drain, exists, fails, finish, path, put, read, resume, stat, upload,
        uploads,
    },
};

pub(crate) async fn append_extends_the_content(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "first, ").await;
    let mut writer = append(&driver, "/a").await;
    assert_eq!(writer.size(), 7);
    writer.write_bytes("second").await.unwrap();
    assert_eq!(writer.size(), 13);
    assert_eq!(writer.commit().await.unwrap().size, 13);
    assert_eq!(read(&driver, "/a").await, "first, second");
}

pub(crate) async fn append_extends_again_and_again(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(40);
    put(&driver, "/a", "").await;
    let mut size = 0;
    for step in (0..30).map(|i| i * 777) {
        let mut writer = append(&driver, "/a").await;
        assert_eq!(writer.size(), size);
        writer.write_bytes(pattern.bytes(size..size + step)).await.unwrap();
        size += step;
        writer.commit().await.unwrap();
    }
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, size);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn append_extends_big_content(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(41);
    let (base, size) = ((3 << 20) + 1, 5 << 20);
    put(&driver, "/a", pattern.bytes(0..base)).await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes(pattern.bytes(base..size)).await.unwrap();
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, size);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn append_extends_an_uploaded_file(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "one, ").await;
    finish(&driver, "/a").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("two").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "one, two");
}

pub(crate) async fn append_of_nothing_keeps_the_content(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    append(&driver, "/a").await.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn append_at_the_size_extends(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "12345").await;
    let mut writer = driver.writer(&path("/a"), WriterOptions::append_at(5)).await.unwrap();
    writer.write_bytes("6").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "123456");
}

pub(crate) async fn append_elsewhere_is_an_offset_mismatch(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "12345").await;
    for given in [0, 4, 6, u64::MAX] {
        let result = driver.writer(&path("/a"), WriterOptions::append_at(given)).await;
        fails(result, ErrorKind::OffsetMismatch { given, size: 5 });
    }
    assert_eq!(stat(&driver, "/a").await, old);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn append_to_nothing_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.append(&path("/a")).await, ErrorKind::PathNotFound);
    let at_0 = WriterOptions::append_at(0);
    fails(driver.writer(&path("/a"), at_0).await, ErrorKind::PathNotFound);
    assert!(!exists(&driver, "/a").await);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn append_below_a_file_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    fails(driver.append(&path("/a/b")).await, ErrorKind::PathNotFound);
}

pub(crate) async fn append_to_a_directory_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    fails(driver.append(&path("/a")).await, ErrorKind::IsADirectory);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn append_during_an_upload_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    upload(&driver, "/a", "upload").await;
    fails(driver.append(&path("/a")).await, ErrorKind::UploadInProgress);
    assert_eq!(read(&driver, "/a").await, "content");
    assert_eq!(finish(&driver, "/a").await, "upload");
}

pub(crate) async fn append_during_an_append_is_refused(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let mut writer = append(&driver, "/a").await;
    fails(driver.append(&path("/a")).await, ErrorKind::UploadInProgress);
    writer.write_bytes("!").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content!");
}

pub(crate) async fn append_leaves_the_content_as_it_is_until_the_commit(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes(vec![b'!'; 300_000]).await.unwrap();
    writer.sync().await.unwrap();
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "content");
    drop(writer);
    assert_eq!(stat(&driver, "/a").await, old);
}

pub(crate) async fn append_that_is_cancelled_leaves_the_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    writer.cancel().await.unwrap();
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "content");
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn append_can_be_resumed(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "one, ").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("two, ").await.unwrap();
    writer.suspend().await.unwrap();
    let mut writer = driver.writer(&path("/a"), WriterOptions::resume_at(10)).await.unwrap();
    writer.write_bytes("three").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "one, two, three");
}

pub(crate) async fn append_commits_only_onto_its_base(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    put(&driver, "/a", "new").await;
    fails(writer.commit().await, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "new");
    // The appended data is not lost.
    let writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), 4);
    writer.commit_to(&path("/b"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/b").await, "old!");
}

pub(crate) async fn append_that_was_resumed_keeps_its_base(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    append(&driver, "/a").await.suspend().await.unwrap();
    put(&driver, "/a", "new").await;
    let writer = resume(&driver, "/a").await;
    fails(writer.commit().await, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn append_does_not_bring_back_a_file_that_was_renamed_away(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    driver.rename(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    fails(writer.commit().await, ErrorKind::PreconditionFailed);
    assert!(!exists(&driver, "/a").await);
    assert_eq!(read(&driver, "/b").await, "old");
}

pub(crate) async fn append_commits_to_another_path_whatever_its_base(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    put(&driver, "/a", "new").await;
    writer.commit_to(&path("/b"), Precondition::None).await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
    assert_eq!(read(&driver, "/b").await, "old!");
}

pub(crate) async fn append_to_its_own_path_by_commit_to_checks_its_base(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    put(&driver, "/a", "new").await;
    let result = writer.commit_to(&path("/a"), Precondition::None).await;
    fails(result, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn append_starts_from_the_content_at_its_opening(subject: Subject) {
    let driver = subject.driver().await;
    let (old, new) = (Pattern::new(42), Pattern::new(43));
    put(&driver, "/a", old.bytes(0..2 << 20)).await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes(old.bytes(2 << 20..(2 << 20) + 10)).await.unwrap();
    put(&driver, "/a", new.bytes(0..2 << 20)).await;
    let file = writer.commit_to(&path("/b"), Precondition::None).await.unwrap();
    assert_eq!(file.size, (2 << 20) + 10);
    old.check(0, &read(&driver, "/b").await).unwrap();
}

pub(crate) async fn append_leaves_a_copy_of_its_base_alone(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    driver.copy(&path("/a"), &path("/b"), Precondition::None).await.unwrap();
    for (at, more) in [("/a", "!"), ("/b", "?")] {
        let mut writer = append(&driver, at).await;
        writer.write_bytes(more).await.unwrap();
        writer.commit().await.unwrap();
    }
    assert_eq!(read(&driver, "/a").await, "base!");
    assert_eq!(read(&driver, "/b").await, "base?");
}

pub(crate) async fn append_leaves_open_readers_alone(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let mut old = driver.reader(&path("/a"), (..).into()).await.unwrap();
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    assert_eq!(old.metadata().size, 4);
    assert_eq!(drain(&mut old).await.unwrap(), "base");
    writer.commit().await.unwrap();
}

pub(crate) async fn append_gives_a_new_version(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "base").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    let new = writer.commit().await.unwrap();
    assert_ne!(new.version, old.version);
    assert_eq!(stat(&driver, "/a").await, new);
}

pub(crate) async fn append_that_is_not_claimed_is_unsupported(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    fails(driver.append(&path("/a")).await, ErrorKind::Unsupported);
    assert_eq!(stat(&driver, "/a").await, old);
    assert!(uploads(&driver, "/").await.is_empty());
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("upload").await.unwrap();
    fails(driver.append(&path("/a")).await, ErrorKind::Unsupported);
    writer.commit().await.unwrap();
}

pub(crate) async fn append_of_nothing_gives_a_new_version(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "content").await;
    let new = append(&driver, "/a").await.commit().await.unwrap();
    assert_ne!(new.version, old.version);
    assert_eq!(stat(&driver, "/a").await, new);
}

pub(crate) async fn a_range_of_an_appended_file_crosses_its_pieces(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(44);
    put(&driver, "/a", pattern.bytes(0..10)).await;
    // The file more than doubles each time, so that there are pieces of every size.
    let mut size = 10;
    while size < 1 << 20 {
        let next = size * 2 + 3;
        let mut writer = append(&driver, "/a").await;
        writer.write_bytes(pattern.bytes(size..next)).await.unwrap();
        writer.commit().await.unwrap();
        for start in [0, 1, size - 1, size, size + 1, next - 1] {
            for length in [1, size, next] {
                let range = (start..start + length).into();
                let bytes = driver.get_range(&path("/a"), range, length).await.unwrap();
                let bytes = bytes.into_bytes();
                assert_eq!(bytes.len() as u64, length.min(next - start));
                pattern.check(start, &bytes).unwrap();
            }
        }
        size = next;
    }
}

pub(crate) async fn create_after_an_append_forgets_its_base(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    append(&driver, "/a").await.suspend().await.unwrap();
    let mut writer = create(&driver, "/a").await;
    assert_eq!(writer.size(), 0);
    writer.write_bytes("upload").await.unwrap();
    put(&driver, "/a", "new").await;
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "upload");
}

pub(crate) async fn append_onto_a_touched_file_fails(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    let touched = driver.touch(&path("/a"), Precondition::None).await.unwrap();
    fails(writer.commit().await, ErrorKind::PreconditionFailed);
    assert_eq!(stat(&driver, "/a").await, touched);
}

pub(crate) async fn append_onto_equal_content_of_another_version_fails(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    put(&driver, "/b", "base").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    driver.rename(&path("/b"), &path("/a"), Precondition::None).await.unwrap();
    fails(writer.commit().await, ErrorKind::PreconditionFailed);
    assert_eq!(read(&driver, "/a").await, "base");
}

pub(crate) async fn append_onto_a_file_renamed_away_and_back_succeeds(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "base").await;
    let mut writer = append(&driver, "/a").await;
    writer.write_bytes("!").await.unwrap();
    for (from, to) in [("/a", "/b"), ("/b", "/a")] {
        driver.rename(&path(from), &path(to), Precondition::None).await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "base!");
}

pub(crate) async fn append_to_its_own_path_by_commit_to_checks_both_conditions(subject: Subject) {
    let driver = subject.driver().await;
    let base = put(&driver, "/a", "base").await.version;
    append(&driver, "/a").await.suspend().await.unwrap();
    let new = put(&driver, "/a", "new").await.version;
    for condition in [Precondition::IfVersion(new), Precondition::IfVersion(base.clone())] {
        let result = resume(&driver, "/a").await.commit_to(&path("/a"), condition).await;
        fails(result, ErrorKind::PreconditionFailed);
    }
    assert_eq!(read(&driver, "/a").await, "new");
}
