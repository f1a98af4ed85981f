//! The contract, on [`InMemory`].

use std::time::Duration;

use async_trait::async_trait;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, Health, ListOptions, Metadata, Operation, Page,
    Path, Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, Upload, Walk,
    WalkOptions, WalkSource, WriteMode, Writer, WriterOptions,
};

use crate::{
    InMemory,
    reader::Segments,
    tree::Found,
    walk::{Children, Descent},
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
            conditional_put: true,
            conditional_commit: true,
            rename_file: true,
            rename_dir: true,
            copy: true,
            append: true,
            touch: true,
            keeps_on_drop: true,
            atomic_rename: true,
            one_step_commit_to: true,
            sees_conflicts: true,
            snapshot_listing: true,
            linearizable: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        }
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        run(Operation::GetContent, path, || self.content(path, &ReadRange::Full, limit))
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        run(Operation::GetRange, path, || self.content(path, &range, limit))
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        run(Operation::PutContent, path, || {
            path.require_not_root()?;
            self.store.put(path, content, &precondition)
        })
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        run(Operation::Reader, path, || {
            path.require_not_root()?;
            let (metadata, rope) = self.store.look(|tree| {
                let file = tree.file(path)?;
                Ok((file.metadata(path), file.rope()))
            })?;
            let range = range.resolve(metadata.size)?;
            Ok(Reader::new(NAME, metadata, range.clone(), Segments { rope, range }))
        })
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        run(Operation::Writer, path, || {
            path.require_not_root()?;
            let session = match options.mode {
                WriteMode::Create => self.store.create(path, &options),
                WriteMode::Resume { at } => self.store.resume(path, at, &options),
                WriteMode::Append { at } => self.store.append(path, at, &options),
            };
            session.map(|session| Writer::new(NAME, path.clone(), session.start(), session))
        })
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
        run(Operation::List, path, || {
            let dir = self.store.look(|tree| tree.dir(path))?;
            let children = Children::after(&dir, path, options.start_after.as_ref());
            Ok(Page::from_sorted(path, &options, children.into_iter().flatten()))
        })
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        match self.store.look(|tree| tree.dir(path)) {
            Ok(dir) => {
                let descent = Descent::after(&dir, path, options.start_after.as_ref());
                Walk::new(NAME, path.clone(), descent)
            }
            Err(error) => Walk::new(NAME, path.clone(), Failed(Some(error))),
        }
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<Upload>> {
        run(Operation::Uploads, path, || self.store.uploads(path, &options))
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        run(Operation::CancelUpload, path, || {
            path.require_not_root()?;
            self.store.cancel_upload(path)
        })
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        run(Operation::CancelUploads, path, || self.store.cancel_uploads(path, older_than))
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        run(Operation::Delete, path, || {
            path.require_not_root()?;
            self.store.delete(path, &precondition)
        })
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        run(Operation::DeleteMany, &Path::root(), || self.store.delete_many(paths))
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Rename, from, || {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.rename(from, to, &precondition)
        })
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        run(Operation::RenameDir, from, || {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.rename_dir(from, to)
        })
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        run(Operation::Copy, from, || {
            from.require_not_root()?;
            to.require_not_root()?;
            self.store.copy(from, to, &precondition)
        })
    }

    async fn touch(&self, path: &Path) -> Result<Metadata> {
        run(Operation::Touch, path, || {
            path.require_not_root()?;
            self.store.touch(path)
        })
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
        self.store.shut_down();
        Ok(())
    }
}

impl InMemory {
    fn content(&self, path: &Path, range: &ReadRange, limit: u64) -> Result<Content> {
        path.require_not_root()?;
        let (metadata, rope) = self.store.look(|tree| {
            let file = tree.file(path)?;
            Ok((file.metadata(path), file.rope()))
        })?;
        let range = range.resolve(metadata.size)?;
        let size = range.end - range.start;
        if size > limit {
            return Err(Error::new(ErrorKind::ContentTooLarge { size, limit }));
        }
        Ok(Content::new(metadata, rope.payload(range)))
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
