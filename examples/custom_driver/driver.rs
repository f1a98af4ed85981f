//! [`MapDriver`]: a whole storage driver over two sorted maps.

use std::{
    collections::BTreeMap,
    iter,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Content, Entry, ErrorKind, ListOptions, Metadata, Operation, Page, Path, Payload,
    Precondition, ReadRange, Reader, Result, Stat, StorageDriver, Upload, WriteMode, WriteSession,
    Writer, WriterOptions,
};

const NAME: &str = "map";

/// A driver over a flat, sorted map of keys, as many backends are. A clone is a handle to the same
/// store.
#[derive(Debug, Clone, Default)]
pub(crate) struct MapDriver(Arc<Mutex<Store>>);

/// Everything there is. An operation holds its lock from check to effect and never across an await;
/// that is what makes preconditions, fencing and commits one step.
#[derive(Debug, Default)]
struct Store {
    /// Shared with the readers, so that what replaces a file leaves them their snapshot.
    files: BTreeMap<Path, Arc<Content>>,
    /// Beside the files, so that nothing of an upload is visible.
    uploads: BTreeMap<Path, Draft>,
    /// The last number given: each commit and each opening of a writer takes one.
    counter: u64,
    shut_down: bool,
}

/// An upload in progress.
#[derive(Debug)]
struct Draft {
    upload: Upload,
    content: Payload,
    /// The number of the writer that may write. Opening another changes it: that is the fence.
    writer: u64,
}

impl MapDriver {
    /// The store, unless it was shut down.
    fn store(&self) -> Result<MutexGuard<'_, Store>> {
        let store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if store.shut_down { Err(ErrorKind::Unavailable.into()) } else { Ok(store) }
    }

    /// Runs an operation under the lock and gives its error the context.
    fn run<T, F>(&self, operation: Operation, path: &Path, body: F) -> Result<T>
    where
        F: FnOnce(&mut Store) -> Result<T>,
    {
        let result = self.store().and_then(|mut store| body(&mut store));
        result.map_err(|error| error.context(NAME, operation, path))
    }
}

/// What is at and under `path`. Paths order so that a subtree lies together.
fn subtree<'a, T>(map: &'a BTreeMap<Path, T>, path: &'a Path) -> impl Iterator<Item = &'a T> {
    map.range(path..).take_while(|(key, _)| key.starts_with(path)).map(|(_, value)| value)
}

impl Store {
    fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        match subtree(&self.files, path).next().map(|file| file.metadata()) {
            Some(metadata) if metadata.path == *path => Ok(Stat::File(metadata.clone())),
            None if !path.is_root() => Err(ErrorKind::PathNotFound.into()),
            _ => Ok(Stat::Directory(path.clone())),
        }
    }

    fn check(&self, path: &Path, precondition: &Precondition) -> Result<()> {
        precondition.check(self.files.get(path).map(|file| &file.metadata().version))
    }

    /// Makes `content` the file at `path`, unless something stands against it.
    fn publish(
        &mut self,
        path: &Path,
        content: Payload,
        precondition: &Precondition,
    ) -> Result<Metadata> {
        let mut above = iter::successors(path.parent(), Path::parent);
        let is_dir = self.stat(path).is_ok_and(|stat| stat.is_dir());
        if is_dir || above.any(|path| self.files.contains_key(&path)) {
            return Err(ErrorKind::PathConflict.into());
        }
        self.check(path, precondition)?;
        let (size, version) = (content.len() as u64, self.next_number().into());
        let metadata = Metadata::new(path.clone(), size, SystemTime::now(), version);
        self.files.insert(path.clone(), Arc::new(Content::new(metadata.clone(), content)));
        Ok(metadata)
    }
}

