//! [`StorageDriver`]: the trait.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;

use crate::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page,
    Path, Payload, Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, SweepOptions,
    SweepReport, UploadInfo, Walk, WalkOptions, Writer, WriterOptions,
};

/// The storage layer under a registry: memory, a file system, an object store.
///
/// # The contract
///
/// The [`contract`](crate::contract) states what every driver promises, clause by clause, and each method
/// links to its clauses. The conformance suite has at least one test for every clause that a test can show.
///
/// # Implementing a driver
///
/// Required: `name`, `capabilities`, `put_content`, `reader`, `writer` (with a
/// [`WriteSession`](crate::WriteSession)), `stat`, `list`, `uploads`, `upload`, `delete`, `delete_dir` and
/// `shutdown`. The `custom_driver` example of the conformance suite is a complete driver in one file.
///
/// The provided methods come in two groups. Those of the first are correct for every driver, and a driver
/// overrides them where it can do better: `get_content` and `get_range` read through `reader`, `create_upload`
/// opens a writer and suspends it, `file` calls `stat`, `walk` lists one directory after another, `cancel_upload`
/// resumes the upload and cancels it, `delete_many` and `cancel_uploads` work on one path at a time, `health`
/// calls `stat` on the root. Those of the second (`rename`, `rename_dir`, `copy`, `touch`, `redirect_url`)
/// cannot be composed of other methods without breaking a clause. They return `Unsupported` until a driver
/// overrides them and claims the capability.
///
/// Add context to every error with [`Error::context`]. Call [`Path::require_not_root`] in the methods that do
/// not accept the root (1.3). A separate type for "a path that is not the root" was considered: it would
/// save drivers that call, and cost every caller a conversion for each path that `list`, `walk` or
/// [`Path::parent`] returns.
///
/// # Using a driver
///
/// The trait is dyn-compatible: use an `Arc<dyn StorageDriver>`. [`StorageDriverExt`](crate::StorageDriverExt)
/// has conveniences, [`Layer`](crate::Layer) is for drivers around drivers. `&T`, `Box<T>` and `Arc<T>` are
/// drivers too.
///
/// Unless a method says otherwise, the future of an operation on one path can be dropped at any time: the
/// operation takes effect once or never (9.1).
#[async_trait]
pub trait StorageDriver: Debug + Send + Sync {
    /// The name of the driver, which is part of its errors: `inmemory`, `filesystem`.
    fn name(&self) -> &'static str;

    /// The operations and guarantees that the driver claims. Every call returns the same value.
    ///
    /// ```
    /// # use storage_driver::{Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// if !driver.capabilities().rename_file {
    ///     println!("{} cannot rename files", driver.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [10.1](crate::contract#10.1).
    fn capabilities(&self) -> Capabilities;

