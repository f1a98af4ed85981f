//! Changes of files and directories in the tree: rename, touch, delete.

use std::{os::fd::OwnedFd, sync::atomic::Ordering};

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result};

use crate::{
    error::{explain, not_found},
    root::{names::NameKind, search, version},
    store::{SMALL, Store, split, staging::Source},
    sys::{Kind, Resolve},
};

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removed {
    Done,
    Nothing,
    IsADirectory,
}

impl Store {
    /// Moves the file at `from` to `to`. Under the locks of both.
    pub(crate) fn rename(
        &self,
        from: &Path,
        to: &Path,
        precondition: &Precondition,
    ) -> Result<Metadata> {
        let facts = self.file(from)?;
        if from == to {
            precondition.check(Some(&version(&facts))).map_err(|error| error.at(to))?;
            return Ok(self.root.metadata(to, &facts));
        }
        let (parent, name) = split(from)?;
        let dir = self.root.open_dir(&parent).map_err(not_found)?;
        let source = Source::Committed(&dir, name);
        self.install(source, to, &|current| precondition.check(current))
            .map_err(|error| error.at(to))?;
        self.prune(&parent);
        Ok(self.root.metadata(to, &facts))
    }

    /// Moves the directory at `from` to `to`. Under the lock of the whole tree.
    pub(crate) fn rename_dir(&self, from: &Path, to: &Path) -> Result<()> {
        match search::lookup(&self.root, from, Resolve::Fully)
            .map_err(explain)?
            .map(|facts| facts.kind)
        {
            Some(Kind::File) => return Err(ErrorKind::NotADirectory.into()),
            Some(Kind::Dir) if self.is_visible(from)? => {}
            _ => return Err(ErrorKind::PathNotFound.into()),
        }
        if from == to {
            return Ok(());
        }
        let conflict = || Error::new(ErrorKind::PathConflict).at(to);
        if to.starts_with(from) {
            return Err(conflict());
        }
        let (from_parent, from_name) = split(from)?;
        let (to_parent, to_name) = split(to)?;
        match search::lookup(&self.root, to, Resolve::Fully)
            .map_err(explain)?
            .map(|facts| facts.kind)
        {
            None => {}
            Some(Kind::Dir) => self.clear_target(to).map_err(|error| error.at(to))?,
            Some(_) => return Err(conflict()),
        }
        let growth = to.as_str().len().saturating_sub(from.as_str().len());
        if growth > 0 {
            let longest = search::longest_below(&self.root, from).map_err(explain)?;
            if longest + growth > Path::MAX_BYTES {
                return Err(Error::new(ErrorKind::InvalidPath).at(to));
            }
        }
        let above = self.root.open_dir(&from_parent).map_err(not_found)?;
        let dir = match self.root.open_dir(&to_parent) {
            Ok(dir) => dir,
            Err(Errno::NOENT) => match self.make_dir(&to_parent) {
                Ok(Some(dir)) => dir,
                Ok(None) => return Err(ErrorKind::Unavailable.into()),
                Err(error) => return Err(self.undone(&to_parent, error).at(to)),
            },
            Err(errno) => return Err(self.conflict(&to_parent, errno).at(to)),
        };
        let source = Source::Committed(&above, from_name);
        let moved =
            self.sync_fresh(&to_parent).and_then(|()| self.install_new(source, (&dir, to_name)));
        if let Err(errno) = moved {
            return Err(self.undone(&to_parent, self.explain(errno)));
        }
        self.prune(&from_parent);
        Ok(())
    }

    /// Gives a file a new time, and with it a new version. Under its lock.
    pub(crate) fn touch(&self, path: &Path, precondition: &Precondition) -> Result<Metadata> {
        let (file, before) =
            self.root.open_file(path, Resolve::Fully).map_err(|e| self.explain_open(path, e))?;
        precondition.check(Some(&version(&before)))?;
        let facts = self.stamp(&file)?;
        if let Err(error) = self.sync_whole(&file) {
            if let Ok(modified) = i64::try_from(before.modified) {
                let _ = self.root.sys.set_modified(&file, modified);
            }
            return Err(error);
        }
        Ok(self.root.metadata(path, &facts))
    }

    /// The kind of `path`, if callers see anything there.
    pub(crate) fn kind(&self, path: &Path) -> Result<Option<Kind>> {
        match search::lookup(&self.root, path, Resolve::Fully)
            .map_err(explain)?
            .map(|facts| facts.kind)
        {
            Some(Kind::Dir) if !self.is_visible(path)? => Ok(None),
            kind => Ok(kind),
        }
    }

    /// Removes the file at `path`, if there is one. Under its lock.
    pub(crate) fn delete_file(&self, path: &Path, precondition: &Precondition) -> Result<Removed> {
        let facts = match search::lookup(&self.root, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::File => facts,
            Some(facts) if facts.kind == Kind::Dir && self.is_visible(path)? => {
                return Ok(Removed::IsADirectory);
            }
            _ => return Ok(Removed::Nothing),
        };
        precondition.check(Some(&version(&facts)))?;
        let (parent, name) = split(path)?;
        let dir = self.root.open_dir(&parent).map_err(not_found)?;
        self.move_aside(path, (&dir, name), facts.size)?;
        self.prune(&parent);
        Ok(Removed::Done)
    }

    /// Removes the directory at `path` with the files of the store below. Under the lock of the whole tree.
    pub(crate) fn delete_dir(&self, path: &Path, shared: bool) -> Result<()> {
        let (parent, name) = split(path)?;
        if shared || self.root.is_mount_below(path) {
            return self.delete_below(path);
        }
        let dir = self.root.open_dir(&parent).map_err(not_found)?;
        self.move_aside(path, (&dir, name), u64::MAX)?;
        self.prune(&parent);
        Ok(())
    }

    /// Moves the entry for `path` into the trash, and removes it from there: at once if it is small.
    fn move_aside(&self, path: &Path, from: (&OwnedFd, &str), size: u64) -> Result<()> {
        let name = self.new_name();
        let reserved = self.reserved_for(path)?;
        let to = (&reserved.trash, name.as_str());
        let moved = self.root.sys.rename_new(from, to).and_then(|()| {
            self.sync_dir(from.0).inspect_err(|_| {
                let _ = self.root.sys.rename_new(to, from);
            })
        });
        moved.map_err(|errno| self.own_error(reserved, self.explain_move(path, errno)))?;
        // Otherwise it stays in the trash.
        if size > SMALL || self.root.sys.unlink(to.0, to.1).is_err() {
            self.littered.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Removes the driver's files below a directory one by one, and leaves foreign files.
    fn delete_below(&self, path: &Path) -> Result<()> {
        let mut files = Vec::new();
        search::descend(&self.root, path, |path, kind| {
            if kind == NameKind::File {
                files.push(path.clone());
            }
            true
        })
        .map_err(explain)?;
        for file in files {
            self.delete_file(&file, &Precondition::None)?;
        }
        Ok(())
    }
}
