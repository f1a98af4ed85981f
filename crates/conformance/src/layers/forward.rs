//! `layer!`: every method of a driver, passed on through a layer's own few.

/// Makes `$layer<D>`, with the inner driver in `inner`, a driver. The layer has these methods:
///
/// - `around(operation, path, call)`: does the call, or not, or later;
/// - `wrap_reader`, `wrap_writer`, `wrap_walk`: what becomes of what the inner driver opened.
///
/// The lint makes sure that a method which is added to the trait is passed on too.
macro_rules! layer {
    ($layer:ident) => {
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<D: StorageDriver> StorageDriver for $layer<D> {
            fn name(&self) -> &'static str {
                self.inner.name()
            }

            fn capabilities(&self) -> Capabilities {
                self.inner.capabilities()
            }

            async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
                let call = self.inner.get_content(path, limit);
                self.around(Operation::GetContent, path, call).await
            }

            async fn get_range(
                &self,
                path: &Path,
                range: ReadRange,
                limit: u64,
            ) -> Result<Content> {
                let call = self.inner.get_range(path, range, limit);
                self.around(Operation::GetRange, path, call).await
            }

            async fn put_content(
                &self,
                path: &Path,
                content: Payload,
                precondition: Precondition,
            ) -> Result<Metadata> {
                let call = self.inner.put_content(path, content, precondition);
                self.around(Operation::PutContent, path, call).await
            }

            async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
                let call = self.inner.reader(path, range);
                let reader = self.around(Operation::Reader, path, call).await?;
                Ok(self.wrap_reader(reader))
            }

            async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                let call = self.inner.writer(path, options);
                let writer = self.around(Operation::Writer, path, call).await?;
                Ok(self.wrap_writer(writer))
            }

            async fn stat(&self, path: &Path) -> Result<Stat> {
                self.around(Operation::Stat, path, self.inner.stat(path)).await
            }

            async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
                self.around(Operation::List, path, self.inner.list(path, options)).await
            }

            fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
                self.wrap_walk(path, self.inner.walk(path, options))
            }

            async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
                self.around(Operation::Uploads, path, self.inner.uploads(path, options)).await
            }

            async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
                self.around(Operation::Upload, path, self.inner.upload(path)).await
            }

            async fn cancel_upload(&self, path: &Path) -> Result<()> {
                self.around(Operation::CancelUpload, path, self.inner.cancel_upload(path)).await
            }

            async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
                let call = self.inner.cancel_uploads(path, older_than);
                self.around(Operation::CancelUploads, path, call).await
            }

            async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
                self.around(Operation::Delete, path, self.inner.delete(path, precondition)).await
            }

            async fn delete_dir(&self, path: &Path) -> Result<()> {
                self.around(Operation::DeleteDir, path, self.inner.delete_dir(path)).await
            }

            async fn delete_many(&self, paths: &[Path]) -> Result<()> {
                let first = paths.first().cloned().unwrap_or_else(Path::root);
                self.around(Operation::DeleteMany, &first, self.inner.delete_many(paths)).await
            }

            async fn rename(
                &self,
                from: &Path,
                to: &Path,
                precondition: Precondition,
            ) -> Result<Metadata> {
                self.around(Operation::Rename, from, self.inner.rename(from, to, precondition))
                    .await
            }

            async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
                self.around(Operation::RenameDir, from, self.inner.rename_dir(from, to)).await
            }

            async fn copy(
                &self,
                from: &Path,
                to: &Path,
                precondition: Precondition,
            ) -> Result<Metadata> {
                self.around(Operation::Copy, from, self.inner.copy(from, to, precondition)).await
            }

            async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
                self.around(Operation::Touch, path, self.inner.touch(path, precondition)).await
            }

            async fn redirect_url(
                &self,
                path: &Path,
                method: RedirectMethod,
                expires_in: Duration,
            ) -> Result<Option<String>> {
                let call = self.inner.redirect_url(path, method, expires_in);
                self.around(Operation::RedirectUrl, path, call).await
            }

            async fn health(&self) -> Health {
                let call = self.inner.health().map(Ok);
                let health = self.around(Operation::Health, &Path::root(), call).await;
                health.unwrap_or_else(Health::unavailable)
            }

            async fn shutdown(&self) -> Result<()> {
                self.around(Operation::Shutdown, &Path::root(), self.inner.shutdown()).await
            }
        }
    };
}
