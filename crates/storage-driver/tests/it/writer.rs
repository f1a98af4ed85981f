//! `Writer` over a scripted session: clauses 5.8 to 5.14 of the contract.

use std::{io, task::Poll};

use crate::support::session::Script;
use async_trait::async_trait;
use bytes::Bytes;
use futures::{SinkExt, StreamExt, stream};
use storage_driver::{
    Error, ErrorKind, Metadata, Operation, Path, Precondition, Result, WriteMode, WriteSession,
    Writer, WriterOptions,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_test::{assert_pending, assert_ready, assert_ready_ok, block_on, task};

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A script under which `call` fails, and its writer.
fn failing(call: &'static str) -> (Script, Writer) {
    let script = Script::default();
    script.state().fails = Some(call);
    let writer = script.writer();
    (script, writer)
}

#[track_caller]
fn assert_context(error: &Error, operation: Operation, at: &str) {
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_eq!(error.driver(), Some("test"));
    assert_eq!(error.operation(), Some(operation));
    assert_eq!(error.path(), Some(&path(at)));
}

#[test]
fn options_set_the_mode() {
    let mode = |options: WriterOptions| options.mode;
    assert_eq!(mode(WriterOptions::create()), WriteMode::Create);
    assert_eq!(mode(WriterOptions::resume()), WriteMode::Resume { at: None });
    assert_eq!(mode(WriterOptions::resume_at(7)), WriteMode::Resume { at: Some(7) });
    assert_eq!(mode(WriterOptions::append()), WriteMode::Append { at: None });
    assert_eq!(mode(WriterOptions::append_at(7)), WriteMode::Append { at: Some(7) });
    assert_eq!(WriterOptions::from(WriteMode::Create), WriterOptions::create());
}

#[test]
fn options_carry_hints_only_if_given() {
    let plain = WriterOptions::create();
    assert_eq!((plain.size_hint, plain.exclusive_buffers), (None, false));
    let hinted = WriterOptions::create().size_hint(7).exclusive_buffers();
    assert_eq!((hinted.size_hint, hinted.exclusive_buffers), (Some(7), true));
}

#[test]
fn a_writer_knows_its_path_and_the_resumed_size() {
    let writer = Script::default().writer();
    assert_eq!(writer.path(), &path("/upload"));
    assert_eq!(writer.size(), 100);
    let text = format!("{writer:?}");
    assert!(text.contains("\"test\"") && text.contains("size: 100"), "{text}");
}

#[test]
fn written_buffers_are_handed_over_without_a_copy() {
    let script = Script::default();
    let data = Bytes::from("abc");
    block_on(script.writer().write_bytes(data.clone())).unwrap();
    assert_eq!(script.state().accepted[0].as_ptr(), data.as_ptr());
}

#[test]
fn the_size_counts_accepted_bytes() {
    let script = Script::default();
    let mut writer = script.writer();
    block_on(writer.write_bytes("abc")).unwrap();
    assert_eq!(writer.size(), 103);
    script.state().fails = Some("write");
    block_on(writer.write_bytes("def")).unwrap_err();
    assert_eq!(writer.size(), 103);
}

#[test]
fn a_write_waits_until_the_driver_can_take_more() {
    let script = Script::default();
    script.state().pending = 2;
    let mut writer = script.writer();
    let mut write = task::spawn(writer.write_bytes("abc"));
    assert_pending!(write.poll());
    assert_pending!(write.poll());
    assert_eq!(script.accepted(), "");
    assert_ready_ok!(write.poll());
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn a_write_dropped_while_it_waits_accepted_nothing() {
    let script = Script::default();
    script.state().pending = 1;
    let mut writer = script.writer();
    let mut write = task::spawn(writer.write_bytes("abc"));
    assert_pending!(write.poll());
    drop(write);
    assert_eq!(writer.size(), 100);
    block_on(writer.write_bytes("def")).unwrap();
    assert_eq!(script.accepted(), "def");
}

#[test]
fn a_pending_poll_write_accepted_nothing() {
    let script = Script::default();
    script.state().pending = 1;
    let mut writer = task::spawn(script.writer());
    assert_pending!(writer.enter(|cx, writer| writer.poll_write(cx, b"abc")));
    assert_eq!(script.accepted(), "");
    assert_eq!(assert_ready_ok!(writer.enter(|cx, writer| writer.poll_write(cx, b"def"))), 3);
    assert_eq!(script.accepted(), "def");
}

#[test]
fn a_poll_write_accepts_at_most_a_mebibyte() {
    let script = Script::default();
    let mut writer = script.writer();
    let data = vec![7; (1 << 20) + 1];
    assert_eq!(block_on(AsyncWriteExt::write(&mut writer, &data)).unwrap(), 1 << 20);
    assert_eq!(block_on(AsyncWriteExt::write(&mut writer, &data[1..])).unwrap(), 1 << 20);
    assert_eq!(writer.size(), 100 + (2 << 20));
}

#[test]
fn a_poll_write_copies_borrowed_data() {
    let script = Script::default();
    block_on(script.writer().write_all(b"abc")).unwrap();
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn sync_keeps_and_flush_only_hands_over() {
    let script = Script::default();
    let mut writer = script.writer();
    block_on(writer.sync()).unwrap();
    assert_eq!(script.take_calls(), "sync");
    block_on(AsyncWriteExt::flush(&mut writer)).unwrap();
    assert_eq!(script.take_calls(), "flush");
    block_on(SinkExt::<Bytes>::flush(&mut writer)).unwrap();
    assert_eq!(script.take_calls(), "flush");
}

#[test]
fn sync_waits_for_the_backend() {
    let script = Script::default();
    script.state().pending = 1;
    let mut writer = script.writer();
    let mut sync = task::spawn(writer.sync());
    assert_pending!(sync.poll());
    assert_ready_ok!(sync.poll());
}

#[test]
fn close_keeps_and_does_not_commit() {
    let script = Script::default();
    block_on(script.writer().suspend()).unwrap();
    assert_eq!(script.take_calls(), "sync");
}

#[test]
fn a_drop_asks_nothing_more() {
    let script = Script::default();
    drop(script.writer());
    assert_eq!(script.take_calls(), "");
}

#[test]
fn commit_publishes_at_its_own_path() {
    let script = Script::default();
    let metadata = block_on(script.writer().commit()).unwrap();
    assert_eq!((metadata.path, metadata.size), (path("/upload"), 100));
    assert_eq!(script.take_calls(), "commit /upload None");
}

#[test]
fn commit_to_publishes_elsewhere_under_its_precondition() {
    let script = Script::default();
    let dest = path("/dest");
    let commit = script.writer().commit_to(&dest, Precondition::IfAbsent);
    assert_eq!(block_on(commit).unwrap().path, dest);
    assert_eq!(script.take_calls(), "commit /dest IfAbsent");
}

#[test]
fn commit_to_the_root_keeps_first_and_is_refused() {
    let script = Script::default();
    script.state().pending = 1;
    let root = Path::root();
    let error = block_on(script.writer().commit_to(&root, Precondition::None)).unwrap_err();
    assert_eq!(error.to_string(), "test: commit_to /: invalid path");
    assert_eq!(script.take_calls(), "sync");
}

#[test]
fn commit_to_the_root_reports_a_failure_to_keep() {
    let (_, writer) = failing("sync");
    let error = block_on(writer.commit_to(&Path::root(), Precondition::None)).unwrap_err();
    assert_context(&error, Operation::CommitTo, "/");
}

#[test]
fn cancel_removes_the_upload() {
    let script = Script::default();
    block_on(script.writer().cancel()).unwrap();
    assert_eq!(script.take_calls(), "cancel");
}

#[test]
fn shutdown_keeps_and_then_refuses_writes() {
    let script = Script::default();
    let mut writer = script.writer();
    block_on(AsyncWriteExt::shutdown(&mut writer)).unwrap();
    assert_eq!(script.take_calls(), "sync");
    let error = block_on(writer.write_bytes("abc")).unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Other, Some(Operation::Write)));
    let error = block_on(AsyncWriteExt::write(&mut writer, b"abc")).unwrap_err();
    assert_eq!(Error::from(error).operation(), Some(Operation::Write));
    let error = block_on(SinkExt::<Bytes>::feed(&mut writer, Bytes::from("abc"))).unwrap_err();
    assert_eq!(error.operation(), Some(Operation::Write));
    assert_eq!(script.take_calls(), "");
    assert_eq!(writer.size(), 100);
}

#[test]
fn a_shutdown_that_failed_leaves_it_open() {
    let (script, mut writer) = failing("sync");
    block_on(AsyncWriteExt::shutdown(&mut writer)).unwrap_err();
    block_on(writer.write_bytes("abc")).unwrap();
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn after_shutdown_it_can_still_be_committed() {
    let script = Script::default();
    let mut writer = script.writer();
    block_on(writer.write_all(b"abc")).unwrap();
    block_on(writer.shutdown()).unwrap();
    assert_eq!(block_on(writer.commit()).unwrap().size, 103);
}

#[test]
fn a_stream_is_forwarded_and_then_committed() {
    let script = Script::default();
    let mut writer = script.writer();
    let parts = ["abc", "def"].map(|part| Ok(Bytes::from(part)));
    block_on(stream::iter(parts).forward(&mut writer)).unwrap();
    assert_eq!(script.accepted(), "abcdef");
    assert!(script.take_calls().ends_with("sync"));
    assert_eq!(block_on(writer.commit()).unwrap().size, 106);
}

#[test]
fn a_sink_waits_and_then_takes_each_item_whole() {
    let script = Script::default();
    script.state().pending = 1;
    let mut writer = script.writer();
    let mut feed = task::spawn(writer.feed(Bytes::from("abc")));
    assert_pending!(feed.poll());
    assert_ready_ok!(feed.poll());
    drop(feed);
    assert_eq!(script.accepted(), "abc");
}

#[test]
fn an_error_of_a_write_names_write() {
    for call in ["ready", "write"] {
        let (_, mut writer) = failing(call);
        let error = block_on(writer.write_bytes("abc")).unwrap_err();
        assert_context(&error, Operation::Write, "/upload");
        let error = block_on(AsyncWriteExt::write(&mut writer, b"abc")).unwrap_err();
        assert_context(&error.into(), Operation::Write, "/upload");
        let error = block_on(writer.feed(Bytes::from("abc"))).unwrap_err();
        assert_context(&error, Operation::Write, "/upload");
    }
}

#[test]
fn an_error_of_a_flush_names_write() {
    let (_, mut writer) = failing("flush");
    let error = block_on(AsyncWriteExt::flush(&mut writer)).unwrap_err();
    assert_context(&error.into(), Operation::Write, "/upload");
    let error = block_on(SinkExt::<Bytes>::flush(&mut writer)).unwrap_err();
    assert_context(&error, Operation::Write, "/upload");
}

#[test]
fn an_error_while_keeping_names_the_called_operation() {
    let (_, mut writer) = failing("sync");
    assert_context(&block_on(writer.sync()).unwrap_err(), Operation::Sync, "/upload");
    let error = block_on(AsyncWriteExt::shutdown(&mut writer)).unwrap_err();
    assert_context(&error.into(), Operation::Suspend, "/upload");
    let error = block_on(SinkExt::<Bytes>::close(&mut writer)).unwrap_err();
    assert_context(&error, Operation::Suspend, "/upload");
    assert_context(&block_on(writer.suspend()).unwrap_err(), Operation::Suspend, "/upload");
}

#[test]
fn an_error_of_an_end_names_it_and_its_path() {
    let (_, writer) = failing("commit");
    assert_context(&block_on(writer.commit()).unwrap_err(), Operation::Commit, "/upload");
    let (_, writer) = failing("commit");
    let error = block_on(writer.commit_to(&path("/dest"), Precondition::None)).unwrap_err();
    assert_context(&error, Operation::CommitTo, "/dest");
    let (_, writer) = failing("cancel");
    assert_context(&block_on(writer.cancel()).unwrap_err(), Operation::Cancel, "/upload");
}

/// A session of the required methods alone.
struct Minimal;

#[async_trait]
impl WriteSession for Minimal {
    fn start_write(&mut self, data: Bytes) -> Result<()> {
        assert_eq!(data, "abc");
        Ok(())
    }

    fn set_note(&mut self, _: Bytes) -> Result<()> {
        Err(ErrorKind::Unavailable.into())
    }

    fn poll_sync(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Err(ErrorKind::Unavailable.into()))
    }

    async fn commit_to(self: Box<Self>, _: &Path, _: Precondition) -> Result<Metadata> {
        Err(ErrorKind::Unavailable.into())
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_session_without_a_buffer_need_not_write_flush() {
    let mut writer = task::spawn(Writer::new("test", path("/a"), 0, Minimal));
    let flushed: Poll<io::Result<()>> =
        writer.enter(|cx, writer| AsyncWrite::poll_flush(writer, cx));
    assert_ready!(flushed).unwrap();
}

#[test]
fn a_session_that_takes_bytes_need_not_take_slices() {
    let mut writer = Writer::new("test", path("/a"), 0, Minimal);
    block_on(writer.write_all(b"abc")).unwrap();
    assert_eq!(writer.size(), 3);
}

#[test]
fn a_note_goes_to_the_session_and_can_be_read_back() {
    let script = Script::default();
    let mut writer = script.writer().with_note("old".into());
    assert_eq!(writer.note(), "old");
    writer.set_note("new").unwrap();
    assert_eq!(writer.note(), "new");
    assert_eq!(script.take_calls(), "note 3");
}

#[test]
fn a_note_of_4096_bytes_is_accepted_and_a_longer_one_is_refused() {
    let script = Script::default();
    let mut writer = script.writer();
    writer.set_note(vec![7; 4096]).unwrap();
    let error = writer.set_note(vec![8; 4097]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentTooLarge { size: 4097, limit: 4096 });
    assert_eq!(error.operation(), Some(Operation::SetNote));
    assert_eq!(writer.note().as_ref(), [7; 4096]);
    assert_eq!(script.take_calls(), "note 4096");
}

#[test]
fn a_note_that_the_session_refuses_leaves_the_old_one() {
    let (script, writer) = failing("note");
    let mut writer = writer.with_note("old".into());
    let error = writer.set_note("new").unwrap_err();
    assert_context(&error, Operation::SetNote, "/upload");
    assert_eq!(writer.note(), "old");
    script.take_calls();
}
