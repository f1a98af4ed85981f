//! [`Reference`]: the simplest driver that keeps the whole contract, to compare others with.

mod entries;
mod session;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, ListOptions, Metadata, Operation, Page, Path,
    Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Version,
    Walk, WalkOptions, WriteMode, Writer, WriterOptions,
};

use self::{entries::Entries, session::Session};

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// A driver that is meant to be obviously right and nothing else: two maps under one lock, each
/// file whole in one `Bytes`, each operation one critical section.
///
/// It is the model that other drivers are compared with, and what the broken drivers of the suite's
/// own tests break. It claims every capability but `durable` and `redirect`. A clone is a handle to
/// the same store.
#[derive(Clone)]
pub struct Reference {
    state: Arc<Mutex<State>>,
    capabilities: Capabilities,
    clock: Clock,
}

/// All that is in the store.
#[derive(Clone, Default)]
pub(crate) struct State {
    files: BTreeMap<Path, File>,
    uploads: BTreeMap<Path, InProgress>,
    /// The last number given out, as a version or as a token.
    counter: u64,
    /// Where the clock stands still, if it does.
    held: Option<SystemTime>,
    shut_down: bool,
}

#[derive(Clone)]
struct File {
    content: Bytes,
    modified: SystemTime,
    version: Version,
}

#[derive(Clone)]
struct InProgress {
    content: Vec<u8>,
    note: Bytes,
    /// Of the latest opening; a writer that holds another is fenced.
    token: u64,
    /// What an append started from.
    base: Option<Version>,
    started: SystemTime,
    written: SystemTime,
}

impl Reference {
    /// An empty store.
    pub fn new() -> Self {
        Self::claiming(Capabilities {
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
        })
    }

    /// An empty store that claims what `capabilities` says, `durable` and `redirect` excepted:
    /// operations that are not claimed answer `Unsupported`, and paths are as long as it says.
    pub fn claiming(capabilities: Capabilities) -> Self {
        Self {
            state: Arc::default(),
            capabilities: Capabilities { durable: false, redirect: false, ..capabilities },
            clock: Arc::new(SystemTime::now),
        }
    }

    /// The same, with times from `clock`.
    #[must_use]
    pub fn with_clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Makes the clock stand still at `time`, from now on and for every handle to the store.
    pub fn set_time(&self, time: SystemTime) {
        self.lock().held = Some(time);
    }

    fn now(&self, state: &State) -> SystemTime {
        state.held.unwrap_or_else(|| (self.clock)())
    }

    /// All that is in the store now.
    pub(crate) fn save(&self) -> State {
        self.lock().clone()
    }

    /// Goes back to what was saved. Writers that are open stay those of the same uploads.
    pub(crate) fn restore(&self, saved: State) {
        *self.lock() = saved;
    }

