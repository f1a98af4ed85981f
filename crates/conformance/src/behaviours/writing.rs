//! 5.1 to 5.4, 5.6, 5.8, 5.15: create, resume, and what is visible when.

mod opening;

use futures::FutureExt;
use storage_driver::{ErrorKind, ReadRange, StorageDriver, WriterOptions};

pub(crate) use self::opening::*;
use crate::{
    Pattern, Subject,
    check::{
        create, exists, fails, path, put, read, resume, split_if_slow, stat, upload, uploads, walk,
    },
    tasks::at_once,
};

pub(crate) async fn nothing_is_visible_before_the_commit(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a/b").await;
    for _ in 0..20 {
        writer.write_bytes(Pattern::new(1).bytes(0..100_000)).await.unwrap();
        assert!(!exists(&driver, "/a/b").await);
    }
    writer.sync().await.unwrap();
    assert!(walk(&driver, "/").await.is_empty());
}

pub(crate) async fn all_is_visible_after_the_commit(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(2);
    let mut writer = create(&driver, "/a/b").await;
    writer.write_bytes(pattern.bytes(0..1_000)).await.unwrap();
    writer.write_bytes(pattern.bytes(1_000..2_500_000)).await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(stat(&driver, "/a/b").await.size, 2_500_000);
    pattern.check(0, &read(&driver, "/a/b").await).unwrap();
    assert_eq!(walk(&driver, "/").await, ["/a", "/a/b"]);
}

pub(crate) async fn old_content_is_readable_until_the_commit(subject: Subject) {
    let driver = subject.driver().await;
    let old = put(&driver, "/a", "old").await;
    let mut writer = create(&driver, "/a").await;
    for step in ["x", "y", "z"] {
        writer.write_bytes(step).await.unwrap();
        writer.sync().await.unwrap();
        assert_eq!(read(&driver, "/a").await, "old");
        assert_eq!(stat(&driver, "/a").await, old);
    }
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "xyz");
}

pub(crate) async fn a_commit_replaces_longer_content_whole(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(3).bytes(0..2 << 20)).await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("short").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "short");
    assert_eq!(stat(&driver, "/a").await.size, 5);
}

pub(crate) async fn a_commit_returns_the_metadata_of_stat(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("content").await.unwrap();
    let file = writer.commit().await.unwrap();
    assert_eq!((file.path.as_str(), file.size), ("/a", 7));
    assert_eq!(stat(&driver, "/a").await, file);
}

pub(crate) async fn a_commit_of_no_bytes_makes_a_file(subject: Subject) {
    let driver = subject.driver().await;
    create(&driver, "/a").await.commit().await.unwrap();
    assert_eq!(stat(&driver, "/a").await.size, 0);
    put(&driver, "/b", "content").await;
    create(&driver, "/b").await.commit().await.unwrap();
    assert_eq!(read(&driver, "/b").await, "");
}

pub(crate) async fn a_committed_upload_is_no_longer_in_progress(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("x").await.unwrap();
    writer.commit().await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
    let result = driver.writer(&path("/a"), WriterOptions::resume()).await;
    fails(result, ErrorKind::PathNotFound);
}

pub(crate) async fn an_upload_can_follow_an_upload(subject: Subject) {
    let driver = subject.driver().await;
    for content in ["first", "second, longer", "third"] {
        let mut writer = create(&driver, "/a").await;
        assert_eq!(writer.size(), 0);
        writer.write_bytes(content).await.unwrap();
        writer.commit().await.unwrap();
        assert_eq!(read(&driver, "/a").await, content);
    }
}

pub(crate) async fn pieces_join_in_their_order(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(4);
    let mut writer = create(&driver, "/a").await;
    let mut offset = 0;
    for step in [1, 4095, 4096, 4097, 0, 65_535, 65_536, 65_537, 1 << 20, 3, (1 << 20) + 1, 2] {
        writer.write_bytes(pattern.bytes(offset..offset + step)).await.unwrap();
        offset += step;
    }
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, offset);
    pattern.check(0, &bytes).unwrap();
}

