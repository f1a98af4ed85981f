//! Copying into a `Writer` and out of a `Reader`: errors, and cancellation at every poll.

use std::{io, pin::Pin, task::Poll, time::SystemTime};

use crate::support::session::Script;
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use storage_driver::{
    Error, ErrorKind, Metadata, Operation, Path, Payload, Reader, Result, Version,
};
use tokio::io::{AsyncRead, ReadBuf};
use tokio_test::{block_on, task};

const PIECES: [&str; 5] = ["a", "bc", "def", "ghij", "k"];

fn pieces() -> impl Stream<Item = Result<Bytes>> + Unpin {
    stream::iter(PIECES.map(|piece| Ok(Bytes::from(piece))))
}

/// Returns `Pending` once before each item of `source`.
fn pending_before_each<S: Stream + Unpin>(mut source: S) -> impl Stream<Item = S::Item> + Unpin {
    let mut was_pending = false;
    stream::poll_fn(move |cx| {
        was_pending = !was_pending;
        if was_pending {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        source.poll_next_unpin(cx)
    })
}

/// A stream as an `AsyncRead` that gives an item a read.
struct Source<S>(S);

impl<S: Stream<Item = Result<Bytes>> + Unpin> AsyncRead for Source<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.poll_next_unpin(cx).map(|item| {
            if let Some(item) = item {
                buffer.put_slice(&item?);
            }
            Ok(())
        })
    }
}

fn reader(source: impl Stream<Item = Result<Bytes>> + Send + 'static) -> Reader {
    let path = Path::parse("/file").unwrap();
    let metadata = Metadata::new(path, 11, SystemTime::UNIX_EPOCH, Version::from(1));
    Reader::new("test", metadata, 0..11, source)
}

fn whole() -> Reader {
    reader(pieces())
}

/// `first` pieces, and then an error.
fn broken(first: usize) -> impl Stream<Item = Result<Bytes>> + Unpin {
    pieces().take(first).chain(stream::iter([Err(ErrorKind::Timeout.into())]))
}

/// Polls a copy that `start` begins until it ends, dropping it at its `patience`-th poll and
/// beginning again. Returns whether it was dropped at all.
macro_rules! interrupted {
    ($patience:expr, $start:expr) => {{
        let mut dropped = false;
        loop {
            let mut copy = task::spawn($start);
            let polled = (0..$patience).map(|_| copy.poll()).find(Poll::is_ready);
            match polled {
                Some(Poll::Ready(result)) => {
                    result.unwrap();
                    break dropped;
                }
                _ => dropped = true,
            }
        }
    }};
}

#[test]
fn a_stream_is_written_to_its_end() {
    let script = Script::default();
    let mut writer = script.writer();
    assert_eq!(block_on(writer.write_stream(pieces())).unwrap(), 11);
    assert_eq!(script.accepted(), "abcdefghijk");
    assert!(!script.take_calls().contains("commit"));
}

#[test]
fn a_stream_is_handed_over_without_a_copy() {
    let script = Script::default();
    let data = Bytes::from("abc");
    let stream = stream::iter([Ok::<_, Error>(data.clone())]);
    block_on(script.writer().write_stream(stream)).unwrap();
    assert_eq!(script.state().accepted[0].as_ptr(), data.as_ptr());
}

