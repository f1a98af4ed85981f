//! The contract, on [`Filesystem`].

use std::{ops::Bound, sync::Arc, sync::atomic::Ordering, time::Duration};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page, Path,
    Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Walk,
    WalkOptions, WriteMode, Writer, WriterOptions,
};

use crate::{
    Filesystem,
    change::Removed,
    clock,
    error::explain,
    list,
    locks::Held,
    names,
    reader::Pieces,
    recovery,
    store::{SMALL, Store},
    sys::{Kind, Resolve},
    upload::{self, Copied, Session, Uploads},
    walk::Descent,
};

pub(crate) const NAME: &str = "filesystem";

/// Gives the error of an operation on a path the context.
async fn run<T>(
    operation: Operation,
    path: &Path,
    body: impl Future<Output = Result<T>>,
) -> Result<T> {
    body.await.map_err(|error| error.context(NAME, operation, path))
}

impl Filesystem {
    /// Looks at something, on a thread, after what was abandoned at `path` has ended.
    async fn look<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store.require_open()?;
        self.store.work.wait_abandoned(path).await;
        self.prepare(path, move |store| look(store)).await
    }

    /// Does what needs no lock for an operation on `path`, on a thread.
    async fn prepare<T: Send + 'static>(
        &self,
        path: &Path,
        prepare: impl FnOnce(&Arc<Uploads>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (store, path) = (Arc::clone(&self.store), path.clone());
        let prepare = move || store.check_root(&path, prepare(&store));
        self.store.work.run(&[], prepare).await
    }

    /// Changes something at `paths`, on a thread, which holds what has to be held.
    async fn change<T: Send + 'static>(
        &self,
        paths: &[&Path],
        held: Held,
        change: impl FnOnce(&Arc<Uploads>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let store = Arc::clone(&self.store);
        let path = paths.first().map_or_else(Path::root, |&path| path.clone());
        let change = move || {
            store.require_open()?;
            let result = store.check_root(&path, change(&store));
            store.empty_trash();
            drop(held);
            result
        };
        self.store.work.run(paths, change).await
    }

    async fn open_session(&self, path: &Path, mode: WriteMode) -> Result<Session> {
        path.require_not_root()?;
        self.store.require_writable()?;
        let store = &self.store;
        match mode {
            WriteMode::Resume { at } => {
                let held = store.locks.paths(Some(path), &[]).await;
                let of = path.clone();
                self.change(&[path], held, move |store| Session::resume(store, &of, at)).await
            }
            WriteMode::Create => {
                let held = store.locks.paths(Some(path), &[]).await;
                store.require_open()?;
                if !store.map().contains_key(path) {
                    return Session::create(store, path);
                }
                // The files of the one that is there have to go.
                let at = path.clone();
                self.change(&[path], held, move |store| Session::create(store, &at)).await
            }
            WriteMode::Append { at: offset } => {
                store.work.wait_abandoned(path).await;
                let at = path.clone();
                let copy = move |store: &Arc<Uploads>| Copied::new(store, &at, offset);
                let copied = self.prepare(path, copy).await?;
                let held = store.locks.paths(Some(path), &[]).await;
                let at = path.clone();
                let append = move |store: &Arc<Uploads>| Session::append(store, &at, copied);
                self.change(&[path], held, append).await
            }
        }
    }

    async fn delete_file(&self, path: &Path, precondition: Precondition) -> Result<()> {
        let held = self.store.locks.paths(Some(path), &[path]).await;
        let at = path.clone();
        let delete = move |store: &Arc<Uploads>| delete_file(store, &at, &precondition);
        self.change(&[path], held, delete).await
    }

    async fn delete_tree(&self, path: &Path) -> Result<()> {
        // Foreign files are not moved into the trash. Looking for them takes as long as the tree is
        // large, so it is done before the lock is taken.
        let at = path.clone();
        let look = move |store: &Store| names::has_foreign_below(store, &at).map_err(explain);
        let shared = self.look(path, look).await?;
        let held = self.store.locks.whole().await;
        let at = path.clone();
        let delete = move |store: &Arc<Uploads>| delete_tree(store, &at, shared);
        self.change(&[path], held, delete).await
    }
}

