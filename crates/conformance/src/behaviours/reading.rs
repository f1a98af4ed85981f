//! 4. Reading.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use storage_driver::{ErrorKind, ReadRange, StorageDriver};
use tokio::io::{AsyncBufReadExt, AsyncReadExt};

use crate::{
    Pattern, Subject,
    check::{LIMIT, create, drain, fails, path, put, read, stat},
};

/// The bytes of a range, by `reader` and by `get_range`, which must agree.
async fn range(driver: &dyn StorageDriver, at: &str, range: impl Into<ReadRange>) -> Bytes {
    let range = range.into();
    let mut reader = driver.reader(&path(at), range.clone()).await.unwrap();
    let announced = reader.remaining();
    let streamed = drain(&mut reader).await.unwrap();
    assert_eq!(announced, streamed.len() as u64, "{range:?}");
    let whole = driver.get_range(&path(at), range.clone(), LIMIT).await.unwrap();
    assert_eq!(whole.into_bytes(), streamed, "{range:?}");
    streamed
}

/// Checks that a range is refused, by `reader` and by `get_range`.
async fn refused(driver: &dyn StorageDriver, at: &str, range: ReadRange, offset: u64, size: u64) {
    let kind = ErrorKind::InvalidOffset { offset, size };
    fails(driver.reader(&path(at), range.clone()).await, kind);
    fails(driver.get_range(&path(at), range, LIMIT).await, kind);
}

pub(crate) async fn a_reader_gives_all(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", ..).await, "content");
}

pub(crate) async fn an_offset_skips_what_is_before_it(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", 0..).await, "content");
    assert_eq!(range(&driver, "/a", 1..).await, "ontent");
    assert_eq!(range(&driver, "/a", 6..).await, "t");
}

pub(crate) async fn a_bounded_range_leaves_out_its_end(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", 0..1).await, "c");
    assert_eq!(range(&driver, "/a", 2..5).await, "nte");
    assert_eq!(range(&driver, "/a", 0..7).await, "content");
}

pub(crate) async fn an_empty_range_within_the_content_is_empty(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    for at in [0, 3, 7] {
        assert_eq!(range(&driver, "/a", at..at).await, "");
    }
}

pub(crate) async fn the_last_bytes_are_returned(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(1)).await, "t");
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(3)).await, "ent");
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(7)).await, "content");
}

pub(crate) async fn the_last_0_bytes_are_empty(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(0)).await, "");
}

pub(crate) async fn more_last_bytes_than_there_are_give_all(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(8)).await, "content");
    assert_eq!(range(&driver, "/a", ReadRange::Suffix(u64::MAX)).await, "content");
}

pub(crate) async fn end_is_clipped_to_the_content(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    assert_eq!(range(&driver, "/a", 5..8).await, "nt");
    assert_eq!(range(&driver, "/a", 0..u64::MAX).await, "content");
    assert_eq!(range(&driver, "/a", 7..100).await, "");
}

pub(crate) async fn offset_equal_to_size_gives_an_empty_stream(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let mut reader = driver.reader(&path("/a"), ReadRange::Offset(7)).await.unwrap();
    assert_eq!(reader.remaining(), 0);
    assert!(reader.next().await.is_none());
    assert_eq!(range(&driver, "/a", 7..).await, "");
}

pub(crate) async fn offset_past_the_size_is_an_invalid_offset(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    for offset in [8, 100, u64::MAX] {
        refused(&driver, "/a", ReadRange::Offset(offset), offset, 7).await;
    }
    refused(&driver, "/a", ReadRange::Bounded(8..9), 8, 7).await;
}

#[expect(clippy::reversed_empty_ranges, reason = "the range must be rejected")]
pub(crate) async fn a_start_past_its_own_end_is_an_invalid_offset(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    refused(&driver, "/a", ReadRange::Bounded(3..2), 3, 7).await;
    refused(&driver, "/a", ReadRange::Bounded(7..0), 7, 7).await;
    refused(&driver, "/a", ReadRange::Bounded(9..8), 9, 7).await;
}

pub(crate) async fn a_file_of_no_bytes_has_empty_ranges(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "").await;
    for all in
        [(..).into(), (0..).into(), (0..5).into(), ReadRange::Suffix(5), ReadRange::Suffix(0)]
    {
        assert_eq!(range(&driver, "/a", all).await, "");
    }
    refused(&driver, "/a", ReadRange::Offset(1), 1, 0).await;
}

