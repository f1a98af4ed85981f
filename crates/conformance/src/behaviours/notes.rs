//! 5.17: the note of an upload, and 5.16: `upload`, which reports it.

use std::time::Duration;

use bytes::Bytes;
use storage_driver::{
    ErrorKind, Precondition, StorageDriver, StorageDriverExt, UploadInfo, Writer,
};

use crate::{
    Subject,
    check::{append, create, fails, finish, path, put, resume, uploads},
};

/// The upload at a path.
async fn info(driver: &dyn StorageDriver, at: &str) -> UploadInfo {
    let upload = driver.upload(&path(at)).await;
    let upload = upload.unwrap_or_else(|error| panic!("{at} should be reported: {error:?}"));
    upload.unwrap_or_else(|| panic!("an upload should be at {at}"))
}

/// An upload at `/u` with this data and note, and its writer.
async fn noted(driver: &dyn StorageDriver, data: &'static str, note: &'static str) -> Writer {
    let mut writer = create(driver, "/u").await;
    writer.write_bytes(data).await.unwrap();
    writer.set_note(note).unwrap();
    writer
}

pub(crate) async fn suspend_keeps_the_note_with_the_data(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (4, &b"note"[..]));
}

pub(crate) async fn sync_keeps_the_note_through_a_drop(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "note").await;
    writer.sync().await.unwrap();
    drop(writer);
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (4, &b"note"[..]));
}

pub(crate) async fn a_drop_keeps_the_note_with_the_data(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "first").await;
    writer.sync().await.unwrap();
    writer.write_bytes(", more").await.unwrap();
    writer.set_note("second").unwrap();
    drop(writer);
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (10, &b"second"[..]));
}

pub(crate) async fn a_drop_never_separates_a_note_from_its_data(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = create(&driver, "/u").await;
    for number in 1..=20_u64 {
        writer.write_bytes(vec![7; 100_000]).await.unwrap();
        writer.set_note((number * 100_000).to_string()).unwrap();
        if number == 5 {
            writer.sync().await.unwrap();
        }
    }
    drop(writer);
    let writer = resume(&driver, "/u").await;
    assert!(writer.size() >= 500_000, "{} bytes were kept", writer.size());
    assert_eq!(writer.note(), writer.size().to_string().as_str());
}

pub(crate) async fn the_last_note_counts(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "first").await;
    writer.set_note("second").unwrap();
    assert_eq!(writer.note(), "second");
    writer.suspend().await.unwrap();
    assert_eq!(resume(&driver, "/u").await.note(), "second");
}

pub(crate) async fn an_empty_note_removes_the_note(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    let mut writer = resume(&driver, "/u").await;
    writer.set_note("").unwrap();
    writer.suspend().await.unwrap();
    assert!(resume(&driver, "/u").await.note().is_empty());
}

pub(crate) async fn a_note_may_be_any_bytes_up_to_its_limit(subject: Subject) {
    let driver = subject.driver().await;
    let all: Bytes = (0..=255).collect();
    let longest = Bytes::from([b"\n\r", &[0xff; 4094][..]].concat());
    for note in [Bytes::from_static(b"\0"), Bytes::from_static(b"\n"), all, longest] {
        let mut writer = create(&driver, "/u").await;
        writer.set_note(note.clone()).unwrap();
        writer.suspend().await.unwrap();
        assert_eq!(resume(&driver, "/u").await.note(), &note);
    }
}

pub(crate) async fn a_note_beyond_the_limit_is_refused_and_the_old_one_stays(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "old").await;
    let kind = ErrorKind::ContentTooLarge { size: 4097, limit: 4096 };
    fails(writer.set_note(vec![7; 4097]), kind);
    assert_eq!(writer.note(), "old");
    writer.suspend().await.unwrap();
    assert_eq!(resume(&driver, "/u").await.note(), "old");
}

pub(crate) async fn a_note_without_data_is_kept(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "", "note").await.suspend().await.unwrap();
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (0, &b"note"[..]));
}

pub(crate) async fn data_after_the_note_leaves_the_note(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "note").await;
    writer.write_bytes(", more").await.unwrap();
    writer.suspend().await.unwrap();
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (10, &b"note"[..]));
}

pub(crate) async fn create_starts_without_a_note(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    let writer = create(&driver, "/u").await;
    assert!(writer.note().is_empty());
    writer.suspend().await.unwrap();
    assert!(resume(&driver, "/u").await.note().is_empty());
}

pub(crate) async fn append_starts_without_a_note(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.commit().await.unwrap();
    let writer = append(&driver, "/u").await;
    assert!(writer.note().is_empty());
    writer.suspend().await.unwrap();
    assert!(resume(&driver, "/u").await.note().is_empty());
}

