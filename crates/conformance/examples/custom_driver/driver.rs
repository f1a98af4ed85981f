//! [`MapDriver`]: a complete storage driver over two sorted maps.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Entry, ErrorKind, ListOptions, Metadata, Operation, Page, Path, Payload,
    Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, WriteMode,
    WriteSession, Writer, WriterOptions,
};

/// A driver over a flat, sorted map of keys, as many backends are. A clone is a handle to the same store, which
/// is dropped at shutdown.
#[derive(Debug, Clone)]
pub(crate) struct MapDriver(Arc<Mutex<Option<Store>>>);

/// The store. An operation holds its lock from check to effect and never across an await, which makes
/// preconditions, fencing and commits one step.
#[derive(Debug, Default)]
struct Store {
    files: BTreeMap<Path, (Metadata, Payload)>,
    /// Separate from the files, so that nothing of an upload is visible. The number is that of the writer that
    /// may write: opening another changes it, and so fences the first.
    uploads: BTreeMap<Path, (UploadInfo, Payload, u64)>,
    /// The last number used: each commit and each opening of a writer takes the next.
    counter: u64,
}

impl MapDriver {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Some(Store::default()))))
    }

    fn locked<T>(&self, body: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        let mut store = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        body(store.as_mut().ok_or(ErrorKind::Unavailable)?)
    }

    /// Runs an operation under the lock and adds context to its error.
    fn run<T, F>(&self, operation: Operation, path: &Path, body: F) -> Result<T>
    where
        F: FnOnce(&mut Store) -> Result<T>,
    {
        self.locked(body).map_err(|error| error.context("map", operation, path))
    }
}

/// The values at and below `path`. In the order of paths, a subtree is contiguous.
fn subtree<'a, T>(map: &'a BTreeMap<Path, T>, path: &'a Path) -> impl Iterator<Item = &'a T> {
    map.range(path..).take_while(|(key, _)| key.starts_with(path)).map(|(_, value)| value)
}

impl Store {
    fn next_number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        match subtree(&self.files, path).next() {
            Some((file, _)) if file.path == *path => Ok(Stat::File(file.clone())),
            None if !path.is_root() => Err(ErrorKind::PathNotFound.into()),
            _ => Ok(Stat::Directory(path.clone())),
        }
    }

    fn check(&self, path: &Path, condition: &Precondition) -> Result<()> {
        condition.check(self.files.get(path).map(|(file, _)| &file.version))
    }

    /// Makes `content` the file at `path` if the condition holds.
    fn publish(
        &mut self,
        path: &Path,
        content: Payload,
        condition: &Precondition,
    ) -> Result<Metadata> {
        path.require_not_root()?;
        self.check(path, condition)?;
        let (size, version) = (content.len() as u64, self.next_number().into());
        let file = Metadata::new(path.clone(), size, SystemTime::now(), version);
        self.files.insert(path.clone(), (file.clone(), content));
        Ok(file)
    }
}

