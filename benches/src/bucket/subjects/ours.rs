//! [`Ours`]: the object-store driver.

use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{
    Path, Precondition, ReadRange, StorageDriver, StorageDriverExt, WalkOptions, WriterOptions,
};
use storage_driver_bucket::Builder;

use super::object_store::builder;
use crate::{bucket::subject::Subject, harness::script::Script};

/// The object-store driver, behind the trait object that a service holds.
#[derive(Debug)]
pub(crate) struct Ours(Arc<dyn StorageDriver>);

fn key(path: &str) -> Path {
    Path::parse(format!("/{path}")).expect("it is a path")
}

impl Subject for Ours {
    async fn open(server: &Script) -> Self {
        let store = Builder::s3(builder(server)).open().await;
        Self(Arc::new(store.expect("it can be opened")))
    }

    async fn upload(&self, path: &str, chunks: impl Iterator<Item = Bytes> + Send) {
        let writer = self.0.writer(&key(path), WriterOptions::create()).await;
        let mut writer = writer.expect("it can be created");
        for chunk in chunks {
            writer.write_bytes(chunk).await.expect("it is stored");
        }
        writer.commit().await.expect("nothing is in the way");
    }

    async fn download(&self, path: &str) -> u64 {
        let reader = self.0.reader(&key(path), ReadRange::Full).await.expect("it is there");
        let sum = reader.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn put(&self, path: &str, content: &Bytes) {
        let key = key(path);
        let put = self.0.put_content(&key, content.clone().into(), Precondition::None);
        put.await.expect("it is stored");
    }

    async fn get(&self, path: &str) -> usize {
        let content = self.0.get_content(&key(path), u64::MAX).await;
        content.expect("it is there").payload().len()
    }

    async fn list(&self, dir: &str) -> usize {
        let entries = self.0.list_all(&key(dir));
        let counted = entries.try_fold(0, async |count, _| Ok(count + 1));
        counted.await.expect("it is listed")
    }

    async fn walk(&self, dir: &str) -> usize {
        let entries = self.0.walk(&key(dir), WalkOptions::new());
        let counted = entries
            .try_fold(0, async |count, entry| Ok(if entry.is_dir() { count } else { count + 1 }));
        counted.await.expect("it is listed")
    }
}
