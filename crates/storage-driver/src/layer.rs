//! [`Layer`]: a driver around another driver.

use std::{fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    Capabilities, Content, Entry, Health, ListOptions, Metadata, Operation, Page, Path, Payload,
    Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver, SweepOptions,
    SweepReport, UploadInfo, Walk, WalkOptions, Writer, WriterOptions,
};

/// A driver around another driver: metrics, a cache, a time-out, injected faults.
///
/// Every layer is a [`StorageDriver`]. It has each of the driver's methods, and each forwards to the same
/// method of the [inner](Self::inner) driver, so that a layer writes only what it changes:
///
/// - [`around`](Self::around) runs around every call;
/// - [`wrap_reader`](Self::wrap_reader), [`wrap_writer`](Self::wrap_writer) and
///   [`wrap_walk`](Self::wrap_walk) replace what the inner driver opened;
/// - a single method is overridden under its own name, as an `async fn`.
///
/// No method falls back to the default of [`StorageDriver`], and a method that is added there later is
/// forwarded too: `clippy::missing_trait_methods` is denied where the two traits meet. A layer that changes
/// what `reader` or `list` returns has to change `get_content`, `get_range` and `walk` accordingly.
///
/// `&T`, `Box<T>` and `Arc<T>` are layers that change nothing. Both traits have the same methods, so import
/// `Layer` only into the module that implements it: elsewhere a call on a layer would be ambiguous.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use storage_driver::{Layer, Operation, Path, Result, StorageDriver};
///
/// /// Counts the calls of a driver.
/// #[derive(Debug)]
/// struct Counted<D> {
///     inner: D,
///     calls: AtomicU64,
/// }
///
/// impl<D: StorageDriver> Layer for Counted<D> {
///     type Inner = D;
///
///     fn inner(&self) -> &D {
///         &self.inner
///     }
///
///     async fn around<'a, T: Send + 'a>(
///         &'a self,
///         _: Operation,
///         _: &'a Path,
///         call: impl Future<Output = Result<T>> + Send + 'a,
///     ) -> Result<T> {
///         self.calls.fetch_add(1, Ordering::Relaxed);
///         call.await
///     }
/// }
///
/// fn is_a_driver(driver: impl StorageDriver) {}
/// # fn example(inner: std::sync::Arc<dyn StorageDriver>) {
/// is_a_driver(Counted { inner, calls: AtomicU64::new(0) });
/// # }
/// ```
pub trait Layer: Debug + Send + Sync {
    /// The driver inside.
    type Inner: StorageDriver + ?Sized;

    /// The driver inside.
    fn inner(&self) -> &Self::Inner;

