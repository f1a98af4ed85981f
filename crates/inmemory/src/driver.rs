//! The contract, on [`InMemory`].

use std::{future::poll_fn, time::Duration};

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page,
    Path, Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Walk,
    WalkOptions, WalkSource, WriteMode, Writer, WriterOptions,
};

use crate::{
    InMemory,
    reader::Segments,
    rope::Rope,
    tree::Found,
    walk::{Children, Descent},
    waste::{Held, Snapshot, Waste},
    work::{ENTRIES, collect, yield_now},
};

const NAME: &str = "inmemory";

/// Runs an operation on a path, and gives its error the context.
fn run<T>(operation: Operation, path: &Path, body: impl FnOnce() -> Result<T>) -> Result<T> {
    body().map_err(|error| error.context(NAME, operation, path))
}

#[async_trait]
impl StorageDriver for InMemory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            preconditions: true,
            conditional_commit: true,
            rename_file: true,
            rename_dir: true,
            copy: true,
            append: true,
            touch: true,
            keeps_on_drop: true,
            atomic_rename: true,
            atomic_commit_to: true,
            rejects_conflicts: true,
            snapshot_listing: true,
            linearizable: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        }
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        self.content(Operation::GetContent, path, &ReadRange::Full, limit).await
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        self.content(Operation::GetRange, path, &range, limit).await
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.change(Operation::PutContent, &[path], async {
            self.store.put(path, content, &precondition).await
        })
        .await
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let garbage = self.store.garbage();
        run(Operation::Reader, path, || {
            let (metadata, rope) = self.snapshot(path)?;
            let opened = range.resolve(metadata.size).map(|range| {
                let segments = Segments::new(&rope, range.clone(), garbage);
                Reader::new(NAME, metadata, range, segments)
            });
            garbage.add_rope(rope);
            opened
        })
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let open = async {
            let store = &self.store;
            let (session, waste) = match options.mode {
                WriteMode::Create => store.create(path, &options).await?,
                WriteMode::Resume { at } => (store.resume(path, at, &options)?, Waste::default()),
                WriteMode::Append { at } => {
                    (store.append(path, at, &options).await?, Waste::default())
                }
            };
            Ok((Writer::new(NAME, path.clone(), session.start(), session), waste))
        };
        self.change(Operation::Writer, &[path], open).await
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        run(Operation::Stat, path, || {
            self.store.look(|tree| match tree.get(path) {
                Some(Found::File(file)) => Ok(Stat::File(file.metadata(path))),
                Some(Found::Dir(_)) => Ok(Stat::Directory(path.clone())),
                None => Err(Error::new(ErrorKind::PathNotFound)),
            })
        })
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let dir = run(Operation::List, path, || self.store.look(|tree| tree.dir(path)))?;
        let children = Children::after(&dir, path, options.start_after.as_ref());
        let mut snapshot = Snapshot::new(dir, self.store.garbage());
        let page = collect(path, &options, Vec::new(), children.into_iter().flatten()).await;
        poll_fn(|cx| snapshot.poll_release(cx)).await;
        Ok(page)
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        match self.store.look(|tree| tree.dir(path)) {
            Ok(dir) => {
                let (start, garbage) = (options.start_after.as_ref(), self.store.garbage());
                Walk::new(NAME, path.clone(), Descent::after(dir, path, start, garbage))
            }
            Err(error) => Walk::new(NAME, path.clone(), Failed(Some(error))),
        }
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        let page = self.store.uploads(path, &options).await;
        run(Operation::Uploads, path, || page)
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        let cancel = async { Ok(((), self.store.cancel_upload(path).await?)) };
        self.change(Operation::CancelUpload, &[path], cancel).await
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        let cancelled = self.store.cancel_uploads(path, older_than).await;
        self.freed(run(Operation::CancelUploads, path, || cancelled)).await
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        let delete = async { Ok(((), self.store.delete(path, &precondition).await?)) };
        self.change(Operation::Delete, &[path], delete).await
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        let delete = async { Ok(((), self.store.delete_dir(path).await?)) };
        self.change(Operation::DeleteDir, &[path], delete).await
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        let deleted = self.store.delete_many(paths).await.map(|waste| ((), waste));
        self.freed(run(Operation::DeleteMany, &Path::root(), || deleted)).await
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let rename = self.store.rename(from, to, &precondition);
        self.change(Operation::Rename, &[from, to], rename).await
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        let rename = async { Ok(((), self.store.rename_dir(from, to).await?)) };
        self.change(Operation::RenameDir, &[from, to], rename).await
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        let copy = self.store.copy(from, to, &precondition);
        self.change(Operation::Copy, &[from, to], copy).await
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        let touch = async { Ok((self.store.touch(path, &precondition).await?, Waste::default())) };
        self.change(Operation::Touch, &[path], touch).await
    }

    async fn health(&self) -> Health {
        let explain = |error: Error| error.context(NAME, Operation::Health, &Path::root());
        if let Err(error) = self.store.look(|_| Ok(())) {
            return Health::unavailable(explain(error));
        }
        match self.store.budget().available() {
            0 => {
                let full = ErrorKind::StorageFull { needed: None, available: Some(0) };
                Health { read: Ok(()), write: Err(explain(full.into())) }
            }
            _ => Health::ok(),
        }
    }

    async fn shutdown(&self) -> Result<()> {
        let garbage = self.store.garbage();
        garbage.free(self.store.shut_down()).await;
        garbage.collect_all().await;
        Ok(())
    }
}