/// Writes small pieces to an upload, and checks that the file is all of them.
async fn small_pieces_join(driver: &dyn StorageDriver, at: &str, pieces: u64) {
    let pattern = Pattern::new(5);
    let mut writer = create(driver, at).await;
    let mut offset = 0;
    for step in (0..pieces).map(|i| i % 5) {
        writer.write_bytes(pattern.bytes(offset..offset + step)).await.unwrap();
        offset += step;
    }
    assert_eq!(writer.size(), offset);
    writer.commit().await.unwrap();
    let bytes = read(driver, at).await;
    assert_eq!(bytes.len() as u64, offset);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn many_small_pieces_join(subject: Subject) {
    let driver = subject.driver().await;
    let uploads = split_if_slow(&subject, &*driver, 5000).await;
    let part = |(at, pieces): (String, u64)| {
        let driver = &*driver;
        async move { small_pieces_join(driver, &at, pieces).await }.boxed()
    };
    at_once(uploads.map(part).collect()).await;
}

pub(crate) async fn one_big_piece_is_taken(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(6);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(pattern.bytes(0..8 << 20)).await.unwrap();
    assert_eq!(writer.size(), 8 << 20);
    writer.commit().await.unwrap();
    pattern.check(0, &read(&driver, "/a").await).unwrap();
}

pub(crate) async fn parts_of_one_buffer_are_told_apart(subject: Subject) {
    let driver = subject.driver().await;
    let buffer = Pattern::new(7).bytes(0..1 << 16);
    let mut writer = create(&driver, "/a").await;
    // Every second part, so that a driver which takes the whole buffer is noticed.
    for start in (0..buffer.len()).step_by(2048) {
        writer.write_bytes(buffer.slice(start..start + 1024)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len(), buffer.len() / 2);
    for (i, part) in bytes.chunks(1024).enumerate() {
        assert_eq!(part, &buffer[i * 2048..i * 2048 + 1024], "part {i}");
    }
}

pub(crate) async fn a_range_of_an_uploaded_file_crosses_its_pieces(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(8);
    let mut writer = create(&driver, "/a").await;
    for piece in 0..40 {
        writer.write_bytes(pattern.bytes(piece * 999..(piece + 1) * 999)).await.unwrap();
    }
    writer.commit().await.unwrap();
    for start in [0, 1, 998, 999, 1000, 20_000, 39_959] {
        for length in [1, 998, 999, 1000, 5000] {
            let range = ReadRange::from(start..start + length);
            let content = driver.get_range(&path("/a"), range, length).await.unwrap();
            let bytes = content.into_bytes();
            assert_eq!(bytes.len() as u64, length.min(39_960 - start));
            pattern.check(start, &bytes).unwrap();
        }
    }
}

pub(crate) async fn uploads_at_different_paths_do_not_mix(subject: Subject) {
    let driver = subject.driver().await;
    let mut writers = Vec::new();
    for i in 0..10 {
        writers.push((Pattern::new(i), create(&driver, &format!("/dir/{i}")).await));
    }
    for step in 0..20 {
        for (pattern, writer) in &mut writers {
            writer.write_bytes(pattern.bytes(step * 700..(step + 1) * 700)).await.unwrap();
        }
    }
    for (_, writer) in writers {
        writer.commit().await.unwrap();
    }
    for i in 0..10 {
        let bytes = read(&driver, &format!("/dir/{i}")).await;
        assert_eq!(bytes.len(), 14_000);
        Pattern::new(i).check(0, &bytes).unwrap();
    }
}

pub(crate) async fn size_counts_every_byte(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    assert_eq!(writer.size(), 0);
    let mut size = 0;
    for step in [1, 0, 4096, 1, 100_000, 1 << 20, 7] {
        writer.write_bytes(vec![0; step]).await.unwrap();
        size += step as u64;
        assert_eq!(writer.size(), size);
    }
    writer.sync().await.unwrap();
    assert_eq!(writer.size(), size);
    assert_eq!(writer.commit().await.unwrap().size, size);
}

pub(crate) async fn a_writer_knows_its_path(subject: Subject) {
    let driver = subject.driver().await;
    assert_eq!(create(&driver, "/a/b").await.path(), &path("/a/b"));
    upload(&driver, "/c", "x").await;
    assert_eq!(resume(&driver, "/c").await.path(), &path("/c"));
}

pub(crate) async fn a_write_of_no_bytes_changes_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    for _ in 0..100 {
        writer.write_bytes("").await.unwrap();
    }
    writer.write_bytes("x").await.unwrap();
    writer.write_bytes("").await.unwrap();
    assert_eq!(writer.size(), 1);
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "x");
}

pub(crate) async fn a_wrong_size_hint_changes_no_result(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(11);
    for hint in [0, 1, 99_999, 100_000, 100_001, 1 << 30, u64::MAX] {
        let options = WriterOptions::create().size_hint(hint);
        let mut writer = driver.writer(&path("/a"), options).await.unwrap();
        assert_eq!(writer.size(), 0);
        writer.write_bytes(pattern.bytes(0..50_000)).await.unwrap();
        writer.suspend().await.unwrap();
        let options = WriterOptions::resume_at(50_000).size_hint(hint);
        let mut writer = driver.writer(&path("/a"), options).await.unwrap();
        writer.write_bytes(pattern.bytes(50_000..100_000)).await.unwrap();
        assert_eq!(writer.commit().await.unwrap().size, 100_000);
        let bytes = read(&driver, "/a").await;
        assert_eq!(bytes.len(), 100_000);
        pattern.check(0, &bytes).unwrap();
    }
}

pub(crate) async fn a_hint_about_buffers_changes_no_result(subject: Subject) {
    let driver = subject.driver().await;
    let buffer = Pattern::new(12).bytes(0..1 << 20);
    let options = WriterOptions::create().exclusive_buffers();
    let mut writer = driver.writer(&path("/a"), options).await.unwrap();
    for part in [3..5, 0..100_000, 7..7, 1000..(1 << 20), 1..2] {
        writer.write_bytes(buffer.slice(part)).await.unwrap();
    }
    writer.commit().await.unwrap();
    let expected = [&buffer[3..5], &buffer[..100_000], &buffer[1000..], &buffer[1..2]].concat();
    assert!(read(&driver, "/a").await == expected);
}