#[async_trait]
impl StorageDriver for MapDriver {
    fn name(&self) -> &'static str {
        NAME
    }

    /// What one lock gives for free. The rest stays at its defaults, which answer `Unsupported`.
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_put: true,
            conditional_commit: true,
            keeps_on_drop: true,
            one_step_commit_to: true,
            sees_conflicts: true,
            unique_versions: true,
            ordered_walk: true,
            ..Capabilities::none()
        }
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.run(Operation::PutContent, path, |store| {
            path.require_not_root()?;
            store.publish(path, content, &precondition)
        })
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let (file, range) = self.run(Operation::Reader, path, |store| {
            path.require_not_root()?;
            let range = range.resolve(store.stat(path)?.into_file()?.size)?;
            Ok((Arc::clone(&store.files[path]), range))
        })?;
        let bytes = slice(file.payload(), &range);
        Ok(Reader::from_payload(NAME, file.metadata().clone(), range, bytes))
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        self.run(Operation::Writer, path, |store| {
            path.require_not_root()?;
            let (number, now) = (store.next_number(), SystemTime::now());
            let size = match options.mode {
                WriteMode::Create => {
                    let upload = Upload::new(path.clone(), now, now, Some(0));
                    let draft = Draft { upload, content: Payload::new(), writer: number };
                    store.uploads.insert(path.clone(), draft);
                    0
                }
                WriteMode::Resume { at } => {
                    let draft = store.uploads.get_mut(path).ok_or(ErrorKind::PathNotFound)?;
                    let size = draft.content.len() as u64;
                    if let Some(given) = at.filter(|at| *at != size) {
                        return Err(ErrorKind::OffsetMismatch { given, size }.into());
                    }
                    draft.writer = number;
                    size
                }
                WriteMode::Append { .. } => return Err(ErrorKind::Unsupported.into()),
            };
            let session = Session { driver: self.clone(), path: path.clone(), number, size };
            Ok(Writer::new(NAME, path.clone(), session))
        })
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.run(Operation::Stat, path, |store| store.stat(path))
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        self.run(Operation::List, path, |store| {
            if store.stat(path)?.is_file() {
                return Err(ErrorKind::NotADirectory.into());
            }
            let files = subtree(&store.files, path).map(|file| file.metadata().clone());
            Ok(Page::from_sorted(path, &options, Entry::children(path, files)))
        })
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<Upload>> {
        self.run(Operation::Uploads, path, |store| {
            let uploads = subtree(&store.uploads, path).map(|draft| draft.upload.clone());
            Ok(Page::from_sorted(path, &options, uploads))
        })
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        self.run(Operation::CancelUpload, path, |store| {
            path.require_not_root()?;
            store.uploads.remove(path).map(drop).ok_or(ErrorKind::PathNotFound.into())
        })
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        self.run(Operation::Delete, path, |store| {
            path.require_not_root()?;
            let is_dir = store.stat(path).is_ok_and(|stat| stat.is_dir());
            if is_dir && matches!(precondition, Precondition::IfVersion(_)) {
                return Err(ErrorKind::IsADirectory.into());
            }
            store.check(path, &precondition)?;
            let before = store.files.len() + store.uploads.len();
            store.files.retain(|key, _| !key.starts_with(path));
            store.uploads.retain(|key, _| !key.starts_with(path));
            let found = store.files.len() + store.uploads.len() < before;
            if found { Ok(()) } else { Err(ErrorKind::PathNotFound.into()) }
        })
    }

    async fn shutdown(&self) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).shut_down = true;
        Ok(())
    }
}

/// One opening of an upload. What it accepts is in the store at once, so there is nothing to wait
/// for and nothing to flush.
struct Session {
    driver: MapDriver,
    path: Path,
    number: u64,
    size: u64,
}

impl Session {
    /// The upload, unless a later writer or a cancel has fenced this one.
    fn draft<'a>(&self, store: &'a mut Store) -> Result<&'a mut Draft> {
        let draft = store.uploads.get_mut(&self.path);
        Ok(draft.filter(|draft| draft.writer == self.number).ok_or(ErrorKind::WriterFenced)?)
    }
}

#[async_trait]
impl WriteSession for Session {
    fn size(&self) -> u64 {
        self.size
    }

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn start_write(&mut self, data: Bytes) -> Result<()> {
        let mut store = self.driver.store()?;
        let draft = self.draft(&mut store)?;
        draft.content.push(data);
        self.size = draft.content.len() as u64;
        draft.upload.size = Some(self.size);
        draft.upload.written = SystemTime::now();
        Ok(())
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.driver.store().and_then(|mut store| self.draft(&mut store).map(drop)))
    }

    async fn commit_to(
        self: Box<Self>,
        dest: &Path,
        precondition: Precondition,
    ) -> Result<Metadata> {
        let mut store = self.driver.store()?;
        let content = self.draft(&mut store)?.content.clone(); // a failure leaves the upload
        let metadata = store.publish(dest, content, &precondition)?;
        store.uploads.remove(&self.path);
        Ok(metadata)
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        let mut store = self.driver.store()?;
        self.draft(&mut store)?;
        store.uploads.remove(&self.path);
        Ok(())
    }
}

/// The bytes `range` of `content`, shared.
fn slice(content: &Payload, range: &Range<u64>) -> Payload {
    let mut end = 0;
    let cut = |part: &Bytes| {
        let begin = end;
        end += part.len() as u64;
        let offset = |at: u64| (at.clamp(begin, end) - begin) as usize;
        part.slice(offset(range.start)..offset(range.end))
    };
    content.parts().map(cut).collect()
}
