//! [`Bucket`]: the driver.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page, Path,
    Payload, Precondition, ReadRange, Reader, RedirectMethod, Result, Stat, StorageDriver,
    SweepOptions, SweepReport, UploadInfo, Walk, WalkOptions, Writer, WriterOptions,
};

use crate::{
    Builder, backend::Backend, double::Double, envelope::tombstone, http::Meter, opening,
    walking::Walking,
};

const NAME: &str = "bucket";

/// A store in a bucket. A clone is a handle to the same driver.
#[derive(Debug, Clone)]
pub struct Bucket {
    backend: Arc<Backend>,
    meter: Arc<Meter>,
}

impl Bucket {
    pub(crate) fn new(backend: Backend, meter: Arc<Meter>) -> Self {
        Self { backend: Arc::new(backend), meter }
    }

    /// Opens a store in a server in process, for tests and for trying things. It is gone with the driver.
    ///
    /// ```
    /// # tokio_test::block_on(async {
    /// use storage_driver::{Path, Precondition, StorageDriver};
    /// use storage_driver_bucket::Bucket;
    ///
    /// let store = Bucket::memory().await?;
    /// let path = Path::parse("/tags/latest")?;
    /// store.put_content(&path, "sha256:aa".into(), Precondition::IfAbsent).await?;
    /// assert_eq!(store.get_content(&path, 100).await?.into_bytes(), "sha256:aa");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// None that are known of; the signature is that of every opening.
    pub async fn memory() -> Result<Self> {
        Builder::double(&Double::default()).open().await
    }

    /// The requests that this driver has sent, and the plan of faults of a test.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// The memory that open writers hold for data that the store does not have yet, and readers for data that was not
    /// dropped yet, in bytes.
    pub fn memory_in_use(&self) -> u64 {
        self.backend.budget.used()
    }

    /// Whether the store honours the condition of a DELETE. Where it does not, tombstones stand for deleted files
    /// and stay.
    pub fn deletes_conditionally(&self) -> bool {
        self.backend.objects.deletes_conditionally()
    }

    /// Runs an operation that changes something, to its end.
    async fn change<T, F>(
        &self,
        operation: Operation,
        paths: &[&Path],
        work: impl FnOnce(Arc<Backend>) -> F,
    ) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let [path, ..] = paths else { return Err(Error::other("no path")) };
        let run = async {
            for path in paths {
                path.require_not_root()?;
            }
            self.backend.check_writable()?;
            self.backend.tasks.run(paths, work(Arc::clone(&self.backend))).await
        };
        run.await.map_err(|error| error.context(NAME, operation, path))
    }

    /// Runs an operation that changes nothing.
    async fn look<T>(
        &self,
        operation: Operation,
        path: &Path,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let run = async {
            self.backend.tasks.enter(&[path]).await?;
            work.await
        };
        run.await.map_err(|error| error.context(NAME, operation, path))
    }
}

