//! [`Metered`]: a layer that counts the operations of a driver.

use std::sync::Arc;

use storage_driver::{
    Content, Health, Layer, Metadata, Operation, Path, Payload, Precondition, ReadRange, Reader,
    Result, StorageDriver, Walk, Writer,
};

use super::{
    storage::StorageMetrics,
    streams::{Chunks, Entries, Session},
};

#[derive(Debug)]
pub(super) struct Metered {
    inner: Arc<dyn StorageDriver>,
    metrics: Arc<StorageMetrics>,
}

impl Metered {
    pub(super) fn new(inner: Arc<dyn StorageDriver>, metrics: Arc<StorageMetrics>) -> Self {
        Self { inner, metrics }
    }

    fn count_read(&self, content: Content) -> Content {
        self.metrics.read.inc_by(content.payload().len() as u64);
        content
    }
}

impl Layer for Metered {
    type Inner = Arc<dyn StorageDriver>;

    fn inner(&self) -> &Self::Inner {
        &self.inner
    }

    async fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        _: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> Result<T> {
        let mut running = self.metrics.begin(operation);
        running.wait();
        let result = call.await;
        running.outcome(result.as_ref().map(drop));
        result
    }

    fn wrap_reader(&self, reader: Reader) -> Reader {
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let chunks = Chunks::new(reader, &self.metrics);
        Reader::new(Layer::name(self), metadata, range, chunks)
    }

    fn wrap_writer(&self, writer: Writer) -> Writer {
        let (path, size, note) = (writer.path().clone(), writer.size(), writer.note().clone());
        let session = Session::new(writer, &self.metrics);
        Writer::new(Layer::name(self), path, size, session).with_note(note)
    }

    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        let entries = Entries::new(walk, &self.metrics);
        Walk::new(Layer::name(self), path.clone(), entries)
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        let call = StorageDriver::get_content(&*self.inner, path, limit);
        Ok(self.count_read(self.around(Operation::GetContent, path, call).await?))
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        let call = StorageDriver::get_range(&*self.inner, path, range, limit);
        Ok(self.count_read(self.around(Operation::GetRange, path, call).await?))
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let size = content.len() as u64;
        let call = StorageDriver::put_content(&*self.inner, path, content, precondition);
        let metadata = self.around(Operation::PutContent, path, call).await?;
        self.metrics.written.inc_by(size);
        Ok(metadata)
    }

    async fn health(&self) -> Health {
        let mut running = self.metrics.begin(Operation::Health);
        running.wait();
        let health = StorageDriver::health(&*self.inner).await;
        running.outcome(health.read.as_ref().and(health.write.as_ref()).copied());
        health
    }
}
