//! Creating directories for published files, and removing directories that have become empty.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use storage_driver::{Path, Result};

use crate::{
    Durability,
    error::is_nothing,
    root::{names::NameKind, search},
    store::{Store, split},
    sys,
};

impl Store {
    /// Creates the directory at `path` and those above it, and opens it. `None` if one of them was removed again
    /// meanwhile.
    pub(crate) fn make_dir(&self, path: &Path) -> Result<Option<OwnedFd>> {
        let mut missing = vec![path.clone()];
        let mut dir = loop {
            let above = missing.last().and_then(Path::parent).unwrap_or_else(Path::root);
            match self.root.open_dir(&above) {
                Ok(dir) => break dir,
                Err(Errno::NOENT) if !above.is_root() => missing.push(above),
                Err(errno) => return Err(self.conflict(&above, errno)),
            }
        };
        while let Some(path) = missing.pop() {
            let (_, name) = split(&path)?;
            // Before it is visible: a publication below has to sync its name first.
            if self.root.settings.durability == Durability::Full {
                self.fresh.add(path.as_str());
            }
            match self.root.sys.mkdir(&dir, name, self.root.settings.dir_mode) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(self.explain(errno)),
            }
            dir = match self.root.sys.open_dir(&dir, name) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => return Ok(None),
                Err(errno) => return Err(self.conflict(&path, errno)),
            };
        }
        Ok(Some(dir))
    }

    /// Makes the names of new directories durable, from `path` up.
    ///
    /// Before anything is moved there: a power cut that kept the move but not the directory would lose the moved
    /// file.
    pub(crate) fn sync_fresh(&self, path: &Path) -> sys::Result<()> {
        let mut path = path.clone();
        while let Some(above) = path.parent().filter(|_| !self.fresh.is_empty()) {
            if let Some(generation) = self.fresh.generation(path.as_str()) {
                self.syncs.sync(&self.root.sys, self.root.open_dir(&above)?)?;
                self.fresh.remove(path.as_str(), generation);
            }
            path = above;
        }
        Ok(())
    }

    /// Makes a change to the entries of an open directory durable.
    pub(crate) fn sync_dir(&self, dir: &OwnedFd) -> sys::Result<()> {
        if self.root.settings.durability != Durability::Full {
            return Ok(());
        }
        self.syncs.sync(&self.root.sys, dir)
    }

    /// Removes the directory at `path`, and those above it, as far as they are empty.
    pub(crate) fn prune(&self, path: &Path) {
        let mut path = path.clone();
        while let Some(above) = path.parent() {
            // An empty directory that stays is invisible, and is removed with the next one below it.
            if !self.remove_dir_if_empty(&path).unwrap_or(false) {
                break;
            }
            path = above;
        }
    }

    pub(crate) fn remove_dir_if_empty(&self, path: &Path) -> sys::Result<bool> {
        let Ok((parent, name)) = split(path) else { return Ok(false) };
        let generation = self.fresh.generation(path.as_str());
        let dir = match self.root.open_dir(&parent) {
            Err(errno) if is_nothing(errno) => return Ok(false),
            dir => dir?,
        };
        match self.root.sys.rmdir(&dir, name) {
            Ok(()) => {
                if let Some(generation) = generation {
                    self.fresh.remove(path.as_str(), generation);
                }
                Ok(true)
            }
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT | Errno::NOTDIR | Errno::BUSY) => {
                Ok(false)
            }
            Err(errno) => Err(errno),
        }
    }

    /// Removes the directory at `path` and those below it, as far as they are empty.
    pub(crate) fn prune_below(&self, path: &Path) -> sys::Result<()> {
        let mut dirs = vec![path.clone()];
        search::descend(&self.root, path, |path, kind| {
            if kind == NameKind::Dir {
                dirs.push(path.clone());
            }
            true
        })?;
        // A directory is found before those below it.
        for dir in dirs.into_iter().rev() {
            self.remove_dir_if_empty(&dir)?;
        }
        Ok(())
    }
}
