//! [`StorageDriver`]: the contract.

use std::{fmt::Debug, time::Duration};

use async_trait::async_trait;

use crate::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page,
    Path, Payload, Precondition, ReadRange, Reader, Result, Stat, UploadInfo, Walk, WalkOptions,
    Writer, WriterOptions,
};

/// The storage layer under a registry, whatever stands behind it: memory, a file system, an object
/// store.
///
/// # The contract
///
/// What every driver promises stands in [`contract`](crate::contract), clause by clause. Each method names its
/// clauses. The conformance suite has at least one test for every clause that a test can show.
///
/// # Writing a driver
///
/// Required: `name`, `capabilities`, `put_content`, `reader`, `writer` (with a
/// [`WriteSession`](crate::WriteSession) behind it), `stat`, `list`, `uploads`, `delete` and
/// `shutdown`. The `custom_driver` example is a whole driver in one file.
///
/// Provided methods come in two kinds. Some are right for every driver and only cost more than a
/// native one: `get_content` and `get_range` read through `reader`, `walk` lists one directory after
/// another, `cancel_upload` resumes and cancels, `delete_many` and `cancel_uploads` go one by one,
/// `health` asks for the root. The rest
/// (`rename`, `rename_dir`, `copy`, `touch`, `redirect_url`) cannot be made of others without
/// breaking a clause, and answer `Unsupported` until they are overridden and claimed.
///
/// Give every error its context with [`Error::context`]. Check [`Path::require_not_root`] where 1.3
/// says so.
///
/// # Calling a driver
///
/// The trait is dyn-compatible: keep an `Arc<dyn StorageDriver>`. Conveniences are in
/// [`StorageDriverExt`](crate::StorageDriverExt). `&T`, `Box<T>` and `Arc<T>` are drivers too.
///
/// Unless a method says otherwise, an operation on one path is safe to drop: it takes effect once or
/// never, as 9.1 says.
#[async_trait]
pub trait StorageDriver: Debug + Send + Sync {
    /// The driver's name, as it stands in its errors: `inmemory`, `filesystem`.
    fn name(&self) -> &'static str;

    /// What this driver can do. The same at every call.
    ///
    /// Clauses: [10.1](crate::contract#10.1).
    fn capabilities(&self) -> Capabilities;

