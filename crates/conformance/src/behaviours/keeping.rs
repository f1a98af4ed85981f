//! 5.9, 5.14: which data of an upload is kept, and when.

use std::{future::Future, pin::pin, task::Context, time::Duration};

use futures::task::noop_waker_ref;
use storage_driver::WriterOptions;

use crate::{
    Pattern, Subject,
    check::{create, finish, path, read, resume, uploads},
};

pub(crate) async fn close_keeps_everything(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(30);
    let mut writer = create(&driver, "/a").await;
    for piece in 0..50 {
        writer.write_bytes(pattern.bytes(piece * 1_001..(piece + 1) * 1_001)).await.unwrap();
    }
    writer.suspend().await.unwrap();
    let writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), 50_050);
    writer.commit().await.unwrap();
    pattern.check(0, &read(&driver, "/a").await).unwrap();
}

pub(crate) async fn sync_keeps_everything_through_a_drop(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(31);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(pattern.bytes(0..123_456)).await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);
    let options = WriterOptions::resume_at(123_456);
    driver.writer(&path("/a"), options).await.unwrap().commit().await.unwrap();
    pattern.check(0, &read(&driver, "/a").await).unwrap();
}

pub(crate) async fn writing_continues_after_a_sync(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.sync().await.unwrap();
    for piece in ["one, ", "two, ", "three"] {
        writer.write_bytes(piece).await.unwrap();
        writer.sync().await.unwrap();
        writer.sync().await.unwrap();
    }
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "one, two, three");
}

pub(crate) async fn a_drop_keeps_everything(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(32);
    let mut offset = 0;
    drop(create(&driver, "/a").await);
    for step in [1, 5000, 0, (1 << 20) + 1] {
        let mut writer = resume(&driver, "/a").await;
        assert_eq!(writer.size(), offset);
        writer.write_bytes(pattern.bytes(offset..offset + step)).await.unwrap();
        offset += step;
        drop(writer);
    }
    let bytes = finish(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, offset);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn a_drop_keeps_data_written_after_a_sync(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("synced, ").await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes("not synced").await.unwrap();
    drop(writer);
    let mut writer = resume(&driver, "/a").await;
    assert_eq!(writer.size(), 18);
    writer.write_bytes(", resumed").await.unwrap();
    drop(writer);
    assert_eq!(finish(&driver, "/a").await, "synced, not synced, resumed");
}

pub(crate) async fn data_accepted_before_a_fence_is_kept(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(36);
    let mut first = create(&driver, "/a").await;
    first.write_bytes(pattern.bytes(0..100_000)).await.unwrap();
    let mut second = resume(&driver, "/a").await;
    assert_eq!(second.size(), 100_000);
    second.write_bytes(pattern.bytes(100_000..100_010)).await.unwrap();
    second.commit().await.unwrap();
    drop(first);
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len(), 100_010);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn a_drop_keeps_a_beginning_no_shorter_than_the_last_sync(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(33);
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes(pattern.bytes(0..10_000)).await.unwrap();
    writer.sync().await.unwrap();
    writer.write_bytes(pattern.bytes(10_000..2_000_000)).await.unwrap();
    drop(writer);
    let writer = resume(&driver, "/a").await;
    let kept = writer.size();
    assert!((10_000..=2_000_000).contains(&kept), "{kept}");
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, kept);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn a_writer_dropped_after_a_sync_can_be_found(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a/b").await;
    writer.write_bytes("x").await.unwrap();
    writer.sync().await.unwrap();
    drop(writer);
    assert_eq!(uploads(&driver, "/").await, ["/a/b"]);
    assert_eq!(driver.cancel_uploads(&path("/a"), Duration::MAX).await.unwrap(), 0);
    driver.cancel_upload(&path("/a/b")).await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn a_dropped_write_is_accepted_whole_or_not_at_all(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(34);
    let mut writer = create(&driver, "/a").await;
    let step = 70_001;
    for polls in (0..4).cycle().take(40) {
        let before = writer.size();
        {
            let mut write = pin!(writer.write_bytes(pattern.bytes(before..before + step)));
            let mut context = Context::from_waker(noop_waker_ref());
            for _ in 0..polls {
                if write.as_mut().poll(&mut context).is_ready() {
                    break;
                }
            }
        }
        let accepted = writer.size() - before;
        assert!(accepted == 0 || accepted == step, "{accepted}");
    }
    let size = writer.size();
    writer.commit().await.unwrap();
    let bytes = read(&driver, "/a").await;
    assert_eq!(bytes.len() as u64, size);
    pattern.check(0, &bytes).unwrap();
}

pub(crate) async fn a_writer_takes_more_than_it_can_hold(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(35);
    let mut writer = create(&driver, "/a").await;
    // A driver that applies backpressure makes the write wait, and then lets it continue.
    for piece in 0..256 {
        writer.write_bytes(pattern.bytes(piece << 16..(piece + 1) << 16)).await.unwrap();
    }
    assert_eq!(writer.size(), 16 << 20);
    writer.commit().await.unwrap();
    let mut reader = driver.reader(&path("/a"), (..).into()).await.unwrap();
    let bytes = crate::check::drain(&mut reader).await.unwrap();
    assert_eq!(bytes.len(), 16 << 20);
    pattern.check(0, &bytes).unwrap();
}
