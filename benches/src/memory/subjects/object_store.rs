//! [`ObjectStore`]: the peer `object_store`.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::{
    MultipartUpload, ObjectStore as Dyn, ObjectStoreExt, memory::InMemory, path::Path,
};

use crate::{harness::count::count, memory::Subject};

/// `object_store::memory::InMemory`, behind its trait object; an upload is a multipart upload.
#[derive(Debug)]
pub struct ObjectStore {
    store: Arc<dyn Dyn>,
    fork: Arc<InMemory>,
}

impl ObjectStore {
    fn of(store: InMemory) -> Self {
        let fork = Arc::new(store);
        Self { store: fork.clone(), fork }
    }
}

impl Subject for ObjectStore {
    type Key = Path;
    type Upload = Box<dyn MultipartUpload>;

    fn new(_pool: Option<u64>) -> Self {
        Self::of(InMemory::new())
    }

    fn key(path: &str) -> Path {
        Path::parse(path).expect("it is a path")
    }

    async fn put(&self, key: &Path, content: &Bytes) {
        let content = Bytes::copy_from_slice(content);
        self.store.put(key, content.into()).await.expect("it is stored");
    }

    async fn get(&self, key: &Path) -> usize {
        let content = self.store.get(key).await.expect("it is there");
        content.bytes().await.expect("it is read").len()
    }

    async fn range(&self, key: &Path, range: Range<u64>) -> usize {
        self.store.get_range(key, range).await.expect("it is there").len()
    }

    async fn read(&self, key: &Path) -> u64 {
        let stream = self.store.get(key).await.expect("it is there").into_stream();
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn stat(&self, key: &Path) -> u64 {
        self.store.head(key).await.expect("it is there").size
    }

    async fn delete(&self, key: &Path) {
        self.store.delete(key).await.expect("it is there");
    }

    async fn delete_all(&self, dir: &str) {
        let dir = Self::key(dir);
        let paths = self.store.list(Some(&dir)).map_ok(|meta| meta.location).boxed();
        count(self.store.delete_stream(paths)).await;
    }

    async fn list(&self, dir: &str) -> usize {
        let dir = Self::key(dir);
        let page = self.store.list_with_delimiter(Some(&dir)).await.expect("it is listed");
        page.objects.len() + page.common_prefixes.len()
    }

    async fn walk(&self, dir: &str) -> usize {
        let dir = Self::key(dir);
        count(self.store.list(Some(&dir))).await
    }

    async fn begin(&self, key: &Path, _exclusive: bool) -> Self::Upload {
        self.store.put_multipart(key).await.expect("it can be created")
    }

    async fn write(&self, to: &mut Self::Upload, chunk: &[u8]) {
        self.write_owned(to, Bytes::copy_from_slice(chunk)).await;
    }

    async fn write_owned(&self, to: &mut Self::Upload, chunk: Bytes) {
        to.put_part(chunk.into()).await.expect("it is accepted");
    }

    async fn commit(&self, mut upload: Self::Upload) {
        upload.complete().await.expect("nothing is in the way");
    }

    fn fork(&self) -> Option<Self> {
        Some(Self::of(self.fork.fork()))
    }
}
