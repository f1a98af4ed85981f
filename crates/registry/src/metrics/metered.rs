//! [`Metered`]: a driver whose operations are counted.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Content, Entry, Health, ListOptions, Metadata, Operation, Page, Path, Payload,
    Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver, UploadInfo, Walk,
    WalkOptions, Writer, WriterOptions,
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

    async fn around<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let mut running = self.metrics.begin(operation);
        running.wait();
        let result = call.await;
        running.outcome(result.as_ref().map(drop));
        result
    }

    fn count_read(&self, content: Content) -> Content {
        self.metrics.read.inc_by(content.payload().len() as u64);
        content
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl StorageDriver for Metered {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        let call = self.inner.get_content(path, limit);
        Ok(self.count_read(self.around(Operation::GetContent, call).await?))
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        let call = self.inner.get_range(path, range, limit);
        Ok(self.count_read(self.around(Operation::GetRange, call).await?))
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let size = content.len() as u64;
        let call = self.inner.put_content(path, content, precondition);
        let metadata = self.around(Operation::PutContent, call).await?;
        self.metrics.written.inc_by(size);
        Ok(metadata)
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let call = self.inner.reader(path, range);
        let reader = self.around(Operation::Reader, call).await?;
        let (metadata, range) = (reader.metadata().clone(), reader.range());
        let chunks = Chunks::new(reader, &self.metrics);
        Ok(Reader::new(self.name(), metadata, range, chunks))
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let call = self.inner.writer(path, options);
        let writer = self.around(Operation::Writer, call).await?;
        let (path, size) = (writer.path().clone(), writer.size());
        Ok(Writer::new(self.name(), path, size, Session::new(writer, &self.metrics)))
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.around(Operation::Stat, self.inner.stat(path)).await
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        self.around(Operation::List, self.inner.list(path, options)).await
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        let entries = Entries::new(self.inner.walk(path, options), &self.metrics);
        Walk::new(self.name(), path.clone(), entries)
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        self.around(Operation::Uploads, self.inner.uploads(path, options)).await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.around(Operation::Upload, self.inner.upload(path)).await
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        self.around(Operation::CancelUpload, self.inner.cancel_upload(path)).await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        self.around(Operation::CancelUploads, self.inner.cancel_uploads(path, older_than)).await
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        self.around(Operation::Delete, self.inner.delete(path, precondition)).await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        self.around(Operation::DeleteDir, self.inner.delete_dir(path)).await
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        self.around(Operation::DeleteMany, self.inner.delete_many(paths)).await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.around(Operation::Rename, self.inner.rename(from, to, precondition)).await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        self.around(Operation::RenameDir, self.inner.rename_dir(from, to)).await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.around(Operation::Copy, self.inner.copy(from, to, precondition)).await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        self.around(Operation::Touch, self.inner.touch(path, precondition)).await
    }

    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        let call = self.inner.redirect_url(path, method, expires_in);
        self.around(Operation::RedirectUrl, call).await
    }

    async fn health(&self) -> Health {
        let mut running = self.metrics.begin(Operation::Health);
        running.wait();
        let health = self.inner.health().await;
        running.outcome(health.read.as_ref().and(health.write.as_ref()).copied());
        health
    }

    async fn shutdown(&self) -> Result<()> {
        self.around(Operation::Shutdown, self.inner.shutdown()).await
    }
}
