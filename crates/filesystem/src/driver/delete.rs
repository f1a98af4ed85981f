//! Deleting files and directories with the uploads at and below them.

use std::sync::Arc;

use storage_driver::{ErrorKind, Path, Precondition, Result};

use crate::{
    Filesystem,
    error::explain,
    root::search,
    store::{Store, change::Removed},
    sys::Kind,
    upload::uploads::Uploads,
};

impl Filesystem {
    pub(super) async fn delete_file(&self, path: &Path, precondition: Precondition) -> Result<()> {
        let held = self.store().locks.paths(Some(path), &[path]).await;
        let at = path.clone();
        let delete = move |uploads: &Arc<Uploads>| delete_file(uploads, &at, &precondition);
        self.change_briefly(&[path], held, delete).await
    }

    pub(super) async fn delete_tree(&self, path: &Path) -> Result<()> {
        // Foreign files are not moved into the trash. The search for them takes longer for a larger tree, so it is done
        // before the lock is taken.
        let at = path.clone();
        let look =
            move |store: &Store| search::has_foreign_below(&store.root, &at).map_err(explain);
        let shared = self.look(path, look).await?;
        let held = self.store().locks.whole().await;
        let at = path.clone();
        let delete = move |uploads: &Arc<Uploads>| delete_tree(uploads, &at, shared);
        self.change(&[path], held, delete).await
    }
}

/// Removes the file and the upload at a path.
fn delete_file(uploads: &Uploads, path: &Path, precondition: &Precondition) -> Result<()> {
    let upload = uploads.map().get(path).cloned();
    match uploads.store.delete_file(path, precondition)? {
        Removed::Done => {}
        Removed::IsADirectory => return Err(ErrorKind::IsADirectory.into()),
        Removed::Nothing if upload.is_some() => precondition.check(None)?,
        Removed::Nothing => return Err(ErrorKind::PathNotFound.into()),
    }
    if let Some(upload) = upload {
        uploads.map().remove(path);
        upload.remove(&uploads.store);
    }
    Ok(())
}

/// Removes a directory with everything below it, and the uploads at and below it.
fn delete_tree(uploads: &Uploads, path: &Path, shared: bool) -> Result<()> {
    let (store, below) = (&uploads.store, uploads.below(path));
    match store.kind(path)? {
        Some(Kind::File) => return Err(ErrorKind::NotADirectory.into()),
        Some(_) => store.delete_dir(path, shared)?,
        None if below.is_empty() => return Err(ErrorKind::PathNotFound.into()),
        None => {}
    }
    for upload in below {
        uploads.map().remove(upload.path());
        upload.remove(store);
    }
    Ok(())
}
