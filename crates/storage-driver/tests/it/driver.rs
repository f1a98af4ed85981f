//! The provided methods of `StorageDriver`, over a driver that writes the required ones alone.

use std::time::{Duration, SystemTime};

use crate::support::map::Map;
use futures::TryStreamExt;
use storage_driver::{
    Capabilities, Entry, Error, ErrorKind, Operation, Path, Precondition, ReadRange,
    RedirectMethod, StorageDriver, StorageDriverExt, SweepOptions, SweepReport, WalkOptions,
};
use tokio_test::block_on;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// A store with "abcdef" at `/a`.
fn store() -> Map {
    let map = Map::default();
    block_on(map.put(&path("/a"), "abcdef")).unwrap();
    map
}

/// A store whose `method` fails of `at`.
fn failing(map: Map, method: &'static str, at: &str) -> Map {
    map.state().fails = Some((method, path(at), ErrorKind::Timeout));
    map
}

#[track_caller]
fn assert_error(error: &Error, kind: ErrorKind, operation: Operation, at: &str) {
    assert_eq!(error.kind(), kind);
    assert_eq!(error.driver(), Some("map"));
    assert_eq!(error.operation(), Some(operation));
    assert_eq!(error.path(), Some(&path(at)));
}

#[test]
fn nothing_is_claimed_by_accident() {
    let none = Capabilities {
        preconditions: false,
        conditional_commit: false,
        rename_file: false,
        rename_dir: false,
        copy: false,
        append: false,
        touch: false,
        redirect: false,
        durable: false,
        keeps_on_drop: false,
        atomic_rename: false,
        atomic_commit_to: false,
        rejects_conflicts: false,
        snapshot_listing: false,
        linearizable: false,
        unique_versions: false,
        ordered_walk: false,
        max_path_bytes: 4096,
    };
    assert_eq!(Capabilities::none(), none);
    assert_eq!(Capabilities::default(), none);
}

#[test]
fn get_content_reads_it_all() {
    let content = block_on(store().get_content(&path("/a"), 6)).unwrap();
    assert_eq!((content.metadata().size, content.metadata().path.as_str()), (6, "/a"));
    assert_eq!(content.into_bytes(), "abcdef");
}

#[test]
fn get_content_over_the_limit_is_refused() {
    let error = block_on(store().get_content(&path("/a"), 5)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentTooLarge { size: 6, limit: 5 });
    assert_eq!((error.driver(), error.path()), (Some("map"), Some(&path("/a"))));
}

#[test]
fn get_content_of_a_missing_path_names_it() {
    let error = block_on(store().get_content(&path("/b"), 9)).unwrap_err();
    assert_error(&error, ErrorKind::PathNotFound, Operation::GetContent, "/b");
}

#[test]
fn get_range_reads_the_range_under_a_limit_on_it() {
    let content = block_on(store().get_range(&path("/a"), (1..3).into(), 2)).unwrap();
    assert_eq!(content.metadata().size, 6);
    assert_eq!(content.into_bytes(), "bc");
    let error = block_on(store().get_range(&path("/a"), ReadRange::Suffix(3), 2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentTooLarge { size: 3, limit: 2 });
}

#[test]
fn get_range_past_the_end_names_the_path() {
    let error = block_on(store().get_range(&path("/a"), (7..).into(), 9)).unwrap_err();
    let kind = ErrorKind::InvalidOffset { offset: 7, size: 6 };
    assert_error(&error, kind, Operation::GetRange, "/a");
}

#[test]
fn walk_visits_everything_below() {
    let map = Map::of(["/a/b", "/a/c/d", "/e"]);
    let walk = map.walk(&path("/a"), WalkOptions::new().start_after(path("/a/b")));
    let entries: Vec<Entry> = block_on(walk.try_collect()).unwrap();
    let paths: Vec<_> = entries.iter().map(|entry| entry.path().as_str()).collect();
    assert_eq!(paths, ["/a/c", "/a/c/d"]);
}

#[test]
fn delete_many_deletes_existing_files() {
    let map = Map::of(["/a", "/b", "/c/d", "/e"]);
    let paths = ["/missing", "/a", "/c/d", "/b", "/b"].map(path);
    block_on(map.delete_many(&paths)).unwrap();
    assert_eq!(map.state().files.keys().map(Path::as_str).collect::<Vec<_>>(), ["/e"]);
}

#[test]
fn delete_many_stops_at_the_first_error() {
    let map = failing(Map::of(["/a", "/b", "/c"]), "delete", "/b");
    let error = block_on(map.delete_many(&["/a", "/b", "/c"].map(path))).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, Operation::DeleteMany, "/b");
    assert_eq!(map.state().files.keys().map(Path::as_str).collect::<Vec<_>>(), ["/b", "/c"]);
}

