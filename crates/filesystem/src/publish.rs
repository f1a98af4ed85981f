//! Giving content its name in the tree, so that it is seen all at once, and so that it can be taken
//! back until it is durable.

use std::os::fd::OwnedFd;

use rustix::{fs::RenameFlags, io::Errno};
use storage_driver::{Error, ErrorKind, Metadata, Path, Precondition, Result, Version};

use crate::{
    Durability,
    error::explain,
    names,
    reserved::Reserved,
    root::version,
    staging::{Source, Staged},
    store::{SMALL, Store, split},
    sys::{self, FileStat, Kind, Resolve},
};

/// How often a step is tried again when directories vanish under it because others remove what they
/// think is empty.
const TRIES: usize = 1000;

impl Store {
    /// Gives a file that was made its name. Under the lock of `dest`.
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
        Ok(self.metadata(dest, &facts))
    }

    /// Gives a file the time that makes its version unique, and says what it then is.
    pub(crate) fn stamp(&self, file: &OwnedFd) -> Result<FileStat> {
        let facts = self.sys.stat(file).map_err(explain)?;
        let modified = self.clock.next();
        self.sys.set_modified(file, modified).map_err(|errno| self.explain(errno))?;
        Ok(FileStat { modified: modified.into(), ..facts })
    }

    /// Makes a file durable, with its time.
    pub(crate) fn sync_whole(&self, file: &OwnedFd) -> Result<()> {
        if self.settings.durability == Durability::None {
            return Ok(());
        }
        self.sys.sync_file(file).map_err(|errno| self.explain(errno))
    }

    /// Moves a file to `dest`, if `check` agrees to the version that is there. Under the lock of
    /// `dest`. If it fails, the file is where it was, and so is what was at `dest`.
    pub(crate) fn install(
        &self,
        from: Source<'_>,
        dest: &Path,
        check: &impl Fn(Option<&Version>) -> Result<()>,
    ) -> Result<()> {
        let (parent, name) = split(dest)?;
        let reserved = self.reserved_for(dest)?;
        for _ in 0..TRIES {
            let dir = match self.open_dir(&parent) {
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
                // It never replaces what is there, so that there is no need to look first.
                match self.install_new(from, (&dir, name)) {
                    Ok(()) => return Ok(()),
                    Err(Errno::EXIST) => {}
                    Err(Errno::NOENT) => continue,
                    Err(errno) => {
                        return Err(self.undone(&parent, self.explain_move(dest, errno)));
                    }
                }
            }
            let current = match self.sys.stat_at(&dir, name) {
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
                // The directory was removed because it was empty, or somebody else put something
                // here: look again.
                Err(Errno::NOENT | Errno::EXIST | Errno::ISDIR) => {}
                Err(errno) => {
                    return Err(self.undone(&parent, self.explain_move(dest, errno)));
                }
            }
        }
        let cause = "directories on the way to the path were removed again and again";
        Err(Error::new(ErrorKind::Unavailable).with_source(cause))
    }

    /// Removes directories that were made for nothing.
    pub(crate) fn undone(&self, parent: &Path, error: Error) -> Error {
        self.prune(parent);
        error
    }

    /// Gives a file, or a directory, a name that nothing has.
    pub(crate) fn install_new(&self, from: Source<'_>, to: (&OwnedFd, &str)) -> sys::Result<()> {
        match from {
            Source::Unnamed(file) => self.sys.name(file, to)?,
            Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                self.sys.rename_new((dir, name), to)?;
            }
        }
        self.sync_move(from, to.0).inspect_err(|_| {
            let _ = match from {
                Source::Unnamed(_) => self.sys.unlink(to.0, to.1),
                Source::Reserved(dir, name) | Source::Committed(dir, name) => {
                    self.sys.rename_new(to, (dir, name))
                }
            };
        })
    }

    /// Gives a file the name of another. That one is held until the change is durable, so that it can
    /// come back.
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
                self.sys.name(file, (&reserved.staging, &named))?;
                (&reserved.staging, named.as_str())
            }
            Source::Reserved(dir, name) | Source::Committed(dir, name) => (dir, name),
        };
        let wanted = self.settings.durability == Durability::Full || replaced.size > SMALL;
        let held = if wanted {
            match self.sys.link(to, hold) {
                Ok(()) => Ok(true),
                // No second names on this file system, or no more of this file.
                Err(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::NOSYS) => Ok(false),
                Err(errno) => Err(errno),
            }
        } else {
            Ok(false)
        };
        let moved = held.and_then(|held| {
            let moved = self.sys.rename(old, to, RenameFlags::empty()).and_then(|()| {
                self.sync_move(from, to.0).inspect_err(|_| {
                    if held {
                        let _ = self.sys.rename_new(to, old);
                        let _ = self.sys.rename(hold, to, RenameFlags::empty());
                    }
                })
            });
            if held {
                self.discard(reserved, hold, replaced.size);
            }
            moved
        });
        if moved.is_err() && matches!(from, Source::Unnamed(_)) {
            let _ = self.sys.unlink(old.0, old.1);
        }
        moved
    }

    /// Makes a move durable: the new name first, then that the old one is gone.
    fn sync_move(&self, from: Source<'_>, dir: &OwnedFd) -> sys::Result<()> {
        self.sync_dir(dir)?;
        match from {
            Source::Committed(from, _) => self.sync_dir(from),
            Source::Unnamed(_) | Source::Reserved(..) => Ok(()),
        }
    }

    /// Removes the directory at `path` if no caller can see it. Others may make it again at once.
    pub(crate) fn clear_target(&self, path: &Path) -> Result<()> {
        if self.is_mount_below(path) || names::has_file_below(self, path).map_err(explain)? {
            return Err(ErrorKind::PathConflict.into());
        }
        self.prune_below(path).map_err(explain)?;
        let in_the_way = match names::lookup(self, path, Resolve::Fully).map_err(explain)? {
            Some(facts) if facts.kind == Kind::Dir => {
                names::has_file_below(self, path).and_then(|found| {
                    // Foreign files are not removed either.
                    Ok(found || names::has_foreign_below(self, path)?)
                })
            }
            _ => Ok(false),
        };
        if in_the_way.map_err(explain)? { Err(ErrorKind::PathConflict.into()) } else { Ok(()) }
    }
}
