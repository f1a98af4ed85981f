//! [`Ours`]: the in-memory driver.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use inmemory::InMemory;
use storage_driver::{
    Path, Precondition, ReadRange, StorageDriver, StorageDriverExt, WalkOptions, Writer,
    WriterOptions,
};
use tokio::io::AsyncWriteExt;

use crate::{harness::count::count, memory::Subject};

/// The in-memory driver, behind the trait object that a service holds.
#[derive(Debug)]
pub struct Ours {
    /// The driver as a service holds it.
    pub driver: Arc<dyn StorageDriver>,
    /// The same driver, for operations that are not in the contract.
    store: InMemory,
}

impl Ours {
    fn of(store: InMemory) -> Self {
        Self { driver: Arc::new(store.clone()), store }
    }
}

impl Subject for Ours {
    type Key = Path;
    type Upload = Writer;

    fn new(pool: Option<u64>) -> Self {
        let builder = InMemory::builder();
        Self::of(match pool {
            Some(bytes) => builder.pool(bytes).build(),
            None => builder.build(),
        })
    }

    fn key(path: &str) -> Path {
        Path::parse(format!("/{path}")).expect("it is a path")
    }

    async fn put(&self, key: &Path, content: &Bytes) {
        // The buffer is shared, so that it is copied.
        let put = self.driver.put_content(key, content.clone().into(), Precondition::None);
        put.await.expect("it is stored");
    }

    async fn get(&self, key: &Path) -> usize {
        let content = self.driver.get_content(key, u64::MAX).await.expect("it is there");
        content.payload().len()
    }

    async fn range(&self, key: &Path, range: Range<u64>) -> usize {
        let content = self.driver.get_range(key, ReadRange::Bounded(range), u64::MAX).await;
        content.expect("it is there").payload().len()
    }

    async fn read_range(&self, key: &Path, range: Range<u64>) -> usize {
        let reader = self.driver.reader(key, ReadRange::Bounded(range)).await;
        let sum =
            reader.expect("it is there").try_fold(0, async |sum, chunk| Ok(sum + chunk.len()));
        sum.await.expect("it is read")
    }

    async fn read(&self, key: &Path) -> u64 {
        let reader = self.driver.reader(key, ReadRange::Full).await.expect("it is there");
        let sum = reader.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn stat(&self, key: &Path) -> u64 {
        let stat = self.driver.stat(key).await.expect("it is there");
        stat.into_file().expect("it is a file").size
    }

    async fn delete(&self, key: &Path) {
        self.driver.delete(key, Precondition::None).await.expect("it is there");
    }

    async fn delete_all(&self, dir: &str) {
        self.driver.delete_dir(&Self::key(dir)).await.expect("it is there");
    }

    async fn rename_all(&self, from: &str, to: &str) -> bool {
        self.driver.rename_dir(&Self::key(from), &Self::key(to)).await.is_ok()
    }

    async fn list(&self, dir: &str) -> usize {
        count(self.driver.list_all(&Self::key(dir))).await
    }

    async fn walk(&self, dir: &str) -> usize {
        count(self.driver.walk(&Self::key(dir), WalkOptions::new())).await
    }

    async fn begin(&self, key: &Path, exclusive: bool) -> Writer {
        let options = WriterOptions::create();
        let options = if exclusive { options.exclusive_buffers() } else { options };
        self.driver.writer(key, options).await.expect("it can be created")
    }

    async fn write(&self, to: &mut Writer, chunk: &[u8]) {
        to.write_all(chunk).await.expect("it is accepted");
    }

    async fn write_owned(&self, to: &mut Writer, chunk: Bytes) {
        to.write_bytes(chunk).await.expect("it is accepted");
    }

    async fn commit(&self, upload: Writer) {
        upload.commit().await.expect("nothing is in the way");
    }

    fn fork(&self) -> Option<Self> {
        Some(Self::of(self.store.fork()))
    }

    fn held(&self) -> Option<u64> {
        Some(self.store.usage().held())
    }
}
