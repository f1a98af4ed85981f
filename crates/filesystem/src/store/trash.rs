//! Emptying the trash: removing deleted files and directories.
//!
//! A directory in the trash is flattened: the directories in it are moved up into the trash and removed there. So two
//! directories are open at a time, however deep the tree was, and the next opening continues after a crash.

use std::{
    ffi::CStr,
    mem::MaybeUninit,
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, atomic::Ordering},
};

use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};

use crate::{root::reserved::Reserved, store::Store, sys::Result};

impl Store {
    /// Starts to empty the trash, unless it is empty or is being emptied.
    pub(crate) fn empty_trash(self: &Arc<Self>) {
        if !self.littered.load(Ordering::Acquire) || self.emptying.swap(true, Ordering::AcqRel) {
            return;
        }
        let store = Arc::clone(self);
        self.work.start(move || {
            while store.littered.swap(false, Ordering::AcqRel) {
                if let Err(errno) = empty(&store) {
                    tracing::warn!(
                        root = %store.root.location.display(),
                        error = %std::io::Error::from(errno),
                        "some deleted files could not be removed yet"
                    );
                }
            }
            store.emptying.store(false, Ordering::Release);
        });
    }
}

/// Removes all that is in the trash, or stops when the driver is shut down.
pub(crate) fn empty(store: &Store) -> Result<()> {
    let closed = || store.closed.load(Ordering::Acquire);
    for Reserved { trash, .. } in store.reserved.iter().map(Arc::as_ref) {
        let mut found = true;
        while std::mem::take(&mut found) && !closed() {
            each(store, trash, |name, kind| {
                found = true;
                remove(store, trash, name, kind)?;
                Ok(!closed())
            })?;
        }
    }
    Ok(())
}

fn remove(store: &Store, trash: &OwnedFd, name: &CStr, kind: FileType) -> Result<()> {
    if kind != FileType::Directory && unlink(store, trash, name)? {
        return Ok(());
    }
    let sys = &store.root.sys;
    let text = name.to_str().map_err(|_| Errno::ILSEQ)?;
    let dir = sys.open_dir(trash, text)?;
    each(store, &dir, |entry, kind| {
        if kind == FileType::Directory || !unlink(store, &dir, entry)? {
            sys.rename_new((&dir, entry), (trash, &store.new_name()))?;
        }
        Ok(!store.closed.load(Ordering::Acquire))
    })?;
    match sys.rmdir(trash, text) {
        // A directory that changes while it is read may miss entries: the next round finds them.
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        result => result,
    }
}

/// Removes a file; `false` if it is a directory.
fn unlink(store: &Store, dir: impl AsFd, name: &CStr) -> Result<bool> {
    match store.root.sys.unlink(dir, name) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => Ok(false),
        Err(errno) => Err(errno),
    }
}

fn each(
    store: &Store,
    dir: impl AsFd,
    mut found: impl FnMut(&CStr, FileType) -> Result<bool>,
) -> Result<()> {
    store.root.sys.rewind(dir.as_fd())?;
    let mut buffer = [MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(dir.as_fd(), &mut buffer);
    store.root.sys.read_dir()?;
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Err(Errno::INTR) => continue,
            entry => entry?,
        };
        let name = entry.file_name();
        if name != c"." && name != c".." && !found(name, entry.file_type())? {
            break;
        }
    }
    Ok(())
}
