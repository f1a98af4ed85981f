//! [`State`]: files and uploads, and every step that changes them.

use std::{mem, sync::Arc};

use storage_driver::{Metadata, Path, Precondition, Result};

use crate::{
    budget::Budget,
    dir::{Node, Removed},
    file::File,
    sync::{AtomicU64, Ordering::Release},
    tree::{Place, Tree},
    upload::Upload,
    uploads::{RemovedUploads, Uploads},
};

/// What the store's lock protects: the files and the uploads.
pub(crate) struct State {
    tree: Tree,
    uploads: Uploads,
    budget: Arc<Budget>,
    /// Counts the times that uploads were removed from the table. It changes under the store's lock, and is
    /// read without it by sessions: while it stands still, an upload that was seen in the table is there.
    removals: Arc<AtomicU64>,
}

impl State {
    /// The files of `tree`, without uploads.
    pub(crate) fn new(tree: Tree, budget: &Arc<Budget>, removals: &Arc<AtomicU64>) -> Self {
        let (budget, removals) = (Arc::clone(budget), Arc::clone(removals));
        Self { tree, uploads: Uploads::default(), budget, removals }
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }

    pub(crate) fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    /// Makes a place for a file at `path`. Nothing has changed yet: make the file, then
    /// [`publish`](Self::publish) it.
    ///
    /// # Errors
    ///
    /// In this order: `PathConflict`, `PreconditionFailed`, `StorageFull`.
    pub(crate) fn place<'p>(
        &self,
        path: &'p Path,
        preconditions: &[&Precondition],
    ) -> Result<Place<'p>> {
        let plan = self.tree.plan(path)?;
        let current = plan.replaced().map(File::version);
        for precondition in preconditions {
            precondition.check(current.as_ref()).map_err(|error| error.at(path))?;
        }
        plan.for_file(&self.budget)
    }

    /// Puts a file into its place: the one step by which content becomes visible at a path. Returns what
    /// was replaced.
    pub(crate) fn publish(&mut self, place: Place<'_>, file: File) -> (Metadata, Removed) {
        let metadata = file.metadata(place.path());
        (metadata, self.tree.fill(&self.budget, place, Node::File(file)))
    }

    /// Puts a directory into the place that was made for it.
    pub(crate) fn publish_dir(&mut self, place: Place<'_>, dir: Node) -> Removed {
        self.tree.fill(&self.budget, place, dir)
    }

    /// Removes the file or directory at `path`.
    pub(crate) fn remove(&mut self, path: &Path) -> Removed {
        self.tree.remove(path)
    }

    /// Removes what was [found](Tree::find) at `path` in these files.
    pub(crate) fn remove_found(&mut self, path: &Path, stays: usize) -> Removed {
        self.tree.remove_found(path, stays)
    }

    /// Puts an upload into the table; returns the one that was at its path.
    pub(crate) fn insert_upload(&mut self, upload: Arc<Upload>) -> Option<Arc<Upload>> {
        let replaced = self.uploads.insert(upload);
        self.count_removal(replaced.is_some());
        replaced
    }

    /// Removes this very upload; false if it is not in the table.
    pub(crate) fn remove_upload(&mut self, upload: &Arc<Upload>) -> bool {
        let removed = self.uploads.remove(upload);
        self.count_removal(removed);
        removed
    }

    /// Removes the upload at exactly `path`.
    pub(crate) fn remove_upload_at(&mut self, path: &Path) -> Option<Arc<Upload>> {
        if self.uploads.is_empty() {
            return None;
        }
        // Looked for first: a removal copies the nodes of the table that a job or a list shares.
        let upload = self.uploads.get(path).cloned()?;
        self.remove_upload(&upload);
        Some(upload)
    }

    /// Removes the uploads at and below `path`.
    pub(crate) fn remove_uploads_below(&mut self, path: &Path) -> Option<RemovedUploads> {
        let removed = self.uploads.take(path);
        self.count_removal(removed.is_some());
        removed
    }

    /// Exchanges the table of uploads with one from which uploads were removed.
    pub(crate) fn replace_uploads(&mut self, uploads: &mut Uploads) {
        mem::swap(&mut self.uploads, uploads);
        self.count_removal(true);
    }

    /// Exchanges the files and the uploads with those of a copy that a job has changed.
    pub(crate) fn replace(&mut self, tree: &mut Tree, uploads: &mut Uploads) {
        mem::swap(&mut self.tree, tree);
        self.replace_uploads(uploads);
    }

    /// Takes everything out.
    pub(crate) fn take(&mut self) -> (Tree, Uploads) {
        self.count_removal(true);
        (mem::take(&mut self.tree), mem::take(&mut self.uploads))
    }

    fn count_removal(&self, removed: bool) {
        if removed {
            self.removals.fetch_add(1, Release);
        }
    }
}
