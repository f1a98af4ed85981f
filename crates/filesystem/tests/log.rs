//! What the driver writes to the log.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use futures::TryStreamExt;
use storage_driver::{Entry, Path, StorageDriver, StorageDriverExt, WalkOptions};
use storage_driver_filesystem::Filesystem;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

/// Keeps every event as a text.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{field}={value:?} ");
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(event.metadata().level().to_string() + " ");
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// One test, because the log is for the whole process.
#[tokio::test]
async fn foreign_files_are_reported_once() {
    let log = Log::default();
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let root = tempfile::tempdir().unwrap();
    let driver = Filesystem::open(root.path()).await.unwrap();
    driver.put(&Path::parse("/a/ours").unwrap(), "x").await.unwrap();
    for name in ["not ours", "a/not ours either", "ä"] {
        fs::write(root.path().join(name), "theirs").unwrap();
    }
    for _ in 0..3 {
        let walk = driver.walk(&Path::root(), WalkOptions::new());
        let entries: Vec<Entry> = walk.try_collect().await.unwrap();
        assert_eq!(entries.len(), 2);
    }
    driver.shutdown().await.unwrap();
    let said = log.0.lock().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("WARN") && said[0].contains("neither shows nor changes"),
        "{said:?}"
    );
    assert!(said[0].contains(root.path().to_str().unwrap()));
}
