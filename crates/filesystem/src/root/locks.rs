//! [`Locks`]: the locks on paths. A future waits for them without a thread. The thread that does the work holds
//! them, so that an operation whose future is dropped still ends in order.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use storage_driver::Path;
use tokio::sync::{
    Mutex as AsyncMutex, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
};

/// The locks of a store.
///
/// A change to one path takes that path's lock, and the tree's, shared; a change to a whole tree
/// takes the tree's alone. Uploads have locks of their own. They are taken in this order: the
/// tree's, an upload's, files' in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    tree: Arc<RwLock<()>>,
    uploads: Arc<Keyed>,
    files: Arc<Keyed>,
}

/// The locks that a thread holds while it changes the store.
#[derive(Debug, Default)]
pub(crate) struct Held {
    _files: Vec<KeyGuard>,
    _upload: Option<KeyGuard>,
    _shared: Option<OwnedRwLockReadGuard<()>>,
    _whole: Option<OwnedRwLockWriteGuard<()>>,
}

impl Locks {
    /// Locks these files, and the upload at a path.
    pub(crate) async fn paths(&self, upload: Option<&Path>, files: &[&Path]) -> Held {
        let shared = Arc::clone(&self.tree).read_owned().await;
        let upload = match upload {
            Some(path) => Some(Keyed::lock(&self.uploads, path).await),
            None => None,
        };
        let mut sorted = files.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let mut held = Vec::with_capacity(sorted.len());
        for path in sorted {
            held.push(Keyed::lock(&self.files, path).await);
        }
        Held { _files: held, _upload: upload, _shared: Some(shared), _whole: None }
    }

    /// Locks the whole tree, for a change of many paths: nothing else changes meanwhile.
    pub(crate) async fn whole(&self) -> Held {
        let whole = Arc::clone(&self.tree).write_owned().await;
        Held { _whole: Some(whole), ..Held::default() }
    }
}

/// A lock for each path that is held or waited for.
#[derive(Debug, Default)]
struct Keyed(Mutex<HashMap<Path, Arc<AsyncMutex<()>>>>);

/// A lock on a path, or the wait for one.
#[derive(Debug)]
struct KeyGuard {
    keyed: Arc<Keyed>,
    path: Path,
    lock: Option<OwnedMutexGuard<()>>,
}

impl Keyed {
    async fn lock(keyed: &Arc<Self>, path: &Path) -> KeyGuard {
        let mut guard = KeyGuard { keyed: Arc::clone(keyed), path: path.clone(), lock: None };
        let lock = Arc::clone(keyed.map().entry(path.clone()).or_default());
        guard.lock = Some(lock.lock_owned().await);
        guard
    }

    fn map(&self) -> MutexGuard<'_, HashMap<Path, Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for KeyGuard {
    fn drop(&mut self) {
        let mut map = self.keyed.map();
        self.lock = None;
        if map.get(&self.path).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            map.remove(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, poll};

    use super::*;

    fn path(text: &str) -> Path {
        Path::parse(text).unwrap()
    }

    #[tokio::test]
    async fn two_changes_to_one_path_follow_each_other() {
        let locks = Locks::default();
        let first = locks.paths(None, &[&path("/a")]).await;
        let at = path("/a");
        let files = [&at];
        let mut second = Box::pin(locks.paths(None, &files));
        assert!(poll!(&mut second).is_pending());
        drop(first);
        second.await;
    }

    #[tokio::test]
    async fn changes_to_different_paths_do_not_wait() {
        let locks = Locks::default();
        let _first = locks.paths(Some(&path("/a")), &[&path("/a")]).await;
        assert!(locks.paths(Some(&path("/b")), &[&path("/b")]).now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_change_to_the_whole_tree_waits_for_all_others() {
        let locks = Locks::default();
        let first = locks.paths(None, &[&path("/a")]).await;
        let mut whole = Box::pin(locks.whole());
        assert!(poll!(&mut whole).is_pending());
        drop(first);
        let whole = whole.await;
        assert!(locks.paths(None, &[&path("/b")]).now_or_never().is_none());
        drop(whole);
    }

    #[tokio::test]
    async fn a_dropped_wait_leaves_no_lock_behind() {
        let locks = Locks::default();
        let held = locks.paths(None, &[&path("/a"), &path("/b")]).await;
        let at = path("/a");
        let files = [&at];
        let mut waiting = Box::pin(locks.paths(None, &files));
        assert!(poll!(&mut waiting).is_pending());
        drop(held);
        drop(waiting);
        assert!(locks.files.map().is_empty());
    }
}
