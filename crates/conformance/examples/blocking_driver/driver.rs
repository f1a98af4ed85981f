//! [`BlockingDriver`]: a storage driver over a [`Library`] whose calls block.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Entry, ErrorKind, ListOptions, Metadata, Operation, Page, Path, Payload,
    Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, WriteMode, Writer,
    WriterOptions,
    blocking::{BlockingTasks, BlockingUpload, BlockingUploads, OpenedUpload},
};
use tokio::runtime::Handle;

use super::library::Library;

const NAME: &str = "blocking";

/// How many calls of the library run at once.
const THREADS: usize = 4;

/// How much a writer holds in memory, in bytes.
const BUFFER: usize = 1 << 20;

/// A driver over a blocking library. [`BlockingTasks`] runs every call on a thread, in order for each path.
/// [`BlockingUploads`] has the writers.
#[derive(Debug)]
pub(crate) struct BlockingDriver {
    library: Arc<Library>,
    tasks: BlockingTasks,
    uploads: BlockingUploads<Upload>,
}

impl BlockingDriver {
    /// A driver on the runtime that it is called in.
    pub(crate) fn new() -> Self {
        let tasks = BlockingTasks::new(Handle::current(), THREADS);
        let uploads = BlockingUploads::new(tasks.clone(), BUFFER);
        Self { library: Arc::default(), tasks, uploads }
    }

    /// Runs a call that changes nothing.
    async fn read<T, F>(&self, operation: Operation, path: &Path, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Library, &Path) -> Result<T> + Send + 'static,
    {
        let (library, at) = (Arc::clone(&self.library), path.clone());
        let result = self.tasks.read(path, move || call(&library, &at)).await;
        result.map_err(|error| error.context(NAME, operation, path))
    }

    /// Runs a call that changes what is at or below `path`.
    async fn write<T, F>(&self, operation: Operation, path: &Path, call: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Library, &Path) -> Result<T> + Send + 'static,
    {
        let (library, at) = (Arc::clone(&self.library), path.clone());
        let call = move || {
            at.require_not_root()?;
            call(&library, &at)
        };
        let result = self.tasks.write(&[path], call).await;
        result.map_err(|error| error.context(NAME, operation, path))
    }
}

#[async_trait]
impl StorageDriver for BlockingDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            preconditions: true,
            conditional_commit: true,
            keeps_on_drop: true,
            atomic_commit_to: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        }
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        condition: Precondition,
    ) -> Result<Metadata> {
        let put = move |library: &Library, path: &Path| library.put(path, content, condition);
        self.write(Operation::PutContent, path, put).await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let open = move |library: &Library, path: &Path| {
            path.require_not_root()?;
            let (file, content) = library.get(path)?;
            let range = range.resolve(file.size)?;
            let bytes = content.slice(range.start as usize..range.end as usize);
            Ok(Reader::from_payload(NAME, file, range, bytes))
        };
        self.read(Operation::Reader, path, open).await
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let (library, at) = (Arc::clone(&self.library), path.clone());
        let open = move |held: u64| {
            at.require_not_root()?;
            let info = match options.mode {
                WriteMode::Create => library.create_upload(&at),
                WriteMode::Resume { .. } => library.upload(&at).ok_or(ErrorKind::PathNotFound)?,
                WriteMode::Append { .. } => return Err(ErrorKind::Unsupported.into()),
            };
            let size = info.size.unwrap_or_default();
            match options.mode {
                WriteMode::Resume { at: Some(given) } if given != size + held => {
                    return Err(ErrorKind::OffsetMismatch { given, size: size + held }.into());
                }
                _ => {}
            }
            let note = info.note.unwrap_or_default();
            Ok(OpenedUpload::new(Upload { library, path: at }, size, note))
        };
        let writer = self.uploads.open(NAME, path, options.mode, open).await;
        writer.map_err(|error| error.context(NAME, Operation::Writer, path))
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.read(Operation::Stat, path, Library::stat).await
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let list = move |library: &Library, path: &Path| library.list(path, &options);
        self.read(Operation::List, path, list).await
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        let list = move |library: &Library, path: &Path| Ok(library.uploads(path, &options));
        self.read(Operation::Uploads, path, list).await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        let uploads = self.uploads.clone();
        let find = move |library: &Library, path: &Path| {
            let held = uploads.held(path);
            let mut upload = library.upload(path);
            if let Some(size) = upload.as_mut().and_then(|upload| upload.size.as_mut()) {
                *size += held;
            }
            Ok(upload)
        };
        self.write(Operation::Upload, path, find).await
    }

    async fn delete(&self, path: &Path, condition: Precondition) -> Result<()> {
        let uploads = self.uploads.clone();
        let delete = move |library: &Library, path: &Path| {
            condition.require_existing()?;
            library.delete(path, &condition)?;
            uploads.discard(path);
            Ok(())
        };
        self.write(Operation::Delete, path, delete).await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        let uploads = self.uploads.clone();
        let delete = move |library: &Library, path: &Path| {
            library.delete_dir(path)?;
            uploads.discard_below(path);
            Ok(())
        };
        self.write(Operation::DeleteDir, path, delete).await
    }

    async fn shutdown(&self) -> Result<()> {
        let result = self.uploads.shutdown().await;
        result.map_err(|error| error.context(NAME, Operation::Shutdown, &Path::root()))
    }
}

/// An upload of the library.
#[derive(Debug)]
struct Upload {
    library: Arc<Library>,
    path: Path,
}

impl BlockingUpload for Upload {
    fn append(&mut self, data: &mut Payload) -> Result<()> {
        self.library.append(&self.path, std::mem::take(data))
    }

    fn keep(&mut self, note: &Bytes) -> Result<()> {
        self.library.set_note(&self.path, note)
    }

    fn commit_to(&mut self, dest: &Path, condition: Precondition) -> Result<Metadata> {
        self.library.commit(&self.path, dest, condition)
    }

    fn cancel(&mut self) -> Result<()> {
        self.library.cancel(&self.path)
    }
}
