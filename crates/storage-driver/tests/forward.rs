//! `&T`, `Box<T>`, `Arc<T>` and `dyn StorageDriver` are drivers that forward every method.

#[path = "support/recorder.rs"]
mod recorder;

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use recorder::Recorder;
use storage_driver::{
    ListOptions, Path, Payload, Precondition, ReadRange, RedirectMethod, StorageDriver, Version,
    WalkOptions, WriterOptions,
};
use tokio_test::block_on;

/// Calls every method of `driver`, each with arguments of its own, and checks that what the
/// recorder answers comes back.
async fn call_everything<D: StorageDriver>(driver: D) {
    let [a, b] = ["/a", "/b"].map(|path| Path::parse(path).unwrap());
    let second = Duration::from_secs(1);
    let if_version = Precondition::IfVersion(Version::from(1));
    let start = ListOptions::new().start_after(b.clone()).limit(7);

    assert_eq!(driver.name(), "recorder");
    assert_eq!(driver.capabilities().max_path_bytes, 77);
    driver.get_content(&a, 3).await.unwrap_err();
    driver.get_range(&a, ReadRange::Suffix(2), 3).await.unwrap_err();
    driver.put_content(&a, Payload::from("abc"), if_version.clone()).await.unwrap_err();
    driver.reader(&a, ReadRange::Offset(2)).await.unwrap_err();
    driver.writer(&a, WriterOptions::resume_at(3)).await.unwrap_err();
    driver.stat(&a).await.unwrap_err();
    driver.list(&a, start.clone()).await.unwrap_err();
    assert!(driver.walk(&a, WalkOptions::new().start_after(b.clone())).next().await.is_none());
    driver.uploads(&a, start).await.unwrap_err();
    driver.cancel_upload(&a).await.unwrap_err();
    driver.cancel_uploads(&a, second).await.unwrap_err();
    driver.delete(&a, Precondition::IfAbsent).await.unwrap_err();
    driver.delete_many(&[a.clone(), b.clone()]).await.unwrap_err();
    driver.rename(&a, &b, Precondition::IfAbsent).await.unwrap_err();
    driver.rename_dir(&a, &b).await.unwrap_err();
    driver.copy(&a, &b, if_version).await.unwrap_err();
    driver.touch(&a, Precondition::None).await.unwrap_err();
    driver.redirect_url(&a, RedirectMethod::Head, second).await.unwrap_err();
    assert!(driver.health().await.is_healthy());
    driver.shutdown().await.unwrap_err();
}

/// What the recorder notes when it is called without a wrapper.
fn direct() -> Vec<String> {
    let recorder = Recorder::default();
    block_on(call_everything(recorder.clone()));
    let calls = recorder.take();
    assert_eq!(calls.len(), 22);
    calls
}

#[test]
fn a_reference_forwards_every_method() {
    let recorder = Recorder::default();
    block_on(call_everything(&recorder));
    assert_eq!(recorder.take(), direct());
}

#[test]
fn a_box_forwards_every_method() {
    let recorder = Recorder::default();
    block_on(call_everything(Box::new(recorder.clone())));
    assert_eq!(recorder.take(), direct());
}

#[test]
fn an_arc_forwards_every_method() {
    let recorder = Recorder::default();
    block_on(call_everything(Arc::new(recorder.clone())));
    assert_eq!(recorder.take(), direct());
}

#[test]
fn a_shared_object_forwards_every_method() {
    let recorder = Recorder::default();
    let object: Arc<dyn StorageDriver> = Arc::new(recorder.clone());
    block_on(call_everything(object));
    assert_eq!(recorder.take(), direct());
}

#[test]
fn wrappers_of_wrappers_forward_every_method() {
    let recorder = Recorder::default();
    let object: Box<dyn StorageDriver> = Box::new(Arc::new(recorder.clone()));
    block_on(call_everything(&object));
    assert_eq!(recorder.take(), direct());
}
