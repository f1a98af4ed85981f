//! `&T`, `Box<T>` and `Arc<T>` are drivers: every method is forwarded, and the lint below makes
//! sure that one that is added to the trait is forwarded too, instead of falling back to a default.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    Capabilities, Content, Entry, Health, ListOptions, Metadata, Page, Path, Payload, Precondition,
    ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver, UploadInfo, Walk, WalkOptions,
    Writer, WriterOptions,
};

macro_rules! forward {
    ($($wrapper:ty),*) => {$(
        #[deny(clippy::missing_trait_methods)]
        #[async_trait]
        impl<T: StorageDriver + ?Sized> StorageDriver for $wrapper {
            fn name(&self) -> &'static str {
                (**self).name()
            }

            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }

            async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
                (**self).get_content(path, limit).await
            }

            async fn get_range(
                &self,
                path: &Path,
                range: ReadRange,
                limit: u64,
            ) -> Result<Content> {
                (**self).get_range(path, range, limit).await
            }

            async fn put_content(
                &self,
                path: &Path,
                content: Payload,
                precondition: Precondition,
            ) -> Result<Metadata> {
                (**self).put_content(path, content, precondition).await
            }

            async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
                (**self).reader(path, range).await
            }

            async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
                (**self).writer(path, options).await
            }

            async fn stat(&self, path: &Path) -> Result<Stat> {
                (**self).stat(path).await
            }

            async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
                (**self).list(path, options).await
            }

            fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
                (**self).walk(path, options)
            }

            async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
                (**self).uploads(path, options).await
            }

            async fn cancel_upload(&self, path: &Path) -> Result<()> {
                (**self).cancel_upload(path).await
            }

            async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
                (**self).cancel_uploads(path, older_than).await
            }

            async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
                (**self).delete(path, precondition).await
            }

            async fn delete_many(&self, paths: &[Path]) -> Result<()> {
                (**self).delete_many(paths).await
            }

            async fn rename(
                &self,
                from: &Path,
                to: &Path,
                precondition: Precondition,
            ) -> Result<Metadata> {
                (**self).rename(from, to, precondition).await
            }

            async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
                (**self).rename_dir(from, to).await
            }

            async fn copy(
                &self,
                from: &Path,
                to: &Path,
                precondition: Precondition,
            ) -> Result<Metadata> {
                (**self).copy(from, to, precondition).await
            }

            async fn touch(&self, path: &Path) -> Result<Metadata> {
                (**self).touch(path).await
            }

            async fn redirect_url(
                &self,
                path: &Path,
                method: RedirectMethod,
                expires_in: Duration,
            ) -> Result<Option<String>> {
                (**self).redirect_url(path, method, expires_in).await
            }

            async fn health(&self) -> Health {
                (**self).health().await
            }

            async fn shutdown(&self) -> Result<()> {
                (**self).shutdown().await
            }
        }
    )*};
}

forward!(&T, Box<T>, Arc<T>);
