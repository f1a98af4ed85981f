//! [`Uploads`]: a store, and the uploads in progress in it.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage_driver::Path;

use super::Upload;
use crate::store::Store;

/// A store with its uploads in progress, by path.
pub(crate) struct Uploads {
    pub(crate) store: Arc<Store>,
    map: Mutex<BTreeMap<Path, Arc<Upload>>>,
}

impl Uploads {
    pub(crate) fn new(store: Arc<Store>, uploads: BTreeMap<Path, Arc<Upload>>) -> Self {
        Self { store, map: Mutex::new(uploads) }
    }

    pub(crate) fn map(&self) -> MutexGuard<'_, BTreeMap<Path, Arc<Upload>>> {
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The uploads at and below a path.
    pub(crate) fn below(&self, path: &Path) -> Vec<Arc<Upload>> {
        let uploads = self.map();
        let below = below(&uploads, path, Bound::Included(path.clone()));
        below.map(|(_, upload)| Arc::clone(upload)).collect()
    }
}

/// The entries of a map at and below a path, from `start` on.
pub(crate) fn below<'a, T>(
    all: &'a BTreeMap<Path, T>,
    path: &'a Path,
    start: Bound<Path>,
) -> impl Iterator<Item = (&'a Path, &'a T)> {
    all.range((start, Bound::Unbounded)).take_while(move |(at, _)| at.starts_with(path))
}