    /// Forgets the end of an upload, as a driver may that keeps only what was synced.
    pub(crate) fn truncate_upload(&self, path: &Path, size: u64, note: Bytes) {
        if let Some(upload) = self.lock().uploads.get_mut(path) {
            upload.note = note;
            upload.content.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does one operation in one critical section.
    fn run<T>(
        &self,
        operation: Operation,
        path: &Path,
        act: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.check_length(path)
            .and_then(|()| self.open()?.act(act))
            .map_err(|error| error.context(self.name(), operation, path))
    }

    /// The state, unless the driver was shut down.
    fn open(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.lock();
        if state.shut_down { Err(ErrorKind::Unavailable.into()) } else { Ok(state) }
    }

    fn check_length(&self, path: &Path) -> Result<()> {
        if path.as_str().len() > self.capabilities.max_path_bytes {
            return Err(Error::new(ErrorKind::InvalidPath).at(path));
        }
        Ok(())
    }

    fn check_condition(&self, precondition: &Precondition) -> Result<()> {
        require(self.capabilities.preconditions || precondition.is_none())
    }

    /// The rules that `rename` and `copy` share, and what they do with the file.
    fn transfer(
        &self,
        operation: Operation,
        (from, to): (&Path, &Path),
        precondition: &Precondition,
        act: impl FnOnce(&mut State, File) -> File,
    ) -> Result<Metadata> {
        let claimed = match operation {
            Operation::Rename => self.capabilities.rename_file,
            _ => self.capabilities.copy,
        };
        self.run(operation, from, |state| {
            from.require_not_root()?;
            to.require_not_root()?;
            self.check_length(to)?;
            require(claimed)?;
            self.check_condition(precondition)?;
            let file = state.file(from)?.clone();
            if from != to {
                state.check_place(to)?;
            }
            state.check(to, precondition)?;
            if from == to {
                return Ok(file.metadata(to));
            }
            let file = act(state, file);
            let metadata = file.metadata(to);
            state.files.insert(to.clone(), file);
            Ok(metadata)
        })
    }
}

fn require(claimed: bool) -> Result<()> {
    if claimed { Ok(()) } else { Err(ErrorKind::Unsupported.into()) }
}

impl State {
    fn act<T>(&mut self, act: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        act(self)
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Every file at and under `path`, in order.
    fn files_in<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = (&'a Path, &'a File)> {
        self.files.range(path..).take_while(move |(at, _)| at.starts_with(path))
    }

    /// The paths of the uploads at and under `path`.
    fn uploads_in(&self, path: &Path) -> Vec<Path> {
        let all = self.uploads.range(path..).map(|(at, _)| at);
        all.take_while(|at| at.starts_with(path)).cloned().collect()
    }

    fn is_dir(&self, path: &Path) -> bool {
        path.is_root() || self.files_in(path).any(|(at, _)| at != path)
    }

    fn file(&self, path: &Path) -> Result<&File> {
        match self.files.get(path) {
            Some(file) => Ok(file),
            None if self.is_dir(path) => Err(Error::new(ErrorKind::IsADirectory).at(path)),
            None => Err(Error::new(ErrorKind::PathNotFound).at(path)),
        }
    }

    fn require_dir(&self, path: &Path) -> Result<()> {
        match self.files.get(path) {
            Some(_) => Err(ErrorKind::NotADirectory.into()),
            None if self.is_dir(path) => Ok(()),
            None => Err(ErrorKind::PathNotFound.into()),
        }
    }

    /// Whether a file may be at `path`: it is no directory, and nothing above it is a file.
    fn check_place(&self, path: &Path) -> Result<()> {
        let mut above = std::iter::successors(path.parent(), Path::parent);
        if self.is_dir(path) || above.any(|dir| self.files.contains_key(&dir)) {
            return Err(Error::new(ErrorKind::PathConflict).at(path));
        }
        Ok(())
    }

    fn check(&self, path: &Path, precondition: &Precondition) -> Result<()> {
        let current = self.files.get(path).map(|file| &file.version);
        precondition.check(current).map_err(|error| error.at(path))
    }

    fn commit(&mut self, path: &Path, content: Bytes, modified: SystemTime) -> Metadata {
        let file = File { content, modified, version: Version::from(self.next()) };
        let metadata = file.metadata(path);
        self.files.insert(path.clone(), file);
        metadata
    }

    /// Every file and directory below `path`, in order.
    fn below(&self, path: &Path) -> BTreeMap<Path, Entry> {
        let mut entries = BTreeMap::new();
        for (at, file) in self.files_in(path) {
            for dir in std::iter::successors(at.parent(), Path::parent) {
                entries.insert(dir.clone(), Entry::directory(dir));
            }
            entries.insert(at.clone(), Entry::file(file.metadata(at)));
        }
        entries.retain(|at, _| at != path && at.starts_with(path));
        entries
    }
}

impl InProgress {
    fn info(&self, path: &Path) -> UploadInfo {
        let size = Some(self.content.len() as u64);
        UploadInfo::new(path.clone(), self.started, self.written, size).with_note(self.note.clone())
    }
}

impl File {
    fn metadata(&self, path: &Path) -> Metadata {
        let size = self.content.len() as u64;
        Metadata::new(path.clone(), size, self.modified, self.version.clone())
    }
}

#[async_trait]
impl StorageDriver for Reference {
    fn name(&self) -> &'static str {
        "reference"
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    async fn get_content(&self, path: &Path, limit: u64) -> Result<Content> {
        self.read(Operation::GetContent, path, ReadRange::Full, limit).map(Snapshot::into_content)
    }

    async fn get_range(&self, path: &Path, range: ReadRange, limit: u64) -> Result<Content> {
        self.read(Operation::GetRange, path, range, limit).map(Snapshot::into_content)
    }

    async fn put_content(
        &self,
        path: &Path,
        content: Payload,
        precondition: Precondition,
    ) -> Result<Metadata> {
        self.run(Operation::PutContent, path, |state| {
            path.require_not_root()?;
            self.check_condition(&precondition)?;
            state.check_place(path)?;
            state.check(path, &precondition)?;
            let now = self.now(state);
            Ok(state.commit(path, content.into_bytes(), now))
        })
    }

    async fn reader(&self, path: &Path, range: ReadRange) -> Result<Reader> {
        let Snapshot { metadata, range, content } =
            self.read(Operation::Reader, path, range, u64::MAX)?;
        Ok(Reader::from_payload(self.name(), metadata, range, content.into()))
    }

    async fn writer(&self, path: &Path, options: WriterOptions) -> Result<Writer> {
        let (token, size, note) = self.run(Operation::Writer, path, |state| {
            path.require_not_root()?;
            let now = self.now(state);
            let new = |content: Vec<u8>, base| InProgress {
                content,
                note: Bytes::new(),
                token: 0,
                base,
                started: now,
                written: now,
            };
            let (mut upload, at) = match options.mode {
                WriteMode::Create => (new(Vec::new(), None), None),
                WriteMode::Resume { at } => {
                    (state.uploads.get(path).ok_or(ErrorKind::PathNotFound)?.clone(), at)
                }
                WriteMode::Append { at } => {
                    require(self.capabilities.append)?;
                    let file = state.file(path)?;
                    if state.uploads.contains_key(path) {
                        return Err(ErrorKind::UploadInProgress.into());
                    }
                    (new(file.content.to_vec(), Some(file.version.clone())), at)
                }
            };
            let size = upload.content.len() as u64;
            if let Some(given) = at.filter(|at| *at != size) {
                return Err(ErrorKind::OffsetMismatch { given, size }.into());
            }
            let (token, note) = (state.next(), upload.note.clone());
            upload.token = token;
            state.uploads.insert(path.clone(), upload);
            Ok((token, size, note))
        })?;
        let session = Session { driver: self.clone(), path: path.clone(), token };
        Ok(Writer::new(self.name(), path.clone(), size, session).with_note(note))
    }

    async fn stat(&self, path: &Path) -> Result<Stat> {
        self.run(Operation::Stat, path, |state| match state.file(path) {
            Ok(file) => Ok(Stat::File(file.metadata(path))),
            Err(_) if state.is_dir(path) => Ok(Stat::Directory(path.clone())),
            Err(error) => Err(error),
        })
    }

    async fn list(&self, path: &Path, options: ListOptions) -> Result<Page<Entry>> {
        self.run(Operation::List, path, |state| {
            state.require_dir(path)?;
            let mut entries = state.below(path);
            entries.retain(|at, _| at.parent().as_ref() == Some(path));
            Ok(Page::from_sorted(path, &options, entries.into_values()))
        })
    }

    fn walk<'a>(&'a self, path: &Path, options: WalkOptions) -> Walk<'a> {
        let after = |at: &Path| options.start_after.as_ref().is_none_or(|start| at > start);
        let found = self.run(Operation::Walk, path, |state| {
            state.require_dir(path)?;
            Ok(state.below(path).into_values().filter(|entry| after(entry.path())).collect())
        });
        let (entries, error) = match found {
            Ok(entries) => (entries, None),
            Err(error) => (VecDeque::new(), Some(error)),
        };
        Walk::new(self.name(), path.clone(), Entries { entries, error, given: None })
    }

    async fn uploads(&self, path: &Path, options: ListOptions) -> Result<Page<UploadInfo>> {
        self.run(Operation::Uploads, path, |state| {
            let uploads = state.uploads_in(path).into_iter();
            let uploads = uploads.map(|at| state.uploads[&at].info(&at));
            Ok(Page::from_sorted(path, &options, uploads))
        })
    }

    async fn upload(&self, path: &Path) -> Result<Option<UploadInfo>> {
        self.run(Operation::Upload, path, |state| {
            path.require_not_root()?;
            Ok(state.uploads.get(path).map(|upload| upload.info(path)))
        })
    }

    async fn cancel_upload(&self, path: &Path) -> Result<()> {
        self.run(Operation::CancelUpload, path, |state| {
            path.require_not_root()?;
            state.uploads.remove(path).map(drop).ok_or(ErrorKind::PathNotFound.into())
        })
    }

    async fn cancel_uploads(&self, path: &Path, older_than: Duration) -> Result<u64> {
        self.run(Operation::CancelUploads, path, |state| {
            let now = self.now(state);
            let before = state.uploads.len();
            state.uploads.retain(|at, upload| {
                let age = now.duration_since(upload.written).unwrap_or_default();
                !at.starts_with(path) || age < older_than
            });
            Ok((before - state.uploads.len()) as u64)
        })
    }

    async fn delete(&self, path: &Path, precondition: Precondition) -> Result<()> {
        self.run(Operation::Delete, path, |state| {
            path.require_not_root()?;
            precondition.require_existing()?;
            self.check_condition(&precondition)?;
            if state.is_dir(path) {
                return Err(ErrorKind::IsADirectory.into());
            }
            if !state.files.contains_key(path) && !state.uploads.contains_key(path) {
                return Err(ErrorKind::PathNotFound.into());
            }
            state.check(path, &precondition)?;
            state.files.remove(path);
            state.uploads.remove(path);
            Ok(())
        })
    }

    async fn delete_dir(&self, path: &Path) -> Result<()> {
        self.run(Operation::DeleteDir, path, |state| {
            path.require_not_root()?;
            if state.files.contains_key(path) {
                return Err(ErrorKind::NotADirectory.into());
            }
            let files: Vec<Path> = state.files_in(path).map(|(at, _)| at.clone()).collect();
            let uploads = state.uploads_in(path);
            if files.is_empty() && uploads.is_empty() {
                return Err(ErrorKind::PathNotFound.into());
            }
            files.iter().for_each(|at| drop(state.files.remove(at)));
            uploads.iter().for_each(|at| drop(state.uploads.remove(at)));
            Ok(())
        })
    }

    async fn delete_many(&self, paths: &[Path]) -> Result<()> {
        self.run(Operation::DeleteMany, &Path::root(), |state| {
            let saved = state.clone();
            let deleted = paths.iter().try_for_each(|path| {
                self.check_length(path)?;
                path.require_not_root()?;
                if state.is_dir(path) {
                    return Err(Error::new(ErrorKind::IsADirectory).at(path));
                }
                state.files.remove(path);
                state.uploads.remove(path);
                Ok(())
            });
            if deleted.is_err() && self.capabilities.linearizable {
                *state = saved;
            }
            deleted
        })
    }

    async fn rename(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.transfer(Operation::Rename, (from, to), &precondition, |state, file| {
            state.files.remove(from);
            file
        })
    }

    async fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        self.run(Operation::RenameDir, from, |state| {
            from.require_not_root()?;
            to.require_not_root()?;
            self.check_length(to)?;
            require(self.capabilities.rename_dir)?;
            state.require_dir(from)?;
            if from == to {
                return Ok(());
            }
            state.check_place(to)?;
            if state.files.contains_key(to) || to.starts_with(from) {
                return Err(Error::new(ErrorKind::PathConflict).at(to));
            }
            let mut moves = Vec::new();
            for (at, _) in state.files_in(from) {
                let below = at.strip_prefix(from).unwrap_or_default();
                let new = to.join(below)?;
                self.check_length(&new)?;
                moves.push((at.clone(), new));
            }
            for (old, new) in moves {
                if let Some(file) = state.files.remove(&old) {
                    state.files.insert(new, file);
                }
            }
            Ok(())
        })
    }

