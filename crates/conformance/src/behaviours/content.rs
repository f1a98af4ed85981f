//! 3. Whole content.

use bytes::{Buf, Bytes};
use storage_driver::{ErrorKind, Payload, ReadRange, Stat};

use crate::{
    Pattern, Subject,
    check::{LIMIT, fails, path, put, read, stat, upload, uploads},
};

/// Puts content of each size and reads it back.
async fn come_back(subject: Subject, sizes: impl IntoIterator<Item = u64>) {
    let driver = subject.driver().await;
    for size in sizes {
        let pattern = Pattern::new(size);
        let stored = put(&driver, "/a", pattern.bytes(0..size)).await;
        assert_eq!(stored.size, size);
        assert_eq!(stat(&driver, "/a").await.size, size);
        let content = driver.get_content(&path("/a"), size).await.unwrap();
        assert_eq!(content.remaining() as u64, size);
        pattern.check_parts(0, content).unwrap();
    }
}

pub(crate) async fn empty_content_comes_back(subject: Subject) {
    come_back(subject, [0]).await;
}

pub(crate) async fn few_bytes_come_back(subject: Subject) {
    come_back(subject, 1..70).await;
}

pub(crate) async fn bytes_around_a_page_come_back(subject: Subject) {
    come_back(subject, [4095, 4096, 4097, 8191, 8192, 8193]).await;
}

pub(crate) async fn bytes_around_64_kib_come_back(subject: Subject) {
    come_back(subject, [65_535, 65_536, 65_537]).await;
}

pub(crate) async fn bytes_around_1_mib_come_back(subject: Subject) {
    come_back(subject, [(1 << 20) - 1, 1 << 20, (1 << 20) + 1]).await;
}

pub(crate) async fn bytes_around_3_mib_come_back(subject: Subject) {
    come_back(subject, [(3 << 20) - 1, 3 << 20, (3 << 20) + 1]).await;
}

pub(crate) async fn every_byte_value_comes_back(subject: Subject) {
    let driver = subject.driver().await;
    let bytes: Vec<u8> = (0..=255).chain((0..=255).rev()).collect();
    put(&driver, "/a", bytes.clone()).await;
    assert_eq!(read(&driver, "/a").await, bytes);
}

pub(crate) async fn line_ends_come_back_as_they_are(subject: Subject) {
    let driver = subject.driver().await;
    let text = "one\ntwo\r\nthree\rfour\n\0\x1a";
    put(&driver, "/a", text).await;
    assert_eq!(read(&driver, "/a").await, text);
}

pub(crate) async fn many_parts_come_back_in_their_order(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(1);
    let (mut offset, mut payload) = (0, Payload::new());
    for length in (0..1000).map(|i| i % 37) {
        payload.push(pattern.bytes(offset..offset + length));
        offset += length;
    }
    put(&driver, "/a", payload).await;
    let content = driver.get_content(&path("/a"), LIMIT).await.unwrap();
    assert_eq!(content.metadata().size, offset);
    pattern.check_parts(0, content).unwrap();
}

pub(crate) async fn a_part_of_a_bigger_buffer_comes_back_alone(subject: Subject) {
    let driver = subject.driver().await;
    let buffer = Bytes::from_static(b"before|the part|behind");
    put(&driver, "/a", buffer.slice(7..15)).await;
    assert_eq!(read(&driver, "/a").await, "the part");
}

pub(crate) async fn a_put_returns_the_metadata_of_stat(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a/b", "content").await;
    assert_eq!(stat(&driver, "/a/b").await, stored);
    let again = put(&driver, "/a/b", "other").await;
    assert_eq!(stat(&driver, "/a/b").await, again);
}

pub(crate) async fn content_has_the_metadata_of_stat(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let Stat::File(file) = driver.stat(&path("/a")).await.unwrap() else { panic!("no file") };
    let whole = driver.get_content(&path("/a"), LIMIT).await.unwrap();
    assert_eq!(whole.metadata(), &file);
}

