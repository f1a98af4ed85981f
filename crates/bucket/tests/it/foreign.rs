//! Objects that this driver did not write: a bucket that another program filled is served as it is.

use bytes::Bytes;
use storage_driver::{Precondition, ReadRange, StorageDriver, WriterOptions};

use crate::support::{LARGE, bytes, files, open, path, put, read, server};

const OCTETS: &str = "application/octet-stream";

#[tokio::test]
async fn an_object_that_is_no_record_is_a_file() {
    let server = server();
    server.put("docker/blobs/aa/data", OCTETS, bytes(1, LARGE));
    server.put("docker/empty", OCTETS, Bytes::new());
    let store = open(&server).await;
    assert_eq!(read(&store, "/docker/blobs/aa/data").await, bytes(1, LARGE));
    assert_eq!(read(&store, "/docker/empty").await, Bytes::new());
    let file = store.stat(&path("/docker/blobs/aa/data")).await.unwrap().into_file().unwrap();
    assert_eq!(file.size, LARGE as u64);
    let range = store.get_range(&path("/docker/blobs/aa/data"), ReadRange::Suffix(5), 5).await;
    assert_eq!(range.unwrap().into_bytes(), bytes(1, LARGE).slice(LARGE - 5..));
    assert_eq!(files(&store).await.len(), 2);
}

#[tokio::test]
async fn the_content_type_of_a_record_alone_makes_none() {
    let server = server();
    server.put("a", "application/vnd.storage-driver.bucket", "not a record");
    let store = open(&server).await;
    assert_eq!(read(&store, "/a").await, "not a record");
    assert_eq!(store.stat(&path("/a")).await.unwrap().into_file().unwrap().size, 12);
}

#[tokio::test]
async fn what_changes_an_object_makes_it_a_record() {
    let server = server();
    for name in ["touched", "renamed", "copied", "appended", "replaced", "deleted"] {
        server.put(name, OCTETS, bytes(1, 100));
    }
    let store = open(&server).await;
    let old = store.stat(&path("/touched")).await.unwrap().into_file().unwrap().version;
    let touched =
        store.touch(&path("/touched"), Precondition::IfVersion(old.clone())).await.unwrap();
    assert_ne!(touched.version, old);
    store.rename(&path("/renamed"), &path("/moved"), Precondition::None).await.unwrap();
    store.copy(&path("/copied"), &path("/copy"), Precondition::None).await.unwrap();
    let mut writer = store.writer(&path("/appended"), WriterOptions::append()).await.unwrap();
    writer.write_bytes("more").await.unwrap();
    writer.commit().await.unwrap();
    put(&store, "/replaced", "new".into()).await.unwrap();
    store.delete(&path("/deleted"), Precondition::None).await.unwrap();
    let files = files(&store).await;
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(names, ["/appended", "/copied", "/copy", "/moved", "/replaced", "/touched"]);
    assert_eq!(files["/appended"].len(), 104);
    assert_eq!(files["/touched"], bytes(1, 100));
    assert_eq!(files["/moved"], bytes(1, 100));
}
