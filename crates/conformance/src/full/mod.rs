//! Streams of many gigabytes, compared by checksum.
//!
//! Content is generated, hashed and dropped piece by piece while it is written, and hashed piece by piece while it
//! is read, so that only the driver holds it. Run these in release:
//! `cargo test --release … -- --include-ignored full::`. A failure names the first wrong byte of the
//! stream.

use std::ops::Range;

use futures::StreamExt;
use sha2::{Digest, Sha256};
use storage_driver::{
    Path, Precondition, ReadRange, StorageDriver, StorageDriverExt, Writer, WriterOptions,
};

use crate::{Pattern, Subject, check::path};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

pub(crate) async fn a_stream_of_5_gib_in_32_kib_chunks_comes_back(subject: Subject) {
    let driver = subject.driver().await;
    let (upload, blob) = (path("/uploads/5-gib"), path("/blobs/5-gib"));
    let (pattern, mut hash) = (Pattern::new(5), Sha256::new());
    let mut writer = driver.create(&upload).await.unwrap();
    write(&mut writer, pattern, 0..5 * GIB, 32 * KIB, &mut hash).await;
    let file = writer.commit_to(&blob, Precondition::None).await.unwrap();
    assert_eq!(file.size, 5 * GIB);
    reads_back(&*driver, &blob, 5 * GIB, pattern, hash).await;
    driver.delete(&blob, Precondition::None).await.unwrap();
}

pub(crate) async fn three_times_3_gib_each_by_a_new_writer_come_back(subject: Subject) {
    let driver = subject.driver().await;
    let (upload, blob) = (path("/uploads/9-gib"), path("/blobs/9-gib"));
    let (pattern, mut hash) = (Pattern::new(9), Sha256::new());
    driver.create(&upload).await.unwrap().suspend().await.unwrap();
    for third in 0..3 {
        let (start, end) = (third * 3 * GIB, (third + 1) * 3 * GIB);
        let mut writer = driver.writer(&upload, WriterOptions::resume_at(start)).await.unwrap();
        assert_eq!(writer.size(), start);
        write(&mut writer, pattern, start..end, 5 * MIB, &mut hash).await;
        writer.suspend().await.unwrap();
        let uploads = driver.uploads(&upload, Default::default()).await.unwrap().items;
        assert_eq!(uploads.len(), 1);
        assert!(uploads[0].size.is_none_or(|size| size == end), "{uploads:?}, not {end}");
    }
    let writer = driver.writer(&upload, WriterOptions::resume_at(9 * GIB)).await.unwrap();
    let file = writer.commit_to(&blob, Precondition::None).await.unwrap();
    assert_eq!(file.size, 9 * GIB);
    reads_back(&*driver, &blob, 9 * GIB, pattern, hash).await;
    driver.delete(&blob, Precondition::None).await.unwrap();
}

/// Writes a range of the pattern in pieces, and checks the writer's size after each.
async fn write(
    writer: &mut Writer,
    pattern: Pattern,
    range: Range<u64>,
    piece: u64,
    hash: &mut Sha256,
) {
    let mut offset = range.start;
    while offset < range.end {
        let bytes = pattern.bytes(offset..range.end.min(offset + piece));
        hash.update(&bytes);
        offset += bytes.len() as u64;
        writer.write_bytes(bytes).await.unwrap();
        assert_eq!(writer.size(), offset);
    }
}

async fn reads_back(
    driver: &dyn StorageDriver,
    path: &Path,
    size: u64,
    pattern: Pattern,
    written: Sha256,
) {
    let mut reader = driver.reader(path, ReadRange::Full).await.unwrap();
    assert_eq!(reader.metadata().size, size);
    let (mut offset, mut read) = (0, Sha256::new());
    while let Some(chunk) = reader.next().await.transpose().unwrap() {
        pattern.check(offset, &chunk).unwrap();
        read.update(&chunk);
        offset += chunk.len() as u64;
        assert_eq!(reader.remaining(), size - offset);
    }
    assert_eq!(offset, size);
    assert!(read.finalize() == written.finalize(), "the checksum of what was read is another");
}