pub(crate) async fn notes_of_different_uploads_do_not_mix(subject: Subject) {
    let driver = subject.driver().await;
    for at in ["/a", "/a/b", "/ab"] {
        let mut writer = create(&driver, at).await;
        writer.set_note(at.to_owned()).unwrap();
        writer.suspend().await.unwrap();
    }
    for at in ["/a", "/a/b", "/ab"] {
        assert_eq!(resume(&driver, at).await.note(), at);
    }
}

pub(crate) async fn a_note_is_gone_after_the_commit(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.commit().await.unwrap();
    assert_eq!(driver.upload(&path("/u")).await.unwrap(), None);
    assert!(create(&driver, "/u").await.note().is_empty());
}

pub(crate) async fn a_commit_that_fails_keeps_the_note(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/taken", "x").await;
    let writer = noted(&driver, "data", "note").await;
    let result = writer.commit_to(&path("/taken"), Precondition::IfAbsent).await;
    fails(result, ErrorKind::PreconditionFailed);
    let writer = resume(&driver, "/u").await;
    assert_eq!((writer.size(), writer.note().as_ref()), (4, &b"note"[..]));
}

pub(crate) async fn a_note_of_a_fenced_writer_does_not_reach_its_successor(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = noted(&driver, "data", "kept").await;
    first.sync().await.unwrap();
    let second = resume(&driver, "/u").await;
    let _ = first.set_note("late"); // it may be refused at once
    fails(first.sync().await, ErrorKind::WriterFenced);
    drop(first);
    assert_eq!(second.note(), "kept");
    second.suspend().await.unwrap();
    assert_eq!(resume(&driver, "/u").await.note(), "kept");
}

pub(crate) async fn a_note_set_before_the_fence_is_kept(subject: Subject) {
    let driver = subject.driver().await;
    let mut first = noted(&driver, "data", "first").await;
    first.sync().await.unwrap();
    first.write_bytes(", more").await.unwrap();
    first.set_note("second").unwrap();
    let second = resume(&driver, "/u").await;
    assert_eq!((second.size(), second.note().as_ref()), (10, &b"second"[..]));
    drop(first);
}

pub(crate) async fn upload_reports_size_and_note(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    let upload = info(&driver, "/u").await;
    assert_eq!((upload.path, upload.size), (path("/u"), Some(4)));
    assert_eq!(upload.note.unwrap(), "note");
    assert!(upload.modified >= upload.created);
}

pub(crate) async fn upload_reports_an_empty_note_if_there_is_none(subject: Subject) {
    let driver = subject.driver().await;
    create(&driver, "/u").await.suspend().await.unwrap();
    let upload = info(&driver, "/u").await;
    assert_eq!((upload.size, upload.note), (Some(0), Some(Bytes::new())));
}

pub(crate) async fn upload_of_an_open_writer_does_not_fence_it(subject: Subject) {
    let driver = subject.driver().await;
    let mut writer = noted(&driver, "data", "note").await;
    writer.sync().await.unwrap();
    writer.write_bytes(", more").await.unwrap();
    let size = info(&driver, "/u").await.size.unwrap();
    assert!((4..=10).contains(&size), "{size}");
    writer.write_bytes("!").await.unwrap();
    writer.commit().await.unwrap();
    assert_eq!(driver.get_bytes(&path("/u"), 99).await.unwrap(), "data, more!");
}

pub(crate) async fn upload_of_another_path_is_none(subject: Subject) {
    let driver = subject.driver().await;
    put(&driver, "/file", "x").await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    for at in ["/file", "/u/below", "/uu", "/nothing"] {
        assert_eq!(driver.upload(&path(at)).await.unwrap(), None, "{at}");
    }
    create(&driver, "/a/b").await.suspend().await.unwrap();
    assert_eq!(driver.upload(&path("/a")).await.unwrap(), None);
}

pub(crate) async fn upload_of_the_root_is_an_invalid_path(subject: Subject) {
    let driver = subject.driver().await;
    fails(driver.upload(&path("/")).await, ErrorKind::InvalidPath);
}

pub(crate) async fn upload_is_none_after_a_cancel(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.cancel().await.unwrap();
    assert_eq!(driver.upload(&path("/u")).await.unwrap(), None);
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    driver.cancel_uploads(&path("/"), Duration::ZERO).await.unwrap();
    assert_eq!(driver.upload(&path("/u")).await.unwrap(), None);
    assert!(uploads(&driver, "/").await.is_empty());
}

pub(crate) async fn notes_in_a_listing_are_those_of_the_uploads(subject: Subject) {
    let driver = subject.driver().await;
    noted(&driver, "data", "note").await.suspend().await.unwrap();
    let page = driver.uploads(&path("/"), Default::default()).await.unwrap();
    for upload in page.items {
        // A backend may leave out what it does not know for free.
        assert!(upload.note.is_none_or(|note| note == "note"));
    }
    assert_eq!(finish(&driver, "/u").await, "data");
}
