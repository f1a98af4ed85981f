//! 8. Errors.

use std::{error::Error as _, io, time::Duration};

use futures::StreamExt;
use storage_driver::{
    Error, ErrorKind, ListOptions, Operation, Path, Precondition, ReadRange, StorageDriver,
    StorageDriverExt, WalkOptions, WriterOptions,
};
use tokio::io::AsyncWriteExt;

use crate::{
    Subject,
    check::{LIMIT, append, create, error, explains, fails, path, put, read, resume, upload},
};

pub(crate) async fn errors_of_get_content_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let operations = [Operation::GetContent, Operation::Reader, Operation::Read];
    put(&driver, "/a/b", "content").await;
    let at = |at: &str| path(at);
    explains(&driver, &error(driver.get_content(&at("/c"), 9).await), &operations, "/c");
    explains(&driver, &error(driver.get_content(&at("/a"), 9).await), &operations, "/a");
    explains(&driver, &error(driver.get_content(&at("/a/b"), 6).await), &operations, "/a/b");
    explains(&driver, &error(driver.get_content(&at("/"), 6).await), &operations, "/");
}

pub(crate) async fn errors_of_get_range_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let operations = [Operation::GetRange, Operation::Reader, Operation::Read];
    put(&driver, "/a/b", "content").await;
    for (at, range) in [
        ("/c", ReadRange::Full),
        ("/a", ReadRange::Full),
        ("/a/b", ReadRange::Offset(8)),
        ("/a/b", ReadRange::Full),
    ] {
        let failed = error(driver.get_range(&path(at), range, 6).await);
        explains(&driver, &failed, &operations, at);
    }
}

pub(crate) async fn errors_of_reader_say_where(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "content").await;
    for (at, range) in
        [("/c", ReadRange::Full), ("/a", ReadRange::Full), ("/a/b", ReadRange::Offset(8))]
    {
        let failed = error(driver.reader(&path(at), range).await);
        explains(&driver, &failed, &[Operation::Reader], at);
    }
}

pub(crate) async fn errors_of_put_content_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let failed = error(driver.put(&Path::root(), "x").await);
    explains(&driver, &failed, &[Operation::PutContent], "/");
    if driver.capabilities().rejects_conflicts {
        put(&driver, "/a/b", "x").await;
        let failed = error(driver.put(&path("/a/b/c"), "x").await);
        explains(&driver, &failed, &[Operation::PutContent], "/a/b/c");
    }
    if driver.capabilities().preconditions {
        put(&driver, "/d", "x").await;
        let result = driver.put_content(&path("/d"), "y".into(), Precondition::IfAbsent).await;
        explains(&driver, &error(result), &[Operation::PutContent], "/d");
    }
}

pub(crate) async fn errors_of_writer_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let operations = [Operation::Writer];
    explains(&driver, &error(driver.resume(&path("/a")).await), &operations, "/a");
    explains(&driver, &error(driver.create(&Path::root()).await), &operations, "/");
    upload(&driver, "/b", "x").await;
    let result = driver.writer(&path("/b"), WriterOptions::resume_at(2)).await;
    explains(&driver, &error(result), &operations, "/b");
    let failed = error(driver.append(&path("/c")).await);
    explains(&driver, &failed, &operations, "/c");
}

pub(crate) async fn errors_of_stat_and_list_say_where(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    let failed = error(driver.stat(&path("/c")).await);
    explains(&driver, &failed, &[Operation::Stat], "/c");
    for at in ["/c", "/a/b"] {
        let failed = error(driver.list(&path(at), ListOptions::new()).await);
        explains(&driver, &failed, &[Operation::List], at);
    }
}

pub(crate) async fn errors_of_walk_say_where(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a/b", "x").await;
    for at in ["/c", "/a/b"] {
        let first = driver.walk(&path(at), WalkOptions::new()).next().await;
        let failed = error(first.expect("an error"));
        explains(&driver, &failed, &[Operation::Walk, Operation::List], at);
    }
}

pub(crate) async fn errors_of_deletions_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let failed = error(driver.delete(&path("/a"), Precondition::None).await);
    explains(&driver, &failed, &[Operation::Delete], "/a");
    let failed = error(driver.delete_dir(&path("/a")).await);
    explains(&driver, &failed, &[Operation::DeleteDir], "/a");
    let failed = error(driver.cancel_upload(&path("/a")).await);
    explains(&driver, &failed, &[Operation::CancelUpload], "/a");
    let failed = error(driver.delete_many(&[Path::root()]).await);
    explains(&driver, &failed, &[Operation::DeleteMany, Operation::Delete], "/");
}

pub(crate) async fn errors_of_moves_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let (from, to) = (path("/from"), path("/to"));
    let failed = error(driver.rename(&from, &to, Precondition::None).await);
    explains(&driver, &failed, &[Operation::Rename], "/from");
    let failed = error(driver.rename_dir(&from, &to).await);
    explains(&driver, &failed, &[Operation::RenameDir], "/from");
    let failed = error(driver.copy(&from, &to, Precondition::None).await);
    explains(&driver, &failed, &[Operation::Copy], "/from");
    let failed = error(driver.touch(&from, Precondition::None).await);
    explains(&driver, &failed, &[Operation::Touch], "/from");
}

pub(crate) async fn errors_of_a_redirect_say_where(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "x").await;
    let method = storage_driver::RedirectMethod::Get;
    let result = driver.redirect_url(&path("/a"), method, Duration::from_secs(1)).await;
    explains(&driver, &error(result), &[Operation::RedirectUrl], "/a");
}

