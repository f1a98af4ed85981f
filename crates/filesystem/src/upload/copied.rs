//! [`Copied`]: the copy of a file from which an append starts.

use std::sync::Arc;

use storage_driver::{Error, ErrorKind, Path, Result};

use super::{Upload, uploads::Uploads};
use crate::{root::version, store::Store, sys::Resolve};

/// The content of a file, copied for an append. It is removed if the append does not start.
pub(crate) struct Copied {
    store: Arc<Store>,
    upload: Option<Upload>,
}

impl Copied {
    /// Copies the content at a path. Without a lock, because that may take long: the commit checks that the content at
    /// the path is still the same.
    pub(crate) fn new(uploads: &Arc<Uploads>, path: &Path, at: Option<u64>) -> Result<Self> {
        let store = &uploads.store;
        let (source, facts) = store
            .root
            .open_file(path, Resolve::Fully)
            .map_err(|errno| store.explain_open(path, errno))?;
        require_none(uploads, path)?;
        let size = facts.size;
        if let Some(given) = at.filter(|&at| at != size) {
            return Err(Error::new(ErrorKind::OffsetMismatch { given, size }));
        }
        let upload = Upload::new(store, path, Some(version(&facts)), size)?;
        let copied = Self { store: Arc::clone(store), upload: Some(upload) };
        if let Some(upload) = &copied.upload {
            let mut file = None;
            let file = upload.open(store, &mut file, 0);
            let file = file.map_err(|failure| upload.settle(failure))?;
            store.copy_file(&source, &facts, file)?;
        }
        Ok(copied)
    }

    /// The upload, which is not removed from now on.
    pub(super) fn into_upload(mut self) -> Option<Upload> {
        self.upload.take()
    }
}

impl Drop for Copied {
    fn drop(&mut self) {
        if let Some(upload) = &self.upload {
            upload.remove(&self.store);
        }
    }
}

/// Fails if there is an upload in progress: an append does not extend it.
pub(super) fn require_none(uploads: &Uploads, path: &Path) -> Result<()> {
    if uploads.map().contains_key(path) {
        return Err(ErrorKind::UploadInProgress.into());
    }
    Ok(())
}