    /// Reads a whole file: its metadata and its bytes in one or more parts.
    ///
    /// The default opens a [`reader`](Self::reader) and collects it.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let manifest = driver.get_content(&Path::parse("/manifest")?, 4 << 20).await?;
    /// println!("{} bytes, version {}", manifest.metadata().size, manifest.metadata().version);
    /// let contiguous = manifest.into_bytes();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [3.2](crate::contract#3.2), [4.6](crate::contract#4.6).
    ///
    /// # Errors
    ///
    /// [`ContentTooLarge`](ErrorKind::ContentTooLarge) with the size, if the file has more than `limit`
    /// bytes, before any of them is allocated or moved; [`PathNotFound`](ErrorKind::PathNotFound), also below
    /// a file; [`IsADirectory`](ErrorKind::IsADirectory).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        let explain = |error| part_of(self.name(), Operation::GetContent, path, error);
        let reader = self.reader(path, ReadRange::Full).await.map_err(explain)?;
        reader.into_content(limit).await.map_err(explain)
    }

    /// Reads a range of a file, as [`get_content`](Self::get_content) reads a whole one. The `limit` is on the
    /// length of the range after its end was clipped.
    ///
    /// The default opens a [`reader`](Self::reader) and collects it.
    ///
    /// ```
    /// # use storage_driver::{Path, ReadRange, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let tail = driver.get_range(&Path::parse("/log")?, ReadRange::Suffix(100), 100).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [3.2](crate::contract#3.2), [4.1](crate::contract#4.1).
    ///
    /// # Errors
    ///
    /// Those of [`get_content`](Self::get_content) and [`reader`](Self::reader).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        let explain = |error| part_of(self.name(), Operation::GetRange, path, error);
        let reader = self.reader(path, range).await.map_err(explain)?;
        reader.into_content(limit).await.map_err(explain)
    }

    /// Stores `content` at `path` if `precondition` holds, and replaces the whole file that is there. Returns
    /// the metadata of the new file. An upload in progress at the path is not affected.
    ///
    /// It is atomic: a reader sees the old content or the new content, never a mix, a prefix or nothing. A
    /// failed put leaves the old content.
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/tags/latest")?;
    /// let file = driver.put_content(&path, "sha256:aa".into(), Precondition::IfAbsent).await?;
    /// // Replaces this very content, and nothing that another client has put since.
    /// let unchanged = Precondition::IfVersion(file.version);
    /// driver.put_content(&path, "sha256:bb".into(), unchanged).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [3.1](crate::contract#3.1), [3.3](crate::contract#3.3), [3.4](crate::contract#3.4),
    /// [2.3](crate::contract#2.3).
    ///
    /// # Errors
    ///
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed); [`PathConflict`](ErrorKind::PathConflict)
    /// if the path is a directory or is below a file; [`StorageFull`](ErrorKind::StorageFull);
    /// [`Unsupported`](ErrorKind::Unsupported) for a precondition without
    /// [`preconditions`](Capabilities::preconditions). Nothing is changed then.
    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata>;

    /// Opens a file, or a range of it, for reading: a snapshot of its present content.
    ///
    /// ```
    /// # use storage_driver::{Path, ReadRange, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/blob")?;
    /// let mut out = Vec::new();
    /// driver.reader(&path, ReadRange::Offset(1024)).await?.copy_to(&mut out).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [4.1](crate::contract#4.1), [4.2](crate::contract#4.2), [4.3](crate::contract#4.3),
    /// [4.4](crate::contract#4.4), [4.5](crate::contract#4.5), [4.6](crate::contract#4.6).
    ///
    /// # Errors
    ///
    /// [`InvalidOffset`](ErrorKind::InvalidOffset), see [`ReadRange::resolve`];
    /// [`PathNotFound`](ErrorKind::PathNotFound), also below a file;
    /// [`IsADirectory`](ErrorKind::IsADirectory).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader>;

    /// Opens an upload for writing, and fences the writer that is open for it.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, WriterOptions};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/uploads/one")?;
    /// let mut writer = driver.writer(&path, WriterOptions::create().size_hint(1 << 30)).await?;
    /// writer.write_bytes("the first bytes").await?;
    /// writer.suspend().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.3](crate::contract#5.3), [5.4](crate::contract#5.4), [5.5](crate::contract#5.5),
    /// [5.6](crate::contract#5.6), [5.7](crate::contract#5.7), [5.15](crate::contract#5.15).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) if there is no upload to resume, or no file to append to.
    /// [`OffsetMismatch`](ErrorKind::OffsetMismatch), with the true size, if the mode states another offset;
    /// the open writer continues then. [`UploadInProgress`](ErrorKind::UploadInProgress) and
    /// [`IsADirectory`](ErrorKind::IsADirectory) from an append. [`Unsupported`](ErrorKind::Unsupported)
    /// for an append without [`append`](Capabilities::append).
    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer>;

    /// Begins an empty upload at `path`, to be resumed later: as [`writer`](Self::writer) with
    /// [`Create`](crate::WriteMode::Create), suspended at once. It may cost less than the two.
    ///
    /// The default opens the writer and suspends it.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/uploads/one")?;
    /// driver.create_upload(&path).await?;
    /// assert!(driver.upload(&path).await?.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.18](crate::contract#5.18), [5.3](crate::contract#5.3), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// Those of [`writer`](Self::writer).
    async fn create_upload(&self, path: &Path) -> Result<()> {
        let explain = |error| part_of(self.name(), Operation::CreateUpload, path, error);
        let writer = self.writer(path, WriterOptions::create()).await.map_err(explain)?;
        writer.suspend().await.map_err(explain)
    }

    /// Reports the file at `path`; `None` if there is no file. It may cost less than [`stat`](Self::stat), which also
    /// tells a directory from nothing.
    ///
    /// The default calls [`stat`](Self::stat).
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// match driver.file(&Path::parse("/a/b")?).await? {
    ///     Some(file) => println!("{} bytes", file.size),
    ///     None => println!("no file, and perhaps a directory"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [6.7](crate::contract#6.7).
    ///
    /// # Errors
    ///
    /// Those of the backend.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        match self.stat(path).await {
            Ok(Stat::File(file)) => Ok(Some(file)),
            Ok(Stat::Directory(_)) => Ok(None),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(part_of(self.name(), Operation::File, path, error)),
        }
    }

    /// Reports what a path is: a file with its metadata, or a directory.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, Stat, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// match driver.stat(&Path::parse("/a/b")?).await? {
    ///     Stat::File(metadata) => println!("a file of {} bytes", metadata.size),
    ///     Stat::Directory(_) => println!("a directory"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [6.1](crate::contract#6.1), [2.3](crate::contract#2.3).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) if it is neither.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn stat(&self, path: &Path) -> Result<Stat>;

    /// Returns a page of the direct children of a directory, files and directories, sorted by name.
    /// [`list_all`](crate::StorageDriverExt::list_all) streams all of them.
    ///
    /// ```
    /// # use storage_driver::{ListOptions, Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let options = ListOptions::new().limit(100).names_only();
    /// let page = driver.list(&Path::parse("/tags")?, options).await?;
    /// for entry in &page.items {
    ///     println!("{}", entry.name());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [6.2](crate::contract#6.2), [6.3](crate::contract#6.3), [6.5](crate::contract#6.5),
    /// [6.6](crate::contract#6.6).
    ///
    /// # Errors
    ///
    /// [`NotADirectory`](ErrorKind::NotADirectory) if the path is a file;
    /// [`PathNotFound`](ErrorKind::PathNotFound) if nothing is there. An empty root is an empty page.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>>;

    /// Streams every file and directory below `path`, depth first, each subtree together, without `path`
    /// itself. Entries that vanish meanwhile are skipped.
    /// [`into_walk`](crate::StorageDriverExt::into_walk) returns a walk that owns its driver.
    ///
    /// The default is [`Walk::by_list`].
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver, WalkOptions};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// use futures::TryStreamExt;
    ///
    /// let mut walk = driver.walk(&Path::root(), WalkOptions::new());
    /// while let Some(entry) = walk.try_next().await? {
    ///     if entry.name() == "_uploads" {
    ///         walk.skip_dir();
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [6.4](crate::contract#6.4), [6.5](crate::contract#6.5), [6.6](crate::contract#6.6).
    ///
    /// # Errors
    ///
    /// The errors of [`list`](Self::list) for `path`, as the first item.
    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        Walk::by_list(self, path, options)
    }

    /// Returns a page of the uploads in progress at and below `path`, in the order of their paths: an empty
    /// page if there are none, whatever is at `path`.
    ///
    /// ```
    /// # use storage_driver::{ListOptions, Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// for upload in driver.uploads(&Path::root(), ListOptions::new()).await?.items {
    ///     println!("{} was last written at {:?}", upload.path, upload.modified);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.16](crate::contract#5.16), [2.4](crate::contract#2.4).
    ///
    /// # Errors
    ///
    /// Those of the backend.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>>;

    /// Reports the upload in progress at `path`, with its size and note; `None` if there is none. It does
    /// not fence a writer that is open for the upload.
    ///
    /// While a writer is open, the size is at least what was kept and at most what the writer accepted.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// if let Some(upload) = driver.upload(&Path::parse("/uploads/one")?).await? {
    ///     println!("continue at byte {}", upload.size.unwrap_or_default());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.16](crate::contract#5.16).
    ///
    /// # Errors
    ///
    /// Those of the backend.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>>;

    /// Cancels the upload in progress at `path`, and fences its writer. The committed content is not affected.
    ///
    /// The default [resumes](crate::WriteMode::Resume) the upload and cancels the writer.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.cancel_upload(&Path::parse("/uploads/one")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.16](crate::contract#5.16), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) if there is none.
    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        let explain = |error| part_of(self.name(), Operation::CancelUpload, path, error);
        let writer = self.writer(path, WriterOptions::resume()).await.map_err(explain)?;
        writer.cancel().await.map_err(explain)
    }

    /// Cancels the uploads at and below `path` that were last written at least `older_than` ago, by the
    /// driver's clock, and returns their number. [`Duration::ZERO`] cancels all.
    ///
    /// The default lists the uploads and cancels one after the other, by the system's clock. It may also
    /// cancel an upload that is written to between the two steps.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// let cancelled = driver.cancel_uploads(&Path::root(), day).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [5.16](crate::contract#5.16), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// Those of the backend; some uploads may have been cancelled.
    ///
    /// # Cancel safety
    ///
    /// It may stop between two uploads.
    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        let explain = |error| part_of(self.name(), Operation::CancelUploads, path, error);
        let now = std::time::SystemTime::now();
        let mut options = ListOptions::new();
        let mut cancelled = 0;
        loop {
            let page = self.uploads(path, options.clone()).await.map_err(explain)?;
            for upload in page.items {
                // One that was written to in the future has no age.
                if now.duration_since(upload.modified).unwrap_or_default() >= older_than {
                    match self.cancel_upload(&upload.path).await {
                        Ok(()) => cancelled += 1,
                        Err(error) if error.is_not_found() => {}
                        Err(error) => return Err(explain(error)),
                    }
                }
            }
            match page.next {
                Some(next) => options.start_after = Some(next),
                None => return Ok(cancelled),
            }
        }
    }

    /// Removes the file at `path` and the upload in progress at it, whose writer it fences. What is below
    /// the path stays.
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let path = Path::parse("/blob")?;
    /// let file = driver.stat(&path).await?.into_file()?;
    /// // Deletes this very content, and nothing that another client has put since.
    /// driver.delete(&path, Precondition::IfVersion(file.version)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.4](crate::contract#7.4), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// Of several, the first of: [`Unsupported`](ErrorKind::Unsupported) for
    /// [`IfAbsent`](Precondition::IfAbsent), which is not a precondition of a deletion
    /// ([`Precondition::require_existing`]), and for [`IfVersion`](Precondition::IfVersion) without
    /// [`preconditions`](Capabilities::preconditions); [`PathNotFound`](ErrorKind::PathNotFound) if neither
    /// a file nor an upload is at the path, also under `IfVersion`;
    /// [`IsADirectory`](ErrorKind::IsADirectory): see [`delete_dir`](Self::delete_dir);
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed). Nothing is changed then.
    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()>;

    /// Removes the directory at `path` with everything below it, and the uploads in progress at and below
    /// it, whose writers it fences. Deleting `/a` leaves `/ab`.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.delete_dir(&Path::parse("/repositories/old")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.4](crate::contract#7.4), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) if nothing is there, uploads included;
    /// [`NotADirectory`](ErrorKind::NotADirectory) if the path is a file. Nothing is changed then.
    ///
    /// # Cancel safety
    ///
    /// It may stop between paths, unless the driver is [`linearizable`](Capabilities::linearizable).
    async fn delete_dir(&self, path: &Path) -> Result<()>;

    /// Deletes each of `paths`, as [`delete`](Self::delete) does. A missing path is not an error.
    ///
    /// The default deletes one after the other.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.delete_many(&[Path::parse("/a")?, Path::parse("/b")?]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.5](crate::contract#7.5).
    ///
    /// # Errors
    ///
    /// The first error of a deletion. The paths before it may have been deleted, all or none of them if the
    /// driver is [`linearizable`](Capabilities::linearizable).
    ///
    /// # Cancel safety
    ///
    /// It may stop between two paths, unless the driver is
    /// [`linearizable`](Capabilities::linearizable).
    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        for path in paths {
            match self.delete(path, Precondition::None).await {
                Err(error) if error.is_not_found() => {}
                result => {
                    result.map_err(|e| part_of(self.name(), Operation::DeleteMany, path, e))?;
                }
            }
        }
        Ok(())
    }

    /// Moves the file at `from` to `to`, and replaces a file there, if that file fulfils `precondition`. The
    /// version stays, and the modification time too under [`atomic_rename`](Capabilities::atomic_rename). A
    /// rename onto itself checks the precondition and changes nothing. Uploads in progress are not affected.
    ///
    /// The default is `Unsupported`: a copy and a deletion would change the version.
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let (from, to) = (Path::parse("/staged")?, Path::parse("/current")?);
    /// driver.rename(&from, &to, Precondition::None).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.1](crate::contract#7.1), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) without [`rename_file`](Capabilities::rename_file);
    /// [`PathNotFound`](ErrorKind::PathNotFound) for `from`; [`IsADirectory`](ErrorKind::IsADirectory) if
    /// `from` is one; [`PathConflict`](ErrorKind::PathConflict) if `to` is a directory or is below a file,
    /// `from` included; [`PreconditionFailed`](ErrorKind::PreconditionFailed). `to` is not changed then.
    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let _ = precondition;
        Err(unsupported(self.name(), Operation::Rename, &[from, to]))
    }

    /// Moves the directory `from` with everything below it to `to`, where nothing may be. Versions stay, and
    /// modification times too under [`atomic_rename`](Capabilities::atomic_rename). A rename onto itself changes
    /// nothing. Uploads in progress are not affected.
    ///
    /// The default is `Unsupported`.
    ///
    /// ```
    /// # use storage_driver::{Path, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.rename_dir(&Path::parse("/old")?, &Path::parse("/new")?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.2](crate::contract#7.2), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) without [`rename_dir`](Capabilities::rename_dir);
    /// [`PathNotFound`](ErrorKind::PathNotFound) for `from`; [`NotADirectory`](ErrorKind::NotADirectory)
    /// if `from` is a file; [`PathConflict`](ErrorKind::PathConflict) if `to` exists, or is below a file or
    /// below `from`; [`InvalidPath`](ErrorKind::InvalidPath) if a path below would become too long.
    ///
    /// # Cancel safety
    ///
    /// Under [`atomic_rename`](Capabilities::atomic_rename) it takes effect once or never; otherwise it may
    /// stop between paths.
    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        Err(unsupported(self.name(), Operation::RenameDir, &[from, to]))
    }

    /// Copies the file at `from` to `to`, if the file there fulfils `precondition`. The copy shares or copies
    /// the content and has its own version and modification time. A copy onto itself checks the precondition and
    /// changes nothing. An upload in progress at `to` is not affected.
    ///
    /// The default is `Unsupported`: a copy through a writer would discard an upload at `to`.
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let (from, to) = (Path::parse("/a")?, Path::parse("/b")?);
    /// driver.copy(&from, &to, Precondition::IfAbsent).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.6](crate::contract#7.6), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// Those of [`rename`](Self::rename), with [`copy`](Capabilities::copy) as the capability.
    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let _ = precondition;
        Err(unsupported(self.name(), Operation::Copy, &[from, to]))
    }

    /// Gives a file a new version and modification time, and leaves its content as it is, so that a
    /// collector that deletes under [`IfVersion`](Precondition::IfVersion) never deletes what a client
    /// was just told exists.
    ///
    /// The default is `Unsupported`.
    ///
    /// ```
    /// # use storage_driver::{Path, Precondition, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// let file = driver.touch(&Path::parse("/blob")?, Precondition::None).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [7.7](crate::contract#7.7).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) without [`touch`](Capabilities::touch), for
    /// [`IfAbsent`](Precondition::IfAbsent), and for [`IfVersion`](Precondition::IfVersion) without
    /// [`preconditions`](Capabilities::preconditions); [`PathNotFound`](ErrorKind::PathNotFound);
    /// [`IsADirectory`](ErrorKind::IsADirectory);
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed).
    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        let _ = precondition;
        Err(unsupported(self.name(), Operation::Touch, &[path]))
    }

    /// Returns a URL with which a client can `method` the file at `path` directly for `expires_in`, or `None`
    /// if there is no such URL for this path.
    ///
    /// The default is `Unsupported`.
    ///
    /// ```
    /// # use storage_driver::{Path, RedirectMethod, Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// use std::time::Duration;
    ///
    /// let (path, minute) = (Path::parse("/blob")?, Duration::from_secs(60));
    /// if let Some(url) = driver.redirect_url(&path, RedirectMethod::Get, minute).await? {
    ///     println!("307 {url}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [10.3](crate::contract#10.3).
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) without [`redirect`](Capabilities::redirect).
    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        let (_, _) = (method, expires_in);
        Err(unsupported(self.name(), Operation::RedirectUrl, &[path]))
    }

    /// Removes what operations have left behind: data that no file and no upload names any more, and the traces of
    /// operations that were cut off. Never removes what an operation can see or resume. It can run at any time, any
    /// number of times at once, in any number of processes. Run it at an interval if the driver's documentation says so.
    ///
    /// The default has nothing to remove. It calls [`stat`](Self::stat) on the root, so that it fails as other
    /// operations do.
    ///
    /// ```
    /// # use storage_driver::{Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// use std::time::Duration;
    ///
    /// use storage_driver::SweepOptions;
    ///
    /// // Of many processes with this schedule, one does the work.
    /// let options = SweepOptions::new().lease(Duration::from_secs(60));
    /// let report = driver.sweep(options).await?;
    /// println!("{} bytes removed", report.bytes);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [9.5](crate::contract#9.5).
    ///
    /// # Errors
    ///
    /// Those of the backend. What was removed before stays removed.
    ///
    /// # Cancel safety
    ///
    /// It may stop between two removals, or continue in the background. Call it again.
    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        let _ = options;
        let root = Path::root();
        match self.stat(&root).await {
            Ok(_) => Ok(SweepReport::new()),
            Err(error) => Err(part_of(self.name(), Operation::Sweep, &root, error)),
        }
    }

    /// Reports, at low cost, whether the store can be read and written, and the error if not. A full store can be
    /// read.
    ///
    /// The default calls [`stat`](Self::stat) on the root, and reports that the store can be written. A store that can
    /// be used but should not be, as it is, has [warnings](Health::warnings).
    ///
    /// ```
    /// # use storage_driver::{Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// if let Err(error) = driver.health().await.write {
    ///     println!("the store cannot be written: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [10.4](crate::contract#10.4).
    async fn health(&self) -> Health {
        match self.stat(&Path::root()).await {
            Ok(_) => Health::ok(),
            Err(error) => {
                let root = Path::root();
                Health::unavailable(part_of(self.name(), Operation::Health, &root, error))
            }
        }
    }

    /// Waits for background work and releases locks. Afterwards every operation fails with
    /// [`Unavailable`](ErrorKind::Unavailable), those of open writers included. Open readers may continue. A
    /// second shutdown does nothing.
    ///
    /// ```
    /// # use storage_driver::{Result, StorageDriver};
    /// # async fn example(driver: &dyn StorageDriver) -> Result<()> {
    /// driver.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Clauses: [9.4](crate::contract#9.4).
    ///
    /// # Errors
    ///
    /// The first error of the background work. The driver is shut down all the same.
    ///
    /// # Cancel safety
    ///
    /// Call it again.
    async fn shutdown(&self) -> Result<()>;
}

/// The error of an operation that is composed of others: it names the operation that was called.
fn part_of(driver: &'static str, operation: Operation, path: &Path, error: Error) -> Error {
    error.during(operation).context(driver, operation, path)
}

/// The error of an operation that is not implemented. A path that is invalid comes first (8.6).
fn unsupported(driver: &'static str, operation: Operation, paths: &[&Path]) -> Error {
    let invalid = paths.iter().find_map(|path| path.require_not_root().err());
    let error = invalid.unwrap_or_else(|| Error::new(ErrorKind::Unsupported));
    paths.iter().take(1).fold(error, |error, path| error.context(driver, operation, path))
}

const _: fn(&dyn StorageDriver) = |_| {}; // dyn-compatible
