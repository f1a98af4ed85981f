//! [`Opendal`]: the peer `opendal`.

use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;
use opendal::{Operator, Writer, services::Memory};

use crate::{harness::count::count, memory::Subject};

/// OpenDAL's memory service, behind its operator.
#[derive(Debug)]
pub struct Opendal(Operator);

impl Subject for Opendal {
    type Key = String;
    type Upload = Writer;

    fn new(_pool: Option<u64>) -> Self {
        Self(Operator::new(Memory::default()).expect("it needs no configuration"))
    }

    fn key(path: &str) -> String {
        path.to_owned()
    }

    async fn put(&self, key: &String, content: &Bytes) {
        self.0.write(key, Bytes::copy_from_slice(content)).await.expect("it is stored");
    }

    async fn get(&self, key: &String) -> usize {
        self.0.read(key).await.expect("it is there").len()
    }

    async fn range(&self, key: &String, range: Range<u64>) -> usize {
        self.0.read_with(key).range(range).await.expect("it is there").len()
    }

    async fn read(&self, key: &String) -> u64 {
        let reader = self.0.reader(key).await.expect("it is there");
        let stream = reader.into_stream(..).await.expect("it is there");
        let sum = stream.try_fold(0, async |sum, chunk| Ok(sum + chunk.len() as u64));
        sum.await.expect("it is read")
    }

    async fn stat(&self, key: &String) -> u64 {
        self.0.stat(key).await.expect("it is there").content_length()
    }

    async fn delete(&self, key: &String) {
        self.0.delete(key).await.expect("it is there");
    }

    async fn delete_all(&self, dir: &str) {
        let deleted = self.0.delete_with(&format!("{dir}/")).recursive(true).await;
        deleted.expect("it is deleted");
    }

    async fn list(&self, dir: &str) -> usize {
        let entries = self.0.lister(&format!("{dir}/")).await.expect("it is listed");
        count(entries).await
    }

    async fn walk(&self, dir: &str) -> usize {
        let entries = self.0.lister_with(&format!("{dir}/")).recursive(true).await;
        count(entries.expect("it is listed")).await
    }

    async fn begin(&self, key: &String, _exclusive: bool) -> Writer {
        self.0.writer(key).await.expect("it can be created")
    }

    async fn write(&self, to: &mut Writer, chunk: &[u8]) {
        self.write_owned(to, Bytes::copy_from_slice(chunk)).await;
    }

    async fn write_owned(&self, to: &mut Writer, chunk: Bytes) {
        to.write(chunk).await.expect("it is accepted");
    }

    async fn commit(&self, mut upload: Writer) {
        upload.close().await.expect("nothing is in the way");
    }
}
