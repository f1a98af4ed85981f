//! [`Job`]: a change of many paths that takes effect at one moment.

use std::{mem, sync::Arc, time::Duration, vec};

use storage_driver::{Path, Result};

use crate::{
    store::{Renamed, State, Store},
    sync::{Mutex, lock},
    time::Timestamp,
    tree::{Measure, Removed, Tree},
    upload::Upload,
    uploads::{Taken, Under, Uploads},
    waste::{Fate, Removal, Waste},
    work::ENTRIES,
};

/// A change of more paths than one critical section may take.
///
/// It is prepared in parts, on the side: the tree and the table of uploads are persistent, so that
/// readers keep the old ones meanwhile. The last part puts the new ones in their place, which is the
/// one moment at which the change takes effect.
///
/// While a job is in the store, nothing else changes the store. An operation that wants to does a
/// part of the job first, so that no task depends on another being polled. If the operation that
/// began the job is dropped before the last part, the job goes without an effect.
pub(crate) trait Job: Send + Sync {
    /// Does a part of it, under the store's lock. The result comes with the last part.
    fn advance(&mut self, store: &Store, state: &mut State) -> Option<Result<Done>>;

    /// Called when data was written to an upload, so that a job does not cancel it for its age.
    fn keep(&mut self, _upload: &Arc<Upload>) {}

    /// Gives up what it has made, without an effect.
    fn abandon(self: Box<Self>) -> Waste;
}

/// What a job has changed, counted where its operation counts, and what is left to free.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) count: u64,
    pub(crate) waste: Waste,
}

/// Where a job leaves its result for the operation that began it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome(Arc<Mutex<Option<Result<Done>>>>);

impl Outcome {
    pub(crate) fn set(&self, result: Result<Done>) {
        *lock(&self.0) = Some(result);
    }

    pub(crate) fn take(&self) -> Option<Result<Done>> {
        lock(&self.0).take()
    }

    pub(crate) fn is_of_same_job(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Deletes what is at many paths.
pub(crate) struct DeleteMany {
    /// Parts of at most [`PATHS`](crate::work::PATHS) paths.
    paths: vec::IntoIter<Vec<Path>>,
    /// The store without what was deleted so far.
    tree: Tree,
    uploads: Uploads,
    removals: Vec<Removal>,
}

impl DeleteMany {
    pub(crate) fn new(paths: Vec<Vec<Path>>, state: &State) -> Self {
        let (tree, uploads) = (state.tree.clone(), state.uploads.clone());
        Self { paths: paths.into_iter(), tree, uploads, removals: Vec::new() }
    }
}

impl Job for DeleteMany {
    fn advance(&mut self, store: &Store, state: &mut State) -> Option<Result<Done>> {
        let mut removal = Removal::default();
        for path in self.paths.next().iter().flatten() {
            if let Err(error) = self.tree.require_no_dir(path) {
                self.removals.push(removal);
                return Some(Err(error));
            }
            // The store's tree still holds every file, and the directories that were not copied.
            let Removed { file: _, dir } = self.tree.remove(path);
            dir.into_iter().for_each(|dir| removal.waste.add_dir(dir));
            removal.uploads.extend(self.uploads.take_at(path).map(Taken::One));
        }
        self.removals.push(removal);
        if self.paths.len() > 0 {
            return None;
        }
        mem::swap(&mut state.tree, &mut self.tree);
        mem::swap(&mut state.uploads, &mut self.uploads);
        store.count_removal();
        Some(Ok(Done { count: 0, waste: self.waste(Fate::Cancelled) }))
    }

    fn abandon(mut self: Box<Self>) -> Waste {
        let mut waste = self.waste(Fate::Kept);
        waste.add_paths(self.paths);
        waste
    }
}

impl DeleteMany {
    fn waste(&mut self, uploads: Fate) -> Waste {
        let mut waste = Waste::default();
        waste.add_table(mem::take(&mut self.uploads));
        waste.add_removals(mem::take(&mut self.removals), uploads);
        waste.add(mem::take(&mut self.tree).into());
        waste
    }
}

/// Cancels the uploads to which nothing was written for some time.
pub(crate) struct CancelUploads {
    now: Timestamp,
    older_than: Duration,
    /// Those that were not looked at yet.
    rest: Under,
    /// The table without those that are cancelled.
    kept: Uploads,
    cancelled: Uploads,
    count: u64,
}

impl CancelUploads {
    pub(crate) fn new(path: &Path, older_than: Duration, now: Timestamp, state: &State) -> Self {
        let (rest, kept) = (state.uploads.under(path, None), state.uploads.clone());
        Self { now, older_than, rest, kept, cancelled: Uploads::default(), count: 0 }
    }
}

impl Job for CancelUploads {
    fn advance(&mut self, store: &Store, state: &mut State) -> Option<Result<Done>> {
        for upload in self.rest.by_ref().take(ENTRIES) {
            if self.now.since(upload.written()) >= self.older_than && self.kept.remove(&upload) {
                self.cancelled.insert(upload);
                self.count += 1;
            }
        }
        if !self.rest.is_at_end() {
            return None;
        }
        mem::swap(&mut state.uploads, &mut self.kept);
        store.count_removal();
        let mut waste = Waste::default();
        waste.add_table(mem::take(&mut self.kept));
        waste.add_cancelled(Taken::Many(mem::take(&mut self.cancelled)));
        Some(Ok(Done { count: self.count, waste }))
    }

    fn keep(&mut self, upload: &Arc<Upload>) {
        if self.cancelled.remove(upload) {
            self.kept.insert(Arc::clone(upload));
            self.count -= 1;
        }
    }

    fn abandon(self: Box<Self>) -> Waste {
        let mut waste = Waste::default();
        [self.rest.into_table(), self.kept, self.cancelled]
            .into_iter()
            .for_each(|table| waste.add_table(table));
        waste
    }
}

/// Renames a directory of which it is not known whether all paths below stay short enough.
pub(crate) struct RenameDir {
    from: Path,
    to: Path,
    measure: Option<Measure>,
}

impl RenameDir {
    pub(crate) fn new(from: &Path, to: &Path) -> Self {
        Self { from: from.clone(), to: to.clone(), measure: None }
    }
}

impl Job for RenameDir {
    fn advance(&mut self, store: &Store, state: &mut State) -> Option<Result<Done>> {
        let longest = match &mut self.measure {
            None => None,
            Some(measure) => Some(measure.advance()?),
        };
        match state.rename_dir(store, &self.from, &self.to, longest) {
            Ok(Renamed::Done(removed)) => Some(Ok(Done { count: 0, waste: removed.into() })),
            Ok(Renamed::TooLongPerhaps(measure)) => {
                self.measure = Some(measure);
                None
            }
            Err(error) => Some(Err(error)),
        }
    }

    fn abandon(self: Box<Self>) -> Waste {
        let mut waste = Waste::default();
        self.measure.into_iter().for_each(|measure| waste.add_dir(measure.into_dir()));
        waste
    }
}

#[cfg(test)]
mod tests;