#[async_trait]
impl StorageDriver for MapDriver {
    fn name(&self) -> &'static str {
        "map"
    }

    /// What one lock provides. The other methods keep their defaults, which return `Unsupported`.
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
        self.run(Operation::PutContent, path, |store| store.publish(path, content, &condition))
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        self.run(Operation::Reader, path, |store| {
            path.require_not_root()?;
            let file = store.stat(path)?.into_file()?;
            let range = range.resolve(file.size)?;
            let bytes = store.files[path].1.slice(range.start as usize..range.end as usize);
            Ok(Reader::from_payload("map", file, range, bytes))
        })
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        self.run(Operation::Writer, path, |store| {
            path.require_not_root()?;
            let number = store.next_number();
            let at = match options.mode {
                WriteMode::Create => {
                    let now = SystemTime::now();
                    let upload =
                        UploadInfo::new(path.clone(), now, now, Some(0)).with_note(Bytes::new());
                    store.uploads.insert(path.clone(), (upload, Payload::new(), number));
                    None
                }
                WriteMode::Resume { at } => at,
                WriteMode::Append { .. } => return Err(ErrorKind::Unsupported.into()),
            };
            let upload = store.uploads.get_mut(path).ok_or(ErrorKind::PathNotFound)?;
            let size = upload.1.len() as u64;
            if let Some(given) = at.filter(|at| *at != size) {
                return Err(ErrorKind::OffsetMismatch { given, size }.into());
            }
            upload.2 = number;
            let note = upload.0.note.clone().unwrap_or_default();
            let session = Session { driver: self.clone(), path: path.clone(), number };
            Ok(Writer::new("map", path.clone(), size, session).with_note(note))
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
            let files = subtree(&store.files, path).map(|(file, _)| file.clone());
            Ok(Page::from_sorted(path, &options, Entry::children(path, files)))
        })
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        self.run(Operation::Uploads, path, |store| {
            let uploads = subtree(&store.uploads, path).map(|(upload, ..)| upload.clone());
            Ok(Page::from_sorted(path, &options, uploads))
        })
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.run(Operation::Upload, path, |store| {
            path.require_not_root()?;
            Ok(store.uploads.get(path).map(|(upload, ..)| upload.clone()))
        })
    }

    async fn delete(&self, path: &Path, condition: Precondition) -> Result<()> {
        self.run(Operation::Delete, path, |store| {
            path.require_not_root()?;
            condition.require_existing()?;
            match store.stat(path) {
                Ok(Stat::Directory(_)) => return Err(ErrorKind::IsADirectory.into()),
                Err(error) if !store.uploads.contains_key(path) => return Err(error),
                _ => store.check(path, &condition)?,
            }
            store.files.remove(path);
            store.uploads.remove(path);
            Ok(())
        })
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        self.run(Operation::DeleteDir, path, |store| {
            path.require_not_root()?;
            match store.stat(path) {
                Ok(Stat::File(_)) => return Err(ErrorKind::NotADirectory.into()),
                Err(error) if subtree(&store.uploads, path).next().is_none() => return Err(error),
                _ => {}
            }
            store.files.retain(|key, _| !key.starts_with(path));
            store.uploads.retain(|key, _| !key.starts_with(path));
            Ok(())
        })
    }

    async fn shutdown(&self) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// One opening of an upload. Accepted data is in the store at once, so there is nothing to wait for and nothing
/// to flush.
struct Session {
    driver: MapDriver,
    path: Path,
    number: u64,
}

impl Session {
    /// Runs `body`, unless a later writer or a cancel has fenced this one.
    fn own<T>(&self, body: impl FnOnce(&mut Store) -> Result<T>) -> Result<T> {
        self.driver.locked(|store| match store.uploads.get(&self.path) {
            Some((.., writer)) if *writer == self.number => body(store),
            _ => Err(ErrorKind::WriterFenced.into()),
        })
    }
}

#[async_trait]
impl WriteSession for Session {
    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.own(|store| {
            let entry = store.uploads.entry(self.path.clone());
            entry.and_modify(|(upload, content, _)| {
                content.push(data);
                (upload.modified, upload.size) = (SystemTime::now(), Some(content.len() as u64));
            });
            Ok(())
        })
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.own(|store| {
            let entry = store.uploads.entry(self.path.clone());
            entry.and_modify(|(upload, ..)| upload.note = Some(note));
            Ok(())
        })
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.own(|_| Ok(())))
    }

    async fn commit_to(self: Box<Self>, to: &Path, condition: Precondition) -> Result<Metadata> {
        self.own(|store| {
            let content = store.uploads[&self.path].1.clone();
            let file = store.publish(to, content, &condition)?; // a failure leaves the upload
            store.uploads.remove(&self.path);
            Ok(file)
        })
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.own(|store| {
            store.uploads.remove(&self.path);
            Ok(())
        })
    }
}
