//! [`StorageDriverExt`]: conveniences on every driver.

use bytes::Bytes;

use crate::{
    Entry, ListOptions, Metadata, Pages, Path, Payload, Precondition, Result, StorageDriver,
    UploadInfo, Writer, WriterOptions,
};

/// What every [`StorageDriver`] can do without its author writing it; blanket, also over
/// `dyn StorageDriver`. Errors and cancel safety are those of the methods that each names.
pub trait StorageDriverExt: StorageDriver {
    /// Whether a file or directory is at `path`: [`stat`](StorageDriver::stat).
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
    fn put(
        &self,
        path: &Path,
        content: impl Into<Payload> + Send,
    ) -> impl Future<Output = Result<Metadata>> + Send {
        async move { self.put_content(path, content.into(), Precondition::None).await }
    }

    /// Reads a file of up to `limit` bytes into one contiguous `Bytes`, which copies if the driver
    /// holds it in several parts: [`get_content`](StorageDriver::get_content).
    fn get_bytes(&self, path: &Path, limit: u64) -> impl Future<Output = Result<Bytes>> + Send {
        async move { Ok(self.get_content(path, limit).await?.into_bytes()) }
    }

    /// Starts an upload: [`writer`](StorageDriver::writer) with [`WriterOptions::create`].
    fn create(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::create()).await }
    }

    /// Goes on with an upload: [`writer`](StorageDriver::writer) with [`WriterOptions::resume`].
    fn resume(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::resume()).await }
    }

    /// Extends a file: [`writer`](StorageDriver::writer) with [`WriterOptions::append`].
    fn append(&self, path: &Path) -> impl Future<Output = Result<Writer>> + Send {
        async move { self.writer(path, WriterOptions::append()).await }
    }

    /// Streams every child of a directory: [`list`](StorageDriver::list), page by page.
    fn list_all(&self, path: &Path) -> Pages<'_, Entry> {
        Pages::of_list(self, path.clone(), ListOptions::new())
    }

    /// Streams every upload at and under a path: [`uploads`](StorageDriver::uploads), page by page.
    fn uploads_all(&self, path: &Path) -> Pages<'_, UploadInfo> {
        Pages::of_uploads(self, path.clone(), ListOptions::new())
    }
}

impl<T: StorageDriver + ?Sized> StorageDriverExt for T {}
