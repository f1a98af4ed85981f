//! [`State`]: files and uploads.

use std::{collections::BTreeMap, time::SystemTime};

use bytes::Bytes;
use storage_driver::{
    Entry, Error, ErrorKind, Metadata, Path, Precondition, Result, UploadInfo, Version,
};

/// Files and uploads, in maps by path.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(super) files: BTreeMap<Path, File>,
    pub(super) uploads: BTreeMap<Path, InProgress>,
    /// The last number that was used, as a version or as a token.
    pub(super) counter: u64,
    /// The time at which the clock stands still, if it does.
    pub(super) held: Option<SystemTime>,
    pub(super) shut_down: bool,
}

#[derive(Clone)]
pub(super) struct File {
    pub(super) content: Bytes,
    pub(super) modified: SystemTime,
    pub(super) version: Version,
}

#[derive(Clone)]
pub(super) struct InProgress {
    pub(super) content: Vec<u8>,
    pub(super) note: Bytes,
    /// Of the latest opening; a writer with another token is fenced.
    pub(super) token: u64,
    /// The version that an append started from.
    pub(super) base: Option<Version>,
    pub(super) started: SystemTime,
    pub(super) written: SystemTime,
}

impl State {
    pub(super) fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Every file at and under `path`, in order.
    pub(super) fn files_in<'a>(
        &'a self,
        path: &'a Path,
    ) -> impl Iterator<Item = (&'a Path, &'a File)> {
        self.files.range(path..).take_while(move |(at, _)| at.starts_with(path))
    }

    /// The paths of the uploads at and under `path`.
    pub(super) fn uploads_in(&self, path: &Path) -> Vec<Path> {
        let all = self.uploads.range(path..).map(|(at, _)| at);
        all.take_while(|at| at.starts_with(path)).cloned().collect()
    }

    pub(super) fn is_dir(&self, path: &Path) -> bool {
        path.is_root() || self.files_in(path).any(|(at, _)| at != path)
    }

    pub(super) fn file(&self, path: &Path) -> Result<&File> {
        match self.files.get(path) {
            Some(file) => Ok(file),
            None if self.is_dir(path) => Err(Error::new(ErrorKind::IsADirectory).at(path)),
            None => Err(Error::new(ErrorKind::PathNotFound).at(path)),
        }
    }

    pub(super) fn require_dir(&self, path: &Path) -> Result<()> {
        match self.files.get(path) {
            Some(_) => Err(ErrorKind::NotADirectory.into()),
            None if self.is_dir(path) => Ok(()),
            None => Err(ErrorKind::PathNotFound.into()),
        }
    }

    /// Fails if there is a directory at `path` or a file above it.
    pub(super) fn check_place(&self, path: &Path) -> Result<()> {
        let mut above = std::iter::successors(path.parent(), Path::parent);
        if self.is_dir(path) || above.any(|dir| self.files.contains_key(&dir)) {
            return Err(Error::new(ErrorKind::PathConflict).at(path));
        }
        Ok(())
    }

    pub(super) fn check(&self, path: &Path, precondition: &Precondition) -> Result<()> {
        let current = self.files.get(path).map(|file| &file.version);
        precondition.check(current).map_err(|error| error.at(path))
    }

    pub(super) fn commit(&mut self, path: &Path, content: Bytes, modified: SystemTime) -> Metadata {
        let file = File { content, modified, version: Version::from(self.next()) };
        let metadata = file.metadata(path);
        self.files.insert(path.clone(), file);
        metadata
    }

    /// Every file and directory below `path`, in order.
    pub(super) fn below(&self, path: &Path) -> BTreeMap<Path, Entry> {
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
    pub(super) fn info(&self, path: &Path) -> UploadInfo {
        let size = Some(self.content.len() as u64);
        UploadInfo::new(path.clone(), self.started, self.written, size).with_note(self.note.clone())
    }
}

impl File {
    pub(super) fn metadata(&self, path: &Path) -> Metadata {
        let size = self.content.len() as u64;
        Metadata::new(path.clone(), size, self.modified, self.version.clone())
    }
}
