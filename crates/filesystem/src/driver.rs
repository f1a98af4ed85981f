//! The contract, on [`Filesystem`].

mod delete;
mod open;
mod put;
mod tasks;

use std::{ops::Bound, sync::Arc, sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page, Path,
    Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Version,
    Walk, WalkOptions, Writer, WriterOptions,
};

use crate::{
    Filesystem, clock,
    error::explain,
    recovery,
    root::search,
    store::{Store, list, reader::Pieces, walk::Descent},
    sys::{Kind, Resolve},
    upload::{
        Upload,
        uploads::{Uploads, below},
    },
};

pub(crate) const NAME: &str = "filesystem";

/// Adds the context to the error of an operation on a path.
async fn run<T>(
    operation: Operation,
    path: &Path,
    body: impl Future<Output = Result<T>>,
) -> Result<T> {
    body.await.map_err(|error| error.context(NAME, operation, path))
}

#[async_trait]
impl StorageDriver for Filesystem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        let guarantees = Capabilities {
            durable: true,
            rejects_conflicts: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        };
        if self.store().root.settings.read_only {
            return guarantees;
        }
        // Nothing is renamed from one file system to another, nor published there in one step.
        let one = self.store().root.mounts.is_empty();
        Capabilities {
            preconditions: true,
            conditional_commit: true,
            rename_file: one,
            rename_dir: one,
            copy: true,
            append: true,
            touch: true,
            keeps_on_drop: true,
            atomic_rename: one,
            atomic_commit_to: one,
            ..guarantees
        }
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        run(Operation::PutContent, path, async {
            path.require_not_root()?;
            self.store().require_writable()?;
            let result = self.put(path, content, precondition.clone()).await;
            self.store()
                .order_errors(result, path, move |current| precondition.check(current))
                .await
        })
        .await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        run(Operation::Reader, path, async {
            path.require_not_root()?;
            self.store().require_open()?;
            self.store().work.wait_abandoned(path).await;
            let (file, facts) = match self.store().root.open_file(path, Resolve::Cached) {
                Ok(open) => open,
                Err(_) => {
                    let at = path.clone();
                    let open = move |store: &Store| {
                        store
                            .root
                            .open_file(&at, Resolve::Fully)
                            .map_err(|errno| store.explain_open(&at, errno))
                    };
                    self.look(path, open).await?
                }
            };
            let range = range.resolve(facts.size)?;
            let metadata = self.store().root.metadata(path, &facts);
            let pieces = Pieces::new(Arc::clone(self.store()), file, range.clone());
            Ok(Reader::new(NAME, metadata, range, pieces))
        })
        .await
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        run(Operation::Writer, path, async {
            let session = self.open_session(path, options.mode).await?;
            let (size, note) = session.size_and_note();
            Ok(Writer::new(NAME, path.clone(), size, session).with_note(note))
        })
        .await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        run(Operation::Stat, path, async {
            self.store().require_open()?;
            self.store().work.wait_abandoned(path).await;
            if path.is_root() {
                return self.look(path, |_| Ok(Stat::Directory(Path::root()))).await;
            }
            let root = &self.store().root;
            if let Ok(Some(facts)) = search::lookup(root, path, Resolve::Cached) {
                if facts.kind == Kind::File {
                    return Ok(Stat::File(root.metadata(path, &facts)));
                }
                let below = || search::first_file(root, &root.dir, root.relative(path), path);
                if self.store().in_memory && matches!(below(), Ok(Some(_))) {
                    return Ok(Stat::Directory(path.clone()));
                }
            }
            let at = path.clone();
            self.look(path, move |store| match search::lookup(&store.root, &at, Resolve::Fully) {
                Ok(Some(facts)) if facts.kind == Kind::File => {
                    Ok(Stat::File(store.root.metadata(&at, &facts)))
                }
                Ok(Some(facts)) if facts.kind == Kind::Dir && store.is_visible(&at)? => {
                    Ok(Stat::Directory(at))
                }
                Ok(_) => Err(ErrorKind::PathNotFound.into()),
                Err(errno) => Err(explain(errno)),
            })
            .await
        })
        .await
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let at = path.clone();
        let list = self.look(path, move |store| list::list(store, &at, &options));
        run(Operation::List, path, list).await
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        let store = Arc::clone(self.store());
        Walk::new(NAME, path.clone(), Descent::new(store, path.clone(), options))
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        run(Operation::Uploads, path, async {
            self.store().require_open()?;
            self.store().work.wait_abandoned(path).await;
            let start = match &options.start_after {
                Some(start) if start > path => Bound::Excluded(start.clone()),
                _ => Bound::Included(path.clone()),
            };
            if self.store().root.settings.read_only {
                let uploads = self.look(path, recovery::read_uploads).await?;
                let found = below(&uploads, path, start).map(|(_, upload)| upload.clone());
                return Ok(Page::from_sorted(path, &options, found));
            }
            let uploads = self.uploads.map();
            let found = below(&uploads, path, start).map(|(_, upload)| upload.describe());
            Ok(Page::from_sorted(path, &options, found))
        })
        .await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        run(Operation::Upload, path, async {
            path.require_not_root()?;
            self.store().require_open()?;
            self.store().work.wait_abandoned(path).await;
            if self.store().root.settings.read_only {
                return Ok(self.look(path, recovery::read_uploads).await?.remove(path));
            }
            let upload = self.uploads.map().get(path).cloned();
            let Some(upload) = upload else { return Ok(None) };
            let inspect = move |store: &Store| {
                // Another program may have damaged the data since.
                upload.inspect(store);
                Ok(upload.describe())
            };
            self.look(path, inspect).await.map(Some)
        })
        .await
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        run(Operation::CancelUpload, path, async {
            path.require_not_root()?;
            self.store().require_writable()?;
            let held = self.store().locks.paths(Some(path), &[]).await;
            let at = path.clone();
            let cancel = move |uploads: &Arc<Uploads>| {
                let upload = uploads.map().remove(&at);
                let upload = upload.ok_or_else(|| Error::from(ErrorKind::PathNotFound))?;
                upload.remove(&uploads.store);
                Ok(())
            };
            self.change(&[path], held, cancel).await
        })
        .await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        run(Operation::CancelUploads, path, async {
            self.store().require_writable()?;
            let age = i64::try_from(older_than.as_nanos()).unwrap_or(i64::MAX);
            let mut cancelled = 0;
            for found in self.uploads.below(path) {
                let at = found.path().clone();
                let held = self.store().locks.paths(Some(&at), &[]).await;
                let cancel = move |uploads: &Arc<Uploads>| {
                    let upload = uploads.map().get(found.path()).cloned();
                    let old = |upload: &Arc<Upload>| {
                        clock::now().saturating_sub(upload.touched()).max(0) >= age
                    };
                    let Some(upload) = upload.filter(old) else { return Ok(0) };
                    uploads.map().remove(upload.path());
                    upload.remove(&uploads.store);
                    Ok(1)
                };
                cancelled += self.change(&[&at], held, cancel).await?;
            }
            Ok(cancelled)
        })
        .await
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        run(Operation::Delete, path, async {
            path.require_not_root()?;
            precondition.require_existing()?;
            self.store().require_writable()?;
            self.delete_file(path, precondition).await
        })
        .await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        run(Operation::DeleteDir, path, async {
            path.require_not_root()?;
            self.store().require_writable()?;
            self.delete_tree(path).await
        })
        .await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Rename, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store().require_writable()?;
            self.store().root.require_one_file_system()?;
            let held = self.store().locks.paths(None, &[from, to]).await;
            let (source, target) = (from.clone(), to.clone());
            let rename =
                move |uploads: &Arc<Uploads>| uploads.store.rename(&source, &target, &precondition);
            self.change_briefly(&[from, to], held, rename).await
        })
        .await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        run(Operation::RenameDir, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store().require_writable()?;
            self.store().root.require_one_file_system()?;
            let held = self.store().locks.whole().await;
            let (source, target) = (from.clone(), to.clone());
            let rename = move |uploads: &Arc<Uploads>| uploads.store.rename_dir(&source, &target);
            self.change(&[from, to], held, rename).await
        })
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Copy, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store().require_writable()?;
            if from == to {
                let metadata = self.stat(from).await.and_then(Stat::into_file);
                let metadata = metadata.map_err(|error| error.during(Operation::Copy))?;
                precondition.check(Some(&metadata.version))?;
                return Ok(metadata);
            }
            let result = self.copy_file(from, to, precondition.clone()).await;
            let check = move |current: Option<&Version>| precondition.check(current);
            self.store().order_errors(result, to, check).await
        })
        .await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Touch, path, async {
            path.require_not_root()?;
            precondition.require_existing()?;
            self.store().require_writable()?;
            let held = self.store().locks.paths(None, &[path]).await;
            let at = path.clone();
            let touch = move |uploads: &Arc<Uploads>| uploads.store.touch(&at, &precondition);
            self.change_briefly(&[path], held, touch).await
        })
        .await
    }

    async fn health(&self) -> Health {
        let in_context = |error: Error| error.context(NAME, Operation::Health, &Path::root());
        let root = Path::root();
        let health = self.look(&root, |store| Ok(store.write_health()));
        match health.await {
            Ok(write) => Health::new(Ok(()), write.map_err(in_context)),
            Err(error) => Health::unavailable(in_context(error)),
        }
    }

    async fn shutdown(&self) -> Result<()> {
        let root = Path::root();
        run(Operation::Shutdown, &root, async {
            // Under this lock, no change is in progress and none can start.
            let held = self.store().locks.whole().await;
            if !self.store().closed.swap(true, Ordering::AcqRel) {
                for upload in self.uploads.below(&root) {
                    upload.keep_in_background(self.store());
                }
            }
            drop(held);
            self.store().work.finished().await;
            let store = Arc::clone(self.store());
            let closing = tokio::task::spawn_blocking(move || recovery::close(&store));
            closing.await.unwrap_or_else(|error| Err(crate::store::blocking::broken(error)))
        })
        .await
    }
}
