//! The file with the data of an upload, which another program may have removed or changed.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use storage_driver::{Error, ErrorKind, Result};

use super::{
    Upload,
    state::{Failure, State},
};
use crate::{
    error::at_place,
    root::reserved::Reserved,
    store::Store,
    sys::{FileStat, Kind},
};

impl Upload {
    /// Opens the file with the data, of which `size` bytes were written, and puts it into `file`. It is created if
    /// nothing was written yet, and checked otherwise. No other thread may work on the upload.
    pub(super) fn open<'a>(
        &self,
        store: &Store,
        file: &'a mut Option<OwnedFd>,
        size: u64,
    ) -> Result<&'a OwnedFd, Failure> {
        let known = self.state().data;
        let open = match known {
            None => {
                let (made, facts) = self.create(store)?;
                self.state().data = Some(facts);
                made
            }
            Some(data) => {
                let found = self.check(store, &data, size)?;
                let open = match file.take() {
                    Some(open) => open,
                    None => self.open_existing(store)?,
                };
                if found.size > size {
                    // The rest was appended by another program, or was given up as lost.
                    store
                        .root
                        .sys
                        .truncate(&open, size)
                        .map_err(|errno| self.explain(store, errno))?;
                }
                open
            }
        };
        Ok(file.insert(open))
    }

    /// Opens the file with the data, which must exist.
    pub(super) fn open_existing(&self, store: &Store) -> Result<OwnedFd> {
        let opened = store.root.sys.open_write(&self.dir, &self.data_name());
        opened.map_err(|errno| self.explain(store, errno))
    }

    fn create(&self, store: &Store) -> Result<(OwnedFd, FileStat)> {
        let (sys, name) = (&store.root.sys, self.data_name());
        let create = || sys.create(&self.dir, &name, store.root.settings.file_mode);
        let created = match create() {
            // Another program has created it, or an earlier try could not read its metadata.
            Err(Errno::EXIST) => self
                .reserved(store)?
                .remove(sys, (&self.dir, &*name), &store.new_name())
                .and_then(|()| create()),
            created => created,
        };
        let made = created.and_then(|file| sys.stat(&file).map(|facts| (file, facts)));
        made.map_err(|errno| self.explain(store, errno))
    }

    /// Fails if the file with the data is no longer the one that was created, or is shorter than what was written.
    /// Returns its metadata otherwise.
    fn check(&self, store: &Store, data: &FileStat, size: u64) -> Result<FileStat, Failure> {
        let (found, cause) = match store.root.sys.stat_at(&self.dir, &self.data_name()) {
            Ok(facts) if facts.kind != Kind::File || !facts.is_same(data) => {
                (0, format!("another program has replaced it: 0 of {size} bytes are left"))
            }
            Ok(facts) if facts.size < size => {
                let found = facts.size;
                (found, format!("another program has cut it: {found} of {size} bytes are left"))
            }
            Ok(facts) => return Ok(facts),
            Err(Errno::NOENT) => {
                (0, format!("another program has removed it: 0 of {size} bytes are left"))
            }
            Err(errno) => return Err(self.explain(store, errno).into()),
        };
        let error = Error::new(ErrorKind::Corrupted).with_source(cause);
        Err(Failure::Lost { found, error: self.at_file(store, error) })
    }

    /// Checks that the data is still there, if no thread is working. The next write or commit finds other errors again.
    pub(crate) fn inspect(&self, store: &Store) {
        let state = self.state();
        let (written, data) = (state.written, state.data);
        let at_rest = |state: &State| !state.running && !state.gone && state.lost.is_none();
        if !at_rest(&state) {
            return;
        }
        drop(state);
        let Some(Err(Failure::Lost { found, error })) =
            data.map(|data| self.check(store, &data, written))
        else {
            return;
        };
        let mut state = self.state();
        if at_rest(&state) && state.written == written {
            tracing::warn!(
                path = %self.path(),
                error = %error,
                cause = std::error::Error::source(&error).map(tracing::field::display),
                found,
                written,
                "the data of an upload in progress is damaged: the upload is resumed from what is left"
            );
            state.lose(found, error);
        }
    }

    /// Handles the failure of a session, and returns its error.
    pub(super) fn settle(&self, failure: Failure) -> Error {
        match failure {
            Failure::Step(error) => error,
            Failure::Lost { found, error } => {
                self.state().lose(found, error.clone());
                error
            }
        }
    }

    /// The reserved directories that hold the upload's files.
    pub(super) fn reserved<'a>(&self, store: &'a Store) -> Result<&'a Reserved> {
        store.reserved_for(&storage_driver::Path::root()).map(AsRef::as_ref)
    }

    /// An error about the file with the data.
    pub(super) fn explain(&self, store: &Store, errno: Errno) -> Error {
        self.at_file(store, store.explain(errno))
    }

    fn at_file(&self, store: &Store, error: Error) -> Error {
        let place = self.reserved(store).map(|reserved| reserved.place.clone());
        at_place(error, place.unwrap_or_default().join("uploads").join(self.data_name()))
    }
}