pub(crate) async fn every_range_of_a_small_file_is_right(subject: Subject) {
    let driver = subject.driver().await;
    let content = Pattern::new(5).bytes(0..12);
    put(&driver, "/a", content.clone()).await;
    for start in 0..=12_u64 {
        for end in start..=14 {
            let expected = &content[start as usize..end.min(12) as usize];
            assert_eq!(range(&driver, "/a", start..end).await, expected, "{start}..{end}");
        }
    }
}

pub(crate) async fn ranges_around_round_offsets_are_right(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(6);
    let size = (3 << 20) + 17;
    put(&driver, "/a", pattern.bytes(0..size)).await;
    for round in [4096, 65_536, 1 << 20, 2 << 20, 3 << 20] {
        for start in [round - 1, round, round + 1] {
            for length in [1, 2, 4096, (1 << 20) + 1] {
                let bytes = range(&driver, "/a", start..start + length).await;
                assert_eq!(bytes.len() as u64, length.min(size - start), "{start}, {length}");
                let checked = pattern.check(start, &bytes);
                checked.unwrap_or_else(|error| panic!("{start}, {length}: {error}"));
            }
        }
    }
}

pub(crate) async fn a_reader_knows_its_file(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let file = stat(&driver, "/a").await;
    let reader = driver.reader(&path("/a"), (2..100).into()).await.unwrap();
    assert_eq!(reader.metadata(), &file);
    assert_eq!(reader.range(), 2..7);
}

pub(crate) async fn a_reader_knows_how_much_is_left(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(7).bytes(0..200_000)).await;
    let mut reader = driver.reader(&path("/a"), (50_000..).into()).await.unwrap();
    let mut left = 150_000;
    assert_eq!(reader.remaining(), left);
    left -= reader.read(&mut [0; 100]).await.unwrap() as u64;
    assert_eq!(reader.remaining(), left);
    while let Some(chunk) = reader.try_next().await.unwrap() {
        left -= chunk.len() as u64;
        assert_eq!(reader.remaining(), left);
    }
    assert_eq!(left, 0);
}

pub(crate) async fn no_chunk_of_a_stream_is_empty(subject: Subject) {
    let driver = subject.driver().await;
    for size in [0, 1, 65_536, (1 << 20) + 1] {
        put(&driver, "/a", Pattern::new(8).bytes(0..size)).await;
        let reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
        let chunks: Vec<Bytes> = reader.try_collect().await.unwrap();
        assert!(chunks.iter().all(|chunk| !chunk.is_empty()));
        assert_eq!(chunks.iter().map(Bytes::len).sum::<usize>() as u64, size);
    }
}

pub(crate) async fn a_reader_stays_ended(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    drain(&mut reader).await.unwrap();
    for _ in 0..3 {
        assert!(reader.next().await.is_none());
        assert_eq!(reader.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(reader.fill_buf().await.unwrap().is_empty());
        assert_eq!(reader.remaining(), 0);
    }
}

pub(crate) async fn small_reads_give_every_byte_once(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(9);
    put(&driver, "/a", pattern.bytes(0..5000)).await;
    for step in [1, 7, 64, 4096] {
        let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
        let (mut buffer, mut offset) = (vec![0; step], 0);
        loop {
            let length = reader.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            pattern.check(offset, &buffer[..length]).unwrap();
            offset += length as u64;
        }
        assert_eq!(offset, 5000);
    }
}

pub(crate) async fn lines_can_be_read(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "one\ntwo\n\nlast").await;
    let reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    let mut lines = reader.lines();
    let mut found = Vec::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        found.push(line);
    }
    assert_eq!(found, ["one", "two", "", "last"]);
}

pub(crate) async fn stream_and_reads_can_be_mixed(subject: Subject) {
    let driver = subject.driver().await;
    let pattern = Pattern::new(10);
    put(&driver, "/a", pattern.bytes(0..3 << 20)).await;
    let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    let (mut buffer, mut offset) = ([0; 1000], 0);
    loop {
        let length = reader.read(&mut buffer).await.unwrap();
        pattern.check(offset, &buffer[..length]).unwrap();
        offset += length as u64;
        let Some(chunk) = reader.try_next().await.unwrap() else { break };
        pattern.check(offset, &chunk).unwrap();
        offset += chunk.len() as u64;
    }
    assert_eq!(offset, 3 << 20);
}

