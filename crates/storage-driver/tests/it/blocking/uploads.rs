//! `BlockingUploads`: what a writer accepted is stored, kept, held for its successor, or reported.

use std::pin::pin;

use futures::{FutureExt, poll};
use storage_driver::{ErrorKind, Precondition, Result, WriteMode, Writer};
use tokio::io::AsyncWriteExt;

use super::backend::{Backend, Gate, path};

const LIMIT: usize = 16;
const PLENTY: usize = 1 << 30;

/// Writes until the store is full. Returns what was accepted.
async fn fill(writer: &mut Writer) -> String {
    let mut accepted = String::new();
    for piece in ["abcd", "efgh", "ijkl", "mnop"].into_iter().cycle() {
        match writer.write_bytes(piece).await {
            Ok(()) => accepted.push_str(piece),
            Err(error) => {
                assert!(error.is_storage_full(), "{error:?}");
                break;
            }
        }
    }
    assert_eq!(writer.size(), accepted.len() as u64);
    accepted
}

#[tokio::test]
async fn data_is_stored_in_order_and_committed() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    let mut expected = String::new();
    for number in 0..1000 {
        let piece = format!("{number},");
        expected.push_str(&piece);
        match number % 2 {
            0 => writer.write_bytes(piece).await.unwrap(),
            _ => writer.write_all(piece.as_bytes()).await.unwrap(),
        }
    }
    let file = writer.commit_to(&path("/f"), Precondition::None).await.unwrap();
    assert_eq!(file.size, expected.len() as u64);
    assert_eq!(backend.file("/f").unwrap(), expected);
    // No append was longer than the limit and the piece that was accepted last.
    assert!(backend.state().largest <= LIMIT + 4, "{}", backend.state().largest);
}

#[tokio::test]
async fn the_caller_continues_while_a_thread_stores_and_waits_at_the_limit() {
    let backend = Backend::new(PLENTY, LIMIT);
    let gate = Gate::default();
    backend.state().gate = Some(gate.door());
    let mut writer = backend.create("/u").await;
    writer.write_bytes("half the").await.unwrap();
    gate.reached().await;
    writer.write_bytes(" limit, ").await.unwrap();
    {
        let mut write = pin!(writer.write_bytes("more"));
        assert!(poll!(&mut write).is_pending());
        assert!(poll!(&mut write).is_pending());
        gate.open();
        write.await.unwrap();
    }
    writer.suspend().await.unwrap();
    assert_eq!(backend.stored("/u"), "half the limit, more");
}

#[tokio::test]
async fn a_flush_hands_everything_to_the_backend() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    writer.write_all(b"abc").await.unwrap();
    assert_eq!(backend.stored("/u"), "");
    writer.flush().await.unwrap();
    assert_eq!(backend.stored("/u"), "abc");
}

#[tokio::test]
async fn a_full_store_accepts_nothing_more_until_there_is_room() {
    let backend = Backend::new(10, LIMIT);
    let mut writer = backend.create("/u").await;
    let mut accepted = fill(&mut writer).await;
    for _ in 0..3 {
        assert!(writer.write_bytes("refused").await.unwrap_err().is_storage_full());
        assert!(writer.sync().await.unwrap_err().is_storage_full());
    }
    assert_eq!(writer.size(), accepted.len() as u64);
    assert_eq!(backend.stored("/u"), accepted[..10]);
    backend.state().room = PLENTY;
    writer.write_bytes("more").await.unwrap();
    accepted.push_str("more");
    writer.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), accepted);
}

#[tokio::test]
async fn a_commit_to_a_full_store_holds_the_rest_for_the_next_resume() {
    let backend = Backend::new(10, LIMIT);
    let mut writer = backend.create("/u").await;
    let accepted = fill(&mut writer).await;
    writer.set_note("the note").unwrap();
    assert!(writer.commit().await.unwrap_err().is_storage_full());
    assert_eq!(backend.held("/u").await, accepted.len() as u64 - 10);

    // Still full: the rest moves from writer to writer, and each counts it.
    let mode = WriteMode::Resume { at: Some(accepted.len() as u64) };
    let mut writer = backend.writer("/u", mode).await.unwrap();
    assert_eq!(writer.note(), "the note");
    assert!(writer.sync().await.unwrap_err().is_storage_full());
    drop(writer);

    backend.state().room = PLENTY;
    let writer = backend.resume("/u").await;
    assert_eq!((writer.size(), &writer.note()[..]), (accepted.len() as u64, &b"the note"[..]));
    writer.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), accepted);
}