pub(crate) async fn errors_of_a_writer_in_mid_stream_say_where(subject: Subject) {
    let driver = subject.driver().await;
    for operations in [
        &[Operation::Sync][..],
        &[Operation::Suspend, Operation::Sync],
        &[Operation::Commit, Operation::CommitTo],
        &[Operation::Cancel],
    ] {
        let at = format!("/d/{}", operations[0]);
        let mut writer = create(&driver, &at).await;
        writer.write_bytes("x").await.unwrap();
        let _successor = create(&driver, &at).await;
        let failed = match operations[0] {
            Operation::Sync => error(writer.sync().await),
            Operation::Suspend => error(writer.suspend().await),
            Operation::Commit => error(writer.commit().await),
            _ => error(writer.cancel().await),
        };
        assert_eq!(failed.kind(), ErrorKind::WriterFenced);
        explains(&driver, &failed, operations, &at);
    }
}

pub(crate) async fn errors_of_commit_to_say_where(subject: Subject) {
    let driver = subject.driver().await;
    let writer = create(&driver, "/u").await;
    let failed = error(writer.commit_to(&Path::root(), Precondition::None).await);
    explains(&driver, &failed, &[Operation::CommitTo], "/");
    if driver.capabilities().rejects_conflicts {
        put(&driver, "/a", "x").await;
        let writer = create(&driver, "/u").await;
        let failed = error(writer.commit_to(&path("/a/b"), Precondition::None).await);
        explains(&driver, &failed, &[Operation::CommitTo], "/a/b");
    }
}

pub(crate) async fn callers_can_ask_what_an_error_is(subject: Subject) {
    let driver = subject.driver().await;
    let missing = error(driver.stat(&path("/a")).await);
    assert!(missing.is_not_found());
    assert!(!missing.is_retryable() && !missing.is_precondition_failed());
    let invalid = error(driver.put(&Path::root(), "x").await);
    assert!(!invalid.is_not_found() && !invalid.is_retryable());
}

pub(crate) async fn an_error_comes_back_out_of_an_io_error(subject: Subject) {
    let driver = subject.driver().await;
    let failed = error(driver.get_content(&path("/a/b"), LIMIT).await);
    let (text, kind) = (failed.to_string(), failed.kind());
    let through = io::Error::from(failed);
    assert_eq!(through.kind(), io::ErrorKind::NotFound);
    let back = Error::from(through);
    assert_eq!((back.to_string(), back.kind()), (text, kind));
    assert_eq!(back.path(), Some(&path("/a/b")));
    assert_eq!(back.driver(), Some(driver.name()));
}

pub(crate) async fn an_adapter_carries_the_error(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let _successor = create(&driver, "/a").await;
    let through = writer.shutdown().await.unwrap_err();
    let inner = through.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    assert_eq!(inner.map(Error::kind), Some(ErrorKind::WriterFenced));
    let back = Error::from(through);
    explains(&driver, &back, &[Operation::Suspend, Operation::Sync], "/a");
}

pub(crate) async fn a_foreign_io_error_keeps_its_kind_and_is_the_source(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/a").await;
    let cause = io::Error::new(io::ErrorKind::TimedOut, "the client");
    let pieces = futures::stream::iter([Err::<bytes::Bytes, _>(cause)]);
    let failed = error(writer.write_stream(pieces).await);
    assert_eq!(failed.kind(), ErrorKind::Timeout);
    let source = failed.source().and_then(|source| source.downcast_ref::<io::Error>());
    assert_eq!(source.map(ToString::to_string).as_deref(), Some("the client"));
    assert_eq!(io::Error::from(failed).kind(), io::ErrorKind::TimedOut);
}

pub(crate) async fn extreme_numbers_do_not_panic(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "content").await;
    upload(&driver, "/u", "upload").await;
    let at = path("/a");
    let max = u64::MAX;
    let reversed = ReadRange::Bounded(max..0);
    for range in [
        ReadRange::Offset(max),
        ReadRange::Bounded(0..max),
        ReadRange::Bounded(max..max),
        ReadRange::Suffix(max),
        reversed,
        (0..=max).into(),
    ] {
        for limit in [0, 1, max] {
            let _ = driver.get_range(&at, range.clone(), limit).await;
        }
        let _ = driver.reader(&at, range).await;
    }
    for limit in [0, usize::MAX] {
        let options = ListOptions::new().limit(limit);
        driver.list(&Path::root(), options.clone()).await.unwrap();
        driver.uploads(&Path::root(), options).await.unwrap();
    }
    driver.cancel_uploads(&Path::root(), Duration::MAX).await.unwrap();
    let hinted = WriterOptions::create().size_hint(max);
    driver.writer(&path("/b"), hinted).await.unwrap().cancel().await.unwrap();
    fails(
        driver.writer(&path("/u"), WriterOptions::resume_at(max)).await,
        ErrorKind::OffsetMismatch { given: max, size: 6 },
    );
    assert_eq!(read(&driver, "/a").await, "content");
}

pub(crate) async fn an_append_that_fails_says_where(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/a", "old").await;
    append(&driver, "/a").await.suspend().await.unwrap();
    put(&driver, "/a", "new").await;
    let failed = error(resume(&driver, "/a").await.commit().await);
    assert!(failed.is_precondition_failed());
    explains(&driver, &failed, &[Operation::Commit, Operation::CommitTo], "/a");
}