/// A store of uploads that are minutes old, as their names say.
fn uploads() -> Map {
    let map = Map::default();
    let now = SystemTime::now();
    for (path, minutes) in [("/a", 50), ("/a/10", 10), ("/a/20", 20), ("/a/30", 30), ("/b", 50)] {
        map.add_upload(path, now - Duration::from_secs(60 * minutes));
    }
    map
}

#[test]
fn cancel_uploads_takes_the_old_ones_at_and_under_the_path() {
    let map = uploads();
    let quarter = Duration::from_secs(60 * 15);
    assert_eq!(block_on(map.cancel_uploads(&path("/a"), quarter)).unwrap(), 3);
    assert_eq!(map.upload_paths(), ["/a/10", "/b"]);
}

#[test]
fn cancel_uploads_of_no_age_takes_all() {
    let map = uploads();
    map.add_upload("/a/future", SystemTime::now() + Duration::from_secs(60));
    assert_eq!(block_on(map.cancel_uploads(&path("/"), Duration::ZERO)).unwrap(), 6);
    assert!(map.upload_paths().is_empty());
}

#[test]
fn an_upload_of_the_future_has_no_age() {
    let map = Map::default();
    map.add_upload("/a", SystemTime::now() + Duration::from_secs(60));
    assert_eq!(block_on(map.cancel_uploads(&path("/"), Duration::from_nanos(1))).unwrap(), 0);
    assert_eq!(map.upload_paths(), ["/a"]);
}

#[test]
fn cancel_uploads_goes_through_every_page() {
    let map = Map::default();
    for at in 0..2500 {
        map.add_upload(&format!("/{at}"), SystemTime::UNIX_EPOCH);
    }
    assert_eq!(block_on(map.cancel_uploads(&Path::root(), Duration::ZERO)).unwrap(), 2500);
    assert!(map.upload_paths().is_empty());
}

#[test]
fn cancel_uploads_names_the_path_that_it_cannot_list() {
    let map = failing(uploads(), "uploads", "/a");
    let error = block_on(map.cancel_uploads(&path("/a"), Duration::ZERO)).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, Operation::CancelUploads, "/a");
}

#[test]
fn cancel_uploads_names_the_upload_that_it_cannot_cancel() {
    let map = failing(uploads(), "cancel_upload", "/a/20");
    let error = block_on(map.cancel_uploads(&path("/a"), Duration::ZERO)).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, Operation::CancelUploads, "/a");
    assert_eq!(map.upload_paths(), ["/a/20", "/a/30", "/b"]);
}

#[test]
fn cancel_uploads_skips_vanished_uploads() {
    let map = uploads();
    let vanished = ("cancel_upload", path("/a/20"), ErrorKind::PathNotFound);
    map.state().fails = Some(vanished);
    assert_eq!(block_on(map.cancel_uploads(&path("/a"), Duration::ZERO)).unwrap(), 3);
}

#[test]
fn methods_without_a_correct_default_are_unsupported() {
    let map = store();
    let (a, b) = (path("/a"), path("/b"));
    let none = Precondition::None;
    let assert_unsupported = |error: Error, operation: Operation| {
        assert_error(&error, ErrorKind::Unsupported, operation, "/a");
    };
    block_on(async {
        let error = map.rename(&a, &b, none.clone()).await.unwrap_err();
        assert_unsupported(error, Operation::Rename);
        assert_unsupported(map.rename_dir(&a, &b).await.unwrap_err(), Operation::RenameDir);
        assert_unsupported(map.copy(&a, &b, none).await.unwrap_err(), Operation::Copy);
        assert_unsupported(map.touch(&a, Precondition::None).await.unwrap_err(), Operation::Touch);
        let url = map.redirect_url(&a, RedirectMethod::Get, Duration::ZERO);
        assert_unsupported(url.await.unwrap_err(), Operation::RedirectUrl);
    });
    assert_eq!(map.state().files.len(), 1);
}

#[test]
fn a_store_with_a_readable_root_is_healthy() {
    assert!(block_on(store().health()).is_healthy());
}

#[test]
fn a_store_with_an_unreadable_root_reports_the_error() {
    let health = block_on(failing(store(), "stat", "/").health());
    let error = health.read.unwrap_err();
    assert_eq!((error.kind(), error.operation()), (ErrorKind::Timeout, Some(Operation::Health)));
    assert_eq!(health.write.unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn sweep_has_nothing_to_remove() {
    let report = block_on(store().sweep(SweepOptions::new().deep())).unwrap();
    assert_eq!(report, SweepReport::new());
}

#[test]
fn sweep_fails_as_stat_of_the_root_does() {
    let failing = failing(store(), "stat", "/");
    let error = block_on(failing.sweep(SweepOptions::new())).unwrap_err();
    assert_error(&error, ErrorKind::Timeout, Operation::Sweep, "/");
}
