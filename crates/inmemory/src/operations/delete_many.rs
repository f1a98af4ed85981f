//! The deletion of many files.

use std::{mem, sync::Arc, vec};

use storage_driver::{Path, Result};

use crate::{
    deferred_drop::{DeferredDrop, Fate, Removal},
    dir::Removed,
    job::Job,
    reclaimer::Reclaimer,
    state::State,
    store::Store,
    tree::Tree,
    upload::Upload,
    uploads::{RemovedUploads, Uploads},
    work::{PATHS, yield_now},
};

impl Store {
    /// Deletes each path as [`delete`](Self::delete) would, one after another, all at one moment. A path with
    /// nothing at it is no error.
    ///
    /// # Errors
    ///
    /// In this order: `InvalidPath` if one is the root; `IsADirectory` if one is a directory when it is
    /// reached. Nothing has changed then.
    pub(crate) async fn delete_many(&self, paths: &[Path]) -> Result<DeferredDrop> {
        if paths.len() <= PATHS {
            return self.delete_few(paths).await;
        }
        let mut copied = CopiedPaths { parts: Vec::new(), reclaimer: self.reclaimer() };
        for part in paths.chunks(PATHS) {
            part.iter().try_for_each(Path::require_not_root)?;
            copied.parts.push(part.to_vec());
            yield_now().await;
        }
        self.delete_in_parts(mem::take(&mut copied.parts)).await
    }

    /// Deletes so many paths as one critical section may.
    async fn delete_few(&self, paths: &[Path]) -> Result<DeferredDrop> {
        paths.iter().try_for_each(Path::require_not_root)?;
        let removed = remove_files(&mut *self.write().await?, paths);
        if let Some(removed) = removed {
            let mut deferred = DeferredDrop::default();
            for (file, upload) in removed {
                deferred.add(file);
                let upload = upload.map(RemovedUploads::One);
                upload.into_iter().for_each(|upload| deferred.add_cancelled(upload));
            }
            return Ok(deferred);
        }
        // A path that is a directory now may be none when it is reached, which only a copy of the files can
        // show.
        self.delete_in_parts(vec![paths.to_vec()]).await
    }

    async fn delete_in_parts(&self, parts: Vec<Vec<Path>>) -> Result<DeferredDrop> {
        let mut copied = CopiedPaths { parts, reclaimer: self.reclaimer() };
        let job = |state: &State| DeleteMany::new(mem::take(&mut copied.parts), state);
        self.run(job).await.map(|(_, deferred)| deferred)
    }
}

/// Removes the files and uploads at these paths; `None`, and no change, if one of them is a directory.
fn remove_files(state: &mut State, paths: &[Path]) -> Option<Vec<(Removed, Option<Arc<Upload>>)>> {
    if paths.iter().any(|path| state.tree().require_no_dir(path).is_err()) {
        return None;
    }
    Some(paths.iter().map(|path| (state.remove(path), state.remove_upload_at(path))).collect())
}

/// Paths that are copied in parts. They go to the reclaimer if this is dropped.
struct CopiedPaths<'a> {
    parts: Vec<Vec<Path>>,
    reclaimer: &'a Reclaimer,
}

impl Drop for CopiedPaths<'_> {
    fn drop(&mut self) {
        if !self.parts.is_empty() {
            let mut deferred = DeferredDrop::default();
            deferred.add_paths(mem::take(&mut self.parts).into_iter());
            self.reclaimer.add(deferred);
        }
    }
}

/// Deletes the files and uploads at many paths.
struct DeleteMany {
    /// Parts of at most [`PATHS`] paths.
    paths: vec::IntoIter<Vec<Path>>,
    /// The files without those that were deleted so far. At the end, the files that the store had before.
    tree: Tree,
    uploads: Uploads,
    removals: Vec<Removal>,
    fate: Fate,
}

impl DeleteMany {
    fn new(paths: Vec<Vec<Path>>, state: &State) -> Self {
        Self {
            paths: paths.into_iter(),
            tree: state.tree().clone(),
            uploads: state.uploads().clone(),
            removals: Vec::new(),
            fate: Fate::InStore,
        }
    }

    fn delete_part(&mut self, part: &[Path], removal: &mut Removal) -> Result<()> {
        for path in part {
            self.tree.require_no_dir(path)?;
            // The store's tree still holds the file, and the directories that were not copied.
            let removed = self.tree.remove(path);
            removed.dir.into_iter().for_each(|dir| removal.deferred.add_dir(dir));
            if let Some(upload) = self.uploads.get(path).map(Arc::clone) {
                self.uploads.remove(&upload);
                removal.uploads.push(RemovedUploads::One(upload));
            }
        }
        Ok(())
    }
}

impl Job for DeleteMany {
    fn advance(&mut self, state: &mut State) -> Option<Result<u64>> {
        let part = self.paths.next().unwrap_or_default();
        let mut removal = Removal::default();
        let deleted = self.delete_part(&part, &mut removal);
        self.removals.push(removal);
        if let Err(error) = deleted {
            return Some(Err(error));
        }
        if self.paths.len() > 0 {
            return None;
        }
        state.replace(&mut self.tree, &mut self.uploads);
        self.fate = Fate::Cancelled;
        Some(Ok(0))
    }

    fn into_deferred(self: Box<Self>) -> DeferredDrop {
        let Self { paths, tree, uploads, removals, fate } = *self;
        let mut deferred = DeferredDrop::default();
        deferred.add_table(uploads);
        deferred.add_removals(removals, fate);
        deferred.add(tree.into());
        deferred.add_paths(paths);
        deferred
    }
}
