//! [`StorageDriverExt`]: conveniences on every driver.

use bytes::Bytes;

use crate::{
    Entry, Metadata, Pages, Path, Payload, Precondition, ReadRange, Reader, Result, StorageDriver,
    UploadInfo, Walk, WalkOptions, Writer, WriterOptions,
};

/// Conveniences on every [`StorageDriver`], `dyn StorageDriver` included. Errors and cancel safety are those
/// of the method that each one names.
pub trait StorageDriverExt: StorageDriver {
    /// Whether a file or directory is at `path`: [`stat`](StorageDriver::stat).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/blob")?;
    /// if !driver.exists(&path).await? {
    ///     driver.put(&path, "content").await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    fn exists(&self, path: &Path) -> impl Future<Output = Result<bool>> + Send {
        async move {
            match self.stat(path).await {
                Ok(_) => Ok(true),
                Err(error) if error.is_not_found() => Ok(false),
                Err(error) => Err(error),
            }
        }
    }

    /// Stores `content` without a precondition: [`put_content`](StorageDriver::put_content).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let file = driver.put(&Path::parse("/blob")?, "content").await?;
    /// assert_eq!(file.size, 7);
    /// # Ok(())
    /// # }
    /// ```
    fn put(
        &self,
        path: &Path,
        content: impl Into<Payload> + Send,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move { self.put_content(path, content.into(), Precondition::None).await }
    }

    /// Reads a file of up to `limit` bytes into one contiguous `Bytes`, which copies if the driver
    /// holds it in several parts: [`get_content`](StorageDriver::get_content).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let manifest = driver.get_bytes(&Path::parse("/manifest")?, 4 << 20).await?;
    /// # Ok(())
    /// # }
    /// ```
    fn get_bytes(&self, path: &Path, limit: u64) -> impl Future<Output = Result<Bytes>> + Send {
        async move { Ok(self.get_content(path, limit).await?.into_bytes()) }
    }

    /// Starts an upload: [`writer`](StorageDriver::writer) with [`WriterOptions::create`].
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let mut writer = driver.create(&Path::parse("/blob")?).await?;
    /// writer.write_bytes("content").await?;
    /// writer.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    fn create(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::create()).await }
    }

    /// Continues an upload: [`writer`](StorageDriver::writer) with [`WriterOptions::resume`].
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let writer = driver.resume(&Path::parse("/blob")?).await?;
    /// println!("{} bytes were kept", writer.size());
    /// # Ok(())
    /// # }
    /// ```
    fn resume(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::resume()).await }
    }

    /// Extends a file: [`writer`](StorageDriver::writer) with [`WriterOptions::append`].
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let mut writer = driver.append(&Path::parse("/log")?).await?;
    /// writer.write_bytes("one more line\n").await?;
    /// writer.commit().await?;
    /// # Ok(())
    /// # }
    /// ```
    fn append(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::append()).await }
    }

    /// Opens a range of a file for reading, in any form of Rust's ranges:
    /// [`reader`](StorageDriver::reader).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver, path: &Path) -> Result<()> {
    /// let all = driver.read(path, ..).await?;
    /// let first_ten = driver.read(path, 0..10).await?;
    /// # Ok(())
    /// # }
    /// ```
    fn read(
        &self,
        path: &Path,
        range: impl Into<ReadRange> + Send,
    ) -> impl Future<Output = Result<Reader>> + Send {
        async move { self.reader(path, range.into()).await }
    }

    /// Opens an upload for writing: [`writer`](StorageDriver::writer).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt, WriteMode};
    /// # async fn example(driver: &dyn StorageDriver, path: &Path) -> Result<()> {
    /// let mut writer = driver.write(path, WriteMode::Resume { at: Some(10) }).await?;
    /// writer.write_bytes("more").await?;
    /// # Ok(())
    /// # }
    /// ```
    fn write(
        &self,
        path: &Path,
        options: impl Into<WriterOptions> + Send,
    ) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, options.into()).await }
    }

    /// Deletes a file without a precondition: [`delete`](StorageDriver::delete).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.remove(&Path::parse("/old")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    fn remove(&self, path: &Path) -> impl Future<Output = Result<()>> + Send {
        async move { self.delete(path, Precondition::None).await }
    }

    /// Streams every child of a directory: [`list`](StorageDriver::list), page by page.
    ///
    /// See [`Pages`] for an example.
    fn list_all(&self, path: &Path) -> Pages<'_, Entry> {
        Pages::of_list(self, path.clone())
    }

    /// Streams every upload at and below a path: [`uploads`](StorageDriver::uploads), page by page.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, StorageDriverExt};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let uploads: Vec<_> = driver.uploads_all(&Path::root()).try_collect().await?;
    /// # Ok(())
    /// # }
    /// ```
    fn uploads_all(&self, path: &Path) -> Pages<'_, UploadInfo> {
        Pages::of_uploads(self, path.clone())
    }

    /// [`walk`](StorageDriver::walk) by a driver that the walk owns, an `Arc<dyn StorageDriver>` for example:
    /// it can be returned and spawned.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use storage_driver::{Path, StorageDriver, StorageDriverExt, Walk, WalkOptions};
    ///
    /// fn everything(driver: &Arc<dyn StorageDriver>) -> Walk<'static> {
    ///     Arc::clone(driver).into_walk(&Path::root(), WalkOptions::new())
    /// }
    /// ```
    fn into_walk(self, path: &Path, options: WalkOptions) -> Walk<'static>
    where
        Self: Sized + 'static,
    {
        Walk::owned(self, path.clone(), options)
    }

    /// [`list_all`](Self::list_all) by a driver that the listing owns.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use storage_driver::{Entry, Pages, Path, StorageDriver, StorageDriverExt};
    ///
    /// fn children(driver: &Arc<dyn StorageDriver>, dir: &Path) -> Pages<'static, Entry> {
    ///     Arc::clone(driver).into_list_all(dir)
    /// }
    /// ```
    fn into_list_all(self, path: &Path) -> Pages<'static, Entry>
    where
        Self: Sized + 'static,
    {
        Pages::of_owned_list(self, path.clone())
    }

    /// [`uploads_all`](Self::uploads_all) by a driver that the listing owns.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// use storage_driver::{Pages, Path, StorageDriver, StorageDriverExt, UploadInfo};
    ///
    /// fn uploads(driver: &Arc<dyn StorageDriver>) -> Pages<'static, UploadInfo> {
    ///     Arc::clone(driver).into_uploads_all(&Path::root())
    /// }
    /// ```
    fn into_uploads_all(self, path: &Path) -> Pages<'static, UploadInfo>
    where
        Self: Sized + 'static,
    {
        Pages::of_owned_uploads(self, path.clone())
    }
}

impl<T: StorageDriver + ?Sized> StorageDriverExt for T {}