pub(crate) async fn many_readers_of_one_file_are_independent(subject: Subject) {
    let driver = subject.driver().await;
    let (pattern, size) = (Pattern::new(11), 300_000);
    put(&driver, "/a", pattern.bytes(0..size)).await;
    let mut readers = Vec::new();
    for offset in (0..16).map(|i| i * 18_000) {
        readers.push((offset, driver.reader(&path("/a"), (offset..).into()).await.unwrap()));
    }
    let mut buffer = [0; 5000];
    while !readers.is_empty() {
        for (offset, reader) in &mut readers {
            let length = reader.read(&mut buffer).await.unwrap();
            assert!(length > 0, "an end at {offset}");
            pattern.check(*offset, &buffer[..length]).unwrap();
            *offset += length as u64;
        }
        readers.retain(|(offset, _)| *offset < size);
    }
}

pub(crate) async fn a_reader_does_not_wait_for_a_writer(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("new").await.unwrap();
    assert_eq!(read(&driver, "/a").await, "old");
    writer.sync().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "old");
    writer.commit().await.unwrap();
    assert_eq!(read(&driver, "/a").await, "new");
}

pub(crate) async fn a_reader_left_half_way_blocks_no_other_call(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", Pattern::new(12).bytes(0..2 << 20)).await;
    let mut half = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
    half.read_u8().await.unwrap();
    put(&driver, "/a", "new").await;
    assert_eq!(read(&driver, "/a").await, "new");
    let mut writer = create(&driver, "/a").await;
    writer.write_bytes("newer").await.unwrap();
    writer.commit().await.unwrap();
    driver.delete(&path("/a"), Default::default()).await.unwrap();
    drop(half);
}

pub(crate) async fn a_dropped_reader_leaves_the_file_alone(subject: Subject) {
    let driver = subject.driver().await;
    let stored = put(&driver, "/a", Pattern::new(13).bytes(0..100_000)).await;
    for _ in 0..10 {
        let mut reader = driver.reader(&path("/a"), ReadRange::Full).await.unwrap();
        reader.read_u8().await.unwrap();
    }
    assert_eq!(stat(&driver, "/a").await, stored);
    Pattern::new(13).check(0, &read(&driver, "/a").await).unwrap();
}

pub(crate) async fn a_directory_cannot_be_read(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b/c", "x").await;
    for dir in ["/a", "/a/b"].map(path) {
        fails(driver.get_content(&dir, LIMIT).await, ErrorKind::IsADirectory);
        fails(driver.get_range(&dir, ReadRange::Full, LIMIT).await, ErrorKind::IsADirectory);
        fails(driver.reader(&dir, ReadRange::Full).await, ErrorKind::IsADirectory);
    }
}

/// Checks that no method of reading finds a file at a path.
async fn not_found(driver: &dyn StorageDriver, at: &str) {
    let at = path(at);
    fails(driver.get_content(&at, LIMIT).await, ErrorKind::PathNotFound);
    fails(driver.get_range(&at, ReadRange::Full, LIMIT).await, ErrorKind::PathNotFound);
    fails(driver.get_range(&at, ReadRange::Offset(100), 0).await, ErrorKind::PathNotFound);
    fails(driver.reader(&at, ReadRange::Suffix(1)).await, ErrorKind::PathNotFound);
}

pub(crate) async fn a_missing_file_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    not_found(&driver, "/a").await;
    put(&driver, "/b/c", "x").await;
    not_found(&driver, "/b/d").await;
    not_found(&driver, "/e/f/g").await;
}

pub(crate) async fn below_a_file_nothing_is_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    not_found(&driver, "/a/b").await;
    not_found(&driver, "/a/b/c").await;
}

pub(crate) async fn the_beginning_of_a_name_is_not_found(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/abc/def", "x").await;
    not_found(&driver, "/ab").await;
    not_found(&driver, "/abc/de").await;
    not_found(&driver, "/abc/defg").await;
}
