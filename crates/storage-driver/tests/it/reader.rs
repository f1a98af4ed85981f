//! `Reader`: clauses 4.2 and 4.4 of the contract.

use std::{error::Error as _, io, pin::Pin, sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use proptest::prelude::*;
use storage_driver::{
    Error, ErrorKind, Metadata, Operation, Path, Payload, Reader, Result, Version,
};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};
use tokio_test::{assert_pending, assert_ready, block_on, task};

fn metadata(size: u64) -> Metadata {
    let path = Path::parse("/a/b").unwrap();
    Metadata::new(path, size, SystemTime::UNIX_EPOCH, Version::from(1))
}

fn reader_of(length: u64, source: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Reader {
    Reader::new("test", metadata(length), 0..length, source)
}

/// A reader that expects `length` bytes, over a source that gives `chunks`.
fn reader(length: u64, chunks: &[&'static str]) -> Reader {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from(*chunk))).collect();
    reader_of(length, stream::iter(chunks))
}

/// A reader of "ab" that fails then.
fn failing() -> Reader {
    let timeout = Error::new(ErrorKind::Timeout);
    reader_of(5, stream::iter([Ok(Bytes::from("ab")), Err(timeout), Ok(Bytes::from("cde"))]))
}

/// The next chunk, as text.
fn next(reader: &mut Reader) -> Option<Result<String>> {
    let chunk = block_on(reader.next());
    chunk.map(|chunk| chunk.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
}

fn read(reader: &mut Reader, length: usize) -> io::Result<String> {
    let mut buffer = vec![0; length];
    let read = block_on(reader.read(&mut buffer))?;
    Ok(String::from_utf8(buffer[..read].to_vec()).unwrap())
}

fn assert_context(error: &Error, kind: ErrorKind) {
    assert_eq!(error.kind(), kind);
    assert_eq!(error.driver(), Some("test"));
    assert_eq!(error.operation(), Some(Operation::Read));
    assert_eq!(error.path(), Some(&metadata(0).path));
}

#[test]
fn a_reader_knows_the_file_and_the_range() {
    let reader = Reader::new("test", metadata(10), 2..5, stream::empty());
    assert_eq!(reader.metadata(), &metadata(10));
    assert_eq!(reader.range(), 2..5);
    assert_eq!(reader.remaining(), 3);
}

#[test]
fn chunks_of_the_source_are_streamed_without_a_copy() {
    let chunk = Bytes::from("abc");
    let mut reader = reader_of(3, stream::iter([Ok(chunk.clone())]));
    let given = block_on(reader.next()).unwrap().unwrap();
    assert_eq!(given.as_ptr(), chunk.as_ptr());
}

#[test]
fn empty_chunks_are_dropped() {
    let mut reader = reader(4, &["", "ab", "", "", "cd"]);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ab");
    assert_eq!(next(&mut reader).unwrap().unwrap(), "cd");
    assert!(next(&mut reader).is_none());
}

#[test]
fn after_the_end_it_stays_ended() {
    let mut reader = reader(2, &["ab"]);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ab");
    for _ in 0..2 {
        assert!(next(&mut reader).is_none());
        assert_eq!(read(&mut reader, 1).unwrap(), "");
        assert_eq!(block_on(reader.fill_buf()).unwrap(), b"");
    }
}

#[test]
fn an_empty_range_asks_the_source_for_nothing() {
    let never = stream::poll_fn(|_| panic!("the source was asked"));
    let mut reader = reader_of(0, never);
    assert!(next(&mut reader).is_none());
}

#[test]
fn a_range_that_ends_before_it_begins_is_empty() {
    let range = std::ops::Range { start: 5, end: 3 };
    let reader = Reader::new("test", metadata(9), range, stream::pending());
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn streaming_and_reading_go_on_where_the_other_stopped() {
    let mut reader = reader(9, &["abc", "def", "ghi"]);
    assert_eq!(read(&mut reader, 1).unwrap(), "a");
    assert_eq!(block_on(reader.fill_buf()).unwrap(), b"bc");
    reader.consume(1);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "c");
    assert_eq!(read(&mut reader, 2).unwrap(), "de");
    assert_eq!(read(&mut reader, 9).unwrap(), "f");
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ghi");
    assert!(next(&mut reader).is_none());
}

#[test]
fn remaining_is_exact_after_every_read() {
    let mut reader = reader(6, &["abc", "def"]);
    assert_eq!(reader.remaining(), 6);
    block_on(reader.fill_buf()).unwrap();
    assert_eq!(reader.remaining(), 6);
    reader.consume(2);
    assert_eq!(reader.remaining(), 4);
    next(&mut reader);
    assert_eq!(reader.remaining(), 3);
    read(&mut reader, 1).unwrap();
    assert_eq!(reader.remaining(), 2);
    next(&mut reader);
    assert_eq!(reader.remaining(), 0);
}

#[test]
fn consuming_too_much_consumes_the_chunk() {
    let mut reader = reader(4, &["ab", "cd"]);
    block_on(reader.fill_buf()).unwrap();
    reader.consume(99);
    assert_eq!(reader.remaining(), 2);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "cd");
}

#[test]
fn a_read_into_no_room_takes_nothing() {
    let mut reader = reader(2, &["ab"]);
    assert_eq!(read(&mut reader, 0).unwrap(), "");
    assert_eq!(reader.remaining(), 2);
}

#[test]
fn lines_are_read_across_chunks() {
    let reader = reader(10, &["on", "e\ntw", "o\n", "3!"]);
    let mut lines = reader.lines();
    for expected in ["one", "two", "3!"] {
        assert_eq!(block_on(lines.next_line()).unwrap().unwrap(), expected);
    }
    assert_eq!(block_on(lines.next_line()).unwrap(), None);
}

#[test]
fn a_pending_source_makes_it_wait_and_loses_nothing() {
    let (mut sender, source) = futures::channel::mpsc::channel(1);
    let mut reader = reader_of(2, source);
    let mut waiting = task::spawn(reader.next());
    assert_pending!(waiting.poll());
    drop(waiting);
    let mut waiting = task::spawn(reader.next());
    assert_pending!(waiting.poll());
    sender.try_send(Ok(Bytes::from("ab"))).unwrap();
    assert!(waiting.is_woken());
    assert_eq!(assert_ready!(waiting.poll()).unwrap().unwrap(), "ab");
}

#[test]
fn an_early_end_is_an_error() {
    let mut reader = reader(5, &["ab"]);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ab");
    let error = next(&mut reader).unwrap().unwrap_err();
    assert_context(&error, ErrorKind::Corrupted);
    assert_eq!(error.source().unwrap().to_string(), "the content ended 3 bytes early");
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn more_bytes_than_announced_are_an_error() {
    let mut reader = reader(3, &["ab", "cd"]);
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ab");
    assert_context(&next(&mut reader).unwrap().unwrap_err(), ErrorKind::Corrupted);
    assert!(next(&mut reader).is_none());
}

#[test]
fn an_error_of_the_source_gets_the_context() {
    let mut reader = failing();
    assert_eq!(next(&mut reader).unwrap().unwrap(), "ab");
    assert_context(&next(&mut reader).unwrap().unwrap_err(), ErrorKind::Timeout);
}

#[test]
fn after_an_error_the_stream_stays_ended_and_reads_repeat_it() {
    let mut reader = failing();
    next(&mut reader);
    assert!(next(&mut reader).unwrap().is_err());
    for _ in 0..2 {
        assert!(next(&mut reader).is_none());
        assert_context(&read(&mut reader, 9).unwrap_err().into(), ErrorKind::Timeout);
        assert_context(&block_on(reader.fill_buf()).unwrap_err().into(), ErrorKind::Timeout);
    }
    assert_eq!(reader.remaining(), 3);
}

#[test]
fn bytes_before_an_error_can_still_be_read() {
    let mut reader = failing();
    assert_eq!(read(&mut reader, 1).unwrap(), "a");
    assert_eq!(read(&mut reader, 9).unwrap(), "b");
    assert!(read(&mut reader, 9).is_err());
}

/// A source of `chunks` that lives as long as the second value says.
fn watched(
    chunks: Vec<Result<Bytes>>,
) -> (impl Stream<Item = Result<Bytes>> + Send, std::sync::Weak<()>) {
    let alive = Arc::new(());
    let watch = Arc::downgrade(&alive);
    let source = stream::iter(chunks).map(move |chunk| {
        let _ = &alive;
        chunk
    });
    (source, watch)
}

#[test]
fn the_source_is_dropped_at_the_last_byte() {
    let (source, watch) = watched(vec![Ok(Bytes::from("a")), Ok(Bytes::from("b"))]);
    let mut reader = reader_of(2, source);
    next(&mut reader);
    assert!(watch.upgrade().is_some());
    next(&mut reader);
    assert!(watch.upgrade().is_none());
}

#[test]
fn the_source_is_dropped_at_an_error() {
    let (source, watch) = watched(vec![Err(Error::new(ErrorKind::Timeout))]);
    let mut reader = reader_of(2, source);
    assert!(next(&mut reader).unwrap().is_err());
    assert!(watch.upgrade().is_none());
}

#[test]
fn the_source_of_an_empty_range_is_dropped_at_once() {
    let (source, watch) = watched(vec![]);
    let _reader = reader_of(0, source);
    assert!(watch.upgrade().is_none());
}

#[test]
fn a_payload_is_read_in_its_parts() {
    let parts = ["ab", "cd"].map(Bytes::from);
    let payload: Payload = parts.iter().cloned().collect();
    let mut reader = Reader::from_payload("test", metadata(9), 3..7, payload);
    assert_eq!(reader.range(), 3..7);
    for part in &parts {
        let chunk = block_on(reader.next()).unwrap().unwrap();
        assert_eq!(chunk.as_ptr(), part.as_ptr());
    }
    assert!(next(&mut reader).is_none());
}

#[test]
fn a_payload_of_another_length_is_an_error() {
    let mut reader = Reader::from_payload("test", metadata(9), 0..3, Payload::from("ab"));
    next(&mut reader);
    assert_context(&next(&mut reader).unwrap().unwrap_err(), ErrorKind::Corrupted);
}

#[test]
fn the_rest_becomes_content() {
    let mut reader = reader(6, &["abc", "def"]);
    read(&mut reader, 1).unwrap();
    let content = block_on(reader.into_content(5)).unwrap();
    assert_eq!(content.metadata(), &metadata(6));
    assert_eq!(content.payload().parts().count(), 2);
    assert_eq!(content.into_bytes(), "bcdef");
}

#[test]
fn the_limit_is_checked_before_anything_is_read() {
    let never = stream::poll_fn(|_| panic!("the source was asked"));
    let error = block_on(reader_of(6, never).into_content(5)).unwrap_err();
    assert_context(&error, ErrorKind::ContentTooLarge { size: 6, limit: 5 });
}

#[test]
fn an_error_in_mid_stream_fails_into_content() {
    let error = block_on(failing().into_content(5)).unwrap_err();
    assert_context(&error, ErrorKind::Timeout);
}

#[test]
fn the_debug_text_contains_the_remaining_bytes() {
    let text = format!("{:?}", reader(6, &["abc"]));
    assert!(text.contains("\"test\"") && text.contains("remaining: 6"), "{text}");
    assert!(text.contains("range: 0..6"), "{text}");
}

#[derive(Debug, Clone)]
enum Take {
    Next,
    Read(usize),
    Consume(usize),
}

proptest! {
    #[test]
    fn any_mix_of_reads_returns_every_byte_once(
        chunks in proptest::collection::vec("[a-z]{0,5}", 0..12),
        takes in proptest::collection::vec(
            prop_oneof![
                Just(Take::Next),
                (0..7_usize).prop_map(Take::Read),
                (0..7_usize).prop_map(Take::Consume),
            ],
            0..40,
        ),
    ) {
        let whole = chunks.concat();
        let source: Vec<_> = chunks.into_iter().map(|chunk| Ok(Bytes::from(chunk))).collect();
        let mut reader = reader_of(whole.len() as u64, stream::iter(source));
        let mut given = String::new();
        for take in takes {
            match take {
                Take::Next => {
                    if let Some(chunk) = next(&mut reader) {
                        let chunk = chunk.unwrap();
                        prop_assert!(!chunk.is_empty());
                        given += &chunk;
                    }
                }
                Take::Read(length) => given += &read(&mut reader, length).unwrap(),
                Take::Consume(length) => {
                    let buffer = block_on(reader.fill_buf()).unwrap();
                    let taken = String::from_utf8(buffer[..length.min(buffer.len())].to_vec());
                    given += &taken.unwrap();
                    Pin::new(&mut reader).consume(length);
                }
            }
            prop_assert_eq!(reader.remaining() as usize, whole.len() - given.len());
        }
        let mut rest = String::new();
        block_on(reader.read_to_string(&mut rest)).unwrap();
        prop_assert_eq!(given + &rest, whole);
    }
}
