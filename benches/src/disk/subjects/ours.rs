//! [`Ours`]: the file system driver.

use std::{ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use storage_driver::{
    ListOptions, Path, Precondition, ReadRange, StorageDriver, StorageDriverExt, WalkOptions,
    Writer, WriterOptions,
};
use storage_driver_filesystem::{Durability, Filesystem};
use tokio::io::AsyncWriteExt;

use crate::disk::subject::Subject;

/// The file system driver, behind the trait object that a service holds.
#[derive(Debug)]
pub(crate) struct Ours(Arc<dyn StorageDriver>);

fn key(path: &str) -> Path {
    Path::parse(format!("/{path}")).expect("it is a path")
}

impl Subject for Ours {
    type Upload = Writer;

    async fn open(root: PathBuf, durable: bool) -> Self {
        let durability = if durable { Durability::Full } else { Durability::None };
        let driver = Filesystem::builder().durability(durability).open(root).await;
        Self(Arc::new(driver.expect("it can be opened")))
    }

    async fn put(&self, path: &str, content: &Bytes) {
        let key = key(path);
        let put = self.0.put_content(&key, content.clone().into(), Precondition::None);
        put.await.expect("it is stored");
    }

    async fn begin(&self, path: &str) -> Writer {
        self.0.writer(&key(path), WriterOptions::create()).await.expect("it can be created")
    }

    async fn write(&self, to: &mut Writer, chunk: &[u8]) {
        to.write_all(chunk).await.expect("there is room");
    }

    async fn write_owned(&self, to: &mut Writer, chunk: Bytes) {
        to.write_bytes(chunk).await.expect("there is room");
    }

    async fn commit(&self, upload: Writer) {
        upload.commit().await.expect("nothing is in the way");
    }

    async fn read(&self, path: &str) -> u64 {
        let reader = self.0.reader(&key(path), ReadRange::Full).await.expect("it is there");
        let sum = reader.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn range(&self, path: &str, range: Range<u64>) -> usize {
        let content = self.0.get_range(&key(path), ReadRange::Bounded(range), u64::MAX).await;
        content.expect("it is there").payload().len()
    }

    async fn list(&self, dir: &str) -> usize {
        let entries = self.0.list_all(&key(dir));
        let counted = entries.try_fold(0, async |count, _| Ok(count + 1));
        counted.await.expect("it is listed")
    }

    async fn names(&self, dir: &str) -> usize {
        let (dir, mut options, mut count) = (key(dir), ListOptions::new().names_only(), 0);
        loop {
            let page = self.0.list(&dir, options.clone()).await.expect("it is listed");
            count += page.items.len();
            match page.next {
                Some(next) => options.start_after = Some(next),
                None => return count,
            }
        }
    }

    async fn first(&self, dir: &str, count: usize) -> usize {
        let page = self.0.list(&key(dir), ListOptions::new().limit(count)).await;
        page.expect("it is listed").items.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let entries = self.0.walk(&key(dir), WalkOptions::new());
        let counted = entries
            .try_fold(0, async |count, entry| Ok(if entry.is_dir() { count } else { count + 1 }));
        counted.await.expect("it is listed")
    }

    async fn close(self) {
        self.0.shutdown().await.expect("it can be shut down");
    }
}
