//! The deletion of a file, and of a directory.

use storage_driver::{Error, ErrorKind, Path, Precondition, Result};

use crate::{
    deferred_drop::DeferredDrop,
    store::Store,
    tree::{Found, Removable},
    uploads::RemovedUploads,
};

impl Store {
    /// Deletes a file, and the upload at exactly its path.
    ///
    /// # Errors
    ///
    /// In this order: `Unsupported`, `PathNotFound`, `IsADirectory`, `PreconditionFailed`.
    pub(crate) async fn delete(
        &self,
        path: &Path,
        precondition: &Precondition,
    ) -> Result<DeferredDrop> {
        precondition.require_existing()?;
        let mut state = self.write().await?;
        let (current, stays) = match state.tree().find(path) {
            Some(Removable { file: Some(file), stays }) => (Some(file.version()), Some(stays)),
            Some(Removable { file: None, .. }) => return Err(ErrorKind::IsADirectory.into()),
            None if state.uploads().get(path).is_some() => (None, None),
            None => return Err(ErrorKind::PathNotFound.into()),
        };
        precondition.check(current.as_ref())?;
        let removed = stays.map(|stays| state.remove_found(path, stays)).unwrap_or_default();
        let upload = state.remove_upload_at(path);
        drop(state);
        let mut deferred = DeferredDrop::from(removed);
        upload.into_iter().for_each(|upload| deferred.add_cancelled(RemovedUploads::One(upload)));
        Ok(deferred)
    }

    /// Deletes everything below a directory, and the uploads at and below it.
    ///
    /// # Errors
    ///
    /// `PathNotFound`, `NotADirectory`.
    pub(crate) async fn delete_dir(&self, path: &Path) -> Result<DeferredDrop> {
        let mut state = self.write().await?;
        match state.tree().get(path) {
            Some(Found::File(_)) => return Err(Error::new(ErrorKind::NotADirectory)),
            None if !state.uploads().has_any(path) => {
                return Err(Error::new(ErrorKind::PathNotFound));
            }
            Some(Found::Dir(_)) | None => {}
        }
        let (removed, uploads) = (state.remove(path), state.remove_uploads_below(path));
        drop(state);
        let mut deferred = DeferredDrop::from(removed);
        uploads.into_iter().for_each(|uploads| deferred.add_cancelled(uploads));
        Ok(deferred)
    }
}