impl InMemory {
    /// Runs an operation that changes something at `paths`, of which the first is the one that it is
    /// known by, and frees what it has left.
    async fn change<T>(
        &self,
        operation: Operation,
        paths: &[&Path],
        body: impl Future<Output = Result<(T, Waste)>>,
    ) -> Result<T> {
        let allowed = paths.iter().try_for_each(|path| path.require_not_root());
        let done = match allowed {
            Ok(()) => body.await,
            Err(error) => Err(error),
        };
        self.freed(run(operation, paths[0], || done)).await
    }

    /// Frees what an operation, which is done, has left, and a part of what others have.
    async fn freed<T>(&self, done: Result<(T, Waste)>) -> Result<T> {
        let garbage = self.store.garbage();
        garbage.collect();
        let (result, waste) = done?;
        garbage.free(waste).await;
        Ok(result)
    }

    async fn content(
        &self,
        operation: Operation,
        path: &Path,
        range: &ReadRange,
        limit: u64,
    ) -> Result<Content> {
        let (metadata, rope) = run(operation, path, || self.snapshot(path))?;
        let found = run(operation, path, || {
            let range = range.resolve(metadata.size)?;
            let size = range.end - range.start;
            if size > limit {
                return Err(Error::new(ErrorKind::ContentTooLarge { size, limit }));
            }
            Ok(rope.pieces(range))
        });
        let mut waste = Waste::default();
        waste.add_rope(rope);
        let held = Held { waste, garbage: self.store.garbage() };
        let pieces = found?;
        let mut payload = Payload::new();
        let mut until_yield = ENTRIES;
        for piece in pieces {
            if until_yield == 0 {
                yield_now().await;
                until_yield = ENTRIES;
            }
            until_yield -= 1;
            payload.push(piece);
        }
        held.free().await;
        Ok(Content::new(metadata, payload))
    }

    /// The file and its content of this moment. The rope may come to be the last of it.
    fn snapshot(&self, path: &Path) -> Result<(Metadata, Rope)> {
        path.require_not_root()?;
        self.store.garbage().collect();
        self.store.look(|tree| {
            let file = tree.file(path)?;
            Ok((file.metadata(path), file.rope()))
        })
    }
}

/// A walk of what is not there.
struct Failed(Option<Error>);

impl WalkSource for Failed {
    fn poll_next(
        &mut self,
        _cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Entry>>> {
        std::task::Poll::Ready(self.0.take().map(Err))
    }

    fn skip_dir(&mut self) {}
}
