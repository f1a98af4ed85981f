//! `StorageDriverExt` and `Pages`, over `dyn StorageDriver`.

use std::{sync::Arc, time::SystemTime};

use crate::support::map::Map;
use futures::{StreamExt, TryStreamExt};
use storage_driver::{
    Entry, ErrorKind, Path, ReadRange, StorageDriver, StorageDriverExt, UploadInfo, WriteMode,
    WriterOptions,
};
use tokio_test::block_on;

fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

#[test]
fn files_and_directories_exist() {
    let map = Map::of(["/a/b"]);
    let driver: &dyn StorageDriver = &map;
    for (text, expected) in [("/a/b", true), ("/a", true), ("/", true), ("/a/b/c", false)] {
        assert_eq!(block_on(driver.exists(&path(text))).unwrap(), expected, "{text}");
    }
}

#[test]
fn whether_it_exists_can_be_unknown() {
    let map = Map::of(["/a"]);
    map.state().fails = Some(("stat", path("/a"), ErrorKind::Timeout));
    assert_eq!(block_on(map.exists(&path("/a"))).unwrap_err().kind(), ErrorKind::Timeout);
}

#[test]
fn put_content_is_read_back_as_bytes() {
    let map = Map::default();
    let driver: &dyn StorageDriver = &map;
    let metadata = block_on(driver.put(&path("/a"), "abc")).unwrap();
    assert_eq!((metadata.path, metadata.size), (path("/a"), 3));
    assert_eq!(block_on(driver.get_bytes(&path("/a"), 3)).unwrap(), "abc");
}

#[test]
fn get_bytes_keeps_to_its_limit() {
    let map = Map::default();
    block_on(map.put(&path("/a"), "abc")).unwrap();
    let error = block_on(map.get_bytes(&path("/a"), 2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentTooLarge { size: 3, limit: 2 });
}

#[test]
fn an_upload_is_created_resumed_and_appended() {
    let map = Map::default();
    let driver: &dyn StorageDriver = &map;
    let at = path("/a");
    block_on(async {
        let mut writer = driver.create(&at).await.unwrap();
        writer.write_bytes("abc").await.unwrap();
        writer.suspend().await.unwrap();

        let mut writer = driver.resume(&at).await.unwrap();
        assert_eq!(writer.size(), 3);
        writer.write_bytes("def").await.unwrap();
        writer.commit().await.unwrap();

        let mut writer = driver.append(&at).await.unwrap();
        assert_eq!(writer.size(), 6);
        writer.write_bytes("ghi").await.unwrap();
        assert_eq!(writer.commit().await.unwrap().size, 9);
    });
    assert_eq!(block_on(driver.get_bytes(&at, 9)).unwrap(), "abcdefghi");
}

/// 2,500 texts of paths below `/d`, in order: more than two pages.
fn many() -> Vec<String> {
    (0..2500).map(|at| format!("/d/{at:04}")).collect()
}

#[test]
fn list_all_goes_through_every_page() {
    let expected = many();
    let map = Map::of(expected.iter().map(String::as_str));
    let entries: Vec<Entry> = block_on(map.list_all(&path("/d")).try_collect()).unwrap();
    assert!(entries.iter().map(|entry| entry.path().as_str()).eq(&expected));
}

#[test]
fn uploads_all_goes_through_every_page() {
    let expected = many();
    let map = Map::default();
    for path in &expected {
        map.add_upload(path, SystemTime::UNIX_EPOCH);
    }
    let uploads: Vec<UploadInfo> = block_on(map.uploads_all(&Path::root()).try_collect()).unwrap();
    assert!(uploads.iter().map(|upload| upload.path.as_str()).eq(&expected));
}

#[test]
fn pages_are_fetched_on_demand() {
    let files = many();
    let map = Map::of(files.iter().map(String::as_str));
    let pages = map.list_all(&path("/d"));
    let first: Vec<_> = block_on(pages.take(1000).collect());
    assert_eq!(first.len(), 1000);

    let mut pages = map.list_all(&path("/d"));
    block_on(pages.next()).unwrap().unwrap();
    map.state().files.retain(|path, _| path.as_str() < "/d/1500");
    assert_eq!(block_on(pages.count()), 1499);
}

#[test]
fn pages_end_after_an_error() {
    let map = Map::default();
    let mut pages = map.list_all(&path("/missing"));
    assert!(block_on(pages.next()).unwrap().unwrap_err().is_not_found());
    assert!(block_on(pages.next()).is_none());
    assert!(block_on(pages.next()).is_none());
}

#[test]
fn pages_stay_ended() {
    let map = Map::default();
    let mut pages = map.list_all(&Path::root());
    assert!(block_on(pages.next()).is_none());
    assert!(block_on(pages.next()).is_none());
    assert!(format!("{pages:?}").contains("limit: 998"));
}

#[test]
fn read_takes_any_range() {
    let map = Map::default();
    block_on(map.put(&path("/a"), "abcdef")).unwrap();
    let read = |range: ReadRange| {
        let reader = block_on(map.read(&path("/a"), range)).unwrap();
        block_on(reader.into_content(9)).unwrap().into_bytes()
    };
    assert_eq!(read((..).into()), "abcdef");
    assert_eq!(read((2..4).into()), "cd");
    assert_eq!(read(ReadRange::Suffix(1)), "f");
}

#[test]
fn write_takes_a_mode_or_options() {
    let map = Map::default();
    block_on(async {
        let writer = map.write(&path("/a"), WriteMode::Create).await.unwrap();
        writer.suspend().await.unwrap();
        let options = WriterOptions::resume_at(0).size_hint(9);
        let _ = map.write(&path("/a"), options).await.unwrap();
    });
}

#[test]
fn remove_deletes_a_file() {
    let map = Map::of(["/a", "/b"]);
    block_on(map.remove(&path("/a"))).unwrap();
    assert!(!block_on(map.exists(&path("/a"))).unwrap());
    assert!(block_on(map.exists(&path("/b"))).unwrap());
}

#[test]
fn an_owned_listing_can_be_spawned() {
    let expected = many();
    let map: Arc<dyn StorageDriver> = Arc::new(Map::of(expected.iter().map(String::as_str)));
    let pages = Arc::clone(&map).into_list_all(&path("/d"));
    let counted = block_on(async { tokio::spawn(pages.try_collect::<Vec<_>>()).await });
    assert_eq!(counted.unwrap().unwrap().len(), 2500);
    let uploads = map.into_uploads_all(&Path::root());
    assert_eq!(block_on(uploads.count()), 0);
}
