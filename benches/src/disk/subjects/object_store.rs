//! [`ObjectStore`]: the peer `object_store`.

use std::{ops::Range, path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures::TryStreamExt;
use object_store::{
    ObjectStore as Dyn, ObjectStoreExt, buffered::BufWriter, local::LocalFileSystem, path::Path,
};
use tokio::io::AsyncWriteExt;

use crate::{
    disk::subject::{First, Subject},
    harness::count::count,
};

/// `object_store::local::LocalFileSystem`, behind its trait object, which syncs if it is told to; an
/// upload is its `BufWriter`, with the parts of 10 MiB that are its default.
#[derive(Debug)]
pub(crate) struct ObjectStore(Arc<dyn Dyn>);

fn key(path: &str) -> Path {
    Path::parse(path).expect("it is a path")
}

impl Subject for ObjectStore {
    type Upload = BufWriter;

    async fn open(root: PathBuf, durable: bool) -> Self {
        let store = LocalFileSystem::new_with_prefix(root).expect("it is a directory");
        Self(Arc::new(store.with_fsync(durable)))
    }

    async fn put(&self, path: &str, content: &Bytes) {
        self.0.put(&key(path), content.clone().into()).await.expect("it is stored");
    }

    async fn begin(&self, path: &str) -> BufWriter {
        BufWriter::new(self.0.clone(), key(path))
    }

    async fn write(&self, to: &mut BufWriter, chunk: &[u8]) {
        to.write_all(chunk).await.expect("there is room");
    }

    async fn write_owned(&self, to: &mut BufWriter, chunk: Bytes) {
        to.put(chunk).await.expect("there is room");
    }

    async fn commit(&self, mut upload: BufWriter) {
        upload.shutdown().await.expect("nothing is in the way");
    }

    async fn read(&self, path: &str) -> u64 {
        let stream = self.0.get(&key(path)).await.expect("it is there").into_stream();
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn range(&self, path: &str, range: Range<u64>) -> usize {
        self.0.get_range(&key(path), range).await.expect("it is there").len()
    }

    async fn list(&self, dir: &str) -> usize {
        let page = self.0.list_with_delimiter(Some(&key(dir))).await.expect("it is listed");
        page.objects.len() + page.common_prefixes.len()
    }

    async fn first(&self, dir: &str, count: usize) -> usize {
        let page = self.0.list_with_delimiter(Some(&key(dir))).await.expect("it is listed");
        let mut first = First::new(count);
        page.objects.into_iter().for_each(|object| first.push(object.location));
        first.into_vec().len()
    }

    async fn walk(&self, dir: &str) -> usize {
        count(self.0.list(Some(&key(dir)))).await
    }
}
