//! 5.13: a writer as `AsyncWrite` and as `Sink<Bytes>`.

use std::{io, pin::Pin, task::Context, task::Poll};

use bytes::Bytes;
use futures::{FutureExt, SinkExt, StreamExt, future::poll_fn, stream, task::noop_waker_ref};
use storage_driver::{Error, ErrorKind, StorageDriver, StorageDriverExt, Writer};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{
    Pattern, Subject,
    check::{create, error, exists, finish, path, put, read, resume, split_if_slow, uploads},
    tasks::at_once,
};

const PATTERN: Pattern = Pattern::new(60);

/// Checks that the file holds the first `size` bytes of the pattern.
async fn holds(driver: &dyn StorageDriver, at: &str, size: u64) {
    let bytes = read(driver, at).await;
    assert_eq!(bytes.len() as u64, size);
    PATTERN.check(0, &bytes).unwrap();
}

pub(crate) async fn write_all_writes_all(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_all(&PATTERN.bytes(0..3_000_001)).await.unwrap();
    assert_eq!(writer.size(), 3_000_001);
    writer.commit().await.unwrap();
    holds(&driver, "/a", 3_000_001).await;
}

pub(crate) async fn small_async_writes_join(subject: Subject) {
    let driver = subject.driver().await;
    let uploads = split_if_slow(&subject, &*driver, 3000).await;
    let part = |(at, writes): (String, u64)| {
        let driver = &*driver;
        let written = async move {
            let mut writer = create(driver, &at).await;
            let mut offset = 0;
            for step in (0..writes).map(|i| i % 7) {
                writer.write_all(&PATTERN.bytes(offset..offset + step)).await.unwrap();
                offset += step;
                assert_eq!(writer.size(), offset);
            }
            writer.commit().await.unwrap();
            holds(driver, &at, offset).await;
        };
        written.boxed()
    };
    at_once(uploads.map(part).collect()).await;
}

pub(crate) async fn an_async_write_returns_what_it_accepted(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let data = PATTERN.bytes(0..4 << 20);
    let mut offset = 0;
    while offset < data.len() {
        let accepted = AsyncWriteExt::write(&mut writer, &data[offset..]).await.unwrap();
        assert!(accepted > 0);
        offset += accepted;
        assert_eq!(writer.size(), offset as u64);
    }
    writer.commit().await.unwrap();
    holds(&driver, "/a", 4 << 20).await;
}

pub(crate) async fn the_buffer_of_an_async_write_can_be_used_again(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let mut buffer = vec![0; 10_000];
    for piece in 0..100 {
        PATTERN.fill(piece * 10_000, &mut buffer);
        writer.write_all(&buffer).await.unwrap();
    }
    buffer.fill(0);
    writer.commit().await.unwrap();
    holds(&driver, "/a", 1_000_000).await;
}

pub(crate) async fn a_pending_poll_write_has_accepted_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    for _ in 0..400 {
        let before = writer.size();
        // After a pending attempt, the next one has more bytes.
        for length in 20_000..20_008 {
            let data = PATTERN.bytes(before..before + length);
            match attempt(&mut writer, &data) {
                Poll::Pending => assert_eq!(writer.size(), before),
                Poll::Ready(accepted) => {
                    assert_eq!(writer.size(), before + accepted.unwrap() as u64);
                    break;
                }
            }
        }
    }
    let size = writer.size();
    writer.commit().await.unwrap();
    holds(&driver, "/a", size).await;
}

/// One attempt at an async write.
fn attempt(writer: &mut Writer, data: &[u8]) -> Poll<io::Result<usize>> {
    let mut context = Context::from_waker(noop_waker_ref());
    Pin::new(writer).poll_write(&mut context, data)
}

pub(crate) async fn flush_does_not_commit(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = create(&driver, "/a").await;
    for _ in 0..100 {
        writer.write_all(b"new").await.unwrap();
        AsyncWriteExt::flush(&mut writer).await.unwrap();
    }
    assert_eq!(writer.size(), 300);
    assert_eq!(read(&driver, "/a").await, "old");
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new".repeat(100));
}

