//! Publishing: giving a file its name in the tree in one step, which is undone if it cannot be made durable.

use std::{os::fd::OwnedFd, sync::Arc};

use rustix::{fs::RenameFlags, io::Errno};
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result, Version};

use crate::{
    Durability,
    error::explain,
    root::{reserved::Reserved, search, version},
    store::{
        SMALL, Store, split,
        staging::{Source, Staged},
    },
    sys::{self, FileStat, Kind, Resolve},
};

/// How often a publication is tried again when other operations remove its directories, which are still empty.
const TRIES: usize = 1000;

impl Store {
    /// Publishes a staged file at `dest`. Under the lock of `dest`.
    pub(crate) fn publish_staged(
        &self,
        mut staged: Staged,
        dest: &Path,
        precondition: &Precondition,
    ) -> Result<Metadata> {
        let facts = self.stamp(&staged.file)?;
        self.sync_whole(&staged.file)?;
        self.install(staged.source(), dest, &|current| precondition.check(current))?;
        staged.published = true;
        Ok(self.root.metadata(dest, &facts))
    }

    /// The result of a publication at `dest`. A full disk is found before `dest` is looked at. It is reported unless
    /// something else, which comes first, keeps the file from being published: a conflict, or `check`.
    pub(crate) async fn order_errors<T>(
        self: &Arc<Self>,
        result: Result<T>,
        dest: &Path,
        check: impl FnOnce(Option<&Version>) -> Result<()> + Send + 'static,
    ) -> Result<T> {
        let error = match result {
            Err(error) if matches!(error.kind(), ErrorKind::StorageFull { .. }) => error,
            result => return result,
        };
        let (store, at) = (Arc::clone(self), dest.clone());
        match self.work.run(&[], move || store.require_target(&at, check)).await {
            Err(first) if first.is_precondition_failed() => Err(first.at(dest)),
            Err(first) if first.kind() == ErrorKind::PathConflict => Err(first.at(dest)),
            _ => Err(error),
        }
    }

    /// Fails if nothing can be published at `dest` as it is now.
    fn require_target(
        &self,
        dest: &Path,
        check: impl FnOnce(Option<&Version>) -> Result<()>,
    ) -> Result<()> {
        let relative = self.root.relative(dest);
        let found = self.root.sys.open_path(&self.root.dir, relative, Resolve::Fully);
        match found.and_then(|found| self.root.sys.stat(&found)) {
            Ok(facts) if facts.kind == Kind::File => check(Some(&version(&facts))),
            Ok(facts) if facts.kind == Kind::Dir && !self.is_visible(dest)? => check(None),
            Ok(_) => Err(self.conflict(dest, Errno::LOOP)),
            Err(Errno::NOENT) => check(None),
            Err(errno) => Err(self.conflict(dest, errno)),
        }
    }

    /// Gives a file the time that makes its version unique, and returns its metadata.
    pub(crate) fn stamp(&self, file: &OwnedFd) -> Result<FileStat> {
        let facts = self.root.sys.stat(file).map_err(explain)?;
        let modified = self.clock.next();
        self.root.sys.set_modified(file, modified).map_err(|errno| self.explain(errno))?;
        Ok(FileStat { modified: modified.into(), ..facts })
    }

    /// Makes a file durable, with its time.
    pub(crate) fn sync_whole(&self, file: &OwnedFd) -> Result<()> {
        if self.root.settings.durability == Durability::None {
            return Ok(());
        }
        self.root.sys.sync_file(file).map_err(|errno| self.explain(errno))
    }

    /// Moves a file to `dest`, if `check` accepts the version of the file there. Under the lock of `dest`. If it fails,
    /// both files are where they were.
    pub(crate) fn install(
        &self,
        from: Source<'_>,
        dest: &Path,
        check: &impl Fn(Option<&Version>) -> Result<()>,
    ) -> Result<()> {
        let (parent, name) = split(dest)?;
        let reserved = self.reserved_for(dest)?;
        for _ in 0..TRIES {
            let dir = match self.root.open_dir(&parent) {
                Ok(dir) => dir,
                Err(Errno::NOENT) => {
                    check(None)?;
                    match self.make_dir(&parent) {
                        Ok(Some(dir)) => dir,
                        Ok(None) => continue,
                        Err(error) => {
                            self.prune(&parent);
                            return Err(error);
                        }
                    }
                }
                Err(errno) => return Err(self.conflict(&parent, errno)),
            };
            match self.sync_fresh(&parent) {
                Ok(()) => {}
                // One of them was removed again.
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(self.undone(&parent, self.explain(errno))),
            }
            if matches!(from, Source::Unnamed(_)) && check(None).is_ok() {
                // This never replaces a file, so that no lookup is needed first.
                match self.install_new(from, (&dir, name)) {
                    Ok(()) => return Ok(()),
                    Err(Errno::EXIST) => {}
                    Err(Errno::NOENT) => continue,
                    Err(errno) => {
                        return Err(self.undone(&parent, self.explain_move(dest, errno)));
                    }
                }
            }
            let current = match self.root.sys.stat_at(&dir, name) {
                Ok(facts) => Some(facts),
                Err(Errno::NOENT) => None,
                Err(errno) => return Err(self.undone(&parent, explain(errno))),
            };
            let done = match current {
                None => {
                    check(None).map_err(|error| self.undone(&parent, error))?;
                    self.install_new(from, (&dir, name))
                }
                Some(facts) if facts.kind == Kind::File => {
                    check(Some(&version(&facts)))?;
                    self.replace(reserved, from, (&dir, name), &facts)
                }
                Some(facts) if facts.kind == Kind::Dir => {
                    self.clear_target(dest)?;
                    continue;
                }
                Some(_) => return Err(self.conflict(dest, Errno::LOOP)),
            };
            match done {
                Ok(()) => return Ok(()),
                // The directory was removed because it was empty, or another program has put a file here: look
                // again.
                Err(Errno::NOENT | Errno::EXIST | Errno::ISDIR) => {}
                Err(errno) => {
                    return Err(self.undone(&parent, self.explain_move(dest, errno)));
                }
            }
        }
        let cause = "directories on the way to the path were removed again and again";
        Err(self.own_error(reserved, Error::new(ErrorKind::Unavailable).with_source(cause)))
    }

