//! 5.3, 5.4, 5.6: create and resume.

use storage_driver::{ErrorKind, Path, StorageDriver, WriterOptions};

use crate::{
    Pattern, Subject,
    check::{create, fails, finish, path, put, read, resume, stat, upload, uploads},
};

/// Checks that there is no upload to resume.
async fn not_resumable(driver: &dyn StorageDriver, at: &str) {
    for options in [WriterOptions::resume(), WriterOptions::resume_at(0)] {
        fails(driver.writer(&path(at), options).await, ErrorKind::PathNotFound);
    }
}

pub(crate) async fn create_starts_empty(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(create(&driver, "/a").await.size(), 0);
}

pub(crate) async fn create_discards_the_earlier_upload(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "an earlier, longer one").await;
    let mut writer = create(&driver, "/a").await;
    assert_eq!(writer.size(), 0);
    writer.write_bytes("new").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn create_leaves_committed_content(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await;
    let writer = create(&driver, "/a").await;
    assert_eq!(stat(&driver, "/a").await, old);
    drop(writer);
    assert_eq!(stat(&driver, "/a").await, old);
    assert_eq!(read(&driver, "/a").await, "old");
}

pub(crate) async fn create_leaves_uploads_at_other_paths(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a/b", "/ab", "/a.b"] {
        upload(&driver, at, at).await;
    }
    create(&driver, "/a").await.suspend().await.unwrap();
    for at in ["/a/b", "/ab", "/a.b"] {
        assert_eq!(finish(&driver, at).await, at);
    }
}

pub(crate) async fn resume_continues_the_upload(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "first, ").await;
    let mut writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), 7);
    writer.write_bytes("second").await.unwrap();
    assert_eq!(writer.size(), 13);
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "first, second");
}

pub(crate) async fn resume_continues_any_number_of_times(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(9);
    create(&driver, "/a").await.suspend().await.unwrap();
    let mut offset = 0;
    for step in (0..40).map(|i| i * 331) {
        let mut writer = resume(&driver, "/a").await;
        assert_eq!(writer.size(), offset);
        writer.write_bytes(pattern.bytes(offset..offset + step)).await.unwrap();
        offset += step;
        writer.suspend().await.unwrap();
    }
    let bytes = finish(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, offset);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn resume_continues_beyond_a_big_piece(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(10);
    upload(&driver, "/a", pattern.bytes(0..(3 << 20) + 5)).await;
    let mut writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), (3 << 20) + 5);
    writer.write_bytes(pattern.bytes((3 << 20) + 5..5 << 20)).await.unwrap();
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len(), 5 << 20);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn an_upload_of_no_bytes_can_be_resumed(subject: Subject) {
    let driver = subject.driver().await;
    create(&driver, "/a").await.suspend().await.unwrap();
    let mut writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), 0);
    writer.write_bytes("x").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn resume_without_an_upload_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    not_resumable(&driver, "/a").await;
    put(&driver, "/a", "content").await;
    not_resumable(&driver, "/a").await;
    assert_eq!(read(&driver, "/a").await, "content");
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn resume_does_not_find_uploads_nearby(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a/b", "x").await;
    for at in ["/a", "/a/b/c", "/a/bc", "/a/"] {
        if let Ok(at) = Path::parse(at) {
            not_resumable(&driver, at.as_str()).await;
        }
    }
}

pub(crate) async fn resume_after_a_cancel_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "x").await;
    resume(&driver, "/a").await.cancel().await.unwrap();
    not_resumable(&driver, "/a").await;
}

pub(crate) async fn resume_at_the_size_continues(subject: Subject) {
    let driver = subject.driver().await;
    for (content, at) in [("", 0), ("12345", 5)] {
        upload(&driver, "/a", content).await;
        let mut writer = driver.writer(&path("/a"), WriterOptions::resume_at(at)).await.unwrap();
        assert_eq!(writer.size(), at);
        writer.write_bytes("6").await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(read(&driver, "/a").await, format!("{content}6"));
    }
}

pub(crate) async fn resume_elsewhere_is_an_offset_mismatch(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "12345").await;
    for given in [0, 1, 4, 6, 100, u64::MAX] {
        let result = driver.writer(&path("/a"), WriterOptions::resume_at(given)).await;
        fails(result, ErrorKind::OffsetMismatch { given, size: 5 });
    }
    assert_eq!(finish(&driver, "/a").await, "12345");
}

pub(crate) async fn an_offset_mismatch_counts_what_an_open_writer_wrote(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("123").await.unwrap();
    writer.sync().await.unwrap();
    let result = driver.writer(&path("/a"), WriterOptions::resume_at(2)).await;
    fails(result, ErrorKind::OffsetMismatch { given: 2, size: 3 });
    writer.write_bytes("45").await.unwrap();
    writer.sync().await.unwrap();
    let result = driver.writer(&path("/a"), WriterOptions::resume_at(3)).await;
    fails(result, ErrorKind::OffsetMismatch { given: 3, size: 5 });
}