pub(crate) async fn shutdown_does_not_commit(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_all(b"content").await.unwrap();
    writer.shutdown().await.unwrap();
    assert!(!exists(&driver, "/a").await);
    assert_eq!(uploads(&driver, "/").await, ["/a"]);
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn shutdown_keeps_everything(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_all(&PATTERN.bytes(0..200_000)).await.unwrap();
    writer.shutdown().await.unwrap();
    drop(writer);
    assert_eq!(resume(&driver, "/a").await.size(), 200_000);
    finish(&driver, "/a").await;
    holds(&driver, "/a", 200_000).await;
}

pub(crate) async fn after_shutdown_no_write_is_taken(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    writer.write_all(b"content").await.unwrap();
    writer.shutdown().await.unwrap();
    assert!(writer.write_all(b"!").await.is_err());
    assert!(SinkExt::send(&mut writer, Bytes::from("!")).await.is_err());
    assert_eq!(writer.size(), 7);
    writer.cancel().await.unwrap();
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn a_sink_takes_all_that_is_sent(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    for piece in 0..100 {
        let data = PATTERN.bytes(piece * 9_999..(piece + 1) * 9_999);
        SinkExt::send(&mut writer, data).await.unwrap();
        assert_eq!(writer.size(), (piece + 1) * 9_999);
    }
    writer.commit().await.unwrap();
    holds(&driver, "/a", 999_900).await;
}

pub(crate) async fn a_stream_forwarded_into_a_sink_can_be_committed(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let pieces = (0..50).map(|i| Ok(PATTERN.bytes(i * 30_000..(i + 1) * 30_000)));
    stream::iter(pieces).forward(&mut writer).await.unwrap();
    assert!(!exists(&driver, "/a").await);
    writer.commit().await.unwrap();
    holds(&driver, "/a", 1_500_000).await;
}

pub(crate) async fn closing_the_sink_keeps_everything_and_commits_nothing(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    SinkExt::feed(&mut writer, PATTERN.bytes(0..1000)).await.unwrap();
    SinkExt::<Bytes>::close(&mut writer).await.unwrap();
    assert!(!exists(&driver, "/a").await);
    drop(writer);
    assert_eq!(resume(&driver, "/a").await.size(), 1000);
    finish(&driver, "/a").await;
    holds(&driver, "/a", 1000).await;
}

pub(crate) async fn flushing_the_sink_does_not_commit(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    for _ in 0..10 {
        SinkExt::feed(&mut writer, Bytes::from("x")).await.unwrap();
        SinkExt::<Bytes>::flush(&mut writer).await.unwrap();
        assert!(!exists(&driver, "/a").await);
    }
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "xxxxxxxxxx");
}

pub(crate) async fn all_ways_of_writing_can_be_mixed(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    for round in 0..20 {
        let piece = |i: u64| {
            let start = (round * 4 + i) * 5_000;
            PATTERN.bytes(start..start + 5_000)
        };
        writer.write_bytes(piece(0)).await.unwrap();
        writer.write_all(&piece(1)).await.unwrap();
        SinkExt::send(&mut writer, piece(2)).await.unwrap();
        let pieces = stream::iter([Ok::<_, Error>(piece(3))]);
        assert_eq!(writer.write_stream(pieces).await.unwrap(), 5_000);
        AsyncWriteExt::flush(&mut writer).await.unwrap();
    }
    writer.commit().await.unwrap();
    holds(&driver, "/a", 400_000).await;
}

pub(crate) async fn content_can_be_copied_from_reader_to_writer(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", PATTERN.bytes(0..2_000_000)).await;
    let mut reader = driver.reader(&path("/a"), (..).into()).await.unwrap();
    let mut writer = create(&driver, "/b").await;
    let copied = reader.copy_to(&mut writer).await.unwrap();
    assert_eq!(copied, 2_000_000);
    writer.commit().await.unwrap();
    holds(&driver, "/b", 2_000_000).await;
}

pub(crate) async fn an_error_of_the_source_keeps_the_data_before_it(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let pieces = [
        Ok(Bytes::from("one, ")),
        Ok(Bytes::from("two, ")),
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
    ];
    let failed = error(writer.write_stream(stream::iter(pieces)).await);
    assert_eq!(failed.kind(), ErrorKind::Unavailable);
    assert_eq!(writer.size(), 10);
    writer.write_bytes("three").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "one, two, three");
}

pub(crate) async fn the_adapters_report_a_fenced_writer(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = create(&driver, "/a").await;
    first.write_all(b"old").await.unwrap();
    let second = create(&driver, "/a").await;
    let failed: Error = first.shutdown().await.unwrap_err().into();
    assert_eq!(failed.kind(), ErrorKind::WriterFenced);
    assert_eq!(failed.path(), Some(&path("/a")));
    let closed = poll_fn(|cx| Pin::new(&mut first as &mut dyn SinkOfBytes).poll_close(cx)).await;
    assert_eq!(closed.unwrap_err().kind(), ErrorKind::WriterFenced);
    drop(first);
    second.commit().await.unwrap();
    assert!(driver.exists(&path("/a")).await.unwrap());
}

/// `Writer` is also an `AsyncWrite`, whose methods have the same names.
trait SinkOfBytes: futures::Sink<Bytes, Error = Error> + Unpin {}

impl<T: futures::Sink<Bytes, Error = Error> + Unpin> SinkOfBytes for T {}