/// Removes the file at a path and the upload at it.
fn delete_file(store: &Uploads, path: &Path, precondition: &Precondition) -> Result<()> {
    let upload = store.map().get(path).cloned();
    match store.delete_file(path, precondition)? {
        Removed::Done => {}
        Removed::IsADirectory => return Err(ErrorKind::IsADirectory.into()),
        Removed::Nothing if upload.is_some() => precondition.check(None)?,
        Removed::Nothing => return Err(ErrorKind::PathNotFound.into()),
    }
    if let Some(upload) = upload {
        store.map().remove(path);
        upload.remove(store);
    }
    Ok(())
}

/// Removes a directory with all below it, and the uploads at and below it.
fn delete_tree(store: &Uploads, path: &Path, shared: bool) -> Result<()> {
    let uploads = store.below(path);
    match store.kind(path)? {
        Some(Kind::File) => return Err(ErrorKind::NotADirectory.into()),
        Some(_) => store.delete_dir(path, shared)?,
        None if uploads.is_empty() => return Err(ErrorKind::PathNotFound.into()),
        None => {}
    }
    for upload in uploads {
        store.map().remove(upload.path());
        upload.remove(store);
    }
    Ok(())
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
        if self.store.settings.read_only {
            return guarantees;
        }
        // Nothing is renamed from one file system to another, nor published there in one step.
        let one = self.store.mounts.is_empty();
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
            self.store.require_writable()?;
            let at = path.clone();
            if content.len() as u64 <= SMALL {
                // So it takes one thread once.
                let held = self.store.locks.paths(None, &[path]).await;
                let put = move |store: &Arc<Uploads>| {
                    let staged = store.stage_content(&content, &at)?;
                    store.publish_staged(staged, &at, &precondition)
                };
                return self.change(&[path], held, put).await;
            }
            let dest = path.clone();
            let stage = move |store: &Arc<Uploads>| store.stage_content(&content, &dest);
            let staged = self.prepare(path, stage).await?;
            let held = self.store.locks.paths(None, &[path]).await;
            let put = move |store: &Arc<Uploads>| store.publish_staged(staged, &at, &precondition);
            self.change(&[path], held, put).await
        })
        .await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        run(Operation::Reader, path, async {
            path.require_not_root()?;
            self.store.require_open()?;
            self.store.work.wait_abandoned(path).await;
            let (file, facts) = match self.store.open_file(path, Resolve::Cached) {
                Ok(open) => open,
                Err(_) => {
                    let at = path.clone();
                    let open = move |store: &Store| {
                        store
                            .open_file(&at, Resolve::Fully)
                            .map_err(|errno| store.explain_open(&at, errno))
                    };
                    self.look(path, open).await?
                }
            };
            let range = range.resolve(facts.size)?;
            let metadata = self.store.metadata(path, &facts);
            let pieces = Pieces::new(Arc::clone(self.store.store()), file, range.clone());
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
            self.store.require_open()?;
            self.store.work.wait_abandoned(path).await;
            if path.is_root() {
                return self.look(path, |_| Ok(Stat::Directory(Path::root()))).await;
            }
            if let Ok(Some(facts)) = names::lookup(&self.store, path, Resolve::Cached)
                && facts.kind == Kind::File
            {
                return Ok(Stat::File(self.store.metadata(path, &facts)));
            }
            let at = path.clone();
            self.look(path, move |store| match names::lookup(store, &at, Resolve::Fully) {
                Ok(Some(facts)) if facts.kind == Kind::File => {
                    Ok(Stat::File(store.metadata(&at, &facts)))
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
        let store = Arc::clone(self.store.store());
        Walk::new(NAME, path.clone(), Descent::new(store, path.clone(), options))
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        run(Operation::Uploads, path, async {
            self.store.require_open()?;
            self.store.work.wait_abandoned(path).await;
            let start = match &options.start_after {
                Some(start) if start > path => Bound::Excluded(start.clone()),
                _ => Bound::Included(path.clone()),
            };
            if self.store.settings.read_only {
                let uploads = self.look(path, recovery::read_uploads).await?;
                let found = upload::below(&uploads, path, start).map(|(_, upload)| upload.clone());
                return Ok(Page::from_sorted(path, &options, found));
            }
            let uploads = self.store.map();
            let found = upload::below(&uploads, path, start).map(|(_, upload)| upload.describe());
            Ok(Page::from_sorted(path, &options, found))
        })
        .await
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        run(Operation::Upload, path, async {
            path.require_not_root()?;
            self.store.require_open()?;
            self.store.work.wait_abandoned(path).await;
            if self.store.settings.read_only {
                return Ok(self.look(path, recovery::read_uploads).await?.remove(path));
            }
            let upload = self.store.map().get(path).cloned();
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
            self.store.require_writable()?;
            let held = self.store.locks.paths(Some(path), &[]).await;
            let at = path.clone();
            let cancel = move |store: &Arc<Uploads>| {
                let upload = store.map().remove(&at);
                let upload = upload.ok_or_else(|| Error::from(ErrorKind::PathNotFound))?;
                upload.remove(store);
                Ok(())
            };
            self.change(&[path], held, cancel).await
        })
        .await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        run(Operation::CancelUploads, path, async {
            self.store.require_writable()?;
            let age = i64::try_from(older_than.as_nanos()).unwrap_or(i64::MAX);
            let mut cancelled = 0;
            for found in self.store.below(path) {
                let at = found.path().clone();
                let held = self.store.locks.paths(Some(&at), &[]).await;
                let cancel = move |store: &Arc<Uploads>| {
                    let upload = store.map().get(found.path()).cloned();
                    let old = |upload: &Arc<upload::Upload>| {
                        clock::now().saturating_sub(upload.touched()).max(0) >= age
                    };
                    let Some(upload) = upload.filter(old) else { return Ok(0) };
                    store.map().remove(upload.path());
                    upload.remove(store);
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
            self.store.require_writable()?;
            self.delete_file(path, precondition).await
        })
        .await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        run(Operation::DeleteDir, path, async {
            path.require_not_root()?;
            self.store.require_writable()?;
            self.delete_tree(path).await
        })
        .await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Rename, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.require_writable()?;
            self.store.require_one_file_system()?;
            let held = self.store.locks.paths(None, &[from, to]).await;
            let (source, target) = (from.clone(), to.clone());
            let rename = move |store: &Arc<Uploads>| store.rename(&source, &target, &precondition);
            self.change(&[from, to], held, rename).await
        })
        .await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        run(Operation::RenameDir, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.require_writable()?;
            self.store.require_one_file_system()?;
            let held = self.store.locks.whole().await;
            let (source, target) = (from.clone(), to.clone());
            let rename = move |store: &Arc<Uploads>| store.rename_dir(&source, &target);
            self.change(&[from, to], held, rename).await
        })
        .await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Copy, from, async {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.require_writable()?;
            if from == to {
                let metadata = self.stat(from).await.and_then(Stat::into_file);
                let metadata = metadata.map_err(|error| error.during(Operation::Copy))?;
                precondition.check(Some(&metadata.version))?;
                return Ok(metadata);
            }
            self.store.work.wait_abandoned(from).await;
            let (source, target) = (from.clone(), to.clone());
            let stage = move |store: &Arc<Uploads>| store.stage_copy(&source, &target);
            let staged = self.prepare(from, stage).await?;
            let held = self.store.locks.paths(None, &[to]).await;
            let target = to.clone();
            let copy = move |store: &Arc<Uploads>| {
                store
                    .publish_staged(staged, &target, &precondition)
                    .map_err(|error| error.at(&target))
            };
            self.change(&[to], held, copy).await
        })
        .await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Touch, path, async {
            path.require_not_root()?;
            precondition.require_existing()?;
            self.store.require_writable()?;
            let held = self.store.locks.paths(None, &[path]).await;
            let at = path.clone();
            self.change(&[path], held, move |store| store.touch(&at, &precondition)).await
        })
        .await
    }

    async fn health(&self) -> Health {
        let in_context = |error: Error| error.context(NAME, Operation::Health, &Path::root());
        let root = Path::root();
        let health = self.look(&root, |store| Ok(store.write_health()));
        match health.await {
            Ok(write) => {
                let mut health = Health::ok();
                health.write = write.map_err(in_context);
                health
            }
            Err(error) => Health::unavailable(in_context(error)),
        }
    }

    async fn shutdown(&self) -> Result<()> {
        let root = Path::root();
        run(Operation::Shutdown, &root, async {
            // No change is in progress now, and none can start.
            let held = self.store.locks.whole().await;
            if !self.store.closed.swap(true, Ordering::AcqRel) {
                for upload in self.store.below(&root) {
                    upload.keep_in_background(&self.store);
                }
            }
            drop(held);
            self.store.work.finished().await;
            let store = Arc::clone(&self.store);
            let closing = tokio::task::spawn_blocking(move || recovery::close(&store));
            closing.await.unwrap_or_else(|error| Err(crate::blocking::broken(error)))
        })
        .await
    }
}