#[test]
fn a_stream_of_io_errors_is_accepted() {
    let script = Script::default();
    let stream =
        stream::iter([Ok(Bytes::from("abc")), Err(io::Error::from(io::ErrorKind::NotFound))]);
    let error = block_on(script.writer().write_stream(stream)).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn items_before_the_error_of_a_stream_are_written() {
    let script = Script::default();
    let copy = async { script.writer().write_stream(broken(3)).await };
    assert_eq!(block_on(copy).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(script.accepted(), "abcdef");
}

#[test]
fn a_stream_is_not_polled_before_the_writer_is_ready() {
    let script = Script::default();
    script.state().fails = Some("ready");
    let never = stream::poll_fn(|_| -> Poll<Option<Result<Bytes>>> { panic!("it was polled") });
    let error = block_on(script.writer().write_stream(never)).unwrap_err();
    assert_eq!(error.to_string(), "test: write /upload: timed out");
}

#[test]
fn a_piece_that_the_driver_refuses_ends_the_copy() {
    let script = Script::default();
    let mut writer = script.writer();
    script.state().fails = Some("write");
    let mut source = pieces();
    let error = block_on(writer.write_stream(&mut source)).unwrap_err();
    assert_eq!(error.operation(), Some(Operation::Write));
    assert_eq!(writer.size(), 100);
    script.state().fails = None;
    block_on(writer.write_stream(&mut source)).unwrap();
    assert_eq!(script.accepted(), "bcdefghijk");
}

#[test]
fn writing_a_stream_loses_nothing_wherever_it_is_dropped() {
    for patience in 2..40 {
        let script = Script::default();
        script.state().pending = 1;
        let mut writer = script.writer();
        let mut source = pending_before_each(pieces());
        interrupted!(patience, writer.write_stream(&mut source));
        assert_eq!(script.accepted(), "abcdefghijk", "dropped at poll {patience}");
    }
}

#[test]
fn a_source_is_written_to_its_end() {
    let script = Script::default();
    let mut writer = script.writer();
    assert_eq!(block_on(writer.write_from(Source(pieces()))).unwrap(), 11);
    assert_eq!(script.accepted(), "abcdefghijk");
}

#[test]
fn a_source_is_read_128_kib_at_a_time() {
    let script = Script::default();
    let mut writer = script.writer();
    let data = vec![7; 300 << 10];
    block_on(writer.write_from(&data[..])).unwrap();
    let sizes: Vec<usize> = script.state().accepted.iter().map(Bytes::len).collect();
    assert_eq!(sizes, [128 << 10, 128 << 10, 44 << 10]);
}

#[test]
fn data_before_the_error_of_a_source_is_written() {
    let script = Script::default();
    let copy = async { script.writer().write_from(Source(broken(2))).await };
    assert_eq!(block_on(copy).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn a_source_that_the_driver_refuses_ends_the_copy() {
    let script = Script::default();
    for call in ["ready", "write"] {
        script.state().fails = Some(call);
        let copy = async { script.writer().write_from(Source(pieces())).await };
        assert_eq!(block_on(copy).unwrap_err().operation(), Some(Operation::Write));
    }
    assert_eq!(script.accepted(), "");
}

#[test]
fn writing_from_a_source_loses_nothing_wherever_it_is_dropped() {
    for patience in 2..40 {
        let script = Script::default();
        script.state().pending = 1;
        let mut writer = script.writer();
        let mut source = Source(pending_before_each(pieces()));
        interrupted!(patience, writer.write_from(&mut source));
        assert_eq!(script.accepted(), "abcdefghijk", "dropped at poll {patience}");
    }
}

#[test]
fn a_reader_is_copied_out_part_by_part() {
    let mut out = tokio_test::io::Builder::new();
    for piece in PIECES {
        out.write(piece.as_bytes());
    }
    assert_eq!(block_on(whole().copy_to(out.build())).unwrap(), 11);
}

#[test]
fn a_copy_out_ends_with_a_flush() {
    let script = Script::default();
    let mut writer = script.writer();
    block_on(whole().copy_to(&mut writer)).unwrap();
    assert!(script.take_calls().ends_with("write, flush"));
    assert_eq!(script.accepted(), "abcdefghijk");
}

#[test]
fn a_failed_flush_fails_the_copy() {
    let script = Script::default();
    script.state().fails = Some("flush");
    let error = block_on(whole().copy_to(script.writer())).unwrap_err();
    assert_eq!(error.to_string(), "test: write /upload: timed out");
}

#[test]
fn a_failed_copy_leaves_exactly_the_rest_in_the_reader() {
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let out = tokio_test::io::Builder::new().write(b"a").write(b"b").write_error(full).build();
    let mut reader = whole();
    let error = block_on(reader.copy_to(out)).unwrap_err();
    assert_eq!(error.to_string(), "test: read /file: storage full");
    assert_eq!(reader.remaining(), 9);
    let mut rest = Vec::new();
    block_on(reader.copy_to(&mut rest)).unwrap();
    assert_eq!(rest, b"cdefghijk");
}

#[test]
fn an_error_of_the_reader_fails_the_copy() {
    let mut out = Vec::new();
    let error = block_on(reader(broken(2)).copy_to(&mut out)).unwrap_err();
    assert_eq!(error.to_string(), "test: read /file: timed out");
    assert_eq!(out, b"abc");
}

#[test]
fn a_destination_that_accepts_nothing_is_an_error() {
    let mut reader = whole();
    let full = io::Cursor::new(vec![0; 2].into_boxed_slice());
    let error = block_on(reader.copy_to(full)).unwrap_err();
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WriteZero);
    assert_eq!(reader.remaining(), 9);
}

#[test]
fn copying_out_loses_nothing_wherever_it_is_dropped() {
    for patience in 2..40 {
        let script = Script::default();
        script.state().pending = 1;
        let mut writer = script.writer();
        let mut reader = reader(pending_before_each(pieces()));
        interrupted!(patience, reader.copy_to(&mut writer));
        assert_eq!(script.accepted(), "abcdefghijk", "dropped at poll {patience}");
    }
}

#[test]
fn a_copy_that_is_interrupted_is_really_dropped() {
    let script = Script::default();
    script.state().pending = 1;
    let mut writer = script.writer();
    let payload: Payload = PIECES.map(Bytes::from).into_iter().collect();
    let source = Payload::into_iter(payload).map(Ok::<_, Error>);
    let mut source = pending_before_each(stream::iter(source));
    assert!(interrupted!(2, writer.write_stream(&mut source)));
}