#[tokio::test]
async fn a_resume_at_another_size_leaves_the_held_rest() {
    let backend = Backend::new(10, LIMIT);
    let mut writer = backend.create("/u").await;
    let accepted = fill(&mut writer).await;
    drop(writer);
    let error = backend.writer("/u", WriteMode::Resume { at: Some(10) }).await.unwrap_err();
    assert_eq!(error.offset_mismatch(), Some(accepted.len() as u64));
    backend.state().room = PLENTY;
    backend.resume("/u").await.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), accepted);
}

#[tokio::test]
async fn a_create_or_a_deletion_discards_the_held_rest() {
    let backend = Backend::new(10, LIMIT);
    drop(fill(&mut backend.create("/u/1").await).await);
    assert_ne!(backend.held("/u/1").await, 0);
    assert_eq!(backend.create("/u/1").await.size(), 0);
    backend.state().room = 0;
    fill(&mut backend.resume("/u/1").await).await;
    let uploads = backend.uploads.clone();
    let discard = move || {
        uploads.discard_below(&path("/u"));
        Ok(())
    };
    backend.tasks.write(&[&path("/u")], discard).await.unwrap();
    assert_eq!(backend.held("/u/1").await, 0);
}

#[tokio::test]
async fn a_commit_that_fails_otherwise_keeps_everything() {
    let backend = Backend::new(PLENTY, LIMIT);
    backend.state().files.insert(path("/f"), Vec::new());
    let mut writer = backend.create("/u").await;
    writer.write_bytes("content").await.unwrap();
    let error = writer.commit_to(&path("/f"), Precondition::IfAbsent).await.unwrap_err();
    assert!(error.is_precondition_failed());
    assert_eq!(backend.resume("/u").await.size(), 7);
}

#[tokio::test]
async fn a_drop_keeps_data_and_note_before_the_next_task_on_the_path() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    writer.write_bytes("content").await.unwrap();
    writer.set_note("note").unwrap();
    drop(writer);
    let state = std::sync::Arc::clone(&backend.state);
    let look = move || Ok(state.lock().unwrap().uploads[&path("/u")].clone());
    let (data, kept, note) = backend.tasks.read(&path("/u"), look).await.unwrap();
    assert_eq!((&data[..], kept, &note[..]), (&b"content"[..], 7, &b"note"[..]));
}

#[tokio::test]
async fn a_sync_that_was_dropped_keeps_the_note_of_its_own_moment() {
    let backend = Backend::new(PLENTY, LIMIT);
    let gate = Gate::default();
    backend.state().gate = Some(gate.door());
    let mut writer = backend.create("/u").await;
    writer.write_bytes("one").await.unwrap();
    writer.set_note("1").unwrap();
    assert!(writer.sync().now_or_never().is_none());
    // Accepted while the dropped sync runs, and not part of it.
    gate.reached().await;
    writer.write_bytes(", two").await.unwrap();
    gate.open();
    let shown = {
        let state = std::sync::Arc::clone(&backend.state);
        let look = move || Ok(state.lock().unwrap().uploads[&path("/u")].clone());
        backend.tasks.write(&[&path("/u")], look).await.unwrap()
    };
    assert_eq!((&shown.0[..], shown.1, &shown.2[..]), (&b"one"[..], 3, &b"1"[..]));
    writer.set_note("2").unwrap();
    writer.sync().await.unwrap();
    let (data, kept, note) = backend.state().uploads[&path("/u")].clone();
    assert_eq!((&data[..], kept, &note[..]), (&b"one, two"[..], 8, &b"2"[..]));
}

#[tokio::test]
async fn a_resume_fences_and_has_what_the_fenced_writer_accepted() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut first = backend.create("/u").await;
    first.write_bytes("first").await.unwrap();
    first.set_note("note").unwrap();
    let mut second = backend.resume("/u").await;
    assert_eq!((second.size(), &second.note()[..]), (5, &b"note"[..]));
    for error in [first.write_bytes("late").await, first.set_note("late"), first.sync().await] {
        assert_eq!(error.unwrap_err().kind(), ErrorKind::WriterFenced);
    }
    drop(first);
    second.write_bytes(", second").await.unwrap();
    second.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), "first, second");
}