    /// Runs `call`, which is a call of the inner driver. A call that is not awaited does not reach it.
    ///
    /// `path` is the first path of an operation on several, and the root of `sweep`, `health` and `shutdown`. An error
    /// is an unhealthy store if it comes from `health`. [`walk`](StorageDriver::walk) is not a call but a
    /// stream; see [`wrap_walk`](Self::wrap_walk).
    fn around<'a, T: Send + 'a>(
        &'a self,
        operation: Operation,
        path: &'a Path,
        call: impl Future<Output = Result<T>> + Send + 'a,
    ) -> impl Future<Output = Result<T>> + Send + 'a {
        let (_, _) = (operation, path);
        call
    }

    /// What becomes of a reader that the inner driver opened.
    fn wrap_reader(&self, reader: Reader) -> Reader {
        reader
    }

    /// What becomes of a writer that the inner driver opened.
    fn wrap_writer(&self, writer: Writer) -> Writer {
        writer
    }

    /// What becomes of a walk below `path` by the inner driver.
    fn wrap_walk<'a>(&'a self, path: &Path, walk: Walk<'a>) -> Walk<'a> {
        let _ = path;
        walk
    }

    /// [`StorageDriver::name`].
    fn name(&self) -> &'static str {
        self.inner().name()
    }

    /// [`StorageDriver::capabilities`].
    fn capabilities(&self) -> Capabilities {
        self.inner().capabilities()
    }

    /// [`StorageDriver::get_content`].
    fn get_content(&self, path: &Path, limit: u64) -> impl Future<Output = Result<Content>> + Send {
        async move {
            self.around(Operation::GetContent, path, self.inner().get_content(path, limit)).await
        }
    }

    /// [`StorageDriver::get_range`].
    fn get_range(
        &self,
        path: &Path,
        range: ReadRange,
        limit: u64,
    ) -> impl Future<Output = Result<Content>> + Send {
        async move {
            self.around(Operation::GetRange, path, self.inner().get_range(path, range, limit)).await
        }
    }

    /// [`StorageDriver::put_content`].
    fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move {
            self.around(
                Operation::PutContent,
                path,
                self.inner().put_content(path, content, precondition),
            )
            .await
        }
    }

    /// [`StorageDriver::reader`].
    fn reader(&self, path: &Path, range: ReadRange) -> impl Future<Output = Result<Reader>> + Send {
        async move {
            self.around(Operation::Reader, path, self.inner().reader(path, range))
                .await
                .map(|reader| self.wrap_reader(reader))
        }
    }

    /// [`StorageDriver::writer`].
    fn writer(
        &self,
        path: &Path,
        options: WriterOptions,
    ) -> impl Future<Output = Result<Writer>> + Send {
        async move {
            self.around(Operation::Writer, path, self.inner().writer(path, options))
                .await
                .map(|writer| self.wrap_writer(writer))
        }
    }

    /// [`StorageDriver::create_upload`].
    fn create_upload(&self, path: &Path) -> impl Future<Output = Result<()>> + Send {
        async move { self.around(Operation::CreateUpload, path, self.inner().create_upload(path)).await }
    }

    /// [`StorageDriver::file`].
    fn file(&self, path: &Path) -> impl Future<Output = Result<Option<Metadata>>> + Send {
        async move { self.around(Operation::File, path, self.inner().file(path)).await }
    }

    /// [`StorageDriver::stat`].
    fn stat(&self, path: &Path) -> impl Future<Output = Result<Stat>> + Send {
        async move { self.around(Operation::Stat, path, self.inner().stat(path)).await }
    }

    /// [`StorageDriver::list`].
    fn list(
        &self,
        path: &Path,
        options: ListOptions,
    ) -> impl Future<Output = Result<Page<Entry>>> + Send {
        async move { self.around(Operation::List, path, self.inner().list(path, options)).await }
    }

    /// [`StorageDriver::walk`].
    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        self.wrap_walk(path, self.inner().walk(path, options))
    }

    /// [`StorageDriver::uploads`].
    fn uploads(
        &self,
        path: &Path,
        options: ListOptions,
    ) -> impl Future<Output = Result<Page<UploadInfo>>> + Send {
        async move { self.around(Operation::Uploads, path, self.inner().uploads(path, options)).await }
    }

    /// [`StorageDriver::upload`].
    fn upload(&self, path: &Path) -> impl Future<Output = Result<Option<UploadInfo>>> + Send {
        async move { self.around(Operation::Upload, path, self.inner().upload(path)).await }
    }

    /// [`StorageDriver::cancel_upload`].
    fn cancel_upload(&self, path: &Path) -> impl Future<Output = Result<()>> + Send {
        async move { self.around(Operation::CancelUpload, path, self.inner().cancel_upload(path)).await }
    }

    /// [`StorageDriver::cancel_uploads`].
    fn cancel_uploads(
        &self,
        path: &Path,
        older_than: Duration,
    ) -> impl Future<Output = Result<u64>> + Send {
        async move {
            self.around(
                Operation::CancelUploads,
                path,
                self.inner().cancel_uploads(path, older_than),
            )
            .await
        }
    }

    /// [`StorageDriver::delete`].
    fn delete(
        &self,
        path: &Path,
        precondition: Precondition,
    ) -> impl Future<Output = Result<()>> + Send {
        async move {
            self.around(Operation::Delete, path, self.inner().delete(path, precondition)).await
        }
    }

    /// [`StorageDriver::delete_dir`].
    fn delete_dir(&self, path: &Path) -> impl Future<Output = Result<()>> + Send {
        async move { self.around(Operation::DeleteDir, path, self.inner().delete_dir(path)).await }
    }

    /// [`StorageDriver::delete_many`].
    fn delete_many(&self, paths: &[Path]) -> impl Future<Output = Result<()>> + Send {
        async move {
            let first = paths.first().cloned().unwrap_or_else(Path::root);
            self.around(Operation::DeleteMany, &first, self.inner().delete_many(paths)).await
        }
    }

    /// [`StorageDriver::rename`].
    fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move {
            self.around(Operation::Rename, from, self.inner().rename(from, to, precondition)).await
        }
    }

    /// [`StorageDriver::rename_dir`].
    fn rename_dir(&self, from: &Path, to: &Path) -> impl Future<Output = Result<()>> + Send {
        async move { self.around(Operation::RenameDir, from, self.inner().rename_dir(from, to)).await }
    }

    /// [`StorageDriver::copy`].
    fn copy(
        &self,
        from: &Path,
        to: &Path,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move {
            self.around(Operation::Copy, from, self.inner().copy(from, to, precondition)).await
        }
    }

    /// [`StorageDriver::touch`].
    fn touch(
        &self,
        path: &Path,
        precondition: Precondition,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move { self.around(Operation::Touch, path, self.inner().touch(path, precondition)).await }
    }

    /// [`StorageDriver::redirect_url`].
    fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> impl Future<Output = Result<Option<String>>> + Send {
        async move {
            self.around(
                Operation::RedirectUrl,
                path,
                self.inner().redirect_url(path, method, expires_in),
            )
            .await
        }
    }

    /// [`StorageDriver::sweep`].
    fn sweep(&self, options: SweepOptions) -> impl Future<Output = Result<SweepReport>> + Send {
        async move {
            let root = Path::root();
            self.around(Operation::Sweep, &root, self.inner().sweep(options)).await
        }
    }

    /// [`StorageDriver::health`].
    fn health(&self) -> impl Future<Output = Health> + Send {
        async move {
            let root = Path::root();
            let call = async { Ok(self.inner().health().await) };
            self.around(Operation::Health, &root, call).await.unwrap_or_else(Health::unavailable)
        }
    }

    /// [`StorageDriver::shutdown`].
    fn shutdown(&self) -> impl Future<Output = Result<()>> + Send {
        async move {
            let root = Path::root();
            self.around(Operation::Shutdown, &root, self.inner().shutdown()).await
        }
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<L: Layer> StorageDriver for L {
    fn name(&self) -> &'static str {
        Layer::name(self)
    }

    fn capabilities(&self) -> Capabilities {
        Layer::capabilities(self)
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        Layer::get_content(self, path, limit).await
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        Layer::get_range(self, path, range, limit).await
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        Layer::put_content(self, path, content, precondition).await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        Layer::reader(self, path, range).await
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        Layer::writer(self, path, options).await
    }

    async fn create_upload(&self, path: &Path) -> Result<()> {
        Layer::create_upload(self, path).await
    }

    async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        Layer::file(self, path).await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        Layer::stat(self, path).await
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        Layer::list(self, path, options).await
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        Layer::walk(self, path, options)
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        Layer::uploads(self, path, options).await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        Layer::upload(self, path).await
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        Layer::cancel_upload(self, path).await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        Layer::cancel_uploads(self, path, older_than).await
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        Layer::delete(self, path, precondition).await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        Layer::delete_dir(self, path).await
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        Layer::delete_many(self, paths).await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        Layer::rename(self, from, to, precondition).await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        Layer::rename_dir(self, from, to).await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        Layer::copy(self, from, to, precondition).await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        Layer::touch(self, path, precondition).await
    }

    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        Layer::redirect_url(self, path, method, expires_in).await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        Layer::sweep(self, options).await
    }

    async fn health(&self) -> Health {
        Layer::health(self).await
    }

    async fn shutdown(&self) -> Result<()> {
        Layer::shutdown(self).await
    }
}

macro_rules! transparent {
    ($($wrapper:ty),*) => {$(
        impl<T: StorageDriver + ?Sized> Layer for $wrapper {
            type Inner = T;

            fn inner(&self) -> &T {
                self
            }
        }
    )*};
}

transparent!(&T, Box<T>, Arc<T>);