pub(crate) async fn a_range_has_the_metadata_of_the_whole_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let file = stat(&driver, "/a").await;
    let range = driver.get_range(&path("/a"), (2..4).into(), LIMIT).await.unwrap();
    assert_eq!(range.metadata(), &file);
    assert_eq!(range.into_bytes(), "nt");
}

pub(crate) async fn the_parts_of_content_are_its_bytes(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(2);
    put(&driver, "/a", pattern.bytes(0..3 << 20)).await;
    let content = driver.get_content(&path("/a"), LIMIT).await.unwrap();
    assert!(content.payload().parts().all(|part| !part.is_empty()));
    let lengths: usize = content.payload().parts().map(Bytes::len).sum();
    assert_eq!(lengths, 3 << 20);
    pattern.check(0, &content.into_bytes()).unwrap();
}

pub(crate) async fn content_as_long_as_the_limit_is_returned(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "1234567").await;
    let content = driver.get_content(&path("/a"), 7).await.unwrap();
    assert_eq!(content.into_bytes(), "1234567");
    let content = driver.get_content(&path("/a"), u64::MAX).await.unwrap();
    assert_eq!(content.into_bytes(), "1234567");
}

pub(crate) async fn content_longer_than_the_limit_is_too_large(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "1234567").await;
    for limit in [0, 1, 6] {
        let kind = ErrorKind::ContentTooLarge { size: 7, limit };
        fails(driver.get_content(&path("/a"), limit).await, kind);
    }
}

pub(crate) async fn no_content_fits_a_limit_of_0(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "").await;
    let content = driver.get_content(&path("/a"), 0).await.unwrap();
    assert_eq!(content.into_bytes(), "");
}

pub(crate) async fn the_limit_applies_to_the_range(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "1234567").await;
    for range in [ReadRange::Bounded(2..5), ReadRange::Offset(4), ReadRange::Suffix(3)] {
        let content = driver.get_range(&path("/a"), range.clone(), 3).await.unwrap();
        assert_eq!(content.remaining(), 3);
        let kind = ErrorKind::ContentTooLarge { size: 3, limit: 2 };
        fails(driver.get_range(&path("/a"), range, 2).await, kind);
    }
}

pub(crate) async fn the_limit_applies_to_the_clipped_range(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "1234567").await;
    let content = driver.get_range(&path("/a"), (5..1000).into(), 2).await.unwrap();
    assert_eq!(content.into_bytes(), "67");
    let content = driver.get_range(&path("/a"), ReadRange::Suffix(1000), 7).await.unwrap();
    assert_eq!(content.into_bytes(), "1234567");
}

pub(crate) async fn shorter_content_replaces_longer_whole(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(3).bytes(0..100_000)).await;
    put(&driver, "/a", "short").await;
    assert_eq!(read(&driver, "/a").await, "short");
    assert_eq!(stat(&driver, "/a").await.size, 5);
}

pub(crate) async fn longer_content_replaces_shorter_whole(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "short").await;
    let pattern = Pattern::new(4);
    put(&driver, "/a", pattern.bytes(0..100_000)).await;
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len(), 100_000);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn empty_content_replaces_content(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    put(&driver, "/a", "").await;
    assert_eq!(read(&driver, "/a").await, "");
}

pub(crate) async fn a_put_leaves_other_files_alone(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/ab", "/b/a", "/b/a.b"] {
        put(&driver, at, at).await;
    }
    put(&driver, "/a", "other").await;
    put(&driver, "/b/a", "other").await;
    assert_eq!(read(&driver, "/ab").await, "/ab");
    assert_eq!(read(&driver, "/b/a.b").await, "/b/a.b");
}

pub(crate) async fn a_put_leaves_the_upload_at_its_path_alone(subject: Subject) {
    let driver = subject.driver().await;
    upload(&driver, "/a", "upload").await;
    put(&driver, "/a", "content").await;
    assert_eq!(uploads(&driver, "/a").await, ["/a"]);
    assert_eq!(crate::check::finish(&driver, "/a").await, "upload");
}