    /// Reads a file whole: what [`stat`](Self::stat) says of it, and its bytes in one or more parts.
    ///
    /// The default opens a [`reader`](Self::reader) and collects it.
    ///
    /// Clauses: [3.2](crate::contract#3.2), [4.6](crate::contract#4.6).
    ///
    /// # Errors
    ///
    /// [`ContentTooLarge`](ErrorKind::ContentTooLarge) with the size, if that is more than `limit`
    /// bytes, before any is allocated or moved; [`PathNotFound`](ErrorKind::PathNotFound), also
    /// below a file; [`IsADirectory`](ErrorKind::IsADirectory).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        let explain = |error| part_of(self.name(), Operation::GetContent, path, error);
        let reader = self.reader(path, ReadRange::Full).await.map_err(explain)?;
        reader.into_content(limit).await.map_err(explain)
    }

    /// Reads a range of a file: as [`get_content`](Self::get_content), `limit` being on the bytes of
    /// the range after its end was clipped.
    ///
    /// The default opens a [`reader`](Self::reader) and collects it.
    ///
    /// Clauses: [3.2](crate::contract#3.2), [4.1](crate::contract#4.1).
    ///
    /// # Errors
    ///
    /// As [`get_content`](Self::get_content) and [`reader`](Self::reader).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        let explain = |error| part_of(self.name(), Operation::GetRange, path, error);
        let reader = self.reader(path, range).await.map_err(explain)?;
        reader.into_content(limit).await.map_err(explain)
    }

    /// Stores `content` at `path`, replacing the file that is there whole, if `precondition` holds.
    /// Returns what [`stat`](Self::stat) would now say. An upload in progress at the path is left
    /// alone.
    ///
    /// It is atomic: a reader sees the old content or the new, never a mix, a prefix or nothing, and
    /// a failure leaves the old.
    ///
    /// Clauses: [3.1](crate::contract#3.1), [3.3](crate::contract#3.3), [3.4](crate::contract#3.4),
    /// [2.3](crate::contract#2.3).
    ///
    /// # Errors
    ///
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed); [`PathConflict`](ErrorKind::PathConflict)
    /// where the path is a directory or under a file; [`StorageFull`](ErrorKind::StorageFull);
    /// [`Unsupported`](ErrorKind::Unsupported) for a precondition without
    /// [`preconditions`](Capabilities::preconditions). Nothing is changed then.
    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata>;

    /// Opens a file, or a range of it, for reading: a snapshot of what it is now.
    ///
    /// Clauses: [4.1](crate::contract#4.1), [4.2](crate::contract#4.2), [4.3](crate::contract#4.3),
    /// [4.4](crate::contract#4.4), [4.5](crate::contract#4.5), [4.6](crate::contract#4.6).
    ///
    /// # Errors
    ///
    /// [`InvalidOffset`](ErrorKind::InvalidOffset) as [`ReadRange::resolve`] says;
    /// [`PathNotFound`](ErrorKind::PathNotFound), also below a file;
    /// [`IsADirectory`](ErrorKind::IsADirectory).
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader>;

    /// Opens an upload for writing, and fences a writer that is open for it.
    ///
    /// Clauses: [5.3](crate::contract#5.3), [5.4](crate::contract#5.4), [5.5](crate::contract#5.5),
    /// [5.6](crate::contract#5.6), [5.7](crate::contract#5.7), [5.15](crate::contract#5.15).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound): no upload to resume, no content to append to.
    /// [`OffsetMismatch`](ErrorKind::OffsetMismatch), with the true size, if the upload stands
    /// elsewhere than the mode says; the writer that was open goes on then.
    /// [`UploadInProgress`](ErrorKind::UploadInProgress) and
    /// [`IsADirectory`](ErrorKind::IsADirectory): from an append. [`Unsupported`](ErrorKind::Unsupported)
    /// for an append without [`append`](Capabilities::append).
    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer>;

    /// Tells what a path is: a file with its metadata, or a directory.
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

    /// Gives a page of the direct children of a directory, files and directories, sorted by name.
    ///
    /// Clauses: [6.2](crate::contract#6.2), [6.3](crate::contract#6.3), [6.5](crate::contract#6.5).
    ///
    /// # Errors
    ///
    /// [`NotADirectory`](ErrorKind::NotADirectory) of a file;
    /// [`PathNotFound`](ErrorKind::PathNotFound) of nothing. An empty root is an empty page.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>>;

    /// Streams every file and directory below `path`, depth first, each subtree together, `path`
    /// left out. What vanishes meanwhile is passed over.
    ///
    /// The default is [`Walk::by_list`].
    ///
    /// Clauses: [6.4](crate::contract#6.4), [6.5](crate::contract#6.5).
    ///
    /// # Errors
    ///
    /// As its first item what [`list`](Self::list) answers of `path`.
    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        Walk::by_list(self, path, options)
    }

    /// Gives a page of the uploads in progress at and under `path`, in the order of their paths.
    /// Where there is none, an empty page, whatever `path` is.
    ///
    /// Clauses: [5.16](crate::contract#5.16), [2.4](crate::contract#2.4).
    ///
    /// # Errors
    ///
    /// What the backend answers.
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
    /// Clauses: [5.16](crate::contract#5.16).
    ///
    /// # Errors
    ///
    /// Those of the backend.
    ///
    /// # Cancel safety
    ///
    /// Changes nothing.
    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        let page = self.uploads(path, ListOptions::new().limit(1)).await?;
        Ok(page.items.into_iter().find(|upload| upload.path == *path))
    }

    /// Cancels the upload in progress at `path`, and fences its writer. The committed content is
    /// untouched.
    ///
    /// The default [resumes](crate::WriteMode::Resume) it and cancels the writer.
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

    /// Cancels the uploads at and under `path` to which nothing was written for at least
    /// `older_than`, by the driver's clock; returns how many. With [`Duration::ZERO`], all of them.
    ///
    /// The default lists and cancels one by one by the system's clock; an upload that gets data in
    /// between may be cancelled all the same.
    ///
    /// Clauses: [5.16](crate::contract#5.16), [5.7](crate::contract#5.7).
    ///
    /// # Errors
    ///
    /// What the backend answers; some may have been cancelled.
    ///
    /// # Cancel safety
    ///
    /// May stop between two uploads.
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
    /// Clauses: [7.5](crate::contract#7.5).
    ///
    /// # Errors
    ///
    /// The first error of a deletion. The paths before it may have been deleted, all or none of them if the
    /// driver is [`linearizable`](Capabilities::linearizable).
    ///
    /// # Cancel safety
    ///
    /// May stop between two paths.
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

    /// Moves the file at `from` to `to`, replacing a file there, if that fulfils `precondition`; its
    /// version stays, and its time under [`atomic_rename`](Capabilities::atomic_rename). Onto
    /// itself: no change, no error. Uploads in progress are left alone.
    ///
    /// The default is `Unsupported`: a copy and a delete would not keep the version.
    ///
    /// Clauses: [7.1](crate::contract#7.1), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) naming `from`, `to` being untouched;
    /// [`IsADirectory`](ErrorKind::IsADirectory) if `from` is one;
    /// [`PathConflict`](ErrorKind::PathConflict) onto a directory or under a file, itself included;
    /// [`PreconditionFailed`](ErrorKind::PreconditionFailed);
    /// [`Unsupported`](ErrorKind::Unsupported) without [`rename_file`](Capabilities::rename_file).
    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let (_, _) = (to, precondition);
        Err(unsupported(self.name(), Operation::Rename, from))
    }

    /// Moves the directory `from` with everything under it to `to`, where nothing may be; versions
    /// stay, and times under [`atomic_rename`](Capabilities::atomic_rename). Onto itself: no change,
    /// no error. Uploads in progress are left alone.
    ///
    /// The default is `Unsupported`.
    ///
    /// Clauses: [7.2](crate::contract#7.2), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// [`PathNotFound`](ErrorKind::PathNotFound) naming `from`;
    /// [`NotADirectory`](ErrorKind::NotADirectory) if `from` is a file;
    /// [`PathConflict`](ErrorKind::PathConflict) if `to` exists, is under a file, or is below `from`;
    /// [`InvalidPath`](ErrorKind::InvalidPath) if a path below would become too long;
    /// [`Unsupported`](ErrorKind::Unsupported) without [`rename_dir`](Capabilities::rename_dir).
    ///
    /// # Cancel safety
    ///
    /// Under [`atomic_rename`](Capabilities::atomic_rename) once or never; otherwise it may stop
    /// between paths.
    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        let _ = to;
        Err(unsupported(self.name(), Operation::RenameDir, from))
    }

    /// Makes `to` a file of the same content as `from`, shared or copied, with a version and time of
    /// its own, if the file at `to` fulfils `precondition`. Onto itself: no change, no error.
    ///
    /// The default is `Unsupported`: there is no other way that leaves an upload at `to` alone and
    /// holds no more than a bounded part in memory.
    ///
    /// Clauses: [7.6](crate::contract#7.6), [7.3](crate::contract#7.3).
    ///
    /// # Errors
    ///
    /// As [`rename`](Self::rename), [`Unsupported`](ErrorKind::Unsupported) being without
    /// [`copy`](Capabilities::copy).
    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let (_, _) = (to, precondition);
        Err(unsupported(self.name(), Operation::Copy, from))
    }

    /// Gives a file a new version and modification time, and leaves its content as it is, so that a
    /// collector that deletes under [`IfVersion`](Precondition::IfVersion) never deletes what a client
    /// was just told exists.
    ///
    /// The default is `Unsupported`.
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
        Err(unsupported(self.name(), Operation::Touch, path))
    }

    /// A URL that a client can use straight for `method` on the file at `path` for `expires_in`;
    /// `None` if there is none for this path.
    ///
    /// The default is `Unsupported`.
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
        Err(unsupported(self.name(), Operation::RedirectUrl, path))
    }

    /// Says cheaply whether the store can be read and written, and why not. A full store is
    /// readable.
    ///
    /// The default asks for the root, and knows no better of writing.
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

    /// Waits for what goes on in the background and gives up locks. Afterwards every operation
    /// answers [`Unavailable`](ErrorKind::Unavailable), those of open writers included; shutting
    /// down again does nothing. A reader that is open may go on.
    ///
    /// Clauses: [9.4](crate::contract#9.4).
    ///
    /// # Errors
    ///
    /// What the background work answered; the driver is shut down all the same.
    ///
    /// # Cancel safety
    ///
    /// Call it again.
    async fn shutdown(&self) -> Result<()>;
}

/// What a client wants to do with a [redirect](StorageDriver::redirect_url).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RedirectMethod {
    /// Read the content.
    Get,
    /// Ask for its size.
    Head,
}

/// The error of an operation that is made of others: it says what the caller asked for.
fn part_of(driver: &'static str, operation: Operation, path: &Path, error: Error) -> Error {
    error.during(operation).context(driver, operation, path)
}

fn unsupported(driver: &'static str, operation: Operation, path: &Path) -> Error {
    Error::new(ErrorKind::Unsupported).context(driver, operation, path)
}

const _: fn(&dyn StorageDriver) = |_| {}; // dyn-compatible
