//! The contract, each operation in one critical section.

use std::{collections::VecDeque, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use storage_driver::{
    Capabilities, Content, Entry, Error, ErrorKind, ListOptions, Metadata, Operation, Page, Path,
    Payload, Precondition, ReadRange, Reader, Result, Stat, StorageDriver, UploadInfo, Version,
    Walk, WalkOptions, WriteMode, Writer, WriterOptions,
};

use super::{
    Reference,
    entries::Entries,
    require,
    session::Session,
    state::{File, InProgress},
};

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

/// A range of a file at one moment.
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
            // The length of content in memory fits into a `usize`.
            let content = file.content.slice(range.start as usize..range.end as usize);
            Ok(Snapshot { metadata: file.metadata(path), range, content })
        })
    }
}