#[tokio::test]
async fn an_opening_that_fails_leaves_the_open_writer() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    writer.write_bytes("one").await.unwrap();
    backend.writer("/u", WriteMode::Resume { at: Some(9) }).await.unwrap_err();
    writer.write_bytes(", two").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), "one, two");
}

#[tokio::test]
async fn a_panic_in_the_backend_is_an_error_and_loses_nothing() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    writer.write_bytes("content").await.unwrap();
    for call in ["append", "keep"] {
        backend.state().panics = Some(call);
        assert_eq!(writer.sync().await.unwrap_err().kind(), ErrorKind::Other, "{call}");
    }
    backend.state().panics = Some("commit_to");
    assert_eq!(writer.commit().await.unwrap_err().kind(), ErrorKind::Other);
    backend.state().panics = None;
    backend.resume("/u").await.commit().await.unwrap();
    assert_eq!(backend.file("/u").unwrap(), "content");
}

/// Polls `operation` that many times and drops it.
async fn cut<T>(polls: usize, operation: impl Future<Output = Result<T>>) -> Option<Result<T>> {
    let mut operation = pin!(operation);
    for _ in 0..polls {
        if let Some(result) = operation.as_mut().now_or_never() {
            return Some(result);
        }
        tokio::task::yield_now().await;
    }
    None
}

#[tokio::test]
async fn a_commit_dropped_at_every_poll_publishes_everything_or_keeps_everything() {
    for polls in 0..8 {
        let backend = Backend::new(PLENTY, LIMIT);
        let mut writer = backend.create("/u").await;
        writer.write_bytes("content").await.unwrap();
        let dest = path("/f");
        let ended = cut(polls, writer.commit_to(&dest, Precondition::None)).await;
        match backend.writer("/u", WriteMode::Resume { at: None }).await {
            Ok(writer) => {
                assert!(ended.is_none() && backend.file("/f").is_none());
                assert_eq!(writer.size(), 7);
            }
            Err(error) => {
                assert!(error.is_not_found(), "{error:?}");
                assert_eq!(backend.file("/f").unwrap(), "content");
            }
        }
    }
}

#[tokio::test]
async fn an_opening_or_a_cancel_dropped_at_every_poll_takes_effect_once_or_never() {
    for polls in 0..8 {
        let backend = Backend::new(PLENTY, LIMIT);
        let mut writer = backend.create("/u").await;
        writer.write_bytes("content").await.unwrap();
        drop(cut(polls, backend.writer("/u", WriteMode::Resume { at: None })).await);
        drop(writer);
        let writer = backend.resume("/u").await;
        assert_eq!(writer.size(), 7, "{polls} polls");
        let ended = cut(polls, writer.cancel()).await;
        match backend.writer("/u", WriteMode::Resume { at: None }).await {
            Ok(writer) => assert!(ended.is_none() && writer.size() == 7),
            Err(error) => assert!(error.is_not_found(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn no_upload_is_remembered_once_it_has_no_writer_and_holds_nothing() {
    let backend = Backend::new(PLENTY, LIMIT);
    for number in 0..20 {
        let mut writer = backend.create(&format!("/u/{number}")).await;
        writer.write_bytes("content").await.unwrap();
        match number % 3 {
            0 => drop(writer),
            1 => drop(writer.commit().await.unwrap()),
            _ => writer.cancel().await.unwrap(),
        }
    }
    backend.tasks.wait().await;
    assert!(format!("{:?}", backend.uploads).contains("open: 0"), "{:?}", backend.uploads);
}

#[tokio::test]
async fn shutdown_keeps_what_open_writers_accepted() {
    let backend = Backend::new(PLENTY, LIMIT);
    let mut writer = backend.create("/u").await;
    writer.write_bytes("content").await.unwrap();
    backend.uploads.shutdown().await.unwrap();
    assert_eq!(backend.state().uploads[&path("/u")].1, 7);
    assert_eq!(writer.write_bytes("late").await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(writer.commit().await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn shutdown_reports_data_that_the_backend_does_not_take() {
    let backend = Backend::new(10, LIMIT);
    let accepted = fill(&mut backend.create("/u").await).await;
    let error = backend.uploads.shutdown().await.unwrap_err();
    assert!(error.is_storage_full());
    assert_eq!(error.path(), Some(&path("/u")));
    backend.state().room = PLENTY;
    backend.uploads.shutdown().await.unwrap();
    assert_eq!(backend.stored("/u"), accepted);
}