    /// Removes directories that were created for a change that failed with `error`.
    pub(crate) fn undone(&self, parent: &Path, error: Error) -> Error {
        self.prune(parent);
        error
    }

    /// Gives a file or directory a name that is not taken.
    pub(crate) fn install_new(&self, from: Source<'_>, to: (&OwnedFd, &str)) -> sys::Result<()> {
        match from {
            Source::Unnamed(file) => self.root.sys.name(file, to)?,
            Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                self.root.sys.rename_new((dir, name), to)?;
            }
        }
        self.sync_move(from, to.0).inspect_err(|_| {
            let _ = match from {
                Source::Unnamed(_) => self.root.sys.unlink(to.0, to.1),
                Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                    self.root.sys.rename_new(to, (dir, name))
                }
            };
        })
    }

    /// Gives a file the name of another file, which is kept under a second name until the change is durable, so that
    /// the change can be undone.
    fn replace(
        &self,
        reserved: &Reserved,
        from: Source<'_>,
        to: (&OwnedFd, &str),
        replaced: &FileStat,
    ) -> sys::Result<()> {
        let (named, hold) = (self.new_name(), self.new_name());
        let hold = (&reserved.staging, hold.as_str());
        let old = match from {
            Source::Unnamed(file) => {
                self.root.sys.name(file, (&reserved.staging, &named))?;
                (&reserved.staging, named.as_str())
            }
            Source::Reserved(dir, name) | Source::Committed(dir, name) => (dir, name),
        };
        let wanted = self.root.settings.durability == Durability::Full || replaced.size > SMALL;
        let held = if wanted {
            match self.root.sys.link(to, hold) {
                Ok(()) => Ok(true),
                // The file system has no hard links, or the file has too many.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => Ok(false),
                Err(errno) => Err(errno),
            }
        } else {
            Ok(false)
        };
        let moved = held.and_then(|held| {
            let moved = self.root.sys.rename(old, to, RenameFlags::empty()).and_then(|()| {
                self.sync_move(from, to.0).inspect_err(|_| {
                    if held {
                        let _ = self.root.sys.rename_new(to, old);
                        let _ = self.root.sys.rename(hold, to, RenameFlags::empty());
                    }
                })
            });
            if held {
                self.discard(reserved, hold, replaced.size);
            }
            moved
        });
        if moved.is_err() && matches!(from, Source::Unnamed(_)) {
            let _ = self.root.sys.unlink(old.0, old.1);
        }
        moved
    }

    /// Makes a move durable: first the new name, then the removal of the old one.
    fn sync_move(&self, from: Source<'_>, dir: &OwnedFd) -> sys::Result<()> {
        self.sync_dir(dir)?;
        match from {
            Source::Committed(from, _) => self.sync_dir(from),
            Source::Unnamed(_) | Source::Reserved(..) => Ok(()),
        }
    }

    /// Removes the directory at `path` if callers do not see it. Other operations may create it again at once.
    pub(crate) fn clear_target(&self, path: &Path) -> Result<()> {
        if self.root.is_mount_below(path)
            || search::has_file_below(&self.root, path).map_err(explain)?
        {
            return Err(ErrorKind::PathConflict.into());
        }
        self.prune_below(path).map_err(explain)?;
        let in_the_way = match search::lookup(&self.root, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::Dir => {
                search::has_file_below(&self.root, path).and_then(|found| {
                    // Foreign files are not removed either.
                    Ok(found || search::has_foreign_below(&self.root, path)?)
                })
            }
            _ => Ok(false),
        };
        if in_the_way.map_err(explain)? { Err(ErrorKind::PathConflict.into()) } else { Ok(()) }
    }
}
