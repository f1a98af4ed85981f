//! Running the parts of an operation on threads.

use std::sync::Arc;

use storage_driver::{Path, Result};

use crate::{Filesystem, root::locks::Held, store::Store, upload::uploads::Uploads};

impl Filesystem {
    /// Runs a lookup on a thread, after abandoned work at `path` has ended.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        path: &Path,
        look: impl FnOnce(&Store) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store().require_open()?;
        self.store().work.wait_abandoned(path).await;
        self.prepare(path, move |uploads| look(&uploads.store)).await
    }

    /// Runs the part of an operation on `path` that needs no lock, on a thread.
    pub(super) async fn prepare<T: Send + 'static>(
        &self,
        path: &Path,
        prepare: impl FnOnce(&Arc<Uploads>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (uploads, path) = (Arc::clone(&self.uploads), path.clone());
        let prepare = move || uploads.store.root.check_root(&path, prepare(&uploads));
        self.store().work.run(&[], prepare).await
    }

    /// Runs a change of `paths` on a thread, which holds the locks.
    pub(super) async fn change<T: Send + 'static>(
        &self,
        paths: &[&Path],
        held: Held,
        change: impl FnOnce(&Arc<Uploads>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.store().work.run(paths, self.work(paths, held, change)).await
    }

    /// As [`change`](Self::change), for a change that takes microseconds unless it waits for a disk. In a root in memory
    /// it is made here: handing it to a thread and back would take most of the time.
    pub(super) async fn change_briefly<T: Send + 'static>(
        &self,
        paths: &[&Path],
        held: Held,
        change: impl FnOnce(&Arc<Uploads>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = self.work(paths, held, change);
        if self.store().in_memory { work() } else { self.store().work.run(paths, work).await }
    }

    /// A change of `paths` under the locks, with what is due before and after it.
    fn work<T, F: FnOnce(&Arc<Uploads>) -> Result<T>>(
        &self,
        paths: &[&Path],
        held: Held,
        change: F,
    ) -> impl FnOnce() -> Result<T> + use<T, F> {
        let uploads = Arc::clone(&self.uploads);
        let path = paths.first().map_or_else(Path::root, |&path| path.clone());
        move || {
            let store = &uploads.store;
            store.require_open()?;
            let result = store.root.check_root(&path, change(&uploads));
            store.empty_trash();
            drop(held);
            result
        }
    }
}
