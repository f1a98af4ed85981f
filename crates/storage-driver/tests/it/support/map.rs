//! `Map`: a driver over a map that writes the required methods and nothing else.
//!
//! Its errors carry no context, so that what the provided methods add can be seen.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll},
    time::SystemTime,
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Entry, Error, ErrorKind, ListOptions, Metadata, Page, Path, Payload,
    Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Version, WriteMode,
    WriteSession, Writer, WriterOptions,
};

#[derive(Debug, Clone, Default)]
pub(crate) struct Map(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) files: BTreeMap<Path, (Bytes, Metadata)>,
    pub(crate) uploads: BTreeMap<Path, (Vec<u8>, UploadInfo)>,
    commits: u64,
    /// The method that fails of this path, and how.
    pub(crate) fails: Option<(&'static str, Path, ErrorKind)>,
}

impl Map {
    /// A store of empty files at `paths`.
    pub(crate) fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let map = Self::default();
        for path in paths {
            map.state().commit(&Path::parse(path).unwrap(), Bytes::new());
        }
        map
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Puts an upload in progress there to which nothing was written since `written`.
    pub(crate) fn add_upload(&self, path: &str, written: SystemTime) {
        let path = Path::parse(path).unwrap();
        let upload = UploadInfo::new(path.clone(), SystemTime::UNIX_EPOCH, written, None);
        self.state().uploads.insert(path, (Vec::new(), upload));
    }

    /// The paths of the uploads in progress.
    pub(crate) fn upload_paths(&self) -> Vec<String> {
        self.state().uploads.keys().map(Path::to_string).collect()
    }

    fn call(&self, method: &'static str, path: &Path) -> Result<MutexGuard<'_, State>> {
        let state = self.state();
        match &state.fails {
            Some((failing, at, kind)) if *failing == method && at == path => Err(Error::new(*kind)),
            _ => Ok(state),
        }
    }
}

impl State {
    fn commit(&mut self, path: &Path, content: Bytes) -> Metadata {
        self.commits += 1;
        let version = Version::from(self.commits);
        let size = content.len() as u64;
        let metadata = Metadata::new(path.clone(), size, SystemTime::now(), version);
        self.files.insert(path.clone(), (content, metadata.clone()));
        metadata
    }

    fn stat(&self, path: &Path) -> Result<Stat> {
        if let Some((_, metadata)) = self.files.get(path) {
            return Ok(Stat::File(metadata.clone()));
        }
        match path.is_root() || self.files.keys().any(|file| file.starts_with(path)) {
            true => Ok(Stat::Directory(path.clone())),
            false => Err(Error::new(ErrorKind::PathNotFound)),
        }
    }
}

#[async_trait]
impl StorageDriver for Map {
    fn name(&self) -> &'static str {
        "map"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::none()
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        _: Precondition,
    ) -> Result<Metadata> {
        Ok(self.call("put_content", path)?.commit(path, content.into_bytes()))
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let state = self.call("reader", path)?;
        let metadata = state.stat(path)?.into_file()?;
        let range = range.resolve(metadata.size)?;
        let content = state.files[path].0.slice(range.start as usize..range.end as usize);
        Ok(Reader::from_payload(self.name(), metadata, range, content.into()))
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let mut state = self.call("writer", path)?;
        let now = SystemTime::now();
        let data = match options.mode {
            WriteMode::Create => Vec::new(),
            WriteMode::Resume { .. } => {
                state.uploads.remove(path).ok_or(ErrorKind::PathNotFound)?.0
            }
            WriteMode::Append { .. } => {
                state.files.get(path).ok_or(ErrorKind::PathNotFound)?.0.to_vec()
            }
        };
        let size = data.len() as u64;
        let upload = UploadInfo::new(path.clone(), now, now, None);
        state.uploads.insert(path.clone(), (data, upload));
        let session = Session { map: self.clone(), path: path.clone() };
        Ok(Writer::new(self.name(), path.clone(), size, session))
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.call("stat", path)?.stat(path)
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        let state = self.call("list", path)?;
        if state.stat(path)?.is_file() {
            return Err(Error::new(ErrorKind::NotADirectory));
        }
        let files = state.files.values().map(|(_, metadata)| metadata.clone());
        let children = Entry::children(path, files).map(|entry| match options.names_only {
            true if entry.is_file() => Entry::bare_file(entry.path().clone()),
            _ => entry,
        });
        Ok(Page::from_sorted(path, &options, children))
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        let state = self.call("uploads", path)?;
        let uploads = state.uploads.values().map(|(_, upload)| upload.clone());
        let below = uploads.filter(|upload| upload.path.starts_with(path));
        Ok(Page::from_sorted(path, &options, below))
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        let state = self.call("upload", path)?;
        Ok(state.uploads.get(path).map(|(_, upload)| upload.clone()))
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        let mut state = self.call("cancel_upload", path)?;
        state.uploads.remove(path).map(drop).ok_or(ErrorKind::PathNotFound.into())
    }

    async fn delete(&self, path: &Path, _: Precondition) -> Result<()> {
        let mut state = self.call("delete", path)?;
        match state.stat(path)? {
            Stat::Directory(_) => return Err(Error::new(ErrorKind::IsADirectory)),
            Stat::File(_) => drop(state.files.remove(path)),
        }
        Ok(())
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        let mut state = self.call("delete_dir", path)?;
        if state.stat(path)?.is_file() {
            return Err(Error::new(ErrorKind::NotADirectory));
        }
        state.files.retain(|file, _| !file.starts_with(path));
        Ok(())
    }

    async fn shutdown(&self) -> Result<()> {
        Ok(())
    }
}

struct Session {
    map: Map,
    path: Path,
}

#[async_trait]
impl WriteSession for Session {
    fn start_write(&mut self, data: Bytes) -> Result<()> {
        self.map.state().uploads.get_mut(&self.path).unwrap().0.extend(data);
        Ok(())
    }

    fn set_note(&mut self, note: Bytes) -> Result<()> {
        self.map.state().uploads.get_mut(&self.path).unwrap().1.note = Some(note);
        Ok(())
    }

    fn poll_sync(&mut self, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    async fn commit_to(self: Box<Self>, dest: &Path, _: Precondition) -> Result<Metadata> {
        let mut state = self.map.state();
        let (data, _) = state.uploads.remove(&self.path).unwrap();
        Ok(state.commit(dest, data.into()))
    }

    async fn cancel(self: Box<Self>) -> Result<()> {
        self.map.cancel_upload(&self.path).await
    }
}
