//! Staging: creating files that are not published yet.

use std::{os::fd::OwnedFd, sync::Arc};

use bytes::Bytes;
use rustix::io::Errno;
use storage_driver::{ErrorKind, Path, Payload, Result};

use crate::{
    Durability,
    error::at_place,
    root::reserved::Reserved,
    store::{SMALL, Store, buffers::Buffers},
    sys::{self, FileStat, Resolve, write::write_all},
};

/// A file that is about to get a name.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// It has none yet.
    Unnamed(&'a OwnedFd),
    /// It is in one of our own directories.
    Reserved(&'a OwnedFd, &'a str),
    /// It is in the tree.
    Committed(&'a OwnedFd, &'a str),
}

/// A complete file that is not published. If it has a name in the staging directory, it is removed when this is
/// dropped unpublished; the system removes a file without a name.
pub(crate) struct Staged {
    store: Arc<Store>,
    reserved: Arc<Reserved>,
    pub(crate) name: Option<String>,
    pub(crate) file: OwnedFd,
    pub(crate) published: bool,
}

impl Drop for Staged {
    fn drop(&mut self) {
        let Some(name) = self.name.as_ref().filter(|_| !self.published) else { return };
        let size = self.store.root.sys.stat(&self.file).map_or(0, |facts| facts.size);
        self.store.discard(&self.reserved, (&self.reserved.staging, name), size);
    }
}

impl Staged {
    /// Where the file is before it is published.
    pub(crate) fn source(&self) -> Source<'_> {
        match &self.name {
            None => Source::Unnamed(&self.file),
            Some(name) => Source::Reserved(&self.reserved.staging, name),
        }
    }
}

impl Store {
    /// Creates a file that is to be published at `dest`: without a name, or with one in the staging directory if the
    /// file system cannot name files later.
    pub(crate) fn stage(self: &Arc<Self>, dest: &Path) -> Result<Staged> {
        let mode = self.root.settings.file_mode;
        let reserved = Arc::clone(self.reserved_for(dest)?);
        let name = (!reserved.has_unnamed).then(|| self.new_name());
        let file = match &name {
            None => self.root.sys.create_unnamed(&reserved.staging, mode),
            Some(name) => self.root.sys.create(&reserved.staging, name, mode),
        };
        let file = file.map_err(|errno| {
            self.own_error(&reserved, at_place(self.explain(errno), reserved.place.join("staging")))
        })?;
        Ok(Staged { store: Arc::clone(self), reserved, name, file, published: false })
    }

    /// Creates a file with this content, to be published at `dest`.
    pub(crate) fn stage_content(
        self: &Arc<Self>,
        content: &Payload,
        dest: &Path,
    ) -> Result<Staged> {
        let staged = self.stage(dest)?;
        let parts: Vec<Bytes> = content.parts().cloned().collect();
        write_all(&self.root.sys, &staged.file, &parts, 0)
            .map_err(|(_, errno)| self.explain(errno))?;
        self.sync_if_large(&staged, content.len() as u64)?;
        Ok(staged)
    }

    /// Creates a file with the content of the file at `from`, to be published at `dest`.
    pub(crate) fn stage_copy(self: &Arc<Self>, from: &Path, dest: &Path) -> Result<Staged> {
        let (source, facts) =
            self.root.open_file(from, Resolve::Fully).map_err(|e| self.explain_open(from, e))?;
        let staged = self.stage(dest)?;
        self.copy_file(&source, &facts, &staged.file)?;
        self.sync_if_large(&staged, facts.size)?;
        Ok(staged)
    }

    /// Syncs a large file before locks are taken, because that takes long.
    pub(crate) fn sync_if_large(&self, staged: &Staged, size: u64) -> Result<()> {
        if size > SMALL { self.sync_content(&staged.file) } else { Ok(()) }
    }

    /// Copies a whole file into an empty one, or shares its blocks.
    pub(crate) fn copy_file(&self, source: &OwnedFd, facts: &FileStat, to: &OwnedFd) -> Result<()> {
        if self.root.sys.clone_file(source, to).is_ok() {
            return Ok(());
        }
        let mut offset = 0;
        while offset < facts.size {
            let length = (facts.size - offset).min(64 << 20) as usize;
            let copied = match self.root.sys.copy_range(source, to, offset, length) {
                Err(Errno::INVAL | Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.copy_piece(source, to, offset)
                }
                result => result,
            };
            match copied.map_err(|errno| self.explain(errno))? {
                // Another program has cut the source short.
                0 => return Err(ErrorKind::ContentChanged.into()),
                copied => offset += copied as u64,
            }
        }
        Ok(())
    }

    fn copy_piece(&self, source: &OwnedFd, to: &OwnedFd, offset: u64) -> sys::Result<usize> {
        let mut buffer = self.buffers.get(Buffers::LARGE);
        let length = self.root.sys.read(source, buffer.as_mut(), offset)?;
        let piece = buffer.into_bytes(length);
        write_all(&self.root.sys, to, &[piece], offset).map_err(|(_, errno)| errno)?;
        Ok(length)
    }

    /// Makes content durable, before it is given its time.
    pub(crate) fn sync_content(&self, file: &OwnedFd) -> Result<()> {
        if self.root.settings.durability == Durability::None {
            return Ok(());
        }
        self.root.sys.sync_data(file).map_err(|errno| self.explain(errno))
    }
}