    async fn copy(&self, from: &Path, to: &Path, precondition: Precondition) -> Result<Metadata> {
        self.transfer(Operation::Copy, (from, to), &precondition, |state, file| File {
            version: Version::from(state.next()),
            modified: self.now(state),
            ..file
        })
    }

    async fn touch(&self, path: &Path, precondition: Precondition) -> Result<Metadata> {
        self.run(Operation::Touch, path, |state| {
            path.require_not_root()?;
            require(self.capabilities.touch)?;
            precondition.require_existing()?;
            self.check_condition(&precondition)?;
            state.file(path)?;
            state.check(path, &precondition)?;
            let (content, now) = (state.file(path)?.content.clone(), self.now(state));
            Ok(state.commit(path, content, now))
        })
    }

    async fn shutdown(&self) -> Result<()> {
        self.lock().shut_down = true;
        Ok(())
    }
}

/// A range of a file as it was at one moment.
struct Snapshot {
    metadata: Metadata,
    range: std::ops::Range<u64>,
    content: Bytes,
}

impl Snapshot {
    fn into_content(self) -> Content {
        Content::new(self.metadata, self.content.into())
    }
}

impl Reference {
    fn read(
        &self,
        operation: Operation,
        path: &Path,
        range: ReadRange,
        limit: u64,
    ) -> Result<Snapshot> {
        self.run(operation, path, |state| {
            path.require_not_root()?;
            let file = state.file(path)?;
            let range = range.resolve(file.content.len() as u64)?;
            let size = range.end - range.start;
            if size > limit {
                return Err(ErrorKind::ContentTooLarge { size, limit }.into());
            }
            // Content in memory has a length that a `usize` holds.
            let content = file.content.slice(range.start as usize..range.end as usize);
            Ok(Snapshot { metadata: file.metadata(path), range, content })
        })
    }
}

impl Default for Reference {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Reference")
            .field("files", &state.files.keys())
            .field("uploads", &state.uploads.keys())
            .finish_non_exhaustive()
    }
}
