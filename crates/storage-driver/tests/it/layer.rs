//! `Layer`: every method is forwarded, by `&T`, `Box<T>` and `Arc<T>` too, and can be changed.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{map::Map, recorder::Recorder, session::Script};
use futures::StreamExt;
use storage_driver::{
    Error, ErrorKind, Layer, ListOptions, Operation, Path, Payload, Precondition, ReadRange,
    Reader, RedirectMethod, Result, Stat, StorageDriver, StorageDriverExt, SweepOptions, Version,
    Walk, WalkOptions, Writer, WriterOptions,
};
use tokio_test::block_on;

/// Calls every method of `driver` with different arguments, and checks that the results of the
/// recorder are returned.
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
    driver.upload(&a).await.unwrap_err();
    driver.cancel_upload(&a).await.unwrap_err();
    driver.cancel_uploads(&a, second).await.unwrap_err();
    driver.delete(&a, Precondition::IfAbsent).await.unwrap_err();
    driver.delete_dir(&a).await.unwrap_err();
    driver.delete_many(&[a.clone(), b.clone()]).await.unwrap_err();
    driver.rename(&a, &b, Precondition::IfAbsent).await.unwrap_err();
    driver.rename_dir(&a, &b).await.unwrap_err();
    driver.copy(&a, &b, if_version).await.unwrap_err();
    driver.touch(&a, Precondition::None).await.unwrap_err();
    driver.redirect_url(&a, RedirectMethod::Head, second).await.unwrap_err();
    driver.sweep(SweepOptions::new().deep().lease(second)).await.unwrap_err();
    assert!(driver.health().await.is_healthy());
    driver.shutdown().await.unwrap_err();
}

/// What the recorder notes when it is called without a wrapper.
fn direct() -> Vec<String> {
    let recorder = Recorder::default();
    block_on(call_everything(recorder.clone()));
    let calls = recorder.take();
    assert_eq!(calls.len(), 25);
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

/// A layer that changes nothing and records what passes through `around`.
#[derive(Debug)]
struct Traced<D> {
    inner: D,
    calls: Mutex<Vec<(Operation, Path)>>,
}

impl<D: StorageDriver> Layer for Traced<D> {
    type Inner = D;

    fn inner(&self) -> &D {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        path: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.calls.lock().unwrap().push((operation, path.clone()));
        call.await
    }
}

#[test]
fn a_layer_forwards_every_method() {
    let recorder = Recorder::default();
    let layer = Traced { inner: recorder.clone(), calls: Mutex::default() };
    block_on(call_everything(layer));
    assert_eq!(recorder.take(), direct());
}

#[test]
fn every_call_passes_through_around() {
    let layer = Traced { inner: Recorder::default(), calls: Mutex::default() };
    block_on(call_everything(&layer));
    let calls = layer.calls.into_inner().unwrap();
    // Every method but `name`, `capabilities` and `walk`.
    assert_eq!(calls.len(), 22);
    let (a, root) = (Path::parse("/a").unwrap(), Path::root());
    for (operation, path) in calls {
        let whole = matches!(operation, Operation::Sweep | Operation::Health | Operation::Shutdown);
        assert_eq!(path, if whole { root.clone() } else { a.clone() }, "{operation}");
    }
}

/// A layer that replaces what the driver inside opens, and one single method.
#[derive(Debug, Default)]
struct Replacing(Map);

impl Layer for Replacing {
    type Inner = Map;

    fn inner(&self) -> &Map {
        &self.0
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let mut metadata = reader.metadata().clone();
        metadata.size = 3;
        Reader::from_payload("replaced", metadata, 0..3, "new".into())
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let note = writer.note().clone();
        Script::default().writer_at(writer.path().clone(), 77).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        drop(walk);
        self.0.walk(path, WalkOptions::new().start_after(Path::parse("/a").unwrap()))
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        Err(Error::new(ErrorKind::Timeout).at(path))
    }
}

#[test]
fn a_layer_replaces_what_the_driver_opens() {
    let layer = Replacing(Map::of(["/a", "/b"]));
    block_on(async {
        let path = Path::parse("/a").unwrap();
        let content = layer.read(&path, ..).await.unwrap().into_content(9).await.unwrap();
        assert_eq!(content.into_bytes(), "new");
        assert_eq!(layer.create(&path).await.unwrap().size(), 77);
        let driver: &dyn StorageDriver = &layer;
        assert_eq!(driver.walk(&Path::root(), WalkOptions::new()).count().await, 1);
    });
}

#[test]
fn a_layer_overrides_a_single_method() {
    let layer = Replacing(Map::of(["/a"]));
    let error = block_on(layer.exists(&Path::parse("/a").unwrap())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}