#[async_trait]
impl StorageDriver for Bucket {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        let reads = Capabilities {
            redirect: true,
            durable: true,
            unique_versions: true,
            ordered_walk: true,
            max_path_bytes: self.backend.max_path_bytes,
            ..Capabilities::none()
        };
        if self.backend.read_only {
            return reads;
        }
        Capabilities {
            preconditions: true,
            conditional_commit: true,
            rename_file: true,
            copy: true,
            append: true,
            touch: true,
            atomic_commit_to: true,
            ..reads
        }
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let target = path.clone();
        self.change(Operation::PutContent, &[path], |backend| async move {
            backend.check_length(&target)?;
            backend.put(&target, content, &precondition).await
        })
        .await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        self.look(Operation::Reader, path, async {
            path.require_not_root()?;
            self.backend.check_length(path)?;
            self.backend.reader(NAME, path, &range).await
        })
        .await
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let (target, mode) = (path.clone(), options.mode);
        let upload = self
            .change(Operation::Writer, &[path], |backend| async move {
                backend.check_length(&target)?;
                backend.open_upload(&target, mode).await
            })
            .await?;
        Ok(opening::writer(NAME, path, upload, &options))
    }

    async fn create_upload(&self, path: &Path) -> Result<()> {
        let target = path.clone();
        self.change(Operation::CreateUpload, &[path], |backend| async move {
            backend.check_length(&target)?;
            backend.create_upload(&target).await
        })
        .await
    }

    async fn file(&self, path: &Path) -> Result<Option<Metadata>> {
        self.look(Operation::File, path, async {
            self.backend.check_length(path)?;
            match path.is_root() {
                true => Ok(None),
                false => self.backend.file(path).await,
            }
        })
        .await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.look(Operation::Stat, path, async {
            self.backend.check_length(path)?;
            self.backend.stat(path).await
        })
        .await
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        self.look(Operation::List, path, async {
            self.backend.check_length(path)?;
            self.backend.list(path, &options).await
        })
        .await
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        Walk::new(NAME, path.clone(), Walking::new(&self.backend, path, options))
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        self.look(Operation::Uploads, path, async {
            self.backend.check_length(path)?;
            self.backend.uploads(path, &options).await
        })
        .await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.look(Operation::Upload, path, async {
            path.require_not_root()?;
            self.backend.check_length(path)?;
            self.backend.upload(path).await
        })
        .await
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        let target = path.clone();
        self.change(Operation::CancelUpload, &[path], |backend| async move {
            backend.check_length(&target)?;
            backend.cancel_upload(&target).await
        })
        .await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        let target = path.clone();
        let run = async {
            let backend = Arc::clone(&self.backend);
            backend.check_length(&target)?;
            backend.check_writable()?;
            self.backend
                .tasks
                .run(&[path], async move {
                    // Asked for each, because the responses that told of it correct the clock.
                    let is_old = |upload: &UploadInfo| {
                        let age = (backend.clock)().duration_since(upload.modified);
                        age.unwrap_or_default() >= older_than
                    };
                    backend.cancel_all(&target, &is_old).await
                })
                .await
        };
        run.await.map_err(|error| error.context(NAME, Operation::CancelUploads, path))
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        let target = path.clone();
        self.change(Operation::Delete, &[path], |backend| async move {
            backend.check_length(&target)?;
            precondition.require_existing()?;
            backend.delete(&target, &precondition).await
        })
        .await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        let target = path.clone();
        self.change(Operation::DeleteDir, &[path], |backend| async move {
            backend.check_length(&target)?;
            backend.delete_dir(&target).await
        })
        .await
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        let Some(first) = paths.first() else {
            let root = Path::root();
            let open = self.backend.tasks.check_open();
            return open.map_err(|error| error.context(NAME, Operation::DeleteMany, &root));
        };
        let run = async {
            for path in paths {
                path.require_not_root().map_err(|error| error.at(path))?;
                self.backend.check_length(path).map_err(|error| error.at(path))?;
            }
            self.backend.check_writable()?;
            let (backend, targets) = (Arc::clone(&self.backend), paths.to_vec());
            let all: Vec<&Path> = paths.iter().collect();
            let work = async move { backend.delete_many(&targets).await };
            self.backend.tasks.run(&all, work).await
        };
        run.await.map_err(|error| error.context(NAME, Operation::DeleteMany, first))
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        to.require_not_root().map_err(|e| e.context(NAME, Operation::Rename, to))?;
        let (source, target) = (from.clone(), to.clone());
        self.change(Operation::Rename, &[from, to], |backend| async move {
            backend.check_length(&source)?;
            backend.check_length(&target).map_err(|error| error.at(&target))?;
            backend.rename(&source, &target, &precondition).await
        })
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        to.require_not_root().map_err(|e| e.context(NAME, Operation::Copy, to))?;
        let (source, target) = (from.clone(), to.clone());
        self.change(Operation::Copy, &[from, to], |backend| async move {
            backend.check_length(&source)?;
            backend.check_length(&target).map_err(|error| error.at(&target))?;
            backend.copy(&source, &target, &precondition).await
        })
        .await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        let target = path.clone();
        self.change(Operation::Touch, &[path], |backend| async move {
            backend.check_length(&target)?;
            precondition.require_existing()?;
            backend.touch(&target, &precondition).await
        })
        .await
    }

    async fn redirect_url(
        &self,
        path: &Path,
        method: RedirectMethod,
        expires_in: Duration,
    ) -> Result<Option<String>> {
        self.look(Operation::RedirectUrl, path, async {
            path.require_not_root()?;
            self.backend.check_length(path)?;
            self.backend.redirect_url(path, method, expires_in).await
        })
        .await
    }

    async fn sweep(&self, options: SweepOptions) -> Result<SweepReport> {
        let run = async {
            let backend = Arc::clone(&self.backend);
            backend.tasks.check_open()?;
            backend.check_writable()?;
            // No operation waits for it: what it removes nothing names.
            let tasks = backend.tasks.clone();
            tasks.spawn(Vec::new(), async move { backend.sweep(&options).await }).await?
        };
        run.await.map_err(|error| error.context(NAME, Operation::Sweep, &Path::root()))
    }

    async fn health(&self) -> Health {
        let explain = |error: Error| error.context(NAME, Operation::Health, &Path::root());
        if let Err(error) = self.backend.tasks.check_open() {
            return Health::unavailable(explain(error));
        }
        let objects = &self.backend.objects;
        let write = async {
            self.backend.check_writable()?;
            // It decides nothing, so that any number of processes can write it.
            objects.put_hint("!health", tombstone()).await
        };
        let (read, write) = futures::join!(objects.look("!health"), write);
        let health = Health::new(read.map(drop).map_err(explain), write.map_err(explain));
        match self.backend.unsuitable {
            Some(reason) => health.with_warning(reason.to_string()),
            None => health,
        }
    }

    async fn shutdown(&self) -> Result<()> {
        self.backend.tasks.close().await;
        Ok(())
    }
}

impl Backend {
    /// The longest key that a store takes is shorter than the longest path.
    pub(crate) fn check_length(&self, path: &Path) -> Result<()> {
        match path.as_str().len() > self.max_path_bytes {
            true => Err(Error::new(ErrorKind::InvalidPath)
                .with_source("the path is longer than a key of the store can be")),
            false => Ok(()),
        }
    }
}
