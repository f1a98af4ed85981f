//! Making content that has no name in the tree yet.

use std::{os::fd::OwnedFd, sync::Arc};

use bytes::Bytes;
use rustix::io::Errno;
use storage_driver::{ErrorKind, Path, Payload, Result};

use crate::{
    Durability,
    buffers::Buffers,
    error::at_place,
    reserved::Reserved,
    store::{SMALL, Store},
    sys::{self, FileStat, Resolve},
    write::write_all,
};

/// A file that is to get a name.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// It has none yet.
    Unnamed(&'a OwnedFd),
    /// It is one of our own.
    Reserved(&'a OwnedFd, &'a str),
    /// Callers see it already.
    Committed(&'a OwnedFd, &'a str),
}

/// A file that is complete but for its name. One that has a name in the staging directory is removed
/// when it is dropped unpublished; one that has none goes by itself.
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
        let size = self.store.sys.stat(&self.file).map_or(0, |facts| facts.size);
        self.store.discard(&self.reserved, (&self.reserved.staging, name), size);
    }
}

impl Staged {
    /// Where the file comes from when it is given its name in the tree.
    pub(crate) fn source(&self) -> Source<'_> {
        match &self.name {
            None => Source::Unnamed(&self.file),
            Some(name) => Source::Reserved(&self.reserved.staging, name),
        }
    }
}

impl Store {
    /// Makes a file that is to be published at `dest`: without a name, or with one in the staging
    /// directory where that is not possible.
    pub(crate) fn stage(self: &Arc<Self>, dest: &Path) -> Result<Staged> {
        let mode = self.settings.file_mode;
        let reserved = Arc::clone(self.reserved_for(dest)?);
        let name = (!reserved.has_unnamed).then(|| self.new_name());
        let file = match &name {
            None => self.sys.create_unnamed(&reserved.staging, mode),
            Some(name) => self.sys.create(&reserved.staging, name, mode),
        };
        let file = file.map_err(|errno| {
            let error = at_place(self.explain(errno), reserved.place.join("staging"));
            reserved.require_present(&self.sys).err().unwrap_or(error)
        })?;
        Ok(Staged { store: Arc::clone(self), reserved, name, file, published: false })
    }

    /// Makes a file with this content, to be published at `dest`.
    pub(crate) fn stage_content(
        self: &Arc<Self>,
        content: &Payload,
        dest: &Path,
    ) -> Result<Staged> {
        let staged = self.stage(dest)?;
        let parts: Vec<Bytes> = content.parts().cloned().collect();
        write_all(&self.sys, &staged.file, &parts, 0).map_err(|(_, errno)| self.explain(errno))?;
        self.sync_if_large(&staged, content.len() as u64)?;
        Ok(staged)
    }

    /// Makes a file with the content of the file at `from`, to be published at `dest`.
    pub(crate) fn stage_copy(self: &Arc<Self>, from: &Path, dest: &Path) -> Result<Staged> {
        let (source, facts) =
            self.open_file(from, Resolve::Fully).map_err(|e| self.explain_open(from, e))?;
        let staged = self.stage(dest)?;
        self.copy_file(&source, &facts, &staged.file)?;
        self.sync_if_large(&staged, facts.size)?;
        Ok(staged)
    }

    /// Syncs what takes long while no lock is held.
    pub(crate) fn sync_if_large(&self, staged: &Staged, size: u64) -> Result<()> {
        if size > SMALL { self.sync_content(&staged.file) } else { Ok(()) }
    }

    /// Copies a whole file into an empty one, or shares its blocks.
    pub(crate) fn copy_file(&self, source: &OwnedFd, facts: &FileStat, to: &OwnedFd) -> Result<()> {
        if self.sys.clone_file(source, to).is_ok() {
            return Ok(());
        }
        let mut offset = 0;
        while offset < facts.size {
            let length = (facts.size - offset).min(64 << 20) as usize;
            let copied = match self.sys.copy_range(source, to, offset, length) {
                Err(Errno::INVAL | Errno::XDEV | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    self.copy_piece(source, to, offset)
                }
                result => result,
            };
            match copied.map_err(|errno| self.explain(errno))? {
                // Somebody else has cut it short.
                0 => return Err(ErrorKind::ContentChanged.into()),
                copied => offset += copied as u64,
            }
        }
        Ok(())
    }

    fn copy_piece(&self, source: &OwnedFd, to: &OwnedFd, offset: u64) -> sys::Result<usize> {
        let mut buffer = self.buffers.get(Buffers::LARGE);
        let length = self.sys.read(source, buffer.as_mut(), offset)?;
        let piece = buffer.into_bytes(length);
        write_all(&self.sys, to, &[piece], offset).map_err(|(_, errno)| errno)?;
        Ok(length)
    }

    /// Makes content durable before it has its time.
    pub(crate) fn sync_content(&self, file: &OwnedFd) -> Result<()> {
        if self.settings.durability == Durability::None {
            return Ok(());
        }
        self.sys.sync_data(file).map_err(|errno| self.explain(errno))
    }
}
